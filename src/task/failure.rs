//! Failure is never silent: where a panic goes that nobody can fetch any more.
//!
//! *Role.* [`super::raw`] calls it when a task panicked and its handle is gone, and when user code
//! that must not fail (a foreign waker, a destructor) panics inside the loop.
//!
//! *Model.* One line on standard error, with the task's name and the line that spawned it. The
//! panic's own message was printed before by the process's panic hook.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

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

/// The text of a panic, if it is one of the two types that `panic!` makes.
pub(crate) fn message(payload: &Payload) -> &str {
    if let Some(job) = payload.downcast_ref::<FromJob>() {
        message(&job.payload)
    } else if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a value that is not a string"
    }
}

/// Reports the panic of a task whose handle is gone.
pub(crate) fn report_task(task: TaskRef, payload: Payload) {
    write_line(&format!(
        "{} panicked, and nobody awaits it: {}",
        task.describe(),
        message(&payload)
    ));
    drop_quietly(payload);
}

/// Reports the panic of a job of the pool that nobody awaits any more.
pub(crate) fn report_job(location: &'static Location<'static>, payload: Payload) {
    write_line(&format!(
        "a job (submitted at {location}) panicked, and nobody awaits it: {}",
        message(&payload)
    ));
    drop_quietly(payload);
}

/// Reports the panic of work that was sent from another thread and that nobody awaits any more.
pub(crate) fn report_sent(location: &'static Location<'static>, payload: Payload) {
    write_line(&format!(
        "work (sent at {location}) panicked, and nobody awaits it: {}",
        message(&payload)
    ));
    drop_quietly(payload);
}

/// Runs user code that is none of the loop's business to fail: a panic ends here, with a line.
pub(crate) fn contain(what: &str, f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        write_line(&format!("{what} panicked: {}", message(&payload)));
        drop_quietly(payload);
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
