//! Ends, errors and half-closes: B7, and the hazards around HUP.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::AsFd;

use mainspring_sys::backend::Backend;
use mainspring_sys::{Interest, Ready};

use crate::rig::{BOTH, READ, Raw, Rig, WRITE, drain, fill, pair, pipe, reset, tcp_pair};

const ARMINGS: [Interest; 3] = [READ, WRITE, BOTH];

/// A full buffer, so that only the hang-up can make it writable.
pub(crate) fn b07_a_hang_up_wakes_every_armed_direction<B: Backend>() {
    for armed in ARMINGS {
        let mut rig = Rig::<B>::new();
        let (left, right) = pair();
        fill(&left);
        rig.add(&left, 1, armed);
        rig.assert_sleeps();
        drop(right);
        rig.wait_for(1, Ready::empty().with_armed(armed));
    }
}

pub(crate) fn b07_a_reset_wakes_every_armed_direction<B: Backend>() {
    for armed in ARMINGS {
        let mut rig = Rig::<B>::new();
        let (mut left, right) = tcp_pair();
        rig.add(&left, 1, armed);
        reset(right);
        rig.wait_for(1, Ready::empty().with_armed(armed));
        if armed.contains(READ) {
            // The operation tells the cause. On the way there may have been a spurious report.
            let error = loop {
                match left.read(&mut [0; 8]) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        rig.rearm(&left, 1, READ);
                        rig.wait_for(1, Ready::READABLE);
                    }
                    Err(error) => break error,
                    Ok(count) => panic!("{count} bytes read off a connection that was reset"),
                }
            };
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

pub(crate) fn b07_a_refused_connect_is_writable<B: Backend>() {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut rig = Rig::<B>::new();
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&socket, true).unwrap();
    // OpenBSD refuses at once; everybody else is in progress.
    if let Err(rustix::io::Errno::INPROGRESS) = connect(&socket, &address) {
        rig.add(&socket, 1, BOTH);
        rig.wait_for(1, Ready::WRITABLE);
        let cause = sockopt::socket_error(&socket).unwrap().unwrap_err();
        assert_eq!(cause, rustix::io::Errno::CONNREFUSED);
    }
}

pub(crate) fn hz_c15_a_pipe_without_writers_is_readable<B: Backend>() {
    for bytes in [0, 10] {
        let mut rig = Rig::<B>::new();
        let (reader, writer) = pipe();
        rig.add(&reader, 1, READ);
        rig.assert_sleeps();
        Raw(writer.as_fd()).write_all(&[1; 10][..bytes]).unwrap();
        drop(writer);
        rig.wait_for(1, Ready::READABLE);
        assert_eq!(drain(Raw(reader.as_fd())), (bytes, true));
        rig.remove(&reader, 1);
    }
}

pub(crate) fn hz_c15_a_full_pipe_without_readers_is_writable<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (reader, writer) = pipe();
    fill(Raw(writer.as_fd()));
    rig.add(&writer, 1, WRITE);
    rig.assert_sleeps();
    drop(reader);
    rig.wait_for(1, Ready::WRITABLE);
    let errno = rustix::io::write(&writer, &[1]).unwrap_err();
    assert_eq!(errno, rustix::io::Errno::PIPE);
    // FreeBSD forgets such a registration by itself; it must be gone afterwards either way.
    rig.remove(&writer, 1);
    rig.assert_sleeps();
}

pub(crate) fn b07_data_before_the_hang_up_is_all_read<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = tcp_pair();
    rig.add(&left, 1, READ);
    right.write_all(&[1; 5000]).unwrap();
    drop(right);
    let mut total = 0;
    loop {
        rig.wait_for(1, Ready::READABLE);
        let (count, is_end) = drain(&left);
        total += count;
        if is_end {
            break;
        }
        rig.rearm(&left, 1, READ);
    }
    assert_eq!(total, 5000);
}

pub(crate) fn hz_c16_after_a_half_close_we_can_still_write<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (mut left, right) = tcp_pair();
    rig.add(&left, 1, BOTH);
    rig.wait_for(1, Ready::WRITABLE);
    right.shutdown(Shutdown::Write).unwrap();
    let ready = rig.wait_for(1, Ready::READABLE);
    assert!(
        !ready.intersects(Ready::WRITE_CLOSED | Ready::ERROR),
        "{ready:?}"
    );
    assert!(drain(&left).1, "the end of file");
    // The other half goes on, through a full buffer and back.
    let (mut sent, mut got) = (0, 0);
    while sent < 1024 * 1024 {
        match left.write(&[7; 16 * 1024]) {
            Ok(count) => sent += count,
            Err(_) => {
                rig.rearm(&left, 1, WRITE);
                got += drain(&right).0;
                rig.wait_for(1, Ready::WRITABLE);
            }
        }
    }
    drop(left);
    right.set_nonblocking(false).unwrap();
    assert_eq!(got + drain(&right).0, sent);
}

pub(crate) fn hz_c14_a_hang_up_nobody_waits_for_does_not_spin<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, right) = tcp_pair();
    let (reader, writer) = pipe();
    rig.add(&left, 1, BOTH);
    rig.add(&reader, 2, READ);
    reset(right);
    drop(writer);
    rig.wait_for(1, Ready::READABLE);
    rig.wait_until_quiet();
    rig.assert_sleeps();
}

/// Reported first, hung up afterwards: nothing is armed when the HUP comes.
pub(crate) fn hz_c14_a_hang_up_behind_a_silent_entry_does_not_spin<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1]).unwrap();
    rig.add(&left, 1, READ);
    rig.wait_for(1, Ready::READABLE);
    drop(right);
    rig.wait_until_quiet();
    rig.assert_sleeps();
    // It is not forgotten either.
    assert_eq!(drain(&left), (1, true));
    rig.remove(&left, 1);
}
