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
//! *Requests.* Where not everybody asks for the same (so many permits, to read or to write), each node has
//! a request, and who serves the line looks at the first one's before it gives.
//!
//! *Ghosts.* A node without a waker, whose task has ended since it was polled: its future was forgotten,
//! or moved to a task that has not polled it yet. Who hands over what is not to be lost asks
//! [`WaitQueue::first`], or hands it over by [`WaitQueue::give_awake`]: both take them out. A moved future
//! that comes again finds that it stands nowhere, and joins the line anew.
//!
//! # Invariants
//!
//! Those of [`super`]: WAIT-4 (a linked node lives), WAIT-5 (user code runs last) and WAIT-6.
//!
//! - **WAIT-8** A node's slot holds a value exactly while its [`Stand`](super::Stand) says so. Whoever sets the one sets the
//!   other before anything else can look.
//!
//! The queue has no head that nodes point at, so the primitive may move while forgotten nodes stand
//! in it; its drop detaches them.
//!
//! *Why not an `Option` in the slot.* It makes a node that is handed nothing but the wake itself a word longer, and
//! such a node is in each connection that waits; the waiter has a byte to spare.
#![expect(unsafe_code, reason = "reaches nodes through a queue")]

use std::cell::UnsafeCell;
use std::marker::PhantomPinned;
use std::mem::{ManuallyDrop, MaybeUninit, needs_drop, offset_of};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use super::{Core, Kind, Place, TaskRef, Waiter, forgotten_cancel, waker};
use crate::list::{Linked, Queue};
use crate::shim::Cell;

/// A waiter with a typed slot for what is handed to it, and what it asks for.
#[repr(C)]
pub(crate) struct WaitNode<T, R: Copy = ()> {
    /// Dropped by the node's own drop, which is short where it waits for nothing.
    waiter: ManuallyDrop<Waiter>,
    /// WAIT-8.
    slot: UnsafeCell<MaybeUninit<T>>,
    request: Cell<R>,
    _pinned: PhantomPinned,
}

// SAFETY: the offset is that of the one `Links`; the node is `!Unpin` and its drop unlinks (WAIT-4).
unsafe impl<T, R: Copy> Linked for WaitNode<T, R> {
    const OFFSET: usize = offset_of!(WaitNode<T, R>, waiter) + Waiter::OFFSET;
}

impl<T> WaitNode<T> {
    #[inline]
    pub(crate) fn new(kind: Kind, location: &'static Location<'static>) -> WaitNode<T> {
        WaitNode::with(kind, location, ())
    }
}

impl<T, R: Copy> WaitNode<T, R> {
    /// A node that asks for `request`.
    #[inline]
    pub(crate) fn with(
        kind: Kind,
        location: &'static Location<'static>,
        request: R,
    ) -> WaitNode<T, R> {
        WaitNode {
            waiter: ManuallyDrop::new(Waiter::new(kind, location)),
            slot: UnsafeCell::new(MaybeUninit::uninit()),
            request: Cell::new(request),
            _pinned: PhantomPinned,
        }
    }

    /// What was handed to it.
    #[inline]
    pub(crate) fn fetch(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        self.waiter.stand.set_given(false);
        // SAFETY: WAIT-8, there was a value until now, and from now on there is none; no reference into the slot
        // outlives a function of this file.
        Some(unsafe { (*self.slot.get()).assume_init_read() })
    }

    /// Empties the slot; the answer has what lay in it, if anybody could see that dropped.
    #[inline]
    fn leave(&self) -> Option<T> {
        if needs_drop::<T>() {
            return self.fetch();
        }
        self.waiter.stand.set_given(false);
        None
    }

    /// Puts `value` into the slot; what lay in it is dropped, after that.
    #[inline]
    fn fill(&self, value: T) {
        let former = self.leave();
        // SAFETY: WAIT-8, the slot is empty, and nobody has a reference into it.
        unsafe { (*self.slot.get()).write(value) };
        self.waiter.stand.set_given(true);
        drop(former);
    }

    /// What it asks for.
    #[inline]
    pub(crate) fn request(&self) -> R {
        self.request.get()
    }

    /// What it asks for, from now on.
    #[inline]
    pub(crate) fn set_request(&self, request: R) {
        self.request.set(request);
    }

    #[inline]
    fn waiter(self: Pin<&Self>) -> Pin<&Waiter> {
        // SAFETY: structural pinning: the waiter is never moved out, and has no other pinned view.
        unsafe { self.map_unchecked(|node| &*node.waiter) }
    }

