//! The children of a scope: tasks that nobody but their scope polls and drops, so that they may borrow.
//!
//! *Role.* [`crate::scope`] keeps a [`Keeper`] in its future, which runs the children, and gives each user
//! of the scope an [`Entry`], which takes new ones in. Both are safe to use: what makes borrowing sound is
//! in this file alone.
//!
//! *Model.* A child is a task like any other, with a block, a record, waits and wakers, but for three
//! things: it stands in its scope's ring and not in the loop's owned list; what makes it ready puts it
//! into the scope's queue; and the scope, woken for that, polls it within its own poll.
//!
//! ```text
//!   Core ── scopes ──► Children ◄── Rc ── Keeper<'env>   in the scope's future: polls, drops
//!                       │  │  └◄── Rc ── Entry<'env>    in each `Scope`: spawns
//!         ring, ready   │  └─ parent: the wait node of whoever awaits the scope
//!                       ▼
//!   wake, abort ──► child ── first word of its stage: its Children
//! ```
//!
//! # Invariants
//!
//! - **SCOPE-1** The children are polled and dropped by methods of the one `Keeper<'env>` alone. Whoever calls
//!   one has a `Keeper<'env>`, so `'env` has not ended, and what a child borrows is there.
//! - **SCOPE-2** A `Keeper`'s drop leaves no unfinished child behind, and from then on none is taken in:
//!   it is dropped at once, inside the call that gives it, whose caller's `Entry<'env>` keeps `'env` alive.
//!   Both types are invariant in `'env`, so that it is one and the same for all.
//! - **SCOPE-3** A `Keeper` that is forgotten never gives back its share of the `Children`. So they live for
//!   ever, and with them the children's blocks, whose reference they hold (RAW-2), and the core, of which
//!   they and each block have a share. Wakers, handles and primitives still reach those blocks, but none of
//!   them polls or drops a future: a wake links the block into the queue of the `Children` and wakes the
//!   parent, whose bare pointer is cleared if it is done (WAIT-1). The futures are never touched again, nor
//!   is what they borrow.
//! - **SCOPE-4** `Children` stand in an `Rc`, so they never move, and leave the core's ring as they go.
//! - **SCOPE-5** The stage of an unfinished child begins with the address of its `Children`. It is read
//!   only after a transition that an unfinished task makes; no user code runs between the write of a
//!   result over it and the transition to done.
//!
//! *Cost.* A child costs what a task costs and 8 bytes. All is O(1) but the drop of what is left.
//!
//! *Why not the owned list.* The loop's end, and an abort, would drop a future whose scope was forgotten and
//! whose borrows have ended. *Why not `FuturesUnordered`.* A waker and a queue entry for each child with
//! atomics in both, no task that could be named, aborted or asked what it waits for.
#![expect(
    unsafe_code,
    reason = "tasks that borrow, and the word by which a child finds its scope"
)]

use std::alloc::Layout;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::block;
use super::core::{Core, SPAWNS};
use super::failure::{self, Escaped, Payload};
use super::join::JoinHandle;
use super::marks::{SCOPED, UNPOOLED};
use super::queue::ReadyQueue;
use super::raw::{Header, Origin, TaskRef};
use super::record::SpawnMeta;
use super::resource::Tag;
use super::stage::Block;
use super::wait::{Kind, Waiter};
use crate::list::{Linked, Links, Ring};
use crate::pin::pinned_mut;

/// What a scope's future, its users and its children share: see the module's header.
pub(crate) struct Children {
    links: Links,
    core: NonNull<Core>,
    /// Those that are unfinished, in spawn order.
    ring: Ring<Header>,
    /// Those that are to be polled.
    ready: ReadyQueue,
    /// Whoever polled the scope last and waits.
    parent: Waiter,
    tag: Tag,
    /// The scope's poll is under way, which looks at the queue at its end.
    is_polled: Cell<bool>,
    /// Something else than a ready child asks for the scope's next poll.
    has_news: Cell<bool>,
    /// No child is taken in any more.
    is_closed: Cell<bool>,
    /// The first panic of a child.
    panic: Cell<Option<Escaped>>,
    has_panicked: Cell<bool>,
}

