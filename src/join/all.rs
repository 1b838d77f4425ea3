//! `join_all` and `try_join_all`: as many futures as there are, awaited together.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::children::Children;
use super::list::take_error;

const POLLED_AGAIN: &str = "was polled again after it had returned its outputs";

/// Waits for all of the futures, and gives their outputs in the order of the arguments.
///
/// They are polled in this task. Each is polled at first, in the order of the arguments, and then when it was
/// woken: with more than sixteen each has a waker of its own. What is dropped drops all of them, also
/// those that are done. There is no task for each: see [`gather`](super::gather) for tasks.
///
/// Handles are futures: `join_all(handles)` gives a `Result` for each task, and dropping it detaches them.
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
///
/// ```
/// use mainspring::task::join_all;
/// mainspring::run(async {
///     let squares = join_all((0..100).map(|n| async move { n * n })).await;
///     assert_eq!(squares[99], 9801);
/// })
/// .unwrap();
/// ```
#[doc(alias = "gather")]
pub fn join_all<I>(futures: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let futures = futures.into_iter().map(IntoFuture::into_future);
    JoinAll(Some(Children::new(futures, false)))
}

/// Waits for all of many futures. Made by [`join_all`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinAll<F: Future>(Option<Children<F>>);

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(children) = &mut self.0 else {
            panic!("a join_all {POLLED_AGAIN}");
        };
        let Ok(()) = children.poll_all(cx, |_| Ok::<(), std::convert::Infallible>(()));
        if children.left() > 0 {
            return Poll::Pending;
        }
        let outputs = (0..children.len()).map(|place| children.slot(place).take());
        let outputs = outputs.collect();
        self.0 = None;
        Poll::Ready(outputs)
    }
}

/// Waits for all of the futures to succeed, or for the first to fail.
///
/// At the first error all the others are dropped where they stand; of several errors in one poll the first in
/// the order of the arguments counts. Otherwise it is as [`join_all`].
///
/// Over handles it is asyncio's `gather` but for one thing: at the first task that panicked or was
/// aborted the others are detached and go on, and so they do when this is dropped. [`gather`](super::gather)
/// aborts them then.
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
///
/// ```
/// use mainspring::task::try_join_all;
/// mainspring::run(async {
///     let halves = |numbers: [u32; 3]| {
///         try_join_all(numbers.map(|n| async move { if n % 2 == 0 { Ok(n / 2) } else { Err(n) } }))
///     };
///     assert_eq!(halves([2, 4, 6]).await, Ok(vec![1, 2, 3]));
///     assert_eq!(halves([2, 3, 5]).await, Err(3));
/// })
/// .unwrap();
/// ```
#[doc(alias = "gather")]
pub fn try_join_all<I, T, E>(futures: I) -> TryJoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    let futures = futures.into_iter().map(IntoFuture::into_future);
    TryJoinAll(Some(Children::new(futures, false)))
}

/// Waits for all of many futures, or for the first error. Made by [`try_join_all`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryJoinAll<F: Future>(Option<Children<F>>);

impl<F, T, E> Future for TryJoinAll<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(children) = &mut self.0 else {
            panic!("a try_join_all {POLLED_AGAIN}");
        };
        if let Err(error) = children.poll_all(cx, |slot| take_error(slot.output())) {
            self.0 = None;
            return Poll::Ready(Err(error));
        }
        if children.left() > 0 {
            return Poll::Pending;
        }
        let outputs = (0..children.len()).map(|place| children.slot(place).take());
        let outputs = outputs.collect();
        self.0 = None;
        Poll::Ready(outputs)
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinAll").field(&self.0).finish()
    }
}

impl<F: Future> fmt::Debug for TryJoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryJoinAll").field(&self.0).finish()
    }
}
