//! `Report`: what the loop has to say to people by itself, in one line.
//!
//! *Role.* A poll that took long, a task that can never run again. The line goes to standard error, or to
//! the hook that the user set in its place.
//!
//! *User code* (the hook) runs while nothing is borrowed and no list is walked.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::epochs::Short;
use crate::task::failure;
use crate::task::join::TaskId;
use crate::task::raw::TaskRef;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportKind {
    /// One poll took so long. Nothing else ran meanwhile.
    SlowPoll(Duration),
    /// The task waits for nothing, and nobody has a waker of it: it will never run again.
    LostTask,
}

/// What a loop has to say of a task: `Display` is a line for people.
#[derive(Clone, Debug)]
pub struct Report {
    kind: ReportKind,
    task: TaskId,
    name: Option<String>,
    spawned_at: Option<&'static Location<'static>>,
    described: String,
}

impl Report {
    pub(crate) fn new(kind: ReportKind, task: TaskRef) -> Report {
        Report {
            kind,
            task: TaskId::new(task.id()),
            name: task.name(),
            spawned_at: task.spawned_at(),
            described: task.describe(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> ReportKind {
        self.kind
    }

    /// The task's id.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The task's name, if it has one (feature `inspect`).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the task was spawned (feature `inspect`).
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.spawned_at
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.described;
        match self.kind {
            ReportKind::SlowPoll(took) => write!(
                f,
                "one poll of {task} took {}, and nothing else ran meanwhile",
                Short(took)
            ),
            ReportKind::LostTask => write!(
                f,
                "{task} waits for nothing, and nobody has a waker of it: it will never run again"
            ),
        }
    }
}

type Hook = Rc<dyn Fn(&Report)>;

/// Where reports go.
#[derive(Default)]
pub(crate) struct Reports(RefCell<Option<Hook>>);

impl Reports {
    /// From now on they go to `hook`.
    pub(crate) fn set_hook(&self, hook: Hook) {
        let earlier = self.0.borrow_mut().replace(hook);
        drop(earlier);
    }

    pub(crate) fn send(&self, report: &Report) {
        let hook = self.0.borrow().clone();
        match hook {
            Some(hook) => failure::contain("a hook for reports", || hook(report)),
            None => failure::write_line(&report.to_string()),
        }
    }
}
