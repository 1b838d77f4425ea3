//! Quiet: who waits for everybody else to wait.
//!
//! *Role.* A test says "now let everything happen that can happen by itself" without knowing how many ticks that
//! takes. The loop keeps those who wait in a ring ([`Quiet`]), and wakes them where it would go to sleep.
//!
//! *Model.* The loop is quiet when nothing is ready, no other thread has woken anything, and the selector has
//! nothing to report; a timer that is not due yet does not count. With a cushion it must have stayed so
//! for that long, which is found by a count of what was polled meanwhile.

use std::cell::Cell;

use crate::task::wait::WaitRing;

/// The loop's part: see the module's header.
pub(crate) struct Quiet {
    waiting: WaitRing,
    /// All polls up to the last turn, but those of the futures that wait here.
    activity: Cell<u64>,
    /// Polls of the futures that wait here, since the last turn.
    own_polls: Cell<u32>,
}

impl Quiet {
    pub(crate) fn new() -> Quiet {
        Quiet {
            waiting: WaitRing::new(),
            activity: Cell::new(0),
            own_polls: Cell::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Who waits.
    pub(crate) fn waiting(&self) -> &WaitRing {
        &self.waiting
    }

    /// How much went on up to the last turn.
    pub(crate) fn activity(&self) -> u64 {
        self.activity.get()
    }

    /// A future that waits here is polled: that is no activity.
    pub(crate) fn note_own_poll(&self) {
        self.own_polls.set(self.own_polls.get() + 1);
    }

    /// A turn ends, before which there were so many polls.
    #[inline]
    pub(crate) fn count(&self, polls: u32) {
        let others = polls.saturating_sub(self.own_polls.replace(0));
        self.activity.set(self.activity.get() + u64::from(others));
    }

    /// Everybody waits: those here are woken, in order.
    pub(crate) fn wake(&self) {
        let due = WaitRing::new();
        due.append(&self.waiting);
        while let Some(wakeup) = due.pop_wakeup() {
            wakeup.wake();
        }
    }
}
