//! Streams in memory that wait once before everything they do; their wake comes at once.

use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
use mainspring::stream::Stream;

/// Says `Pending` each second time.
#[derive(Debug, Default)]
struct Halt(bool);

impl Halt {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.0 = !self.0;
        if self.0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// Bytes that are read, or written and then kept until they are flushed, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    halt: Halt,
    bytes: Vec<u8>,
    at: usize,
    /// What was flushed.
    pub(crate) arrived: Vec<u8>,
    pub(crate) is_closed: bool,
}

impl Slow {
    pub(crate) fn reader(bytes: &[u8]) -> Slow {
        Slow {
            bytes: bytes.to_vec(),
            ..Slow::default()
        }
    }

    /// What is not read yet, or not flushed.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.halt.poll(cx));
        let Some(byte) = self.rest().first().copied() else {
            return Poll::Ready(Ok(0));
        };
        buf[0] = byte;
        self.at += 1;
        Poll::Ready(Ok(1))
    }
}

impl AsyncBufRead for Slow {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.halt.poll(cx));
        let rest = this.rest();
        Poll::Ready(Ok(&rest[..rest.len().min(3)]))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.at += count;
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.halt.poll(cx));
        let count = buf.len().min(2);
        self.bytes.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(byte) = self.rest().first().copied() {
            ready!(self.halt.poll(cx));
            self.arrived.push(byte);
            self.at += 1;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        ready!(self.halt.poll(cx));
        assert!(!self.is_closed, "it is closed once");
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Slow {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        ready!(self.halt.poll(cx));
        let (from, by) = match position {
            SeekFrom::Start(place) => (0, i64::try_from(place).unwrap()),
            SeekFrom::End(by) => (self.bytes.len(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from.checked_add_signed(by as isize).unwrap();
        Poll::Ready(Ok(self.at as u64))
    }
}

/// Items, each of which is waited for, and the end too.
#[derive(Debug)]
pub(crate) struct SlowItems<T> {
    halt: Halt,
    items: VecDeque<T>,
}

/// These items, with a wait before each.
pub(crate) fn slow<T>(items: impl IntoIterator<Item = T>) -> SlowItems<T> {
    SlowItems {
        halt: Halt::default(),
        items: items.into_iter().collect(),
    }
}

impl<T: Unpin> Stream for SlowItems<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.halt.poll(cx));
        Poll::Ready(self.items.pop_front())
    }
}
