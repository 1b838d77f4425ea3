//! Rings of wait nodes, for heads that never move: timers on their way, waits for the next turn.
//!
//! *Role.* [`crate::timers`] and the event loop keep their nodes here and never touch a link.
//!
//! *Model.* The head is on the heap; a node leaves by itself, also while the ring is being emptied.
//! When a ring is dropped its nodes are detached, and whoever polls one finds its loop gone.
//!
//! # Invariants
//!
//! Those of [`super`]: WAIT-4 (a linked node lives) and WAIT-5 (no user code in a walk).
//!
//! *Timers on their way.* [`TimerRings`] stands in the loop's counted block, so that arming a timer needs
//! no more than the block that every leaf finds by one thread-local word.
#![expect(unsafe_code, reason = "reaches nodes through a ring")]

use std::panic::Location;
use std::pin::Pin;
use std::task::Context;

use super::{Core, Kind, Place, Waiter, Wakeup};
use crate::list::Ring;
use crate::wheel::Wheel;

/// A ring of wait nodes with its head on the heap.
pub(crate) struct WaitRing(Pin<Box<Ring<Waiter>>>);

impl WaitRing {
    pub(crate) fn new() -> WaitRing {
        let ring = Box::pin(Ring::new());
        ring.as_ref().prepare();
        WaitRing(ring)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_empty()
    }

    /// Puts an armed node at the back.
    #[inline]
    pub(crate) fn push(&self, node: Pin<&Waiter>) {
        node.body();
        node.stand.move_to(Place::Ring);
        self.0.as_ref().push_back(node);
    }

    /// As [`WaitRing::push`], for a node whose links are not written yet.
    ///
    /// # Safety
    /// As for [`Ring::push_back_new`], with a ring that was prepared by `new`.
    #[inline]
    pub(super) unsafe fn push_new(&self, node: Pin<&Waiter>) {
        // SAFETY: `new` prepared the ring; of the node, the caller's promise.
        unsafe { self.0.as_ref().push_back_new(node) };
    }

    /// Takes the first node out, to be woken.
    #[inline]
    pub(crate) fn pop_wakeup(&self) -> Option<Wakeup> {
        let node = self.0.as_ref().pop_front()?;
        // SAFETY: WAIT-4, it was linked until now, and `woken` runs no user code.
        Some(unsafe { Pin::new_unchecked(node.as_ref()) }.woken())
    }

    /// As [`WaitRing::pop_wakeup`], for a timer that was in the wheel, with its deadline in nanoseconds.
    #[inline]
    pub(crate) fn pop_timer(&self) -> Option<(Wakeup, u64)> {
        let node = self.0.as_ref().pop_front()?;
        // SAFETY: WAIT-4, it was linked until now, and `woken` runs no user code.
        let node = unsafe { Pin::new_unchecked(node.as_ref()) };
        let deadline_ns = node.word();
        Some((node.woken(), deadline_ns))
    }

    /// Takes all nodes over from `source`, behind our own.
    #[inline]
    pub(crate) fn append(&self, source: &WaitRing) {
        self.0.as_ref().append(source.0.as_ref());
    }

    /// Every node learns that its loop is gone, and is woken.
    pub(crate) fn orphan_all(&self) {
        while let Some(node) = self.0.as_ref().pop_front() {
            // SAFETY: WAIT-4, it was linked until now, and user code runs last.
            let node = unsafe { Pin::new_unchecked(node.as_ref()) };
            node.set_kind(Kind::Orphan);
            node.woken().wake();
        }
    }

    /// The head, for [`Wheel::advance`].
    #[inline]
    pub(crate) fn head(&self) -> Pin<&Ring<Waiter>> {
        self.0.as_ref()
    }
}

/// Timers that no wheel knows: armed since the last turn, or never due.
pub(crate) struct TimerRings {
    /// To be put into the wheel by the next turn, or among those that are never due.
    pub(crate) fresh: WaitRing,
    /// Without a deadline; linked only to be seen, and to learn of the loop's end.
    pub(crate) never: WaitRing,
}

impl TimerRings {
    pub(crate) fn new() -> TimerRings {
        TimerRings {
            fresh: WaitRing::new(),
            never: WaitRing::new(),
        }
    }

    /// Links an armed node, to fire `ns` after the next turn if it is a delay, else at `ns`. `u64::MAX`
    /// is never, either way.
    #[inline]
    fn link(&self, node: Pin<&Waiter>, ns: u64) {
        node.set_word(ns);
        self.fresh.push(node);
    }

    /// Moves every fresh node into `wheel`; a delay becomes the deadline `now_ns` plus its length. Where
    /// that doesn't fit it is the last nanosecond that does: 584 years of uptime.
    #[inline]
    pub(crate) fn arm_fresh(&self, wheel: &Wheel<Waiter>, now_ns: u64) {
        while let Some(node) = self.fresh.0.as_ref().pop_front() {
            // SAFETY: WAIT-4, it was linked until now; nothing below runs user code.
            let node = unsafe { Pin::new_unchecked(node.as_ref()) };
            let ns = node.word();
            if ns == u64::MAX {
                self.never.push(node);
                continue;
            }
            if node.kind.replace(Kind::Timer) == Kind::Delay {
                node.set_word(now_ns.saturating_add(ns).min(u64::MAX - 1));
            }
            wheel.insert(node);
        }
    }
}

impl Waiter {
    /// A timer that waits for nothing yet.
    #[inline]
    pub(crate) fn new_timer(is_delay: bool, location: &'static Location<'static>) -> Waiter {
        Waiter::new(Kind::of_timer(is_delay), location)
    }

    /// Arms a timer, of the kind that it was made or rearmed with, with the loop that is entered on this
    /// thread; `false` if there is none. See [`TimerRings::link`] for what `ns` means.
    pub(crate) fn arm_timer(self: Pin<&Self>, cx: &Context<'_>, ns: u64) -> bool {
        Core::with_current(|core| {
            let Some(core) = core else { return false };
            self.arm_in(cx, Some(core));
            core.timers.link(self, ns);
            true
        })
    }

    /// As [`Waiter::arm_timer`], for a new node: the way of nearly all timers, and short.
    #[inline(always)]
    pub(crate) fn arm_new_timer(self: Pin<&Self>, cx: &Context<'_>, ns: u64) -> bool {
        Core::with_current(|core| {
            let task = core.and_then(|core| core.current_task_of(cx.waker()));
            let (Some(core), Some(task)) = (core, task) else {
                return self.arm_timer(cx, ns);
            };
            assert!(self.is_new());
            // SAFETY: it is new, and linked at once.
            unsafe {
                self.arm_first(task, core, ns, Place::Ring);
                core.timers.fresh.push_new(self);
            }
            true
        })
    }

    /// A timer that somebody waits for gets a new deadline and keeps its waker; one that fired, or was
    /// never armed, is as new. Where its task's loop is not the one that is entered, the task is woken
    /// instead, to arm it anew. (A foreign waker names no loop, so there the one that is entered is it.)
    pub(crate) fn rearm_timer(self: Pin<&Self>, is_delay: bool, ns: u64) {
        self.set_kind(Kind::of_timer(is_delay));
        if !self.is_linked() {
            return self.disarm();
        }
        Ring::unlink(self);
        let is_relinked = Core::with_current(|core| {
            let Some(core) = core else { return false };
            let is_ours = self
                .bare_task()
                .is_none_or(|task| std::ptr::eq(core, task.core()));
            if is_ours {
                core.timers.link(self, ns);
            }
            is_ours
        });
        if !is_relinked {
            self.take_wakeup().wake();
        }
    }
}
