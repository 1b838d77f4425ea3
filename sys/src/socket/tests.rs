//! What the socket functions promise, on the machine's own kernel; faults come from the plan.

use std::io::{ErrorKind, IoSlice, IoSliceMut};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};

use super::option::SocketOption as _;
use super::*;

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn listener() -> (Fd, SocketAddr) {
    let listener = tcp_socket(loopback()).unwrap();
    option::ReuseAddress.set(&listener, true).unwrap();
    bind(&listener, loopback()).unwrap();
    listen(&listener, 8).unwrap();
    let addr = local_addr(&listener).unwrap();
    (listener, addr)
}

/// Waits in poll(2), for at most ten seconds, until something is there to be read or accepted.
fn await_input(fd: &Fd) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut list = [PollFd::new(fd, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    assert_eq!(
        rustix::io::retry_on_intr(|| poll(&mut list, Some(&limit))).unwrap(),
        1
    );
}

fn connected_to(listener: &Fd, addr: SocketAddr) -> (Fd, Fd, Option<SocketAddr>) {
    let client = tcp_socket(addr).unwrap();
    let _ = connect(&client, addr).unwrap();
    await_input(listener);
    let (server, peer) = accept(listener).unwrap();
    (client, server, peer)
}

fn tcp_pair() -> (Fd, Fd) {
    let (listener, addr) = listener();
    let (client, server, _) = connected_to(&listener, addr);
    (client, server)
}

#[track_caller]
fn assert_flags(fd: &Fd) {
    assert!(
        fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC),
        "close-on-exec"
    );
    assert!(
        fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK),
        "non-blocking"
    );
}

#[test]
fn hz_c26_every_descriptor_is_non_blocking_and_close_on_exec() {
    let (listener, addr) = listener();
    assert_flags(&listener);
    let (client, server, _) = connected_to(&listener, addr);
    assert_flags(&client);
    assert_flags(&server);
    let (one, other) = unix_pair(UnixKind::Stream).unwrap();
    assert_flags(&one);
    assert_flags(&other);
    let reserve = reserve_fd().unwrap();
    assert!(fcntl_getfd(&reserve).unwrap().contains(FdFlags::CLOEXEC));
}

#[test]
fn an_adopted_descriptor_becomes_non_blocking() {
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let one = adopt(one.into()).unwrap();
    assert_flags(&one);
    set_nonblocking(one.as_fd()).unwrap();
    assert_flags(&one);
}

#[test]
fn accept_names_the_peer_and_says_would_block_when_nobody_is_there() {
    let (listener, addr) = listener();
    assert_eq!(accept(&listener).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (client, server, peer) = connected_to(&listener, addr);
    assert_eq!(peer.unwrap(), local_addr(&client).unwrap());
    assert_eq!(peer_addr(&server).unwrap(), local_addr(&client).unwrap());
    assert_eq!(peer_addr(&client).unwrap(), addr);
}

#[test]
fn hz_d15_an_ipv6_address_makes_the_round_trip() {
    let any = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0));
    let listener = tcp_socket(any).unwrap();
    if bind(&listener, any).is_err() {
        return; // A machine without IPv6.
    }
    listen(&listener, 8).unwrap();
    let addr = local_addr(&listener).unwrap();
    assert!(addr.is_ipv6() && addr.port() != 0);
    let (client, _server, peer) = connected_to(&listener, addr);
    assert_eq!(peer, Some(local_addr(&client).unwrap()));
}

