//! `Handle`: a loop as other threads see it.
//!
//! *Role.* Any thread may send a future, or a closure that makes one, to the loop and fetch the result; or
//! a closure that blocks to the loop's pool.
//!
//! *Model.* The task's block is made on the calling thread and travels through the inbox; the result
//! comes back through a slot of its own, under a mutex that is held for a move only.
//!
//! *Cost.* Two allocations per spawn (block and slot), one system call if the loop sleeps.

#[cfg(all(test, mainspring_loom))]
mod models;

use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::callback::Callback;
use crate::event_loop::EventLoop;
use crate::pool::{self, BlockingStatistics, Class, SentJob};
use crate::shim::{Condvar, Mutex, MutexGuard, lock};
use crate::task::core::{Core, CoreRef};
use crate::task::failure;
use crate::task::join::{self, JoinError};
use crate::task::record::SpawnMeta;
use crate::task::thread_waker::{block_until, refuse_in_loop};

/// Sends work to a loop, from any thread. `Clone`, `Send` and `Sync`; it does not keep the loop alive.
///
/// While a handle exists the loop never takes itself for deadlocked: somebody may send something.
///
/// ```
/// let runtime = mainspring::Runtime::new().unwrap();
/// let handle = runtime.handle();
/// let thread = std::thread::spawn(move || {
///     let sum = handle.spawn(async { 1 + 1 }).unwrap();
///     sum.join().unwrap()
/// });
/// runtime
///     .block_on(async {
///         while !thread.is_finished() {
///             mainspring::yield_to_io().await;
///         }
///     })
///     .unwrap();
/// assert_eq!(thread.join().unwrap(), 2);
/// ```
pub struct Handle {
    core: CoreRef,
    pool: pool::Sender,
}

/// The loop is gone; what was to be sent comes back.
pub struct Closed<F>(pub F);

impl Handle {
    pub(crate) fn new(event_loop: &EventLoop) -> Handle {
        Handle {
            core: CoreRef::new_handle(event_loop.core()),
            pool: event_loop.pool().sender(),
        }
    }

