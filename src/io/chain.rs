//! `Chain`: two readers as one, first the one, then the other.

use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::traits::{AsyncBufRead, AsyncRead};

/// Reads one reader to its end, then another. Made by [`AsyncReadExt::chain`](super::AsyncReadExt::chain).
///
/// The end of the first is seen once; it is not asked again.
#[derive(Clone, Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
    is_first_done: bool,
}

impl<A, B> Chain<A, B> {
    pub(super) fn new(first: A, second: B) -> Chain<A, B> {
        Chain {
            first,
            second,
            is_first_done: false,
        }
    }

    /// The two readers.
    #[must_use]
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// The two readers. What is read from them directly is missing here.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// The two readers.
    #[must_use]
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead + Unpin, B: AsyncRead + Unpin> AsyncRead for Chain<A, B> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // hz_d09: into no room nothing is read, and that is not the end of the first.
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let this = self.get_mut();
        if !this.is_first_done {
            match ready!(Pin::new(&mut this.first).poll_read(cx, buf))? {
                0 => this.is_first_done = true,
                moved => return Poll::Ready(Ok(moved)),
            }
        }
        Pin::new(&mut this.second).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let this = self.get_mut();
        if !this.is_first_done {
            match ready!(Pin::new(&mut this.first).poll_read_vectored(cx, bufs))? {
                0 => this.is_first_done = true,
                moved => return Poll::Ready(Ok(moved)),
            }
        }
        Pin::new(&mut this.second).poll_read_vectored(cx, bufs)
    }
}

impl<A: AsyncBufRead + Unpin, B: AsyncBufRead + Unpin> AsyncBufRead for Chain<A, B> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if !this.is_first_done {
            // The borrow of what is shown would last to the end on either path: so look, then show.
            if ready!(Pin::new(&mut this.first).poll_fill_buf(cx))?.is_empty() {
                this.is_first_done = true;
            } else {
                return Pin::new(&mut this.first).poll_fill_buf(cx);
            }
        }
        Pin::new(&mut this.second).poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        if this.is_first_done {
            Pin::new(&mut this.second).consume(count);
        } else {
            Pin::new(&mut this.first).consume(count);
        }
    }
}
