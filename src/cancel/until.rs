//! What lives as long as a token allows (`RunUntilCancelled`), and a token as long as something lives
//! (`CancelGuard`).

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{CancelReason, CancelToken, Cancelled};
use crate::pin::{pinned, pinned_mut};

impl CancelToken {
    /// Runs `future` until it is done or the token is cancelled; then it is dropped. One that is done in
    /// the same poll has won, as with [`timeout`](crate::time::timeout): so a future that never waits
    /// succeeds also under a cancelled token.
    ///
    /// # Cancel safety
    /// Safe, if the future is, which is dropped with it.
    ///
    /// # Errors
    /// The token's reason, if it was cancelled first.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let token = mainspring::task::CancelToken::new();
    /// assert_eq!(token.run_until_cancelled(async { 5 }).await, Ok(5));
    /// token.cancel_with("over");
    /// let never = std::future::pending::<()>();
    /// assert_eq!(token.run_until_cancelled(never).await, Err("over".into()));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelled<F> {
        RunUntilCancelled {
            cancelled: self.cancelled(),
            future: Some(future),
        }
    }

    /// A guard that cancels the token when it is dropped.
    ///
    /// ```
    /// let token = mainspring::task::CancelToken::new();
    /// drop(token.clone().drop_guard());
    /// assert!(token.is_cancelled());
    /// ```
    #[must_use = "dropping it cancels the token"]
    pub fn drop_guard(self) -> CancelGuard {
        CancelGuard(Some(self))
    }
}

/// A future that is given up when its token is cancelled. Made by [`CancelToken::run_until_cancelled`].
///
/// # Cancel safety
/// Safe, if the future is, which is dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct RunUntilCancelled<F> {
    cancelled: Cancelled,
    future: Option<F>,
}

impl<F: Future> Future for RunUntilCancelled<F> {
    type Output = Result<F::Output, CancelReason>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = pinned_mut!(self.as_mut(), future).as_pin_mut() else {
            panic!("run_until_cancelled was polled again after it was done");
        };
        let result = match future.poll(cx) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => match pinned!(self.as_ref(), cancelled).poll_cancelled(cx) {
                Poll::Ready(reason) => Err(reason),
                Poll::Pending => return Poll::Pending,
            },
        };
        pinned_mut!(self, future).set(None);
        Poll::Ready(result)
    }
}

impl<F> fmt::Debug for RunUntilCancelled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelled")
            .field("token", &self.cancelled.token)
            .finish_non_exhaustive()
    }
}

/// Cancels its token when it is dropped. Made by [`CancelToken::drop_guard`].
#[derive(Debug)]
#[must_use = "dropping it cancels the token"]
pub struct CancelGuard(Option<CancelToken>);

impl CancelGuard {
    /// The token, which the guard will not cancel any more.
    pub fn disarm(mut self) -> CancelToken {
        let token = self.0.take();
        mem::forget(self);
        token.expect("the token is there until `disarm` or drop takes it")
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.0 {
            token.cancel_with("a guard was dropped");
        }
    }
}
