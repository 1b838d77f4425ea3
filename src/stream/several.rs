//! Adapters that join streams or items: `chain`, `zip`, `merge`, `flatten`, `chunks`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Fuse, Stream};
use crate::pin::{Plain, pinned_mut};

/// One stream after the other. Made by [`StreamExt::chain`](super::StreamExt::chain).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Chain<A, B> {
    pub(super) first: Fuse<A>,
    pub(super) second: B,
}

impl<A: Stream, B: Stream<Item = A::Item>> Stream for Chain<A, B> {
    type Item = A::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        match ready!(pinned_mut!(self.as_mut(), first).poll_next(cx)) {
            None => pinned_mut!(self, second).poll_next(cx),
            item => Poll::Ready(item),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        sum(self.first.size_hint(), self.second.size_hint())
    }
}

/// The halves of a pair that have come.
type Kept<A, B> = (Option<A>, Option<B>);

/// The items of two streams in pairs. Made by [`StreamExt::zip`](super::StreamExt::zip).
///
/// # Cancel safety
/// Safe: the item that came first waits in here for its partner, whatever becomes of a `next`. Dropping
/// this stream drops it, and so does the end of the other stream.
#[must_use = "streams do nothing unless they are polled"]
pub struct Zip<A: Stream, B: Stream> {
    first: A,
    second: B,
    kept: Plain<Kept<A::Item, B::Item>>,
}

impl<A: Stream, B: Stream> Zip<A, B> {
    pub(super) fn new(first: A, second: B) -> Zip<A, B> {
        Zip {
            first,
            second,
            kept: Plain((None, None)),
        }
    }
}

impl<A: Stream + fmt::Debug, B: Stream + fmt::Debug> fmt::Debug for Zip<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zip")
            .field("first", &self.first)
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}

impl<A: Stream, B: Stream> Stream for Zip<A, B> {
    type Item = (A::Item, B::Item);

    /// Asks both before it waits, so that they work at the same time.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.kept.0.0.is_none() {
            match pinned_mut!(self.as_mut(), first).poll_next(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(item) => pinned_mut!(self.as_mut(), kept).get().0 = item,
                Poll::Pending => {}
            }
        }
        if self.kept.0.1.is_none() {
            match pinned_mut!(self.as_mut(), second).poll_next(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(item) => pinned_mut!(self.as_mut(), kept).get().1 = item,
                Poll::Pending => {}
            }
        }
        let kept = pinned_mut!(self, kept).get();
        match (kept.0.take(), kept.1.take()) {
            (Some(a), Some(b)) => Poll::Ready(Some((a, b))),
            halves => {
                *kept = halves;
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let kept = |is_kept: bool| (usize::from(is_kept), Some(usize::from(is_kept)));
        let (a_least, a_most) = sum(self.first.size_hint(), kept(self.kept.0.0.is_some()));
        let (b_least, b_most) = sum(self.second.size_hint(), kept(self.kept.0.1.is_some()));
        // An unknown most is larger than a known one.
        let most = match (a_most, b_most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        (a_least.min(b_least), most)
    }
}

/// The items of two streams as they come. Made by [`StreamExt::merge`](super::StreamExt::merge).
///
/// *Fairness.* The stream that gave the last item is asked second, so while both have items they take
/// turns, whichever of them is faster.
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Merge<A, B> {
    first: Fuse<A>,
    second: Fuse<B>,
    is_second_s_turn: bool,
}

impl<A, B> Merge<A, B> {
    pub(super) fn new(first: A, second: B) -> Merge<A, B> {
        Merge {
            first: Fuse::new(first),
            second: Fuse::new(second),
            is_second_s_turn: false,
        }
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> Stream for Merge<A, B> {
    type Item = A::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        let turn = self.is_second_s_turn;
        for asks_second in [turn, !turn] {
            let polled = if asks_second {
                pinned_mut!(self.as_mut(), second).poll_next(cx)
            } else {
                pinned_mut!(self.as_mut(), first).poll_next(cx)
            };
            if let Poll::Ready(Some(item)) = polled {
                *pinned_mut!(self, is_second_s_turn) = !asks_second;
                return Poll::Ready(Some(item));
            }
        }
        if self.first.is_over() && self.second.is_over() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        sum(self.first.size_hint(), self.second.size_hint())
    }
}

/// The items of the items, one stream after the other. Made by
/// [`StreamExt::flatten`](super::StreamExt::flatten) and [`StreamExt::flat_map`](super::StreamExt::flat_map).
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves the current inner stream in here. Dropping this one drops it with
/// what it still had.
#[must_use = "streams do nothing unless they are polled"]
#[derive(Clone, Debug)]
pub struct Flatten<S, I> {
    pub(super) outer: S,
    pub(super) inner: Option<I>,
}

impl<I: Stream, S: Stream<Item = I>> Stream for Flatten<S, I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        loop {
            if let Some(inner) = pinned_mut!(self.as_mut(), inner).as_pin_mut() {
                if let Some(item) = ready!(inner.poll_next(cx)) {
                    return Poll::Ready(Some(item));
                }
                pinned_mut!(self.as_mut(), inner).set(None);
            }
            let Some(inner) = ready!(pinned_mut!(self.as_mut(), outer).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            pinned_mut!(self.as_mut(), inner).set(Some(inner));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = match &self.inner {
            Some(inner) => inner.size_hint(),
            None => (0, Some(0)),
        };
        // How long the streams to come are, nobody knows; that none comes may be known.
        let is_last = self.outer.size_hint().1 == Some(0);
        (least, most.filter(|_| is_last))
    }
}

/// Items in groups of the same size. Made by [`StreamExt::chunks`](super::StreamExt::chunks).
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves the items of an unfinished group in here. Dropping this stream
/// drops them.
#[must_use = "streams do nothing unless they are polled"]
pub struct Chunks<S: Stream> {
    stream: Fuse<S>,
    kept: Plain<Vec<S::Item>>,
    size: usize,
}

impl<S: Stream> Chunks<S> {
    pub(super) fn new(stream: S, size: usize) -> Chunks<S> {
        Chunks {
            stream: Fuse::new(stream),
            kept: Plain(Vec::new()),
            size,
        }
    }

    /// The unfinished group, taken out.
    pub(super) fn take_kept(self: Pin<&mut Self>) -> Option<Vec<S::Item>> {
        let kept = std::mem::take(pinned_mut!(self, kept).get());
        (!kept.is_empty()).then_some(kept)
    }

    pub(super) fn kept(&self) -> &[S::Item] {
        &self.kept.0
    }

    /// How many items remain: those kept, and those to come.
    pub(super) fn items(&self) -> (usize, Option<usize>) {
        let kept = self.kept.0.len();
        sum(self.stream.size_hint(), (kept, Some(kept)))
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("stream", &self.stream)
            .field("size", &self.size)
            .field("kept", &self.kept().len())
            .finish()
    }
}

impl<S: Stream> Stream for Chunks<S> {
    type Item = Vec<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        while self.kept.0.len() < self.size {
            match ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx)) {
                Some(item) => pinned_mut!(self.as_mut(), kept).get().push(item),
                None => break,
            }
        }
        Poll::Ready(self.take_kept())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items();
        let groups = |items: usize| items.div_ceil(self.size);
        (groups(least), most.map(groups))
    }
}

/// How many two together have.
fn sum(
    (a_least, a_most): (usize, Option<usize>),
    (b_least, b_most): (usize, Option<usize>),
) -> (usize, Option<usize>) {
    let most = a_most.zip(b_most).and_then(|(a, b)| a.checked_add(b));
    (a_least.saturating_add(b_least), most)
}
