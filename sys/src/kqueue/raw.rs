//! `kevent(2)`, made safe: a counted queue, a list of answers, and the layouts of five systems.
//!
//! *Role.* The one file that names `libc::kevent`. Above it ([`kqueue.rs`](super), the notifier)
//! there are only [`Change`]s and [`Reply`]s.
//!
//! *Why not rustix's wrapper.* It gives no way to `fflags` of READ and WRITE, so the socket error
//! of EV_EOF is lost; it leaves EVFILT_USER out on NetBSD and OpenBSD, and EVFILT_EXCEPT everywhere.
//!
//! Where the layouts differ: `filter` and `flags` are 32 bits wide on NetBSD; the struct is packed
//! on macOS (no references to its fields, they are copied); FreeBSD's has a tail (`ext`), so a value
//! is made of zeroes and then filled; the counts are `size_t` on NetBSD. Hence `as _`.
//!
//! # Invariants
//!
//! - **RAW-1** A `libc::kevent` is integers and one pointer, so all zeroes is a valid value, and the
//!   kernel may write any bits into it.
//! - **RAW-2** `udata` is a number that travels as a pointer; nobody dereferences it.
//! - **RAW-4** In the process of its generation a [`Number`] names an open queue that nobody else closes.
//! - **RAW-3** A length that is handed to the kernel is the length of the array beside it.
#![expect(unsafe_code, reason = "kevent(2) and kqueue(2) through libc")]
#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the field types differ per system"
)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI32, AtomicU32};
use std::time::Duration;

use super::event::{
    Change, EV_ADD, EV_CLEAR, EV_DELETE, EV_EOF, EV_ERROR, EV_RECEIPT, Filter, RawChange, Reply,
    Verb,
};
use crate::fork;

/// READ, WRITE and EXCEPT of one descriptor: no call changes more.
const CHANGES_MAX: usize = 3;

#[cfg(target_os = "netbsd")]
type FilterNumber = u32;
#[cfg(not(target_os = "netbsd"))]
type FilterNumber = i16;

/// EVFILT_EXCEPT and NOTE_OOB, where the system has them.
#[cfg(any(
    target_vendor = "apple",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
const EXCEPT: Option<(FilterNumber, u32)> = Some((libc::EVFILT_EXCEPT, libc::NOTE_OOB));
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
const EXCEPT: Option<(FilterNumber, u32)> = None;

/// Whether [`Filter::Except`] can be registered.
pub(crate) const HAS_PRIORITY: bool = EXCEPT.is_some();

// `event.rs` understands the flags without libc.
const _: () = {
    assert!(libc::EV_ADD as u32 == EV_ADD && libc::EV_DELETE as u32 == EV_DELETE);
    assert!(libc::EV_CLEAR as u32 == EV_CLEAR && libc::EV_RECEIPT as u32 == EV_RECEIPT);
    assert!(libc::EV_ERROR as u32 == EV_ERROR && libc::EV_EOF as u32 == EV_EOF);
};

/// A kqueue, counted: the notifier keeps it open past the selector's end.
#[derive(Clone, Debug)]
pub(crate) struct Queue(Arc<Number>);

/// The queue's number, in the process that opened it. In the child of a fork it names nothing, or a
/// stranger's file.
#[derive(Debug)]
struct Number {
    raw: AtomicI32,
    generation: AtomicU32,
}

impl Number {
    fn is_inherited(&self) -> bool {
        fork::is_inherited(self.generation.load(Relaxed))
    }

    /// Keeps `fd`, which this process has just opened.
    fn set(&self, fd: OwnedFd) {
        self.raw.store(fd.into_raw_fd(), Relaxed);
        self.generation.store(fork::generation(), Relaxed);
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if !self.is_inherited() {
            // SAFETY: RAW-4; this is the last who has the number.
            drop(unsafe { OwnedFd::from_raw_fd(self.raw.load(Relaxed)) });
        }
    }
}

impl Queue {
    /// Opens a queue, close-on-exec. (No system lets a fork's child inherit one, unless asked.)
    pub(crate) fn open() -> io::Result<Queue> {
        let fd = open()?;
        Ok(Queue(Arc::new(Number {
            raw: AtomicI32::new(fd.into_raw_fd()),
            generation: AtomicU32::new(fork::generation()),
        })))
    }

