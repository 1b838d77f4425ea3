//! `WaitQueue<T>`: first in, first out, with direct hand-off. All primitives are safe code over it.
//!
//! *Role.* A lock hands its guard, a channel its item, a source a mere "look again" to whoever waits
//! longest. What was handed over stands in the node until the waiter runs, so nobody barges in.
//!
//! *Model.*
//!
//! ```text
//!   WaitQueue ──► WaitNode { waiter, slot: None } ──► WaitNode { … } ──► …
//!       give(value) ──► first node's slot, unlinked, woken ──► its next poll returns Ready(value)
//! ```
//!
//! *Rules for the leaf future.* Its poll calls [`WaitQueue::poll`]. Its drop calls
//! [`WaitQueue::cancel`], and gives back to the front of the line what that returns.
//!
//! # Invariants
//!
//! Those of [`super`]: WAIT-4 (a linked node lives), WAIT-5 (user code runs last) and WAIT-6.
//!
//! The queue has no head that nodes point at, so the primitive may move while forgotten nodes stand
//! in it; its drop detaches them.
#![expect(unsafe_code, reason = "reaches nodes through a queue")]

use std::marker::PhantomPinned;
use std::mem::offset_of;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use super::{Core, Kind, Place, TaskRef, Waiter, forgotten_cancel};
use crate::list::{Linked, Queue};
use crate::shim::Cell;

/// A waiter with a typed slot for what is handed to it.
#[repr(C)]
pub(crate) struct WaitNode<T> {
    waiter: Waiter,
    slot: Cell<Option<T>>,
    _pinned: PhantomPinned,
}

// SAFETY: the offset is that of the one `Links`; the node is `!Unpin` and its drop unlinks (WAIT-4).
unsafe impl<T> Linked for WaitNode<T> {
    const OFFSET: usize = offset_of!(WaitNode<T>, waiter) + Waiter::OFFSET;
}

impl<T> WaitNode<T> {
    #[inline]
    pub(crate) fn new(kind: Kind, location: &'static Location<'static>) -> WaitNode<T> {
        WaitNode {
            waiter: Waiter::new(kind, location),
            slot: Cell::new(None),
            _pinned: PhantomPinned,
        }
    }

    #[inline]
    fn waiter(self: Pin<&Self>) -> Pin<&Waiter> {
        // SAFETY: structural pinning: the waiter is never moved out, and has no other pinned view.
        unsafe { self.map_unchecked(|node| &node.waiter) }
    }

    /// On whose behalf it waits, from now on.
    #[inline]
    pub(crate) fn set_location(&self, location: &'static Location<'static>) {
        self.waiter.set_location(location);
    }

    /// Whether it stands in a queue.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.waiter.is_linked()
    }
}

/// Who waits for a primitive, in order.
pub(crate) struct WaitQueue<T>(Queue<WaitNode<T>>);

