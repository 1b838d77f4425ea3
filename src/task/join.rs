//! `JoinHandle`: awaits, aborts and names a spawned task.
//!
//! *Role.* What `spawn` returns.
//!
//! *Model.* Eight bytes: a counted pointer to the task's block. The joiner has no wait node: its
//! waker stands, counted, in a slot of the *joined* task's header, where the inspector finds the edge
//! too. A node inside the handle would make it 80 bytes, `!Unpin`, and a spawn 11 ns dearer.
//!
//! # Invariants
//!
//! - **JOIN-1** The handle owns one reference to a block whose output type is `T`, and lives on the
//!   loop's thread.
#![expect(unsafe_code, reason = "moves the output out of the task's block")]

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

use super::abort::{AbortHandle, Ended};
use super::budget::poll_spend;
use super::core::{Core, CoreRef, Owner};
use super::failure;
use super::info::TaskInfo;
use super::marks::BACKGROUND;
use super::raw::{Start, TaskRef};
use super::record::SpawnMeta;
use super::state::Ending;
use super::waker;

/// Names a task; unique in the process, also across loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u64);

impl TaskId {
    pub(crate) fn new(id: u64) -> TaskId {
        TaskId(id)
    }

    /// The number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Awaits the output of a spawned task.
///
/// Dropping it detaches: the task goes on. If the task panics after that, the panic is reported on
/// standard error; it is never silent. [`JoinHandle::abort_on_drop`] makes a handle that aborts.
///
/// # Cancel safety
/// Safe: a handle that was polled and not finished can be polled again, by the same task or another.
/// Only the last one that polled is woken.
///
/// # Panics
/// When it is polled again after it returned `Ready`.
///
/// ```
/// mainspring::run(async {
///     let handle = mainspring::spawn(async { 6 * 7 });
///     assert_eq!(handle.await.unwrap(), 42);
/// })
/// .unwrap();
/// ```
pub struct JoinHandle<T> {
    task: TaskRef,
    _output: PhantomData<*const T>,
}

impl<T> JoinHandle<T> {
    /// # Safety
    /// JOIN-1: the caller hands over the handle's reference.
    #[inline]
    pub(crate) unsafe fn new(task: TaskRef) -> JoinHandle<T> {
        JoinHandle {
            task,
            _output: PhantomData,
        }
    }

    /// Ends the task the hard way: it is marked, and the loop drops its future in its turn, never
    /// inside this call. Awaiting the handle then gives [`JoinError`] with `is_aborted()`, unless the
    /// task returned before. Calling it twice, from the task itself, or on a finished task is fine.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether the task's future is gone: it returned, panicked or was aborted.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_done()
    }

    /// How the task ended, without taking its result: `None` while it has not, and after the result was
    /// taken. What a panic carried, only the join gives.
    ///
    /// ```
    /// use mainspring::{spawn, task::Ended, yield_now};
    /// mainspring::run(async {
    ///     let mut handle = spawn(async { 7 });
    ///     assert_eq!(handle.outcome(), None);
    ///     yield_now().await;
    ///     assert_eq!(handle.outcome(), Some(Ended::Output));
    ///     assert_eq!((&mut handle).await.unwrap(), 7);
    ///     assert_eq!(handle.outcome(), None);
    /// })
    /// .unwrap();
    /// ```
    #[must_use]
    pub fn outcome(&self) -> Option<Ended> {
        self.task.peek_ending().map(Ended::from)
    }

