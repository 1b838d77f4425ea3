//! `Handle`: a loop as other threads see it.
//!
//! *Role.* Any thread may send a future, or a closure that makes one, to the loop and fetch the result.
//!
//! *Model.* The task's block is made on the calling thread and travels through the inbox; the result
//! comes back through a slot of its own, under a mutex that is held for a move only.
//!
//! *Cost.* Two allocations per spawn (block and slot), one system call if the loop sleeps.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::task::core::{Core, CoreRef};
use crate::task::join::{self, JoinError};
use crate::task::record::SpawnMeta;

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
pub struct Handle(CoreRef);

/// The loop is gone; what was to be sent comes back.
pub struct Closed<F>(pub F);

impl Handle {
    pub(crate) fn new(core: &Core) -> Handle {
        Handle(CoreRef::new_handle(core))
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

    /// Whether the loop is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.inbox.is_closed()
    }

    fn send<M, F>(&self, location: &'static Location<'static>, make: M) -> RemoteJoin<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let slot = Arc::new(Slot::new(self.0.id()));
        let sender = Sender(Arc::clone(&slot));
        let task = async move {
            let result = sender.run(make).await;
            sender.0.put(result);
        };
        // If the loop closed meanwhile the task is dropped, and the sender's drop says so.
        join::send(&self.0, task, SpawnMeta::at(location));
        RemoteJoin(slot)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle(CoreRef::new_handle(&self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("loop", &self.0.id())
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
    loop_id: u64,
}

struct SlotInner<T> {
    result: Option<Result<T, JoinError>>,
    is_done: bool,
    is_aborted: bool,
    /// Who awaits the result.
    joiner: Option<Waker>,
    /// The task, to be told of an abort.
    task: Option<Waker>,
}

impl<T> Slot<T> {
    fn new(loop_id: u64) -> Slot<T> {
        Slot {
            inner: Mutex::new(SlotInner {
                result: None,
                is_done: false,
                is_aborted: false,
                joiner: None,
                task: None,
            }),
            filled: Condvar::new(),
            loop_id,
        }
    }

    /// No user code runs under the lock, so it can't be poisoned.
    fn lock(&self) -> MutexGuard<'_, SlotInner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first result counts.
    fn put(&self, result: Result<T, JoinError>) {
        let mut inner = self.lock();
        if inner.is_done {
            return;
        }
        inner.is_done = true;
        inner.result = Some(result);
        let (joiner, task) = (inner.joiner.take(), inner.task.take());
        drop(inner);
        self.filled.notify_all();
        if let Some(joiner) = joiner {
            joiner.wake();
        }
        drop(task);
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
            let mut inner = self.0.lock();
            if inner.is_aborted {
                return Poll::Ready(Err(JoinError::aborted()));
            }
            if !inner
                .task
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                inner.task = Some(cx.waker().clone());
            }
            drop(inner);
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
    /// # Panics
    /// On the thread that runs the loop, which would wait for itself.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        let is_own_loop =
            Core::with_current(|core| core.is_some_and(|core| core.id() == self.0.loop_id));
        assert!(
            !is_own_loop,
            "RemoteJoin::join would block the loop that has to do the work"
        );
        let mut inner = self.0.lock();
        loop {
            if let Some(result) = inner.result.take() {
                return result;
            }
            inner = self
                .0
                .filled
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Asks for the task to be ended at its next poll; it is dropped there, on the loop's thread.
    pub fn abort(&self) {
        let mut inner = self.0.lock();
        inner.is_aborted = true;
        let task = inner.task.clone();
        drop(inner);
        if let Some(task) = task {
            task.wake();
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