impl<T> WaitQueue<T> {
    #[inline]
    pub(crate) const fn new() -> WaitQueue<T> {
        WaitQueue(Queue::new())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The id of the task that waits longest, if it is a task of ours.
    #[allow(dead_code, reason = "its users land next")]
    pub(crate) fn first_task(&self) -> Option<u64> {
        let node = self.0.first()?;
        // SAFETY: WAIT-4, a linked node lives.
        let node = unsafe { node.as_ref() };
        node.waiter.bare_task().map(TaskRef::id)
    }

    /// `Ready` with what was handed to `node`; else it waits, at the back if it did not before, and
    /// `cx` is woken when something is. `word` says what for, to people.
    #[inline]
    pub(crate) fn poll(&self, node: Pin<&WaitNode<T>>, cx: &Context<'_>, word: u64) -> Poll<T> {
        Core::with_current(|core| self.poll_in(core, node, cx, word))
    }

    /// As [`WaitQueue::poll`], for who knows the loop that is entered.
    pub(crate) fn poll_in(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Poll<T> {
        if let Some(value) = node.slot.take() {
            return Poll::Ready(value);
        }
        node.waiter().arm_in(cx, core);
        // A foreign waker's clone may have led somebody to hand us something.
        if let Some(value) = node.slot.take() {
            node.waiter().drop_waker();
            return Poll::Ready(value);
        }
        if !node.waiter.body().links.is_linked() {
            node.waiter.set_word(word);
            node.waiter.place.set(Place::Queue);
            self.0.push_back(node);
        }
        Poll::Pending
    }

    /// The short way into the queue, for nearly everybody: a node that waits nowhere, and the waker of
    /// the task that is polled. What was handed to it before is forgotten. `false`: nothing was done,
    /// [`WaitQueue::poll_in`] must do it.
    #[inline(always)]
    pub(crate) fn enter(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T>>,
        cx: &Context<'_>,
        word: u64,
    ) -> bool {
        let is_armed = node.waiter().arm_fresh(cx, core, word);
        if is_armed {
            node.slot.set(None);
            self.0.push_back(node);
        }
        is_armed
    }

    /// Takes out whoever waits longest.
    #[inline]
    fn pop(&self) -> Option<NonNull<WaitNode<T>>> {
        loop {
            let node = self.0.pop_front()?;
            // SAFETY: WAIT-4, it was linked until now.
            if unsafe { node.as_ref() }.waiter.kind.get() != Kind::Marker {
                return Some(node);
            }
        }
    }

    /// Puts `value` into the slot of a node that was just taken out, and wakes it.
    #[inline]
    fn deliver(node: NonNull<WaitNode<T>>, value: T) {
        // SAFETY: WAIT-4, it was linked until now; user code runs only at the very end.
        let node = unsafe { Pin::new_unchecked(node.as_ref()) };
        node.slot.set(Some(value));
        let wakeup = node.waiter().woken();
        // It stands in no list and holds no waker: as good as new (WAIT-3).
        node.waiter.place.set(Place::New);
        wakeup.wake();
    }

    /// Hands `value` to whoever waits longest and wakes it; gives it back if nobody waits.
    pub(crate) fn give(&self, value: T) -> Result<(), T> {
        match self.pop() {
            Some(node) => {
                Self::deliver(node, value);
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Hands `make()` to each of those who wait now; who joins meanwhile is not served.
    pub(crate) fn give_all(&self, mut make: impl FnMut() -> T) {
        let Some(first) = self.pop() else { return };
        if self.0.is_empty() {
            Self::deliver(first, make());
        } else {
            self.give_several(first, make);
        }
    }

    #[cold]
    fn give_several(&self, first: NonNull<WaitNode<T>>, mut make: impl FnMut() -> T) {
        let marker = pin!(WaitNode::new(Kind::Marker, Location::caller()));
        let marker = marker.as_ref();
        marker.waiter.body();
        marker.waiter.place.set(Place::Queue);
        self.0.push_back(marker);
        Self::deliver(first, make());
        // A nested call may take the marker out: then it has served all who stood before it.
        while marker.is_queued() {
            let Some(node) = self.0.pop_front() else {
                return;
            };
            if !ptr::eq(node.as_ptr(), &raw const *marker) {
                // SAFETY: WAIT-4, it was linked until now.
                if unsafe { node.as_ref() }.waiter.kind.get() != Kind::Marker {
                    Self::deliver(node, make());
                }
            }
        }
    }

    /// The future is dropped: `node` leaves the queue. What was handed to it and not fetched comes
    /// back, for the front of the line.
    #[inline]
    pub(crate) fn cancel(&self, node: Pin<&WaitNode<T>>) -> Option<T> {
        if node.waiter.is_new() {
            return node.slot.take();
        }
        if node.waiter.body().links.is_linked() && !self.0.unlink(node) {
            // Not ours to unlink: the future gave us another primitive's queue.
            forgotten_cancel();
        }
        node.waiter().drop_waker();
        node.slot.take()
    }
}
