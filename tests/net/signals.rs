//! A storm of signals over the whole process, for tests that must not notice it.
#![expect(unsafe_code, reason = "sigaction and pthread_kill have no safe form")]
#![allow(dead_code, reason = "each suite uses its part")]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static COUNT: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    COUNT.fetch_add(1, Relaxed);
}

/// From now on the process is sent a SIGALRM again and again, which interrupts whatever waits. By a thread, for not every
/// system's C library is known to have interval timers; it lets no signal come to itself, and ends with the process.
pub(crate) fn begin_storm() {
    // SAFETY: the handler only adds to an atomic; an all-zero `sigaction` has no flags, so no
    // SA_RESTART, and an empty mask. The pointers are to locals that live through the calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
        assert_eq!(
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()),
            0
        );
    }
    // SAFETY: it has no preconditions.
    let target = Target(unsafe { libc::pthread_self() });
    std::thread::spawn(move || {
        let target = target;
        // SAFETY: the set and the time are this thread's own; the target lives: a test that begins a storm is alone in
        // its process, which ends with it.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut set);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            loop {
                libc::pthread_kill(target.0, libc::SIGALRM);
                libc::kill(libc::getpid(), libc::SIGALRM);
                let tick = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 1_000_000,
                };
                libc::nanosleep(&tick, std::ptr::null_mut());
            }
        }
    });
}

/// The thread whose waits are to be interrupted, beside those of others.
struct Target(libc::pthread_t);

// SAFETY: it is a name for a thread, good on any other.
unsafe impl Send for Target {}

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
