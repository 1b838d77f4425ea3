//! Waits of a condvar that look at a condition, each time they are notified.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Condvar, CondvarWait};
use crate::pin::{Plain, pinned_beside};
use crate::sync::line::Place;
use crate::sync::mutex::MutexGuard;
use crate::task::wait::Kind;

/// Waits until a condition holds of a locked value, or holds no more. Made by [`Condvar::wait_until`] and
/// [`Condvar::wait_while`].
///
/// # Cancel safety
/// Loses its place in line: and the lock with it, for the guard does not come back. A notification for one
/// that had come goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarWaitUntil<'a, T, F> {
    wait: CondvarWait<'a, T>,
    condition: Plain<F>,
    /// What the condition is to say.
    wanted: bool,
}

impl<'a, T, F> CondvarWaitUntil<'a, T, F> {
    pub(super) fn new(wait: CondvarWait<'a, T>, condition: F, wanted: bool) -> Self {
        CondvarWaitUntil {
            wait,
            condition: Plain(condition),
            wanted,
        }
    }
}

impl<'a, T, F> Future for CondvarWaitUntil<'a, T, F>
where
    F: FnMut(&mut T) -> bool,
{
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let wanted = self.wanted;
        let (wait, condition) = pinned_beside!(self, wait, condition);
        loop {
            if let Some(mut guard) = wait.take_guard() {
                if (condition.0)(&mut guard) == wanted {
                    return Poll::Ready(guard);
                }
                wait.put_guard(guard);
            }
            let guard = ready!(wait.poll_wait(cx));
            wait.renew(guard);
        }
    }
}

impl<T, F> fmt::Debug for CondvarWaitUntil<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWaitUntil")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// Waits until a condition holds, without a mutex. Made by [`Condvar::until`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A notification for one that was handed
/// over and not fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarUntil<'a, F> {
    signal: Place<&'a Condvar>,
    condition: Plain<F>,
}

impl<'a, F> CondvarUntil<'a, F> {
    pub(super) fn new(
        condvar: &'a Condvar,
        condition: F,
        location: &'static Location<'static>,
    ) -> CondvarUntil<'a, F> {
        CondvarUntil {
            signal: Place::new(condvar, (), Kind::Condvar, location),
            condition: Plain(condition),
        }
    }
}

impl<F: FnMut() -> bool> Future for CondvarUntil<'_, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (signal, condition) = pinned_beside!(self, signal, condition);
        loop {
            if signal.is_new() && (condition.0)() {
                return Poll::Ready(());
            }
            ready!(signal.poll(cx));
            signal.renew();
        }
    }
}

impl<F> fmt::Debug for CondvarUntil<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarUntil")
            .field("is_waiting", &self.signal.is_waiting())
            .finish_non_exhaustive()
    }
}
