//! `Framed`, `FramedRead`, `FramedWrite`: a codec with its stream of bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::frames::Frames;
use super::send::{Close, Feed, Flush, SendItem};
use super::{BytesBuf, Decoder, Encoder};
use crate::io::{AsyncRead, AsyncWrite};
use crate::stream::Stream;
use crate::task::caller::Caller;

/// Items both ways over one stream of bytes: a [`Stream`] of what comes, and methods for what goes.
///
/// *While it waits for an item* it also writes what is kept, so that whoever sends and then waits for the answer
/// needs no [`flush`](Framed::flush). If that write fails, the next `send`, `feed`, `flush` or `close` says so;
/// what has come can still be read.
///
/// *The end* is `None`, for ever. An end within a frame is an `UnexpectedEof` before that. An error of the
/// stream is the last item, one of the codec only if it [is out of step](Decoder::is_in_step), or has
/// taken nothing. What was not decoded stays: [`into_parts`](Framed::into_parts) gives it back.
///
/// Dropping it drops what is not yet written: [`close`](Framed::close) it, or flush.
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves what has come of an item in here.
///
/// ```
/// use mainspring::codec::{Framed, LinesCodec};
/// use mainspring::net::UnixStream;
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let (left, right) = UnixStream::pair().unwrap();
/// let mut left = Framed::new(left, LinesCodec::new());
/// let mut right = Framed::new(right, LinesCodec::new());
/// left.send("tick").await.unwrap();
/// assert_eq!(right.next().await.unwrap().unwrap(), "tick");
/// left.close().await.unwrap();
/// assert!(right.next().await.is_none());
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Framed<T, C>(Frames<T, C>);

/// The items that come from a reader: a [`Stream`]. It ends as [`Framed`] does.
///
/// # Cancel safety
/// Safe: a `next` that is dropped leaves what has come of an item in here.
///
/// ```
/// use mainspring::codec::{FramedRead, LinesCodec};
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let lines = FramedRead::new(&b"tick\ntock\n"[..], LinesCodec::new());
/// assert_eq!(lines.try_collect::<_, _, Vec<_>>().await.unwrap(), ["tick", "tock"]);
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FramedRead<T, C>(Frames<T, C>);

/// Items that go to a writer.
///
/// Dropping it drops what is not yet written: [`close`](FramedWrite::close) it, or flush.
///
/// ```
/// use mainspring::codec::{FramedWrite, LinesCodec};
/// # mainspring::run(async {
/// let mut lines = FramedWrite::new(Vec::new(), LinesCodec::new());
/// lines.feed("tick").await.unwrap();
/// lines.feed("tock").await.unwrap();
/// lines.flush().await.unwrap();
/// assert_eq!(lines.get_ref(), b"tick\ntock\n");
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FramedWrite<T, C>(Frames<T, C>);

/// All that a framed stream is made of. Another codec goes on where the first left off, if it is put together
/// again with it.
///
/// ```
/// use mainspring::codec::{Framed, LengthDelimitedCodec, LinesCodec};
/// use mainspring::net::UnixStream;
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let (left, right) = UnixStream::pair().unwrap();
/// left.write_all(b"switch\n\x04tick").await.unwrap();
/// let mut lines = Framed::new(right, LinesCodec::new());
/// assert_eq!(lines.next().await.unwrap().unwrap(), "switch");
///
/// let parts = lines.into_parts();
/// assert_eq!(&parts.read_buffer[..], b"\x04tick");
/// let mut frames = Framed::from_parts(parts.with_codec(LengthDelimitedCodec::new().width(1)));
/// assert_eq!(frames.next().await.unwrap().unwrap(), b"tick");
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FramedParts<T, C> {
    /// The stream of bytes.
    pub io: T,
    /// The codec.
    pub codec: C,
    /// What was read and not decoded.
    pub read_buffer: BytesBuf,
    /// What was encoded and not written.
    pub write_buffer: BytesBuf,
}

impl<T, C> FramedParts<T, C> {
    /// The same parts with another codec.
    pub fn with_codec<D>(self, codec: D) -> FramedParts<T, D> {
        FramedParts {
            io: self.io,
            codec,
            read_buffer: self.read_buffer,
            write_buffer: self.write_buffer,
        }
    }
}

