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

use std::pin::Pin;
use std::task::Context;

use super::{Core, Kind, Place, Waiter, Wakeup};
use crate::list::Ring;
use crate::wheel::Wheel;

/// A ring of wait nodes with its head on the heap.
pub(crate) struct WaitRing(Pin<Box<Ring<Waiter>>>);

impl WaitRing {
    pub(crate) fn new() -> WaitRing {
        WaitRing(Box::pin(Ring::new()))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_empty()
    }

    /// Puts an armed node at the back.
    #[inline]
    pub(crate) fn push(&self, node: Pin<&Waiter>) {
        node.body();
        node.place.set(Place::Ring);
        self.0.as_ref().push_back(node);
    }

    /// Takes the first node out, to be woken.
    #[inline]
    pub(crate) fn pop_wakeup(&self) -> Option<Wakeup> {
        let node = self.0.as_ref().pop_front()?;
        // SAFETY: WAIT-4, it was linked until now, and `woken` runs no user code.
        Some(unsafe { Pin::new_unchecked(node.as_ref()) }.woken())
    }

    /// Takes all nodes over from `source`, behind our own.
    #[inline]
    pub(crate) fn append(&self, source: &WaitRing) {
        self.0.as_ref().append(source.0.as_ref());
    }

    /// Moves every node into `wheel`; a delay becomes the deadline `now_ns` plus its length. Where
    /// that doesn't fit it is the last nanosecond that does: 584 years of uptime.
    #[inline]
    pub(crate) fn arm_all(&self, wheel: &Wheel<Waiter>, now_ns: u64) {
        while let Some(node) = self.0.as_ref().pop_front() {
            // SAFETY: WAIT-4, it was linked until now; nothing below runs user code.
            let node = unsafe { Pin::new_unchecked(node.as_ref()) };
            if node.kind.get() == Kind::Delay {
                node.kind.set(Kind::Timer);
                node.set_word(now_ns.saturating_add(node.word()).min(u64::MAX - 1));
            }
            wheel.insert(node);
        }
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
    /// To be put into the wheel by the next turn.
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

    /// Links an armed node: to fire `ns` after the next turn if it is a delay, else at `ns`. `u64::MAX`
    /// is never, either way.
    #[inline]
    fn link(&self, node: Pin<&Waiter>, is_delay: bool, ns: u64) {
        node.set_word(ns);
        let is_never = ns == u64::MAX;
        node.set_kind(if is_delay && !is_never {
            Kind::Delay
        } else {
            Kind::Timer
        });
        let ring = if is_never { &self.never } else { &self.fresh };
        ring.push(node);
    }
}

impl Waiter {
    /// Arms a timer with the loop that is entered on this thread; `false` if there is none. See
    /// [`TimerRings::link`] for what `ns` means.
    #[inline(always)]
    pub(crate) fn arm_timer(self: Pin<&Self>, cx: &Context<'_>, is_delay: bool, ns: u64) -> bool {
        Core::with_current(|core| {
            let Some(core) = core else { return false };
            self.arm_in(cx, Some(core));
            core.timers.link(self, is_delay, ns);
            true
        })
    }

    /// A timer that somebody waits for gets a new deadline and keeps its waker; one that fired, or was
    /// never armed, is as new. Where its task's loop is not the one that is entered, the task is woken
    /// instead, to arm it anew. (A foreign waker names no loop, so there the one that is entered is it.)
    pub(crate) fn rearm_timer(self: Pin<&Self>, is_delay: bool, ns: u64) {
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
                core.timers.link(self, is_delay, ns);
            }
            is_ours
        });
        if !is_relinked {
            self.take_wakeup().wake();
        }
    }
}
