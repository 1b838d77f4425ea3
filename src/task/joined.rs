//! The joined side: what a join handle does to its task.
//!
//! *Role.* [`super::join`] aborts, detaches and reads by these; the proof of a deadlock asks who awaits
//! whom. All of it happens on the loop's thread, but the loop may not be entered.
//!
//! *User code* (a foreign waker's clone and drop) runs while the join slot is empty, and whole.

use std::task::Waker;

use super::core::Core;
use super::failure;
use super::marks::Cause;
use super::raw::{Header, TaskRef};
use super::relay;
use super::state::{Ending, OnAbort, OnDetach};
use super::waker;

/// Marks the task that is being polled: its future is dropped as soon as the poll returns `Pending`.
pub(crate) fn abort_current() {
    let current = Core::with_current(|core| core.and_then(Core::current_task));
    if let Some(task) = current {
        task.abort();
    }
}

impl TaskRef {
    /// Marks and queues; the loop drops the future in its turn.
    pub(crate) fn abort(self) {
        match self.header().state.transition_to_aborted() {
            OnAbort::Push => {
                self.header().cause.set(Cause::Abort);
                self.core().push_ready(self);
            }
            OnAbort::Nothing => {}
        }
    }

    /// The join handle goes, and its reference with it.
    #[inline]
    pub(crate) fn detach(self) {
        match self.header().state.transition_to_detached() {
            OnDetach::Release => self.release_shared(),
            OnDetach::Discard(ending) => self.detach_unread(ending),
            OnDetach::Leave => self.detach_unfinished(),
        }
    }

    /// The result that nobody fetched goes first.
    #[inline(never)]
    fn detach_unread(self, ending: Ending) {
        self.discard(Some(ending));
        self.release_shared();
    }

    /// The task goes on.
    #[inline(never)]
    fn detach_unfinished(self) {
        self.clear_joiner();
        // The handle's reference was made on this thread, so it goes from the local half.
        self.header().count.release_local();
    }

    /// Whether the future is gone.
    #[inline]
    pub(crate) fn is_done(self) -> bool {
        self.header().state.is_done()
    }

    /// Which result stands in the block of a task that is done; whoever asks takes it.
    #[inline]
    pub(crate) fn take_ending(self) -> Option<Ending> {
        self.header().state.take_ending()
    }

    /// How it ended; `None` while it has not, and once its result was taken.
    pub(crate) fn peek_ending(self) -> Option<Ending> {
        self.header().state.peek_ending()
    }

    /// Nobody awaits the handle any more.
    pub(crate) fn clear_joiner(self) {
        if let Some(joiner) = self.header().joiner.take() {
            failure::contain("a joiner's waker, as it was dropped,", || drop(joiner));
        }
    }

    /// Keeps the waker of whoever awaits the handle, in place of an earlier one.
    pub(crate) fn set_joiner(self, waker: &Waker) {
        let slot = &self.header().joiner;
        let earlier = slot.take();
        if let Some(earlier) = earlier {
            if earlier.will_wake(waker) {
                slot.set(Some(earlier));
                return;
            }
            // Foreign code may run here and in `clone`; the slot is empty meanwhile, and whole.
            failure::contain("a joiner's waker, as it was dropped,", || drop(earlier));
        }
        let waker = waker.clone();
        // What that code may have put here meanwhile is older than this poll.
        drop(slot.replace(Some(waker)));
    }

    /// The task that awaits this one, of whatever loop; its waker stands in the slot and keeps it.
    pub(crate) fn joiner_task(self) -> Option<TaskRef> {
        self.with_joiner(waker::task_of).flatten()
    }

    /// As [`TaskRef::joiner_task`], or who awaits it among many others. Only for comparing: it may be gone.
    pub(crate) fn joiner_root(self) -> Option<*const Header> {
        self.with_joiner(relay::root_of)
    }

    /// Looks at the waker of whoever awaits this one; no user code runs in `look`.
    pub(crate) fn with_joiner<R>(self, look: impl FnOnce(&Waker) -> R) -> Option<R> {
        let slot = &self.header().joiner;
        let joiner = slot.take();
        let seen = joiner.as_ref().map(look);
        slot.set(joiner);
        seen
    }

    /// Whether nothing can make it run again but an abort: it is neither ready nor polled, waits for nothing,
    /// and no waker of it exists anywhere.
    pub(crate) fn is_lost(self) -> bool {
        let header = self.header();
        header.state.is_idle() && self.waits().is_empty() && self.waker_count() == 0
    }

    /// How many references there are beside the loop's and the join handle's.
    pub(crate) fn waker_count(self) -> i32 {
        let header = self.header();
        header.count.sum() - 1 - i32::from(header.state.is_joinable())
    }
}