/// What all three have.
macro_rules! common {
    ($framed:ident) => {
        impl<T, C> $framed<T, C> {
            /// Joins a stream of bytes with a codec.
            pub fn new(io: T, codec: C) -> $framed<T, C> {
                $framed(Frames::new(io, codec, BytesBuf::new(), BytesBuf::new()))
            }

            /// Puts parts together: what they hold comes first.
            pub fn from_parts(parts: FramedParts<T, C>) -> $framed<T, C> {
                $framed(Frames::new(
                    parts.io,
                    parts.codec,
                    parts.read_buffer,
                    parts.write_buffer,
                ))
            }

            /// Takes it apart; nothing is lost but an error of a write that nobody was told of.
            pub fn into_parts(self) -> FramedParts<T, C> {
                FramedParts {
                    io: self.0.io,
                    codec: self.0.codec,
                    read_buffer: self.0.read,
                    write_buffer: self.0.written,
                }
            }

            /// The stream of bytes.
            pub fn get_ref(&self) -> &T {
                &self.0.io
            }

            /// The stream of bytes. What is taken from it, or written to it, is out of the order of the frames.
            pub fn get_mut(&mut self) -> &mut T {
                &mut self.0.io
            }

            /// The codec.
            pub fn codec(&self) -> &C {
                &self.0.codec
            }

            /// The codec, to be changed on the way.
            pub fn codec_mut(&mut self) -> &mut C {
                &mut self.0.codec
            }
        }

        // Nothing in it is ever pinned.
        impl<T, C> Unpin for $framed<T, C> {}
    };
}

/// What both have that write.
macro_rules! writing {
    ($framed:ident) => {
        impl<T, C> $framed<T, C> {
            /// Changes the water marks, which are 64 KiB and 16 KiB: with `high` bytes kept, an item waits
            /// until only `low` are left. So one item more than `high` may be kept.
            ///
            /// # Panics
            /// If `low` is not below `high`.
            #[must_use]
            #[track_caller]
            pub fn water_marks(mut self, low: usize, high: usize) -> Self {
                self.0.set_marks(low, high);
                self
            }

            /// What was encoded and not written.
            pub fn write_buffer(&self) -> &BytesBuf {
                &self.0.written
            }
        }

        impl<T: AsyncWrite + Unpin, C> $framed<T, C> {
            /// Waits for room, takes an item and writes as much of what is kept as the stream takes at
            /// once. The rest is kept until the next call, or until [`flush`](Self::flush).
            ///
            /// # Cancel safety
            /// Safe: a call that is dropped has not taken the item, which goes with it; one that is done has
            /// taken it whole. (So the item must be a clone if it is to be sent again.)
            ///
            /// # Errors
            /// What the codec has against the item: then nothing of it is taken. Those of the writer: its
            /// bytes are kept, and a further call tries again. `BrokenPipe` after a close.
            #[track_caller]
            pub fn send<Item>(&mut self, item: Item) -> SendItem<'_, T, C, Item>
            where
                C: Encoder<Item>,
            {
                SendItem(Feed::new(&mut self.0, item, Caller::here()))
            }

            /// Waits for room and takes an item; nothing is written as long as there is room. For many small
            /// items, with a [`flush`](Self::flush) after the last.
            ///
            /// # Cancel safety
            /// Safe: as that of [`send`](Self::send).
            ///
            /// # Errors
            /// As [`send`](Self::send).
            #[track_caller]
            pub fn feed<Item>(&mut self, item: Item) -> Feed<'_, T, C, Item>
            where
                C: Encoder<Item>,
            {
                Feed::new(&mut self.0, item, Caller::here())
            }

            /// Waits until all is written and flushed.
            ///
            /// # Cancel safety
            /// Safe: what is not written stays kept.
            ///
            /// # Errors
            /// Those of the writer, `WriteZero` if it takes nothing any more. What it did not take is kept.
            #[track_caller]
            pub fn flush(&mut self) -> Flush<'_, T, C> {
                Flush {
                    frames: &mut self.0,
                    caller: Caller::here(),
                }
            }

            /// Flushes, then tells the other side that nothing more comes. Again afterwards, it does nothing.
            ///
            /// # Cancel safety
            /// Safe: the call can be made again.
            ///
            /// # Errors
            /// As [`flush`](Self::flush).
            #[track_caller]
            pub fn close(&mut self) -> Close<'_, T, C> {
                Close {
                    frames: &mut self.0,
                    caller: Caller::here(),
                }
            }
        }
    };
}

/// What both have that read.
macro_rules! reading {
    ($framed:ident) => {
        impl<T, C> $framed<T, C> {
            /// What was read and not decoded.
            pub fn read_buffer(&self) -> &BytesBuf {
                &self.0.read
            }
        }
    };
}

common!(Framed);
common!(FramedRead);
common!(FramedWrite);
reading!(Framed);
reading!(FramedRead);
writing!(Framed);
writing!(FramedWrite);

impl<T: AsyncRead + AsyncWrite + Unpin, C: Decoder> Stream for Framed<T, C> {
    type Item = Result<C::Item, C::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.0.poll_next(cx);
        if polled.is_pending() {
            self.0.write_meanwhile(cx);
        }
        polled
    }
}

impl<T: AsyncRead + Unpin, C: Decoder> Stream for FramedRead<T, C> {
    type Item = Result<C::Item, C::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx)
    }
}
