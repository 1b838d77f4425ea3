//! Races under a plan of faults: whatever fails, and whenever, is told; nothing is lost, leaked or hung.

use std::time::Duration;

use mainspring::net::{ConnectError, Connector};
use mainspring::sim::fault::{Call, Fault, Plan};

use crate::places::Open;
use crate::rig::{On, open_fds};

on_both! {
    hz_d03_whatever_fails_in_a_race_is_told_and_nothing_leaks,
    hz_d03_attempts_in_progress_and_interrupted_come_to_their_end,
}

/// Each call of a race, with the errnos that it is documented to have.
const ERRNOS: [(Call, &[i32]); 5] = [
    (
        Call::Socket,
        &[
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EAFNOSUPPORT,
            libc::EACCES,
        ],
    ),
    (
        Call::Bind,
        &[
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::EACCES,
            libc::ENOBUFS,
        ],
    ),
    (
        Call::Connect,
        &[
            libc::ECONNREFUSED,
            libc::ENETUNREACH,
            libc::EHOSTUNREACH,
            libc::ETIMEDOUT,
            libc::EADDRNOTAVAIL,
            libc::EADDRINUSE,
            libc::EACCES,
            libc::EPERM,
            libc::ECONNRESET,
            libc::EAGAIN,
        ],
    ),
    (Call::SocketOption, &[libc::ENOBUFS, libc::ECONNREFUSED]),
    (Call::Control, &[libc::ENOMEM, libc::ENOSPC]),
];

fn hz_d03_whatever_fails_in_a_race_is_told_and_nothing_leaks(on: On) {
    on.alone(|| {
        let (first, second) = (Open::new(), Open::new());
        for (call, errnos) in ERRNOS {
            for &errno in errnos {
                for (nth, times) in [(1, 1), (2, 1), (1, u64::MAX)] {
                    let runtime = on.sim_runtime();
                    let before = open_fds();
                    let connector = Connector::new()
                        .bind("127.0.0.1:0".parse().unwrap())
                        .timeout(Duration::from_secs(60));
                    // In progress, so that the race registers and asks what came of it.
                    let plan = Plan::new()
                        .from(call, nth, times, Fault::Errno(errno))
                        .from(Call::Connect, 1, u64::MAX, Fault::Short(0));
                    let plan = plan.install();
                    let connect = connector.connect([first.addr, second.addr]);
                    let result = runtime.block_on(connect).unwrap();
                    drop(plan);
                    match result {
                        Ok(stream) => drop(stream),
                        Err(error) => {
                            let both = error.get_ref().unwrap().downcast_ref::<ConnectError>();
                            let both = both.unwrap();
                            assert!(both.unfinished().is_empty(), "{call:?} {errno}: {both}");
                            let mut kept = both.failures().iter();
                            assert_eq!((kept.len(), times), (2, u64::MAX), "{call:?} {both}");
                            let is_kept = kept.all(|(_, it)| it.raw_os_error() == Some(errno));
                            assert!(is_kept, "{call:?} {errno}: {both}");
                        }
                    }
                    assert_eq!(open_fds(), before, "{call:?} {errno} {nth} {times}");
                    drop((first.guests(), second.guests()));
                }
            }
        }
    });
}

fn hz_d03_attempts_in_progress_and_interrupted_come_to_their_end(on: On) {
    let (first, second) = (Open::new(), Open::new());
    for fault in [Fault::Short(0), Fault::Errno(libc::EINTR)] {
        for times in [1, 2] {
            let plan = Plan::new().from(Call::Connect, 1, times, fault);
            let _plan = plan.install();
            let runtime = on.sim_runtime();
            let connector = Connector::new().timeout(Duration::from_secs(60));
            let stream = runtime.block_on(connector.connect([first.addr, second.addr]));
            assert_eq!(stream.unwrap().unwrap().peer_addr().unwrap(), first.addr);
        }
    }
}
