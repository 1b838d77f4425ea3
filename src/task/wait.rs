//! The wait node: the one way in which any leaf future waits.
//!
//! *Role.* Sources, timers, locks, channels, pool jobs: each embeds a [`Waiter`], pinned inside the
//! future. The primitive finds it through its queue and wakes it; the task's end and the inspector
//! find it through the task's chain; a dropped future takes it out of both.
//!
//! *Model.* A node stands in two lists at once.
//!
//! ```text
//!     task header ── waits ──►┌────────┐──►┌────────┐          (chain: all waits of one task)
//!                             │ Waiter │   │ Waiter │
//!     wheel slot ◄───────────►└────────┘   │        │          (ring: heads that never move)
//!     source, lock, channel ◄──────────────└────────┘◄──► …    (queue: heads that may move)
//! ```
//!
//! It holds the waker, what it waits for, the user's line and since when. Nothing but four
//! bytes and the line is written before the first `Pending`: a future is moved by value a few times
//! before it is polled, and most never wait.
//!
//! *Bare and counted.* A waker is kept as a bare, uncounted pointer to its task if it *is* the waker
//! of the task that is being polled; every other is cloned. A bare pointer costs nothing to make and
//! nothing to drop, and the rules below make it safe.
//!
//! # Invariants
//!
//! - **WAIT-1** A bare pointer to a task stands only in nodes on that task's own chain. A task that
//!   finishes drops its future, stops being current, and then clears its chain ([`Waiter::forget_task`]),
//!   so no bare pointer outlives its task.
//! - **WAIT-2** A node joins only the chain of the *current* task, and a finished task never is.
//! - **WAIT-3** The body is written whenever the place leaves [`Place::New`], and read only while it is
//!   elsewhere. A node that is in no list and holds no waker may go back to `New`.
//! - **WAIT-4** A node is pinned before it is linked, and unlinked before it is gone: its `Drop` sees
//!   to it, and ends the process where it can't (a [`WaitQueue`]'s node whose future forgot `cancel`).
//! - **WAIT-5** User code (a foreign waker's clone, wake or drop) runs only while node and list are
//!   whole: clone first and change after; take out first and wake after.
//! - **WAIT-6** A future that is forgotten keeps its memory, so its nodes stay good; its primitive may
//!   move or die before it, so nodes never point at a head that can move, and heads detach on drop.
//! - **WAIT-7** A node in a [`WaitQueue`] has the place [`Place::Queue`].
//!
//! *Cost.* Registering, waking and cancelling are O(1) and allocate nothing. 72 bytes per node with
//! the record, 64 without.
//!
//! *Why not a counted waker in each node.* Measured by a prototype: 733 instructions per channel round
//! trip against 669, and nobody could tell what a task waits for.
#![expect(unsafe_code, reason = "intrusive nodes and bare task pointers")]

mod kind;
mod queue;
mod ring;
mod stand;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, RawWakerVTable, Waker};

use super::core::Core;
use super::failure;
use super::raw::{TaskRef, waker_wake};
use super::view::WaitView;
use super::waker;
use crate::list::{Chain, ChainLinks, Chained, Linked, Links, Ring};
use crate::shim::Cell;
use crate::wheel::{Timed, Wheel};

pub(crate) use kind::Kind;
pub(crate) use queue::{WaitNode, WaitQueue};
pub(crate) use ring::{TimerRings, WaitRing};
use stand::{Place, Stand};

/// What is written at the first `Pending`.
#[repr(C)]
struct Body {
    links: Links,
    chain: ChainLinks,
    /// A task's header (bare, `vtable` null), a waker's data, or null for none.
    data: Cell<*const ()>,
    vtable: Cell<*const RawWakerVTable>,
    word: Cell<u64>,
}

/// A wait: see the module's header.
#[repr(C)]
pub(crate) struct Waiter {
    body: UnsafeCell<MaybeUninit<Body>>,
    #[cfg(feature = "inspect")]
    location: Cell<&'static Location<'static>>,
    // Eight bytes without a gap, so that a new node's are one word to the compiler.
    kind: Cell<Kind>,
    is_woken: Cell<bool>,
    stand: Stand,
    #[cfg(feature = "inspect")]
    since: Cell<u32>,
    _pinned: PhantomPinned,
}

