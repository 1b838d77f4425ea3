//! The task block: its header, and the three functions that run, finish and free it.
//!
//! *Role.* The half of the block that does not depend on the future's type ([`super::stage`] is the
//! other). `spawn` makes a block; the tick pops it from the ready queue and calls [`TaskRef::run`];
//! wakers ([`super::waker`]) and join handles ([`super::join`]) hold references to it.
//!
//! *Model.* One allocation. What a switch or a finish touches is in the first 64 bytes.
//!
//! ```text
//!    0 vtable      8 core       16 ready next   24 state, cause, marks, remote
//!   28 count (local, shared)    36 polls        40 waits     48 owned prev, next
//!   64 joiner (waker)           80 inbox next   88 id        96 record      112 extra   120 future | output | panic
//! ```
//!
//! *References.* The loop has one from spawn until the task is finished and out of the ready queue;
//! the join handle has one; an inbox entry has one; each waker has one. A bare pointer in a wait
//! node has none: [`super::wait`] says why it needs none.
//!
//! # Invariants
//!
//! - **RAW-1** A `TaskRef` is a pointer, not a reference count: whoever makes one from a pointer
//!   knows which reference keeps the block while it is used.
//! - **RAW-2** An unfinished task holds the loop's reference, and stands in the owned list; the child of a
//!   scope stands in that scope's ring instead, and the reference is the scope's ([`super::children`]).
//! - **RAW-3** The stage holds the future until the task is done; then what [`Ending`] says, until
//!   that is taken. Only [`State`]'s transitions decide which, so each is dropped exactly once.
//! - **RAW-4** The future never moves: it is written into the block once and dropped there.
//! - **RAW-5** Future and result are touched on the loop's thread only; other threads touch `vtable`,
//!   `core`, `remote`, the shared count and the inbox link.
//!
//! *Cost.* Spawn, poll, wake and join are O(1), with no atomic read-modify-write on the loop's own
//! thread, and one block, which is recycled or cut from a chunk ([`super::block`]).
//!
//! *Why not `Rc<RefCell<dyn Future>>`.* A second pointer per task, a borrow flag per poll, and a
//! waker that is unsound as soon as it is cloned to another thread.
#![expect(unsafe_code, reason = "the task's layout and its vtable")]

mod start;

use std::fmt::Write;
use std::mem::offset_of;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};

use super::block::{self, SizeClass};
use super::core::{BUDGET, Core};
use super::count::{BiasedCount, OnRelease};
use super::extra::Extra;
use super::failure::{self, Escaped, Payload};
use super::marks::{ATTENDED, Cause, Marks, OWNING, SCOPED, UNPOOLED};
use super::record::Record;
use super::stage::{Polled, Vtable};
use super::state::{AfterPoll, Ending, OnDone, OnRun, Remote, State};
use super::wait::Waiter;
use super::waker;
use crate::list::{Chain, Linked, Links, Ring};
use crate::shim::{AtomicPtr, Cell};

pub(in crate::task) use start::Origin;
pub(crate) use start::Start;

/// What a block begins with, whatever its future is.
#[repr(C)]
pub(crate) struct Header {
    vtable: &'static Vtable,
    core: NonNull<Core>,
    pub(crate) ready_next: Cell<*const Header>,
    pub(crate) state: State,
    /// What woke it last.
    pub(crate) cause: Cell<Cause>,
    pub(crate) marks: Marks,
    pub(crate) remote: Remote,
    pub(crate) count: BiasedCount,
    /// Part of the record, here because there is room and each poll counts; single writer.
    polls: AtomicU32,
    /// What this task waits for now.
    waits: Chain<Waiter>,
    owned: Links,
    pub(super) joiner: Cell<Option<Waker>>,
    pub(crate) inbox_next: AtomicPtr<Header>,
    id: Cell<u64>,
    pub(super) record: Record,
    pub(super) extra: Extra,
}

// SAFETY: LIST's contract: the offset is that of the one `Links` field; a header never moves
// (RAW-4), and is unlinked in `finish`, before its block can be freed (RAW-2).
unsafe impl Linked for Header {
    const OFFSET: usize = offset_of!(Header, owned);
}

/// A pointer to a task's block (RAW-1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskRef(NonNull<Header>);

impl TaskRef {
    /// Queues a task that a transition has just marked for it: with its loop, or with its scope.
    #[inline(always)]
    pub(crate) fn schedule(self, core: &Core) {
        if self.header().marks.has(SCOPED) {
            self.schedule_child();
        } else {
            core.ready.push(self);
        }
    }