    /// Something to abort the task by, beside this handle and after it.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.task)
    }

    /// Whoever polls as `waker` awaits the task from now on, as if it had polled the handle.
    pub(crate) fn set_joiner(&self, waker: &Waker) {
        self.task.set_joiner(waker);
    }

    /// Nobody awaits the task any more.
    pub(crate) fn clear_joiner(&self) {
        self.task.clear_joiner();
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId(self.task.id())
    }

    /// Makes the task one that keeps no loop alive, or an ordinary one again: who waits until all tasks are done
    /// ([`Runtime::run_until_idle`](crate::Runtime::run_until_idle), [`Runtime::shutdown`](crate::Runtime::shutdown)) does
    /// not wait for it.
    ///
    /// ```
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// let forever = runtime.spawn(std::future::pending::<()>());
    /// forever.set_background(true);
    /// runtime.run_until_idle().unwrap();
    /// ```
    #[doc(alias = "unref")]
    pub fn set_background(&self, is_background: bool) {
        let marks = &self.task.header().marks;
        if is_background {
            marks.set(BACKGROUND);
        } else {
            marks.clear(BACKGROUND);
        }
    }

    /// Whether it keeps no loop alive.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.task.header().marks.has(BACKGROUND)
    }

    /// Drops the future here and now: for who runs the loop, with the loop entered and nothing being polled.
    pub(crate) fn end_now(&self, owner: &Owner) {
        self.task.drop_for_close(owner);
    }

    /// Whether it is being polled, or its future is being dropped.
    pub(crate) fn is_running(&self) -> bool {
        self.task.header().state.is_running()
    }

    /// What is known of the task now.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        self.task.info()
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.task.name()
    }

    /// Where the task was spawned (feature `inspect`).
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.task.spawned_at()
    }

    /// A handle whose drop aborts the task instead of detaching it.
    #[must_use = "dropping it aborts the task"]
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop(Some(self))
    }

    /// A waker of the task, for who ends what it waits for on another thread.
    pub(crate) fn waker(&self) -> Waker {
        Waker::clone(&waker::lend(self.task))
    }

    /// The result of a task that is done; `None` if it was taken before.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Result<T, JoinError>> {
        let result = match self.task.take_ending()? {
            // SAFETY: it says so just now, and JOIN-1 gives the type.
            Ending::Output => Ok(unsafe { self.task.take_output::<T>() }),
            // SAFETY: `take_ending` said just now that a payload stands there (RAW-3).
            Ending::Panic => Err(JoinError::panicked(unsafe { self.task.take_panic() })),
            Ending::Aborted => Err(JoinError::aborted()),
        };
        Some(result)
    }
}

/// A new task of the loop that is entered on this thread; `None` if there is none. No closure has the
/// future on its way into the block: unoptimised, each one that does is a copy of it on the stack
/// (hz_a32).
#[inline]
pub(crate) fn spawn_current<F>(future: F, meta: SpawnMeta) -> Option<JoinHandle<F::Output>>
where
    F: Future + 'static,
{
    let core = Core::with_current(|core| core.map(NonNull::from))?;
    // SAFETY: CORE-1, whoever entered the loop keeps its share until it left, which nobody does here.
    // That loop is entered on this thread, which makes it the loop's; the future does not borrow.
    // JOIN-1: the handle's reference comes with the task.
    Some(unsafe { JoinHandle::new(core.as_ref().spawn(future, meta, Start::Queued)) })
}

/// As [`spawn_current`], but its first poll is here and now, unless too many such polls are under way.
pub(crate) fn spawn_current_eager<F>(future: F, meta: SpawnMeta) -> Option<JoinHandle<F::Output>>
where
    F: Future + 'static,
{
    let core = Core::with_current(|core| core.map(NonNull::from))?;
    // SAFETY: as in `spawn_current`; the poll is inside of another task's, or outside of all.
    Some(unsafe { JoinHandle::new(core.as_ref().spawn(future, meta, Start::Eager)) })
}

/// As [`spawn_current`], for a future whose first poll only arms a wait: it is polled at once, however deep.
pub(crate) fn spawn_current_armed<F>(future: F, meta: SpawnMeta) -> Option<JoinHandle<F::Output>>
where
    F: Future + 'static,
{
    let core = Core::with_current(|core| core.map(NonNull::from))?;
    // SAFETY: as in `spawn_current_eager`.
    Some(unsafe { JoinHandle::new(core.as_ref().spawn(future, meta, Start::Armed)) })
}

/// A new task of `owner`'s loop, which need not be entered.
pub(crate) fn spawn_on<F>(owner: &Owner, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    // SAFETY: an `Owner` never leaves the loop's thread; the future does not borrow. JOIN-1: the
    // handle's reference comes with the task.
    let handle = unsafe { JoinHandle::new(owner.spawn(future, meta, Start::Queued)) };
    // Whoever embeds the loop may be waiting for its descriptor.
    owner.inbox.ring();
    handle
}

/// Sends a new task to another thread's loop; one that is gone has the future dropped, here and now.
/// What makes the future fit to travel, its caller knows.
pub(crate) fn send<F>(core: &CoreRef, future: F, meta: SpawnMeta)
where
    F: Future<Output = ()> + 'static,
{
    let task = core.make_foreign(future, meta);
    if core.inbox.push(task).is_err() {
        task.discard_foreign();
    }
}

