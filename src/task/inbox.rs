//! The inbox: where other threads leave the tasks they woke, and the flag that says whether the loop
//! must be rung.
//!
//! *Role.* Foreign wakes and `Handle` push; step 1 of the tick collects. It stands in the loop's
//! counted block ([`super::core`]), so a push after the loop's end finds it closed, not gone.
//!
//! *Model.* A stack of headers with an atomic top, taken as a whole and reversed, so that the order
//! of arrival is kept. The sleep flag is handed back and forth by swaps:
//!
//! ```text
//!      the loop                                another thread
//!      sleeping.swap(true)   ─┐            ┌─  push: compare-exchange on top
//!      is the inbox empty?    │            │   sleeping.swap(false)?
//!        no: do not sleep     │            │     true: ring, once per sleep
//!        yes: wait            ┘            └     false: the loop is awake and will look
//! ```
//!
//! Whichever swap comes second sees what stood before the first: either the loop's swap comes
//! second and its look finds the push, or the other thread's does and finds `true`. Both are
//! read-modify-writes, so one *is* second; plain loads and stores would let both miss (hz_a20). The
//! loop lowers the flag by a swap too: a plain store would end the release sequence of a pusher that
//! came before it and found the flag down, and the next look could miss that push.
//!
//! # Invariants
//!
//! - **INBOX-1** An entry owns one reference to its task, so its block lives until it is collected.
//! - **INBOX-2** A task is in the inbox at most once: its `Remote` word says whether it is.
//! - **INBOX-3** After the push an entry may be gone at once; a pusher touches only what its own
//!   reference keeps alive (hz_a04).
//! - **INBOX-4** Once closed it stays closed and empty.
//! - **INBOX-5** The bell hangs before the flag is raised for the first time. Whoever finds the flag
//!   up finds the bell: the two swaps order what came before the one ahead of what comes after the other.
//!
//! *Cost.* A push is one compare-exchange and one swap, and the ring one system call per sleep of
//! the loop. Looking into an empty inbox is one relaxed load.
#![expect(unsafe_code, reason = "links between task headers")]

use std::io;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::raw::{Header, TaskRef};
use crate::shim::{AtomicBool, AtomicPtr, Bell, OnceLock};

pub(crate) struct Inbox {
    /// Null: empty. [`closed`]: closed. Else the newest entry.
    top: AtomicPtr<Header>,
    sleeping: AtomicBool,
    /// Hung by the loop, before its first sleep: one that never sleeps needs none.
    bell: OnceLock<Bell>,
}

/// The loop is gone, or going: nothing was pushed.
#[derive(Debug)]
pub(crate) struct InboxClosed;

/// No header stands at address 1: they are aligned to 8.
fn closed() -> *mut Header {
    ptr::without_provenance_mut(1)
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            top: AtomicPtr::new(ptr::null_mut()),
            sleeping: AtomicBool::new(false),
            bell: OnceLock::new(),
        }
    }

    /// Leaves `task`, and the reference that the caller acquired for it, in the inbox.
    pub(crate) fn push(&self, task: TaskRef) -> Result<(), InboxClosed> {
        // The block's own pointer: one made from `header()` would be good for the header alone.
        let entry = task.as_ptr().cast_mut();
        let mut top = self.top.load(Relaxed);
        loop {
            if top == closed() {
                return Err(InboxClosed);
            }
            task.header().inbox_next.store(top, Relaxed);
            // Release: whoever takes the stack sees the link and what the task's maker wrote.
            match self.top.compare_exchange_weak(top, entry, Release, Relaxed) {
                Ok(_) => return Ok(()),
                Err(seen) => top = seen,
            }
        }
    }

    /// Rings if the loop sleeps, or is about to: once per sleep, whoever comes first.
    pub(crate) fn ring(&self) {
        if self.sleeping.swap(false, AcqRel) {
            // A bell that can't be rung is a descriptor closed behind our back. Nobody is there to
            // be told: a waker has no result, and must not panic. The next one tries again (hz_a21).
            // That there is one says INBOX-5.
            if self.bell.get().is_some_and(|bell| bell.notify().is_err()) {
                self.sleeping.store(true, Release);
            }
        }
    }

    /// One relaxed load. A push that is missed here is seen by the swap before the loop sleeps.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.top.load(Relaxed).is_null()
    }

    /// Takes all entries, oldest first.
    pub(crate) fn take(&self) -> Entries {
        if self.top.load(Relaxed) == closed() {
            return Entries(ptr::null_mut());
        }
        Entries::oldest_first(self.top.swap(ptr::null_mut(), Acquire))
    }

    /// Takes all entries and lets no more come.
    pub(crate) fn close(&self) -> Entries {
        let top = self.top.swap(closed(), AcqRel);
        if top == closed() {
            return Entries(ptr::null_mut());
        }
        Entries::oldest_first(top)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.top.load(Relaxed) == closed()
    }

    /// The loop is about to sleep. `false`: somebody pushed meanwhile, so it must not. Before its
    /// first sleep it is asked for its bell (INBOX-5).
    ///
    /// # Errors
    /// That there is no bell to be had; the loop stays awake.
    pub(crate) fn prepare_sleep(
        &self,
        bell: impl FnOnce() -> io::Result<Bell>,
    ) -> io::Result<bool> {
        if self.bell.get().is_none() {
            // Only the loop sets it, and it found it empty.
            let _ = self.bell.set(bell()?);
        }
        self.sleeping.swap(true, AcqRel);
        if self.top.load(Acquire).is_null() {
            return Ok(true);
        }
        self.end_sleep();
        Ok(false)
    }

    /// The loop is awake, after a rest between ticks. Says whether somebody may have rung: then the
    /// selector has a report to be fetched. A swap, so that a ring is either seen here or never comes.
    pub(crate) fn end_rest(&self) -> bool {
        !self.sleeping.swap(false, AcqRel)
    }

    /// The loop is awake, and sees what was pushed by everybody who found the flag down already.
    pub(crate) fn end_sleep(&self) {
        self.sleeping.swap(false, AcqRel);
    }
}

/// Entries taken out, oldest first; each comes with its reference.
pub(crate) struct Entries(*mut Header);

impl Entries {
    /// Turns the stack around.
    fn oldest_first(mut newest: *mut Header) -> Entries {
        let mut list = ptr::null_mut();
        while !newest.is_null() {
            // SAFETY: INBOX-1, the entry's reference is now ours.
            let header = unsafe { &*newest };
            let older = header.inbox_next.load(Relaxed);
            header.inbox_next.store(list, Relaxed);
            list = newest;
            newest = older;
        }
        Entries(list)
    }
}

impl Iterator for Entries {
    type Item = TaskRef;

    fn next(&mut self) -> Option<TaskRef> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: INBOX-1, the entry's reference is ours until it is handed out here.
        let task = unsafe { TaskRef::from_ptr(self.0) };
        self.0 = task.header().inbox_next.load(Relaxed);
        Some(task)
    }
}
