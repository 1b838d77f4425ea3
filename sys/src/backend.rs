//! The selector contract: what every backend owes its caller, clause by clause.
//!
//! *Role.* [`crate::selector`] picks one implementation per target; the reactor calls it; the one
//! suite in `sys/tests/conformance.rs` holds every backend that the host can compile to each
//! clause below. Nothing in this file does anything.
//!
//! | | obligation |
//! |---|---|
//! | B1 | The caller keeps the descriptor open from `add` to `remove`; `remove` takes effect at once and comes before `close`. (The one exception is epoll: a socket whose descriptor never left our types may be closed without `remove`, see [`Backend::FORGETS_ON_CLOSE`].) |
//! | B2 | `add` arms. A condition that already holds is reported by a later `wait`. |
//! | B3 | No readiness is lost: an armed condition that holds is reported. |
//! | B4 | After it reported a direction the backend may stay silent on it until `rearm`. |
//! | B5 | `rearm` is checked against the level: if the condition holds, a later `wait` reports it. The caller calls it only after `WouldBlock`, or, on a stream socket with an edge-triggered backend and no hang-up reported, after a short transfer (hz_c05). |
//! | B6 | Reports may be spurious, split, merged and reordered; users of the contract survive that. |
//! | B7 | Error and hang-up are reported as every armed direction ready; the cause is found by doing the operation. |
//! | B8 | After `remove` no later `wait` reports the token. The batch in hand still may, so tokens carry a generation. |
//! | B9 | `wait` may return early. A deadline is rounded *up* to the kernel's granularity, never down; EINTR is an empty return; waits longer than the kernel's maximum are cut. |
//! | B10 | `notify` makes the current or the next `wait` return, coalesces, never blocks, and is async-signal-safe. |
//! | B11 | One registration per descriptor number: a second `add` is `AlreadyExists`, a `remove` (or `rearm`) of none `NotFound`, a regular file or a directory `Unsupported`, on every backend alike. Over a dup both work. |
//! | B12 | [`Interest`] is READ, WRITE, PRIORITY (`Unsupported` where missing); [`Ready`](crate::event::Ready) adds closed-for-read, closed-for-write and error, as hints. |
//!
//! In the child of a fork an inherited selector belongs to the parent. Its user calls nothing there but
//! [`Backend::after_fork`], after which every clause holds anew, and nothing is registered.
//!
//! *Why a trait, when each target has one native backend?* Because a contract that exists only as
//! imitation drifts: a suite that is generic over the trait is what keeps three files saying the
//! same thing. No call is ever dynamic: [`Selector`](crate::selector::Selector) is a closed enum.

use std::io;
use std::os::fd::BorrowedFd;

pub use crate::clock::Deadline;
use crate::event::{Events, Interest, Token};
use crate::notify::Notifier;

/// Whether a backend repeats itself; the reactor reads its short-transfer rule off it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggering {
    /// Reports a change once: after a short transfer the next byte makes a new report (B5).
    Edge,
    /// Reports the level at each `wait` while armed; a reported direction is disarmed until `rearm`.
    Level,
}

/// A kernel selector behind the contract of this module's table. `&mut self`, so no locks.
pub trait Backend: Sized {
    /// The backend's name, as `Runtime::backend_name` and every suite's first assertion give it.
    const NAME: &'static str;
    /// See [`Triggering`].
    const TRIGGERING: Triggering;
    /// Whether closing a descriptor that was never duplicated ends its registration by itself, so
    /// that the caller may save the `remove` (B1's exception, hz_c10). The backend's own table, if
    /// it keeps one, must survive that too.
    const FORGETS_ON_CLOSE: bool;

    /// Whether the child of a fork inherits the kernel object: an epoll, which it shares with its parent. A
    /// kqueue is not inherited.
    const IS_INHERITED: bool;

    /// Opens the kernel object and its notifier.
    ///
    /// # Errors
    /// What the kernel says, with its errno: EMFILE, ENFILE, ENOMEM.
    fn new() -> io::Result<Self>;

    /// Registers `fd` under `token` and arms it for `interest` (B2, B11, B12).
    ///
    /// # Errors
    /// `AlreadyExists` for a number that is registered; `Unsupported` for a regular file, a
    /// directory, and an interest the backend lacks; `InvalidInput` for an empty interest or
    /// [`Token::NOTIFY`]; else the kernel's errno. A failed `add` leaves nothing behind.
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Arms `interest` again after it was reported or replaced (B4, B5). It *adds* to what is armed.
    ///
    /// # Errors
    /// `NotFound` if the number is not registered.
    fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Ends the registration at once (B1, B8).
    ///
    /// # Errors
    /// `NotFound` if the number is not registered.
    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()>;

    /// Clears `events`, waits until something is ready, the deadline comes or `notify` is called,
    /// and fills `events` with at most its capacity (B3, B6, B9). Notifications are swallowed here.
    ///
    /// # Errors
    /// What the kernel says of the wait itself; EINTR is an empty return.
    fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()>;

    /// A notifier of this selector (B10), good from any thread and past the selector's end.
    fn notifier(&self) -> Notifier;

    /// A descriptor that is readable while `wait` has something to report, for embedding in a
    /// foreign loop; `None` where the kernel has no such object (poll).
    fn selector_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Hands changes that were queued for the next `wait` to the kernel now, so that
    /// [`Backend::selector_fd`] tells the truth.
    ///
    /// # Errors
    /// What the kernel says of a change.
    fn submit(&mut self) -> io::Result<()>;

    /// In the child of a fork: opens the kernel object and the notifier's anew. All registrations are gone; those
    /// of the parent are not touched. Clones of the notifier that the child inherited ring the new one.
    ///
    /// # Errors
    /// As [`Backend::new`]; it may be tried again.
    fn after_fork(&mut self) -> io::Result<()>;
}
