//! Sockets, at the level of their users: what connects, accepts, reads, writes and ends, on both backends.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "net/bytes.rs"]
mod bytes;
#[path = "net/ends.rs"]
mod ends;
#[path = "net/flood.rs"]
mod flood;
#[path = "net/halves.rs"]
mod halves;
#[path = "net/options.rs"]
mod options;
#[path = "net/pool.rs"]
mod pool;
#[path = "net/protocol.rs"]
mod protocol;
#[path = "net/relay.rs"]
mod relay;
#[path = "net/send_file.rs"]
mod send_file;
#[path = "net/server.rs"]
mod server;
#[path = "net/shortage.rs"]
mod shortage;
#[path = "net/splice.rs"]
mod splice;
#[path = "net/udp.rs"]
mod udp;
#[path = "net/unix.rs"]
mod unix;
#[path = "net/volume.rs"]
mod volume;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use mainspring::io::AsyncFd;
use mainspring::net::{TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::{now, sleep, timeout};
use rig::{
    On, both, listener, open_fds, pattern, read_to_end, reset_on_close, small_buffers,
    std_tcp_pair, tcp_pair, turns,
};

on_both! {
    a_connection_is_made_and_carries_bytes_both_ways,
    hz_d03_a_refused_connect_says_so_once,
    a_hundred_connections_are_accepted,
    a_peer_that_closes_is_an_end_of_file_again_and_again,
    hz_c16_after_the_peer_s_half_close_a_mebibyte_still_goes_back,
    hz_d08_four_mebibytes_pass_through_small_buffers_to_a_slow_reader,
    hz_c03_a_burst_is_read_whole_with_any_buffer_by_a_task,
    hz_d09_an_empty_buffer_neither_waits_nor_ends,
    shutting_down_our_own_side_ends_our_reader,
    nodelay_is_what_was_set,
    hz_c23_a_socket_given_back_works_in_a_fresh_runtime,
    hz_d18_two_readers_of_one_socket_both_finish,
    hz_d17_a_reset_ends_reader_and_writer,
    hz_d01_accept_outlasts_emfile_without_a_spin,
    hz_d01_accept_goes_on_when_a_real_limit_is_lifted,
    hz_d02_an_accept_error_is_told_and_the_listener_works_on,
    hz_d04_what_is_dropped_while_it_waits_leaks_no_descriptor,
    a_unix_pair_carries_bytes_and_ends,
    any_descriptor_can_be_awaited,
    try_io_asks_only_after_a_report,
}

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);
const MIB: usize = 1 << 20;

fn a_connection_is_made_and_carries_bytes_both_ways(on: On) {
    on.run(async {
        let (client, server) = tcp_pair().await;
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
        for (from, to) in [(&client, &server), (&server, &client)] {
            from.write_all(b"hello").await.unwrap();
            let mut buf = [0; 16];
            assert_eq!(to.read(&mut buf).await.unwrap(), 5);
            assert_eq!(&buf[..5], b"hello");
        }
    });
}

fn hz_d03_a_refused_connect_says_so_once(on: On) {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    on.run(async {
        let error = TcpStream::connect(free).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(error.raw_os_error().is_some(), "the kernel's errno is kept");
    });
}

fn a_hundred_connections_are_accepted(on: On) {
    on.run(async {
        let listener = listener();
        let addr = listener.local_addr().unwrap();
        let server = async {
            for _ in 0..100 {
                let (stream, _) = listener.accept().await.unwrap();
                let _detached = mainspring::spawn(async move {
                    let mut buf = [0; 8];
                    let count = stream.read(&mut buf).await.unwrap();
                    stream.write_all(&buf[..count]).await.unwrap();
                });
            }
        };
        let clients = async {
            let spawned = (0..100u32).map(|number| {
                mainspring::spawn(async move {
                    let stream = TcpStream::connect(addr).await.unwrap();
                    stream.write_all(&number.to_ne_bytes()).await.unwrap();
                    let echo = read_to_end(&stream, 3).await;
                    assert_eq!(echo, number.to_ne_bytes());
                })
            });
            for client in spawned.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        };
        both(server, clients).await;
    });
}

fn a_peer_that_closes_is_an_end_of_file_again_and_again(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let reader = async {
            let mut buf = [0; 8];
            for _ in 0..3 {
                assert_eq!(near.read(&mut buf).await.unwrap(), 0);
            }
        };
        let closer = async {
            turns(2).await;
            drop(far);
        };
        both(reader, closer).await;
    });
}