// SAFETY: LIST's contract: the offset is that of the one `Links` field; `Children` are pinned in their
// `Rc`, and unlinked by their drop (SCOPE-4).
unsafe impl Linked for Children {
    const OFFSET: usize = offset_of!(Children, links);
}

/// What stands in a child's block.
#[repr(C)]
struct Child<F> {
    /// SCOPE-5: first, where [`TaskRef::schedule_child`] finds it.
    children: *const Children,
    future: F,
}

impl<F: Future> Future for Child<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        pinned_mut!(self, future).poll(cx)
    }
}

impl TaskRef {
    /// Puts a child that was just marked as queued into its scope's queue.
    #[inline(never)]
    pub(super) fn schedule_child(self) {
        // SAFETY: SCOPE-5, an unfinished child's stage begins with it; SCOPE-2 and SCOPE-3, they live for
        // as long as an unfinished child does.
        let children = unsafe { &**self.stage().cast::<*const Children>() };
        children.push(self);
    }
}

impl TaskRef {
    /// The number of the scope whose child this unfinished task is, if it is one.
    pub(super) fn scope(self) -> Option<u64> {
        let header = self.header();
        if !header.marks.has(SCOPED) || header.state.is_done() {
            return None;
        }
        // SAFETY: SCOPE-5, as above: no user code runs, so nobody looks, between the write of a result and
        // the transition to done.
        let children = unsafe { &**self.stage().cast::<*const Children>() };
        Some(children.tag.number())
    }
}

impl Children {
    fn core(&self) -> &Core {
        // SAFETY: the share of the core that `Keeper::new` took for us keeps it.
        unsafe { self.core.as_ref() }
    }

    pub(super) fn ring(&self) -> Pin<&Ring<Header>> {
        // SAFETY: SCOPE-4, they never move.
        unsafe { Pin::new_unchecked(&self.ring) }
    }

    fn parent(&self) -> Pin<&Waiter> {
        // SAFETY: SCOPE-4, as above.
        unsafe { Pin::new_unchecked(&self.parent) }
    }

    /// The scope is polled in a later tick, also if that poll finds no child ready.
    fn notify(&self) {
        self.has_news.set(true);
        self.wake_parent();
    }

    fn wake_parent(&self) {
        if !self.is_polled.get() {
            self.parent().woken().wake();
        }
    }

    /// The first in the queue wakes the parent, once for all who come until it is polled.
    #[inline]
    fn push(&self, child: TaskRef) {
        let is_first = self.ready.is_empty();
        self.ready.push(child);
        if is_first {
            self.wake_parent();
        }
    }

    /// Takes in a new child; the caller gets the join handle's reference.
    ///
    /// # Safety
    /// SCOPE-1: what the future and its output borrow is there for as long as the scope's `'env`, which has
    /// not ended.
    #[inline]
    unsafe fn add<F: Future>(&self, future: F, meta: SpawnMeta) -> TaskRef {
        let core = self.core();
        let layout = Layout::new::<Block<Child<F>>>();
        let (block, marks) = if core.is_current() {
            core.acquire_local();
            (core.free.take(layout).0, SCOPED)
        } else {
            // The loop may be gone, and its half of the count with it.
            core.acquire_shared();
            (block::allocate(layout), SCOPED | UNPOOLED)
        };
        let child = Child {
            children: std::ptr::from_ref(self),
            future,
        };
        let has_extra = meta.extra.is_some();
        // SAFETY: the block is new, has the layout, and comes with a share.
        let task = unsafe { TaskRef::write(core, block, child, meta, Origin::Local) };
        task.header().marks.set(marks);
        task.adopt(core, has_extra);
        // SAFETY: RAW-4, headers don't move; it is unlinked in `finish`.
        self.ring()
            .push_back(unsafe { Pin::new_unchecked(task.header()) });
        if self.is_closed.get() || core.is_closing() {
            task.drop_for_close(core);
            task.release_popped();
            if let Some(escaped) = core.escaped.take() {
                escaped.report(core);
            }
        } else {
            self.push(task);
            if core.has_watch(SPAWNS) {
                core.tell_spawn(task);
            }
        }
        task
    }