/// Runs `future` as a task, by calling `tick` until it is done, with the question whether it is not. It
/// may borrow: it is dropped, and its output taken, before this returns or unwinds.
///
/// # Errors
/// What `tick` says, or that the task was aborted. The loop is entered throughout.
pub(crate) fn run_main<F: Future>(
    owner: &Owner,
    future: F,
    meta: SpawnMeta,
    mut tick: impl FnMut(&dyn Fn() -> bool) -> io::Result<()>,
) -> io::Result<F::Output> {
    /// Drops the future, if it is still there, and the output, if nobody took it.
    struct Main<'a, T> {
        handle: JoinHandle<T>,
        owner: &'a Owner,
    }
    impl<T> Drop for Main<'_, T> {
        fn drop(&mut self) {
            self.handle.end_now(self.owner);
        }
    }
    // SAFETY: as in `spawn_on`; what the future borrows outlives `main`, whose drop ends the task,
    // and the handle's drop after it discards the output.
    let handle = unsafe { JoinHandle::new(owner.spawn(future, meta, Start::Queued)) };
    let mut main = Main { handle, owner };
    while !main.handle.is_finished() {
        tick(&|| !main.handle.is_finished())?;
    }
    match main.handle.take() {
        Some(Ok(output)) => Ok(output),
        Some(Err(error)) => match error.into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(error) => Err(error.into()),
        },
        None => unreachable!("nobody else has the main task's handle"),
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.task.is_done() {
            self.task.set_joiner(cx.waker());
            return Poll::Pending;
        }
        ready!(poll_spend(cx));
        match self.take() {
            Some(result) => Poll::Ready(result),
            None => panic!("a JoinHandle was polled again after it had returned its task's result"),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        self.task.detach();
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", &self.task.describe())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// A [`JoinHandle`] whose drop aborts its task. Made by [`JoinHandle::abort_on_drop`].
///
/// # Cancel safety
/// Not safe, because dropping it *is* the cancellation: the task's future is dropped in the loop's next
/// turn. Awaited by `&mut` it is as safe as a [`JoinHandle`].
///
/// ```
/// use mainspring::time::{sleep, timeout};
/// use std::time::Duration;
/// mainspring::run(async {
///     let handle = mainspring::spawn(std::future::pending::<()>()).abort_on_drop();
///     assert!(timeout(Duration::from_millis(1), handle).await.is_err());
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
#[must_use = "dropping it aborts the task"]
pub struct AbortOnDrop<T>(Option<JoinHandle<T>>);

impl<T> AbortOnDrop<T> {
    /// Back to a handle whose drop detaches.
    pub fn detach(mut self) -> JoinHandle<T> {
        self.0
            .take()
            .expect("the handle is there until `detach` or drop takes it")
    }

    /// The handle, to ask and to abort by.
    pub fn handle(&self) -> &JoinHandle<T> {
        self.0
            .as_ref()
            .expect("the handle is there until `detach` or drop takes it")
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handle = self
            .0
            .as_mut()
            .expect("the handle is there until `detach` or drop takes it");
        Pin::new(handle).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

/// Why a task has no output: it was aborted, or it panicked.
pub struct JoinError(Option<failure::Payload>);

impl JoinError {
    pub(crate) fn aborted() -> JoinError {
        JoinError(None)
    }

    pub(crate) fn panicked(payload: failure::Payload) -> JoinError {
        JoinError(Some(payload))
    }

    /// Of a job of the pool that was submitted at `location`.
    pub(crate) fn panicked_in_job(
        payload: failure::Payload,
        location: &'static Location<'static>,
    ) -> JoinError {
        JoinError(Some(failure::from_job(payload, location)))
    }

    /// What is to unwind in the task that awaits the job.
    pub(crate) fn into_payload(self) -> failure::Payload {
        self.0.unwrap_or_else(|| Box::new("aborted"))
    }

    /// Whether the task was aborted, or its loop ended before it did.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.is_some()
    }

    /// What the panic carried, for `std::panic::resume_unwind`.
    ///
    /// # Errors
    /// The error itself, if it is no panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        self.0.map(failure::bare).ok_or(JoinError(None))
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("JoinError::Aborted"),
            Some(payload) => write!(f, "JoinError::Panic({:?})", failure::message(payload)),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("the task was aborted"),
            Some(payload) => {
                let text = failure::message(payload);
                match failure::submitted_at(payload) {
                    None => write!(f, "the task panicked: {text}"),
                    Some(line) => write!(f, "the job submitted at {line} panicked: {text}"),
                }
            }
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error.to_string())
    }
}
