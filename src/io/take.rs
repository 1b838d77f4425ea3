//! `Take`: a reader that ends after a number of bytes, whatever its inner one still has.

use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::traits::{AsyncBufRead, AsyncRead, checked};

/// Reads at most `limit` bytes of a reader. Made by [`AsyncReadExt::take`](super::AsyncReadExt::take).
///
/// At the limit it is at its end, and the inner reader is not asked.
#[derive(Clone, Debug)]
pub struct Take<R> {
    inner: R,
    limit: u64,
}

impl<R> Take<R> {
    pub(super) fn new(inner: R, limit: u64) -> Take<R> {
        Take { inner, limit }
    }

    /// The number of bytes that may still be read.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Sets how many bytes may be read from here on, whatever was read before.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The inner reader.
    #[must_use]
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader; what is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The inner reader.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The part of `len` bytes that may still be read.
    fn within(&self, len: usize) -> usize {
        usize::try_from(self.limit).map_or(len, |limit| limit.min(len))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Take<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = this.within(buf.len());
        if asked == 0 {
            return Poll::Ready(Ok(0));
        }
        let moved = ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf[..asked]))?;
        let moved = checked(moved, asked)?;
        this.limit -= moved as u64;
        Poll::Ready(Ok(moved))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        if self.limit < asked as u64 {
            // The buffers are not ours to shorten: one at a time, near the limit.
            return match bufs.iter_mut().find(|buf| !buf.is_empty()) {
                Some(buf) => self.poll_read(cx, buf),
                None => Poll::Ready(Ok(0)),
            };
        }
        let this = self.get_mut();
        let moved = ready!(Pin::new(&mut this.inner).poll_read_vectored(cx, bufs))?;
        let moved = checked(moved, asked)?;
        this.limit -= moved as u64;
        Poll::Ready(Ok(moved))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Take<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.limit == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let limit = usize::try_from(this.limit).unwrap_or(usize::MAX);
        let bytes = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&bytes[..bytes.len().min(limit)]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        assert!(
            count as u64 <= this.limit,
            "{count} bytes are consumed of a reader that showed {} at most",
            this.limit
        );
        this.limit -= count as u64;
        Pin::new(&mut this.inner).consume(count);
    }
}
