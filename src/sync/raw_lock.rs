//! `RawLock`: held by one at a time, handed on in order; what a mutex is without its value.
//!
//! *Model.*
//!
//! ```text
//!     free ── take ──► held by A ── release, nobody waits ──► free
//!                          │ release
//!                          └──► held by B, who waited longest (and need not have run yet)
//! ```

use std::cell::Cell;

use super::line::{Line, Who};
use crate::task::resource::{Peer, Tag};
use crate::task::wait::WaitQueue;

/// A lock around nothing.
pub(super) struct RawLock {
    is_held: Cell<bool>,
    holder: Cell<Who>,
    waiters: WaitQueue<()>,
    tag: Tag,
}

impl RawLock {
    #[inline]
    pub(super) const fn new(tag: Tag) -> RawLock {
        RawLock {
            is_held: Cell::new(false),
            holder: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag,
        }
    }

    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// Who holds it, also if it was handed over and not fetched yet.
    #[inline]
    pub(super) fn holder(&self) -> Who {
        self.holder.get()
    }

    /// The task that is polled now has it.
    #[inline]
    pub(super) fn note_holder(&self) {
        self.holder.set(Who::is_polled_now());
    }

    /// Whether its holder is known to have ended.
    pub(super) fn is_broken(&self) -> bool {
        self.is_held.get() && self.holder.get().has_ended()
    }

    /// Frees it, for whoever waits longest.
    #[inline]
    pub(super) fn release(&self) {
        if !self.hand_over() {
            self.is_held.set(false);
            self.holder.set(Who::default());
        }
    }

    /// To whoever waits longest; `false`, if nobody does.
    #[inline]
    fn hand_over(&self) -> bool {
        if self.waiters.first().is_none() {
            return false;
        }
        let task = self.waiters.first_task().unwrap_or(0);
        let core = Who::is_polled_now().core;
        self.is_held.set(true);
        self.holder.set(Who { task, core });
        self.tag.set_peer(self.peer());
        self.waiters.give(()).is_ok()
    }

    fn peer(&self) -> Peer {
        Peer::holder(self.holder.get().task)
    }
}

impl Line for RawLock {
    type Handed = ();
    type Request = ();

    #[inline]
    fn waiters(&self) -> &WaitQueue<()> {
        &self.waiters
    }

    #[inline]
    fn has(&self, (): ()) -> bool {
        !self.is_held.get()
    }

    #[inline]
    fn take(&self, (): ()) {
        self.is_held.set(true);
        self.note_holder();
    }

    fn serve(&self) -> bool {
        !self.is_held.get() && self.hand_over()
    }

    fn put_back(&self, (): (), (): ()) {
        self.release();
    }

    #[inline]
    fn word(&self) -> u64 {
        let word = self.tag.number();
        self.tag.set_peer(self.peer());
        word
    }
}
