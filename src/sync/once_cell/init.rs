//! The futures that make the value of a cell, or wait for whoever makes it.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{OnceCell, Turn};
use crate::pin::{pinned, pinned_mut};
use crate::sync::line::{Place, Who};
use crate::task::wait::Kind;

/// Waits for the value or the job, and does the job.
pub(super) struct Job<'a, T, F, Fut> {
    place: Place<&'a OnceCell<T>>,
    init: Cell<Option<F>>,
    /// Whether the job is this future's.
    has_job: Cell<bool>,
    future: Option<Fut>,
}

impl<'a, T, F, Fut> Job<'a, T, F, Fut> {
    pub(super) fn new(
        cell: &'a OnceCell<T>,
        init: F,
        location: &'static Location<'static>,
    ) -> Job<'a, T, F, Fut> {
        Job {
            place: Place::new(cell, (), Kind::OnceCell, location),
            init: Cell::new(Some(init)),
            has_job: Cell::new(false),
            future: None,
        }
    }
}

impl<'a, T, F, Fut> Job<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    /// Ready with the value; what the initialiser gave passes `open` first.
    fn poll_value<E>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        open: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let cell = *self.place.line();
        if !self.has_job.get() {
            match ready!(pinned!(self.as_ref(), place).poll(cx)) {
                Turn::Full => return Poll::Ready(Ok(value_of(cell))),
                Turn::Job => {}
            }
            self.has_job.set(true);
            cell.note_filler(Who::is_polled_now());
            let init = self.init.take().expect("a job is taken once");
            // A panic of it leaves the job to our drop.
            let future = init();
            pinned_mut!(self.as_mut(), future).set(Some(future));
        }
        let future = pinned_mut!(self.as_mut(), future).as_pin_mut();
        let output = ready!(
            future
                .expect("a OnceCell's initialiser was polled again after it had ended or panicked")
                .poll(cx)
        );
        pinned_mut!(self.as_mut(), future).set(None);
        let result = open(output);
        self.has_job.set(false);
        Poll::Ready(match result {
            Ok(value) => {
                cell.fill(value);
                Ok(value_of(cell))
            }
            Err(error) => {
                cell.pass_job_on();
                Err(error)
            }
        })
    }
}

fn value_of<T>(cell: &OnceCell<T>) -> &T {
    cell.get()
        .expect("a cell that says it is full has its value")
}

impl<T, F, Fut> Drop for Job<'_, T, F, Fut> {
    fn drop(&mut self) {
        if self.has_job.get() {
            self.place.line().pass_job_on();
        }
    }
}

impl<T, F, Fut> fmt::Debug for Job<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("is_waiting", &self.place.is_waiting())
            .field("has_job", &self.has_job.get())
            .finish_non_exhaustive()
    }
}

/// Waits for the value of a cell, or makes it. Made by [`OnceCell::get_or_init`].
///
/// # Cancel safety
/// Safe: what `init` gave is dropped with it, and the job goes to whoever waits longest.
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct GetOrInit<'a, T, F, Fut> {
    job: Job<'a, T, F, Fut>,
}

impl<'a, T, F, Fut> GetOrInit<'a, T, F, Fut> {
    pub(super) fn new(job: Job<'a, T, F, Fut>) -> GetOrInit<'a, T, F, Fut> {
        GetOrInit { job }
    }
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let polled = pinned_mut!(self, job).poll_value(cx, Ok::<T, Infallible>);
        polled.map(|result| match result {
            Ok(value) => value,
            Err(never) => match never {},
        })
    }
}

/// Waits for the value of a cell, or makes it with a future that may fail. Made by
/// [`OnceCell::get_or_try_init`].
///
/// # Cancel safety
/// Safe: what `init` gave is dropped with it, and the job goes to whoever waits longest.
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct GetOrTryInit<'a, T, F, Fut> {
    job: Job<'a, T, F, Fut>,
}

impl<'a, T, F, Fut> GetOrTryInit<'a, T, F, Fut> {
    pub(super) fn new(job: Job<'a, T, F, Fut>) -> GetOrTryInit<'a, T, F, Fut> {
        GetOrTryInit { job }
    }
}

impl<'a, T, F, Fut, E> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        pinned_mut!(self, job).poll_value(cx, |output| output)
    }
}
