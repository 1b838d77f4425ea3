//! The thread's own view: which pool it works for, and which job it runs.
//!
//! *Role.* A running job asks here whether it is still wanted; a job that waits for another one of its
//! own pool is told apart here from everybody else.

use std::cell::RefCell;
use std::sync::Arc;

use super::job::Run;
use super::workers::Workers;
use crate::shim::thread_word;

thread_word! {
    /// The pool that this thread belongs to.
    static POOL: RefCell<Option<Arc<Workers>>> = RefCell::new(None)
}

thread_word! {
    /// The job that this thread runs: the innermost, if one runs another in place.
    static JOB: RefCell<Option<Arc<dyn Run>>> = RefCell::new(None)
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

/// Runs `job`, which the caller claimed, as this thread's.
pub(super) fn run(job: Arc<dyn Run>) {
    let outer = JOB.with(|slot| slot.replace(Some(Arc::clone(&job))));
    job.run();
    let inner = JOB.with(|slot| slot.replace(outer));
    drop((inner, job));
}

/// Whether the job that this thread runs was aborted, or its loop has ended.
pub(crate) fn is_aborted() -> bool {
    let is_aborted = |slot: &RefCell<Option<Arc<dyn Run>>>| {
        slot.borrow().as_ref().is_some_and(|job| job.is_aborted())
    };
    let job = JOB.try_with(is_aborted).unwrap_or(false);
    job || with_pool(|own| own.is_some_and(|own| own.is_closing()))
}
