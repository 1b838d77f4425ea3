//! The thread's own view: which pool it works for, and which job it runs.
//!
//! *Role.* A running job asks here whether it is still wanted; a job that waits for another one of its
//! own pool is told apart here from everybody else.

use std::cell::RefCell;
use std::sync::Arc;

use super::job::{AfterRun, Run};
use super::workers::Workers;
use crate::shim::thread_word;

thread_word! {
    /// The pool that this thread belongs to.
    static POOL: RefCell<Option<Arc<Workers>>> = RefCell::new(None)
}

thread_word! {
    /// The job that this thread runs.
    static JOB: RefCell<Option<Arc<dyn Run>>> = RefCell::new(None)
}

thread_word! {
    /// Those that it runs inside that one, where they are joined: the innermost last.
    static INSIDE: RefCell<Vec<Arc<dyn Run>>> = RefCell::new(Vec::new())
}

/// This thread works for `pool` until the guard is dropped.
pub(super) struct Member(());

impl Member {
    pub(super) fn of(pool: &Arc<Workers>) -> Member {
        POOL.with(|slot| slot.replace(Some(Arc::clone(pool))));
        Member(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(POOL.with(|slot| slot.take()));
    }
}

/// Whether this is a thread of `pool`.
pub(super) fn is_member_of(pool: &Arc<Workers>) -> bool {
    with_pool(|own| own.is_some_and(|own| Arc::ptr_eq(own, pool)))
}

/// Nobody's code runs in `f`. A thread at its very end belongs to no pool.
fn with_pool<R>(f: impl Fn(Option<&Arc<Workers>>) -> R) -> R {
    POOL.try_with(|slot| f(slot.borrow().as_ref()))
        .unwrap_or_else(|_| f(None))
}

/// Runs `job`, which the caller claimed, as this thread's. Each job but those that others run in place goes
/// this way, so nothing is counted: the job stands in the slot, and is lent from there.
pub(super) fn run(job: Arc<dyn Run>) -> AfterRun {
    JOB.with(|slot| slot.replace(Some(job)));
    // Lent while the closure runs. Nobody borrows the slot to change it meanwhile: that is done here alone,
    // and no thread of the pool gets here from inside a job.
    let after = JOB.with(|slot| slot.borrow().as_ref().map(|job| job.run()));
    let job = JOB.with(|slot| slot.take());
    drop(job);
    after.unwrap_or(AfterRun::Nothing)
}

/// Runs `job`, which the caller claimed, inside another one of this thread.
pub(super) fn run_inside(job: Arc<dyn Run>) -> AfterRun {
    INSIDE.with(|jobs| jobs.borrow_mut().push(Arc::clone(&job)));
    let after = job.run();
    let inside = INSIDE.with(|jobs| jobs.borrow_mut().pop());
    drop((inside, job));
    after
}

/// Whether the job that this thread runs was aborted, or its loop has ended.
pub(crate) fn is_aborted() -> bool {
    let inside = INSIDE.try_with(|jobs| jobs.borrow().last().map(|job| job.is_aborted()));
    let job = || JOB.try_with(|slot| slot.borrow().as_ref().map(|job| job.is_aborted()));
    let is_aborted = inside.ok().flatten().or_else(|| job().ok().flatten());
    is_aborted.unwrap_or(false) || with_pool(|own| own.is_some_and(|own| own.is_closing()))
}