    /// The task around a header that came out of a list of headers, whose pointer is good for the
    /// header alone.
    ///
    /// # Safety
    /// RAW-1: a reference keeps the block for as long as the result is used.
    #[inline]
    pub(crate) unsafe fn from_listed(header: NonNull<Header>) -> TaskRef {
        let header = ptr::with_exposed_provenance_mut(header.addr().get());
        // SAFETY: a live block's address is not null.
        TaskRef(unsafe { NonNull::new_unchecked(header) })
    }

    /// # Safety
    /// RAW-1: a reference keeps the block for as long as the result is used.
    #[inline]
    pub(crate) unsafe fn from_ptr(header: *const Header) -> TaskRef {
        // SAFETY: a live block's address is not null.
        TaskRef(unsafe { NonNull::new_unchecked(header.cast_mut()) })
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *const Header {
        self.0.as_ptr()
    }

    #[inline]
    pub(crate) fn header<'a>(self) -> &'a Header {
        // SAFETY: RAW-1.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn core<'a>(self) -> &'a Core {
        // SAFETY: the block's share keeps the core for as long as the block (RAW-1).
        unsafe { self.header().core.as_ref() }
    }

    /// Where future and result stand, one after the other.
    #[inline]
    pub(super) fn stage(self) -> *mut () {
        let block = self.as_ptr().cast_mut();
        // SAFETY: inside the block, which lives (RAW-1); the pointer is the whole block's.
        unsafe { block.byte_add(self.header().vtable.stage_offset).cast() }
    }

    /// The waits of this task, for the node that is about to join or leave them.
    #[inline]
    pub(crate) fn waits<'a>(self) -> Pin<&'a Chain<Waiter>> {
        // SAFETY: RAW-4, headers don't move.
        unsafe { Pin::new_unchecked(&self.header().waits) }
    }

    pub(crate) fn id(self) -> u64 {
        self.header().id.get()
    }

    /// `task 7 "name" (spawned at file:line:column)`.
    pub(crate) fn describe(self) -> String {
        let mut text = format!("task {}", self.id());
        if let Some(name) = self.name() {
            let _ = write!(text, " \"{name}\"");
        }
        if let Some(location) = self.spawned_at() {
            let _ = write!(text, " (spawned at {location})");
        }
        text
    }

    pub(crate) fn name(self) -> Option<String> {
        self.header().extra.name()
    }

    /// How often it was polled.
    pub(crate) fn polls(self) -> u32 {
        self.header().polls.load(Relaxed)
    }

    pub(crate) fn spawned_at(self) -> Option<&'static Location<'static>> {
        self.header().record.spawned_at()
    }

    /// Runs a task that was popped from the ready queue: one poll, or the drop of its future.
    #[inline]
    pub(crate) fn run(self, core: &Core) {
        let header = self.header();
        match header.state.transition_to_running() {
            OnRun::Poll => {}
            OnRun::PollCollected => header.remote.transition_to_polled(),
            OnRun::DropFuture => return self.drop_future_and_finish(core),
            OnRun::Release => return self.release_popped(),
        }
        // A load and a store: nobody else writes.
        header
            .polls
            .store(header.polls.load(Relaxed).wrapping_add(1), Relaxed);
        core.current.set(self.as_ptr());
        core.budget.set(BUDGET);
        let waker = waker::lend(self);
        // SAFETY: RAW-3, RUNNING was set just now on a task that is not done, so its future is there.
        let polled = unsafe { (header.vtable.poll)(self, &mut Context::from_waker(&waker)) };
        match polled {
            Polled::Pending => match header.state.transition_to_idle() {
                AfterPoll::Rest => core.current.set(ptr::null()),
                AfterPoll::DropFuture => self.drop_future_and_finish(core),
            },
            Polled::Ready => self.finish(core, Ending::Output),
            Polled::Panicked => self.finish_panicked(core),
        }
    }

    #[cold]
    #[inline(never)]
    fn finish_panicked(self, core: &Core) {
        if self.header().marks.has(SCOPED) {
            // SAFETY: RAW-3, the payload stands there, and nothing does from here on.
            let payload = unsafe { self.take_panic() };
            self.escape(core, payload);
            self.finish(core, Ending::Aborted);
        } else {
            self.finish(core, Ending::Panic);
        }
    }

    /// A child's panic belongs to its scope, which looks for it as soon as the child has run.
    fn escape(self, core: &Core, payload: Payload) {
        let escaped = Escaped {
            child: self.describe(),
            payload,
        };
        if let Some(earlier) = core.escaped.replace(Some(Box::new(escaped))) {
            earlier.report(core);
        }
    }

    /// The loop closes: whatever the task is doing, its future goes now.
    pub(crate) fn drop_for_close(self, core: &Core) {
        match self.header().state.transition_to_closing() {
            OnRun::DropFuture => {
                let outer = core.current.get();
                self.drop_future_and_finish(core);
                core.current.set(outer);
            }
            OnRun::Poll | OnRun::PollCollected | OnRun::Release => {}
        }
    }

    /// Drops an aborted task's future, with the task still running and current, then finishes it.
    #[cold]
    fn drop_future_and_finish(self, core: &Core) {
        core.current.set(self.as_ptr());
        // SAFETY: RAW-3, RUNNING is set and the task is not done, so the future is there.
        match unsafe { (self.header().vtable.drop_future)(self) } {
            Ok(()) => self.finish(core, Ending::Aborted),
            Err(payload) if self.header().marks.has(SCOPED) => {
                self.escape(core, payload);
                self.finish(core, Ending::Aborted);
            }
            Err(payload) => {
                // SAFETY: RAW-3, the future is dropped and nothing stands in its place, which has room.
                unsafe { self.stage().cast::<Payload>().write(payload) };
                self.finish(core, Ending::Panic);
            }
        }
    }

    /// The future is dropped, `ending` stands in its place: the task leaves every list, its joiner
    /// wakes, the counts merge, and the loop's reference goes unless the ready queue still needs it.
    #[inline]
    fn finish(self, core: &Core, ending: Ending) {
        let header = self.header();
        let on_done = header.state.transition_to_done(ending);
        // SAFETY: RAW-4, headers don't move.
        Ring::unlink(unsafe { Pin::new_unchecked(header) });
        // From here on this task is not current, so no node can link itself to it again ...
        core.current.set(ptr::null());
        // ... and no node keeps a bare pointer to it.
        Waiter::forget_task(self.waits());
        if header.marks.has(ATTENDED) {
            self.attend(core);
        }
        match on_done {
            OnDone::WakeJoiner => {
                if let Some(joiner) = header.joiner.take() {
                    waker_wake(joiner);
                }
            }
            OnDone::Discard => self.discard(header.state.take_ending()),
        }
        // The loop's reference goes, unless the ready queue still needs it. Once with numbers that the
        // compiler knows, for that is how most tasks end.
        let (state, count) = (&header.state, &header.count);
        let on_release = if state.is_joinable_and_not_queued() {
            count.merge(2, 1)
        } else {
            let known = 1 + i32::from(state.is_joinable());
            count.merge(known, i32::from(!state.is_queued()))
        };
        match on_release {
            OnRelease::Keep => {}
            OnRelease::Free => self.free(),
        }
    }

    /// The ready queue gives back the loop's reference to a task that finished while it was queued.
    pub(crate) fn release_popped(self) {
        if self.header().state.is_done() {
            self.release_shared();
        } else {
            debug_assert!(false, "an unfinished task keeps the loop's reference");
        }
    }

    /// One more reference.
    #[inline]
    pub(crate) fn acquire(self) {
        let header = self.header();
        if self.core().is_current() && !header.state.is_done() {
            header.count.acquire_local();
        } else {
            header.count.acquire_shared();
        }
    }

    /// One reference less; the block may be gone afterwards.
    #[inline]
    pub(crate) fn release(self) {
        let header = self.header();
        if self.core().is_current() && !header.state.is_done() {
            header.count.release_local();
        } else {
            self.release_shared();
        }
    }

    /// One reference less, by the shared count; the block may be gone afterwards.
    #[inline]
    pub(crate) fn release_shared(self) {
        match self.header().count.release_shared() {
            OnRelease::Keep => {}
            OnRelease::Free => self.free(),
        }
    }

    /// Frees the block: on the loop's thread for the next task, elsewhere for the allocator. The last
    /// reference is gone (COUNT-3), and with it future and result (RAW-3: the loop's reference covers the
    /// one, the handle's the other) and the joiner (`finish` or `detach`).
    #[inline]
    fn free(self) {
        let (header, core) = (self.header(), self.core());
        if header.marks.has(UNPOOLED | OWNING) || !core.is_current() {
            return self.free_specially();
        }
        // SAFETY: on the loop's thread; nobody else refers to the block, whose extra owns nothing, and which
        // came from a list.
        unsafe { core.free.put(self.0.cast(), header.vtable.class) };
        // The block's share of the core. The event loop's own share still keeps it (CORE-1).
        core.release_local();
    }

    /// Where its block came from.
    #[inline]
    fn class(self) -> SizeClass {
        let header = self.header();
        if header.marks.has(UNPOOLED) {
            return SizeClass::NONE;
        }
        header.vtable.class
    }

    /// Frees a block that has a name, or can't be recycled, or whose loop is not entered here.
    #[cold]
    #[inline(never)]
    fn free_specially(self) {
        let header = self.header();
        let (layout, class, core) = (header.vtable.layout, self.class(), header.core);
        let is_local = self.core().is_current();
        // For loom: whatever the loop's thread did to the block happens before it is freed.
        #[cfg(mainspring_loom)]
        let _ = header.ready_next.get();
        // SAFETY: nobody else refers to the header, and the extra is not used again.
        unsafe { ptr::drop_in_place(&raw mut (*self.0.as_ptr()).extra) };
        if is_local && class != SizeClass::NONE {
            // SAFETY: on the loop's thread, and nobody refers to the block; CORE-1 as below.
            unsafe { core.as_ref().free.put(self.0.cast(), class) };
        } else {
            // SAFETY: the block has this layout, and nothing refers to it any more.
            unsafe { block::free(self.0.cast(), class, layout) };
        }
        if is_local {
            // SAFETY: CORE-1, the event loop's own share still keeps the core.
            unsafe { core.as_ref() }.release_local();
        } else {
            // SAFETY: the block's own share, not used afterwards.
            unsafe { Core::release_shared(core) };
        }
    }

    /// Drops a result that nobody will fetch; a panic is reported.
    pub(super) fn discard(self, ending: Option<Ending>) {
        match ending {
            Some(Ending::Output) => failure::contain("a task's output, as it was dropped,", || {
                // SAFETY: RAW-3, `take_ending` said so just now, and says it once.
                unsafe { (self.header().vtable.discard_output)(self) }
            }),
            Some(Ending::Panic) => {
                // SAFETY: RAW-3, as above.
                failure::report_task(self, unsafe { self.take_panic() });
            }
            Some(Ending::Aborted) | None => {}
        }
    }

    /// A task that never got into the inbox: its future is dropped on the thread that made it.
    pub(crate) fn discard_foreign(self) {
        // SAFETY: RAW-3, the future is there, for the task never ran; nobody else knows the task.
        if let Err(payload) = unsafe { (self.header().vtable.drop_future)(self) } {
            failure::report_foreign(self, payload);
        }
        self.free();
    }

    /// Moves the output out.
    ///
    /// # Safety
    /// [`TaskRef::take_ending`] just said `Output`, and `T` is the task's output type.
    #[inline]
    pub(crate) unsafe fn take_output<T>(self) -> T {
        // SAFETY: RAW-3 and the caller's promise; the output is not used in the block again.
        unsafe { self.stage().cast::<T>().read() }
    }

    /// Moves the panic's payload out.
    ///
    /// # Safety
    /// [`TaskRef::take_ending`] just said `Panic`.
    pub(crate) unsafe fn take_panic(self) -> Payload {
        // SAFETY: RAW-3 and the caller's promise; the payload is not used in the block again.
        unsafe { self.stage().cast::<Payload>().read() }
    }
}

/// Wakes a counted waker; ours directly, a foreign one with its panics contained.
#[inline]
pub(crate) fn waker_wake(waker: Waker) {
    if waker::task_of(&waker).is_some() {
        waker.wake();
    } else {
        failure::contain("a waker", || waker.wake());
    }
}

#[cfg(all(test, feature = "inspect", not(mainspring_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_120_bytes_and_a_switch_touches_its_first_line_only() {
        assert_eq!(size_of::<Header>(), 120);
        assert_eq!(offset_of!(Header, joiner), 64);
        assert!(offset_of!(Header, owned) + size_of::<Links>() <= 64);
        type Least = crate::task::stage::Block<std::future::Ready<()>>;
        assert_eq!(size_of::<Least>(), 136);
    }
}
