//! What every reader can do, dropped at each of its waits.

use std::io::IoSliceMut;

use mainspring::io::{AsyncReadExt, ReadCursor};
use mainspring::net::UnixStream;

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::slow::Slow;
use crate::wire::{self, Far, Near};

everywhere! {
    a_read_takes_no_bytes_that_it_does_not_return,
    a_vectored_read_takes_no_bytes_that_it_does_not_return,
    a_read_exact_takes_bytes_with_it_and_leaves_a_stream_that_works,
    a_read_exact_into_a_cursor_loses_nothing,
    a_read_to_end_keeps_what_came,
    a_read_to_string_loses_less_than_a_character,
    a_number_of_one_byte_is_not_lost,
    a_number_of_several_bytes_takes_bytes_with_it,
}

/// How much is read.
const ALL: usize = 12;

// cancels: AsyncReadExt::read
fn a_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::unix)
        .others_wait()
        .world(|far| far.send(3))
        .safe(
            async |near| {
                while near.got.len() < ALL {
                    let mut buf = [0; 5];
                    let read = AsyncReadExt::read(&mut near.stream, &mut buf);
                    let count = read.await.unwrap();
                    near.got.extend_from_slice(&buf[..count]);
                }
            },
            async |near, _| assert_eq!(near.got, pattern(ALL)),
        );
    assert_eq!(waits, 4);
}

// cancels: AsyncReadExt::read_vectored
fn a_vectored_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::unix)
        .others_wait()
        .world(|far| far.send(3))
        .safe(
            async |near| {
                while near.got.len() < ALL {
                    let (mut one, mut other) = ([0; 1], [0; 4]);
                    let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
                    let read = AsyncReadExt::read_vectored(&mut near.stream, &mut bufs);
                    let count = read.await.unwrap();
                    near.got.push(one[0]);
                    near.got.extend_from_slice(&other[..count - 1]);
                }
            },
            async |near, _| assert_eq!(near.got, pattern(ALL)),
        );
    assert_eq!(waits, 4);
}

/// What comes after the drop is the end of what was sent, with nothing left out; all of it, if the
/// operation was done.
async fn gets_what_follows(near: &mut Near<UnixStream>, far: &mut Far) {
    let sent_before = far.sent;
    far.send(3);
    far.end();
    near.stream.read_to_end(&mut near.got).await.unwrap();
    let all = pattern(far.sent);
    assert!(all.ends_with(&near.got), "{:?}", near.got);
    assert!(near.got.ends_with(&all[sent_before..]));
    assert!(!near.is_done || near.got == all);
}

// cancels: AsyncReadExt::read_exact
fn a_read_exact_takes_bytes_with_it_and_leaves_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::unix)
        .others_wait()
        .world(|far| far.send(3))
        .not_safe(
            async |near| {
                let mut buf = [0; ALL];
                near.stream.read_exact(&mut buf).await.unwrap();
                near.got.extend_from_slice(&buf);
                near.is_done = true;
            },
            gets_what_follows,
        );
    assert_eq!(waits, 4);
}

/// A reader, and a buffer with the place to which it is filled.
struct Filling {
    stream: UnixStream,
    buf: [u8; ALL],
    position: usize,
}

/// A cursor that hands its place back when it is dropped, as one does that lives longer than the call.
struct Lasting<'a> {
    cursor: ReadCursor<'a>,
    position: &'a mut usize,
}

impl Drop for Lasting<'_> {
    fn drop(&mut self) {
        *self.position = self.cursor.position();
    }
}

// cancels: AsyncReadExt::read_exact_buf
fn a_read_exact_into_a_cursor_loses_nothing(on: On) {
    let setup = || {
        let (near, far) = wire::unix();
        let near = Filling {
            stream: near.stream,
            buf: [0; ALL],
            position: 0,
        };
        (near, far)
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|far| far.send(3))
        .safe(
            async |near| {
                let mut cursor = ReadCursor::new(&mut near.buf);
                cursor.advance(near.position);
                let position = &mut near.position;
                let mut lasting = Lasting { cursor, position };
                let read = near.stream.read_exact_buf(&mut lasting.cursor);
                read.await.unwrap();
            },
            async |near, _| assert_eq!((near.position, &near.buf[..]), (ALL, &pattern(ALL)[..])),
        );
    assert_eq!(waits, 4);
}

// cancels: AsyncReadExt::read_to_end
fn a_read_to_end_keeps_what_came(on: On) {
    let waits = Case::new(on, wire::unix)
        .others_wait()
        .world(|far| far.send_or_end(3, ALL))
        .safe(
            async |near| {
                near.stream.read_to_end(&mut near.got).await.unwrap();
            },
            async |near, _| assert_eq!(near.got, pattern(ALL)),
        );
    assert_eq!(waits, 5);
}

// cancels: AsyncReadExt::read_to_string
fn a_read_to_string_loses_less_than_a_character(on: On) {
    const TEXT: &str = "tück🕰";
    let setup = || {
        let (near, far) = wire::unix();
        ((near.stream, String::new()), far)
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|far| match TEXT.as_bytes().get(far.sent) {
            Some(byte) => far.send_bytes(&[*byte]),
            None => far.end(),
        })
        .not_safe(
            async |(stream, text)| {
                stream.read_to_string(text).await.unwrap();
            },
            async |(stream, text), far| {
                // The stream works on: one more byte comes, if one is left, and the end.
                if let Some(byte) = TEXT.as_bytes().get(far.sent) {
                    far.send_bytes(&[*byte]);
                }
                far.end();
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
                let sent = &TEXT.as_bytes()[..far.sent];
                assert!(sent.starts_with(text.as_bytes()) && sent.ends_with(&rest));
                assert!(sent.len() - text.len() - rest.len() <= 3);
            },
        );
    assert_eq!(waits as usize, TEXT.len() + 1);
}

fn a_number_of_one_byte_is_not_lost(on: On) {
    let setup = || ((Slow::reader(&pattern(ALL)), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(reader, got)| {
            while got.len() < ALL {
                got.push(reader.read_u8().await.unwrap());
            }
        },
        async |(_, got), ()| assert_eq!(*got, pattern(ALL)),
    );
    assert_eq!(waits, 12);
}

fn a_number_of_several_bytes_takes_bytes_with_it(on: On) {
    let setup = || ((Slow::reader(&pattern(8)), None), ());
    let waits = Case::new(on, setup).not_safe(
        async |(reader, got)| *got = Some(reader.read_u64().await.unwrap()),
        async |(reader, got), ()| {
            assert_eq!(got.is_some(), reader.rest().is_empty());
            assert!(pattern(8).ends_with(reader.rest()));
            // What was not taken is there.
            let (mut rest, left) = (Vec::new(), reader.rest().to_vec());
            reader.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, left);
        },
    );
    assert_eq!(waits, 8);
}
