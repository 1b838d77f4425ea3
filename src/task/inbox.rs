//! The inbox: where other threads leave the tasks they woke, and the flag that says whether the loop
//! must be rung.
//!
//! *Role.* Foreign wakes and `Handle` push; step 1 of the tick collects. It stands in the loop's
//! counted block ([`super::core`]), so a push after the loop's end finds it closed, not gone.
//!
//! *Model.* A stack of headers under one atomic word, taken as a whole and reversed, so that the order
//! of arrival is kept. The sleep flag is a bit of the same word, so falling asleep and pushing are two
//! changes of one word, and one of them comes second and sees the other:
//!
//! ```text
//!      the loop                                another thread
//!      null ──► ASLEEP        ─┐           ┌─  push: the word ──► entry, flag down
//!        it was not null:      │           │     the flag stood: ring, once per sleep
//!        do not sleep          ┘           └     else: the loop is awake and will look
//! ```
//!
//! With two words it would take a full fence on either side, or each could miss the other (hz_a20).
//!
//! # Invariants
//!
//! - **INBOX-1** An entry owns one reference to its task, so its block lives until it is collected.
//! - **INBOX-2** A task is in the inbox at most once: its `Remote` word stands from the push to the poll.
//! - **INBOX-3** After the push an entry may be gone at once; a pusher touches only what its own
//!   reference keeps alive (hz_a04).
//! - **INBOX-4** Once closed it stays closed and empty.
//! - **INBOX-5** The bell hangs before the flag is raised for the first time. Whoever finds the flag
//!   up finds the bell: raising the flag releases, and lowering it acquires.
//!
//! *Cost.* A push is one compare-exchange, and the ring one system call per sleep of the loop. Looking
//! into an inbox is one relaxed load; while it has entries, a loop that would sleep writes nothing.
#![expect(unsafe_code, reason = "links between task headers")]

use std::io;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::raw::{Header, TaskRef};
use crate::shim::{AtomicPtr, Bell, OnceLock};

/// The bit of the word that says: the loop sleeps, or is about to, and nobody has rung. No address of
/// a header has it: they are aligned to 8.
const ASLEEP: usize = 2;

pub(crate) struct Inbox {
    /// [`closed`], or the newest entry or null, with or without [`ASLEEP`].
    top: AtomicPtr<Header>,
    /// Hung by the loop, before its first sleep: one that never sleeps needs none.
    bell: OnceLock<Bell>,
}

/// The loop is gone, or going: nothing was pushed.
#[derive(Debug)]
pub(crate) struct InboxClosed;

/// No header stands at address 1.
fn closed() -> *mut Header {
    ptr::without_provenance_mut(1)
}

#[inline]
fn is_asleep(top: *mut Header) -> bool {
    top.addr() & ASLEEP != 0
}

/// The same word with the flag down.
#[inline]
fn awake(top: *mut Header) -> *mut Header {
    top.map_addr(|address| address & !ASLEEP)
}

#[inline]
fn asleep(top: *mut Header) -> *mut Header {
    top.map_addr(|address| address | ASLEEP)
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            top: AtomicPtr::new(ptr::null_mut()),
            bell: OnceLock::new(),
        }
    }

    /// Leaves `task`, and the reference that the caller acquired for it, in the inbox; rings if the loop
    /// sleeps. The caller has a share of the core besides.
    pub(crate) fn push(&self, task: TaskRef) -> Result<(), InboxClosed> {
        // The block's own pointer: one made from `header()` would be good for the header alone.
        let entry = task.as_ptr().cast_mut();
        let mut top = self.top.load(Relaxed);
        loop {
            if top == closed() {
                return Err(InboxClosed);
            }
            task.header().inbox_next.store(awake(top), Relaxed);
            // Release: whoever takes the stack sees the link and what the task's maker wrote. Acquire:
            // whoever lowers the flag sees the bell (INBOX-5).
            match self.top.compare_exchange_weak(top, entry, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(seen) => top = seen,
            }
        }
        if is_asleep(top) {
            self.notify();
        }
        Ok(())
    }

    /// Rings if the loop sleeps, or is about to: once per sleep, whoever comes first.
    pub(crate) fn ring(&self) {
        if self.lower_flag() {
            self.notify();
        }
    }

    /// The caller has lowered the flag.
    fn notify(&self) {
        // A bell that can't be rung is a descriptor closed behind our back. Nobody is there to be told:
        // a waker has no result, and must not panic. The next one tries again (hz_a21).
        // That there is one says INBOX-5.
        if self.bell.get().is_some_and(|bell| bell.notify().is_err()) {
            let raise = |top| (top != closed()).then(|| asleep(top));
            let _ = self.top.fetch_update(Release, Relaxed, raise);
        }
    }

    /// Lowers the flag, and says whether it stood.
    fn lower_flag(&self) -> bool {
        let lowered = self
            .top
            .fetch_update(AcqRel, Relaxed, |top| Some(awake(top)));
        lowered.is_ok_and(is_asleep)
    }

    /// One relaxed load. A push that is missed here is seen by the exchange before the loop sleeps.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        awake(self.top.load(Relaxed)).is_null()
    }

    /// Takes all entries, oldest first.
    pub(crate) fn take(&self) -> Entries {
        if self.is_closed() {
            return Entries(ptr::null_mut());
        }
        Entries::oldest_first(awake(self.top.swap(ptr::null_mut(), Acquire)))
    }

    /// Takes all entries and lets no more come.
    pub(crate) fn close(&self) -> Entries {
        let top = self.top.swap(closed(), AcqRel);
        if top == closed() {
            return Entries(ptr::null_mut());
        }
        Entries::oldest_first(awake(top))
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
        // Who looks first leaves the cache line to those who push.
        if !self.is_empty() {
            return Ok(false);
        }
        if self.bell.get().is_none() {
            // Only the loop sets it, and it found it empty.
            let _ = self.bell.set(bell()?);
        }
        let nothing = ptr::null_mut();
        let sleep = asleep(nothing);
        Ok(
            match self.top.compare_exchange(nothing, sleep, AcqRel, Relaxed) {
                Ok(_) => true,
                Err(seen) => seen == sleep,
            },
        )
    }

    /// The loop is awake, after a rest between ticks. Says whether somebody may have rung: then the
    /// selector has a report to be fetched.
    pub(crate) fn end_rest(&self) -> bool {
        !self.lower_flag()
    }

    /// The loop is awake. Who rang it has lowered the flag already.
    pub(crate) fn end_sleep(&self) {
        if is_asleep(self.top.load(Relaxed)) {
            self.lower_flag();
        }
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
