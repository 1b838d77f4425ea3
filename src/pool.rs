//! The pool: threads that may block, so that the loop need not.
//!
//! *Role.* [`spawn_blocking`](crate::spawn_blocking) hands a closure to [`Pool::spawn`] and gets a task that
//! awaits it; a `Handle` hands it to [`Workers::send`] from any thread. Files and names come this way.
//!
//! *Model.*
//!
//! ```text
//!   the loop's thread                                    threads of the pool, at most so many
//!   spawn ──► task [ Awaited ──► Job ]
//!                                 Job ──► queue of its class ──► take ──► run ──► result into the Job
//!             task ◄── inbox ◄── waker ◄──────────────────────────────────────────┘
//!             poll: fetches the result; the JoinHandle gives it out
//! ```
//!
//! The end of a job is a wake from another thread like any other: it rings the loop if that sleeps, and
//! once for many. While a job waits or runs, its waker is one that the loop does not know the keeper of, so
//! the loop never takes itself for deadlocked.
//!
//! *End.* [`Pool::close`] drops what waits, raises the flag of what runs, waits for the threads for a while,
//! and leaves those that do not come. A thread that was left touches only what it keeps alive itself: the
//! job, its closure, [`Workers`], and a waker, which finds the inbox closed.
//!
//! *Fork.* The child has the pool's memory and none of its threads, and a thread that had a lock at the moment of
//! the fork has it there for ever. So what was begun before is left as it lies, locks untouched, and
//! [`Pool::after_fork`] puts new [`Workers`] behind the old ones, to which every sender is led.
//!
//! *Cost.* One allocation per job besides the task's block, which is recycled. No thread until the first.

mod awaited;
mod class;
mod current;
mod job;
#[cfg(all(test, mainspring_loom))]
mod models;
mod options;
mod sent;
mod share;
mod state;
mod statistics;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;
mod workers;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awaited::Awaited;
use job::{Job, Out};
use workers::Workers;

use crate::task::core::Core;
use crate::task::join::{self, JoinHandle};
use crate::task::record::SpawnMeta;

pub use class::Class;
pub(crate) use current::is_aborted;
pub(crate) use options::Options;
pub(crate) use sent::{Sender, SentJob};
pub use statistics::{BlockingStatistics, ClassStatistics};

/// The loop's own side of its pool.
pub(crate) struct Pool {
    /// The first ones: their latest successors work.
    workers: Arc<Workers>,
    /// Jobs whose tasks are still to see their end.
    awaited: Cell<usize>,
    /// How long the end waits for threads.
    shutdown_timeout: Cell<Duration>,
    allows_inline_files: bool,
}

impl Pool {
    /// A pool without threads.
    pub(crate) fn new(options: Options) -> Rc<Pool> {
        let shutdown_timeout = Cell::new(options.shutdown_timeout);
        let allows_inline_files = options.allows_inline_files;
        Rc::new(Pool {
            workers: Arc::new(Workers::new(options)),
            awaited: Cell::new(0),
            shutdown_timeout,
            allows_inline_files,
        })
    }

    /// Queues `work`, and makes the task that awaits it, in the loop that is entered on this thread, if one
    /// is. In a loop that is being dropped the closure is dropped at once.
    pub(crate) fn spawn<F, T>(
        self: &Rc<Self>,
        work: F,
        class: Class,
        meta: SpawnMeta,
    ) -> Option<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if Core::with_current(|core| core.is_some_and(Core::is_closing)) {
            drop(work);
            return join::spawn_current(pending(), meta);
        }
        let location = meta.location;
        let job = Arc::new(Job::new(work, Out::Task, class, location));
        let fetch = Arc::clone(&job);
        let awaited = Awaited::new(fetch, self, location);
        let handle = join::spawn_current(awaited, meta)?;
        let is_closed = self.workers().submit(job, Some(handle.waker())).is_err();
        debug_assert!(
            !is_closed || self.workers().is_inherited(),
            "the pool closes after the loop"
        );
        Some(handle)
    }

    /// Whether the loop's thread may ask for what the kernel has of a file in memory.
    pub(crate) fn allows_inline_files(&self) -> bool {
        self.allows_inline_files
    }

    /// For those who send jobs from elsewhere.
    pub(crate) fn sender(&self) -> Sender {
        Sender::new(&self.workers)
    }

    /// Whether a task awaits a job that has not come to its end: time is another thread's then.
    #[cfg(feature = "sim")]
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.get() > 0
    }

    pub(crate) fn statistics(&self) -> BlockingStatistics {
        self.workers().statistics()
    }

    fn workers(&self) -> &Arc<Workers> {
        Workers::latest(&self.workers)
    }

    /// In the child of a fork, which has none of the threads: others are started for the jobs to come. Those that
    /// had not ended are aborted: their tasks see it when they are polled.
    pub(crate) fn after_fork(&self) {
        Workers::replace(self.workers());
    }

    /// How long the end will wait for threads, from now on.
    pub(crate) fn set_shutdown_timeout(&self, limit: Duration) {
        self.shutdown_timeout.set(limit);
    }

    /// The end, with the loop entered. Says whether no thread was left behind.
    pub(crate) fn close(&self) -> bool {
        let limit = self.shutdown_timeout.replace(Duration::ZERO);
        let workers = self.workers();
        if workers.is_inherited() {
            // A thread of the parent's may have had the lock at the fork, and has it for ever.
            return true;
        }
        workers.close();
        workers.wait_for_end(limit)
    }
}
