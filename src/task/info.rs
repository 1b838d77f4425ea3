//! `TaskInfo`: a task as it is told about, to people and to hooks.
//!
//! *Role.* What `task::current`, `task::all`, the hooks and the failure policy are given: a copy, which stays
//! what it is when the task goes on.

use std::fmt;
use std::panic::Location;

use super::core::Core;
use super::join::TaskId;
use super::marks::BACKGROUND;
use super::raw::TaskRef;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It stands in the ready queue.
    Ready,
    /// It is being polled, or its future is being dropped.
    Running,
    /// It waits to be woken.
    Waiting,
    /// Its future is gone.
    Done,
}

/// What is known of a task, as it was at one moment.
///
/// ```
/// use mainspring::task;
/// mainspring::run(async {
///     let child = task::TaskBuilder::new().name("child").spawn(async {
///         task::current().unwrap().parent()
///     });
///     let me = task::current().unwrap().id();
///     assert!(task::all().iter().any(|task| task.name() == Some("child")));
///     # #[cfg(feature = "inspect")]
///     assert_eq!(child.await.unwrap(), Some(me));
/// })
/// .unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    id: u64,
    name: Option<String>,
    parent: Option<u64>,
    spawned_at: Option<&'static Location<'static>>,
    state: TaskState,
    polls: u32,
    is_background: bool,
}

impl TaskInfo {
    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId::new(self.id)
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The id of the task that spawned it (feature `inspect`); `None` if no task did.
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.parent.map(TaskId::new)
    }

    /// Where it was spawned (feature `inspect`).
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.spawned_at
    }

    /// What it was doing.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// How often it was polled.
    #[must_use]
    pub fn polls(&self) -> u32 {
        self.polls
    }

    /// Whether it keeps no loop alive: see [`JoinHandle::set_background`](crate::JoinHandle::set_background).
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.is_background
    }
}

/// `task 7 "name" (spawned at file:line:column)`.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        match self.spawned_at {
            Some(line) => write!(f, " (spawned at {line})"),
            None => Ok(()),
        }
    }
}

impl TaskRef {
    /// A copy of what is known of it now.
    pub(crate) fn info(self) -> TaskInfo {
        let header = self.header();
        TaskInfo {
            id: self.id(),
            name: self.name(),
            parent: self.parent(),
            spawned_at: self.spawned_at(),
            state: if header.state.is_done() {
                TaskState::Done
            } else if header.state.is_running() {
                TaskState::Running
            } else if header.state.is_queued() {
                TaskState::Ready
            } else {
                TaskState::Waiting
            },
            polls: self.polls(),
            is_background: header.marks.has(BACKGROUND),
        }
    }

    /// The id of the task that spawned it. The record keeps the low half; a parent is older than its child,
    /// and not by four thousand million tasks.
    fn parent(self) -> Option<u64> {
        let low = self.header().record.parent_low()?;
        let own = self.id();
        let parent = own & !u64::from(u32::MAX) | u64::from(low);
        Some(if parent > own {
            parent - (1 << 32)
        } else {
            parent
        })
    }
}

impl Core {
    /// A copy of what is known of each unfinished task, in spawn order: the ids grow, and the children of scopes
    /// stand elsewhere.
    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        let mut infos: Vec<TaskInfo> = self.tasks().map(TaskRef::info).collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }
}

/// The task that is being polled; `None` outside of tasks.
#[must_use]
pub fn current() -> Option<TaskInfo> {
    Core::with_current(|core| Some(core?.current_task()?.info()))
}

/// The unfinished tasks of the loop that runs on this thread, in the order in which they were spawned; none
/// where no loop runs. [`Runtime::tasks`](crate::Runtime::tasks) lists them from outside.
#[must_use]
pub fn all() -> Vec<TaskInfo> {
    Core::with_current(|core| core.map_or_else(Vec::new, Core::infos))
}

/// Renames the task that is being polled.
///
/// # Panics
/// Outside of tasks.
///
/// ```
/// use mainspring::task;
/// mainspring::run(async {
///     task::set_name("reader of config.toml");
///     assert_eq!(task::current().unwrap().name(), Some("reader of config.toml"));
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn set_name(name: impl Into<String>) {
    let name = name.into().into_boxed_str();
    let is_in_task = Core::with_current(|core| {
        let task = core.and_then(Core::current_task);
        task.map(|task| task.rare().set_name(name)).is_some()
    });
    assert!(
        is_in_task,
        "task::set_name must be called inside a task; it names the one that runs"
    );
}
