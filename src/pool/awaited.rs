//! `Awaited`: the future of a job's task. It is done when the job is, and aborts the job as it is dropped.

use std::cell::Cell;
use std::future::Future;
use std::mem;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainspring_sys::fork;

use super::Pool;
use super::job::Fetch;
use crate::pin::pinned;
use crate::task::abort::AbortHandle;
use crate::task::join::JoinError;
use crate::task::wait::{Kind, Waiter};

/// The node says what the task waits for. It wakes nobody: the job itself holds a waker of the task, which
/// is good on any thread.
pub(super) struct Awaited<T> {
    job: Arc<dyn Fetch<T>>,
    pool: Rc<Pool>,
    is_fetched: Cell<bool>,
    /// The process whose threads run the job.
    generation: u32,
    waiter: Waiter,
}

impl<T> Awaited<T> {
    pub(super) fn new(
        job: Arc<dyn Fetch<T>>,
        pool: &Rc<Pool>,
        location: &'static Location<'static>,
    ) -> Awaited<T> {
        pool.awaited.set(pool.awaited.get() + 1);
        Awaited {
            job,
            pool: Rc::clone(pool),
            is_fetched: Cell::new(false),
            generation: fork::generation(),
            waiter: Waiter::new(Kind::Job, location),
        }
    }
}

impl<T> Future for Awaited<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(result) = self.job.fetch() else {
            let waiter = pinned!(self.as_ref(), waiter);
            waiter.arm(cx);
            waiter.set_word(self.job.class().index() as u64);
            if fork::is_inherited(self.generation) {
                // Its thread, or who would have come to be one, is the parent's.
                AbortHandle::abort_current();
            }
            return Poll::Pending;
        };
        self.is_fetched.set(true);
        match result {
            Ok(value) => Poll::Ready(value),
            // The task panics as the job did; the hook has had its say on the job's thread.
            Err(error) => resume_unwind(error.into_payload()),
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.pool.awaited.set(self.pool.awaited.get() - 1);
        if self.is_fetched.get() {
            return;
        }
        self.job.raise_abort();
        if fork::is_inherited(self.generation) {
            // A thread of the parent's may have stopped anywhere in it.
            mem::forget(Arc::clone(&self.job));
            return;
        }
        if self.job.claim() {
            self.pool.workers.note_claimed(self.job.class(), true);
            let _ = self.job.refuse(JoinError::aborted());
        } else {
            self.job.leave();
        }
    }
}
