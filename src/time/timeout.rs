//! `timeout`: a future with a limit on its time.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::clock::duration_ns;

use super::sleep::Sleep;
use crate::pin::{pinned, pinned_mut};

/// A future that is given up when its time is over. Made by [`timeout`] and [`timeout_at`].
///
/// The body is polled first, then the time: a body that is done in the same poll in which its time
/// ends has won, and one that never waits succeeds even with a timeout of zero. A body that is always
/// ready yields by its budget, so the time is looked at.
///
/// # Cancel safety
/// Safe, if the body is, which is dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Timeout<F> {
    sleep: Sleep,
    future: F,
}

/// Gives `future` this much time, counted from the loop's next turn after its first `Pending`.
///
/// A [`JoinHandle`](crate::JoinHandle) may be given by `&mut`: then the timeout drops only the waiting,
/// not the handle, and the task goes on.
///
/// ```
/// use mainspring::time::timeout;
/// use std::time::Duration;
/// mainspring::run(async {
///     assert_eq!(timeout(Duration::from_secs(1), async { 5 }).await, Ok(5));
///     let never = std::future::pending::<()>();
///     assert!(timeout(Duration::from_millis(1), never).await.is_err());
/// })
/// .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout {
        sleep: Sleep::new(duration_ns(duration), true, Location::caller()),
        future,
    }
}

/// As [`timeout`], on behalf of another line.
pub(crate) fn timeout_from<F: Future>(
    duration: Duration,
    future: F,
    location: &'static Location<'static>,
) -> Timeout<F> {
    Timeout {
        sleep: Sleep::new(duration_ns(duration), true, location),
        future,
    }
}

/// Gives `future` time until `deadline`.
#[track_caller]
#[inline]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout {
        sleep: Sleep::new(deadline.as_ns(), false, Location::caller()),
        future,
    }
}

impl<F> Timeout<F> {
    /// When the time ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Whether the time has ended.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.sleep.is_elapsed()
    }

    /// Moves the end of the time, also while it runs.
    pub fn reschedule(self: Pin<&mut Self>, deadline: Instant) {
        pinned_mut!(self, sleep).reset(deadline);
    }

    /// The body, wherever it stands.
    #[must_use]
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The body, taken out before it was pinned.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = pinned_mut!(self.as_mut(), future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match pinned!(self.as_ref(), sleep).poll_elapsed(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Elapsed(()))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The time was over before the future was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(pub(crate) ());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was over before the future was done")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    /// An error of kind `TimedOut`.
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
