//! Notices that the process is the child of a fork, and keeps what must not be touched there.
//!
//! *Role.* A loop that a child inherits has its parent's selector: an epoll is shared, so that what the
//! child deletes is deleted for the parent (hz_c25); a kqueue is not inherited at all, so that its number
//! may be somebody else's. Whoever is about to use such an object asks first whether it was made in this
//! process.
//!
//! *Model.* A process has a *generation*: how many forks lie between it and the one that first called
//! [`watch`]. A handler of `pthread_atfork`, run in the child, adds one. An object notes the generation in
//! which it was made; if that is not the current one it is *inherited*. A lock that belongs to the whole program stands in a
//! [`PerProcess`].
//!
//! ```text
//!   watch() ──► generation 0 ──fork──► child: 1 ──fork──► grandchild: 2
//!                    └────────fork──► another child: 1
//! ```
//!
//! Not noticed: a child made past libc (`clone(2)` by hand, `_Fork`, `vfork`, `posix_spawn`). Such a child may
//! only execute another program or end, so it never gets to use a loop.
//!
//! *Cost.* [`generation`] is one relaxed load. `getpid` would be a system call.
//!
//! *Why not a page that is wiped on fork.* `MADV_WIPEONFORK` is Linux's alone, costs a page, and would notice
//! only what must not happen anyway.
//!
//! # Invariants
//!
//! - **FORK-1** The handler does nothing but add to an atomic: any function that is called between fork and
//!   exec may run on any stack, while other threads' locks are held for ever.
#![expect(unsafe_code, reason = "pthread_atfork, and descriptors by number")]

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

pub use self::per_process::PerProcess;
use crate::fault::{self, Call};

#[cfg(test)]
pub(crate) mod held;
mod per_process;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// From now on forks are noticed. Idempotent.
pub fn watch() {
    // No `Once`: a fork while another thread is in there would leave it so for ever. Two threads that come at the same time
    // may both register, and then a fork counts twice, which is still another generation.
    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);
    if IS_REGISTERED.load(Acquire) {
        return;
    }
    // SAFETY: the handler is a function of this program, which stays; it does what FORK-1 allows. Out of
    // memory (the one error) leaves forks unnoticed, as if nobody had asked.
    let _ = unsafe { pthread_atfork(None, None, Some(note_fork)) };
    IS_REGISTERED.store(true, Release);
}

// SAFETY: POSIX has it with this very signature; libc has it for some systems only.
unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> libc::c_int;
}

/// In the child of a fork.
extern "C" fn note_fork() {
    GENERATION.fetch_add(1, Relaxed);
}

/// How many forks lie between this process and the one that first called [`watch`]. Async-signal-safe.
#[must_use]
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Whether what was made in `generation` was made by a process that this one was forked from.
#[must_use]
#[inline]
pub fn is_inherited(generation: u32) -> bool {
    generation != self::generation()
}

/// What an inherited object answers.
#[must_use]
#[cold]
pub fn inherited() -> io::Error {
    io::Error::other(
        "this loop was made before a fork and belongs to the parent process; \
         call Runtime::after_fork in the child, or make a new Runtime",
    )
}

/// Puts `new` in the place of `old`, under the number of `old`, whose own object stays with whoever else
/// has it: the parent. `new`'s number is closed.
///
/// # Errors
/// What `dup2` says.
pub(crate) fn replace(old: BorrowedFd<'_>, new: OwnedFd) -> io::Result<()> {
    fault::check(Call::Open, 0)?;
    loop {
        // SAFETY: both numbers are open for the length of the call. Whoever has `old` by its number has the new
        // object from now on, which is what is wanted.
        if unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) } >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(rustix::io::fcntl_setfd(old, rustix::io::FdFlags::CLOEXEC)?)
}

/// A descriptor that may be gone in the child of a fork, its number free for others: it is closed only where it
/// is surely ours.
#[derive(Debug)]
pub struct LocalFd {
    fd: ManuallyDrop<OwnedFd>,
    generation: u32,
    /// Whether a child has it as well.
    is_passed_on: bool,
}

impl LocalFd {
    /// Keeps `fd`, which was opened by this process. `is_passed_on`: a child inherits it, so it is closed there
    /// too.
    #[must_use]
    pub fn new(fd: OwnedFd, is_passed_on: bool) -> LocalFd {
        LocalFd {
            fd: ManuallyDrop::new(fd),
            generation: generation(),
            is_passed_on,
        }
    }

    /// Whether the process that opened it is another one.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        is_inherited(self.generation)
    }
}

impl AsFd for LocalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for LocalFd {
    fn drop(&mut self) {
        if self.is_passed_on || !self.is_inherited() {
            // SAFETY: taken once, here, in the drop; nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

#[cfg(test)]
mod tests;