    /// Spawns a `Send` future on the loop.
    ///
    /// # Errors
    /// [`Closed`] with the future, if the loop is gone.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Result<RemoteJoin<F::Output>, Closed<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let location = Location::caller();
        if self.is_closed() {
            return Err(Closed(future));
        }
        Ok(self.send(location, move || future))
    }

    /// Calls `make` on the loop's thread, and spawns the future that it makes there; that one need not
    /// be `Send`, its output must.
    ///
    /// # Errors
    /// [`Closed`] with the closure, if the loop is gone.
    #[track_caller]
    pub fn spawn_with<M, F>(&self, make: M) -> Result<RemoteJoin<F::Output>, Closed<M>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let location = Location::caller();
        if self.is_closed() {
            return Err(Closed(make));
        }
        Ok(self.send(location, make))
    }

    /// Calls `f` on the loop's thread, as [`call_soon`](crate::call_soon) does there, and forgets it: a panic of `f`
    /// goes to the loop's failure policy ([`Builder::on_failure`](crate::Builder::on_failure)).
    ///
    /// For who wants to know what came of it there is [`Handle::call`], at the price of a shared slot for the
    /// result. Calls of both kinds from one thread are made in one order.
    ///
    /// # Errors
    /// [`Closed`] with the closure, if the loop is gone.
    #[track_caller]
    #[doc(alias = "call_soon_threadsafe")]
    pub fn call_soon<C>(&self, f: C) -> Result<(), Closed<C>>
    where
        C: FnOnce() + Send + 'static,
    {
        let meta = SpawnMeta::at(Location::caller());
        if self.is_closed() {
            return Err(Closed(f));
        }
        join::send(&self.core, Callback::new(f), meta);
        Ok(())
    }

    /// Ends [`Runtime::run_forever`](crate::Runtime::run_forever), as [`task::stop`](crate::task::stop) does from
    /// inside; nothing, if the loop is gone.
    pub fn stop(&self) {
        let _ = self.call_soon(|| {
            Core::with_current(|core| core.map(Core::stop));
        });
    }

    /// Calls `f` on the loop's thread, in a task of its own, in the order of the calls of one thread. What it
    /// returns, or its panic, comes back through the [`RemoteJoin`]; dropping that detaches.
    ///
    /// Where nobody asks for the result, [`Handle::call_soon`] costs less. asyncio's `call_soon_threadsafe` is that
    /// one; it has none that gives a result.
    ///
    /// # Errors
    /// [`Closed`] with the closure, if the loop is gone.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let (handle, here) = (mainspring::current_handle().unwrap(), std::thread::current().id());
    /// let thread = std::thread::spawn(move || {
    ///     let called = handle.call(|| std::thread::current().id()).unwrap();
    ///     called.join().unwrap()
    /// });
    /// while !thread.is_finished() {
    ///     mainspring::yield_to_io().await;
    /// }
    /// assert_eq!(thread.join().unwrap(), here);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn call<F, T>(&self, f: F) -> Result<RemoteJoin<T>, Closed<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let location = Location::caller();
        if self.is_closed() {
            return Err(Closed(f));
        }
        Ok(self.send(location, move || ready(f())))
    }

    /// Runs `future` on the loop and blocks this thread until its result is there.
    ///
    /// asyncio: `run_coroutine_threadsafe(…).result()`. The future runs on the loop's thread, so a blocked
    /// thread can wait for what only the loop has.
    ///
    /// # Errors
    /// Aborted, also because the loop is gone, or panicked.
    ///
    /// # Panics
    /// On a thread on which a loop runs: a loop must not block.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let handle = mainspring::current_handle().unwrap();
    /// let thread = std::thread::spawn(move || handle.run_blocking(async { 6 * 7 }));
    /// while !thread.is_finished() {
    ///     mainspring::yield_to_io().await;
    /// }
    /// assert_eq!(thread.join().unwrap().unwrap(), 42);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn run_blocking<F>(&self, future: F) -> Result<F::Output, JoinError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        refuse_in_loop("Handle::run_blocking");
        match self.spawn(future) {
            Ok(join) => join.join(),
            Err(Closed(_)) => Err(JoinError::aborted()),
        }
    }

    /// Whether the loop is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.inbox.is_closed()
    }

    /// Runs `work`, which may block, on a thread of the loop's pool. As
    /// [`spawn_blocking`](crate::spawn_blocking), but from any thread, and with nothing to do for the loop:
    /// the result goes straight to whoever has the [`RemoteJoin`].
    ///
    /// A job of the pool may send further ones and [`join`](RemoteJoin::join) them: one that still waits is
    /// run by the job that joins it, where it is. A job that waits in any other way for jobs that come after
    /// it may wait for ever, once all threads do that.
    ///
    /// # Errors
    /// [`Closed`] with the closure, if the loop is gone.
    ///
    /// ```
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// let sum = runtime.handle().spawn_blocking(|| (1..=4).sum::<i32>()).unwrap();
    /// assert_eq!(sum.join().unwrap(), 10);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, work: F) -> Result<RemoteJoin<T>, Closed<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.send_job(work, Class::default(), Location::caller())
    }

    pub(crate) fn send_job<F, T>(
        &self,
        work: F,
        class: Class,
        location: &'static Location<'static>,
    ) -> Result<RemoteJoin<T>, Closed<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if self.is_closed() {
            return Err(Closed(work));
        }
        let slot = Arc::new(Slot::new(location));
        let sender = Sender(Arc::clone(&slot));
        let job = self
            .pool
            .make(work, class, location, move |result| sender.0.put(result));
        let job = Arc::new(job);
        slot.lock().worker = Some(Worker::Job(Arc::clone(&job)));
        job.submit();
        Ok(RemoteJoin(slot))
    }

    /// How the loop's pool of blocking threads stands.
    #[must_use]
    pub fn blocking_statistics(&self) -> BlockingStatistics {
        self.pool.statistics()
    }

    fn send<M, F>(&self, location: &'static Location<'static>, make: M) -> RemoteJoin<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let slot = Arc::new(Slot::new(location));
        let sender = Sender(Arc::clone(&slot));
        let task = async move {
            let result = sender.run(make).await;
            sender.0.put(result);
        };
        // If the loop closed meanwhile the task is dropped, and the sender's drop says so.
        join::send(&self.core, task, SpawnMeta::at(location));
        RemoteJoin(slot)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle {
            core: CoreRef::new_handle(&self.core),
            pool: self.pool.clone(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("loop", &self.core.id())
            .finish()
    }
}

