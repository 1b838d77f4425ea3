//! `Sender`: the pool as a `Handle` has it; `SentJob`: a job as whoever sent it from elsewhere has it.

use std::panic::Location;
use std::sync::Arc;

use super::class::Class;
use super::current;
use super::job::{Job, Out, Run};
use super::statistics::BlockingStatistics;
use super::workers::Workers;
use crate::task::join::JoinError;

/// Queues jobs from any thread.
#[derive(Clone)]
pub(crate) struct Sender(Arc<Workers>);

/// A job that was sent, to be aborted, or run where it is waited for.
pub(crate) struct SentJob {
    workers: Arc<Workers>,
    job: Arc<dyn Run>,
}

impl Sender {
    pub(super) fn new(workers: &Arc<Workers>) -> Sender {
        Sender(Arc::clone(workers))
    }

    /// A job for [`Sender::submit`]. Its result goes to `put`, on the thread that runs it; or the reason why
    /// there is none.
    pub(crate) fn make<F, T>(
        &self,
        work: F,
        class: Class,
        location: &'static Location<'static>,
        put: impl FnOnce(Result<T, JoinError>) + Send + 'static,
    ) -> SentJob
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let out = Out::Elsewhere(Box::new(put));
        SentJob {
            workers: Arc::clone(Workers::latest(&self.0)),
            job: Arc::new(Job::new(work, out, class, location)),
        }
    }

    pub(crate) fn statistics(&self) -> BlockingStatistics {
        Workers::latest(&self.0).statistics()
    }
}

impl SentJob {
    /// Queues it. If the loop has ended meanwhile it counts as aborted.
    pub(crate) fn submit(&self) {
        if self.workers.submit(Arc::clone(&self.job), None).is_err() && self.job.claim() {
            let _ = self.job.refuse(JoinError::aborted());
        }
    }

    /// Whether it was sent before a fork, in the parent, whose threads are not here.
    pub(crate) fn is_inherited(&self) -> bool {
        self.workers.is_inherited()
    }

    /// A job that waits never runs, and its closure is dropped here and now; one that runs sees the flag.
    pub(crate) fn abort(&self) {
        self.job.raise_abort();
        if self.job.claim() {
            self.workers.note_claimed(self.job.class(), true);
            let _ = self.job.refuse(JoinError::aborted());
        }
    }

    /// On a thread of its own pool: runs it here and now, if it waits. Its place may be behind whoever
    /// waits for it (hz_g06).
    pub(crate) fn run_in_place(&self) {
        if current::is_member_of(&self.workers) && self.job.claim() {
            self.workers.note_claimed(self.job.class(), false);
            // The result goes to its slot: a job that was sent has no task.
            let _ = current::run_inside(Arc::clone(&self.job));
        }
    }
}
