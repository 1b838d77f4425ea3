//! `Stream`: values that come one after another, each awaited.
//!
//! *Role.* Lines of a reader, frames of a codec and ticks of an interval are streams. [`StreamExt`] has
//! what can be done with them.
//!
//! *Files*, by idea: `each` looks at every item by itself, `span` chooses where to begin and to end, `several`
//! joins streams or items, `timed` knows the time, `ends` has the futures that wait for items, `sources` has
//! streams to begin with.
//!
//! *Pinning.* One rule for all adapters: the stream below, a future and a sleep are pinned with the
//! adapter (PIN-1 to PIN-3 of `src/pin.rs`); closures and items are `Plain`, pinning does not reach them. So an
//! adapter is `Unpin` exactly when the stream below and its future are, whatever the closure holds. A method that
//! borrows (`next`, `peek`) needs an `Unpin` stream: `pin!` or `Box::pin` makes one of any other. One
//! that takes the stream pins it itself.

mod each;
mod ends;
mod ext;
mod several;
mod sources;
mod span;
mod timed;

use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use each::{Enumerate, Filter, FilterMap, Inspect, Map, Scan, Then};
pub use ends::{All, Any, Collect, Count, Fold, ForEach, Next, TryCollect, TryNext};
pub use ext::StreamExt;
pub use several::{Chain, Chunks, Flatten, Merge, Zip};
pub use sources::{
    Empty, Iter, Once, Pending, PollFn, Repeat, Unfold, empty, iter, once, pending, poll_fn,
    repeat, unfold,
};
pub use span::{Fuse, Peek, Peekable, Skip, SkipWhile, Take, TakeWhile};
pub use timed::{ChunksTimeout, Throttle, Timeout};

/// `Debug` for a type with a closure in it, of which there is nothing to show.
macro_rules! show {
    ($name:ident<$shown:ident $(, $hidden:ident)*> { $field:ident }) => {
        impl<$shown: std::fmt::Debug $(, $hidden)*> std::fmt::Debug for $name<$shown $(, $hidden)*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field(stringify!($field), &self.$field)
                    .finish_non_exhaustive()
            }
        }
    };
}

use show;

/// A sequence of values that are awaited one by one: what `Iterator` is, with a waker.
pub trait Stream {
    /// What comes.
    type Item;

    /// The next value; `None` when there will be no more. After `None` it must not be polled again,
    /// unless its type says otherwise.
    ///
    /// # Cancel safety
    /// Safe, and every implementation must be: what it takes from elsewhere it returns in the same poll, or
    /// keeps in itself for a later one.
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