    /// On whose behalf it waits, from now on.
    #[inline]
    pub(crate) fn set_location(&self, location: &'static Location<'static>) {
        self.waiter.set_location(location);
    }

    /// What it waits for in particular, said once it stands in a queue: for a wait whose descriptor says nothing to people.
    pub(crate) fn set_word(&self, word: u64) {
        if self.is_queued() {
            self.waiter.set_word(word);
        }
    }

    /// Whether it stands in a queue.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.waiter.is_linked()
    }

    /// Whether it stands nowhere and holds no waker: it never waited, or was served.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        self.waiter.is_new()
    }

    /// Whether there is nothing to cancel: it stands nowhere, holds no waker, and nothing lies in it.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.waiter.stand.is_idle()
    }

    /// Whether it stands nowhere and holds no waker, and something lies in it.
    #[inline]
    pub(crate) fn is_laden(&self) -> bool {
        self.waiter.stand.is_laden()
    }

    #[inline]
    fn is_empty(&self) -> bool {
        !self.waiter.stand.is_given()
    }

    /// Whether what lies in it passes `test`, in which no user code runs.
    #[inline]
    pub(crate) fn brings(&self, test: impl FnOnce(&T) -> bool) -> bool {
        // SAFETY: WAIT-8, there is a value if the waiter says so, and it stays while `test` runs.
        !self.is_empty() && test(unsafe { (*self.slot.get()).assume_init_ref() })
    }

    /// Puts `value` into the slot of a node that stands in no queue: for later, or for whoever serves it
    /// when it has queued by [`WaitQueue::poll_bringing`].
    #[inline]
    pub(crate) fn put(&self, value: T) {
        debug_assert!(!self.is_queued());
        self.fill(value);
    }
}

impl<T, R: Copy> Drop for WaitNode<T, R> {
    #[inline(always)]
    fn drop(&mut self) {
        // A new waiter has nothing to drop.
        let has_nothing = match needs_drop::<T>() {
            true => self.is_idle(),
            false => self.is_new(),
        };
        if !has_nothing {
            // SAFETY: dropped here alone, once, for `ManuallyDrop` keeps the glue from doing it again.
            unsafe { self.drop_parts() };
        }
    }
}

impl<T, R: Copy> WaitNode<T, R> {
    /// # Safety
    /// The node is not used again.
    #[cold]
    #[inline(never)]
    unsafe fn drop_parts(&mut self) {
        // Dropped last, for that may run user code.
        let _given = self.fetch();
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut self.waiter) };
    }
}

/// Who waits for a primitive, in order.
pub(crate) struct WaitQueue<T, R: Copy = ()>(Queue<WaitNode<T, R>>);

impl<T, R: Copy> WaitQueue<T, R> {
    #[inline]
    pub(crate) const fn new() -> WaitQueue<T, R> {
        WaitQueue(Queue::new())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many wait. O(n): for people, not for the path of every hand-off.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: nothing is linked or unlinked during the walk, and WAIT-4.
        let nodes = unsafe { self.0.iter() };
        // SAFETY: WAIT-4, a linked node lives.
        let waits = nodes.filter(|node| unsafe { node.as_ref() }.waiter.kind.get() != Kind::Marker);
        waits.count()
    }

    /// What the one who waits longest asks for; ghosts that stand before it are taken out.
    #[inline]
    pub(crate) fn first(&self) -> Option<R> {
        self.first_or(|_| false)
    }

    /// As [`WaitQueue::first`]; who `is_kept` by its request is no ghost, also without a waker.
    #[inline]
    pub(crate) fn first_or(&self, is_kept: impl Fn(R) -> bool) -> Option<R> {
        loop {
            // SAFETY: WAIT-4, a linked node lives.
            let node = unsafe { self.0.first()?.as_ref() };
            let request = node.request.get();
            if node.waiter.has_waker() || is_kept(request) {
                return Some(request);
            }
            self.take_out();
        }
    }

    /// Takes the first node out, which has no waker. A marker goes on its way: who walks the queue sees that
    /// it does not stand here any more.
    fn take_out(&self) {
        if let Some(ghost) = self.0.pop_front() {
            // SAFETY: WAIT-4, it was linked until now. It stands in no list and holds no waker: as good as
            // new (WAIT-3).
            unsafe { ghost.as_ref() }.waiter.stand.move_to(Place::New);
        }
    }

