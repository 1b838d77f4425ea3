//! The loop's counted block: what tasks and wakers of one loop share, and what outlives the loop for
//! as long as any of them does.
//!
//! *Role.* The event loop owns one; each task block, and each `Handle`, holds a share. A waker reaches
//! it through its task's header: the ready queue if it runs on the loop's own thread, else the inbox.
//!
//! *Model.*
//!
//! ```text
//!   event loop ───┐            ┌─ loop's thread only: ready, owned, scopes, current, budget, free, ids
//!   task block ───┼─► Core ────┤
//!   Handle     ───┘            └─ every thread: inbox (with sleep flag and notifier), counts, id
//! ```
//!
//! *Own thread* means: the loop that is entered on this thread is this very block ([`Core::is_current`]).
//! The address may stand for the loop, because it can't be used again while a task block that is
//! compared with it lives (decision 0002). The thread-local is a bare word without a destructor, so
//! that a waker works until the thread's last breath (hz_a34).
//!
//! # Invariants
//!
//! - **CORE-1** A `Core` never moves, and lives while its count says so.
//! - **CORE-2** The fields under "loop's thread" are touched by the loop's thread alone.
//! - **CORE-3** After [`Core::close`] nothing is queued, owned or in the inbox, and nothing will be.
#![expect(unsafe_code, reason = "the counted block and its thread-local pointer")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::Waker;

use super::block::FreeLists;
use super::children::Children;
use super::count::{BiasedCount, OnRelease};
use super::failure::{self, Escaped, Payload};
use super::hooks::Hooks;
use super::inbox::Inbox;
use super::marks::{BACKGROUND, Cause, REPORTED_LOST, SCOPED};
use super::queue::ReadyQueue;
use super::raw::{Header, TaskRef};
use super::relay::Relays;
use super::wait::{TimerRings, Waiter};
use super::waker;
use crate::list::Ring;
use crate::shim::{AtomicU32, Cell, thread_word};

/// How many completed operations of our own resources one poll may make before it must yield.
pub(crate) const BUDGET: u32 = 128;

/// Bits of [`Core::watch`]: no task is started any more;
pub(crate) const CLOSING: u8 = 1;
/// a hook is told of tasks that begin or end;
pub(crate) const SPAWNS: u8 = 2;
/// ... of polls;
pub(crate) const POLLS: u8 = 4;
/// ... of the waits for the selector;
pub(crate) const WAITS: u8 = 8;
/// ... of ticks;
pub(crate) const TICKS: u8 = 16;
/// the run is to end with a failure;
pub(crate) const FAILED: u8 = 32;
/// the run is to end because somebody said so;
const STOPPING: u8 = 64;
/// the loop's `Timing` wants to hear of each poll.
pub(crate) const TIMED: u8 = 128;

/// The kernel is asked at least once per so many polls: 1 ns per poll.
pub(crate) const POLLS_PER_TURN: u32 = 128;

/// ... and the clock is looked at every so many, a power of two: 1.4 ns per poll.
pub(crate) const POLLS_PER_CLOCK_LOOK: u32 = 16;

/// Ids are handed to loops in ranges of this many, so that an id names one task of the process.
const ID_RANGE: u64 = 1 << 16;

static NEXT_LOOP_ID: AtomicU64 = AtomicU64::new(1);
static NEXT_ID_RANGE: AtomicU64 = AtomicU64::new(1);

thread_word! {
    /// The loop that is entered on this thread, or null.
    static CURRENT: Cell<*const Core> = Cell::new(ptr::null())
}

