//! What the tests share: a log, and something that says when it is dropped.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::time::sleep;

/// Lines, in the order in which things happened.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// Says `-name` when it is dropped.
    pub(crate) fn guard(&self, name: impl Into<String>) -> Guard {
        Guard(self.clone(), name.into())
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

pub(crate) struct Guard(Log, String);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.say(format!("-{}", self.1));
    }
}

pub(crate) async fn nap(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

/// The text of the panic in `f`.
pub(crate) fn message_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it did not panic");
    text_of(&*payload)
}

pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => payload
            .downcast_ref::<&str>()
            .expect("a panic with a text")
            .to_string(),
    }
}

/// Runs `future` and gives the text of its panic, if it panics.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = std::pin::pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(text_of(&*payload))),
        },
    )
    .await
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once, as the task that is running.
pub(crate) async fn poll_as_task<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Counts its polls, and is never ready.
pub(crate) async fn count_polls(count: &Cell<u32>) {
    poll_fn(|_| {
        count.set(count.get() + 1);
        Poll::Pending
    })
    .await
}