    /// Keeps the first panic of a child; the others are reported.
    #[inline]
    fn collect_panic(&self) {
        if let Some(escaped) = self.core().escaped.take() {
            self.keep_panic(*escaped);
        }
    }

    #[cold]
    fn keep_panic(&self, escaped: Escaped) {
        match self.panic.take() {
            None => {
                self.panic.set(Some(escaped));
                self.has_panicked.set(true);
                self.has_news.set(true);
            }
            Some(first) => {
                self.panic.set(Some(first));
                escaped.report(self.core());
            }
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        // SAFETY: SCOPE-4, they stand in their `Rc` to the end.
        Ring::unlink(unsafe { Pin::new_unchecked(&*self) });
        if self.core().is_current() {
            self.core().release_local();
        } else {
            // SAFETY: our own share, not used afterwards.
            unsafe { Core::release_shared(self.core) };
        }
    }
}

/// Takes children in, for as long as `'env` lasts. Clones are the same.
pub(crate) struct Entry<'env> {
    children: Rc<Children>,
    _env: PhantomData<Cell<&'env ()>>,
}

impl Clone for Entry<'_> {
    fn clone(&self) -> Self {
        Entry {
            children: Rc::clone(&self.children),
            _env: PhantomData,
        }
    }
}

impl<'env> Entry<'env> {
    /// A new child, polled in a later tick; one that comes too late is dropped at once, and its handle says
    /// aborted.
    #[inline]
    pub(crate) fn spawn<F>(&self, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + 'env,
    {
        // SAFETY: SCOPE-1, `F: 'env`, and we have an `Entry<'env>`. JOIN-1: the handle's reference comes with
        // the task, and this thread, which an `Rc` never leaves, is the loop's.
        unsafe { JoinHandle::new(self.children.add(future, meta)) }
    }

    /// The scope is polled again, to see what has changed beside its children.
    pub(crate) fn notify(&self) {
        self.children.notify();
    }

    /// How many children are unfinished. O(n).
    pub(crate) fn count(&self) -> usize {
        // SAFETY: nobody is linked or unlinked meanwhile.
        unsafe { self.children.ring().iter() }.count()
    }
}

/// What [`Keeper::run_next`] did.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// No child was ready.
    Nothing,
    /// One child ran.
    Child,
    /// The same, and it is time to look at the clock.
    LookDue,
}

/// Polls and drops the children; the scope's future has it.
pub(crate) struct Keeper<'env> {
    children: Rc<Children>,
    _env: PhantomData<Cell<&'env ()>>,
}

