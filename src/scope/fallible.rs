//! A child whose error is its scope's.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Scope;
use crate::pin::pinned_mut;
use crate::task::joined;

/// Runs `future`; its error goes to the scope, and the child ends without an output.
pub(super) struct Fallible<'env, E, F> {
    future: F,
    scope: Scope<'env, E>,
}

impl<'env, E, F> Fallible<'env, E, F> {
    pub(super) fn new(future: F, scope: Scope<'env, E>) -> Fallible<'env, E, F> {
        Fallible { future, scope }
    }
}

impl<T, E, F> Future for Fallible<'_, E, F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match pinned_mut!(self.as_mut(), future).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err(error)) => {
                // Dropped as soon as this poll returns: the task is running.
                joined::abort_current();
                self.scope.0.fail(error);
                Poll::Pending
            }
        }
    }
}
