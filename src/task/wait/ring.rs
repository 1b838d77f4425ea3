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
#![expect(unsafe_code, reason = "reaches nodes through a ring")]

use std::pin::Pin;

use super::{Kind, Place, Waiter, Wakeup};
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

    /// Takes `node` out of whatever ring it stands in; its waker stays.
    pub(crate) fn unlink(node: Pin<&Waiter>) {
        debug_assert_eq!(node.place.get(), Place::Ring);
        Ring::unlink(node);
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

    /// The head, for [`Wheel::advance`].
    #[inline]
    pub(crate) fn head(&self) -> Pin<&Ring<Waiter>> {
        self.0.as_ref()
    }
}