pub(crate) struct Core {
    // The loop's thread.
    pub(crate) ready: ReadyQueue,
    /// The task whose future is being polled or dropped, or null.
    pub(crate) current: Cell<*const Header>,
    /// How many first polls inside of spawns are under way.
    pub(super) eager_depth: Cell<u32>,
    /// What is left of [`BUDGET`] for the poll that is under way.
    pub(crate) budget: Cell<u32>,
    /// The line of the call whose future is being polled, while that future has no wait node of its own.
    pub(crate) caller: Cell<Option<&'static Location<'static>>>,
    /// Polls since the last turn, those of scopes' children among them,
    pub(crate) polls: Cell<u32>,
    /// ... and how many of them there were when this tick began, or the last one.
    batch_began: Cell<u32>,
    /// Most polls per tick.
    batch_max: Cell<u32>,
    /// The panic of the child that a scope ran last.
    pub(super) escaped: Cell<Option<Box<Escaped>>>,
    /// The state of the random numbers.
    random: Cell<u64>,
    /// The step of the tick that goes on, as what it wakes remembers it.
    pub(crate) cause: Cell<Cause>,
    /// Counts readings of the clock that lie some time apart; wait nodes note after which one they were
    /// armed, and [`crate::event_loop`] when that was.
    pub(crate) epoch: Cell<u32>,
    pub(crate) free: FreeLists,
    /// Timers on their way to the wheel.
    pub(crate) timers: TimerRings,
    /// Every unfinished task, in spawn order, but for the children of scopes.
    owned: Ring<Header>,
    /// The scopes, whose children stand with them.
    scopes: Ring<Children>,
    next_id: Cell<u64>,
    id_range_end: Cell<u64>,
    /// How many ranges of ids were fetched.
    id_ranges: Cell<u64>,
    /// How many entries the inbox had.
    pub(crate) collected: Cell<u64>,
    /// What is out of the ordinary: the bits above, nearly always none.
    pub(crate) watch: Cell<u8>,
    /// The user's functions, while the loop lives.
    pub(super) hooks: RefCell<Option<Rc<Hooks>>>,
    /// What the run is to end with, if [`FAILED`] says so.
    failed: RefCell<Option<Payload>>,
    /// The wakers of many children of one future, among its tasks.
    pub(crate) relays: Relays,
    // Every thread.
    pub(crate) inbox: Inbox,
    handles: AtomicU32,
    id: u64,
    count: BiasedCount,
}

// SAFETY: other threads touch only the second group of fields (CORE-2), all of them made for it.
unsafe impl Sync for Core {}
// SAFETY: a `Core` is made and closed on the loop's thread, but may be *freed* on any: by then the
// queue, the owned list and the inbox are empty (CORE-3), and what is left (free blocks, the
// notifier) belongs to no thread.
unsafe impl Send for Core {}

/// A counted pointer to a [`Core`], good on any thread.
pub(crate) struct CoreRef(NonNull<Core>);

// SAFETY: it gives access to the fields that are `Sync`, and its count is atomic.
unsafe impl Send for CoreRef {}
// SAFETY: a shared `CoreRef` gives no more than an owned one: the `Sync` fields, and the atomic count.
unsafe impl Sync for CoreRef {}

impl Core {
    fn new() -> Core {
        Core {
            ready: ReadyQueue::new(),
            current: Cell::new(ptr::null()),
            eager_depth: Cell::new(0),
            budget: Cell::new(BUDGET),
            caller: Cell::new(None),
            polls: Cell::new(0),
            batch_began: Cell::new(0),
            batch_max: Cell::new(POLLS_PER_TURN),
            escaped: Cell::new(None),
            random: Cell::new(0),
            cause: Cell::new(Cause::Task),
            epoch: Cell::new(0),
            free: FreeLists::new(),
            timers: TimerRings::new(),
            owned: Ring::new(),
            scopes: Ring::new(),
            next_id: Cell::new(0),
            id_range_end: Cell::new(0),
            id_ranges: Cell::new(0),
            collected: Cell::new(0),
            watch: Cell::new(0),
            hooks: RefCell::new(None),
            failed: RefCell::new(None),
            relays: Relays::default(),
            inbox: Inbox::new(),
            handles: AtomicU32::new(0),
            id: NEXT_LOOP_ID.fetch_add(1, Relaxed),
            count: BiasedCount::new(1),
        }
    }