fn hz_c16_after_the_peer_s_half_close_a_mebibyte_still_goes_back(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let answer = pattern(MIB);
        let near_end = async {
            assert_eq!(
                near.read(&mut [0; 8]).await.unwrap(),
                0,
                "the peer has half-closed"
            );
            near.write_all(&answer).await.unwrap();
            near.shutdown(Shutdown::Write).unwrap();
        };
        let far_end = async {
            turns(2).await;
            far.shutdown(Shutdown::Write).unwrap();
            read_to_end(&far, 4096).await
        };
        let (_, got) = both(near_end, far_end).await;
        assert!(got == answer, "{} bytes arrived", got.len());
    });
}

fn hz_d08_four_mebibytes_pass_through_small_buffers_to_a_slow_reader(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        small_buffers(&far, 16 << 10);
        let sent = pattern(4 * MIB);
        let writer = async {
            near.write_all(&sent).await.unwrap();
            drop(near);
        };
        let reader = async {
            let (mut all, mut buf) = (Vec::new(), vec![0; 32 << 10]);
            loop {
                mainspring::yield_to_io().await;
                match far.read(&mut buf).await.unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
        };
        let (_, got) = both(writer, reader).await;
        assert!(got == sent, "{} bytes arrived", got.len());
    });
}

fn hz_c03_a_burst_is_read_whole_with_any_buffer_by_a_task(on: On) {
    // One byte at a time is a system call per byte: a shorter burst shows the same.
    for (len, step) in [(32 << 10, 1), (MIB, 4096), (MIB, MIB)] {
        on.run(async {
            let (near, mut far) = std_tcp_pair();
            let sent = pattern(len);
            let burst = sent.clone();
            let writer = std::thread::spawn(move || far.write_all(&burst).unwrap());
            let got = read_to_end(&near, step).await;
            writer.join().unwrap();
            assert!(got == sent, "{} bytes arrived by {step}", got.len());
        });
    }
}

fn hz_d09_an_empty_buffer_neither_waits_nor_ends(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        assert_eq!(near.read(&mut []).await.unwrap(), 0);
        assert_eq!(near.write(&[]).await.unwrap(), 0);
        near.write_all(&[]).await.unwrap();
        assert!(
            timeout(Duration::from_secs(1), far.read(&mut [0; 4]))
                .await
                .is_err()
        );
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read(&mut []).await.unwrap(), 0);
        assert_eq!(
            timeout(NEVER, far.read(&mut [0; 4]))
                .await
                .unwrap()
                .unwrap(),
            1
        );
    });
}

fn shutting_down_our_own_side_ends_our_reader(on: On) {
    on.sim(async {
        let (near, _far) = tcp_pair().await;
        let mut buf = [0; 8];
        let closer = async {
            turns(2).await;
            near.shutdown(Shutdown::Both).unwrap();
        };
        let (read, ()) = both(timeout(NEVER, near.read(&mut buf)), closer).await;
        assert_eq!(read.expect("the reader is told").unwrap(), 0);
        let error = near.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    });
}

fn nodelay_is_what_was_set(on: On) {
    on.run(async {
        let (near, _far) = tcp_pair().await;
        assert!(!near.nodelay().unwrap());
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
    });
}

fn hz_c23_a_socket_given_back_works_in_a_fresh_runtime(on: On) {
    let (near, mut far) = std_tcp_pair();
    // Registered with a loop that goes on to live, then with one that is gone.
    let first = on.sim_runtime();
    let taken = first.block_on(async {
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut [0; 8]))
                .await
                .is_err()
        );
        near.into_std()
    });
    let near = TcpStream::from_std(taken.unwrap()).unwrap();
    let again = on.sim(async {
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut [0; 8]))
                .await
                .is_err()
        );
        far.write_all(b"one").unwrap();
        assert_eq!(
            timeout(NEVER, near.read(&mut [0; 8]))
                .await
                .unwrap()
                .unwrap(),
            3
        );
        near
    });
    let gone = on.run(async { again.read(&mut [0; 8]).await }).unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::NotConnected, "{gone}");
    let near = TcpStream::from_std(again.into_std()).unwrap();
    on.run(async {
        let writer = async {
            turns(2).await;
            far.write_all(b"three").unwrap();
        };
        let mut buf = [0; 8];
        assert_eq!(both(near.read(&mut buf), writer).await.0.unwrap(), 5);
    });
    let mut near = near.into_std();
    near.set_nonblocking(false).unwrap();
    far.write_all(b"four").unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 4);
}

