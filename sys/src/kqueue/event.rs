//! What kqueue's answers mean: pure functions from plain values, the same on every host.
//!
//! *Role.* `selector/kqueue.rs` asks the kernel and this file understands the reply. It names no
//! system call and no type of libc's, so it is compiled and tested on every machine, also on those
//! that have no kqueue: each row of the tables in `docs/portability.md` is a test of this file.
//!
//! *Model.* A reply of the kernel, whatever its layout on this or that system, becomes a
//! [`RawChange`]: which filter, which flags, `fflags` and `data`. Together with what is known of the
//! registration ([`Watched`]) it becomes a [`Ready`]:
//!
//! ```text
//!   READ                 readable
//!   READ  + EV_EOF       readable, closed for read; unread bytes may still stand there (data says how many)
//!   WRITE                writable
//!   WRITE + EV_EOF       writable, closed for write
//!   … + EV_EOF, fflags   and an error: every armed direction (B7); fflags is the errno, SO_ERROR still holds it
//!   READ  + EV_EOF       on a pipe where writing is armed: the reader is gone, so writable as well
//!   EXCEPT               priority; its fflags are the note that fired and no errno
//!   anything + EV_ERROR  data 0: a receipt, which says nothing; else an error, every armed direction
//! ```
//!
//! EV_EOF of READ does not close the writing direction: the peer may have shut down one half only,
//! and still read (hz_c16, hz_c18).
#![allow(
    dead_code,
    reason = "compiled on every host for its tests, used where kqueue is"
)]

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::clock::Deadline;
use crate::event::{Interest, Ready};

// The flags have the same values on every system that has kqueue; `kqueue/raw.rs` asserts it.

/// Adds a filter, or runs the level check of one that is there again.
pub(crate) const EV_ADD: u32 = 0x1;
/// Takes a filter away.
pub(crate) const EV_DELETE: u32 = 0x2;
/// Reports each change once (edge-triggered).
pub(crate) const EV_CLEAR: u32 = 0x20;
/// Asks for an EV_ERROR entry also about a change that went well.
pub(crate) const EV_RECEIPT: u32 = 0x40;
/// Says that `data` is the errno of a change, or 0.
pub(crate) const EV_ERROR: u32 = 0x4000;
/// Says that this direction has come to its end.
pub(crate) const EV_EOF: u32 = 0x8000;

/// The longest wait that is asked of the kernel. A few refuse much longer ones with EINVAL; waking
/// once a day for nothing costs nothing (B9).
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a pipe that is armed for writing gets a silent READ filter beside it: on these systems
/// the going of the reader may be reported to that filter alone.
pub(crate) const WATCHES_PIPES: bool = cfg!(any(
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
));

/// The filters in use. Their numbers differ from system to system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Read,
    Write,
    /// EVFILT_EXCEPT with NOTE_OOB.
    Except,
    /// The notifier.
    User,
    /// One that this crate never registers.
    Other,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Delete,
    /// Fires EVFILT_USER. Without EV_ADD: FreeBSD loses a trigger that comes with it.
    Trigger,
}

impl Verb {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Verb::Add => EV_ADD | EV_CLEAR,
            Verb::Delete => EV_DELETE,
            Verb::Trigger => 0,
        }
    }
}

/// One change for the kernel to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) ident: usize,
    pub(crate) filter: Filter,
    pub(crate) verb: Verb,
    /// What events of this filter carry.
    pub(crate) udata: usize,
}

/// One entry of the kernel's answer, in a form that is the same on every system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawChange {
    pub(crate) filter: Filter,
    pub(crate) flags: u32,
    pub(crate) fflags: u32,
    pub(crate) data: i64,
}

/// A [`RawChange`] and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) ident: usize,
    pub(crate) udata: usize,
    pub(crate) raw: RawChange,
}

/// What is known of a registration when an answer about it is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) interest: Interest,
    /// A pipe or a FIFO, either end.
    pub(crate) is_pipe: bool,
}

/// What an event says of its registration; `None` if nothing that was asked for.
#[inline]
pub(crate) fn ready_of(raw: RawChange, watched: Watched) -> Option<Ready> {
    if raw.flags & EV_ERROR != 0 {
        return if raw.data == 0 {
            None
        } else {
            Some(Ready::ERROR.with_armed(watched.interest))
        };
    }
    let is_end = raw.flags & EV_EOF != 0;
    let mut ready = match raw.filter {
        Filter::Read => read_ready(is_end, watched),
        Filter::Write if is_end => Ready::WRITABLE | Ready::WRITE_CLOSED,
        Filter::Write => Ready::WRITABLE,
        Filter::Except => Ready::PRIORITY,
        Filter::User | Filter::Other => return None,
    };
    let has_errno = matches!(raw.filter, Filter::Read | Filter::Write) && raw.fflags != 0;
    if is_end && has_errno {
        ready = (ready | Ready::ERROR).with_armed(watched.interest);
    }
    if ready.is_empty() { None } else { Some(ready) }
}

