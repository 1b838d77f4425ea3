//! `Frames`: a stream of bytes, its codec, and what stands between them, for all three framed types.
//!
//! *Model.* The reading side is in one of these states:
//!
//! ```text
//!              bytes came                      the reader ended          no item left
//!      Wanting ──────────► Filled    Wanting ─────────────────► Ending ───────────────► Over
//!         ▲                  │                                                           ▲
//!         ╰── no item left ──╯        an error of the reader, or out of step: from anywhere
//! ```
//!
//! *Budget.* An item that is decoded from bytes at hand spends a unit: one read may bring thousands.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{BytesBuf, Decoder, Encoder};
use crate::io::{AsyncRead, AsyncWrite, checked};
use crate::task::budget::poll_spend;

/// How many bytes a fresh buffer has room for.
const READ_FIRST: usize = 8 * 1024;
/// With less room than this no read is made; far less than the buffer, so that making room stays rare.
const READ_LEAST: usize = READ_FIRST / 8;
/// A writer that keeps so many bytes takes no more …
const HIGH: usize = 64 * 1024;
/// … until only so many are left.
const LOW: usize = 16 * 1024;

/// Where the reading side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The buffer may hold an item.
    Filled,
    /// The codec wants more.
    Wanting,
    /// No more comes; the buffer may hold an item.
    Ending,
    /// No more items come.
    Over,
}

#[derive(Debug)]
pub(super) struct Frames<T, C> {
    pub(super) io: T,
    pub(super) codec: C,
    pub(super) read: BytesBuf,
    reading: Reading,
    pub(super) written: BytesBuf,
    low: usize,
    high: usize,
    /// It was at `high`, and is not yet down at `low`.
    is_full: bool,
    /// Something was encoded since the last flush was done.
    is_dirty: bool,
    is_closed: bool,
    /// A write failed while nobody was told.
    failed: Option<io::Error>,
}

impl<T, C> Frames<T, C> {
    pub(super) fn new(io: T, codec: C, read: BytesBuf, written: BytesBuf) -> Frames<T, C> {
        Frames {
            io,
            codec,
            read,
            reading: Reading::Filled,
            is_dirty: !written.is_empty(),
            written,
            low: LOW,
            high: HIGH,
            is_full: false,
            is_closed: false,
            failed: None,
        }
    }

    #[track_caller]
    pub(super) fn set_marks(&mut self, low: usize, high: usize) {
        assert!(
            low < high,
            "the low water mark must be below the high one, not {low} with {high}"
        );
        (self.low, self.high) = (low, high);
    }
}

impl<T: AsyncRead + Unpin, C: Decoder> Frames<T, C> {
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<C::Item, C::Error>>> {
        loop {
            match self.reading {
                Reading::Over => return Poll::Ready(None),
                Reading::Wanting => match ready!(self.poll_fill(cx)) {
                    Ok(0) => self.reading = Reading::Ending,
                    Ok(_) => self.reading = Reading::Filled,
                    Err(error) => {
                        self.reading = Reading::Over;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                },
                Reading::Filled | Reading::Ending => {
                    if !self.read.is_empty() {
                        ready!(poll_spend(cx));
                    }
                    if let Some(result) = self.decode() {
                        return Poll::Ready(Some(result));
                    }
                }
            }
        }
    }

    /// The next item or error of what is there.
    fn decode(&mut self) -> Option<Result<C::Item, C::Error>> {
        let before = self.read.len();
        let is_ending = self.reading == Reading::Ending;
        let decoded = if is_ending {
            self.codec.decode_eof(&mut self.read)
        } else {
            self.codec.decode(&mut self.read)
        };
        match decoded {
            Ok(None) if is_ending => self.reading = Reading::Over,
            Ok(None) => self.reading = Reading::Wanting,
            // An error that took nothing would come again for ever.
            Err(_) if !self.codec.is_in_step() || self.read.len() == before => {
                self.reading = Reading::Over;
            }
            _ => {}
        }
        decoded.transpose()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let is_fresh = self.read.capacity() < READ_FIRST;
        let room = self
            .read
            .room(if is_fresh { READ_FIRST } else { READ_LEAST });
        let asked = room.len();
        let count = ready!(Pin::new(&mut self.io).poll_read(cx, room))?;
        self.read.filled(checked(count, asked)?);
        Poll::Ready(Ok(count))
    }
}

impl<T: AsyncWrite + Unpin, C> Frames<T, C> {
    /// Ready when an item may be encoded.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if self.is_closed {
            let error = io::Error::new(io::ErrorKind::BrokenPipe, "an item was sent after close");
            return Poll::Ready(Err(error));
        }
        self.is_full |= self.written.len() >= self.high;
        if self.is_full {
            ready!(self.poll_write_down_to(self.low, cx))?;
            self.is_full = false;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn encode<Item>(&mut self, item: Item) -> Result<(), C::Error>
    where
        C: Encoder<Item>,
    {
        let before = self.written.len();
        let result = self.codec.encode(item, &mut self.written);
        match result {
            Ok(()) => self.is_dirty = true,
            Err(_) => self.written.truncate(before),
        }
        result
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        ready!(self.poll_write_down_to(0, cx))?;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.is_dirty = false;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            ready!(self.poll_flush(cx))?;
            ready!(Pin::new(&mut self.io).poll_close(cx))?;
            self.is_closed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is kept as far as it goes without waiting; a failure is told by the next call that
    /// is about writing.
    pub(super) fn write_meanwhile(&mut self, cx: &mut Context<'_>) {
        if self.is_dirty && self.failed.is_none() {
            if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                self.failed = Some(error);
            }
        }
    }

    fn poll_write_down_to(&mut self, left: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written.len() > left {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &self.written))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written.advance(checked(count, self.written.len())?);
        }
        Poll::Ready(Ok(()))
    }
}
