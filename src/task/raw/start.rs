//! How a task begins: its block is made, it joins its loop, and it is queued, or polled at once.
//!
//! *Role.* What is under every spawn. On the loop's thread a task is admitted and started in one go; one that
//! another thread makes travels through the inbox, and is adopted as it arrives.
//!
//! ```text
//!   spawn ────────► admit ──► queued                  make_foreign ──► inbox ──► collect ──► queued
//!   spawn_eager ──► admit ──► polled here, as a task within a task
//! ```
//!
//! # Invariants
//!
//! Those of [`super`]: RAW-1 to RAW-4 hold from here on.
#![expect(unsafe_code, reason = "writes a task's block")]

use std::alloc::Layout;
use std::future::Future;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

use super::{Header, TaskRef};
use crate::list::{Chain, Links};
use crate::shim::{AtomicPtr, Cell};
use crate::task::block::{self, SizeClass};
use crate::task::core::{CLOSING, Core, POLLS, SPAWNS};
use crate::task::count::BiasedCount;
use crate::task::extra::{Extra, Rare};
use crate::task::local::Locals;
use crate::task::marks::{ATTENDED, BACKGROUND, Cause, Marks, OWNING, UNPOOLED};
use crate::task::record::{Record, SpawnMeta};
use crate::task::stage::{Block, VtableOf};
use crate::task::state::{OnWake, Remote, State};

/// So deep may spawns be inside of one another whose first poll is at once: each has frames on the stack.
const EAGER_DEPTH_MAX: u32 = 32;

/// Where a new task comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::task) enum Origin {
    /// The loop's thread: queued at once, with a join handle.
    Local,
    /// Any thread: it waits in the inbox to be adopted, without a handle.
    Foreign,
}

/// How a new task begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the back of the ready queue.
    Queued,
    /// With a poll here and now, as a task within a task; queued, if [`EAGER_DEPTH_MAX`] such polls are under
    /// way. The loop is entered.
    Eager,
    /// With a poll here and now, however deep, for it only arms a wait. The loop is entered.
    Armed,
}

impl Core {
    /// A new task (a sleeping loop is not rung); the caller gets the join handle's reference. A
    /// loop that is closing drops the future at once, and the task is done, aborted.
    ///
    /// # Safety
    /// Called on the loop's thread. If `F` or its output borrows, the caller sees to it that the
    /// task is done, and its output taken or discarded, before the borrow ends.
    #[inline]
    pub(crate) unsafe fn spawn<F: Future>(
        &self,
        future: F,
        meta: SpawnMeta,
        start: Start,
    ) -> TaskRef {
        let (block, _) = self.free.take(Layout::new::<Block<F>>());
        self.acquire_local();
        let has_extra = meta.extra.is_some();
        // SAFETY: the block is new and has the layout.
        let task = unsafe { TaskRef::write(self, block, future, meta, Origin::Local) };
        task.adopt(self, has_extra);
        // SAFETY: RAW-4, headers don't move; it is unlinked in `finish`.
        self.owned()
            .push_back(unsafe { Pin::new_unchecked(task.header()) });
        if start != Start::Queued {
            self.start_at_once(task, start);
        } else if self.has_watch(CLOSING | SPAWNS) {
            self.start_watched(task);
        } else {
            self.ready.push(task);
        }
        task
    }

    /// Polls a new task, unless the loop ends, or it would be too deep.
    fn start_at_once(&self, task: TaskRef, start: Start) {
        let depth = self.eager_depth.get();
        if self.is_closing() || start == Start::Eager && depth >= EAGER_DEPTH_MAX {
            return self.start_watched(task);
        }
        if self.has_watch(SPAWNS) {
            self.tell_spawn(task);
        }
        self.eager_depth.set(depth + 1);
        task.run_within(self);
        self.eager_depth.set(depth);
    }

    /// Starts a new task of a loop that ends, or whose hooks may want to know.
    #[cold]
    #[inline(never)]
    fn start_watched(&self, task: TaskRef) {
        if self.is_closing() {
            task.drop_for_close(self);
            task.release_popped();
        } else {
            self.ready.push(task);
            if self.has_watch(SPAWNS) {
                self.tell_spawn(task);
            }
        }
    }

    /// A new task, made on any thread, for [`crate::task::inbox::Inbox::push`]; the caller gets the entry's
    /// reference. The task has no join handle.
    pub(crate) fn make_foreign<F>(&self, future: F, meta: SpawnMeta) -> TaskRef
    where
        F: Future + 'static,
    {
        let block = block::allocate(Layout::new::<Block<F>>());
        self.acquire_shared();
        // SAFETY: the block is new and has the layout.
        unsafe { TaskRef::write(self, block, future, meta, Origin::Foreign) }
    }

