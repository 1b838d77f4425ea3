//! `limit`, a floor: the least that tasks and timers can cost without tricks of memory.
//!
//! One allocation per task, a queue of pointers, nothing atomic, nothing checked. **It is unsound**: its
//! wakers count without atomics and must not leave the thread; tasks that never end are leaked; its
//! wheel takes timers in and gives them back, and never fires. So it is no peer, and takes part only in
//! the cells that need nothing else; and, by calls that block its one thread, in those of files and children.

mod blocking;

use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::marker::PhantomPinned;
use std::mem::{ManuallyDrop, replace};
use std::pin::{Pin, pin};
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use super::{Tasks, Timers};
use crate::cells::{self, Run};
use crate::figures::now_ns;

pub struct Limit;

/// Its cells.
pub fn find(cell: &str) -> Option<Run> {
    cells::of_tasks::<Limit>(cell)
        .or_else(|| cells::of_arming::<Limit>(cell))
        .or_else(|| cells::of_files::<Limit>(cell))
        .or_else(|| cells::of_children::<Limit>(cell))
}

thread_local! {
    static QUEUE: UnsafeCell<VecDeque<*const Header>> = const { UnsafeCell::new(VecDeque::new()) };
    static WHEEL: UnsafeCell<[Link; SLOTS]> = const { UnsafeCell::new([const { Link::new() }; SLOTS]) };
}

/// What every task begins with.
struct Header {
    poll: unsafe fn(*const Header),
    free: unsafe fn(*const Header),
    /// Held by the queue, the join handle, and wakers.
    refs: Cell<usize>,
    is_queued: Cell<bool>,
    joiner: Cell<Option<Waker>>,
}

#[repr(C)]
struct Task<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

enum Stage<F: Future> {
    Running(F),
    Done(F::Output),
    Taken,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// # Safety
/// Here and in the three below: `task` is the header of a live task, to which the caller has a reference.
unsafe fn clone(task: *const ()) -> RawWaker {
    // SAFETY: whoever has a waker holds a reference.
    let header = unsafe { &*task.cast::<Header>() };
    header.refs.set(header.refs.get() + 1);
    RawWaker::new(task, &VTABLE)
}

unsafe fn wake(task: *const ()) {
    // SAFETY: the caller's reference is given back after its use.
    unsafe {
        wake_by_ref(task);
        release(task);
    }
}

unsafe fn wake_by_ref(task: *const ()) {
    // SAFETY: whoever has a waker holds a reference.
    let header = unsafe { &*task.cast::<Header>() };
    if !header.is_queued.replace(true) {
        header.refs.set(header.refs.get() + 1);
        push(header);
    }
}

unsafe fn release(task: *const ()) {
    let header: *const Header = task.cast();
    // SAFETY: the caller held a reference; the last one frees.
    unsafe {
        let refs = (*header).refs.get() - 1;
        (*header).refs.set(refs);
        if refs == 0 {
            ((*header).free)(header);
        }
    }
}

fn push(header: *const Header) {
    // SAFETY: nobody else uses the queue during the call.
    QUEUE.with(|queue| unsafe { (*queue.get()).push_back(header) });
}

fn pop() -> Option<*const Header> {
    // SAFETY: nobody else uses the queue during the call.
    QUEUE.with(|queue| unsafe { (*queue.get()).pop_front() })
}

/// # Safety
/// `header` is that of a live `Task<F>`.
unsafe fn poll_task<F: Future>(header: *const Header) {
    let task = header.cast::<Task<F>>();
    // SAFETY: the task is alive, by the caller's reference; the future is pinned in its block; nobody
    // else has its stage, because tasks are polled one after the other.
    unsafe {
        let waker = ManuallyDrop::new(Waker::from_raw(RawWaker::new(header.cast(), &VTABLE)));
        let stage = &mut *(*task).stage.get();
        let Stage::Running(future) = stage else {
            return;
        };
        let mut cx = Context::from_waker(&waker);
        if let Poll::Ready(output) = Pin::new_unchecked(future).poll(&mut cx) {
            *stage = Stage::Done(output);
            if let Some(joiner) = (*header).joiner.take() {
                joiner.wake();
            }
        }
    }
}

/// # Safety
/// `header` is that of a `Task<F>` to which no reference is left.
unsafe fn free_task<F: Future>(header: *const Header) {
    // SAFETY: it was made by `Box::into_raw` in `spawn`.
    drop(unsafe { Box::from_raw(header.cast_mut().cast::<Task<F>>()) });
}

/// A join handle.
struct Join<F: Future>(*const Task<F>);

impl<F: Future> Future for Join<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the handle holds a reference, and the task is not being polled.
        let task = unsafe { &*self.0 };
        // SAFETY: as above: nobody else has the stage; what is replaced is no longer pinned.
        let stage = unsafe { &mut *task.stage.get() };
        if let Stage::Done(_) = stage {
            let Stage::Done(output) = replace(stage, Stage::Taken) else {
                unreachable!("it was looked at");
            };
            return Poll::Ready(output);
        }
        task.header.joiner.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<F: Future> Drop for Join<F> {
    fn drop(&mut self) {
        // SAFETY: the handle's own reference.
        unsafe { release(self.0.cast()) };
    }
}

impl Tasks for Limit {
    fn run<F: Future>(future: F) -> F::Output {
        static IGNORE: RawWakerVTable =
            RawWakerVTable::new(|data| RawWaker::new(data, &IGNORE), |_| (), |_| (), |_| ());
        // SAFETY: all functions of the vtable ignore the pointer.
        let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &IGNORE)) };
        let mut future = pin!(future);
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            // The main future is asked once per 128 polls, or when nothing is left.
            for _ in 0..128 {
                let Some(header) = pop() else {
                    break;
                };
                // SAFETY: the queue's reference is given back after the poll.
                unsafe {
                    (*header).is_queued.set(false);
                    ((*header).poll)(header);
                    release(header.cast());
                }
            }
        }
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let task = Box::into_raw(Box::new(Task {
            header: Header {
                poll: poll_task::<F>,
                free: free_task::<F>,
                refs: Cell::new(2),
                is_queued: Cell::new(true),
                joiner: Cell::new(None),
            },
            stage: UnsafeCell::new(Stage::Running(future)),
        }));
        push(task.cast_const().cast());
        Join(task.cast_const())
    }

    fn yield_now() -> impl Future<Output = ()> {
        cells::switch::bare_wake()
    }
}

