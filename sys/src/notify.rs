//! Wakes a waiting selector, from any thread and from a signal handler.
//!
//! *Role.* A backend makes one [`Notifier`] for itself, watches its receiving side under
//! [`Token::NOTIFY`](crate::event::Token::NOTIFY), and swallows its reports inside `wait`. The loop's
//! counted block keeps the clone that other threads use.
//!
//! *Model.* The descriptor behind a notifier is counted: it closes with the last clone, not with the
//! selector. A wake that comes late, from a thread that never heard of the loop's end, is written
//! into an object nobody reads, and never into a stranger's file that got the same number.
//!
//! ```text
//!   notify() ──► eventfd counter / pipe / EVFILT_USER trigger ──► wait() returns, drains if it must
//! ```
//!
//! *Cost.* One system call per `notify`. Whether it is needed at all is the caller's flag to tell
//! (the sleep flag in `task/inbox.rs`).

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod eventfd;
pub(crate) mod pipe;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub(crate) mod user_event;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::fork;

/// Makes the current or the next `wait` of its selector return (clause B10).
///
/// It coalesces, never blocks, allocates nothing and takes no lock, so a signal handler may call it.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mechanism: Mechanism,
    /// In which the mechanism was opened. In the child of a fork it would ring the parent's.
    generation: AtomicU32,
}

#[derive(Debug)]
pub(crate) enum Mechanism {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    EventFd(eventfd::EventFd),
    // Where the system has something better, a pipe is the fallback and may never be built.
    #[allow(dead_code)]
    Pipe(pipe::Pipe),
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))]
    UserEvent(user_event::UserEvent),
}

impl Notifier {
    pub(crate) fn new(mechanism: Mechanism) -> Notifier {
        Notifier(Arc::new(Shared {
            mechanism,
            generation: AtomicU32::new(fork::generation()),
        }))
    }

    /// In the child of a fork: opens the mechanism anew, for all clones.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        match self.mechanism() {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Mechanism::EventFd(eventfd) => eventfd.after_fork()?,
            Mechanism::Pipe(pipe) => pipe.after_fork()?,
            #[cfg(any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_os = "dragonfly"
            ))]
            Mechanism::UserEvent(user_event) => user_event.after_fork()?,
        }
        self.0.generation.store(fork::generation(), Relaxed);
        Ok(())
    }

    pub(crate) fn mechanism(&self) -> &Mechanism {
        &self.0.mechanism
    }

    /// Wakes the selector. A full counter or pipe is success: a wake is already under way.
    ///
    /// # Errors
    /// Only what can't happen to a live object, such as EBADF after somebody closed our descriptor
    /// by its number; and, in the child of a fork, that the selector is the parent's.
    pub fn notify(&self) -> io::Result<()> {
        if fork::is_inherited(self.0.generation.load(Relaxed)) {
            return Err(fork::inherited());
        }
        // A write that was interrupted, or refused before it was made, did not happen (hz_a21).
        loop {
            match crate::fault::check(crate::fault::Call::Notify, 8)
                .and_then(|_| self.notify_once())
            {
                Err(error) if is_passing(&error) => {}
                result => return result,
            }
        }
    }

    fn notify_once(&self) -> io::Result<()> {
        match self.mechanism() {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Mechanism::EventFd(eventfd) => eventfd.notify(),
            Mechanism::Pipe(pipe) => pipe.notify(),
            #[cfg(any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_os = "dragonfly"
            ))]
            Mechanism::UserEvent(user_event) => user_event.notify(),
        }
    }
}

/// Whether trying again is all that is to be done.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}
