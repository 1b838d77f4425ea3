//! Descriptors that are passed along: they arrive once, with their bytes, closed on exec, and none leaks.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use mainspring::net::{UnixDatagram, UnixSeqpacket, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::spawn;
use mainspring::time::timeout;

use crate::NEVER;
use crate::rig::{On, both, open_fds, pattern, small_buffers, soak, turns};

on_both! {
    p50_a_descriptor_arrives_with_its_bytes_and_is_closed_on_exec,
    p50_hz_d14_ten_descriptors_into_room_for_two_leak_nothing,
    hz_d14_a_plain_read_closes_what_came_along,
    hz_d14_a_thousand_passes_leave_the_descriptors_as_they_were,
    hz_d14_without_numbers_left_the_rest_is_told_and_closed,
    p50_hz_d08_descriptors_go_once_whatever_is_taken_of_the_bytes,
    hz_d08_short_counts_pass_descriptors_once,
    a_read_ends_where_descriptors_were_sent,
    what_comes_behind_descriptors_is_read_by_who_waits,
    too_many_descriptors_or_no_byte_for_them_is_refused,
    an_empty_datagram_carries_descriptors,
    too_many_under_way_is_told,
}

fn null() -> File {
    File::open("/dev/null").unwrap()
}

fn assert_closed_on_exec(fds: &[OwnedFd]) {
    for fd in fds {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

/// Writes into the one that was passed; it is the same pipe.
fn is_the_pipe(passed: OwnedFd, mut reader: &File) {
    File::from(passed).write_all(b"through").unwrap();
    let mut buf = [0; 7];
    reader.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"through");
}

fn p50_a_descriptor_arrives_with_its_bytes_and_is_closed_on_exec(on: On) {
    on.run(async {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (reader, mut buf) = (File::from(reader), [0; 16]);
        let fds = [writer.as_fd(), writer.as_fd()];
        macro_rules! passes {
            ($pair:expr) => {
                let (near, far) = $pair;
                assert_eq!(far.send_with_fds(b"two", &fds).await.unwrap(), 3);
                let with = near.recv_with_fds(&mut buf, 8).await.unwrap();
                assert_eq!(&buf[..with.len], b"two");
                assert!(!with.is_truncated() && !with.are_fds_truncated);
                assert_eq!((with.fds.len(), with.credentials), (2, None));
                assert_closed_on_exec(&with.fds);
                for fd in with.fds {
                    is_the_pipe(fd, &reader);
                }
                assert_eq!(near.try_send_with_fds(b"back", &fds[..1]).unwrap(), 4);
                let mut with = far.try_recv_with_fds(&mut buf, 1).unwrap();
                assert_eq!((with.len, with.fds.len()), (4, 1));
                is_the_pipe(with.fds.pop().unwrap(), &reader);
                assert_eq!(near.send_with_fds(b"none", &[]).await.unwrap(), 4);
                let with = far.recv_with_fds(&mut buf, 1).await.unwrap();
                assert_eq!((with.len, with.fds.len()), (4, 0));
                let error = far.try_recv_with_fds(&mut buf, 1).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            };
        }
        passes!(UnixStream::pair().unwrap());
        passes!(UnixDatagram::pair().unwrap());
        if let Ok(pair) = UnixSeqpacket::pair() {
            passes!(pair);
        }
    });
}

fn p50_hz_d14_ten_descriptors_into_room_for_two_leak_nothing(on: On) {
    on.alone(|| {
        on.run(async {
            let null = null();
            let (near, far) = UnixStream::pair().unwrap();
            near.try_read(&mut [0; 4]).unwrap_err();
            let before = open_fds();
            let mut buf = [0; 16];
            for count in [3, 10, 40, 253] {
                for room in [0, 1, 2] {
                    let fds = vec![null.as_fd(); count];
                    far.send_with_fds(b"ten", &fds).await.unwrap();
                    far.write_all(b"rest").await.unwrap();
                    let with = near.recv_with_fds(&mut buf, room).await.unwrap();
                    assert_eq!((with.len, with.fds.len()), (3, room), "{count} into {room}");
                    assert!(with.are_fds_truncated);
                    assert_closed_on_exec(&with.fds);
                    assert_eq!(open_fds().len(), before.len() + room);
                    drop(with);
                    assert_eq!(open_fds(), before);
                    // What comes next has nothing of it.
                    let with = near.recv_with_fds(&mut buf, 8).await.unwrap();
                    assert_eq!((with.len, with.fds.len()), (4, 0));
                    assert!(!with.are_fds_truncated);
                }
            }
            let fds = vec![null.as_fd(); 253];
            far.send_with_fds(b"all", &fds).await.unwrap();
            let with = near.recv_with_fds(&mut buf, usize::MAX).await.unwrap();
            assert_eq!((with.fds.len(), with.are_fds_truncated), (253, false));
        });
    });
}

fn hz_d14_a_plain_read_closes_what_came_along(on: On) {
    on.alone(|| {
        on.run(async {
            let null = null();
            let fds = [null.as_fd(); 5];
            let (near, far) = UnixStream::pair().unwrap();
            let (left, right) = UnixDatagram::pair().unwrap();
            let before = open_fds();
            far.send_with_fds(b"x", &fds).await.unwrap();
            assert_eq!(near.peek(&mut [0; 4]).await.unwrap(), 1);
            assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 1);
            right.send_with_fds(b"x", &fds).await.unwrap();
            assert_eq!(left.peek(&mut [0; 4]).await.unwrap().len, 1);
            assert_eq!(left.recv(&mut [0; 4]).await.unwrap().len, 1);
            assert_eq!(open_fds(), before);
            // Nobody reads them at all: they go with the socket. The pipe's end tells.
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            far.send_with_fds(b"x", &[writer.as_fd()]).await.unwrap();
            drop((near, far, writer));
            assert_eq!(File::from(reader).read(&mut [0; 4]).unwrap(), 0);
        });
    });
}

