//! The selector in use: the target's native backend, poll(2), or a script, behind one closed enum.
//!
//! *Role.* The reactor owns one [`Selector`] and knows nothing of what is inside. Which backends
//! exist on a target, and which is its native one, is decided in this file and nowhere else.
//!
//! ```text
//!                 target                                    native     also
//!   linux, android                                          epoll      poll
//!   apple, freebsd, netbsd, openbsd, dragonfly              kqueue     poll
//!   every other Unix (illumos)                              poll
//!   --cfg mainspring_backend="epoll" | "kqueue" | "poll"    that one   poll
//! ```
//!
//! *Why an enum and not a generic parameter.* A parameter would climb through the reactor into
//! every public type of `mainspring`; the enum stops here. With one or two variants its `match` is
//! a branch that is always predicted, in front of a system call of some hundred cycles.
//!
//! *Why poll(2) everywhere.* It is the backend that needs nothing from its kernel, the one that can
//! be told apart from the native one on the same machine, and so the check on our own contract:
//! the same suites run on both ([`BackendKind::Poll`], no rebuild).
//!
//! *Also here:* what two backends must do alike: how long to sleep, what `add` refuses, how
//! a notification is swallowed.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub mod epoll;
#[cfg(any(
    all(test, target_os = "linux"),
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub mod kqueue;
pub mod poll;
#[cfg(feature = "sim")]
pub mod scripted;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::backend::{Backend, Deadline, Triggering};
use crate::clock::Instant;
use crate::event::{Events, Interest, Token};
use crate::notify::{Mechanism, Notifier};

use self::poll::Poll;
#[cfg(feature = "sim")]
use self::scripted::Scripted;

// The choice, in one place. A mistyped `--cfg mainspring_backend="pol"` would select the default
// silently, which is why `check-cfg` denies it and every suite asserts the name of its backend.

/// The target's own backend.
#[cfg(any(
    mainspring_backend = "epoll",
    all(
        not(any(
            mainspring_backend = "epoll",
            mainspring_backend = "kqueue",
            mainspring_backend = "poll"
        )),
        any(target_os = "linux", target_os = "android")
    )
))]
pub type Native = epoll::Epoll;

/// The target's own backend.
#[cfg(any(
    mainspring_backend = "kqueue",
    all(
        not(any(
            mainspring_backend = "epoll",
            mainspring_backend = "kqueue",
            mainspring_backend = "poll"
        )),
        any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly"
        )
    )
))]
pub type Native = kqueue::Kqueue;

/// The target's own backend.
#[cfg(any(
    mainspring_backend = "poll",
    all(
        not(any(
            mainspring_backend = "epoll",
            mainspring_backend = "kqueue",
            mainspring_backend = "poll"
        )),
        not(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly"
        ))
    )
))]
pub type Native = Poll;

/// Which backend a selector is to be made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// The best one of the target: epoll, kqueue, or poll where there is neither. With
    /// `--cfg mainspring_backend="poll"` it is poll everywhere.
    #[default]
    Native,
    /// poll(2), on every Unix.
    Poll,
}

/// What is known of a backend before it is opened.
impl BackendKind {
    /// Whether a child inherits it; see [`Backend::IS_INHERITED`].
    #[must_use]
    pub const fn is_inherited(self) -> bool {
        match self {
            BackendKind::Native => Native::IS_INHERITED,
            BackendKind::Poll => Poll::IS_INHERITED,
        }
    }

    /// Its name; see [`Backend::NAME`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BackendKind::Native => Native::NAME,
            BackendKind::Poll => Poll::NAME,
        }
    }

    /// Whether it repeats itself; see [`Triggering`].
    #[must_use]
    pub const fn triggering(self) -> Triggering {
        match self {
            BackendKind::Native => Native::TRIGGERING,
            BackendKind::Poll => Poll::TRIGGERING,
        }
    }

    /// Whether closing saves the `remove`; see [`Backend::FORGETS_ON_CLOSE`].
    #[must_use]
    pub const fn forgets_on_close(self) -> bool {
        match self {
            BackendKind::Native => Native::FORGETS_ON_CLOSE,
            BackendKind::Poll => Poll::FORGETS_ON_CLOSE,
        }
    }
}

/// The backend in use. Its methods are those of [`Backend`], clause by clause.
#[derive(Debug)]
pub enum Selector {
    /// The target's own.
    Native(Native),
    /// poll(2), asked for by [`BackendKind::Poll`].
    Poll(Poll),
    /// A script, or a perturbed selector, for tests. It is not made by [`Selector::new`].
    #[cfg(feature = "sim")]
    Scripted(Scripted),
}

/// Calls the same method on whichever backend there is.
macro_rules! forward {
    ($selector:expr, $backend:ident => $call:expr) => {
        match $selector {
            Selector::Native($backend) => $call,
            Selector::Poll($backend) => $call,
            #[cfg(feature = "sim")]
            Selector::Scripted($backend) => $call,
        }
    };
}

impl Selector {
    /// Opens a selector of the kind asked for.
    ///
    /// # Errors
    /// As [`Backend::new`].
    pub fn new(kind: BackendKind) -> io::Result<Selector> {
        Ok(match kind {
            BackendKind::Native => Selector::Native(Native::new()?),
            BackendKind::Poll => Selector::Poll(Poll::new()?),
        })
    }

