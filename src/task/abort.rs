//! `AbortHandle` and `Ended`: what is done to a task, and asked of it, without awaiting it.
//!
//! *Model.* An [`AbortHandle`] counts as one more waker of its task does: it keeps the task's block, not its
//! future. It never leaves the loop's thread.
//!
//! *The price.* While one of an unfinished task exists, the loop can't prove that the task will never go on:
//! somebody may abort it yet. So it sleeps where it would otherwise report a deadlock.

use std::fmt;
use std::marker::PhantomData;

use super::core::Core;
use super::join::TaskId;
use super::raw::TaskRef;
use super::state::Ending;

/// How a task ended. See [`JoinHandle::outcome`](super::join::JoinHandle::outcome).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It returned.
    Output,
    /// It panicked.
    Panic,
    /// It was aborted, or its loop ended before it did.
    Aborted,
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Ended {
        match ending {
            Ending::Output => Ended::Output,
            Ending::Panic => Ended::Panic,
            Ending::Aborted => Ended::Aborted,
        }
    }
}

/// Aborts a task, for whoever does not own its handle. A clone aborts the same task; dropping it does nothing.
///
/// While one exists for a task that has not ended, the loop does not report a deadlock (P22): the task may be
/// aborted yet.
///
/// ```
/// use mainspring::spawn;
/// mainspring::run(async {
///     let handle = spawn(std::future::pending::<()>());
///     let abort = handle.abort_handle();
///     spawn(async move { abort.abort() });
///     assert!(handle.await.unwrap_err().is_aborted());
/// })
/// .unwrap();
/// ```
///
/// It stays on its loop's thread:
///
/// ```compile_fail,E0277
/// let handle = mainspring::Runtime::new().unwrap().spawn(async {}).abort_handle();
/// std::thread::spawn(move || handle.abort());
/// ```
pub struct AbortHandle {
    task: TaskRef,
    _not_send: PhantomData<*const ()>,
}

impl AbortHandle {
    /// For a task whose block the caller keeps meanwhile.
    #[inline]
    pub(crate) fn new(task: TaskRef) -> AbortHandle {
        task.acquire();
        AbortHandle {
            task,
            _not_send: PhantomData,
        }
    }

    /// Aborts the task that is being polled, if one is: it is dropped when its poll has returned.
    pub(crate) fn abort_current() {
        let current = Core::with_current(|core| core.and_then(Core::current_task));
        if let Some(task) = current {
            task.abort();
        }
    }

    /// Aborts the task, as [`JoinHandle::abort`](super::join::JoinHandle::abort) does.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether the task's future is gone.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_done()
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId::new(self.task.id())
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> AbortHandle {
        AbortHandle::new(self.task)
    }
}

impl Drop for AbortHandle {
    #[inline]
    fn drop(&mut self) {
        self.task.release();
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("task", &self.task.describe())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
