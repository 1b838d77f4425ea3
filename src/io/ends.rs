//! Streams that lead nowhere: `empty`, `repeat`, `sink`.
//!
//! *Cost.* No system call. What could go on for ever spends the task's budget, one unit an operation,
//! so that a copy from [`repeat`] to [`sink`] still lets the other tasks run.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::traits::{AsyncBufRead, AsyncRead, AsyncWrite};
use crate::task::budget::poll_spend;

/// A reader that is at its end.
///
/// ```
/// use mainspring::io::{AsyncReadExt, empty};
/// # mainspring::run(async {
/// assert_eq!(empty().read(&mut [0; 8]).await.unwrap(), 0);
/// # }).unwrap();
/// ```
#[must_use]
pub fn empty() -> Empty {
    Empty(())
}

/// A reader of `byte` without end; [`AsyncReadExt::take`](super::AsyncReadExt::take) gives it one.
///
/// ```
/// use mainspring::io::{AsyncReadExt, repeat};
/// # mainspring::run(async {
/// let mut line = String::new();
/// repeat(b'=').take(5).read_to_string(&mut line).await.unwrap();
/// assert_eq!(line, "=====");
/// # }).unwrap();
/// ```
#[must_use]
pub fn repeat(byte: u8) -> Repeat {
    Repeat(byte)
}

/// A writer that takes everything and keeps nothing, also after it is closed.
///
/// ```
/// use mainspring::io::{AsyncWriteExt, sink};
/// # mainspring::run(async {
/// sink().write_all(b"to nobody").await.unwrap();
/// # }).unwrap();
/// ```
#[must_use]
pub fn sink() -> Sink {
    Sink(())
}

/// A reader that is at its end. Made by [`empty`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty(());

impl AsyncRead for Empty {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }
}

impl AsyncBufRead for Empty {
    fn poll_fill_buf(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(&[]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        assert_eq!(count, 0, "a reader at its end has nothing to consume");
    }
}

/// A reader of one byte without end. Made by [`repeat`].
#[derive(Clone, Copy, Debug)]
pub struct Repeat(u8);

impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        buf.fill(self.0);
        Poll::Ready(Ok(buf.len()))
    }
}

/// A writer that keeps nothing. Made by [`sink`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink(());

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        Poll::Ready(Ok(super::buf::total(bufs)))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