impl<'env> Keeper<'env> {
    /// A scope of the loop that is entered on this thread; `None` if there is none.
    pub(crate) fn new(location: &'static Location<'static>) -> Option<Keeper<'env>> {
        let core = Core::with_current(|core| core.map(NonNull::from))?;
        // SAFETY: CORE-1, whoever entered the loop keeps its share until it left.
        unsafe { core.as_ref() }.acquire_local();
        let children = Rc::new(Children {
            links: Links::new(),
            core,
            ring: Ring::new(),
            ready: ReadyQueue::new(),
            parent: Waiter::new(Kind::Children, location),
            tag: Tag::new(location),
            is_polled: Cell::new(false),
            has_news: Cell::new(false),
            is_closed: Cell::new(false),
            panic: Cell::new(None),
            has_panicked: Cell::new(false),
        });
        // SAFETY: SCOPE-4, they stay where they are, and unlink themselves.
        let pinned = unsafe { Pin::new_unchecked(&*children) };
        children.core().scopes().push_back(pinned);
        Some(Keeper {
            children,
            _env: PhantomData,
        })
    }

    pub(crate) fn entry(&self) -> Entry<'env> {
        Entry {
            children: Rc::clone(&self.children),
            _env: PhantomData,
        }
    }

    /// Whether the scope's loop is the one that is entered.
    pub(crate) fn is_at_home(&self) -> bool {
        self.children.core().is_current()
    }

    /// The scope's poll begins. How many children are ready: those that it may run.
    #[inline]
    pub(crate) fn begin_poll(&self) -> usize {
        self.children.is_polled.set(true);
        self.children.ready.len()
    }

    /// How many polls there were in this turn,
    #[inline]
    pub(crate) fn polls(&self) -> u32 {
        self.children.core().polls.get()
    }

    /// ... and at how many it allows no further child's. Who polls the scope by hand, outside every task, is
    /// in no turn.
    #[inline]
    pub(crate) fn polls_end(&self) -> u32 {
        let core = self.children.core();
        if core.current.get().is_null() {
            return u32::MAX;
        }
        core.batch_end(usize::MAX)
    }

    /// Whether anything was notified, or a child has panicked, since the news were last taken.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.children.has_news.get()
    }

    pub(crate) fn take_news(&self) {
        self.children.has_news.set(false);
    }

    /// Runs the child that is ready longest: one poll, or the drop of an aborted future.
    #[inline]
    pub(crate) fn run_next(&self) -> Ran {
        let children = &*self.children;
        let core = children.core();
        let Some(child) = children.ready.pop() else {
            return Ran::Nothing;
        };
        let before = core.polls.get();
        core.polls.set(before.wrapping_add(1));
        let is_spent = child.run_within(core);
        children.collect_panic();
        if is_spent || core.is_look_due(before) {
            Ran::LookDue
        } else {
            Ran::Child
        }
    }

    /// The scope's poll ends and waits: for a child to be ready, or for news.
    #[inline]
    pub(crate) fn end_poll(&self, cx: &Context<'_>) {
        let children = &*self.children;
        let is_due = || !children.ready.is_empty() || children.has_news.get();
        if !is_due() {
            let parent = children.parent();
            // A foreign waker's clone may make a child ready.
            parent.arm(cx);
            parent.set_word(children.tag.number());
        }
        children.is_polled.set(false);
        if is_due() {
            cx.waker().wake_by_ref();
        }
    }

    /// Whether no child is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.children.ring.is_empty()
    }

    /// Refuses further children, and drops those that are left, in spawn order. Says whether there were any.
    pub(crate) fn drop_all(&self) -> bool {
        /// SCOPE-2: better no process than a child that outlives what it borrows.
        struct Unwound;
        impl Drop for Unwound {
            fn drop(&mut self) {
                failure::write_line("the drop of a scope's children was left half-way");
                std::process::abort();
            }
        }
        let unwound = Unwound;
        let children = &*self.children;
        let core = children.core();
        children.is_closed.set(true);
        children.is_polled.set(true);
        let had_any = !self.is_empty();
        while let Some(header) = children.ring().first() {
            // SAFETY: RAW-2, an unfinished child's block lives.
            unsafe { TaskRef::from_listed(header) }.drop_for_close(core);
            children.collect_panic();
        }
        while let Some(child) = children.ready.pop() {
            child.release_popped();
        }
        std::mem::forget(unwound);
        had_any
    }

    /// Whether a child has panicked, or the body.
    #[inline]
    pub(crate) fn has_panicked(&self) -> bool {
        self.children.has_panicked.get()
    }

    /// Keeps a panic of the body, named by `who`, unless there was another one before.
    pub(crate) fn keep_panic(&self, who: &str, payload: Payload) {
        let child = who.to_owned();
        self.children.keep_panic(Escaped { child, payload });
    }

    /// The first panic, if there was one.
    pub(crate) fn take_panic(&self) -> Option<Escaped> {
        self.children.panic.take()
    }
}

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.drop_all();
        self.children.parent().disarm();
        if let Some(escaped) = self.take_panic() {
            escaped.report(self.children.core());
        }
    }
}