// SAFETY: the offset is that of the one `Links`; the node is `!Unpin` and its drop unlinks (WAIT-4).
// The body is written before the node is linked (WAIT-3).
unsafe impl Linked for Waiter {
    const OFFSET: usize = offset_of!(Waiter, body) + offset_of!(Body, links);
}

// SAFETY: as above, for the chain.
unsafe impl Chained for Waiter {
    const CHAIN_OFFSET: usize = offset_of!(Waiter, body) + offset_of!(Body, chain);
}

// SAFETY: reads a cell, which changes only while the node is in no wheel.
unsafe impl Timed for Waiter {
    #[inline]
    fn deadline_ns(&self) -> u64 {
        self.word()
    }
}

/// A waker that was taken out of a node: call it when no list is being walked.
#[must_use]
pub(crate) enum Wakeup {
    /// The task that was polled when the node was armed; waking it runs no user code.
    Task(TaskRef),
    /// A cloned waker, maybe a foreign one.
    Waker(Waker),
    /// Nobody: the task is done.
    Nobody,
}

impl Wakeup {
    /// # Safety
    /// `data` and `vtable` stood in a node's body, and will not be taken out of it again.
    #[inline]
    unsafe fn from_parts(data: *const (), vtable: *const RawWakerVTable) -> Wakeup {
        if !vtable.is_null() {
            // SAFETY: the parts come from a clone that `arm_counted` put there, and go out once.
            Wakeup::Waker(unsafe { Waker::new(data, &*vtable) })
        } else if data.is_null() {
            Wakeup::Nobody
        } else {
            // SAFETY: WAIT-1, a bare pointer's task is not finished, so the loop's reference keeps it.
            Wakeup::Task(unsafe { TaskRef::from_ptr(data.cast()) })
        }
    }

    #[inline(always)]
    pub(crate) fn wake(self) {
        match self {
            Wakeup::Task(task) => waker::wake_task(task),
            Wakeup::Waker(waker) => waker_wake(waker),
            Wakeup::Nobody => {}
        }
    }
}

impl Waiter {
    /// A node that waits for nothing yet; `location` is the line of the user's call.
    #[inline]
    pub(crate) fn new(kind: Kind, location: &'static Location<'static>) -> Waiter {
        #[cfg(not(feature = "inspect"))]
        let _ = location;
        Waiter {
            body: UnsafeCell::new(MaybeUninit::uninit()),
            #[cfg(feature = "inspect")]
            location: Cell::new(location),
            kind: Cell::new(kind),
            is_woken: Cell::new(false),
            stand: Stand::new(),
            #[cfg(feature = "inspect")]
            since: Cell::new(0),
            _pinned: PhantomPinned,
        }
    }

    /// The body; written on the way if this is the first use.
    #[inline]
    fn body(&self) -> &Body {
        if self.is_new() {
            self.write_body(ptr::null(), 0, Place::Ring);
        }
        // SAFETY: WAIT-3, it is written, now or before.
        unsafe { (*self.body.get()).assume_init_ref() }
    }

    /// Writes the body of a new node, with a bare pointer or null (WAIT-3).
    #[inline]
    fn write_body(&self, data: *const (), word: u64, place: Place) {
        debug_assert!(self.is_new());
        let fresh = Body {
            links: Links::new(),
            chain: ChainLinks::new(),
            data: Cell::new(data),
            vtable: Cell::new(ptr::null()),
            word: Cell::new(word),
        };
        // SAFETY: no reference to the body exists yet (WAIT-3), and nobody else can get here: the
        // node is not `Sync`.
        unsafe { (*self.body.get()).write(fresh) };
        self.stand.move_to(place);
    }

