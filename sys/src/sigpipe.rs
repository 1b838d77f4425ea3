//! Keeps SIGPIPE away from calls that cannot be told not to raise it: sendfile and splice into a socket.
//!
//! *Why.* `send` has MSG_NOSIGNAL; these two have nothing, and where the peer is gone Linux raises SIGPIPE,
//! whose default kills the process. Rust's own `main` ignores the signal, but a library can't rely on that,
//! and must not change the whole process's mind about it.
//!
//! *Model.* A [`Shield`] is held around the calls of one poll. If the process ignores the signal, or has it
//! blocked here already, there is nothing to do. Else it is blocked for this thread, and what a call has
//! raised meanwhile is taken away before the mask goes back. The signal is raised for the thread that made the
//! call, so no other sees it.
//!
//! *Cost.* One system call where the signal is ignored; five, and after a broken pipe six, where it is not.
//!
//! # Invariants
//!
//! - **PIPE-1** A `sigset_t` or `sigaction` is handed to the system zeroed, and read only after the call that
//!   fills it has said 0; each pointer is to a local that outlives its call.
//! - **PIPE-2** What is blocked by `new` is unblocked by the `Drop` of the same value, on the same thread: a
//!   `Shield` is not `Send`.
#![expect(
    unsafe_code,
    reason = "sigaction and pthread_sigmask have no safe form"
)]

use std::marker::PhantomData;
use std::mem::zeroed;
use std::ptr::{null, null_mut};

/// Holds SIGPIPE back from this thread for as long as it lives.
#[derive(Debug)]
#[must_use = "it protects only while it is held"]
pub struct Shield {
    guard: Guard,
    _here: PhantomData<*const ()>,
}

impl Shield {
    /// Holds the signal back, if it would do anything.
    pub fn new() -> Shield {
        Shield {
            guard: Guard::up(),
            _here: PhantomData,
        }
    }
}

/// What there is to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// The signal is ignored, or stood waiting before us: one more changes nothing.
    Nothing,
    /// It was blocked before us: only what was raised is taken away.
    Found,
    /// We blocked it.
    Blocked,
}

impl Guard {
    fn up() -> Guard {
        if is_ignored() || is_pending() {
            Guard::Nothing
        } else if block() {
            Guard::Blocked
        } else {
            Guard::Found
        }
    }
}

impl Default for Shield {
    fn default() -> Shield {
        Shield::new()
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        if self.guard == Guard::Nothing {
            return;
        }
        if is_pending() {
            take();
        }
        if self.guard == Guard::Blocked {
            unblock();
        }
    }
}

/// Whether the process ignores the signal.
fn is_ignored() -> bool {
    // SAFETY: a null action only asks; PIPE-1.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(libc::SIGPIPE, null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether it was raised and waits, which only one that is blocked does: then another more changes nothing.
fn is_pending() -> bool {
    // SAFETY: PIPE-1.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigpending(&mut set) == 0 && libc::sigismember(&set, libc::SIGPIPE) == 1
    }
}

fn only_sigpipe() -> libc::sigset_t {
    // SAFETY: PIPE-1; neither call can fail for a set of ours and a signal that exists.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        set
    }
}

/// Blocks the signal for this thread. Says whether it was not blocked before.
fn block() -> bool {
    let set = only_sigpipe();
    // SAFETY: PIPE-1.
    unsafe {
        let mut before: libc::sigset_t = zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) == 0
            && libc::sigismember(&before, libc::SIGPIPE) == 0
    }
}

fn unblock() {
    let set = only_sigpipe();
    // SAFETY: PIPE-1, PIPE-2.
    unsafe {
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut());
    }
}

/// Takes away the signal, if it is pending still: it returns at once. Another thread may have taken one that was
/// raised for the whole process.
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd", target_os = "illumos")))]
fn take() {
    let set = only_sigpipe();
    // SAFETY: PIPE-1; an all-zero time is none, so it does not wait.
    unsafe {
        let at_once: libc::timespec = zeroed();
        libc::sigtimedwait(&set, null_mut(), &at_once);
    }
}

/// As elsewhere, but it would wait for a signal that another thread has just taken: there is no call that does not.
#[cfg(any(target_vendor = "apple", target_os = "openbsd", target_os = "illumos"))]
fn take() {
    let set = only_sigpipe();
    let mut signal = 0;
    // SAFETY: PIPE-1.
    unsafe {
        libc::sigwait(&set, &mut signal);
    }
}

#[cfg(test)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "the tests of splice use them")
)]
pub(crate) mod tests {
    use super::*;

    /// What the process does about the signal before Rust's `main` has a say.
    fn restore_default() {
        // SAFETY: an all-zero `sigaction` is the default, without flags or mask; PIPE-1.
        unsafe {
            let action: libc::sigaction = zeroed();
            libc::sigaction(libc::SIGPIPE, &action, null_mut());
        }
        assert!(!is_ignored());
    }

    /// Runs `body` in a process of its own, with the signal's default in force: a write that is not shielded is the
    /// end of it. `name` is the test's own.
    pub(crate) fn in_a_process_of_default_sigpipe(name: &str, body: impl FnOnce()) {
        const CHILD: &str = "MAINSPRING_TEST_SIGPIPE";
        if std::env::var_os(CHILD).is_some() {
            restore_default();
            return body();
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(CHILD, "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }

    /// Runs `body` with the signal blocked; afterwards it is blocked still, and none waits.
    pub(crate) fn block_and_count(body: impl FnOnce()) {
        assert!(block());
        body();
        assert!(!is_pending());
        assert!(!block(), "the owner's mask is as it was");
        unblock();
    }

    #[test]
    fn a_shield_where_the_signal_is_ignored_changes_nothing() {
        if is_ignored() {
            assert_eq!(Shield::new().guard, Guard::Nothing);
            assert!(block(), "it was not blocked");
            unblock();
        }
    }
}