fn hz_d14_a_thousand_passes_leave_the_descriptors_as_they_were(on: On) {
    on.alone(|| {
        on.run(async {
            let null = null();
            let (near, far) = UnixStream::pair().unwrap();
            let (near, far) = (Rc::new(near), Rc::new(far));
            let mut buf = [0; 8];
            // Both are registered before the count.
            let begin = async {
                turns(2).await;
                far.write_all(b"x").await.unwrap();
            };
            both(async { near.read(&mut [0; 1]).await.unwrap() }, begin).await;
            let before = open_fds();
            for pass in 0..soak(1000, 100_000) {
                let fds: [BorrowedFd<'_>; 3] = [null.as_fd(); 3];
                match pass % 4 {
                    // Whoever waits is dropped, and takes nothing along.
                    0 => {
                        let waiter = spawn({
                            let near = Rc::clone(&near);
                            async move { near.recv_with_fds(&mut [0; 8], 3).await.map(drop) }
                        });
                        mainspring::yield_now().await;
                        waiter.abort();
                        far.send_with_fds(b"x", &fds).await.unwrap();
                        let _ = waiter.await;
                    }
                    1 => {
                        let fault = Fault::Errno(libc::ECONNRESET);
                        let guard = Plan::new()
                            .at(Call::SendMsg, 1, fault)
                            .at(Call::RecvMsg, 1, fault)
                            .install();
                        far.send_with_fds(b"x", &fds).await.unwrap_err();
                        near.recv_with_fds(&mut buf, 3).await.unwrap_err();
                        drop(guard);
                        far.send_with_fds(b"x", &fds).await.unwrap();
                    }
                    _ => drop(far.send_with_fds(b"x", &fds).await.unwrap()),
                }
                let room = pass % 5;
                let with = near.recv_with_fds(&mut buf, room).await.unwrap();
                assert_eq!((with.len, with.fds.len()), (1, room.min(3)), "pass {pass}");
                assert_eq!(with.are_fds_truncated, room < 3);
            }
            assert_eq!(open_fds(), before);
        });
    });
}

/// EMFILE in the middle of a receive is no error: what could be opened comes, and the rest is told.
fn hz_d14_without_numbers_left_the_rest_is_told_and_closed(on: On) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    on.alone(|| {
        on.run(async {
            let null = null();
            let (near, far) = UnixStream::pair().unwrap();
            let limits = getrlimit(Resource::Nofile);
            far.send_with_fds(b"x", &[null.as_fd(); 5]).await.unwrap();
            let before = open_fds();
            // Two numbers are free below the third free one.
            let third = (0..).filter(|fd| !before.contains(fd)).nth(2).unwrap();
            let few = Rlimit {
                current: Some(u64::try_from(third).unwrap()),
                ..limits
            };
            setrlimit(Resource::Nofile, few).unwrap();
            let came = near.recv_with_fds(&mut [0; 4], 8).await;
            setrlimit(Resource::Nofile, limits).unwrap();
            // Others refuse the whole message; then nothing is lost either.
            if cfg!(target_os = "linux") {
                let with = came.unwrap();
                assert_eq!((with.len, with.fds.len()), (1, 2));
                assert!(with.are_fds_truncated);
            }
            assert_eq!(open_fds(), before);
        });
    });
}

