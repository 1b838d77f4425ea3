//! `assert_waits`, `assert_ready`: whether an await waits, as a test has it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::pin::pinned_mut_beside;

/// What is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Waits,
    IsReady,
}

/// Runs `future`, and panics if it comes to its end without a wait: an operation that must let others run, or that
/// must not have what it waits for as yet.
///
/// # Cancel safety
/// Not safe, because its drop drops the future.
///
/// # Panics
/// In the poll, with the line of this call.
///
/// ```
/// use mainspring::sim::assert_waits;
/// mainspring::run(assert_waits(mainspring::yield_now())).unwrap();
/// ```
#[track_caller]
pub fn assert_waits<F: Future>(future: F) -> Asserted<F> {
    Asserted::new(future, Claim::Waits)
}

/// Runs `future`, and panics if it has to wait: an await that must cost no tick.
///
/// # Cancel safety
/// Not safe, because its drop drops the future.
///
/// # Panics
/// In the poll, with the line of this call.
///
/// ```
/// use mainspring::sim::assert_ready;
/// assert_eq!(mainspring::run(assert_ready(async { 7 })).unwrap(), 7);
/// ```
#[track_caller]
pub fn assert_ready<F: Future>(future: F) -> Asserted<F> {
    Asserted::new(future, Claim::IsReady)
}

/// Runs a future and sees whether it waits. Made by [`assert_waits`] and [`assert_ready`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Asserted<F> {
    future: F,
    /// What is still to be seen.
    claim: Option<Claim>,
    location: &'static Location<'static>,
}

impl<F: Future> Asserted<F> {
    #[track_caller]
    fn new(future: F, claim: Claim) -> Asserted<F> {
        Asserted {
            future,
            claim: Some(claim),
            location: Location::caller(),
        }
    }
}

impl<F: Future> Future for Asserted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let location = self.location;
        let (future, claim) = pinned_mut_beside!(self, future, claim);
        let polled = future.poll(cx);
        match (claim.take(), &polled) {
            (Some(Claim::Waits), Poll::Ready(_)) => {
                panic!("it was to wait, and did not: asserted at {location}")
            }
            (Some(Claim::IsReady), Poll::Pending) => {
                panic!("it was to be ready, and waits: asserted at {location}")
            }
            _ => polled,
        }
    }
}

impl<F> fmt::Debug for Asserted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asserted")
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
