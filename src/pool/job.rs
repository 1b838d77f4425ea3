//! `Job`: a closure on its way to a thread, and its result on the way back, in one block.
//!
//! *Role.* The queue holds it as [`Run`], the task that awaits it as [`Fetch`]. Who *claims* it, a thread
//! that runs it or somebody who aborts it, is the one who takes the closure out.
//!
//! *Model.*
//!
//! ```text
//!               claim                    run                      fetch
//!   Queued(f) ────────► Running ──────────────────► Done(result) ───────► Gone
//!       │ claim            │ leave                       │ leave
//!       └─► Gone           └─► Abandoned ─► Gone         └─► Gone
//!         f dropped by           result dropped            result dropped by
//!         who claimed it         by the thread             who left it
//! ```
//!
//! *Cost.* One allocation for closure and result. The lock is held for a move only, by two parties that
//! hardly ever meet; no user code runs under it.

use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::class::Class;
use crate::shim::{AtomicBool, Mutex, lock};
use crate::task::failure;
use crate::task::join::JoinError;

/// A job as the pool sees it.
pub(crate) trait Run: Send + Sync {
    /// Whether nobody has claimed it.
    fn is_queued(&self) -> bool;

    /// Makes it the caller's, to run or to refuse; `false`: somebody else was first.
    fn claim(&self) -> bool;

    /// Runs it. For who claimed it. Who waits for the result is to be woken then, unless it says that nobody
    /// does.
    fn run(&self) -> AfterRun;

    /// Drops the closure, here and now; `why` takes the place of the result. For who claimed it.
    fn refuse(&self, why: JoinError) -> AfterRun;

    /// Raises the flag that the closure sees if it runs.
    fn raise_abort(&self);

    /// Whether the flag is up.
    fn is_aborted(&self) -> bool;

    /// What it is about.
    fn class(&self) -> Class;
}

/// What the caller of [`Run::run`] must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRun {
    /// Wake the job's task, which fetches the result.
    Wake,
    /// Nothing: nobody waits, or who waits was told.
    Nothing,
}

/// A job as the task that awaits it sees it.
pub(crate) trait Fetch<T>: Run {
    /// The result, once, when it is there.
    fn fetch(&self) -> Option<Result<T, JoinError>>;

    /// Nobody will fetch the result, of a job that the caller could not claim.
    fn leave(&self);
}

/// Who gets the result.
pub(super) enum Out<T> {
    /// Nobody any more.
    Nobody,
    /// The job's own task, which fetches it.
    Task,
    /// Whoever sent it from elsewhere: the result goes there.
    Elsewhere(Box<dyn FnOnce(Result<T, JoinError>) + Send>),
}

enum Stage<F, T> {
    Queued(F, Out<T>),
    Running,
    /// It runs, and nobody wants the result.
    Abandoned,
    Done(Result<T, JoinError>),
    Gone,
}

pub(super) struct Job<F, T> {
    stage: Mutex<Stage<F, T>>,
    is_claimed: AtomicBool,
    is_done: AtomicBool,
    is_aborted: AtomicBool,
    class: Class,
    /// The line that submitted it.
    location: &'static Location<'static>,
}

impl<F, T> Job<F, T> {
    pub(super) fn new(
        work: F,
        out: Out<T>,
        class: Class,
        location: &'static Location<'static>,
    ) -> Job<F, T> {
        Job {
            stage: Mutex::new(Stage::Queued(work, out)),
            is_claimed: AtomicBool::new(false),
            is_done: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            class,
            location,
        }
    }

    fn replace(&self, stage: Stage<F, T>) -> Stage<F, T> {
        mem::replace(&mut *lock(&self.stage), stage)
    }

    /// The result is there. Returns it, if nobody is there to fetch it.
    fn put(&self, result: Result<T, JoinError>) -> Option<Result<T, JoinError>> {
        let mut stage = lock(&self.stage);
        if let Stage::Abandoned = *stage {
            *stage = Stage::Gone;
            return Some(result);
        }
        *stage = Stage::Done(result);
        drop(stage);
        self.is_done.store(true, Release);
        None
    }

    fn deliver(&self, out: Out<T>, result: Result<T, JoinError>) -> AfterRun {
        match out {
            Out::Task => match self.put(result) {
                None => return AfterRun::Wake,
                Some(late) => self.drop_late(late),
            },
            Out::Elsewhere(put) => failure::contain("whoever awaits a job", || put(result)),
            Out::Nobody => self.drop_late(result),
        }
        AfterRun::Nothing
    }

    /// Nobody wants it; a panic is reported.
    #[cold]
    fn drop_late(&self, result: Result<T, JoinError>) {
        match result {
            Ok(value) => failure::contain("a job's result, as it was dropped,", || drop(value)),
            Err(error) => failure::report_job(self.location, error.into_payload()),
        }
    }
}

impl<F, T> Run for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn is_queued(&self) -> bool {
        !self.is_claimed.load(Relaxed)
    }

    fn claim(&self) -> bool {
        !self.is_claimed.swap(true, AcqRel)
    }

    fn run(&self) -> AfterRun {
        let Stage::Queued(work, out) = self.replace(Stage::Running) else {
            return AfterRun::Nothing;
        };
        let result = catch_unwind(AssertUnwindSafe(work));
        self.deliver(
            out,
            result.map_err(|payload| JoinError::panicked_in_job(payload, self.location)),
        )
    }

    fn refuse(&self, why: JoinError) -> AfterRun {
        let Stage::Queued(work, out) = self.replace(Stage::Running) else {
            return AfterRun::Nothing;
        };
        failure::contain("a job's closure, as it was dropped,", || drop(work));
        match out {
            // Who aborts the job of a task is that task, on its way out.
            Out::Task if why.is_aborted() => AfterRun::Nothing,
            Out::Nobody => AfterRun::Nothing,
            out => self.deliver(out, Err(why)),
        }
    }

    fn raise_abort(&self) {
        self.is_aborted.store(true, Relaxed);
    }

    fn is_aborted(&self) -> bool {
        self.is_aborted.load(Relaxed)
    }

    fn class(&self) -> Class {
        self.class
    }
}

impl<F, T> Fetch<T> for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn fetch(&self) -> Option<Result<T, JoinError>> {
        if !self.is_done.load(Acquire) {
            return None;
        }
        match self.replace(Stage::Gone) {
            Stage::Done(result) => Some(result),
            Stage::Queued(..) | Stage::Running | Stage::Abandoned | Stage::Gone => None,
        }
    }

    fn leave(&self) {
        let mut late = None;
        let mut stage = lock(&self.stage);
        match &mut *stage {
            // Claimed, and not begun yet: the thread finds nobody at the end.
            Stage::Queued(_, out) => *out = Out::Nobody,
            Stage::Running => *stage = Stage::Abandoned,
            Stage::Done(_) => late = Some(mem::replace(&mut *stage, Stage::Gone)),
            Stage::Abandoned | Stage::Gone => {}
        }
        drop(stage);
        if let Some(Stage::Done(result)) = late {
            self.drop_late(result);
        }
    }
}
