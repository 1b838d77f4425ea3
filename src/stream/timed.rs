//! Streams and time: `timeout`, `throttle`, `chunks_timeout`, and the ticks of an [`Interval`].

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::clock::duration_ns;

use super::{Chunks, Stream};
use crate::pin::pinned_mut;
use crate::time::{DelayQueue, Due, Elapsed, Interval, Sleep, now};

/// A length of time that runs while somebody waits.
struct Limit {
    /// `None` while nobody waits.
    sleep: Option<Sleep>,
    length: Duration,
    location: &'static Location<'static>,
}

impl Limit {
    fn new(length: Duration, location: &'static Location<'static>) -> Limit {
        Limit {
            sleep: None,
            length,
            location,
        }
    }

    /// Ready when the time is over that began with the first of these polls.
    fn poll_over(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.is_none() {
            let sleep = Sleep::new(duration_ns(self.length), true, self.location);
            pinned_mut!(self.as_mut(), sleep).set(Some(sleep));
        }
        match pinned_mut!(self.as_mut(), sleep).as_pin_mut() {
            Some(sleep) => ready!(sleep.poll(cx)),
            None => unreachable!("it was set a line before"),
        }
        self.stop();
        Poll::Ready(())
    }

    /// The next poll begins anew.
    fn stop(self: Pin<&mut Self>) {
        pinned_mut!(self, sleep).set(None);
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.length, f)
    }
}

/// Each item has so much time to come. Made by [`StreamExt::timeout`](super::StreamExt::timeout).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct Timeout<S> {
    stream: S,
    limit: Limit,
}

impl<S> Timeout<S> {
    pub(super) fn new(
        stream: S,
        limit: Duration,
        location: &'static Location<'static>,
    ) -> Timeout<S> {
        Timeout {
            stream,
            limit: Limit::new(limit, location),
        }
    }
}

impl<S: Stream> Stream for Timeout<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(item) = pinned_mut!(self.as_mut(), stream).poll_next(cx) {
            pinned_mut!(self, limit).stop();
            return Poll::Ready(item.map(Ok));
        }
        ready!(pinned_mut!(self, limit).poll_over(cx));
        Poll::Ready(Some(Err(Elapsed(()))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Any number of `Elapsed` may come besides.
        (self.stream.size_hint().0, None)
    }
}

/// Items come apart from each other. Made by [`StreamExt::throttle`](super::StreamExt::throttle).
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct Throttle<S> {
    stream: S,
    pause: Duration,
    /// When the stream may be asked again, if not at once.
    next: Option<Instant>,
    sleep: Option<Sleep>,
    location: &'static Location<'static>,
}

impl<S> Throttle<S> {
    pub(super) fn new(
        stream: S,
        pause: Duration,
        location: &'static Location<'static>,
    ) -> Throttle<S> {
        Throttle {
            stream,
            pause,
            next: None,
            sleep: None,
            location,
        }
    }

    fn poll_pause(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.next else {
            return Poll::Ready(());
        };
        // A sleep that is past already would still wait for a turn.
        if now() < next {
            if self.sleep.is_none() {
                let sleep = Sleep::new(next.as_ns(), false, self.location);
                pinned_mut!(self.as_mut(), sleep).set(Some(sleep));
            }
            if let Some(sleep) = pinned_mut!(self.as_mut(), sleep).as_pin_mut() {
                ready!(sleep.poll(cx));
            }
        }
        pinned_mut!(self.as_mut(), sleep).set(None);
        *pinned_mut!(self, next) = None;
        Poll::Ready(())
    }
}

impl<S: Stream> Stream for Throttle<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        ready!(self.as_mut().poll_pause(cx));
        let item = ready!(pinned_mut!(self.as_mut(), stream).poll_next(cx));
        if item.is_some() && !self.pause.is_zero() {
            *pinned_mut!(self.as_mut(), next) = Some(now() + self.pause);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

/// Items in groups, each given when it is full or old. Made by
/// [`StreamExt::chunks_timeout`](super::StreamExt::chunks_timeout).
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves the items of an unfinished group in here, and their time runs on.
/// Dropping this stream drops them.
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct ChunksTimeout<S: Stream> {
    chunks: Chunks<S>,
    limit: Limit,
}

impl<S: Stream> ChunksTimeout<S> {
    pub(super) fn new(
        chunks: Chunks<S>,
        limit: Duration,
        location: &'static Location<'static>,
    ) -> ChunksTimeout<S> {
        ChunksTimeout {
            chunks,
            limit: Limit::new(limit, location),
        }
    }
}

impl<S: Stream> Stream for ChunksTimeout<S> {
    type Item = Vec<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        if let Poll::Ready(chunk) = pinned_mut!(self.as_mut(), chunks).poll_next(cx) {
            pinned_mut!(self, limit).stop();
            return Poll::Ready(chunk);
        }
        if self.chunks.kept().is_empty() {
            return Poll::Pending;
        }
        ready!(pinned_mut!(self.as_mut(), limit).poll_over(cx));
        Poll::Ready(pinned_mut!(self, chunks).take_kept())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // At least as many as full groups would be, at most one for each item.
        let (least, _) = self.chunks.size_hint();
        (least, self.chunks.items().1)
    }
}

/// Its ticks: when each was due. It never ends.
impl Stream for Interval {
    type Item = Instant;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.get_mut().poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// Its items as they come due. After `None`, which says that it is empty, it may be polled again.
impl<T> Stream for DelayQueue<T> {
    type Item = Due<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Due<T>>> {
        self.get_mut().poll_due(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}
