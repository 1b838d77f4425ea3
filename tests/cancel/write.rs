//! What every writer can do, dropped at each of its waits.

use std::collections::VecDeque;
use std::io::IoSlice;

use mainspring::io::AsyncWriteExt;
use mainspring::net::UnixStream;

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::slow::Slow;
use crate::wire::{self, Far, MUCH_FOR_UNIX as MUCH, Near};

everywhere! {
    a_write_gives_no_bytes_that_it_does_not_count,
    a_vectored_write_gives_no_bytes_that_it_does_not_count,
    a_write_all_leaves_a_beginning_and_a_stream_that_works,
    a_vectored_write_all_leaves_a_beginning_and_a_stream_that_works,
    a_write_all_from_a_buf_gives_each_byte_once,
    a_flush_goes_on_where_it_was,
    a_close_goes_on_where_it_was,
    a_number_that_is_written_leaves_a_beginning,
}

async fn all_came(_: &mut Near<UnixStream>, far: &mut Far) {
    far.receive_all(MUCH);
    assert!(far.got == pattern(MUCH));
}

/// What arrived is a beginning of what was to be written, all of it if that was done, and the stream works
/// on.
async fn left_a_beginning(near: &mut Near<UnixStream>, far: &mut Far) {
    far.make_room();
    near.stream.write_all(&[255]).await.unwrap();
    near.stream.close().await.unwrap();
    far.receive_all(usize::MAX);
    assert_eq!(far.got.pop(), Some(255));
    assert!(!far.got.is_empty() && pattern(MUCH).starts_with(&far.got));
    assert!(!near.is_done || far.got.len() == MUCH);
}

// cancels: AsyncWriteExt::write
fn a_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |near| {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    let write = AsyncWriteExt::write(&mut near.stream, &bytes[near.sent..]);
                    near.sent += write.await.unwrap();
                }
            },
            all_came,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: AsyncWriteExt::write_vectored
fn a_vectored_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |near| {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    let (one, other) = bytes[near.sent..].split_at(1);
                    let bufs = [IoSlice::new(one), IoSlice::new(other)];
                    let write = AsyncWriteExt::write_vectored(&mut near.stream, &bufs);
                    near.sent += write.await.unwrap();
                }
            },
            all_came,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: AsyncWriteExt::write_all
fn a_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .others_wait()
        .world(Far::make_room)
        .not_safe(
            async |near| {
                let bytes = pattern(MUCH);
                let write = AsyncWriteExt::write_all(&mut near.stream, &bytes);
                write.await.unwrap();
                near.is_done = true;
            },
            left_a_beginning,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: AsyncWriteExt::write_all_vectored
fn a_vectored_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .others_wait()
        .world(Far::make_room)
        .not_safe(
            async |near| {
                let bytes = pattern(MUCH);
                let (one, other) = bytes.split_at(MUCH / 3);
                let mut bufs = [IoSlice::new(one), IoSlice::new(other)];
                near.stream.write_all_vectored(&mut bufs).await.unwrap();
                near.is_done = true;
            },
            left_a_beginning,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: AsyncWriteExt::write_all_buf
fn a_write_all_from_a_buf_gives_each_byte_once(on: On) {
    let setup = || {
        let (near, far) = wire::narrow_unix();
        ((near.stream, VecDeque::from(pattern(MUCH))), far)
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(stream, left)| stream.write_all_buf(left).await.unwrap(),
            async |(_, left), far| {
                far.receive_all(MUCH);
                assert!(left.is_empty() && far.got == pattern(MUCH));
            },
        );
    assert!(waits >= 2, "{waits}");
}

/// A writer that keeps what is written, and how much that is.
fn keeper() -> ((Slow, usize), ()) {
    ((Slow::default(), 0), ())
}

/// Writes what is left of five bytes.
async fn write_five(writer: &mut Slow, sent: &mut usize) {
    while *sent < 5 {
        let bytes = &pattern(5)[*sent..];
        *sent += AsyncWriteExt::write(writer, bytes).await.unwrap();
    }
}

// cancels: AsyncWriteExt::flush
fn a_flush_goes_on_where_it_was(on: On) {
    let waits = Case::new(on, keeper).safe(
        async |(writer, sent)| {
            write_five(writer, sent).await;
            writer.flush().await.unwrap();
        },
        async |(writer, _), ()| assert_eq!(writer.arrived, pattern(5)),
    );
    assert_eq!(waits, 3 + 5);
}

// cancels: AsyncWriteExt::close
fn a_close_goes_on_where_it_was(on: On) {
    let waits = Case::new(on, keeper).safe(
        async |(writer, sent)| {
            write_five(writer, sent).await;
            writer.close().await.unwrap();
        },
        async |(writer, _), ()| {
            assert!(writer.is_closed);
            assert_eq!(writer.arrived, pattern(5));
        },
    );
    assert_eq!(waits, 3 + 5 + 1);
}

fn a_number_that_is_written_leaves_a_beginning(on: On) {
    let number = u64::from_be_bytes(*b"mainspri");
    let waits = Case::new(on, keeper).not_safe(
        async |(writer, sent)| {
            writer.write_u64(number).await.unwrap();
            *sent = 8;
        },
        async |(writer, sent), ()| {
            assert!(number.to_be_bytes().starts_with(writer.rest()));
            assert!(*sent == 0 || writer.rest().len() == 8);
            writer.flush().await.unwrap();
            assert!(writer.rest().is_empty());
        },
    );
    assert_eq!(waits, 4);
}
