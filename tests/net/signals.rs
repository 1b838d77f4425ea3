//! A storm of signals over the whole process, for tests that must not notice it.
#![expect(unsafe_code, reason = "sigaction and setitimer have no safe form")]
#![allow(dead_code, reason = "each suite uses its part")]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static COUNT: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    COUNT.fetch_add(1, Relaxed);
}

/// From now on a SIGALRM arrives every millisecond and interrupts whatever waits.
pub(crate) fn begin_storm() {
    // SAFETY: the handler only adds to an atomic; an all-zero `sigaction` has no flags, so no
    // SA_RESTART, and an empty mask. Both pointers are to locals that live through the calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
        assert_eq!(
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()),
            0
        );
        let tick = libc::timeval {
            tv_sec: 0,
            tv_usec: 1000,
        };
        let timer = libc::itimerval {
            it_interval: tick,
            it_value: tick,
        };
        assert_eq!(
            libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()),
            0
        );
    }
}

/// How many have arrived.
pub(crate) fn count_so_far() -> u32 {
    COUNT.load(Relaxed)
}

/// Closes a number behind the back of whoever believes to own it.
pub(crate) fn close_behind_the_back(number: std::os::fd::RawFd) {
    // SAFETY: the test runs in a process of its own and opens nothing after this that could be
    // mistaken for the number.
    unsafe {
        libc::close(number);
    }
}

/// The number, as an object that does not close it.
pub(crate) fn borrowed(number: std::os::fd::RawFd) -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: whoever holds it only polls and reads; the test closes it on purpose, in a process of
    // its own, to see what that does.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(number) }
}