    /// In the child of a fork: opens another, for all clones. What the number names here is left alone.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        if self.0.is_inherited() {
            self.0.set(open()?);
        }
        Ok(())
    }

    /// Makes one change; the call's errno is its error.
    pub(crate) fn apply(&self, change: Change) -> io::Result<()> {
        let raw = to_raw(change, 0);
        self.kevent(&[raw], &mut [], Some(Duration::ZERO)).map(drop)
    }

    /// Makes up to three changes and returns the receipts.
    ///
    /// There is room for as many answers as there are changes, and no more: spare room would be
    /// filled with events. A kernel that gave fewer receipts than changes would fill it as well, so
    /// the caller must look for answers that are no receipts. The timeout of zero keeps the call
    /// from sleeping for a receipt that never comes.
    pub(crate) fn change(&self, changes: &[Change]) -> io::Result<Replies> {
        let mut raw_changes = [zeroed(); CHANGES_MAX];
        let mut raw_replies = [zeroed(); CHANGES_MAX];
        for (raw, change) in raw_changes.iter_mut().zip(changes) {
            *raw = to_raw(*change, EV_RECEIPT);
        }
        let raw_changes = &raw_changes[..changes.len()];
        let room = &mut raw_replies[..changes.len()];
        let count = self.kevent(raw_changes, room, Some(Duration::ZERO))?;
        Ok(Replies {
            list: raw_replies,
            count,
        })
    }

    /// Waits for events, at most `room` of them.
    pub(crate) fn wait(
        &self,
        list: &mut List,
        room: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        list.count = 0;
        if list.raw.len() < room {
            list.raw.resize(room, zeroed());
        }
        list.count = self.kevent(&[], &mut list.raw[..room], timeout)?;
        Ok(())
    }

    fn kevent(
        &self,
        changes: &[libc::kevent],
        room: &mut [libc::kevent],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        if self.0.is_inherited() {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs() as _,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let timeout_ptr = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: both arrays outlive the call and are as long as is said (RAW-3); the kernel only
        // reads the first and may write anything into the second (RAW-1); `timeout` lives until
        // the end of this function. The descriptor is open, for we own it.
        let count = unsafe {
            libc::kevent(
                self.0.raw.load(Relaxed),
                changes.as_ptr(),
                changes.len() as _,
                room.as_mut_ptr(),
                room.len() as _,
                timeout_ptr,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

/// A new queue, close-on-exec.
fn open() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    #[cfg(target_os = "netbsd")]
    let raw = unsafe { libc::kqueue1(libc::O_CLOEXEC) };
    // SAFETY: the call takes no arguments.
    #[cfg(not(target_os = "netbsd"))]
    let raw = unsafe { libc::kqueue() };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this number, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    #[cfg(not(target_os = "netbsd"))]
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: RAW-4. In the child of a fork, where it may name nothing, nobody asks: see `kevent` below and
        // the reactor.
        unsafe { BorrowedFd::borrow_raw(self.0.raw.load(Relaxed)) }
    }
}

/// What [`Queue::change`] got back.
pub(crate) struct Replies {
    list: [libc::kevent; CHANGES_MAX],
    count: usize,
}

impl Replies {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Reply> + '_ {
        self.list[..self.count].iter().map(to_reply)
    }
}

/// Where [`Queue::wait`] puts its events; it grows once and is used again.
pub(crate) struct List {
    raw: Vec<libc::kevent>,
    count: usize,
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl List {
    pub(crate) const fn new() -> List {
        List {
            raw: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Reply> + '_ {
        self.raw[..self.count].iter().map(to_reply)
    }
}

const fn zeroed() -> libc::kevent {
    // SAFETY: RAW-1.
    unsafe { std::mem::zeroed() }
}

fn to_raw(change: Change, extra_flags: u32) -> libc::kevent {
    let (filter, mut fflags) = match change.filter {
        Filter::Read => (libc::EVFILT_READ, 0),
        Filter::Write => (libc::EVFILT_WRITE, 0),
        // Without EVFILT_EXCEPT the backend refuses PRIORITY and this is never reached.
        Filter::Except => EXCEPT.unwrap_or((libc::EVFILT_READ, 0)),
        Filter::User | Filter::Other => (libc::EVFILT_USER, 0),
    };
    if change.verb == Verb::Trigger {
        fflags = libc::NOTE_TRIGGER;
    }
    let mut raw = zeroed();
    raw.ident = change.ident as _;
    raw.filter = filter;
    raw.flags = (change.verb.flags() | extra_flags) as _;
    raw.fflags = fflags as _;
    raw.udata = ptr::without_provenance_mut(change.udata);
    raw
}

fn to_reply(raw: &libc::kevent) -> Reply {
    let number = raw.filter;
    let filter = if number == libc::EVFILT_READ {
        Filter::Read
    } else if number == libc::EVFILT_WRITE {
        Filter::Write
    } else if number == libc::EVFILT_USER {
        Filter::User
    } else if EXCEPT.is_some_and(|(except, _)| except == number) {
        Filter::Except
    } else {
        Filter::Other
    };
    Reply {
        ident: raw.ident as usize,
        udata: raw.udata as usize,
        raw: RawChange {
            filter,
            flags: raw.flags as u32,
            fflags: raw.fflags as u32,
            data: raw.data as i64,
        },
    }
}