fn hz_d18_two_readers_of_one_socket_both_finish(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        let near = Rc::new(near);
        let readers = [Rc::clone(&near), near].map(|stream| {
            mainspring::spawn(async move {
                let mut buf = [0; 1];
                stream.read(&mut buf).await.unwrap()
            })
        });
        turns(2).await;
        // One takes the first byte, the other waits again.
        far.write_all(b"1").await.unwrap();
        turns(4).await;
        assert_eq!(
            readers.iter().filter(|reader| reader.is_finished()).count(),
            1
        );
        far.write_all(b"2").await.unwrap();
        for reader in readers {
            assert_eq!(
                timeout(NEVER, reader)
                    .await
                    .expect("no reader hangs")
                    .unwrap(),
                1
            );
        }
    });
}

fn hz_d17_a_reset_ends_reader_and_writer(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        reset_on_close(&far);
        let big = pattern(4 * MIB);
        let mut buf = [0; 8];
        let ends = both(near.read(&mut buf), near.write_all(&big));
        let closer = async {
            turns(4).await;
            drop(far);
        };
        let ((read, written), ()) = both(ends, closer).await;
        // The kernel tells the cause once; who comes second learns the consequence.
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        assert!(matches!(read, Ok(0)) || read.unwrap_err().kind() == ConnectionReset);
        assert!(matches!(
            written.unwrap_err().kind(),
            BrokenPipe | ConnectionReset
        ));
    });
}

fn hz_d01_accept_outlasts_emfile_without_a_spin(on: On) {
    const FAILURES: u64 = 7;
    on.sim(async {
        let listener = listener();
        let addr = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(addr).unwrap();
        let plan = Plan::new().from(Call::Accept, 1, FAILURES, Fault::Errno(libc::EMFILE));
        let _guard = plan.install();
        let start = now();
        let (_server, _) = listener.accept().await.unwrap();
        let took = now() - start;
        assert!(
            took >= Duration::from_millis(100) * FAILURES as u32,
            "{took:?}"
        );
        assert!(
            took <= Duration::from_millis(110) * FAILURES as u32,
            "{took:?}"
        );
        assert_eq!(count_of(Call::Accept), FAILURES + 1);
        assert!(
            count_of(Call::Wait) <= 4 * FAILURES,
            "{}",
            count_of(Call::Wait)
        );
        assert_eq!(listener.exhausted_count(), FAILURES);
        // And after a real wait, when the report comes before the failure.
        let accept = mainspring::spawn(async move { listener.accept().await.map(drop) });
        turns(2).await;
        let plan = Plan::new().from(Call::Accept, 1, FAILURES, Fault::Errno(libc::ENFILE));
        let _guard = plan.install();
        let _client = std::net::TcpStream::connect(addr).unwrap();
        timeout(NEVER, accept)
            .await
            .expect("the connection is taken")
            .unwrap()
            .unwrap();
    });
}

fn hz_d01_accept_goes_on_when_a_real_limit_is_lifted(on: On) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    on.alone(|| {
        on.sim(async {
            let listener = listener();
            let addr: SocketAddr = listener.local_addr().unwrap();
            let mut client = std::net::TcpStream::connect(addr).unwrap();
            let before = getrlimit(Resource::Nofile);
            // The next descriptor would have the lowest number that is free.
            let probe = std::fs::File::open("/dev/null").unwrap();
            let lowest = std::os::fd::AsRawFd::as_raw_fd(&probe) as u64;
            drop(probe);
            let mut lowered = before;
            lowered.current = Some(lowest);
            setrlimit(Resource::Nofile, lowered).unwrap();
            let _guard = Plan::new().install();
            let lift = async {
                sleep(Duration::from_millis(1050)).await;
                setrlimit(Resource::Nofile, before).unwrap();
            };
            let (accepted, ()) = both(listener.accept(), lift).await;
            let (server, _) = accepted.unwrap();
            assert_eq!(listener.exhausted_count(), 11);
            assert!(count_of(Call::Wait) < 50, "{}", count_of(Call::Wait));
            server.write_all(b"hello").await.unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
        });
    });
}