const SLOTS: usize = 64;

/// A neighbour in a slot's list.
struct Link {
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
}

impl Link {
    const fn new() -> Link {
        Link {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
        }
    }
}

/// A timer that is armed at its first poll, after a look at the clock, and never fires.
struct Sleep {
    duration: Duration,
    link: Link,
    waker: Option<Waker>,
    _pinned: PhantomPinned,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        if this.waker.is_none() {
            this.waker = Some(cx.waker().clone());
            let deadline_ns = now_ns() + this.duration.as_nanos() as u64;
            let slot = (deadline_ns >> 20) as usize % SLOTS;
            // SAFETY: the list is used by this thread alone; the sleep is pinned, and unlinks when dropped.
            WHEEL.with(|wheel| unsafe {
                let head = &(*wheel.get())[slot];
                let first = head.next.get();
                this.link.next.set(first);
                this.link.prev.set(head);
                head.next.set(&this.link);
                if !first.is_null() {
                    (*first).prev.set(&this.link);
                }
            });
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let (next, prev) = (self.link.next.get(), self.link.prev.get());
        // SAFETY: neighbours are pinned or heads of slots, and alive while they are linked.
        unsafe {
            if !prev.is_null() {
                (*prev).next.set(next);
            }
            if !next.is_null() {
                (*next).prev.set(prev);
            }
        }
    }
}

impl Timers for Limit {
    fn sleep(duration: Duration) -> impl Future {
        Sleep {
            duration,
            link: Link::new(),
            waker: None,
            _pinned: PhantomPinned,
        }
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, impl Debug> {
        let (mut future, mut sleep) = (pin!(future), pin!(Limit::sleep(duration)));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|_| Err("too late")),
        })
        .await
    }
}
