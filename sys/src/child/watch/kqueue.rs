//! A kqueue that becomes readable when one process ends.
//!
//! # Invariants
//!
//! - **WATCH-1** The one `kevent` handed over is made whole, and read by the call before it returns.
#![expect(unsafe_code, reason = "kevent")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A descriptor that is readable from the end of the child on. `None` also if it has ended already: then a look tells.
#[allow(clippy::unnecessary_cast, reason = "the fields differ between systems")]
pub(in crate::child) fn open(pid: i32) -> Option<OwnedFd> {
    // SAFETY: a new descriptor, which nobody else has; then WATCH-1. ESRCH: the process has ended already.
    unsafe {
        let number = libc::kqueue();
        if number == -1 {
            return None;
        }
        let queue = OwnedFd::from_raw_fd(number);
        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        let mut change: libc::kevent = std::mem::zeroed();
        change.ident = pid as _;
        change.filter = libc::EVFILT_PROC as _;
        change.flags = (libc::EV_ADD | libc::EV_ONESHOT) as _;
        change.fflags = libc::NOTE_EXIT as _;
        let none = std::ptr::null_mut();
        let done = libc::kevent(queue.as_raw_fd(), &change, 1, none, 0, std::ptr::null());
        (done != -1).then_some(queue)
    }
}
