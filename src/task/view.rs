//! `TaskView`: a task as it stands at one moment, copied out of the lists.
//!
//! *Role.* Snapshots, `why` and the report of a deadlock are made of these; nothing else reads a task's record,
//! its chain and its join slot together.
//!
//! *Model.* A walk over the loop's tasks that runs no user code, so it may be made anywhere: inside a poll,
//! a waker, a hook.
//!
//! *Cost.* O(tasks and their waits), when somebody looks.

use std::collections::{HashMap, HashSet};
use std::panic::Location;

use super::core::Core;
use super::info::TaskInfo;
use super::marks::Cause;
use super::raw::TaskRef;
use super::target::Target;
use super::wait::{Kind, Waiter};

/// One wait of a task.
#[derive(Clone, Debug)]
pub(crate) struct WaitView {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) epoch: Option<u32>,
}

impl WaitView {
    fn of_no_node(target: Target) -> WaitView {
        WaitView {
            kind: Kind::Marker,
            target,
            location: None,
            epoch: None,
        }
    }
}

/// See the module's header.
#[derive(Clone, Debug)]
pub(crate) struct TaskView {
    pub(crate) info: TaskInfo,
    /// Waits for nothing, and nobody has a waker of it.
    pub(crate) is_lost: bool,
    pub(crate) is_aborted: bool,
    /// The number of the scope whose child it is.
    pub(crate) scope: Option<u64>,
    pub(crate) cause: Cause,
    /// Of its spawn.
    pub(crate) epoch: Option<u32>,
    pub(crate) waits: Vec<WaitView>,
}

impl TaskView {
    pub(crate) fn id(&self) -> u64 {
        self.info.id().as_u64()
    }

    fn of(task: TaskRef, joined: Option<&Vec<TaskRef>>) -> TaskView {
        let header = task.header();
        let is_lost = task.is_lost() && joined.is_none();
        let mut waits = Waiter::views(task.waits());
        for joined in joined.into_iter().flatten() {
            waits.push(WaitView::of_no_node(Target::Task(joined.info())));
        }
        if header.state.is_idle() && !is_lost && waits.is_empty() {
            waits.push(WaitView::of_no_node(Target::Waker));
        }
        TaskView {
            info: task.info(),
            is_lost,
            is_aborted: header.state.is_aborted(),
            scope: task.scope(),
            cause: header.cause.get(),
            epoch: header.record.epoch(),
            waits,
        }
    }
}

impl Core {
    /// Every unfinished task, in spawn order.
    pub(crate) fn views(&self) -> Vec<TaskView> {
        let mut joined: HashMap<_, Vec<TaskRef>> = HashMap::new();
        for task in self.tasks() {
            if let Some(joiner) = task.joiner_root() {
                joined.entry(joiner).or_default().push(task);
            }
        }
        let mut views: Vec<_> = self
            .tasks()
            .map(|task| TaskView::of(task, joined.get(&task.as_ptr())))
            .collect();
        let ids: HashSet<u64> = views.iter().map(TaskView::id).collect();
        for wait in views.iter_mut().flat_map(|view| &mut view.waits) {
            if let Target::Resource(resource) = &mut wait.target {
                let peer = resource.peer();
                resource.is_peer_gone = peer.is_some_and(|id| !ids.contains(&id));
            }
        }
        views
    }
}