    /// An inbox entry arrives: a wake, or a task to adopt. Takes the entry's reference.
    pub(crate) fn collect(&self, task: TaskRef) {
        let header = task.header();
        if header.id.get() == 0 {
            // The entry's reference becomes the loop's.
            task.adopt(self, header.extra.is_some());
            // SAFETY: RAW-4, headers don't move; it is unlinked in `finish`.
            self.owned()
                .push_back(unsafe { Pin::new_unchecked(header) });
            if self.is_closing() {
                task.drop_for_close(self);
            } else {
                self.queue_collected(task);
                if self.has_watch(SPAWNS) {
                    self.tell_spawn(task);
                }
            }
            return;
        }
        self.queue_collected(task);
        task.release();
    }

    #[inline]
    fn queue_collected(&self, task: TaskRef) {
        match task.header().state.transition_to_collected() {
            OnWake::Push => {
                task.header().cause.set(Cause::Thread);
                task.schedule(self);
            }
            OnWake::Nothing => {}
        }
    }
}

impl TaskRef {
    /// Fills a new block.
    ///
    /// # Safety
    /// `block` has room and alignment for `Block<F>`, and nobody else uses it. It comes with a share
    /// of `core`.
    #[inline]
    pub(in crate::task) unsafe fn write<F: Future>(
        core: &Core,
        block: NonNull<u8>,
        future: F,
        meta: SpawnMeta,
        origin: Origin,
    ) -> TaskRef {
        // Constant for each type of task.
        let is_large = VtableOf::<F>::VTABLE.class == SizeClass::NONE;
        let unpooled = if is_large { UNPOOLED } else { 0 };
        let (state, remote, references, marks) = match origin {
            Origin::Local => (State::new_queued(), Remote::new(), 2, unpooled),
            Origin::Foreign => (State::new_foreign(), Remote::new_notified(), 1, UNPOOLED),
        };
        let marks = if meta.extra.is_some() {
            marks | OWNING
        } else {
            marks
        };
        let header = Header {
            vtable: &VtableOf::<F>::VTABLE,
            core: NonNull::from(core),
            ready_next: Cell::new(ptr::null()),
            state,
            cause: Cell::new(Cause::Spawn),
            marks: Marks::new(marks),
            remote,
            count: BiasedCount::new(references),
            polls: AtomicU32::new(0),
            waits: Chain::new(),
            owned: Links::new(),
            joiner: Cell::new(None),
            inbox_next: AtomicPtr::new(ptr::null_mut()),
            id: Cell::new(0),
            record: Record::new(meta.location),
            extra: Extra::new(meta.extra),
        };
        let target = block.cast::<Block<F>>().as_ptr();
        // SAFETY: the caller gives us the block. Field by field, so that the future is copied once.
        unsafe {
            (&raw mut (*target).header).write(header);
            (&raw mut (*target).stage).cast::<F>().write(future);
        }
        // The owned list gives back pointers to headers, which `from_listed` makes whole again.
        let _ = block.as_ptr().expose_provenance();
        TaskRef(block.cast())
    }

    /// The loop takes a new task over; what the current task has, it inherits.
    #[inline]
    pub(in crate::task) fn adopt(self, core: &Core, has_extra: bool) {
        let header = self.header();
        header.id.set(core.next_task_id());
        let parent = core.current_task();
        header.record.adopt(core.epoch.get(), parent);
        let is_heir = parent.is_some_and(|parent| parent.header().marks.has(ATTENDED));
        if is_heir || has_extra {
            self.adopt_extra(parent);
        }
    }

    /// The values of the parent, and over them those that the task was given.
    #[cold]
    #[inline(never)]
    fn adopt_extra(self, parent: Option<TaskRef>) {
        let extra = &self.header().extra;
        let parent = parent.and_then(|parent| parent.header().extra.get()?.locals());
        let own = extra.get().and_then(|rare| rare.locals());
        if extra.get().is_some_and(|rare| rare.is_background()) {
            self.header().marks.set(BACKGROUND);
        }
        let locals = match (parent, own) {
            (Some(parent), Some(own)) => Locals::inherit(parent, &own),
            (Some(locals), None) | (None, Some(locals)) => locals,
            (None, None) => return,
        };
        self.rare().place_of_locals().set(Some(locals));
        self.attend_end();
    }

    /// What few tasks have; made on the way if nothing was.
    pub(in crate::task) fn rare<'a>(self) -> &'a Rare {
        self.header().marks.set(OWNING);
        self.header().extra.rare()
    }

    /// Its end has more to it than the drop of the future.
    pub(in crate::task) fn attend_end(self) {
        self.header().marks.set(ATTENDED);
    }

    /// Runs a task while another one is running, or none: what there is of that one is kept meanwhile. Says
    /// whether the poll spent its budget.
    pub(in crate::task) fn run_within(self, core: &Core) -> bool {
        let outer = (core.current.get(), core.budget.get(), core.caller.take());
        core.current.set(ptr::null());
        if core.has_watch(POLLS) {
            self.run_watched(core);
        } else {
            self.run(core);
        }
        core.current.set(outer.0);
        core.caller.set(outer.2);
        core.budget.replace(outer.1) == 0
    }
}
