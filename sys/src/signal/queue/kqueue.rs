//! EVFILT_SIGNAL, in a kqueue of its own.
//!
//! The filter counts what is sent to the process, also what is blocked; the signal itself stays pending, and is taken off as its
//! count is read. Else it would be delivered when it is let through again.
//!
//! # Invariants
//!
//! - **SIGQ-1** Each `kevent` is made of zeroes and then filled; the counts that are handed over are those of the arrays.
//! - **SIGQ-2** Pending signals are taken off by one thread at a time.
#![expect(unsafe_code, reason = "kevent and sigwait have no safe form")]
#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the fields differ between systems"
)]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Mutex;

use super::{Queued, Signal, SignalSet};
use crate::fork::PerProcess;

/// No system lets a fork's child inherit a kqueue.
pub(super) const IS_INHERITED: bool = false;

/// SIGQ-2.
static TURN: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));

pub(super) fn open(set: SignalSet) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor, which nobody else has; then SIGQ-1.
    unsafe {
        let number = libc::kqueue();
        if number == -1 {
            return Err(io::Error::last_os_error());
        }
        let queue = OwnedFd::from_raw_fd(number);
        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        for signal in set.iter() {
            let mut change: libc::kevent = zeroed();
            change.ident = signal.number() as _;
            change.filter = libc::EVFILT_SIGNAL as _;
            change.flags = (libc::EV_ADD | libc::EV_CLEAR) as _;
            let none = ptr::null_mut();
            if libc::kevent(queue.as_raw_fd(), &change, 1, none, 0, ptr::null()) == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(queue)
    }
}

pub(super) fn take(fd: BorrowedFd<'_>) -> io::Result<Queued> {
    let no_time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: SIGQ-1, with room for one.
    let (event, count) = unsafe {
        let mut event: libc::kevent = zeroed();
        let number = fd.as_raw_fd();
        let count = libc::kevent(number, ptr::null(), 0, &mut event, 1, &no_time);
        (event, count)
    };
    match count {
        -1 => return Err(io::Error::last_os_error()),
        0 => return Err(io::ErrorKind::WouldBlock.into()),
        _ => {}
    }
    let (ident, data) = (event.ident, event.data);
    let signal = Signal::from_number(ident as i32);
    take_off(signal);
    Ok(Queued {
        signal,
        count: u64::try_from(data).unwrap_or(1).max(1),
        sender: None,
        value: None,
    })
}

/// What is pending of the signal is so no longer.
fn take_off(signal: Signal) {
    let _turn = TURN.lock();
    // SAFETY: the sets and the number are ours; `sigwait` returns at once, for the signal is pending, is blocked on this
    // thread, and nobody else takes it (SIGQ-2).
    unsafe {
        let mut pending: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut pending);
        libc::sigpending(&mut pending);
        if libc::sigismember(&pending, signal.number()) == 1 {
            let only = SignalSet::from(signal).to_system();
            let mut number = 0;
            libc::sigwait(&only, &mut number);
        }
    }
}