fn read_ready(is_end: bool, watched: Watched) -> Ready {
    let mut ready = Ready::empty();
    // Without this interest the filter is a pipe's silent watch, and only its end counts.
    if watched.interest.contains(Interest::READ) {
        ready |= if is_end {
            Ready::READABLE | Ready::READ_CLOSED
        } else {
            Ready::READABLE
        };
    }
    if is_end && watched.is_pipe && watched.interest.contains(Interest::WRITE) {
        ready |= Ready::WRITABLE | Ready::WRITE_CLOSED;
    }
    ready
}

/// The filters that stand for `interest`.
pub(crate) fn filters_of(interest: Interest, is_pipe: bool) -> impl Iterator<Item = Filter> {
    let watches = WATCHES_PIPES && is_pipe && interest.contains(Interest::WRITE);
    let read = watches || interest.contains(Interest::READ);
    let write = interest.contains(Interest::WRITE);
    let except = interest.contains(Interest::PRIORITY);
    [
        (read, Filter::Read),
        (write, Filter::Write),
        (except, Filter::Except),
    ]
    .into_iter()
    .filter_map(|(is_wanted, filter)| is_wanted.then_some(filter))
}

/// What the receipt of an EV_ADD comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// The filter stands, or can be done without.
    Accepted,
    /// There is no filter because its end has come already; the caller must report this itself.
    Owes(Ready),
    /// The registration fails with this errno.
    Refused(i32),
}

/// Judges the receipt of an EV_ADD.
///
/// EPIPE says that the other end of a pipe is gone (NetBSD may say EBADF, although the descriptor is
/// open: its type was read a moment ago). Old macOS registers the filter all the same, the BSDs do
/// not; so the report is made up, and may come twice (B6).
pub(crate) fn verdict_of_add(filter: Filter, errno: i32, watched: Watched) -> Verdict {
    if errno == 0 {
        return Verdict::Accepted;
    }
    if filter == Filter::Read && !watched.interest.contains(Interest::READ) {
        return Verdict::Accepted;
    }
    let is_gone = errno == Errno::PIPE.raw_os_error()
        || (watched.is_pipe && errno == Errno::BADF.raw_os_error());
    match filter {
        Filter::Read if is_gone => Verdict::Owes(Ready::READABLE | Ready::READ_CLOSED),
        Filter::Write if is_gone => Verdict::Owes(Ready::WRITABLE | Ready::WRITE_CLOSED),
        _ => Verdict::Refused(errno),
    }
}

/// Whether an EV_DELETE may fail so: the filter went by itself (FreeBSD drops a pipe's at its end),
/// or with the descriptor.
pub(crate) fn is_forgiven_on_delete(errno: i32) -> bool {
    [0, Errno::NOENT.raw_os_error(), Errno::BADF.raw_os_error()].contains(&errno)
}

/// The error of an `add` that the kernel refused. A descriptor that can't be watched (macOS: devices
/// and `/dev/tty`) gives `Unsupported`, as a regular file does.
pub(crate) fn refusal(errno: i32) -> io::Error {
    let cannot_watch = [
        Errno::INVAL,
        Errno::NODEV,
        Errno::PERM,
        Errno::OPNOTSUPP,
        Errno::NOTSUP,
    ];
    if cannot_watch
        .iter()
        .any(|errno_known| errno_known.raw_os_error() == errno)
    {
        return io::ErrorKind::Unsupported.into();
    }
    io::Error::from_raw_os_error(errno)
}

/// Whether a descriptor of this type is a pipe.
///
/// # Errors
/// `Unsupported` for what is always ready by poll's answer and by kqueue's once, or never (B11).
pub(crate) fn is_pipe(file_type: FileType) -> io::Result<bool> {
    match file_type {
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice => {
            Err(io::ErrorKind::Unsupported.into())
        }
        FileType::Fifo => Ok(true),
        _ => Ok(false),
    }
}

/// How long the kernel is asked to wait; `None` for ever. kevent takes nanoseconds and rounds up by
/// itself to what its timers can do (10 ms on NetBSD and OpenBSD).
pub(crate) fn timeout_of(deadline: Deadline) -> Option<Duration> {
    match deadline {
        Deadline::Now => Some(Duration::ZERO),
        Deadline::At { at, now } => Some(at.saturating_duration_since(now).min(TIMEOUT_MAX)),
        Deadline::Never => None,
    }
}
