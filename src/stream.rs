//! `Stream`: values that come one after another, each awaited.
//!
//! *Role.* Lines of a reader, frames of a codec and ticks of an interval are streams.

use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A sequence of values that are awaited one by one: what `Iterator` is, with a waker.
pub trait Stream {
    /// What comes.
    type Item;

    /// The next value; `None` when there will be no more. After `None` it must not be polled again,
    /// unless its type says otherwise.
    ///
    /// # Cancel safety
    /// An implementation takes a value from whatever it reads only in the poll that returns it.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// How many values remain: at least, and at most if that is known.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<S: Stream + Unpin + ?Sized> Stream for &mut S {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut **self).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}

impl<S: Stream + Unpin + ?Sized> Stream for Box<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut **self).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}

impl<P: DerefMut<Target: Stream>> Stream for Pin<P> {
    type Item = <P::Target as Stream>::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.as_deref_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}
