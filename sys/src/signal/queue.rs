//! `SignalQueue`: signals as the kernel keeps them, read from a descriptor, without a handler.
//!
//! | system | what it is |
//! |---|---|
//! | Linux, Android | signalfd(2): each signal with its sender; real-time ones queue, with a value |
//! | macOS, the BSDs | a kqueue of its own with EVFILT_SIGNAL: how often each came |
//! | illumos | none |
//!
//! *Why not always.* A signal is pending only while no thread lets it come, and a library can't answer for every thread of a
//! program: one that lets it through takes it, and the default ends the process. The handler of this module asks nothing of
//! other threads. Who owns the program, and blocks the signals before it starts a thread, has them here without a handler:
//! no call anywhere in the process is interrupted by them, and none is merged that the kernel does not merge.

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
#[path = "queue/kqueue.rs"]
mod native;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "queue/signalfd.rs"]
mod native;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
#[path = "queue/none.rs"]
mod native;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::{Blocked, Sender, Signal, SignalSet};
use crate::fault::{self, Call};
use crate::fork::LocalFd;

/// A signal that was taken from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// Which.
    pub signal: Signal,
    /// How often it came, where the system says so; else 1.
    pub count: u64,
    /// Who sent it, where the system says so: on Linux.
    pub sender: Option<Sender>,
    /// What `sigqueue(3)` sent with it, where the system says so: on Linux.
    pub value: Option<i32>,
}

/// Signals that are blocked on this thread, and read from a descriptor instead.
#[derive(Debug)]
pub struct SignalQueue {
    // First the descriptor: then what is left is delivered.
    fd: LocalFd,
    set: SignalSet,
    _blocked: Blocked,
}

impl SignalQueue {
    /// Blocks the signals of `set` on this thread, and opens the queue, which does not block.
    ///
    /// # Errors
    /// `InvalidInput` for a signal that cannot be taken so; `Unsupported` where the system has nothing of the kind; EMFILE,
    /// ENFILE, ENOMEM.
    pub fn new(set: SignalSet) -> io::Result<SignalQueue> {
        for signal in set.iter() {
            signal.check_can_be_caught()?;
        }
        fault::check(Call::Signal, 0)?;
        // Before it is opened: what comes in between waits for the reader.
        let blocked = set.block();
        let fd = native::open(set)?;
        Ok(SignalQueue {
            fd: LocalFd::new(fd, native::IS_INHERITED),
            set,
            _blocked: blocked,
        })
    }

    /// Its signals.
    #[must_use]
    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// Takes the next signal.
    ///
    /// # Errors
    /// EAGAIN, if none is there.
    pub fn take(&self) -> io::Result<Queued> {
        loop {
            fault::check(Call::Signal, 0)?;
            match native::take(self.fd.as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                taken => return taken,
            }
        }
    }
}

impl AsFd for SignalQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