fn hz_d02_an_accept_error_is_told_and_the_listener_works_on(on: On) {
    on.run(async {
        let listener = listener();
        let addr = listener.local_addr().unwrap();
        for errno in [
            libc::ENETDOWN,
            libc::EPROTO,
            libc::EHOSTUNREACH,
            libc::EPERM,
        ] {
            let _client = std::net::TcpStream::connect(addr).unwrap();
            let _guard = Plan::new()
                .at(Call::Accept, 1, Fault::Errno(errno))
                .install();
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
            listener.accept().await.unwrap();
        }
        for errno in [libc::EINTR, libc::ECONNABORTED, libc::EAGAIN] {
            let _client = std::net::TcpStream::connect(addr).unwrap();
            let _guard = Plan::new()
                .at(Call::Accept, 1, Fault::Errno(errno))
                .install();
            listener.accept().await.unwrap();
        }
    });
}

fn hz_d04_what_is_dropped_while_it_waits_leaks_no_descriptor(on: On) {
    on.alone(|| {
        // A listener whose queue is full lets nobody in, and answers nobody.
        let full = rustix::net::socket_with(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::empty(),
            None,
        );
        let full = full.unwrap();
        rustix::net::bind(&full, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let full = std::net::TcpListener::from(full);
        let addr = full.local_addr().unwrap();
        let _fills = [(); 2]
            .map(|()| std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(20)).ok());
        on.sim(async {
            let idle = listener();
            let (near, _far) = tcp_pair().await;
            let instant = Duration::from_nanos(1);
            let mut waited = 0;
            let before = open_fds();
            for _ in 0..200 {
                waited += u32::from(timeout(instant, TcpStream::connect(addr)).await.is_err());
                assert!(timeout(instant, idle.accept()).await.is_err());
                assert!(timeout(instant, near.read(&mut [0; 8])).await.is_err());
                let fresh = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
                assert!(timeout(instant, fresh.accept()).await.is_err());
            }
            assert!(waited > 100, "only {waited} connects had to wait");
            assert_eq!(open_fds(), before);
        });
    });
}

fn a_unix_pair_carries_bytes_and_ends(on: On) {
    on.run(async {
        let (left, right) = UnixStream::pair().unwrap();
        let sent = pattern(MIB);
        let writer = async {
            left.write_all(&sent).await.unwrap();
            left.shutdown(Shutdown::Write).unwrap();
        };
        let reader = async {
            let (mut all, mut buf) = (Vec::new(), [0; 4096]);
            loop {
                match right.read(&mut buf).await.unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
        };
        let ((), got) = both(writer, reader).await;
        assert!(got == sent);
        drop(right);
        let error = left.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    });
}

fn any_descriptor_can_be_awaited(on: On) {
    on.sim(async {
        let (reader, writer) = rig::nonblocking_pipe();
        let (reader, writer) = (AsyncFd::new(reader).unwrap(), AsyncFd::new(writer).unwrap());
        let sent = pattern(MIB);
        let write = async {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let write = writer.write_with(|fd| Ok(rustix::io::write(fd, rest)?));
                let count = write.await.unwrap();
                rest = &rest[count..];
            }
            drop(writer);
        };
        let read = async {
            let mut all = Vec::new();
            loop {
                let mut buf = [0; 3000];
                let read = reader.read_with(|fd| Ok(rustix::io::read(fd, &mut buf[..])?));
                match read.await.unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
        };
        let ((), got) = timeout(NEVER, both(write, read)).await.unwrap();
        assert!(got == sent);
    });
}

fn try_io_asks_only_after_a_report(on: On) {
    use mainspring::Interest;
    on.sim(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = AsyncFd::new(near).unwrap();
        let mut calls = 0;
        for _ in 0..3 {
            let result = near.try_io(Interest::READ, |mut inner| {
                calls += 1;
                inner.read(&mut [0; 8])
            });
            assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        }
        assert_eq!(
            calls, 1,
            "what said WouldBlock is not asked again before a report"
        );
        far.write_all(b"!").unwrap();
        timeout(NEVER, near.readable()).await.unwrap().unwrap();
        let read = near.try_io(Interest::READ, |mut inner| inner.read(&mut [0; 8]));
        assert_eq!(read.unwrap(), 1);
    });
}