    /// Takes out the ghosts at the front, but for those that bring what `is_kept`, in which no user code runs;
    /// `left` is called for each.
    pub(crate) fn skip_ghosts(&self, is_kept: impl Fn(&T) -> bool, mut left: impl FnMut()) {
        while let Some(first) = self.0.first() {
            // SAFETY: WAIT-4, a linked node lives.
            let node = unsafe { first.as_ref() };
            if node.waiter.has_waker() || node.brings(&is_kept) {
                return;
            }
            if node.waiter.kind.get() != Kind::Marker {
                left();
            }
            self.take_out();
        }
    }

    /// Joins the line without a waker, if `node` stands nowhere: its poll will bring one.
    pub(crate) fn join(&self, node: Pin<&WaitNode<T, R>>, word: u64) {
        if !node.is_queued() {
            node.waiter.body();
            node.waiter.set_word(word);
            node.waiter.stand.move_to(Place::Queue);
            self.0.push_back(node);
        }
    }

    /// The id of the task that waits longest, if it is a task of ours.
    pub(crate) fn first_task(&self) -> Option<u64> {
        let node = self.0.first()?;
        // SAFETY: WAIT-4, a linked node lives.
        let node = unsafe { node.as_ref() };
        node.waiter.bare_task().map(TaskRef::id)
    }

    /// `Ready` with what was handed to `node`; else it waits, at the back if it did not before, and
    /// `cx` is woken when something is. `word` says what for, to people.
    #[inline]
    pub(crate) fn poll(&self, node: Pin<&WaitNode<T, R>>, cx: &Context<'_>, word: u64) -> Poll<T> {
        Core::with_current(|core| self.poll_in(core, node, cx, word))
    }