impl<F> fmt::Debug for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<F> fmt::Display for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop is gone")
    }
}

impl<F> std::error::Error for Closed<F> {}

/// Where a result waits for its fetcher.
struct Slot<T> {
    inner: Mutex<SlotInner<T>>,
    filled: Condvar,
    /// The line that sent the work.
    location: &'static Location<'static>,
}

struct SlotInner<T> {
    result: Option<Result<T, JoinError>>,
    is_done: bool,
    is_aborted: bool,
    /// Who awaits the result.
    joiner: Option<Waker>,
    /// Who does the work, to be told of an abort.
    worker: Option<Worker>,
}

/// Who does the work.
#[derive(Clone)]
enum Worker {
    /// A task of the loop.
    Task(Waker),
    /// A thread of the pool, sooner or later.
    Job(Arc<SentJob>),
}

impl Worker {
    /// Whether it is a thread of the process that this one was forked from.
    fn is_inherited(&self) -> bool {
        matches!(self, Worker::Job(job) if job.is_inherited())
    }

    fn is(&self, task: &Waker) -> bool {
        matches!(self, Worker::Task(waker) if waker.will_wake(task))
    }
}

impl<T> Slot<T> {
    fn new(location: &'static Location<'static>) -> Slot<T> {
        Slot {
            inner: Mutex::new(SlotInner {
                result: None,
                is_done: false,
                is_aborted: false,
                joiner: None,
                worker: None,
            }),
            filled: Condvar::new(),
            location,
        }
    }

    fn lock(&self) -> MutexGuard<'_, SlotInner<T>> {
        lock(&self.inner)
    }

    /// The task that works for it says how it is woken. `false`: it was aborted.
    fn keep_task(&self, task: &Waker) -> bool {
        let mut inner = self.lock();
        if inner.is_aborted {
            return false;
        }
        if !inner.worker.as_ref().is_some_and(|worker| worker.is(task)) {
            inner.worker = Some(Worker::Task(task.clone()));
        }
        true
    }

    /// The job of the pool that works for it, if it is one and has not ended.
    fn job(&self) -> Option<Arc<SentJob>> {
        match &self.lock().worker {
            Some(Worker::Job(job)) => Some(Arc::clone(job)),
            Some(Worker::Task(_)) | None => None,
        }
    }

    /// The first result counts.
    fn put(&self, result: Result<T, JoinError>) {
        let mut inner = self.lock();
        if inner.is_done {
            return;
        }
        inner.is_done = true;
        inner.result = Some(result);
        let (joiner, worker) = (inner.joiner.take(), inner.worker.take());
        drop(inner);
        self.filled.notify_all();
        if let Some(joiner) = joiner {
            joiner.wake();
        }
        drop(worker);
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        let result = self.lock().result.take();
        if let Some(Err(error)) = result {
            if let Ok(payload) = error.into_panic() {
                failure::report_sent(self.location, payload);
            }
        }
    }
}

/// The task's side. Its drop without a result is an abort.
struct Sender<T>(Arc<Slot<T>>);

