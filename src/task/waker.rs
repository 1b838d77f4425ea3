//! The waker of a task: good on any thread, for ever.
//!
//! *Role.* [`super::raw`] lends one to each poll. Leaf futures keep it as a bare pointer in a wait
//! node ([`super::wait`]) or clone it; combinators and other threads clone it.
//!
//! *Model.* A waker is a counted pointer to the task's header and this one, non-generic vtable.
//!
//! ```text
//!                          is the task's loop entered on this thread?
//!                          yes                              no
//!   clone, drop            plain local count                atomic shared count
//!   wake                   QUEUED bit, ready queue          Remote flag, inbox, ring if asleep
//! ```
//!
//! Once the task is done its two counts are merged, and everybody uses the shared one.
//!
//! # Invariants
//!
//! - **WAKE-1** A waker owns one reference to its task, so the header lives; the header's share keeps
//!   the loop's counted block, so ready queue and inbox live too.
//! - **WAKE-2** After the push into the inbox only what the waker's own reference keeps is touched.
//!
//! *Not for signal handlers.* On the loop's thread a wake changes the ready queue, which the handler
//! may have interrupted half-way. Handlers use the notifier and an atomic flag.
#![expect(unsafe_code, reason = "a RawWaker vtable")]

use std::mem::ManuallyDrop;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::core::Core;
use super::raw::{Header, TaskRef};
use super::state::{OnRemoteWake, OnWake};

/// The one vtable. A `static`, because its address tells our wakers from others: a constant may be
/// instantiated at several addresses.
pub(crate) static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

/// A waker for `task` that owns no reference: for the length of a poll.
#[inline]
pub(crate) fn lend(task: TaskRef) -> ManuallyDrop<Waker> {
    // SAFETY: WAKE-1 holds for as long as the poll: the loop has a reference meanwhile, and the
    // `ManuallyDrop` gives back none. Clones own theirs.
    ManuallyDrop::new(unsafe { Waker::new(task.as_ptr().cast(), &VTABLE) })
}

/// The task behind `waker`, if it is one of ours, of whatever loop.
#[inline]
pub(crate) fn task_of(waker: &Waker) -> Option<TaskRef> {
    // SAFETY: WAKE-1, the data of our wakers is a task's block, which the waker keeps.
    std::ptr::eq(waker.vtable(), &raw const VTABLE)
        .then(|| unsafe { TaskRef::from_ptr(waker.data().cast()) })
}

/// Whether `waker` is the own one of the task with this header; null is nobody's.
#[inline]
pub(crate) fn is_of(waker: &Waker, task: *const Header) -> bool {
    std::ptr::eq(waker.data(), task.cast()) && std::ptr::eq(waker.vtable(), &raw const VTABLE)
}

/// Wakes `task`, on whichever thread this is.
#[inline(always)]
pub(crate) fn wake_task(task: TaskRef) {
    if task.core().is_current() {
        wake_local(task);
    } else {
        wake_remote(task);
    }
}

#[inline(always)]
fn wake_local(task: TaskRef) {
    let header = task.header();
    match header.state.transition_to_queued() {
        OnWake::Push => {
            let core = task.core();
            header.cause.set(core.cause.get());
            task.schedule(core);
        }
        OnWake::Nothing => {}
    }
}

/// The entry's reference is the shared half's; the loop gives it back when it collects.
#[cold]
fn wake_remote(task: TaskRef) {
    match task.header().remote.transition_to_notified() {
        OnRemoteWake::Push => {
            task.header().count.acquire_shared();
            let core: &Core = task.core();
            // WAKE-2: `core` is kept by the caller's reference to the task, not by the entry's.
            if core.inbox.push(task).is_err() {
                task.release_shared();
            }
        }
        OnRemoteWake::Nothing => {}
    }
}

/// # Safety
/// `data` is the header of a task whose block lives (WAKE-1).
#[inline]
unsafe fn task(data: *const ()) -> TaskRef {
    // SAFETY: the caller's promise.
    unsafe { TaskRef::from_ptr(data.cast()) }
}

/// # Safety
/// Called through [`VTABLE`] with the data of a waker that lives (WAKE-1).
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned keeps the block.
    unsafe { task(data) }.acquire();
    RawWaker::new(data, &VTABLE)
}

/// # Safety
/// As for [`clone`]; takes the waker's reference.
unsafe fn wake(data: *const ()) {
    // SAFETY: the waker's reference is ours now.
    let task = unsafe { task(data) };
    wake_task(task);
    task.release();
}

/// # Safety
/// Called through [`VTABLE`] with the data of a waker that lives (WAKE-1).
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker keeps the block during the call.
    wake_task(unsafe { task(data) });
}

/// # Safety
/// As for [`clone`]; takes the waker's reference.
unsafe fn drop(data: *const ()) {
    // SAFETY: the waker's reference is ours now.
    unsafe { task(data) }.release();
}
