//! The queue of signals by signalfd(2): a record for each.
//!
//! # Invariants
//!
//! - **SFD-1** A `signalfd_siginfo` is integers, so that all zeroes is one, and the kernel may write any bits into it.
#![expect(unsafe_code, reason = "signalfd and its records have no safe form")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Queued, Sender, Signal, SignalSet};

/// A child of a fork has it as well, and reads its own signals there.
pub(super) const IS_INHERITED: bool = true;

pub(super) fn open(set: SignalSet) -> io::Result<OwnedFd> {
    let set = set.to_system();
    // SAFETY: the set lives through the call; the descriptor is a new one, which nobody else has.
    unsafe {
        match libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            number => Ok(OwnedFd::from_raw_fd(number)),
        }
    }
}

pub(super) fn take(fd: BorrowedFd<'_>) -> io::Result<Queued> {
    // SAFETY: SFD-1; the length is the record's.
    let (info, len) = unsafe {
        let mut info: libc::signalfd_siginfo = zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        let len = libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size);
        (info, len)
    };
    if len == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(Queued {
        signal: Signal::from_number(info.ssi_signo as i32),
        count: 1,
        sender: Some(Sender {
            pid: info.ssi_pid as i32,
            uid: info.ssi_uid,
            code: info.ssi_code,
        }),
        value: (info.ssi_code == libc::SI_QUEUE).then_some(info.ssi_int),
    })
}
