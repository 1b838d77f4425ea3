//! What a builder is told beside the loop's own numbers: hooks, and what is to be done about failures.

use std::time::Duration;

use super::Builder;
use crate::event_loop::TickStats;
use crate::task::failure::FailurePolicy;
use crate::task::info::TaskInfo;
use crate::task::join::TaskId;

/// # Hooks
///
/// Functions of yours that the loop calls as it goes, on its own thread, in the order in which they were given. They may use
/// whatever tasks may use, for nothing is borrowed meanwhile. A panic of a hook is a failure as any other
/// ([`Builder::on_failure`]) and changes nothing else. What a hook spawns or polls itself is told to no hook. A loop
/// without hooks pays nothing for them; they go as the runtime is dropped, after its tasks.
///
/// ```
/// use mainspring::Builder;
/// use std::{cell::Cell, rc::Rc};
///
/// let alive = Rc::new(Cell::new(0));
/// let (up, down) = (Rc::clone(&alive), Rc::clone(&alive));
/// let runtime = Builder::new()
///     .on_task_spawn(move |_| up.set(up.get() + 1))
///     .on_task_end(move |_| down.set(down.get() - 1))
///     .build()
///     .unwrap();
/// drop(runtime.spawn(std::future::pending::<()>()));
/// assert_eq!(alive.get(), 1);
/// drop(runtime);
/// assert_eq!(alive.get(), 0);
/// ```
impl Builder {
    /// Calls `hook` for each new task, in the spawn, before the task's first poll.
    pub fn on_task_spawn(mut self, hook: impl Fn(&TaskInfo) + 'static) -> Builder {
        self.hooks.task_spawn.push(Box::new(hook));
        self
    }

    /// Calls `hook` for each task that ends, after its future was dropped, and before who awaits it is woken. Only of
    /// tasks that were spawned while the hook was there to see it.
    pub fn on_task_end(mut self, hook: impl Fn(&TaskInfo) + 'static) -> Builder {
        self.hooks.task_end.push(Box::new(hook));
        self
    }

    /// Calls `hook` before each poll of a task.
    pub fn before_poll(mut self, hook: impl Fn(TaskId) + 'static) -> Builder {
        self.hooks.before_poll.push(Box::new(hook));
        self
    }

    /// Calls `hook` after each poll of a task.
    pub fn after_poll(mut self, hook: impl Fn(TaskId) + 'static) -> Builder {
        self.hooks.after_poll.push(Box::new(hook));
        self
    }

    /// Calls `hook` in each turn before the selector is asked, whether the loop will sleep or not. What the
    /// hook wakes or spawns keeps it from sleeping.
    pub fn before_wait(mut self, hook: impl Fn() + 'static) -> Builder {
        self.hooks.before_wait.push(Box::new(move |()| hook()));
        self
    }

    /// Calls `hook` in each turn after the selector was asked, with the number of its events.
    pub fn after_wait(mut self, hook: impl Fn(usize) + 'static) -> Builder {
        self.hooks.after_wait.push(Box::new(hook));
        self
    }

    /// Calls `hook` after each tick.
    pub fn on_tick(mut self, hook: impl Fn(&TickStats) + 'static) -> Builder {
        self.hooks.has_tick_hooks = true;
        self.tick_hooks.push(Box::new(hook));
        self
    }

    /// What is to be done about a panic that nobody can fetch: report it (the default), end the run, ignore it,
    /// or call a function.
    pub fn on_failure(mut self, policy: FailurePolicy) -> Builder {
        self.hooks.policy = policy;
        self
    }

    /// Whether a runtime that is dropped before its tasks came to their end says so on standard error, with a line for each
    /// of them and for what it waits for. Tasks of the background do not count. The default is yes if the environment
    /// variable `MAINSPRING_DEBUG` is set, else no.
    pub fn report_unfinished(mut self, reports_unfinished: bool) -> Builder {
        self.reports_unfinished = reports_unfinished;
        self
    }

    /// How long the selector is asked again and again before the loop sleeps: what comes meanwhile comes sooner by
    /// the time that a sleep and a wake-up take, and a processor is busy for it. The default is not at all.
    pub fn spin(mut self, spin: Duration) -> Builder {
        self.spin = spin;
        self
    }
}