    /// Whether the body is not written (WAIT-3): it stands nowhere and holds no waker.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        self.stand.is_new()
    }

    /// The deadline, descriptor or address.
    #[inline]
    pub(crate) fn word(&self) -> u64 {
        self.body().word.get()
    }

    #[inline]
    pub(crate) fn set_word(&self, word: u64) {
        self.body().word.set(word);
    }

    /// Whether it is a timer whose loop ended.
    #[inline]
    pub(crate) fn is_orphan(&self) -> bool {
        self.kind.get() == Kind::Orphan
    }

    /// When it is due, if it is a timer that a turn has seen.
    pub(crate) fn deadline(&self) -> Option<u64> {
        (self.is_linked() && self.kind.get() == Kind::Timer).then(|| self.word())
    }

    /// On whose behalf it waits, from now on: for a node that serves one call after another.
    #[inline]
    pub(crate) fn set_location(&self, location: &'static Location<'static>) {
        #[cfg(feature = "inspect")]
        self.location.set(location);
        #[cfg(not(feature = "inspect"))]
        let _ = location;
    }

    /// What it waits for, from now on.
    #[inline]
    pub(crate) fn set_kind(&self, kind: Kind) {
        self.kind.set(kind);
    }

    /// Whether it stands in a ring or a queue.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        !self.is_new() && self.body().links.is_linked()
    }

    /// Whether it was woken since it was last armed.
    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        self.is_woken.get()
    }

    /// Keeps the waker of `cx`, in place of an earlier one, and joins the current task's chain. A
    /// foreign waker's clone runs first, the earlier one's drop last (WAIT-5).
    #[inline]
    pub(crate) fn arm(self: Pin<&Self>, cx: &Context<'_>) {
        Core::with_current(|core| self.arm_in(cx, core));
    }

    /// As [`Waiter::arm`], for who knows the loop that is entered.
    #[inline(always)]
    pub(crate) fn arm_in(self: Pin<&Self>, cx: &Context<'_>, core: Option<&Core>) {
        self.is_woken.set(false);
        let waker = cx.waker();
        match core.and_then(|core| core.current_task_of(waker)) {
            Some(task) => self.arm_bare(task, core),
            None => self.arm_counted(waker, core),
        }
    }

    /// WAIT-1: the bare pointer goes in together with the place on the task's own chain.
    #[inline(always)]
    fn arm_bare(self: Pin<&Self>, task: TaskRef, core: Option<&Core>) {
        if self.is_new() {
            self.write_body(task.as_ptr().cast(), 0, Place::Ring);
            task.waits().push_front(self);
            self.note_epoch(core);
        } else {
            self.rearm_bare(task, core);
        }
    }

    /// The first arming by the task that is being polled, which runs no user code: as [`Waiter::arm_bare`],
    /// with each word written once.
    ///
    /// # Safety
    /// The node is new. The caller's push to `place` writes its links at once, which are not read before.
    #[inline(always)]
    unsafe fn arm_first(self: Pin<&Self>, task: TaskRef, core: &Core, word: u64, place: Place) {
        debug_assert!(self.is_new());
        // SAFETY: as in `write_body`; the pushes write the links, which stand nowhere as yet.
        unsafe {
            let body = (*self.body.get()).as_mut_ptr();
            (&raw mut (*body).data).write(Cell::new(task.as_ptr().cast()));
            (&raw mut (*body).vtable).write(Cell::new(ptr::null()));
            (&raw mut (*body).word).write(Cell::new(word));
            task.waits().push_front_new(self);
        }
        self.stand.move_to(place);
        self.note_epoch(Some(core));
    }

    /// As [`Waiter::arm_bare`], for a node that waited before.
    fn rearm_bare(self: Pin<&Self>, task: TaskRef, core: Option<&Core>) {
        let body = self.body();
        let data = task.as_ptr().cast();
        if body.vtable.get().is_null() && body.data.get() == data {
            return;
        }
        let earlier = self.take_wakeup();
        body.data.set(data);
        task.waits().push_front(self);
        self.note_epoch(core);
        if let Wakeup::Waker(earlier) = earlier {
            failure::contain("a waker, as it was dropped,", || drop(earlier));
        }
    }

    #[cold]
    #[inline(never)]
    fn arm_counted(self: Pin<&Self>, waker: &Waker, core: Option<&Core>) {
        let body = self.body();
        let is_same = ptr::eq(body.vtable.get(), waker.vtable()) && body.data.get() == waker.data();
        let clone = (!is_same).then(|| waker.clone());
        Chain::unlink(self);
        let mut earlier = Wakeup::Nobody;
        if let Some(clone) = clone {
            earlier = self.take_wakeup();
            let clone = ManuallyDrop::new(clone);
            body.data.set(clone.data());
            body.vtable.set(clone.vtable());
        }
        if let Some(task) = core.and_then(Core::current_task) {
            task.waits().push_front(self);
        }
        self.note_epoch(core);
        if let Wakeup::Waker(earlier) = earlier {
            failure::contain("a waker, as it was dropped,", || drop(earlier));
        }
    }

    #[inline]
    fn note_epoch(&self, core: Option<&Core>) {
        #[cfg(feature = "inspect")]
        if let Some(core) = core {
            self.since.set(core.epoch.get());
        }
        #[cfg(not(feature = "inspect"))]
        let _ = core;
    }

    /// Takes the waker out and leaves the task's chain; the node stays in its ring or queue.
    #[inline]
    fn take_wakeup(self: Pin<&Self>) -> Wakeup {
        let body = self.body();
        Chain::unlink(self);
        let (data, vtable) = (
            body.data.replace(ptr::null()),
            body.vtable.replace(ptr::null()),
        );
        // SAFETY: they are those of a body, which has forgotten them.
        unsafe { Wakeup::from_parts(data, vtable) }
    }

    /// Whether it holds a waker, bare or cloned.
    #[inline]
    fn has_waker(&self) -> bool {
        let body = self.body();
        !(body.data.get().is_null() && body.vtable.get().is_null())
    }

    /// The task whose bare pointer it holds, if any.
    fn bare_task(&self) -> Option<TaskRef> {
        self.body();
        // SAFETY: it is written, now or before.
        unsafe { self.queued_task() }
    }

    /// As [`Waiter::bare_task`], for a node in a queue.
    ///
    /// # Safety
    /// The body is written (WAIT-3).
    #[inline(always)]
    unsafe fn queued_task(&self) -> Option<TaskRef> {
        // SAFETY: the caller's promise.
        let body = unsafe { (*self.body.get()).assume_init_ref() };
        let data = body.data.get();
        // SAFETY: WAIT-1, a bare pointer's task is not finished, so the loop's reference keeps it.
        (body.vtable.get().is_null() && !data.is_null())
            .then(|| unsafe { TaskRef::from_ptr(data.cast()) })
    }

    /// Was taken off its ring or queue to be woken, or never stood in one.
    #[inline]
    pub(crate) fn woken(self: Pin<&Self>) -> Wakeup {
        self.is_woken.set(true);
        self.take_wakeup()
    }

    /// As [`Waiter::woken`], for a node that was taken off its queue: it stands in no list then and
    /// holds no waker, so it is as good as new.
    ///
    /// # Safety
    /// The body is written (WAIT-3).
    #[inline(always)]
    unsafe fn woken_from_queue(self: Pin<&Self>) -> Wakeup {
        // SAFETY: the caller's promise.
        let body = unsafe { (*self.body.get()).assume_init_ref() };
        // SAFETY: the caller's promise; the parts are those of a wakeup, and nobody reads the body of a new
        // node again.
        unsafe {
            self.leave_chain();
            Wakeup::from_parts(body.data.get(), body.vtable.get())
        }
    }

    /// As [`Waiter::woken_from_queue`], if the caller knows whom to wake.
    ///
    /// # Safety
    /// The body is written (WAIT-3), and its waker is the caller's from now on.
    #[inline(always)]
    unsafe fn leave_chain(self: Pin<&Self>) {
        debug_assert!(!self.is_new());
        // SAFETY: nobody reads the links of a new node (WAIT-3).
        unsafe { Chain::leave(self) };
        self.stand.move_to(Place::New);
    }

    /// Waits no more: leaves its ring and its chain, and drops its waker. Not for a queue's node.
    #[inline]
    pub(crate) fn disarm(self: Pin<&Self>) {
        if self.is_new() {
            return;
        }
        debug_assert_eq!(self.stand.place(), Place::Ring);
        Wheel::cancel(self);
        self.drop_waker();
        self.is_woken.set(false);
    }

    #[inline]
    fn drop_waker(self: Pin<&Self>) {
        if self.body().vtable.get().is_null() {
            Chain::unlink(self);
            self.body().data.set(ptr::null());
            return;
        }
        self.drop_counted();
    }

    #[cold]
    #[inline(never)]
    fn drop_counted(self: Pin<&Self>) {
        if let Wakeup::Waker(waker) = self.take_wakeup() {
            failure::contain("a waker, as it was dropped,", || drop(waker));
        }
    }

    /// A task is done: its bare pointers are forgotten, its cloned wakers stay (WAIT-1).
    #[inline]
    pub(crate) fn forget_task(waits: Pin<&Chain<Waiter>>) {
        while let Some(node) = waits.pop_front() {
            // SAFETY: WAIT-4, a node on a chain lives.
            let body = unsafe { node.as_ref() }.body();
            if body.vtable.get().is_null() {
                body.data.set(ptr::null());
            }
        }
    }

    /// Shows each waker that was cloned into a node of a chain; no user code runs in `see`.
    pub(crate) fn each_counted(waits: Pin<&Chain<Waiter>>, mut see: impl FnMut(&Waker)) {
        // SAFETY: nothing is linked or unlinked while they are looked at.
        for node in unsafe { waits.iter() } {
            // SAFETY: WAIT-4, a node on a chain lives.
            let body = unsafe { node.as_ref() }.body();
            let vtable = body.vtable.get();
            if !vtable.is_null() {
                // SAFETY: the parts of a waker that the node keeps, which gives none of them back.
                see(&ManuallyDrop::new(unsafe {
                    Waker::new(body.data.get(), &*vtable)
                }));
            }
        }
    }

    /// What the nodes of a chain wait for, in the order in which they were armed.
    pub(crate) fn views(waits: Pin<&Chain<Waiter>>) -> Vec<WaitView> {
        // SAFETY: nothing is linked or unlinked while they are looked at.
        let nodes = unsafe { waits.iter() };
        // SAFETY: WAIT-4, a node on a chain lives.
        let mut views: Vec<_> = nodes.map(|node| unsafe { node.as_ref() }.view()).collect();
        views.reverse();
        views
    }

    fn view(&self) -> WaitView {
        let kind = self.kind.get();
        WaitView {
            kind,
            target: kind.target(if self.is_new() { 0 } else { self.word() }),
            #[cfg(feature = "inspect")]
            location: Some(self.location.get()),
            #[cfg(feature = "inspect")]
            epoch: Some(self.since.get()),
            #[cfg(not(feature = "inspect"))]
            location: None,
            #[cfg(not(feature = "inspect"))]
            epoch: None,
        }
    }
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view();
        match view.location {
            Some(line) => write!(f, "{}, at {line}", view.target),
            None => view.target.fmt(f),
        }
    }
}

