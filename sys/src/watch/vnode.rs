//! EVFILT_VNODE: a kqueue of its own, which is readable when something happened to an open file or folder.
//!
//! # Invariants
//!
//! - **VNODE-1** The `kevent`s handed over are made whole, and as many as is said; all zeroes is a valid one, and the kernel may write any
//!   bits into it.
//! - **VNODE-2** `udata` is a number that travels as a pointer; nobody dereferences it.
#![expect(unsafe_code, reason = "kevent")]
#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the fields differ between systems"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::listed::Base;
use super::{Mark, What};
use crate::fault::{self, Call};
use crate::fd::Fd;

/// How many events are taken with one call.
const EVENTS: usize = 64;

/// What is told, in the order in which it can happen. NOTE_LINK is not asked for: it says of a
/// folder each time that another was made in it.
const NOTES: [(u32, What); 6] = [
    (libc::NOTE_WRITE as u32, What::Modified),
    (libc::NOTE_EXTEND as u32, What::Modified),
    (libc::NOTE_ATTRIB as u32, What::Metadata),
    (libc::NOTE_RENAME as u32, What::Moved),
    (libc::NOTE_DELETE as u32, What::Gone),
    (libc::NOTE_REVOKE as u32, What::Gone),
];

#[derive(Debug)]
pub(super) struct Vnode {
    queue: Fd,
    /// Marks are never used again.
    next: AtomicI32,
}

impl Vnode {
    pub(super) fn open() -> io::Result<Vnode> {
        fault::check(Call::WatchOpen, 0)?;
        // SAFETY: the call takes no arguments, and gives a new descriptor, which nobody else has.
        let queue = unsafe {
            let number = libc::kqueue();
            if number == -1 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(number)
        };
        rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Vnode {
            queue: Fd::from(queue),
            next: AtomicI32::new(1),
        })
    }
}

/// A `kevent` of zeroes.
fn blank() -> libc::kevent {
    // SAFETY: VNODE-1.
    unsafe { std::mem::zeroed() }
}

impl Base for Vnode {
    fn fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    fn mark(&self, fd: BorrowedFd<'_>) -> io::Result<Mark> {
        match fault::check(Call::WatchAdd, 0) {
            // With a change and without a wait, the call itself does not say so.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => {
                answer?;
            }
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut change = blank();
        change.ident = fd.as_raw_fd() as _;
        change.filter = libc::EVFILT_VNODE as _;
        change.flags = (libc::EV_ADD | libc::EV_CLEAR) as _;
        change.fflags = NOTES.iter().fold(0, |all, (note, _)| all | note) as _;
        change.udata = ptr::without_provenance_mut(number as usize);
        let queue = self.queue.as_raw_fd();
        // SAFETY: VNODE-1; without a timeout and without room for events it does not wait.
        let done = unsafe { libc::kevent(queue, &change, 1, ptr::null_mut(), 0, ptr::null()) };
        match done {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(Mark(number)),
        }
    }

    /// The close of the descriptor does it.
    fn unmark(&self, _mark: Mark) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, _buf: &mut [u8], each: &mut dyn FnMut(Mark, What)) -> io::Result<()> {
        let mut events = [blank(); EVENTS];
        let most = loop {
            match fault::check(Call::WatchRead, EVENTS) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => break answer?.max(1),
            }
        };
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (queue, room) = (self.queue.as_raw_fd(), events.as_mut_ptr());
        // SAFETY: VNODE-1; the timeout lives until the call returns.
        let count = unsafe { libc::kevent(queue, ptr::null(), 0, room, most as _, &zero) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for event in events.into_iter().take(count) {
            let (mark, notes) = (Mark(event.udata as usize as i32), event.fflags as u32);
            let mut last = None;
            for (note, what) in NOTES {
                if notes & note != 0 && last != Some(what) {
                    each(mark, what);
                    last = Some(what);
                }
            }
        }
        Ok(())
    }
}
