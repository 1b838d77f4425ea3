//! Inspecting: the closure sees the bytes that pass, each once and in order, and changes nothing.

use std::io::{IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::Poll;

use mainspring::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use proptest::prelude::{any, proptest};

use super::rig::{On, both, pattern, small_buffers, tcp_pair};
use super::slow::{Slow, Step, finish, poll_once, steps};

on_both! {
    both_ways_of_a_socket_are_seen_as_they_pass,
}

proptest! {
    #[test]
    fn each_byte_that_is_read_is_seen_once_however_it_is_read(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        calls in proptest::collection::vec((0..4u8, 0..20usize), 0..20),
        steps in steps(),
    ) {
        let mut seen = Vec::new();
        let reader = BufReader::with_capacity(7, Slow::reader(&data, steps));
        let mut reader = reader.inspect(|bytes: &[u8]| {
            assert!(!bytes.is_empty());
            seen.extend_from_slice(bytes);
        });
        let mut got = Vec::new();
        for (call, len) in calls {
            match call {
                0 => {
                    let mut buf = vec![0; len];
                    let count = finish(reader.read(&mut buf)).unwrap();
                    got.extend_from_slice(&buf[..count]);
                }
                1 => {
                    let mut buf = vec![0; len];
                    let (head, tail) = buf.split_at_mut(len / 3);
                    let mut bufs = [
                        IoSliceMut::new(head),
                        IoSliceMut::new(&mut []),
                        IoSliceMut::new(tail),
                    ];
                    let count = finish(reader.read_vectored(&mut bufs)).unwrap();
                    got.extend_from_slice(&buf[..count]);
                }
                2 => {
                    // Looked at twice, and a part of it taken.
                    finish(reader.fill_buf()).unwrap();
                    let bytes = finish(reader.fill_buf()).unwrap();
                    let count = len.min(bytes.len());
                    got.extend_from_slice(&bytes[..count]);
                    Pin::new(&mut reader).consume(count);
                }
                // A read that is dropped takes nothing, or all that it says.
                _ => {
                    let mut buf = vec![0; len];
                    if let Poll::Ready(count) = poll_once(reader.read(&mut buf)) {
                        got.extend_from_slice(&buf[..count.unwrap()]);
                    }
                }
            }
        }
        drop(reader);
        assert_eq!(seen, got);
        assert!(data.starts_with(&got));
    }

    #[test]
    fn each_byte_that_the_writer_took_is_seen_once(
        pieces in proptest::collection::vec((any::<bool>(), 0..40usize), 0..20),
        room in 0..300usize,
        steps in steps(),
    ) {
        let mut seen = Vec::new();
        let writer = Slow::writer(steps).with_room_for(room);
        let mut writer = writer.inspect_writes(|bytes: &[u8]| {
            assert!(!bytes.is_empty());
            seen.extend_from_slice(bytes);
        });
        for (is_vectored, len) in pieces {
            let piece = pattern(len);
            // Short of room, it fails after a part; that part is seen.
            let _ = if is_vectored {
                let (head, tail) = piece.split_at(len / 3);
                let mut bufs = [IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)];
                finish(writer.write_all_vectored(&mut bufs))
            } else {
                finish(writer.write_all(&piece))
            };
        }
        finish(writer.close()).unwrap();
        let written = writer.into_inner().data;
        assert_eq!(seen, written);
    }
}

#[test]
fn a_byte_that_was_only_looked_at_is_not_seen() {
    let mut seen = Vec::new();
    let mut reader = (&b"tick\ntock"[..]).inspect(|bytes| seen.push(bytes.to_vec()));
    assert_eq!(finish(reader.fill_buf()).unwrap(), b"tick\ntock");
    let mut line = String::new();
    finish(reader.read_line(&mut line)).unwrap();
    assert_eq!(finish(reader.fill_buf()).unwrap(), b"tock");
    assert_eq!(*reader.get_ref(), b"tock");
    Pin::new(reader.get_mut()).consume(1);
    assert_eq!(reader.into_inner(), b"ock");
    assert_eq!(seen, [b"tick\n"]);
}

#[test]
fn an_error_shows_nothing_and_a_lie_is_told() {
    let steps = [Step::Fail(libc::ECONNRESET), Step::Lie];
    let mut reader = Slow::reader(b"tick", steps).inspect(|_: &[u8]| panic!("nothing was read"));
    let error = finish(reader.read(&mut [0; 2])).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    let error = finish(reader.read(&mut [0; 2])).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let writer = Slow::writer(steps);
    let mut writer = writer.inspect_writes(|_: &[u8]| panic!("nothing was written"));
    let error = finish(writer.write(b"tick")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    let error = finish(writer.write(b"tick")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
#[should_panic(expected = "5 bytes are consumed of a reader that does not show as many")]
fn more_than_is_shown_cannot_be_consumed() {
    let mut reader = (&b"tick"[..]).inspect(|_| panic!("nothing was read"));
    Pin::new(&mut reader).consume(5);
}

fn both_ways_of_a_socket_are_seen_as_they_pass(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        small_buffers(&far, 16 << 10);
        let question = pattern(200 << 10);
        let (mut read, mut written) = (Vec::new(), Vec::new());
        let near = near.inspect(|bytes: &[u8]| read.extend_from_slice(bytes));
        let mut near = near.inspect_writes(|bytes: &[u8]| written.extend_from_slice(bytes));
        let ask = async {
            near.write_all(&question).await.unwrap();
            near.close().await.unwrap();
            let mut answer = Vec::new();
            near.read_to_end(&mut answer).await.unwrap();
            drop(near);
            answer
        };
        let reply = async {
            let mut far = far;
            let mut all = Vec::new();
            AsyncReadExt::read_to_end(&mut far, &mut all).await.unwrap();
            all.reverse();
            AsyncWriteExt::write_all(&mut far, &all).await.unwrap();
        };
        let (answer, ()) = both(ask, reply).await;
        let mut reversed = question.clone();
        reversed.reverse();
        assert!(answer == reversed && read == answer && written == question);
    });
}