    /// As [`WaitQueue::poll`], for who knows the loop that is entered.
    pub(crate) fn poll_in(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T, R>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Poll<T> {
        if let Some(value) = node.fetch() {
            return Poll::Ready(value);
        }
        node.waiter().arm_in(cx, core);
        // A foreign waker's clone may have led somebody to hand us something.
        if let Some(value) = node.fetch() {
            node.waiter().drop_waker();
            return Poll::Ready(value);
        }
        if !node.waiter.body().links.is_linked() {
            node.waiter.set_word(word);
            node.waiter.stand.move_to(Place::Queue);
            self.0.push_back(node);
        }
        Poll::Pending
    }

    /// The short way into the queue, for nearly everybody: a node that waits nowhere, and the waker of
    /// the task that is polled, which is the answer. What was handed to it before is forgotten. `None`:
    /// nothing was done, [`WaitQueue::poll_in`] must do it.
    #[must_use]
    #[inline(always)]
    pub(crate) fn enter(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T, R>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Option<TaskRef> {
        if !node.is_new() {
            return None;
        }
        let core = core?;
        let task = core.current_task_of(cx.waker())?;
        let former = node.leave();
        // SAFETY: it is new, and linked at once.
        unsafe {
            node.waiter().arm_first(task, core, word, Place::Queue);
            self.0.push_back_new(node);
        }
        drop(former);
        Some(task)
    }

    /// As [`WaitQueue::poll_in`], for a node that brings something: what was [put](WaitNode::put) into its
    /// slot is there for [`WaitQueue::exchange`] while it waits, and comes back by its cancel.
    pub(crate) fn poll_bringing(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T, R>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Poll<T> {
        let was_queued = node.is_queued();
        node.waiter().arm_in(cx, core);
        if !was_queued {
            node.waiter.set_word(word);
            node.waiter.stand.move_to(Place::Queue);
            self.0.push_back(node);
        } else if !node.is_queued() {
            // A foreign waker's clone has led somebody to serve us.
            node.waiter().drop_waker();
            if let Some(answer) = node.fetch() {
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    }

    /// Takes what the one who waits longest has brought, and hands it the answer; `false`: nobody waits.
    /// No user code runs in `answer`.
    pub(crate) fn exchange(&self, answer: impl FnOnce(Option<T>) -> T) -> bool {
        // SAFETY: it is delivered to, and `answer` runs no user code.
        let Some(node) = (unsafe { self.pop() }) else {
            return false;
        };
        // SAFETY: WAIT-4, it was linked until now.
        let brought = unsafe { node.as_ref() }.fetch();
        Self::deliver(node, answer(brought));
        true
    }

    /// Whether the one who waits longest has brought what passes `test`, in which no user code runs.
    pub(crate) fn first_brings(&self, test: impl FnOnce(&T) -> bool) -> bool {
        let Some(node) = self.0.first() else {
            return false;
        };
        // SAFETY: WAIT-4, a linked node lives.
        unsafe { node.as_ref() }.brings(test)
    }

    /// Takes out whoever waits longest.
    ///
    /// # Safety
    /// It is [delivered](WaitQueue::deliver) to before anybody asks where it stands.
    #[inline]
    unsafe fn pop(&self) -> Option<NonNull<WaitNode<T, R>>> {
        loop {
            // SAFETY: either way it is as good as new next, and nobody reads the links of a new node (WAIT-3).
            let node = unsafe { self.0.take_front()? };
            // SAFETY: WAIT-4, it was linked until now.
            let waiter = unsafe { &node.as_ref().waiter };
            if waiter.kind.get() != Kind::Marker {
                return Some(node);
            }
            waiter.stand.move_to(Place::New);
        }
    }

    /// Puts `value` into the slot of a node that was just taken out, and wakes it.
    #[inline(always)]
    fn deliver(node: NonNull<WaitNode<T, R>>, value: T) {
        // SAFETY: WAIT-4, it was linked until now; user code runs only at the very end.
        let node = unsafe { Pin::new_unchecked(node.as_ref()) };
        node.fill(value);
        // SAFETY: WAIT-7, its body is written.
        unsafe { node.waiter().woken_from_queue() }.wake();
    }

    /// Hands `value` to whoever waits longest and wakes it; gives it back if nobody waits.
    #[inline(always)]
    pub(crate) fn give(&self, value: T) -> Result<(), T> {
        // SAFETY: it is delivered to at once.
        match unsafe { self.pop() } {
            Some(node) => {
                Self::deliver(node, value);
                Ok(())
            }
            None => Err(value),
        }
    }

    /// As [`WaitQueue::give`], past the ghosts, which are taken out; `left` is called for each that leaves the
    /// queue.
    pub(crate) fn give_awake(&self, value: T, mut left: impl FnMut()) -> Result<(), T> {
        self.skip_ghosts(|_| false, &mut left);
        if self.is_empty() {
            return Err(value);
        }
        left();
        self.give(value)
    }

    /// The short way of [`WaitQueue::give_awake`], to nearly everybody: it is gone only if the one who stands
    /// first is a task that waits with the waker it was polled with.
    #[inline(always)]
    pub(crate) fn give_task(&self, value: T, left: impl FnOnce()) -> Result<(), T> {
        let Some(first) = self.0.first() else {
            return Err(value);
        };
        // SAFETY: WAIT-4, a linked node lives; user code runs only at the very end, if at all.
        let node = unsafe { Pin::new_unchecked(first.as_ref()) };
        // SAFETY: WAIT-7, its body is written.
        let Some(task) = (unsafe { node.waiter().queued_task() }) else {
            return Err(value);
        };
        left();
        // SAFETY: it is as good as new next, and nobody reads the links of a new node (WAIT-3).
        let _ = unsafe { self.0.take_front() };
        node.fill(value);
        // SAFETY: it has left its queue just now, with a bare pointer.
        unsafe { node.waiter().leave_chain() };
        waker::wake_task(task);
        Ok(())
    }

    /// Hands `make()` to each of those who wait now; who joins meanwhile is not served.
    pub(crate) fn give_all(&self, mut make: impl FnMut() -> T) {
        // SAFETY: it is delivered to, and until then nobody asks.
        let Some(first) = (unsafe { self.pop() }) else {
            return;
        };
        if self.0.is_empty() {
            Self::deliver(first, make());
        } else {
            self.give_several(first, make);
        }
    }

    #[cold]
    fn give_several(&self, first: NonNull<WaitNode<T, R>>, mut make: impl FnMut() -> T) {
        // SAFETY: WAIT-4, it was linked until now.
        let request = unsafe { first.as_ref() }.request.get();
        let marker = pin!(WaitNode::with(Kind::Marker, Location::caller(), request));
        let marker = marker.as_ref();
        marker.waiter.body();
        marker.waiter.stand.move_to(Place::Queue);
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
    pub(crate) fn cancel(&self, node: Pin<&WaitNode<T, R>>) -> Option<T> {
        if node.waiter.is_new() {
            return node.fetch();
        }
        if node.waiter.body().links.is_linked() && !self.0.unlink(node) {
            // Not ours to unlink: the future gave us another primitive's queue.
            forgotten_cancel();
        }
        node.waiter().drop_waker();
        node.fetch()
    }
}
