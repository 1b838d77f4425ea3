//! Seeing inside: what each task waits for, who could let it go on, and what the loop did with its time.
//!
//! *Role.* For the moment in which a program stands still and nobody knows why, and for the graph on the wall
//! that says how busy it is. [`snapshot`] is what `ps` is for processes, [`why`] follows one task's wait to its
//! end, [`metrics`] counts, and [`set_timing`] measures.
//!
//! *Model.* Records (who spawned a task and where, how often it was polled, what woke it, what it waits for and
//! since when) are always kept, because they cost a few instructions. What costs readings of the clock is off
//! until somebody asks: [`set_timing`], [`Builder::timing`](crate::Builder::timing),
//! [`Builder::debug`](crate::Builder::debug), or `MAINSPRING_DEBUG=1` in the environment.
//!
//! Everything here may be called anywhere: inside a task, a waker, a destructor, a hook. It runs no user code and
//! changes nothing. Where no loop is entered on this thread there is nothing to see.
//!
//! Without the feature `inspect` names, lines and times are missing, and so are the numbers of locks and channels.

mod snapshot;
mod table;

use std::rc::Rc;

use crate::context;
use crate::event_loop::EventLoop;
use crate::task::join::TaskId;
use crate::task::why as graph;

pub use crate::event_loop::{Age, Metrics, Report, ReportKind, Timings};
pub use crate::histogram::Histogram;
pub use crate::task::marks::Cause;
pub use crate::task::target::{Resource, Target};
pub use crate::task::why::{Outlook, Why};
pub use snapshot::{Snapshot, Task, Wait};

/// Every unfinished task of the loop that is entered on this thread, as it stands now.
///
/// ```
/// use mainspring::{TaskBuilder, inspect, spawn, time::sleep, yield_now};
/// use std::time::Duration;
///
/// mainspring::run(async {
///     TaskBuilder::new().name("napper").spawn(sleep(Duration::from_secs(60)));
///     yield_now().await;
///     let snapshot = inspect::snapshot();
///     println!("{snapshot}");
///     assert_eq!(snapshot.tasks().len(), 2);
///     assert_eq!(snapshot.tasks()[1].waits().len(), 1);
/// })
/// .unwrap();
/// ```
#[must_use]
pub fn snapshot() -> Snapshot {
    context::current().map_or_else(Snapshot::default, |it| Snapshot::of(&it))
}

/// Why the task waits: who could let it go on, who could let that one go on, up to where that ends. `None` if
/// it is no unfinished task of the loop that is entered on this thread.
///
/// ```
/// use mainspring::{inspect, spawn, yield_now};
///
/// mainspring::run(async {
///     let slow = spawn(mainspring::time::sleep(std::time::Duration::from_millis(1)));
///     let joins = spawn(async move { slow.await.unwrap() });
///     yield_now().await;
///     yield_now().await;
///     let why = inspect::why(joins.id()).unwrap();
///     assert_eq!(why.tasks().count(), 2);
///     assert_eq!(why.outlook(), inspect::Outlook::CanGoOn);
///     println!("{why}");
/// })
/// .unwrap();
/// ```
#[must_use]
pub fn why(task: TaskId) -> Option<Why> {
    context::current().and_then(|it| why_on(&it, task))
}

/// As [`why`], on a loop that need not be entered.
pub(crate) fn why_on(event_loop: &EventLoop, task: TaskId) -> Option<Why> {
    graph::why(event_loop.core().views(), task.as_u64())
}

/// What the loop that is entered on this thread has done so far. All zero, where none is.
///
/// ```
/// use mainspring::{inspect, yield_now};
///
/// mainspring::run(async {
///     yield_now().await;
///     let metrics = inspect::metrics();
///     assert_eq!((metrics.polls, metrics.tasks()), (2, 1));
/// })
/// .unwrap();
/// ```
#[must_use]
pub fn metrics() -> Metrics {
    context::current().map_or_else(Metrics::default, |it| it.metrics())
}

/// Turns measuring on or off, on the loop that is entered on this thread; nothing happens where none is. On, it
/// begins anew, and costs a reading of the clock per poll; off, it forgets.
///
/// ```
/// use mainspring::{inspect, yield_now};
///
/// mainspring::run(async {
///     inspect::set_timing(true);
///     for _ in 0..100 {
///         yield_now().await;
///     }
///     let timings = inspect::metrics().timings.unwrap();
///     assert!(timings.poll_time.count() >= 99);
///     println!("polls: {}; busy {:.0} %", timings.poll_time, timings.utilisation() * 100.0);
/// })
/// .unwrap();
/// ```
pub fn set_timing(is_on: bool) {
    if let Some(event_loop) = context::current() {
        event_loop.set_timing(is_on);
    }
}

/// From now on `hook` gets the reports of the loop that is entered on this thread, in place of standard error:
/// slow polls, and tasks that can never run again. Nothing happens where none is. The hook may use anything; a
/// panic in it is written to standard error.
///
/// ```
/// use mainspring::{Builder, inspect, yield_now};
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// let reports = Rc::new(Cell::new(0));
/// let count = reports.clone();
/// let runtime = Builder::new().slow_poll(Duration::ZERO).build().unwrap();
/// runtime
///     .block_on(async move {
///         inspect::on_report(move |_| count.set(count.get() + 1));
///         yield_now().await;
///     })
///     .unwrap();
/// assert_eq!(reports.get(), 2, "every poll is slow");
/// ```
pub fn on_report(hook: impl Fn(&Report) + 'static) {
    if let Some(event_loop) = context::current() {
        event_loop.reports.set_hook(Rc::new(hook));
    }
}
