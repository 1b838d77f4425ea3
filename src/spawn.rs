//! `spawn` and the yields: what a task does with its own loop.

mod blocked;

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context;
use crate::handle::Handle;
use crate::pin::pinned;
use crate::task::core::Core;
use crate::task::extra::Rare;
use crate::task::join::{self, JoinHandle, TaskId};
use crate::task::local::{Locals, TaskLocal};
use crate::task::record::SpawnMeta;
use crate::task::wait::{Kind, WaitRing, Waiter};

pub use blocked::{AllBlocked, wait_all_tasks_blocked};

const NO_LOOP: &str =
    "spawn must be called inside a running loop; see `Runtime::spawn` and `Handle`";

/// Starts a task on the loop that runs on this thread: at the back of the ready queue, polled in a
/// later tick. The future need not be `Send`.
///
/// In a loop that is being dropped the future is dropped at once, and the handle says aborted.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// mainspring::run(async {
///     let local = std::rc::Rc::new(5);
///     let handle = mainspring::spawn(async move { *local + 1 });
///     assert_eq!(handle.await.unwrap(), 6);
/// })
/// .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    match join::spawn_current(future, SpawnMeta::at(Location::caller())) {
        Some(handle) => handle,
        None => panic!("{NO_LOOP}"),
    }
}

/// Starts a task that is out of the ordinary: with a name, with values of its own, in the background.
///
/// ```
/// mainspring::run(async {
///     let handle = mainspring::TaskBuilder::new().name("clock").spawn(async {});
///     assert_eq!(handle.name().as_deref(), Some("clock"));
/// })
/// .unwrap();
/// ```
#[derive(Default)]
#[must_use = "a builder makes nothing until `spawn`"]
pub struct TaskBuilder {
    name: Option<Box<str>>,
    locals: Locals,
    is_background: bool,
    is_eager: bool,
}

impl TaskBuilder {
    /// A task without a name.
    pub fn new() -> TaskBuilder {
        TaskBuilder::default()
    }

    /// The task's name, for handles and reports.
    pub fn name(mut self, name: impl Into<String>) -> TaskBuilder {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Whether it keeps no loop alive, as [`JoinHandle::set_background`] has it.
    #[doc(alias = "unref")]
    pub fn background(mut self, is_background: bool) -> TaskBuilder {
        self.is_background = is_background;
        self
    }

    /// Whether it is polled for the first time inside the spawn, as by [`spawn_eager`].
    pub fn eager(mut self, is_eager: bool) -> TaskBuilder {
        self.is_eager = is_eager;
        self
    }

    /// Gives the task a value, in place of the one that it would inherit.
    ///
    /// ```
    /// mainspring::task_local! {
    ///     static USER: &'static str;
    /// }
    /// mainspring::run(async {
    ///     let task = mainspring::TaskBuilder::new().local(&USER, "ann");
    ///     assert_eq!(task.spawn(async { USER.get() }).await.unwrap(), "ann");
    /// })
    /// .unwrap();
    /// ```
    pub fn local<T>(mut self, key: &'static TaskLocal<T>, value: T) -> TaskBuilder {
        key.add_to(&mut self.locals, value);
        self
    }

    /// Starts the task, as [`spawn`] does.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let is_eager = self.is_eager;
        let meta = self.meta(Location::caller());
        let handle = if is_eager {
            join::spawn_current_eager(future, meta)
        } else {
            join::spawn_current(future, meta)
        };
        match handle {
            Some(handle) => handle,
            None => panic!("{NO_LOOP}"),
        }
    }

    fn meta(self, location: &'static Location<'static>) -> SpawnMeta {
        let is_plain = self.name.is_none() && self.locals.is_empty() && !self.is_background;
        let extra = || Box::new(Rare::new(self.name, self.locals, self.is_background));
        SpawnMeta {
            extra: (!is_plain).then(extra),
            location,
        }
    }
}

impl fmt::Debug for TaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("name", &self.name)
            .field("is_background", &self.is_background)
            .field("is_eager", &self.is_eager)
            .finish_non_exhaustive()
    }
}

/// Starts a task and polls it for the first time at once, inside this call: what ends without a wait is done
/// when this returns, and no tick was used.
///
/// This changes the order of things, so it is to be asked for: all that the future does until its first wait comes
/// before the caller's next line. The new task is the current one meanwhile, with a budget of its own; its panic
/// goes to its handle. Eager spawns inside of eager spawns are polled at once up to a depth of 32; the next one is
/// an ordinary [`spawn`].
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// mainspring::run(async {
///     let cached = mainspring::task::spawn_eager(async { 5 });
///     assert!(cached.is_finished());
///     assert_eq!(cached.await.unwrap(), 5);
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_eager<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    match join::spawn_current_eager(future, SpawnMeta::at(Location::caller())) {
        Some(handle) => handle,
        None => panic!("{NO_LOOP}"),
    }
}

/// Ends [`Runtime::run_forever`](crate::Runtime::run_forever) or
/// [`run_until_idle`](crate::Runtime::run_until_idle) after the current tick, whatever is ready. Other ways to run a
/// loop go on; then the next of those two ends after one tick. [`Handle::stop`] does it from other threads.
///
/// # Panics
/// Where no loop runs.
#[track_caller]
pub fn stop() {
    let is_stopped = Core::with_current(|core| core.map(Core::stop).is_some());
    assert!(is_stopped, "stop must be called inside a running loop");
}

/// The id of the task that is being polled; `None` outside of tasks.
#[must_use]
pub fn current_task_id() -> Option<TaskId> {
    Core::with_current(|core| {
        core.and_then(Core::current_task)
            .map(|task| TaskId::new(task.id()))
    })
}

/// A handle to the loop that runs on this thread, for other threads.
///
/// # Errors
/// `NotConnected` where no loop runs.
pub fn current_handle() -> io::Result<Handle> {
    let event_loop = context::current().ok_or_else(crate::reactor::no_loop)?;
    Ok(Handle::new(&event_loop))
}

/// Lets every task run that is ready now: goes to the back of the ready queue. It forces no look at the
/// selector; see [`yield_to_io`].
///
/// # Cancel safety
/// Safe.
///
/// ```
/// mainspring::run(async { mainspring::yield_now().await }).unwrap();
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { has_yielded: false }
}

/// Goes to the back of the ready queue once. Made by [`yield_now`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct YieldNow {
    has_yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Resumes only after timers and selector were looked at once more.
///
/// # Cancel safety
/// Safe.
///
/// # Panics
/// When it is polled where no loop runs.
///
/// ```
/// mainspring::run(async { mainspring::yield_to_io().await }).unwrap();
/// ```
#[track_caller]
pub fn yield_to_io() -> YieldToIo {
    YieldToIo {
        waiter: Waiter::new(Kind::SelectorTurn, Location::caller()),
    }
}

/// Resumes after the loop's next turn. Made by [`yield_to_io`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct YieldToIo {
    waiter: Waiter,
}

impl Future for YieldToIo {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = pinned!(self.as_ref(), waiter);
        if waiter.is_woken() {
            return Poll::Ready(());
        }
        waiter.arm(cx);
        if !waiter.is_linked() {
            let event_loop =
                context::current().expect("yield_to_io must be awaited inside a running loop");
            let ring: &WaitRing = event_loop.after_turn();
            ring.push(waiter);
        }
        Poll::Pending
    }
}

impl fmt::Debug for YieldToIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("YieldToIo").finish_non_exhaustive()
    }
}
