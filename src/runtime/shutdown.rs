//! The end of a runtime in stages, and the token by which its tasks are told.
//!
//! *Model.* Nothing here is new: a token that the loop keeps for its tasks, aborts, and the loop's own close.
//!
//! ```text
//!   tell ──────────► grace ──────────► abort ─────────► clean-up ─────────► close
//!   the token is     tasks end by      those that are   what destructors    the rest is dropped; the pool
//!   cancelled        themselves        left: reported   have begun ends     gets what is left of the time
//! ```
//!
//! A stage that has nobody left to wait for takes no time.

use std::fmt;
use std::io;
use std::time::Duration;

use super::Runtime;
use crate::cancel::CancelToken;
use crate::context;
use crate::event_loop::EventLoop;
use crate::inspect::Snapshot;

/// The token that is cancelled when the loop is to end: by [`Runtime::shutdown`] and
/// [`Runtime::shutdown_in_stages`], by the first ^C where [`Builder::ends_on_ctrl_c`](crate::Builder::ends_on_ctrl_c)
/// says so, and by whoever cancels it. Its reason says which.
///
/// A task that has to end in order watches it; a scope follows it ([`Scope::follow`](crate::task::Scope::follow)), and a server
/// is drained when it is cancelled.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// use mainspring::task::shutdown_token;
/// use std::time::Duration;
/// let runtime = mainspring::Runtime::new().unwrap();
/// drop(runtime.spawn(async {
///     let why = shutdown_token().cancelled().await;
///     mainspring::yield_now().await; // what a clean end takes
///     assert_eq!(why.as_str(), "the runtime is shut down");
/// }));
/// assert!(runtime.shutdown(Duration::from_secs(5)).unwrap());
/// ```
#[must_use]
#[track_caller]
pub fn shutdown_token() -> CancelToken {
    match context::current() {
        Some(event_loop) => event_loop.shutdown.token(),
        None => panic!("shutdown_token must be called inside a running loop"),
    }
}

impl Runtime {
    /// The token by which tasks are told that the loop ends: see [`shutdown_token`].
    #[must_use]
    pub fn shutdown_token(&self) -> CancelToken {
        self.event_loop.shutdown.token()
    }

    /// Tells the tasks to end ([`shutdown_token`]), lets them run for at most `limit` longer, then drops the runtime with
    /// what is left: jobs of the pool that wait are dropped, those that run are told, and get what is left of `limit`;
    /// threads that are still busy then are left to themselves. Says whether all of them came to their end. Tasks of the
    /// background are not waited for.
    ///
    /// # Errors
    /// What the selector says of its wait; the runtime is dropped all the same.
    ///
    /// # Panics
    /// While a loop is entered on this thread.
    #[track_caller]
    pub fn shutdown(self, limit: Duration) -> io::Result<bool> {
        let report = self.shutdown_in_stages(limit, Duration::ZERO)?;
        Ok(report.is_complete())
    }

    /// Ends the runtime in order, and says what did not end by itself.
    ///
    /// 1. The tasks are told ([`shutdown_token`]), and have `grace` to end by themselves.
    /// 2. Those that are left are noted in the report, and aborted. For `clean_up` the loop goes on running, for what their
    ///    destructors have begun: a child that is waited for, a farewell that is sent by a task of its own.
    /// 3. What is left is dropped with the runtime. Jobs of the pool get what is left of both times, as in
    ///    [`Runtime::shutdown`].
    ///
    /// Tasks of the background are told, and not waited for, aborted or noted.
    ///
    /// # Errors
    /// What the selector says of its wait; the runtime is dropped all the same.
    ///
    /// # Panics
    /// While a loop is entered on this thread.
    ///
    /// ```
    /// use std::time::Duration;
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// let deaf = mainspring::TaskBuilder::new().name("deaf");
    /// drop(runtime.block_on(async { deaf.spawn(std::future::pending::<()>()) }));
    /// let ms = Duration::from_millis(1);
    /// let report = runtime.shutdown_in_stages(ms, ms).unwrap();
    /// assert_eq!(report.unfinished().tasks()[0].name(), Some("deaf"));
    /// println!("{report}");
    /// ```
    #[track_caller]
    pub fn shutdown_in_stages(
        self,
        grace: Duration,
        clean_up: Duration,
    ) -> io::Result<ShutdownReport> {
        self.event_loop.reactor().check_process()?;
        let _entered = context::enter(&self.event_loop, "Runtime::shutdown");
        let event_loop = &*self.event_loop;
        let both = grace.saturating_add(clean_up);
        let deadline = event_loop.clock().now() + both;
        event_loop.pool().set_shutdown_timeout(both);
        event_loop.shutdown.tell("the runtime is shut down");
        run_tasks_for(event_loop, grace)?;
        let unfinished = Snapshot::of(event_loop).counted();
        if !clean_up.is_zero() && !unfinished.tasks().is_empty() {
            event_loop.core().abort_counted_tasks();
            run_tasks_for(event_loop, clean_up)?;
        }
        let rest = deadline - event_loop.clock().now();
        event_loop.pool().set_shutdown_timeout(rest);
        Ok(ShutdownReport {
            unfinished,
            has_left_threads: !event_loop.close(),
        })
    }
}

/// Runs the loop until no task is left that keeps it alive, for `limit` at most.
fn run_tasks_for(event_loop: &EventLoop, limit: Duration) -> io::Result<()> {
    let limit = crate::spawn(crate::time::sleep(limit));
    limit.set_background(true);
    let is_wanted = || event_loop.core().has_counted_tasks() && !limit.is_finished();
    while is_wanted() {
        event_loop.pass(|_| is_wanted())?;
    }
    limit.abort();
    Ok(())
}

/// What did not end by itself in its time. `Display` tells it to people, with what each task waited for. Made by
/// [`Runtime::shutdown_in_stages`].
#[derive(Clone, Debug)]
pub struct ShutdownReport {
    unfinished: Snapshot,
    has_left_threads: bool,
}

impl ShutdownReport {
    /// Whether all tasks and all threads of the pool came to their end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unfinished.tasks().is_empty() && !self.has_left_threads
    }

    /// The tasks that were told and did not end in their grace, as they were then.
    #[must_use]
    pub fn unfinished(&self) -> &Snapshot {
        &self.unfinished
    }

    /// Whether threads of the pool were still busy, and left to themselves.
    #[must_use]
    pub fn has_left_threads(&self) -> bool {
        self.has_left_threads
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.unfinished.tasks().len();
        match (tasks, self.has_left_threads) {
            (0, false) => return f.write_str("all tasks and threads ended"),
            (0, true) => {}
            (1, _) => write!(f, "1 task did not end in its time:\n{}", self.unfinished)?,
            _ => write!(
                f,
                "{tasks} tasks did not end in their time:\n{}",
                self.unfinished
            )?,
        }
        if self.has_left_threads {
            f.write_str("threads of the pool were busy, and are left to themselves")?;
        }
        Ok(())
    }
}