impl<T> Sender<T> {
    /// Makes the future and runs it, until it is done or an abort was asked for.
    async fn run<M, F>(&self, make: M) -> Result<T, JoinError>
    where
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let made = catch_unwind(AssertUnwindSafe(make)).map_err(JoinError::panicked)?;
        let mut future = pin!(made);
        poll_fn(|cx| {
            if !self.0.keep_task(cx.waker()) {
                return Poll::Ready(Err(JoinError::aborted()));
            }
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Ok),
                Err(payload) => Poll::Ready(Err(JoinError::panicked(payload))),
            }
        })
        .await
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.put(Err(JoinError::aborted()));
    }
}

/// Fetches the result of work that a [`Handle`] sent: awaits it in any runtime, or blocks for it.
/// Dropping it detaches.
///
/// # Cancel safety
/// Safe: it can be polled again, by whoever wants the result.
///
/// # Panics
/// When it is polled again after it returned `Ready`.
pub struct RemoteJoin<T>(Arc<Slot<T>>);

impl<T> RemoteJoin<T> {
    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    /// As for [`JoinHandle`](crate::JoinHandle): aborted, or panicked.
    ///
    /// On a thread of the loop's own pool a job that still waits for a thread is run here and now.
    ///
    /// # Panics
    /// On a thread on which a loop runs, this one or another: it would stand still meanwhile.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        refuse_in_loop("RemoteJoin::join");
        if let Some(job) = self.0.job() {
            job.run_in_place();
        }
        let mut inner = self.0.lock();
        loop {
            if let Some(result) = inner.result.take() {
                return result;
            }
            if inner.worker.as_ref().is_some_and(Worker::is_inherited) {
                return Err(JoinError::aborted());
            }
            inner = self
                .0
                .filled
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`RemoteJoin::join`], for no longer than `limit`. `None`: the result is not there yet, and can be
    /// asked for again. A job of the pool is left to its threads.
    ///
    /// # Errors
    /// As for [`RemoteJoin::join`].
    ///
    /// # Panics
    /// On a thread on which a loop runs; and if the result was fetched before.
    ///
    /// ```
    /// use std::time::Duration;
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// let mut sum = runtime.handle().spawn(async { 1 + 1 }).unwrap();
    /// assert!(sum.join_timeout(Duration::from_millis(1)).is_none()); // nobody runs the loop
    /// runtime.tick().unwrap();
    /// assert_eq!(sum.join_timeout(Duration::MAX).unwrap().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn join_timeout(&mut self, limit: Duration) -> Option<Result<T, JoinError>> {
        refuse_in_loop("RemoteJoin::join_timeout");
        block_until(Some(limit), |cx| Pin::new(&mut *self).poll(cx))
    }

    /// Asks for the work to be ended. A task is dropped at its next poll, on the loop's thread. A job of
    /// the pool that has not begun never runs, and its closure is dropped here; one that runs is told so
    /// ([`is_aborted`](crate::task::blocking::is_aborted)), and its result still comes.
    pub fn abort(&self) {
        let mut inner = self.0.lock();
        inner.is_aborted = true;
        let worker = inner.worker.clone();
        drop(inner);
        match worker {
            Some(Worker::Task(task)) => task.wake(),
            Some(Worker::Job(job)) => job.abort(),
            None => {}
        }
    }

    /// Whether the result is there.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.lock().is_done
    }
}

impl<T> Future for RemoteJoin<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut inner = self.0.lock();
        if let Some(result) = inner.result.take() {
            drop(inner);
            return Poll::Ready(result);
        }
        assert!(
            !inner.is_done,
            "a RemoteJoin was polled again after it had returned its result"
        );
        if inner.worker.as_ref().is_some_and(Worker::is_inherited) {
            inner.is_done = true;
            return Poll::Ready(Err(JoinError::aborted()));
        }
        let earlier = inner.joiner.replace(waker);
        drop(inner);
        drop(earlier);
        Poll::Pending
    }
}

impl<T> fmt::Debug for RemoteJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJoin")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
