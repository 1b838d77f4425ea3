//! Failure is never silent: where a panic goes that nobody can fetch any more.
//!
//! *Role.* [`super::raw`] calls it when a task panicked and its handle is gone, and when user code
//! that must not fail (a foreign waker, a destructor, a hook) panics inside the loop.
//!
//! *Model.* The loop's [`FailurePolicy`] decides; by default it is one line on standard error, with the task's
//! name and the line that spawned it. The panic's own message was printed before by the process's panic
//! hook. What fails where no loop runs, or in a failure hook itself, is reported whatever the policy.

use std::any::Any;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use super::core::Core;
use super::info::TaskInfo;
use super::raw::TaskRef;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// What a panic in a job of the pool carries on its way to the awaiter: the line that submitted the job,
/// besides.
struct FromJob {
    payload: Payload,
    location: &'static Location<'static>,
}

/// Notes the line that submitted the job in which a panic came up.
pub(crate) fn from_job(payload: Payload, location: &'static Location<'static>) -> Payload {
    Box::new(FromJob { payload, location })
}

/// What the panic itself carried.
pub(crate) fn bare(payload: Payload) -> Payload {
    match payload.downcast::<FromJob>() {
        Ok(job) => job.payload,
        Err(payload) => payload,
    }
}

/// Where the job was submitted in which the panic came up, if it was one.
pub(crate) fn submitted_at(payload: &Payload) -> Option<&'static Location<'static>> {
    payload.downcast_ref::<FromJob>().map(|job| job.location)
}

/// What a loop does about a panic that nobody can fetch: of a task whose handle is gone, of a callback, and of
/// foreign code that the loop had to call (a waker, a destructor, a hook).
///
/// ```
/// use mainspring::{Builder, FailurePolicy};
/// use std::{cell::RefCell, rc::Rc};
///
/// let failures = Rc::new(RefCell::new(Vec::new()));
/// let log = Rc::clone(&failures);
/// let policy = FailurePolicy::Call(Box::new(move |failure| {
///     log.borrow_mut().push(failure.message().to_string());
/// }));
/// let runtime = Builder::new().on_failure(policy).build().unwrap();
/// drop(runtime.spawn(async { panic!("lost") }));
/// runtime.block_on(mainspring::yield_now()).unwrap();
/// assert_eq!(*failures.borrow(), ["lost"]);
/// ```
#[derive(Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// One line on standard error; the loop goes on.
    #[default]
    Report,
    /// The run ends: [`block_on`](crate::Runtime::block_on), or whatever runs the loop, panics with what the
    /// failure carried, after the tick in which it happened. What fails while a runtime is dropped, and a second
    /// failure in one tick, are reported.
    End,
    /// Nothing.
    Ignore,
    /// Calls this, on the loop's thread, while nothing is borrowed. A panic of its own is reported.
    Call(Box<dyn Fn(&Failure<'_>)>),
}

impl fmt::Debug for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailurePolicy::Report => "Report",
            FailurePolicy::End => "End",
            FailurePolicy::Ignore => "Ignore",
            FailurePolicy::Call(_) => "Call(..)",
        })
    }
}

/// A panic that nobody can fetch. As text it is the line of the report.
#[derive(Debug)]
pub struct Failure<'a> {
    subject: &'a str,
    circumstance: &'a str,
    task: Option<TaskInfo>,
    payload: &'a (dyn Any + Send + 'static),
}

impl Failure<'_> {
    /// The task that panicked; `None` if it was a job of the pool, or foreign code that the loop had called.
    #[must_use]
    pub fn task(&self) -> Option<&TaskInfo> {
        self.task.as_ref()
    }

    /// The panic's message.
    #[must_use]
    pub fn message(&self) -> &str {
        message_of(self.payload)
    }

    /// What the panic carried.
    #[must_use]
    pub fn payload(&self) -> &(dyn Any + Send + 'static) {
        self.payload
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, circumstance) = (self.subject, self.circumstance);
        write!(f, "{subject} panicked{circumstance}: {}", self.message())
    }
}

/// The text of a panic, if it is one of the two types that `panic!` makes.
pub(crate) fn message(payload: &Payload) -> &str {
    if let Some(job) = payload.downcast_ref::<FromJob>() {
        message(&job.payload)
    } else {
        message_of(&**payload)
    }
}