impl Waiter {
    /// The drop of a node that stands in a ring, or in none.
    #[inline(always)]
    fn drop_from_ring(self: Pin<&Self>) {
        // SAFETY: WAIT-7, it stands in no queue; and nobody uses the links of a dropped node.
        unsafe { Ring::leave(self) };
        // SAFETY: WAIT-3, it is not new.
        let body = unsafe { (*self.body.get()).assume_init_ref() };
        if body.vtable.get().is_null() {
            // SAFETY: WAIT-4, nobody reaches a dropped node by its chain any more.
            unsafe { Chain::leave(self) };
        } else {
            self.drop_counted();
        }
    }

    /// The drop of a queue's node, which must have left it by now.
    #[cold]
    #[inline(never)]
    fn drop_from_queue(self: Pin<&Self>) {
        if self.body().links.is_linked() {
            forgotten_cancel();
        }
        self.drop_waker();
    }
}

impl Drop for Waiter {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: WAIT-4, whatever is linked was pinned, and a drop does not move it. The reference
        // is shared: neighbours reach this node through theirs.
        let node = unsafe { Pin::new_unchecked(&*self) };
        match node.stand.place() {
            Place::New => {}
            Place::Ring => node.drop_from_ring(),
            Place::Queue => node.drop_from_queue(),
        }
    }
}

/// WAIT-4: a dangling node in a queue would be written to by the next wake.
#[cold]
fn forgotten_cancel() -> ! {
    failure::write_line("a wait node was dropped while queued; its future's drop must cancel it");
    std::process::abort()
}
