//! Adapters that look at each item by itself: `map`, `filter`, `filter_map`, `inspect`, `enumerate`, `scan`,
//! `then`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Stream, show};
use crate::pin::{Plain, pinned_mut};

/// Gives what a closure makes of each item. Made by [`StreamExt::map`](super::StreamExt::map).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct Map<S, F> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
}

show!(Map < S, F > { stream });

impl<S: Stream, T, F: FnMut(S::Item) -> T> Stream for Map<S, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
        Poll::Ready(item.map(pinned_mut!(self, f).get()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

/// Leaves items out. Made by [`StreamExt::filter`](super::StreamExt::filter).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct Filter<S, F> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
}

show!(Filter < S, F > { stream });

impl<S: Stream, F: FnMut(&S::Item) -> bool> Stream for Filter<S, F> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            match ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) {
                Some(item) if !(pinned_mut!(self.as_mut(), f).get())(&item) => {}
                last => return Poll::Ready(last),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.stream.size_hint().1)
    }
}

/// Maps and leaves out. Made by [`StreamExt::filter_map`](super::StreamExt::filter_map).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct FilterMap<S, F> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
}

show!(FilterMap < S, F > { stream });

impl<S: Stream, T, F: FnMut(S::Item) -> Option<T>> Stream for FilterMap<S, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let Some(item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            if let Some(made) = (pinned_mut!(self.as_mut(), f).get())(item) {
                return Poll::Ready(Some(made));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.stream.size_hint().1)
    }
}

/// Shows each item to a closure. Made by [`StreamExt::inspect`](super::StreamExt::inspect).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct Inspect<S, F> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
}

show!(Inspect < S, F > { stream });

impl<S: Stream, F: FnMut(&S::Item)> Stream for Inspect<S, F> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
        Poll::Ready(item.inspect(pinned_mut!(self, f).get()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

/// Counts along. Made by [`StreamExt::enumerate`](super::StreamExt::enumerate).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Enumerate<S> {
    pub(super) stream: S,
    pub(super) index: usize,
}

impl<S: Stream> Stream for Enumerate<S> {
    type Item = (usize, S::Item);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let mut next = pinned_mut!(self, index);
        let index = *next;
        *next += 1;
        Poll::Ready(Some((index, item)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

/// Maps with a state, and may end. Made by [`StreamExt::scan`](super::StreamExt::scan).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct Scan<S, A, F> {
    pub(super) stream: S,
    /// State and closure; `None` when the closure has ended it.
    pub(super) step: Plain<Option<(A, F)>>,
}

show!(Scan < S, A, F > { stream });

impl<S: Stream, A, T, F: FnMut(&mut A, S::Item) -> Option<T>> Stream for Scan<S, A, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.step.0.is_none() {
            return Poll::Ready(None);
        }
        let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
        let step = pinned_mut!(self, step).get();
        let (Some(item), Some((state, f))) = (item, step.as_mut()) else {
            return Poll::Ready(None);
        };
        let made = f(state, item);
        if made.is_none() {
            *step = None;
        }
        Poll::Ready(made)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.step.0 {
            Some(_) => (0, self.stream.size_hint().1),
            None => (0, Some(0)),
        }
    }
}

/// Awaits what a closure makes of each item. Made by [`StreamExt::then`](super::StreamExt::then).
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves the future of the current item in here. Dropping this stream drops
/// it, and the item with it.
#[must_use = "streams do nothing unless they are polled"]
pub struct Then<S, F, U> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
    pub(super) future: Option<U>,
}

show!(Then < S, F, U > { stream });

impl<S: Stream, U: Future, F: FnMut(S::Item) -> U> Stream for Then<S, F, U> {
    type Item = U::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U::Output>> {
        loop {
            if let Some(future) = pinned_mut!(self.as_mut(), future).as_pin_mut() {
                let output = ready!(future.poll(cx));
                pinned_mut!(self, future).set(None);
                return Poll::Ready(Some(output));
            }
            let Some(item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            let future = (pinned_mut!(self.as_mut(), f).get())(item);
            pinned_mut!(self.as_mut(), future).set(Some(future));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.size_hint();
        let kept = usize::from(self.future.is_some());
        (
            least.saturating_add(kept),
            most.and_then(|most| most.checked_add(kept)),
        )
    }
}