    /// The loop's number, never used twice in a process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether this loop is entered on this thread. One thread-local load.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.with(|current| ptr::eq(current.get(), self))
    }

    /// Makes `core` this thread's loop until [`Core::leave`].
    pub(crate) fn enter(&self) {
        CURRENT.with(|current| {
            debug_assert!(current.get().is_null());
            current.set(self);
        });
    }

    /// No loop is entered on this thread any more.
    pub(crate) fn leave() {
        CURRENT.with(|current| current.set(ptr::null()));
    }

    /// Runs `f` with the loop entered on this thread, if there is one.
    #[inline(always)]
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Core>) -> R) -> R {
        let core = CURRENT.with(Cell::get);
        // SAFETY: CORE-1; whoever entered the loop keeps its share until it left.
        f(unsafe { core.as_ref() })
    }

    /// The task that is being polled, if any.
    #[inline]
    pub(crate) fn current_task(&self) -> Option<TaskRef> {
        let current = self.current.get();
        // SAFETY: RAW-2, a task that runs holds the loop's reference.
        (!current.is_null()).then(|| unsafe { TaskRef::from_ptr(current) })
    }

    /// The task that is being polled, if `waker` is its own.
    #[inline]
    pub(crate) fn current_task_of(&self, waker: &Waker) -> Option<TaskRef> {
        let current = self.current.get();
        // SAFETY: RAW-2, as above; our wakers' data is no null pointer (WAKE-1), so this isn't either.
        waker::is_of(waker, current).then(|| unsafe { TaskRef::from_ptr(current) })
    }

    /// Where unfinished tasks stand, in spawn order.
    pub(crate) fn owned(&self) -> Pin<&Ring<Header>> {
        // SAFETY: CORE-1, a core never moves.
        unsafe { Pin::new_unchecked(&self.owned) }
    }

    /// Where scopes stand that were polled.
    pub(super) fn scopes(&self) -> Pin<&Ring<Children>> {
        // SAFETY: CORE-1, a core never moves.
        unsafe { Pin::new_unchecked(&self.scopes) }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.has_watch(CLOSING)
    }

    /// Whether one of these bits is set.
    #[inline]
    pub(crate) fn has_watch(&self, bits: u8) -> bool {
        self.watch.get() & bits != 0
    }

    /// Whether a failure may end the run: it has not been ended by one, nor does the loop end anyway.
    pub(super) fn may_fail(&self) -> bool {
        !self.has_watch(CLOSING | FAILED)
    }

    /// The run is to end with `payload`.
    pub(super) fn fail(&self, payload: Payload) {
        self.watch.set(self.watch.get() | FAILED);
        self.failed.replace(Some(payload));
    }

    /// Sets bits, or clears them.
    pub(crate) fn set_watch(&self, bits: u8, is_on: bool) {
        let watch = self.watch.get() & !bits;
        self.watch.set(if is_on { watch | bits } else { watch });
    }

    /// The run is to end after this tick, if it is one that can be stopped.
    pub(crate) fn stop(&self) {
        self.watch.set(self.watch.get() | STOPPING);
    }

    /// Whether somebody stopped the run.
    pub(crate) fn is_stopping(&self) -> bool {
        self.has_watch(STOPPING)
    }

    /// Whether somebody stopped the run, which now ends.
    pub(crate) fn take_stop(&self) -> bool {
        let watch = self.watch.get();
        self.watch.set(watch & !STOPPING);
        watch & STOPPING != 0
    }

    /// What the run is to end with, if it is.
    pub(crate) fn take_failure(&self) -> Option<Payload> {
        self.watch.set(self.watch.get() & !FAILED);
        self.failed.take()
    }

    pub(crate) fn next_task_id(&self) -> u64 {
        let id = self.next_id.get();
        if id == self.id_range_end.get() {
            let first = NEXT_ID_RANGE.fetch_add(ID_RANGE, Relaxed);
            self.next_id.set(first + 1);
            self.id_range_end.set(first + ID_RANGE);
            self.id_ranges.set(self.id_ranges.get() + 1);
            return first;
        }
        self.next_id.set(id + 1);
        id
    }

    /// No tick makes more polls than that from now on.
    pub(crate) fn set_batch_max(&self, batch_max: u32) {
        self.batch_max.set(batch_max);
    }

    /// A tick begins to poll. Says how many polls there were since the last turn.
    #[inline]
    pub(crate) fn begin_batch(&self) -> u32 {
        let polls = self.polls.get();
        self.batch_began.set(polls);
        polls
    }

    /// At how many polls since the last turn a batch of `ready` tasks ends: after so many, unless tick or turn
    /// allow fewer.
    #[inline]
    pub(crate) fn batch_end(&self, ready: usize) -> u32 {
        let most = ready.min(self.batch_max.get() as usize) as u32;
        (self.batch_began.get() + most).min(POLLS_PER_TURN)
    }

    /// How many polls since the last turn there were when this tick began.
    #[inline]
    pub(crate) fn batch_began(&self) -> u32 {
        self.batch_began.get()
    }

    /// How many ids were given out, and so how many tasks came to this loop.
    pub(crate) fn spawned(&self) -> u64 {
        self.id_ranges.get() * ID_RANGE - (self.id_range_end.get() - self.next_id.get())
    }

    /// Where the loop's random numbers begin; the same seed gives the same ones.
    pub(crate) fn set_seed(&self, seed: u64) {
        self.random.set(seed);
    }

    /// The next random number (SplitMix64): for fairness, and for nothing that must not be guessed.
    #[inline]
    pub(crate) fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Queues `task` for the loop's thread, also while the loop is not entered: then somebody who
    /// embeds the loop may be waiting for its descriptor, so a sleeping loop is rung.
    #[inline]
    pub(crate) fn push_ready(&self, task: TaskRef) {
        task.schedule(self);
        if !self.is_current() {
            self.inbox.ring();
        }
    }

    /// Step 1 of the tick: what other threads woke joins the ready queue, in their order.
    #[inline]
    pub(crate) fn collect_remote_wakes(&self) {
        if self.inbox.is_empty() {
            return;
        }
        for task in self.inbox.take() {
            self.collected.set(self.collected.get() + 1);
            self.collect(task);
        }
    }

    /// Empties the loop, and gives back its share (CORE-3). The loop must be entered, so that what
    /// the futures' destructors wake and spawn finds it.
    ///
    /// Idempotent. From here on a spawn gives a task that is aborted already.
    pub(crate) fn close(&self) {
        debug_assert!(self.is_current());
        self.watch.set(self.watch.get() | CLOSING);
        self.drop_all_tasks();
        for task in self.inbox.close() {
            self.collect(task);
        }
        self.drop_all_tasks();
        self.relays.clear();
        self.drop_hooks();
        if let Some(failure) = self.take_failure() {
            failure::drop_quietly(failure);
        }
    }

    /// Drops every future, in spawn order; what is spawned meanwhile is refused.
    fn drop_all_tasks(&self) {
        while let Some(header) = self.owned().first() {
            // SAFETY: RAW-2, an owned task is unfinished, so the loop's reference keeps it.
            unsafe { TaskRef::from_listed(header) }.drop_for_close(self);
        }
        while let Some(task) = self.ready.pop() {
            task.release_popped();
        }
    }

    /// Whether the task with this number is one of this loop's that has not ended. O(n).
    pub(crate) fn has_task(&self, id: u64) -> bool {
        self.tasks().any(|task| task.id() == id)
    }

    /// A share for a block allocated on the loop's thread.
    #[inline]
    pub(crate) fn acquire_local(&self) {
        self.count.acquire_local();
    }

    /// A share for a block or a handle made on any thread.
    pub(crate) fn acquire_shared(&self) {
        self.count.acquire_shared();
    }

    /// Gives back a share, on the loop's thread, before the close.
    #[inline]
    pub(crate) fn release_local(&self) {
        self.count.release_local();
    }

    /// Gives back a share, on any thread.
    ///
    /// # Safety
    /// The caller has a share, and does not use the block through it afterwards.
    pub(crate) unsafe fn release_shared(core: NonNull<Core>) {
        // SAFETY: the caller's share keeps the block until here.
        match unsafe { core.as_ref() }.count.release_shared() {
            OnRelease::Keep => {}
            // SAFETY: the last share is gone; the block came out of a `Box` (`Owner::new`).
            OnRelease::Free => drop(unsafe { Box::from_raw(core.as_ptr()) }),
        }
    }

    /// Whether no other thread has woken or sent anything that is not collected, or ever will: no
    /// handle, no unknown waker. The inbox comes last: what the last handle sent before it went is
    /// visible by then.
    pub(crate) fn nobody_can_wake(&self) -> bool {
        self.handle_count() == 0 && self.all_wakers_are_known() && self.inbox.is_empty()
    }

    /// How many `Handle`s exist.
    fn handle_count(&self) -> u32 {
        self.handles.load(Acquire)
    }

    /// Whether every waker of every task is accounted for: the loop's reference, the join handle,
    /// the wakers that wait in other tasks' join slots, and in relays all of whose wakers wait in our
    /// tasks. A clone anywhere else may wake us yet.
    ///
    /// A waker in a slot is a reference to the task that joins, so no task has fewer than its slots
    /// account for; and then the sums are equal only if the numbers of each task are.
    fn all_wakers_are_known(&self) -> bool {
        let mut unknown = 0i64;
        for task in self.tasks() {
            unknown += i64::from(task.waker_count());
            if task.joiner_task().is_some_and(|joiner| self.owns(joiner)) {
                unknown -= 1;
            }
        }
        unknown == 0 || unknown > 0 && self.wakers_in_relays() == Some(unknown)
    }

    /// How many wakers of our tasks stand in relays, if nobody can call them: all wakers of these relays wait in
    /// nodes and join slots of our tasks, or in one another.
    #[cold]
    fn wakers_in_relays(&self) -> Option<i64> {
        let ours: HashSet<_> = self.tasks().map(TaskRef::as_ptr).collect();
        let mut census = self.relays.census(|task| ours.contains(&task));
        for task in self.tasks() {
            task.with_joiner(|waker| census.note(waker));
            Waiter::each_counted(task.waits(), |waker| census.note(waker));
        }
        let count = census.conclude()?;
        i64::try_from(count).ok()
    }

    /// Calls `see` with each task that waits for nothing and whose waker nobody has, once in its life.
    pub(crate) fn mark_lost_tasks(&self, mut see: impl FnMut(TaskRef)) {
        for task in self.tasks() {
            let marks = &task.header().marks;
            if task.is_lost() && !marks.has(REPORTED_LOST) {
                marks.set(REPORTED_LOST);
                see(task);
            }
        }
    }

    /// Whether `task` is one of those that [`Core::tasks`] walks over.
    fn owns(&self, task: TaskRef) -> bool {
        ptr::eq(task.core(), self) && !task.header().state.is_done()
    }

    /// Wakes every task that has not ended: what it waits for may have changed in ways that nobody reports.
    pub(crate) fn wake_all_tasks(&self) {
        let wakers: Vec<Waker> = self
            .tasks()
            .map(|task| (*waker::lend(task)).clone())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Whether any task is unfinished that keeps a loop alive.
    pub(crate) fn has_counted_tasks(&self) -> bool {
        self.counted_tasks().next().is_some()
    }

    pub(super) fn counted_tasks(&self) -> impl Iterator<Item = TaskRef> + '_ {
        self.tasks()
            .filter(|task| !task.header().marks.has(BACKGROUND))
    }

    /// Aborts every task that counts, in spawn order; children of scopes go with their scopes.
    pub(crate) fn abort_counted_tasks(&self) {
        for task in self.counted_tasks() {
            if !task.header().marks.has(SCOPED) {
                task.abort();
            }
        }
    }

    /// How many tasks are unfinished. O(n).
    pub(crate) fn task_count(&self) -> usize {
        self.tasks().count()
    }

    /// The unfinished tasks. No user code runs while the walk is used, so none of them goes.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskRef> + '_ {
        // SAFETY: nobody is linked or unlinked during the walks of this file.
        let (headers, scopes) = unsafe { (self.owned().iter(), self.scopes().iter()) };
        let children = scopes.flat_map(|scope| {
            // SAFETY: SCOPE-4, a linked scope lives; as for the walks, above.
            unsafe { scope.as_ref().ring().iter() }
        });
        // SAFETY: RAW-2, a task in either list lives.
        (headers.chain(children)).map(|header| unsafe { TaskRef::from_listed(header) })
    }
}

