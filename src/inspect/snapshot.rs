//! `Snapshot`: the tasks of a loop at one moment, as values.
//!
//! *Role.* What `inspect::snapshot` returns. It holds copies: what it says stays as it was.

use std::panic::Location;
use std::time::Duration;

use mainspring_sys::Instant;

use super::{Age, Cause, Target};
use crate::event_loop::EventLoop;
use crate::task::info::{TaskInfo, TaskState};
use crate::task::join::TaskId;
use crate::task::view::{TaskView, WaitView};

/// The unfinished tasks of a loop at one moment, in spawn order.
///
/// `Display` is a table, one line for each task and each further wait; with `{:#}` it is the tree of who spawned
/// whom.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    tasks: Vec<Task>,
    pub(super) has_times: bool,
}

/// A task at the moment of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct Task {
    info: TaskInfo,
    is_lost: bool,
    is_aborted: bool,
    woken_by: Cause,
    age: Option<Age>,
    busy: Option<Duration>,
    waits: Vec<Wait>,
}

/// One thing that a task waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    target: Target,
    location: Option<&'static Location<'static>>,
    age: Option<Age>,
    /// How long a timer has still to go.
    pub(super) left: Option<Duration>,
}

impl Snapshot {
    pub(crate) fn of(event_loop: &EventLoop) -> Snapshot {
        let now = event_loop.clock().now();
        let epoch = event_loop.core().epoch.get();
        let age = |number| event_loop.epochs.age_of(number, epoch, now);
        let views = event_loop.core().views();
        let task = |view: TaskView| Task {
            age: view.epoch.map(age),
            busy: event_loop.timing.busy(view.id()),
            info: view.info,
            is_lost: view.is_lost,
            is_aborted: view.is_aborted,
            woken_by: view.cause,
            waits: view
                .waits
                .into_iter()
                .map(|wait| Wait::of(wait, age, now))
                .collect(),
        };
        Snapshot {
            tasks: views.into_iter().map(task).collect(),
            has_times: true,
        }
    }

    /// Those tasks only that keep the loop alive.
    pub(crate) fn counted(mut self) -> Snapshot {
        self.tasks.retain(|task| !task.info.is_background());
        self
    }

    /// The tasks, in spawn order.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The task with this id, if it is there.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id() == id)
    }

    /// The same, but its text says nothing of time: to be compared with a text that was written down.
    #[must_use]
    pub fn without_times(mut self) -> Snapshot {
        self.has_times = false;
        self
    }
}

impl Task {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.info.id()
    }

    /// Its name, if it has one (feature `inspect`).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.info.name()
    }

    /// The line that spawned it (feature `inspect`).
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.info.spawned_at()
    }

    /// The task that spawned it, which may have ended; `None` if none did (feature `inspect`).
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.info.parent()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.info.state()
    }

    /// Whether it waits for nothing and nobody has a waker of it: only an abort can end it.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether it was aborted, and the loop has not come to drop it yet.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.is_aborted
    }

    /// What woke it last.
    #[must_use]
    pub fn woken_by(&self) -> Cause {
        self.woken_by
    }

    /// How often it was polled; begins anew after 2^32.
    #[must_use]
    pub fn polls(&self) -> u32 {
        self.info.polls()
    }

    /// How long ago it was spawned (feature `inspect`).
    #[must_use]
    pub fn age(&self) -> Option<Age> {
        self.age
    }

    /// How long it was polled in all since timing was turned on; `None` while it is off. The poll that goes on is
    /// not in it.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        self.busy
    }

    /// What it waits for, in the order in which it began to: whichever comes first wakes it.
    #[must_use]
    pub fn waits(&self) -> &[Wait] {
        &self.waits
    }

    /// For how long it has been waiting: since its newest wait began.
    #[must_use]
    pub fn waiting(&self) -> Option<Age> {
        let ages = self.waits.iter().filter_map(Wait::age);
        ages.min_by_key(|age| age.at_most())
    }
}

impl Wait {
    fn of(view: WaitView, age: impl Fn(u32) -> Age, now: Instant) -> Wait {
        let left = match view.target {
            Target::Timer(Some(at)) => Some(at - now),
            _ => None,
        };
        Wait {
            target: view.target,
            location: view.location,
            age: view.epoch.map(age),
            left,
        }
    }

    /// What it waits for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The line of the call that waits (feature `inspect`). `None` for the end of a task, which is awaited by its
    /// handle, and for what is waited for outside of this crate.
    #[must_use]
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// How long it has waited (feature `inspect`).
    #[must_use]
    pub fn age(&self) -> Option<Age> {
        self.age
    }
}
