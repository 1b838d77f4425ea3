//! `as_completed`: the outputs of many futures, in the order in which they come.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::children::{Children, Step};
use crate::stream::Stream;

/// The outputs of the futures as they come, each with the place of its future among the arguments.
///
/// The order is that in which they are done; those that are done at once come in the order of the
/// arguments. The futures are polled in the task that polls the stream, each when it was woken. Dropping the stream
/// drops those that are not done: for tasks that are to go on, give handles, whose drop detaches.
///
/// Beside asyncio: its order among those that are done at once is arbitrary, and its tasks go on.
///
/// # Cancel safety
/// Safe: a `next` that is dropped takes nothing.
///
/// ```
/// use mainspring::stream::StreamExt;
/// use mainspring::task::as_completed;
/// use mainspring::yield_now;
/// mainspring::run(async {
///     let walks = [5, 1, 3].map(|steps| async move {
///         for _ in 0..steps {
///             yield_now().await;
///         }
///         steps
///     });
///     let order: Vec<_> = as_completed(walks).collect().await;
///     assert_eq!(order, [(1, 1), (2, 3), (0, 5)]);
/// })
/// .unwrap();
/// ```
pub fn as_completed<I>(futures: I) -> AsCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let futures = futures.into_iter().map(IntoFuture::into_future);
    AsCompleted(Children::new(futures, true))
}

/// The outputs of futures as they come. Made by [`as_completed`]. It may be polled after its end.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<F: Future>(Children<F>);

impl<F: Future> AsCompleted<F> {
    /// How many are still to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.left()
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.left() == 0
    }
}

impl<F: Future> Stream for AsCompleted<F> {
    type Item = (usize, F::Output);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let children = &mut self.0;
        if children.left() == 0 {
            children.clear();
            return Poll::Ready(None);
        }
        children.begin(cx);
        match children.step(cx) {
            Step::Done(place) => Poll::Ready(Some((place, children.slot(place).take()))),
            Step::Nothing => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<F: Future> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompleted").field(&self.0).finish()
    }
}