fn p50_hz_d08_descriptors_go_once_whatever_is_taken_of_the_bytes(on: On) {
    const MUCH: usize = 1 << 20;
    on.sim(async {
        let (near, far) = UnixStream::pair().unwrap();
        small_buffers(&near, 1 << 12);
        small_buffers(&far, 1 << 12);
        let sender = spawn(async move {
            let (null, bytes) = (null(), pattern(MUCH));
            let count = far.send_with_fds(&bytes, &[null.as_fd()]).await.unwrap();
            assert!(0 < count && count < MUCH, "{count} bytes were taken");
            far.write_all(&bytes[count..]).await.unwrap();
        });
        turns(2).await;
        let (mut got, mut fds, mut buf) = (Vec::new(), 0, [0; 999]);
        loop {
            let with = near.recv_with_fds(&mut buf, 8).await.unwrap();
            if with.len == 0 {
                break;
            }
            assert!(with.fds.is_empty() || got.is_empty(), "with the first byte");
            fds += with.fds.len();
            got.extend_from_slice(&buf[..with.len]);
        }
        assert_eq!(fds, 1);
        assert!(got == pattern(MUCH));
        sender.await.unwrap();
    });
}

fn hz_d08_short_counts_pass_descriptors_once(on: On) {
    on.run(async {
        let null = null();
        for short in [0, 1, 2, 3] {
            let (near, far) = UnixStream::pair().unwrap();
            let _guard = Plan::new()
                .from(Call::SendMsg, 1, 9, Fault::Short(short))
                .from(Call::RecvMsg, 1, 9, Fault::Short(2))
                .install();
            let count = far
                .send_with_fds(b"tick", &[null.as_fd(); 2])
                .await
                .unwrap();
            assert_eq!(count, short.max(1), "a byte goes in any case");
            far.write_all(&b"tick"[count..]).await.unwrap();
            drop(far);
            let (mut got, mut fds, mut buf) = (Vec::new(), 0, [0; 8]);
            loop {
                let with = near.recv_with_fds(&mut buf, 2).await.unwrap();
                if with.len == 0 {
                    break;
                }
                fds += with.fds.len();
                got.extend_from_slice(&buf[..with.len]);
            }
            assert_eq!((&got[..], fds), (&b"tick"[..], 2));
        }
    });
}

