//! Connected sockets, dropped at each of their waits.

use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;

use mainspring::net::{TcpStream, UnixStream};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::wire::{self, Far, Near};

everywhere! {
    a_tcp_read_takes_no_bytes_that_it_does_not_return,
    a_unix_read_takes_no_bytes_that_it_does_not_return,
    a_read_that_spends_the_budget_takes_no_bytes,
    a_tcp_write_gives_no_bytes_that_it_does_not_count,
    a_unix_write_gives_no_bytes_that_it_does_not_count,
    a_tcp_write_all_leaves_a_beginning_and_a_stream_that_works,
    a_unix_write_all_leaves_a_beginning_and_a_stream_that_works,
    a_tcp_read_into_several_buffers_takes_no_bytes_that_it_does_not_return,
    a_unix_read_into_several_buffers_takes_no_bytes_that_it_does_not_return,
    a_peek_takes_no_bytes,
    what_is_readable_stays_so,
    a_tcp_write_of_several_buffers_gives_no_bytes_that_it_does_not_count,
    a_unix_write_of_several_buffers_gives_no_bytes_that_it_does_not_count,
    what_is_writable_of_tcp_stays_so,
    what_is_writable_of_unix_stays_so,
}

/// The two streams have the same functions, without a trait that says so.
macro_rules! stream_operations {
    ($module:ident, $Stream:ty, $much:expr) => {
        mod $module {
            use super::*;

            /// How much is written.
            pub(super) const MUCH: usize = $much;

            /// Reads until `total` bytes are here, `step` at most at a time.
            pub(super) async fn read(near: &mut Near<$Stream>, total: usize, step: usize) {
                while near.got.len() < total {
                    let mut buf = vec![0; step];
                    let count = near.stream.read(&mut buf).await.unwrap();
                    near.got.extend_from_slice(&buf[..count]);
                }
            }

            /// Writes what is left of [`MUCH`].
            pub(super) async fn write(near: &mut Near<$Stream>) {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    near.sent += near.stream.write(&bytes[near.sent..]).await.unwrap();
                }
            }

            /// The same with two buffers at once.
            pub(super) async fn read_vectored(near: &mut Near<$Stream>, total: usize) {
                while near.got.len() < total {
                    let (mut one, mut other) = ([0; 1], [0; 4]);
                    let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
                    let count = near.stream.read_vectored(&mut bufs).await.unwrap();
                    near.got.push(one[0]);
                    near.got.extend_from_slice(&other[..count - 1]);
                }
            }

            /// The same with a look at each byte before it is read.
            pub(super) async fn peek(near: &mut Near<$Stream>, total: usize) {
                while near.got.len() < total {
                    let mut byte = [0];
                    assert_eq!(near.stream.peek(&mut byte).await.unwrap(), 1);
                    let mut again = [0];
                    assert_eq!(near.stream.try_read(&mut again).unwrap(), 1);
                    assert_eq!(byte, again);
                    near.got.push(byte[0]);
                }
            }

            /// The same with a wait before, and without one in the read.
            pub(super) async fn readable(near: &mut Near<$Stream>, total: usize) {
                while near.got.len() < total {
                    near.stream.readable().await.unwrap();
                    let mut buf = [0; 5];
                    if let Ok(count) = near.stream.try_read(&mut buf) {
                        near.got.extend_from_slice(&buf[..count]);
                    }
                }
            }

            /// Writes what is left of [`MUCH`] from two buffers at once.
            pub(super) async fn write_vectored(near: &mut Near<$Stream>) {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    let (one, other) = bytes[near.sent..].split_at(1);
                    let bufs = [IoSlice::new(one), IoSlice::new(other)];
                    near.sent += near.stream.write_vectored(&bufs).await.unwrap();
                }
            }

            /// Writes what is left of [`MUCH`] with a wait before, and without one in the write.
            pub(super) async fn writable(near: &mut Near<$Stream>) {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    near.stream.writable().await.unwrap();
                    near.sent += near.stream.try_write(&bytes[near.sent..]).unwrap_or(0);
                }
            }

            /// All of [`MUCH`] arrived.
            pub(super) async fn all_came(_: &mut Near<$Stream>, far: &mut Far) {
                far.receive_all(MUCH);
                assert!(far.got == pattern(MUCH));
            }

            pub(super) async fn write_all(near: &mut Near<$Stream>) {
                near.stream.write_all(&pattern(MUCH)).await.unwrap();
                near.is_done = true;
            }

            /// What arrived is a beginning of what was to be written, all of it if that was done, and
            /// the stream works on.
            pub(super) async fn left_a_beginning(near: &mut Near<$Stream>, far: &mut Far) {
                far.make_room();
                assert_eq!(near.stream.write(&[255]).await.unwrap(), 1);
                near.stream.shutdown(Shutdown::Write).unwrap();
                far.receive_all(usize::MAX);
                assert_eq!(far.got.pop(), Some(255));
                assert!(pattern(MUCH).starts_with(&far.got));
                assert!(!near.is_done || far.got.len() == MUCH);
                assert!(!far.got.is_empty());
            }
        }
    };
}