/// The event loop's own share, on the loop's thread; its drop ends the loop's part in the block.
pub(crate) struct Owner(NonNull<Core>);

impl Owner {
    pub(crate) fn new() -> Owner {
        Owner(NonNull::from(Box::leak(Box::new(Core::new()))))
    }
}

impl std::ops::Deref for Owner {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: CORE-1, this share keeps the block.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        debug_assert!(
            self.inbox.is_closed(),
            "the event loop closes its core before it goes"
        );
        // Blocks that other threads or join handles still hold are counted by the shared half now.
        match self.count.merge(1, 1) {
            OnRelease::Keep => {}
            // SAFETY: the loop's own share was the last; the block came out of a `Box` (`Owner::new`).
            OnRelease::Free => drop(unsafe { Box::from_raw(self.0.as_ptr()) }),
        }
    }
}

impl CoreRef {
    /// A share of `core`, counted among its handles.
    pub(crate) fn new_handle(core: &Core) -> CoreRef {
        core.acquire_shared();
        core.handles.fetch_add(1, Relaxed);
        CoreRef(NonNull::from(core))
    }
}

impl std::ops::Deref for CoreRef {
    type Target = Core;

    fn deref(&self) -> &Core {
        // SAFETY: CORE-1, this share keeps the block.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for CoreRef {
    fn drop(&mut self) {
        self.handles.fetch_sub(1, Release);
        // The last handle may have been all that a sleeping loop waited for: it looks again.
        self.inbox.ring();
        // SAFETY: this share, given back once.
        unsafe { Core::release_shared(self.0) };
    }
}
