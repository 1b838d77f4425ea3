//! `Hooks`: the user's functions that a loop calls as it goes, and what it does about failures.
//!
//! *Role.* The builder fills it; tasks, failures and the tick call it. It is for instruments: what a hook does
//! is the user's business, and none of it is needed by the loop.
//!
//! *Model.* Whether there is anything to call is a bit of [`Core::watch`](super::core::Core), which those paths look
//! at anyway or once per batch. A loop without hooks pays nothing for them.
//!
//! *User code.* A hook runs while nothing is borrowed or walked. Its panic is contained. What it does itself
//! (a task that it spawns, a failure that it causes) calls no hooks.

use std::cell::Cell;
use std::rc::Rc;

use super::core::{Core, POLLS, SPAWNS, TICKS, WAITS};
use super::failure::{self, FailurePolicy};
use super::info::TaskInfo;
use super::join::TaskId;
use super::marks::ATTENDED;
use super::raw::TaskRef;

/// Called in the order in which they were given.
type List<A> = Vec<Box<dyn Fn(A)>>;

/// Is told about a task.
type TaskHook = Box<dyn Fn(&TaskInfo)>;

/// See the module's header. The tick's statistics are of a higher layer, so what is called after a tick
/// is a plain closure.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) task_spawn: Vec<TaskHook>,
    pub(crate) task_end: Vec<TaskHook>,
    pub(crate) before_poll: List<TaskId>,
    pub(crate) after_poll: List<TaskId>,
    pub(crate) before_wait: List<()>,
    pub(crate) after_wait: List<usize>,
    pub(crate) has_tick_hooks: bool,
    pub(crate) policy: FailurePolicy,
    is_calling: Cell<bool>,
    is_reporting: Cell<bool>,
}

impl Hooks {
    /// The bits of [`Core::watch`] that say where to call them.
    fn watch(&self) -> u8 {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        bit(
            !self.task_spawn.is_empty() || !self.task_end.is_empty(),
            SPAWNS,
        ) | bit(
            !self.before_poll.is_empty() || !self.after_poll.is_empty(),
            POLLS,
        ) | bit(
            !self.before_wait.is_empty() || !self.after_wait.is_empty(),
            WAITS,
        ) | bit(self.has_tick_hooks, TICKS)
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.watch() == 0 && matches!(self.policy, FailurePolicy::Report)
    }

    /// Calls user code on behalf of a hook, unless it is a hook that led here.
    pub(crate) fn call(&self, core: &Core, f: impl FnOnce()) {
        if self.is_calling.replace(true) {
            return;
        }
        failure::contain_for(core, "a hook", f);
        self.is_calling.set(false);
    }

    /// Calls the failure hook, unless it led here itself: then `f` is not called.
    pub(crate) fn report(&self, f: impl FnOnce()) -> bool {
        if self.is_reporting.replace(true) {
            return false;
        }
        f();
        self.is_reporting.set(false);
        true
    }

    /// Whether a hook is being called.
    pub(crate) fn is_calling(&self) -> bool {
        self.is_calling.get()
    }
}

/// What `hooks` has for this place, called one after the other; a panic of one keeps no other from its call.
pub(crate) fn call_all<A: Copy>(core: &Core, hooks: &Hooks, list: &List<A>, argument: A) {
    for hook in list {
        hooks.call(core, || hook(argument));
    }
}

/// The same for hooks that are told about a task.
fn tell_all(core: &Core, hooks: &Hooks, list: &[TaskHook], info: &TaskInfo) {
    for hook in list {
        hooks.call(core, || hook(info));
    }
}

impl Core {
    /// The hooks of a new loop.
    pub(crate) fn set_hooks(&self, hooks: Hooks) {
        self.watch.set(self.watch.get() | hooks.watch());
        self.hooks.replace(Some(Rc::new(hooks)));
    }

    /// Another share of the hooks, to call them while nothing is borrowed. On the loop's thread.
    pub(crate) fn hooks(&self) -> Option<Rc<Hooks>> {
        self.hooks.borrow().clone()
    }

    /// The loop has ended: the hooks go, on its thread.
    pub(super) fn drop_hooks(&self) {
        let hooks = self.hooks.take();
        failure::contain("a hook, as it was dropped,", || drop(hooks));
    }

    /// A task was spawned.
    #[cold]
    pub(super) fn tell_spawn(&self, task: TaskRef) {
        let Some(hooks) = self.hooks() else { return };
        if hooks.is_calling() {
            return;
        }
        if !hooks.task_end.is_empty() {
            task.header().marks.set(ATTENDED);
        }
        if !hooks.task_spawn.is_empty() {
            tell_all(self, &hooks, &hooks.task_spawn, &task.info());
        }
    }
}

impl TaskRef {
    /// Whatever there is beside the future goes, or is told, as it ends. The task is done, stands in no list
    /// and is not current.
    #[cold]
    #[inline(never)]
    pub(super) fn attend(self, core: &Core) {
        drop(self.header().extra.take_locals());
        let Some(hooks) = core.hooks() else { return };
        if !hooks.task_end.is_empty() && !hooks.is_calling() {
            tell_all(core, &hooks, &hooks.task_end, &self.info());
        }
    }

    /// As [`TaskRef::run`], between the hooks that are for that.
    #[cold]
    pub(crate) fn run_watched(self, core: &Core) {
        let Some(hooks) = core.hooks() else {
            return self.run(core);
        };
        let id = TaskId::new(self.id());
        call_all(core, &hooks, &hooks.before_poll, id);
        self.run(core);
        call_all(core, &hooks, &hooks.after_poll, id);
    }
}
