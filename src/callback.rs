//! Callbacks: plain functions that the loop calls, soon or at a time.
//!
//! *Role.* For code that is not asynchronous, and for whoever comes from asyncio or libuv.
//!
//! *Model.* A callback is a task whose one poll runs the closure, so there is one queue and one order: a
//! callback runs where a task that was spawned instead would have been polled. One with a time is armed inside
//! the call, and becomes ready when the time comes.
//!
//! ```text
//!   call_soon ──► ready queue ──► called
//!   call_later, call_at ──► wheel ──(due)──► ready queue ──► called
//!                  cancel: ────────────────────┴──► dropped, in the turn of the task
//! ```
//!
//! *Cost.* One block, as for any task.
//!
//! *Why not a queue of boxed closures.* It would need an order beside that of the tasks, a place in the
//! deadlock's proof, and a line in the list of what waits; a task has them all.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Instant;

use crate::pin::{pinned, pinned_mut};
use crate::task::core::Core;
use crate::task::failure;
use crate::task::join::{self, JoinHandle, TaskId};
use crate::task::record::SpawnMeta;
use crate::time::Sleep;

/// Calls `f` in a later tick, after what is ready now: where a task that was spawned here would be polled.
///
/// A panic of `f` goes to the loop's failure policy ([`Builder::on_failure`](crate::Builder::on_failure)). The
/// values of the current task ([`TaskLocal`](crate::task::TaskLocal)) are inherited, and a callback is listed among
/// the tasks.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// mainspring::run(async {
///     let has_run = Rc::new(Cell::new(false));
///     let flag = Rc::clone(&has_run);
///     mainspring::call_soon(move || flag.set(true));
///     assert!(!has_run.get());
///     mainspring::yield_now().await;
///     assert!(has_run.get());
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn call_soon(f: impl FnOnce() + 'static) -> CallHandle {
    let meta = SpawnMeta::at(Location::caller());
    CallHandle::new(join::spawn_current(Callback::new(f), meta), None)
}

/// Calls `f` when `delay` has passed, counted from now; `Duration::MAX` is never.
///
/// It reads the clock. Callbacks that are due at the same time are called in the order in which they were made; so are
/// they and the sleeps that began to wait between them.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// mainspring::run(async {
///     let has_run = Rc::new(Cell::new(false));
///     let flag = Rc::clone(&has_run);
///     let call = mainspring::call_later(Duration::from_millis(1), move || flag.set(true));
///     mainspring::time::sleep_until(call.when().unwrap()).await;
///     mainspring::yield_now().await;
///     assert!(has_run.get());
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn call_later(delay: Duration, f: impl FnOnce() + 'static) -> CallHandle {
    call_at(crate::time::now() + delay, f)
}

/// Calls `f` at `deadline`, or in the next turn if that is past; `Instant::FAR_FUTURE` is never.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// use std::time::Duration;
/// mainspring::run(async {
///     let deadline = mainspring::time::now() + Duration::from_secs(3600);
///     let call = mainspring::call_at(deadline, || unreachable!("it is cancelled"));
///     call.cancel();
///     assert!(call.is_cancelled());
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn call_at(deadline: Instant, f: impl FnOnce() + 'static) -> CallHandle {
    let location = Location::caller();
    let callback = TimedCallback {
        sleep: Sleep::new(deadline.as_ns(), false, location),
        callback: Callback::new(f),
    };
    let task = join::spawn_current_armed(callback, SpawnMeta::at(location));
    CallHandle::new(task, Some(deadline))
}

/// A callback that was asked for. Dropping the handle changes nothing: it will be called.
pub struct CallHandle {
    task: JoinHandle<()>,
    when: Option<Instant>,
    is_cancelled: Cell<bool>,
}

impl CallHandle {
    #[track_caller]
    fn new(task: Option<JoinHandle<()>>, when: Option<Instant>) -> CallHandle {
        let Some(task) = task else {
            panic!("callbacks must be made inside a running loop; see `Handle::call_soon`")
        };
        CallHandle {
            task,
            when,
            is_cancelled: Cell::new(false),
        }
    }

    /// Takes the call back, unless it is made already or just now. The closure is dropped by the loop, in a later poll
    /// of its own, never inside this call.
    pub fn cancel(&self) {
        if !self.task.is_finished() && !self.task.is_running() {
            self.is_cancelled.set(true);
            self.task.abort();
        }
    }

    /// Whether [`CallHandle::cancel`] came in time: the closure was not and will not be called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Whether the closure is gone: it was called, or dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// When it is due; `None` for [`call_soon`].
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        self.when
    }

    /// The id of the task that makes the call.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// Whether the call keeps no loop alive, as [`JoinHandle::set_background`] has it.
    #[doc(alias = "unref")]
    pub fn set_background(&self, is_background: bool) {
        self.task.set_background(is_background);
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle")
            .field("task", &self.task)
            .field("when", &self.when)
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

/// A closure as a future: its one poll calls it.
pub(crate) struct Callback<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Callback<F> {
    pub(crate) fn new(f: F) -> Callback<F> {
        Callback(Some(f))
    }

    /// Calls the closure. Nobody could fetch its panic, so that is a failure.
    fn call(&mut self) {
        let Some(f) = self.0.take() else { return };
        let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
            return;
        };
        match Core::with_current(|core| core.and_then(Core::current_task)) {
            Some(task) => failure::report_callback(task, payload),
            None => failure::contain("a callback", || resume_unwind(payload)),
        }
    }
}

impl<F: FnOnce()> Unpin for Callback<F> {}

impl<F: FnOnce()> Future for Callback<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.call();
        Poll::Ready(())
    }
}

impl<F: FnOnce()> Drop for Callback<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            failure::contain("a callback, as it was dropped,", || drop(f));
        }
    }
}

/// A callback with a time.
struct TimedCallback<F: FnOnce()> {
    sleep: Sleep,
    callback: Callback<F>,
}

impl<F: FnOnce()> Future for TimedCallback<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(pinned!(self.as_ref(), sleep).poll_elapsed(cx));
        pinned_mut!(self.as_mut(), callback).call();
        Poll::Ready(())
    }
}
