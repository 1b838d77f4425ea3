//! The typed half of a task block: the future, then what it left, behind three functions.
//!
//! *Role.* [`super::raw`] runs a task through its [`Vtable`] without knowing its type; the functions here
//! do, and are the only code that touches the future. Who knows the type of what it left, as a join handle
//! does, moves it out by the offset.
//!
//! *Model.* One place, three things, one after the other; [`super::state`] knows which.
//!
//! ```text
//!   future F ──poll: Ready──► output F::Output ──take / discard──► nothing
//!      │ └────poll: panic───► payload ─────────take────────────► nothing
//!      └──drop_future────────────────────────────────────────────► nothing (aborted)
//! ```
//!
//! # Invariants
//!
//! RAW-3 (what stands in the stage), RAW-4 (the future never moves) and RAW-5 (only on the loop's
//! thread), all of [`super::raw`].
//!
//! *Cost.* One indirect call per poll. A vtable of seven words per type of future.
#![expect(unsafe_code, reason = "a union, and the vtable over it")]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use super::block::SizeClass;
use super::failure::{self, Payload};
use super::raw::{Header, TaskRef};

/// What depends on the future's type; one per type, not generic itself.
///
/// # Safety
/// The functions are unsafe to call: the task is a block of this vtable's type, its loop's thread is
/// this one, and RAW-3 says what stands in the stage. Each function below names its own condition.
pub(super) struct Vtable {
    pub(super) layout: Layout,
    /// Of a block that the loop's own thread made.
    pub(super) class: SizeClass,
    /// Where the stage is in the block; it depends on the alignment of future and output.
    pub(super) stage_offset: usize,
    // SAFETY of a call: the task is of this vtable's type, on its loop's thread, and its stage holds (RAW-3)
    // the future for the first two, the output for the third.
    pub(super) poll: unsafe fn(TaskRef, &mut Context<'_>) -> Polled,
    pub(super) drop_future: unsafe fn(TaskRef) -> Result<(), Payload>,
    pub(super) discard_output: unsafe fn(TaskRef),
}

pub(super) enum Polled {
    Pending,
    /// The future is dropped and its output stands in the block.
    Ready,
    /// The future is dropped and a panic's payload stands in the block.
    Panicked,
}

/// A block for a future of type `F`.
#[repr(C)]
pub(super) struct Block<F: Future> {
    pub(super) header: Header,
    pub(super) stage: UnsafeCell<Stage<F>>,
}

/// Which one it is, [`State`] knows (RAW-3).
#[repr(C)]
pub(super) union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
    panic: ManuallyDrop<Payload>,
}

pub(super) struct VtableOf<F>(PhantomData<F>);

impl<F: Future> VtableOf<F> {
    pub(super) const VTABLE: Vtable = Vtable {
        layout: Layout::new::<Block<F>>(),
        class: SizeClass::of(Layout::new::<Block<F>>()),
        stage_offset: offset_of!(Block<F>, stage),
        poll: poll::<F>,
        drop_future: drop_future::<F>,
        discard_output: discard_output::<F>,
    };
}

/// Where the stage of a `Block<F>` is.
#[inline]
fn stage<F: Future>(task: TaskRef) -> *mut Stage<F> {
    let block = task.as_ptr().cast_mut().cast::<Block<F>>();
    // SAFETY: RAW-1, the block lives, and the caller knows that it is of this type.
    unsafe { (&raw mut (*block).stage).cast() }
}

/// # Safety
/// RAW-3: `task` is a `Block<F>` whose future is there.
unsafe fn poll<F: Future>(task: TaskRef, cx: &mut Context<'_>) -> Polled {
    let future = stage::<F>(task).cast::<F>();
    let mut is_dropped = false;
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: RAW-3, it is there; RAW-4, it never moves; RUNNING keeps everybody else away.
        match unsafe { Pin::new_unchecked(&mut *future) }.poll(cx) {
            Poll::Pending => Polled::Pending,
            Poll::Ready(output) => {
                is_dropped = true;
                // SAFETY: RAW-3, the future goes here, once; a panic on the way counts as gone, and
                // drops the output. Then its place is free, and large enough by the union.
                unsafe {
                    ptr::drop_in_place(future);
                    stage::<F>(task).cast::<F::Output>().write(output);
                }
                Polled::Ready
            }
        }
    }));
    match result {
        Ok(polled) => polled,
        // SAFETY: RAW-3, a panic that came out of `poll` left the future where it was.
        Err(payload) => unsafe { panicked::<F>(task, payload, is_dropped) },
    }
}

/// Puts `payload` where the future was, or still is.
///
/// # Safety
/// RAW-3: `task` is a `Block<F>` whose future is there, unless `is_dropped`; it is gone afterwards.
#[cold]
#[inline(never)]
unsafe fn panicked<F: Future>(task: TaskRef, payload: Payload, is_dropped: bool) -> Polled {
    if !is_dropped {
        // SAFETY: the caller's promise.
        if let Err(second) = unsafe { drop_future::<F>(task) } {
            failure::drop_quietly(second);
        }
    }
    // SAFETY: RAW-3, the stage is empty, and has room for a payload by the union.
    unsafe { stage::<F>(task).cast::<Payload>().write(payload) };
    Polled::Panicked
}

/// # Safety
/// RAW-3: `task` is a `Block<F>` whose future is there; it is gone afterwards, also on `Err`.
unsafe fn drop_future<F: Future>(task: TaskRef) -> Result<(), Payload> {
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise.
        unsafe { ptr::drop_in_place(stage::<F>(task).cast::<F>()) }
    }))
}

/// # Safety
/// RAW-3: `task` is a `Block<F>` whose output is there.
unsafe fn discard_output<F: Future>(task: TaskRef) {
    // SAFETY: the caller's promise.
    unsafe { ptr::drop_in_place(stage::<F>(task).cast::<F::Output>()) }
}