fn message_of<'a>(payload: &'a (dyn Any + Send + 'static)) -> &'a str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a value that is not a string"
    }
}

const NOBODY_AWAITS: &str = ", and nobody awaits it";

/// The panic of a task whose handle is gone. On the loop's thread.
pub(crate) fn report_task(task: TaskRef, payload: Payload) {
    let subject = task.describe();
    let core = Some(task.core());
    fail(core, &subject, NOBODY_AWAITS, Some(task), payload);
}

/// The same of a callback, which is run by `task`.
pub(crate) fn report_callback(task: TaskRef, payload: Payload) {
    let subject = task.describe();
    let core = Some(task.core());
    fail(core, &subject, " in a callback", Some(task), payload);
}

/// The same of a task that never came to its loop; on any thread.
pub(crate) fn report_foreign(task: TaskRef, payload: Payload) {
    fail(None, &task.describe(), NOBODY_AWAITS, Some(task), payload);
}

/// The panic of a job of the pool that nobody awaits any more; on any thread.
pub(crate) fn report_job(location: &'static Location<'static>, payload: Payload) {
    let subject = format!("a job (submitted at {location})");
    Core::with_current(|core| fail(core, &subject, NOBODY_AWAITS, None, payload));
}

/// The panic of work that was sent from another thread and that nobody awaits any more; on any thread.
pub(crate) fn report_sent(location: &'static Location<'static>, payload: Payload) {
    let subject = format!("work (sent at {location})");
    Core::with_current(|core| fail(core, &subject, NOBODY_AWAITS, None, payload));
}

/// The panic of a scope's child, on its way to whoever awaits the scope.
pub(crate) struct Escaped {
    /// Which task it was.
    pub(crate) child: String,
    pub(crate) payload: Payload,
}

impl Escaped {
    /// Nobody will fetch it. On the thread of this loop.
    pub(super) fn report(self, core: &Core) {
        fail(Some(core), &self.child, NOBODY_AWAITS, None, self.payload);
    }
}

/// Runs user code that is none of the loop's business to fail: a panic ends here.
pub(crate) fn contain(what: &str, f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        Core::with_current(|core| fail(core, what, "", None, payload));
    }
}

/// As [`contain`], on behalf of a loop that need not be entered.
pub(super) fn contain_for(core: &Core, what: &str, f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        fail(Some(core), what, "", None, payload);
    }
}

/// Does what the loop's policy says. With a core, this is its loop's thread.
#[cold]
fn fail(
    core: Option<&Core>,
    subject: &str,
    circumstance: &str,
    task: Option<TaskRef>,
    payload: Payload,
) {
    let payload = bare(payload);
    let failure = Failure {
        subject,
        circumstance,
        task: task.map(TaskRef::info),
        payload: &*payload,
    };
    let hooks = core.and_then(Core::hooks);
    match hooks.as_ref().map(|hooks| (hooks, &hooks.policy)) {
        Some((_, FailurePolicy::Ignore)) => {}
        Some((_, FailurePolicy::End)) => {
            if let Some(core) = core.filter(|core| core.may_fail()) {
                return core.fail(payload);
            }
            write_line(&failure.to_string());
        }
        Some((hooks, FailurePolicy::Call(hook))) => {
            if !hooks.report(|| call_hook(hook, &failure)) {
                write_line(&failure.to_string());
            }
        }
        None | Some((_, FailurePolicy::Report)) => write_line(&failure.to_string()),
    }
    drop_quietly(payload);
}

/// A failure hook that panics has not reported the failure, or not well.
fn call_hook(hook: &dyn Fn(&Failure<'_>), failure: &Failure<'_>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| hook(failure))) {
        write_line(&failure.to_string());
        write_line(&format!("the failure hook panicked: {}", message(&second)));
        drop_quietly(second);
    }
}

/// Drops a panic's payload; its destructor may panic as well, and what *that* carries is leaked.
pub(crate) fn drop_quietly(payload: Payload) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// In one call, so that nobody else's line comes in between. Standard error may be closed; there is
/// nobody else to tell.
pub(crate) fn write_line(line: &str) {
    let line = format!("mainspring: {line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