fn a_read_ends_where_descriptors_were_sent(on: On) {
    on.run(async {
        let null = null();
        let (near, far) = UnixStream::pair().unwrap();
        for (bytes, count) in [(&b"one"[..], 1), (b"twotwo", 2), (b"3", 3)] {
            let fds = vec![null.as_fd(); count];
            far.send_with_fds(bytes, &fds).await.unwrap();
        }
        far.write_all(b"end").await.unwrap();
        let mut buf = [0; 64];
        for (len, count) in [(3, 1), (6, 2)] {
            let with = near.recv_with_fds(&mut buf, 8).await.unwrap();
            assert_eq!((with.len, with.fds.len()), (len, count));
        }
        let with = near.recv_with_fds(&mut buf, 8).await.unwrap();
        assert_eq!(with.fds.len(), 3);
        // Nothing is asked for, so nothing is taken.
        far.send_with_fds(b"x", &[null.as_fd()]).await.unwrap();
        let with = near.recv_with_fds(&mut [], 8).await.unwrap();
        assert_eq!((with.len, with.fds.len()), (0, 0));
    });
}

/// A short read is no proof that nothing is there: it stops behind the bytes that brought a descriptor.
fn what_comes_behind_descriptors_is_read_by_who_waits(on: On) {
    on.sim(async {
        let (near, far) = UnixStream::pair().unwrap();
        let reader = spawn(async move {
            let (mut got, mut buf) = (Vec::new(), [0; 64]);
            while got.len() < 40 {
                let read = timeout(NEVER, near.read(&mut buf)).await;
                let count = read.expect("what is there is read").unwrap();
                got.extend_from_slice(&buf[..count]);
            }
            got
        });
        let null = null();
        for _ in 0..10 {
            turns(2).await;
            far.send_with_fds(b"a", &[null.as_fd()]).await.unwrap();
            far.write_all(b"b").await.unwrap();
            far.send_with_fds(b"c", &[null.as_fd()]).await.unwrap();
            far.send_with_fds(b"d", &[null.as_fd()]).await.unwrap();
        }
        assert_eq!(reader.await.unwrap(), b"abcd".repeat(10));
    });
}

fn too_many_descriptors_or_no_byte_for_them_is_refused(on: On) {
    on.run(async {
        let null = null();
        let many = vec![null.as_fd(); 254];
        let (near, far) = UnixStream::pair().unwrap();
        let (left, right) = UnixDatagram::pair().unwrap();
        for error in [
            far.send_with_fds(b"x", &many).await.unwrap_err(),
            far.try_send_with_fds(b"x", &many).unwrap_err(),
            right.send_with_fds(b"x", &many).await.unwrap_err(),
            right.try_send_with_fds(b"x", &many).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let said = "253 descriptors at most, not 254";
            assert!(error.to_string().contains(said), "{error}");
        }
        for error in [
            far.send_with_fds(b"", &many[..1]).await.unwrap_err(),
            far.try_send_with_fds(b"", &many[..1]).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("send at least one"), "{error}");
        }
        assert_eq!(far.send_with_fds(b"", &[]).await.unwrap(), 0);
        let error = near.try_read(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "nothing was sent");
        let error = left.try_recv(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "nothing was sent");
    });
}

fn an_empty_datagram_carries_descriptors(on: On) {
    on.run(async {
        let null = null();
        let (near, far) = UnixDatagram::pair().unwrap();
        assert_eq!(far.send_with_fds(b"", &[null.as_fd()]).await.unwrap(), 0);
        let with = near.recv_with_fds(&mut [], 1).await.unwrap();
        assert_eq!(
            (with.len, with.is_truncated(), with.fds.len()),
            (0, false, 1)
        );
    });
}

fn too_many_under_way_is_told(on: On) {
    on.run(async {
        let null = null();
        let (near, far) = UnixStream::pair().unwrap();
        let guard = Plan::new()
            .at(Call::SendMsg, 1, Fault::Errno(libc::ETOOMANYREFS))
            .install();
        let error = far.send_with_fds(b"x", &[null.as_fd()]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ETOOMANYREFS));
        drop(guard);
        far.send_with_fds(b"x", &[null.as_fd()]).await.unwrap();
        let with = near.recv_with_fds(&mut [0; 4], 1).await.unwrap();
        assert_eq!((with.len, with.fds.len()), (1, 1));
    });
}
