//! What waits for items, as named futures: `next`, `try_next`, and those that go to the end of the stream.
//!
//! *Model.* Each polls the stream on behalf of the line that made it (`Caller`). [`Next`] and [`TryNext`]
//! borrow the stream; the others own it, and a `&mut` stream is a stream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Stream, show};
use crate::pin::{Plain, pinned_mut};
use crate::task::caller::Caller;

/// Waits for the next item. Made by [`StreamExt::next`](super::StreamExt::next).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Next<'a, S: ?Sized> {
    pub(super) stream: &'a mut S,
    pub(super) caller: Caller,
}

impl<S: Stream + Unpin + ?Sized> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let caller = self.caller;
        caller.within(|| Pin::new(&mut *self.stream).poll_next(cx))
    }
}

/// Waits for the next item, an error before the end. Made by
/// [`StreamExt::try_next`](super::StreamExt::try_next).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct TryNext<'a, S: ?Sized>(pub(super) Next<'a, S>);

impl<T, E, S: Stream<Item = Result<T, E>> + Unpin + ?Sized> Future for TryNext<'_, S> {
    type Output = Result<Option<T>, E>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Option::transpose)
    }
}

/// A future that polls its stream to the end: what it does with an item, and what it is at the end.
macro_rules! to_the_end {
    (
        $name:ident<$($generic:ident),*> where [$($bounds:tt)*] -> $output:ty;
        |$state:ident, $item:ident| $each:expr;
        $end:expr
    ) => {
        impl<$($generic),*> Future for $name<$($generic),*>
        where
            $($bounds)*
        {
            type Output = $output;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<$output> {
                let caller = self.caller;
                caller.within(|| {
                    while let Some($item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) {
                        let $state = pinned_mut!(self.as_mut(), state).get();
                        $each
                    }
                    let $state = pinned_mut!(self.as_mut(), state).get();
                    Poll::Ready($end)
                })
            }
        }
    };
}

/// Folds the items into one value. Made by [`StreamExt::fold`](super::StreamExt::fold).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Fold<S, A, F> {
    pub(super) stream: S,
    /// The value so far, absent while the closure has it.
    pub(super) state: Plain<(Option<A>, F)>,
    pub(super) caller: Caller,
}

show!(Fold < S, A, F > { stream });

to_the_end! {
    Fold<S, A, F> where [S: Stream, F: FnMut(A, S::Item) -> A] -> A;
    |state, item| {
        let value = state.0.take().expect("a fold whose closure panicked was polled again");
        state.0 = Some((state.1)(value, item));
    };
    state.0.take().expect("a fold was polled after Ready")
}

/// Calls a closure with each item. Made by [`StreamExt::for_each`](super::StreamExt::for_each).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ForEach<S, F> {
    pub(super) stream: S,
    pub(super) state: Plain<F>,
    pub(super) caller: Caller,
}

show!(ForEach < S, F > { stream });

to_the_end! {
    ForEach<S, F> where [S: Stream, F: FnMut(S::Item)] -> ();
    |f, item| f(item);
    { let _ = f; }
}

/// Looks for an item of which a closure says yes. Made by [`StreamExt::any`](super::StreamExt::any).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Any<S, F> {
    pub(super) stream: S,
    pub(super) state: Plain<F>,
    pub(super) caller: Caller,
}

show!(Any < S, F > { stream });

to_the_end! {
    Any<S, F> where [S: Stream, F: FnMut(S::Item) -> bool] -> bool;
    |f, item| if f(item) {
        return Poll::Ready(true);
    };
    { let _ = f; false }
}

/// Looks for an item of which a closure says no. Made by [`StreamExt::all`](super::StreamExt::all).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct All<S, F> {
    pub(super) stream: S,
    pub(super) state: Plain<F>,
    pub(super) caller: Caller,
}

show!(All < S, F > { stream });

to_the_end! {
    All<S, F> where [S: Stream, F: FnMut(S::Item) -> bool] -> bool;
    |f, item| if !f(item) {
        return Poll::Ready(false);
    };
    { let _ = f; true }
}

/// Counts the items. Made by [`StreamExt::count`](super::StreamExt::count).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Count<S> {
    pub(super) stream: S,
    pub(super) state: Plain<usize>,
    pub(super) caller: Caller,
}

to_the_end! {
    Count<S> where [S: Stream] -> usize;
    |count, _item| *count += 1;
    *count
}

/// Gathers the items in a collection. Made by [`StreamExt::collect`](super::StreamExt::collect).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Collect<S, C> {
    pub(super) stream: S,
    pub(super) state: Plain<C>,
    pub(super) caller: Caller,
}

to_the_end! {
    Collect<S, C> where [S: Stream, C: Default + Extend<S::Item>] -> C;
    |collection, item| collection.extend(Some(item));
    std::mem::take(collection)
}

/// Gathers the items in a collection up to the first error. Made by
/// [`StreamExt::try_collect`](super::StreamExt::try_collect).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct TryCollect<S, C> {
    pub(super) stream: S,
    pub(super) state: Plain<C>,
    pub(super) caller: Caller,
}

impl<T, E, S, C> Future for TryCollect<S, C>
where
    S: Stream<Item = Result<T, E>>,
    C: Default + Extend<T>,
{
    type Output = Result<C, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<C, E>> {
        let caller = self.caller;
        caller.within(|| {
            while let Some(item) = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) {
                match item {
                    Ok(item) => pinned_mut!(self.as_mut(), state).get().extend(Some(item)),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            let collection = std::mem::take(pinned_mut!(self.as_mut(), state).get());
            Poll::Ready(Ok(collection))
        })
    }
}