#[test]
fn a_unix_socket_has_no_ip_address() {
    let (one, _other) = unix_pair(UnixKind::Stream).unwrap();
    assert_eq!(local_addr(&one).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(peer_addr(&one).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(is_connected(&one).unwrap());
}

#[test]
fn bytes_go_over_and_peek_leaves_them_there() {
    let (client, server) = tcp_pair();
    assert_eq!(
        recv(&server, &mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(send(&client, b"tick").unwrap().done, 4);
    await_input(&server);
    let mut buf = [0; 8];
    assert_eq!(peek(&server, &mut buf).unwrap(), 4);
    assert_eq!(recv(&server, &mut buf[..2]).unwrap().done, 2);
    assert_eq!(read(&server, &mut buf[2..]).unwrap(), 2);
    assert_eq!(&buf[..4], b"tick");
    assert_eq!(write(&server, b"tock").unwrap(), 4);
    await_input(&client);
    assert_eq!(recv(&client, &mut buf).unwrap().done, 4);
}

#[test]
fn hz_d05_after_a_half_close_the_other_half_still_works() {
    let (client, server) = tcp_pair();
    shutdown(&client, Shutdown::Write).unwrap();
    await_input(&server);
    assert_eq!(recv(&server, &mut [0; 8]).unwrap().done, 0);
    assert_eq!(send(&server, b"bye").unwrap().done, 3);
    await_input(&client);
    assert_eq!(recv(&client, &mut [0; 8]).unwrap().done, 3);
}

#[test]
fn a_socket_without_a_peer_is_not_connected() {
    let socket = tcp_socket(loopback()).unwrap();
    assert!(!is_connected(&socket).unwrap());
    assert_eq!(
        peer_addr(&socket).unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    assert_eq!(
        shutdown(&socket, Shutdown::Both).unwrap_err().kind(),
        ErrorKind::NotConnected
    );
}

#[test]
fn hz_d03_a_refused_connect_gives_its_error_once() {
    let (listener, addr) = listener();
    drop(listener);
    let socket = tcp_socket(addr).unwrap();
    match connect(&socket, addr) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        Ok(_) => {
            await_input(&socket);
            let error = take_error(&socket).unwrap().expect("refused");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert!(take_error(&socket).unwrap().is_none(), "told once");
            assert!(!is_connected(&socket).unwrap());
        }
    }
}

#[test]
fn nodelay_is_what_it_was_set_to() {
    let (client, _server) = tcp_pair();
    for nodelay_set in [true, false] {
        option::NoDelay.set(&client, nodelay_set).unwrap();
        assert_eq!(option::NoDelay.get(&client).unwrap(), nodelay_set);
    }
}

#[test]
fn slices_are_filled_and_emptied_one_after_the_other() {
    let (one, other) = unix_pair(UnixKind::Stream).unwrap();
    let parts = [b"".as_slice(), b"ti", b"", b"ck-", b"tock"].map(IoSlice::new);
    let all = Moved { done: 9, asked: 9 };
    assert_eq!(send_vectored(&one, &parts).unwrap(), all);
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    let mut into = [&mut [][..], &mut head, &mut [], &mut tail].map(IoSliceMut::new);
    let short = Moved { done: 9, asked: 12 };
    assert_eq!(recv_vectored(&other, &mut into).unwrap(), short);
    assert_eq!((&head, &tail[..5]), (b"tick", &b"-tock"[..]));
}

#[test]
fn hz_d09_slices_of_nothing_are_no_end_of_file_and_no_call() {
    let (one, other) = unix_pair(UnixKind::Stream).unwrap();
    let nothing = Moved { done: 0, asked: 0 };
    for count in [0, 3] {
        let parts = vec![IoSlice::new(b""); count];
        assert_eq!(send_vectored(&one, &parts).unwrap(), nothing);
        let mut into: Vec<_> = (0..count).map(|_| IoSliceMut::new(&mut [])).collect();
        assert_eq!(recv_vectored(&other, &mut into).unwrap(), nothing);
    }
}

#[test]
fn hz_d10_five_thousand_slices_go_in_calls_of_a_thousand() {
    let (one, other) = unix_pair(UnixKind::Stream).unwrap();
    let sent: Vec<u8> = (0..5000u32).map(|index| (index % 251) as u8).collect();
    let mut got = vec![0; sent.len()];
    let mut done = 0;
    while done < sent.len() {
        let parts: Vec<_> = sent[done..].chunks(1).map(IoSlice::new).collect();
        let moved = send_vectored(&one, &parts).unwrap();
        assert_eq!(
            moved.asked,
            parts.len().min(1024),
            "and the kernel takes them"
        );
        let mut into: Vec<_> = got[done..].chunks_mut(1).map(IoSliceMut::new).collect();
        assert_eq!(recv_vectored(&other, &mut into).unwrap().done, moved.done);
        done += moved.done;
    }
    assert!(sent == got);
}

/// The child resets SIGPIPE to its default, which kills, and sends into a socket nobody reads.
#[test]
fn hz_d07_a_send_to_a_closed_socket_is_broken_pipe_and_no_signal() {
    const CHILD: &str = "MAINSPRING_HZ_D07_CHILD";
    if std::env::var_os(CHILD).is_some() {
        default_sigpipe::set();
        let (one, other) = unix_pair(UnixKind::Stream).unwrap();
        drop(other);
        assert_eq!(send(&one, b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        let error = send_vectored(&one, &[b"x", b"y"].map(|part| IoSlice::new(part)));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let error = send_with_fds(&one, b"x", &[one.as_fd()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        if let Ok((one, other)) = unix_pair(UnixKind::Seqpacket) {
            drop(other);
            let error = send_message_with_fds(&one, b"x", &[one.as_fd()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            let error = send_message(&one, b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        let (client, server) = tcp_pair();
        shutdown(&client, Shutdown::Write).unwrap();
        assert_eq!(
            send(&client, b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        drop(server);
        return;
    }
    let name = "socket::tests::hz_d07_a_send_to_a_closed_socket_is_broken_pipe_and_no_signal";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "the child ended with {status}");
}

mod default_sigpipe {
    #![expect(unsafe_code, reason = "std has no way to reset a signal's disposition")]

    pub(super) fn set() {
        // SAFETY: SIG_DFL installs no handler, so no code of ours runs in a signal's context; the
        // process is a child made for this one test, whose other threads set no dispositions.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert_ne!(before, libc::SIG_ERR);
    }
}

#[cfg(feature = "sim")]
mod faults {
    use super::*;
    use crate::fault::{Call, Fault, Plan, count_of};

    #[test]
    fn eintr_is_made_up_for_on_recv_and_send() {
        let (one, other) = unix_pair(UnixKind::Stream).unwrap();
        let _guard = Plan::new()
            .from(Call::Send, 1, 2, Fault::Errno(libc::EINTR))
            .from(Call::Recv, 1, 3, Fault::Errno(libc::EINTR))
            .install();
        assert_eq!(send(&one, b"tick").unwrap().done, 4);
        assert_eq!(recv(&other, &mut [0; 8]).unwrap().done, 4);
        assert_eq!((count_of(Call::Send), count_of(Call::Recv)), (3, 4));
    }

    #[test]
    fn hz_d02_accept_makes_up_for_eintr_and_skips_aborted_connections() {
        let (listener, addr) = listener();
        let client = tcp_socket(addr).unwrap();
        let _ = connect(&client, addr).unwrap();
        await_input(&listener);
        let _guard = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EINTR))
            .from(Call::Accept, 2, 2, Fault::Errno(libc::ECONNABORTED))
            .install();
        assert!(accept(&listener).is_ok());
        assert_eq!(count_of(Call::Accept), 4);
    }

    #[test]
    fn hz_d01_accept_reports_emfile_and_the_connection_stays_in_the_queue() {
        let (listener, addr) = listener();
        let client = tcp_socket(addr).unwrap();
        let _ = connect(&client, addr).unwrap();
        await_input(&listener);
        let _guard = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EMFILE))
            .install();
        assert_eq!(
            accept(&listener).unwrap_err().raw_os_error(),
            Some(libc::EMFILE)
        );
        assert!(accept(&listener).is_ok());
    }

    #[test]
    fn hz_d03_an_interrupted_connect_is_in_progress_and_is_not_made_again() {
        for errno in [libc::EINTR, libc::EINPROGRESS, libc::EALREADY] {
            let (listener, addr) = listener();
            let client = tcp_socket(addr).unwrap();
            let _guard = Plan::new()
                .at(Call::Connect, 1, Fault::Errno(errno))
                .install();
            assert_eq!(connect(&client, addr).unwrap(), Connecting::InProgress);
            assert_eq!(count_of(Call::Connect), 1);
            // It goes on in the kernel, as it would after a real signal.
            await_input(&listener);
            assert!(is_connected(&client).unwrap());
        }
    }

    #[test]
    fn a_connect_that_answers_too_early_comes_to_its_end() {
        let (listener, addr) = listener();
        let client = tcp_socket(addr).unwrap();
        let _guard = Plan::new().at(Call::Connect, 1, Fault::Short(0)).install();
        assert_eq!(connect(&client, addr).unwrap(), Connecting::InProgress);
        await_input(&listener);
        assert!(is_connected(&client).unwrap());
    }

    #[test]
    fn hz_d08_a_short_count_moves_that_many_bytes_and_no_more() {
        let (one, other) = unix_pair(UnixKind::Stream).unwrap();
        let _guard = Plan::new()
            .at(Call::Send, 1, Fault::Short(3))
            .at(Call::Recv, 1, Fault::Short(2))
            .at(Call::Write, 1, Fault::Short(1))
            .at(Call::Read, 1, Fault::Short(1))
            .install();
        let mut buf = [0; 8];
        assert_eq!(send(&one, b"tick").unwrap(), Moved { done: 3, asked: 3 });
        assert_eq!(recv(&other, &mut buf).unwrap(), Moved { done: 2, asked: 2 });
        assert_eq!(
            recv(&other, &mut buf[2..]).unwrap(),
            Moved { done: 1, asked: 6 }
        );
        assert_eq!(&buf[..3], b"tic");
        assert_eq!(write(&one, b"tock").unwrap(), 1);
        assert_eq!(read(&other, &mut buf).unwrap(), 1);
    }

    #[test]
    fn hz_d08_a_short_count_leaves_out_whole_slices_or_cuts_the_first() {
        let (one, other) = unix_pair(UnixKind::Stream).unwrap();
        let _guard = Plan::new()
            .at(Call::Send, 1, Fault::Short(5))
            .at(Call::Send, 2, Fault::Short(3))
            .at(Call::Recv, 1, Fault::Short(1))
            .install();
        let parts = [b"tick".as_slice(), b"tock"].map(IoSlice::new);
        assert_eq!(
            send_vectored(&one, &parts).unwrap(),
            Moved { done: 4, asked: 4 }
        );
        assert_eq!(
            send_vectored(&one, &parts).unwrap(),
            Moved { done: 3, asked: 3 }
        );
        let mut buf = [0; 8];
        let mut into = [IoSliceMut::new(&mut buf)];
        assert_eq!(
            recv_vectored(&other, &mut into).unwrap(),
            Moved { done: 1, asked: 1 }
        );
        assert_eq!(recv(&other, &mut buf).unwrap().done, 6);
        assert_eq!(&buf[..6], b"icktic");
    }

    #[test]
    fn an_errno_of_the_plan_comes_out_with_its_number() {
        let (one, _other) = unix_pair(UnixKind::Stream).unwrap();
        let _guard = Plan::new()
            .at(Call::Socket, 1, Fault::Errno(libc::ENFILE))
            .at(Call::Recv, 1, Fault::Errno(libc::ECONNRESET))
            .install();
        assert_eq!(
            unix_pair(UnixKind::Stream).unwrap_err().raw_os_error(),
            Some(libc::ENFILE)
        );
        let error = recv(&one, &mut [0; 1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    }
}