stream_operations!(tcp, TcpStream, wire::MUCH_FOR_TCP);
stream_operations!(unix, UnixStream, wire::MUCH_FOR_UNIX);

// cancels: TcpStream::read
fn a_tcp_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::tcp).world(|far| far.send(3)).safe(
        async |near| tcp::read(near, 12, 5).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixStream::read
fn a_unix_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::unix).world(|far| far.send(3)).safe(
        async |near| unix::read(near, 12, 5).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: TcpStream::read, UnixStream::read
fn a_read_that_spends_the_budget_takes_no_bytes(on: On) {
    let setup = || {
        let ((tcp, mut tcp_far), (unix, mut unix_far)) = (wire::tcp(), wire::unix());
        tcp_far.send(300);
        unix_far.send(300);
        ((tcp, unix), (tcp_far, unix_far))
    };
    let waits = Case::new(on, setup).safe(
        async |(tcp, unix)| {
            tcp::read(tcp, 300, 1).await;
            unix::read(unix, 300, 1).await;
        },
        async |(tcp, unix), _| assert!(tcp.got == pattern(300) && unix.got == pattern(300)),
    );
    assert_eq!(waits, 600 / 128);
}

// cancels: TcpStream::write
fn a_tcp_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits =
        Case::new(on, wire::narrow_tcp)
            .world(Far::make_room)
            .safe(tcp::write, async |_, far| {
                far.receive_all(tcp::MUCH);
                assert!(far.got == pattern(tcp::MUCH));
            });
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::write
fn a_unix_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits =
        Case::new(on, wire::narrow_unix)
            .world(Far::make_room)
            .safe(unix::write, async |_, far| {
                far.receive_all(unix::MUCH);
                assert!(far.got == pattern(unix::MUCH));
            });
    assert!(waits >= 2, "{waits}");
}

// cancels: TcpStream::write_all
fn a_tcp_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_tcp)
        .world(Far::make_room)
        .not_safe(tcp::write_all, tcp::left_a_beginning);
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::write_all
fn a_unix_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .world(Far::make_room)
        .not_safe(unix::write_all, unix::left_a_beginning);
    assert!(waits >= 2, "{waits}");
}

// cancels: TcpStream::read_vectored
fn a_tcp_read_into_several_buffers_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::tcp).world(|far| far.send(3)).safe(
        async |near| tcp::read_vectored(near, 12).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixStream::read_vectored
fn a_unix_read_into_several_buffers_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::unix).world(|far| far.send(3)).safe(
        async |near| unix::read_vectored(near, 12).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

/// A connection of each kind.
fn tcp_and_unix() -> ((Near<TcpStream>, Near<UnixStream>), (Far, Far)) {
    let ((tcp, tcp_far), (unix, unix_far)) = (wire::tcp(), wire::unix());
    ((tcp, unix), (tcp_far, unix_far))
}

// cancels: TcpStream::peek, UnixStream::peek
fn a_peek_takes_no_bytes(on: On) {
    let waits = Case::new(on, tcp_and_unix)
        .world(|(tcp, unix)| {
            tcp.send(3);
            unix.send(3);
        })
        .safe(
            async |(tcp, unix)| {
                tcp::peek(tcp, 6).await;
                unix::peek(unix, 9).await;
            },
            async |(tcp, unix), _| assert!(tcp.got == pattern(6) && unix.got == pattern(9)),
        );
    assert_eq!(waits, 3);
}

// cancels: TcpStream::readable, UnixStream::readable
fn what_is_readable_stays_so(on: On) {
    let waits = Case::new(on, tcp_and_unix)
        .world(|(tcp, unix)| {
            tcp.send(3);
            unix.send(3);
        })
        .safe(
            async |(tcp, unix)| {
                tcp::readable(tcp, 6).await;
                unix::readable(unix, 9).await;
            },
            async |(tcp, unix), _| assert!(tcp.got == pattern(6) && unix.got == pattern(9)),
        );
    assert!(waits >= 3, "{waits}");
}

// cancels: TcpStream::write_vectored
fn a_tcp_write_of_several_buffers_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits = Case::new(on, wire::narrow_tcp)
        .world(Far::make_room)
        .safe(tcp::write_vectored, tcp::all_came);
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::write_vectored
fn a_unix_write_of_several_buffers_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .world(Far::make_room)
        .safe(unix::write_vectored, unix::all_came);
    assert!(waits >= 2, "{waits}");
}

// cancels: TcpStream::writable
fn what_is_writable_of_tcp_stays_so(on: On) {
    let waits = Case::new(on, wire::narrow_tcp)
        .world(Far::make_room)
        .safe(tcp::writable, tcp::all_came);
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::writable
fn what_is_writable_of_unix_stays_so(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .world(Far::make_room)
        .safe(unix::writable, unix::all_came);
    assert!(waits >= 2, "{waits}");
}
