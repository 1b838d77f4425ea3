//! Adapters that choose a span of the stream: `take`, `take_while`, `skip`, `skip_while`, `fuse`, `peekable`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Stream, show};
use crate::pin::{Plain, pinned_mut};
use crate::task::caller::Caller;

/// Ends after so many items. Made by [`StreamExt::take`](super::StreamExt::take).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Take<S> {
    pub(super) stream: S,
    pub(super) left: usize,
}

impl<S: Stream> Stream for Take<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
        let mut left = pinned_mut!(self, left);
        *left = if item.is_some() { *left - 1 } else { 0 };
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.left == 0 {
            return (0, Some(0));
        }
        let (least, most) = self.stream.size_hint();
        let most = most.map_or(self.left, |most| most.min(self.left));
        (least.min(self.left), Some(most))
    }
}

/// Ends at the first item that a closure refuses. Made by
/// [`StreamExt::take_while`](super::StreamExt::take_while).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct TakeWhile<S, F> {
    pub(super) stream: S,
    pub(super) f: Plain<F>,
    pub(super) is_over: bool,
}

show!(TakeWhile < S, F > { stream });

impl<S: Stream, F: FnMut(&S::Item) -> bool> Stream for TakeWhile<S, F> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) {
            Some(item) if (pinned_mut!(self.as_mut(), f).get())(&item) => Poll::Ready(Some(item)),
            _ => {
                *pinned_mut!(self, is_over) = true;
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.is_over {
            return (0, Some(0));
        }
        (0, self.stream.size_hint().1)
    }
}

/// Leaves so many items out. Made by [`StreamExt::skip`](super::StreamExt::skip).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Skip<S> {
    pub(super) stream: S,
    pub(super) left: usize,
}

impl<S: Stream> Stream for Skip<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
            if self.left == 0 || item.is_none() {
                return Poll::Ready(item);
            }
            *pinned_mut!(self.as_mut(), left) -= 1;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.size_hint();
        (
            least.saturating_sub(self.left),
            most.map(|most| most.saturating_sub(self.left)),
        )
    }
}

/// Begins at the first item that a closure refuses. Made by
/// [`StreamExt::skip_while`](super::StreamExt::skip_while).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct SkipWhile<S, F> {
    pub(super) stream: S,
    /// `None` once an item was refused.
    pub(super) f: Plain<Option<F>>,
}

show!(SkipWhile < S, F > { stream });

impl<S: Stream, F: FnMut(&S::Item) -> bool> Stream for SkipWhile<S, F> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            let Some(item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            let f = pinned_mut!(self.as_mut(), f).get();
            if f.as_mut().is_some_and(|is_skipped| is_skipped(&item)) {
                continue;
            }
            *f = None;
            return Poll::Ready(Some(item));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.size_hint();
        if self.f.0.is_some() {
            return (0, most);
        }
        (least, most)
    }
}

/// Stays at its end. Made by [`StreamExt::fuse`](super::StreamExt::fuse).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Fuse<S> {
    /// `None` when it has ended: what it held is free from then on.
    stream: Option<S>,
}

impl<S> Fuse<S> {
    pub(super) fn new(stream: S) -> Fuse<S> {
        Fuse {
            stream: Some(stream),
        }
    }

    /// Whether the stream has said that it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S: Stream> Stream for Fuse<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Some(stream) = pinned_mut!(self.as_mut(), stream).as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(stream.poll_next(cx));
        if item.is_none() {
            pinned_mut!(self, stream).set(None);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let stream = self.stream.as_ref();
        stream.map_or((0, Some(0)), Stream::size_hint)
    }
}

/// Its next item can be looked at. Made by [`StreamExt::peekable`](super::StreamExt::peekable).
///
/// # Cancel safety
/// Safe: the item that was looked at stands in here, whatever becomes of a `next`. Dropping this stream
/// drops it.
#[must_use = "streams do nothing unless they are polled"]
pub struct Peekable<S: Stream> {
    stream: S,
    /// What the next poll gives, an end too.
    peeked: Plain<Option<Option<S::Item>>>,
}

impl<S: Stream + std::fmt::Debug> std::fmt::Debug for Peekable<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peekable")
            .field("stream", &self.stream)
            .field("is_peeked", &self.peeked.0.is_some())
            .finish()
    }
}

impl<S: Stream> Peekable<S> {
    pub(super) fn new(stream: S) -> Peekable<S> {
        Peekable {
            stream,
            peeked: Plain(None),
        }
    }

    /// Waits for the next item and shows it; it stays the next one. `None` at the end.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut numbers = stream::iter([1, 2]).peekable();
    /// assert_eq!(numbers.peek().await, Some(&mut 1));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn peek(&mut self) -> Peek<'_, S>
    where
        S: Unpin,
    {
        Peek {
            stream: Some(self),
            caller: Caller::here(),
        }
    }

    /// As [`Peekable::peek`], for a poll function.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn poll_peek(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<&mut S::Item>> {
        if self.peeked.0.is_none() {
            let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
            *pinned_mut!(self.as_mut(), peeked).get() = Some(item);
        }
        let peeked = pinned_mut!(self, peeked).get();
        Poll::Ready(peeked.as_mut().and_then(Option::as_mut))
    }
}

impl<S: Stream> Stream for Peekable<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if let Some(item) = pinned_mut!(self.as_mut(), peeked).get().take() {
            return Poll::Ready(item);
        }
        pinned_mut!(self, stream).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let kept = match self.peeked.0 {
            Some(None) => return (0, Some(0)),
            Some(Some(_)) => 1,
            None => 0,
        };
        let (least, most) = self.stream.size_hint();
        (
            least.saturating_add(kept),
            most.and_then(|most| most.checked_add(kept)),
        )
    }
}

/// Waits for the next item and leaves it there. Made by [`Peekable::peek`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Peek<'a, S: Stream> {
    /// `None` when it was answered.
    stream: Option<&'a mut Peekable<S>>,
    caller: Caller,
}

impl<S: Stream + std::fmt::Debug> std::fmt::Debug for Peek<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peek")
            .field("stream", &self.stream)
            .finish()
    }
}

impl<'a, S: Stream + Unpin> Future for Peek<'a, S> {
    type Output = Option<&'a mut S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let caller = self.caller;
        let stream = self.stream.as_mut().expect("a future polled after Ready");
        let polled = caller.within(|| Pin::new(&mut **stream).poll_peek(cx));
        ready!(polled.map(|_| ()));
        // Out of the borrow of this future and into that of its maker.
        let stream = self.stream.take().expect("it was there a line before");
        Poll::Ready(stream.peeked.0.as_mut().and_then(Option::as_mut))
    }
}
