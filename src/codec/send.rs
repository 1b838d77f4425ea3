//! The named futures of the writing side: `feed`, `send`, `flush`, `close`.
//!
//! *Model.* An item is taken in the poll that completes, so a future that is dropped has not taken it. What
//! was taken goes out whole or not at all.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Encoder;
use super::frames::Frames;
use crate::io::AsyncWrite;
use crate::pin::Plain;
use crate::task::caller::Caller;

/// Waits for room and takes an item. Made by [`Framed::feed`](super::Framed::feed) and
/// [`FramedWrite::feed`](super::FramedWrite::feed).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Feed<'a, T, C, Item> {
    frames: &'a mut Frames<T, C>,
    /// `None` when it was taken.
    item: Plain<Option<Item>>,
    caller: Caller,
}

impl<'a, T, C, Item> Feed<'a, T, C, Item> {
    pub(super) fn new(frames: &'a mut Frames<T, C>, item: Item, caller: Caller) -> Self {
        Feed {
            frames,
            item: Plain(Some(item)),
            caller,
        }
    }
}

impl<T, C, Item> fmt::Debug for Feed<'_, T, C, Item> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("is_taken", &self.item.0.is_none())
            .finish()
    }
}

impl<T: AsyncWrite + Unpin, C: Encoder<Item>, Item> Future for Feed<'_, T, C, Item> {
    type Output = Result<(), C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        let caller = self.caller;
        ready!(caller.within(|| self.frames.poll_room(cx)))?;
        let item = self.item.0.take();
        Poll::Ready(self.frames.encode(item.expect("polled after Ready")))
    }
}

/// Waits for room, takes an item, and begins to write it. Made by [`Framed::send`](super::Framed::send) and
/// [`FramedWrite::send`](super::FramedWrite::send).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SendItem<'a, T, C, Item>(pub(super) Feed<'a, T, C, Item>);

impl<T, C, Item> fmt::Debug for SendItem<'_, T, C, Item> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendItem")
            .field("is_taken", &self.0.item.0.is_none())
            .finish()
    }
}

impl<T: AsyncWrite + Unpin, C: Encoder<Item>, Item> Future for SendItem<'_, T, C, Item> {
    type Output = Result<(), C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        ready!(Pin::new(&mut self.0).poll(cx))?;
        let feed = &mut self.0;
        match feed.caller.within(|| feed.frames.poll_flush(cx)) {
            Poll::Ready(result) => Poll::Ready(result.map_err(C::Error::from)),
            // What the stream does not take now is kept.
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

macro_rules! flush_like {
    ($name:ident, $poll:ident, $doc:literal) => {
        #[doc = $doc]
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $name<'a, T, C> {
            pub(super) frames: &'a mut Frames<T, C>,
            pub(super) caller: Caller,
        }

        impl<T, C> fmt::Debug for $name<'_, T, C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("left", &self.frames.written.len())
                    .finish()
            }
        }

        impl<T: AsyncWrite + Unpin, C> Future for $name<'_, T, C> {
            type Output = io::Result<()>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let caller = self.caller;
                caller.within(|| self.frames.$poll(cx))
            }
        }
    };
}

flush_like!(
    Flush,
    poll_flush,
    "Waits until all is written. Made by [`Framed::flush`](super::Framed::flush) and
    [`FramedWrite::flush`](super::FramedWrite::flush)."
);
flush_like!(
    Close,
    poll_close,
    "Waits until all is written, and says that nothing more comes. Made by
    [`Framed::close`](super::Framed::close) and [`FramedWrite::close`](super::FramedWrite::close)."
);
