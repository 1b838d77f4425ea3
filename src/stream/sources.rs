//! Streams to begin with: `iter`, `once`, `empty`, `pending`, `repeat`, `poll_fn`, `unfold`.
//!
//! *Budget.* What is always ready and may never end spends one unit of the poll's budget per item and
//! yields when none is left, or a loop over it would never let another task run.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Stream, show};
use crate::pin::{Plain, pinned_mut};
use crate::task::budget::poll_spend;

/// The items of an iterator. Made by [`iter()`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Iter<I>(Plain<I>);

/// The items of an iterator, each at once.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// # mainspring::run(async {
/// assert_eq!(stream::iter([1, 2]).next().await, Some(1));
/// # }).unwrap();
/// ```
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter(Plain(items.into_iter()))
}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        ready!(poll_spend(cx));
        Poll::Ready(self.get_mut().0.0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.0.size_hint()
    }
}

/// One item, then the end, for ever. Made by [`once`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Once<T>(Plain<Option<T>>);

/// One item.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// # mainspring::run(async {
/// assert_eq!(stream::once(5).collect::<Vec<_>>().await, [5]);
/// # }).unwrap();
/// ```
pub fn once<T>(item: T) -> Once<T> {
    Once(Plain(Some(item)))
}

impl<T> Stream for Once<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.get_mut().0.0.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.0.0.is_some());
        (left, Some(left))
    }
}

/// The end, for ever. Made by [`empty`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Copy, Debug)]
pub struct Empty<T>(PhantomData<fn() -> T>);

/// No items.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// # mainspring::run(async {
/// assert_eq!(stream::empty::<u8>().next().await, None);
/// # }).unwrap();
/// ```
pub fn empty<T>() -> Empty<T> {
    Empty(PhantomData)
}

impl<T> Stream for Empty<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

/// Neither an item nor the end. Made by [`pending`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Copy, Debug)]
pub struct Pending<T>(PhantomData<fn() -> T>);

/// Neither an item nor the end, ever.
///
/// ```
/// use mainspring::{stream::{self, StreamExt}, time::timeout};
/// use std::time::Duration;
/// # mainspring::run(async {
/// let mut stream = stream::pending::<u8>();
/// assert!(timeout(Duration::from_millis(1), stream.next()).await.is_err());
/// # }).unwrap();
/// ```
pub fn pending<T>() -> Pending<T> {
    Pending(PhantomData)
}

impl<T> Stream for Pending<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

/// The same item again and again. Made by [`repeat`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Repeat<T>(Plain<T>);

/// Clones of one item, without end.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// # mainspring::run(async {
/// assert_eq!(stream::repeat(1).take(3).collect::<Vec<_>>().await, [1, 1, 1]);
/// # }).unwrap();
/// ```
pub fn repeat<T: Clone>(item: T) -> Repeat<T> {
    Repeat(Plain(item))
}

impl<T: Clone> Stream for Repeat<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(poll_spend(cx));
        Poll::Ready(Some(self.0.0.clone()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// What a closure says. Made by [`poll_fn`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone)]
pub struct PollFn<F>(Plain<F>);

/// A stream whose [`Stream::poll_next`] is this closure.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// use std::task::Poll;
/// # mainspring::run(async {
/// let mut left = 2;
/// let countdown = stream::poll_fn(|_cx| {
///     left -= 1;
///     Poll::Ready((left >= 0).then_some(left))
/// });
/// assert_eq!(countdown.collect::<Vec<_>>().await, [1, 0]);
/// # }).unwrap();
/// ```
pub fn poll_fn<T, F: FnMut(&mut Context<'_>) -> Poll<Option<T>>>(f: F) -> PollFn<F> {
    PollFn(Plain(f))
}

impl<F> fmt::Debug for PollFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollFn")
    }
}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<Option<T>>> Stream for PollFn<F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        (self.get_mut().0.0)(cx)
    }
}

/// A state and the future that makes the next one. Made by [`unfold`].
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves the future in here, where it is.
#[must_use = "streams do nothing unless they are polled"]
pub struct Unfold<A, F, U> {
    /// `None` while the future has it, and at the end.
    state: Plain<Option<A>>,
    f: Plain<F>,
    future: Option<U>,
}

/// Makes each item and the next state from the state, until the closure's future gives `None`.
///
/// With an `async` block in it the stream must be pinned before `next`: `let mut s = pin!(unfold(…))`.
///
/// ```
/// use mainspring::stream::{self, StreamExt};
/// # mainspring::run(async {
/// let powers = stream::unfold(1, async |n| (n < 100).then_some((n, n * 3)));
/// assert_eq!(powers.collect::<Vec<_>>().await, [1, 3, 9, 27, 81]);
/// # }).unwrap();
/// ```
pub fn unfold<A, T, F, U>(state: A, f: F) -> Unfold<A, F, U>
where
    F: FnMut(A) -> U,
    U: Future<Output = Option<(T, A)>>,
{
    Unfold {
        state: Plain(Some(state)),
        f: Plain(f),
        future: None,
    }
}

show!(Unfold < S, F, U > { state });

impl<A, T, F, U> Stream for Unfold<A, F, U>
where
    F: FnMut(A) -> U,
    U: Future<Output = Option<(T, A)>>,
{
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(state) = pinned_mut!(self.as_mut(), state).get().take() {
            let future = (pinned_mut!(self.as_mut(), f).get())(state);
            pinned_mut!(self.as_mut(), future).set(Some(future));
        }
        let Some(future) = pinned_mut!(self.as_mut(), future).as_pin_mut() else {
            return Poll::Ready(None);
        };
        ready!(poll_spend(cx));
        let made = ready!(future.poll(cx));
        pinned_mut!(self.as_mut(), future).set(None);
        Poll::Ready(made.map(|(item, next)| {
            *pinned_mut!(self, state).get() = Some(next);
            item
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.state.0.is_none() && self.future.is_none() {
            return (0, Some(0));
        }
        (0, None)
    }
}