    /// Registers `fd` under `token` and arms it; see [`Backend::add`].
    ///
    /// # Errors
    /// As [`Backend::add`].
    pub fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        forward!(self, backend => backend.add(fd, token, interest))
    }

    /// Arms `interest` again, in addition to what is armed; see [`Backend::rearm`].
    ///
    /// # Errors
    /// As [`Backend::rearm`].
    #[inline]
    pub fn rearm(
        &mut self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        forward!(self, backend => backend.rearm(fd, token, interest))
    }

    /// Ends the registration at once; see [`Backend::remove`].
    ///
    /// # Errors
    /// As [`Backend::remove`].
    pub fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        forward!(self, backend => backend.remove(fd, token))
    }

    /// Waits for readiness, the deadline or a notification; see [`Backend::wait`].
    ///
    /// # Errors
    /// As [`Backend::wait`].
    pub fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
        forward!(self, backend => backend.wait(events, deadline))
    }

    /// A notifier of this selector; see [`Backend::notifier`].
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        forward!(self, backend => backend.notifier())
    }

    /// The kernel object to embed in a foreign loop; see [`Backend::selector_fd`].
    #[must_use]
    pub fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        forward!(self, backend => backend.selector_fd())
    }

    /// Hands queued changes to the kernel now; see [`Backend::submit`].
    ///
    /// # Errors
    /// As [`Backend::submit`].
    pub fn submit(&mut self) -> io::Result<()> {
        forward!(self, backend => backend.submit())
    }

    /// In the child of a fork: opens everything anew; see [`Backend::after_fork`].
    ///
    /// # Errors
    /// As [`Backend::after_fork`].
    pub fn after_fork(&mut self) -> io::Result<()> {
        forward!(self, backend => backend.after_fork())
    }

    /// The backend's name; see [`Backend::NAME`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        forward!(self, backend => name_of(backend))
    }

    /// Whether the backend repeats itself; see [`Triggering`].
    #[must_use]
    #[inline]
    pub fn triggering(&self) -> Triggering {
        match self {
            Selector::Native(_) => Native::TRIGGERING,
            Selector::Poll(_) => Poll::TRIGGERING,
            #[cfg(feature = "sim")]
            Selector::Scripted(scripted) => scripted.triggering(),
        }
    }

    /// Whether closing saves the `remove`; see [`Backend::FORGETS_ON_CLOSE`].
    #[must_use]
    #[inline]
    pub fn forgets_on_close(&self) -> bool {
        match self {
            Selector::Native(_) => Native::FORGETS_ON_CLOSE,
            Selector::Poll(_) => Poll::FORGETS_ON_CLOSE,
            #[cfg(feature = "sim")]
            Selector::Scripted(scripted) => scripted.forgets_on_close(),
        }
    }
}

fn name_of<B: Backend>(_: &B) -> &'static str {
    B::NAME
}

/// The longest single sleep, one day: some kernels refuse more with EINVAL, and 2^31 ms, where
/// milliseconds in an `int` end, are 24.8 days. Clause B9 lets `wait` return early.
pub(crate) const SLEEP_NS_MAX: u64 = 24 * 60 * 60 * 1_000_000_000;

/// How long a backend asks its kernel to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Not at all.
    Zero,
    /// This many nanoseconds, 1 to [`SLEEP_NS_MAX`].
    Ns(u64),
    /// Until something happens.
    Endless,
}

impl Sleep {
    /// The sleep that ends at `deadline`, cut to a day.
    pub(crate) fn until(deadline: Deadline) -> Sleep {
        match deadline {
            Deadline::Now => Sleep::Zero,
            Deadline::Never
            | Deadline::At {
                at: Instant::FAR_FUTURE,
                ..
            } => Sleep::Endless,
            Deadline::At { at, now } => match at.as_ns().saturating_sub(now.as_ns()) {
                0 => Sleep::Zero,
                ns => Sleep::Ns(ns.min(SLEEP_NS_MAX)),
            },
        }
    }
}

/// What every `add` refuses before it asks the kernel.
pub(crate) fn check_add(token: Token, interest: Interest) -> io::Result<()> {
    if token == Token::NOTIFY {
        let message = "this token is reserved for the selector's own notifier";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if interest.is_empty() {
        let message = "a registration must ask for at least one direction";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

/// The one answer of every backend to a file that no selector can watch.
pub(crate) fn not_pollable() -> io::Error {
    let message = "this kind of file is always ready or unknown to the selector (a regular file, \
                   a directory, some devices): read and write it on a thread instead";
    io::Error::new(io::ErrorKind::Unsupported, message)
}

/// What a backend without a kernel object of its own watches for notifications; `None` if they come
/// by no descriptor (a kqueue's user event).
pub(crate) fn receiving_fd(notifier: &Notifier) -> Option<BorrowedFd<'_>> {
    match notifier.mechanism() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Mechanism::EventFd(eventfd) => Some(eventfd.as_fd()),
        Mechanism::Pipe(pipe) => Some(pipe.as_fd()),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// Swallows the notifications that came by [`receiving_fd`], whose level would stay up.
pub(crate) fn drain_notifier(notifier: &Notifier) {
    match notifier.mechanism() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Mechanism::EventFd(eventfd) => eventfd.drain(),
        Mechanism::Pipe(pipe) => pipe.drain(),
        #[allow(unreachable_patterns)]
        _ => {}
    }
}

#[cfg(test)]
mod tests;
