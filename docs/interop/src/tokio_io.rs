//! tokio's I/O traits over mainspring, and mainspring's over tokio's: its traits, not its runtime. Made to be
//! copied.
//!
//! *Model.* Of tokio only the feature `io-util` is built: the traits and what works over any stream (`copy`,
//! `BufReader`, `split`, `duplex`, codecs of tokio-util). No runtime, no threads. What asks tokio for a timer,
//! a task or a socket panics there, as it does outside of any tokio.
//!
//! ```text
//!   a stream of mainspring's ──ToTokio::new(s)──► tokio::io::{AsyncRead, AsyncBufRead, AsyncWrite}
//!   a stream of others       ──FromTokio(s)──►    mainspring::io::{the same}
//! ```
//!
//! | tokio | mainspring |
//! |---|---|
//! | `ReadBuf`, which may be uninitialised | `&mut [u8]` |
//! | `poll_shutdown` | `poll_close` |
//! | `is_write_vectored` | said to [`ToTokio`] by whoever makes it |
//!
//! *Cost.* A read into memory that is not initialised fills it with zeros first, once for each buffer: a
//! `ReadBuf` remembers. All else is forwarded.
//!
//! *What stays as it is.* One task per direction is remembered, and whoever polled last is woken.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring::io as ours;
use tokio::io as theirs;

/// A stream of mainspring's for what is built on tokio's traits.
#[derive(Debug)]
pub struct ToTokio<S> {
    stream: S,
    is_vectored: bool,
}

impl<S> ToTokio<S> {
    /// For a stream that writes several buffers at once, as sockets do.
    pub fn new(stream: S) -> ToTokio<S> {
        ToTokio {
            stream,
            is_vectored: true,
        }
    }

    /// For a stream that writes one buffer at a time: others gather first.
    pub fn gathered(stream: S) -> ToTokio<S> {
        ToTokio {
            stream,
            is_vectored: false,
        }
    }

    /// The stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: ours::AsyncRead + Unpin> theirs::AsyncRead for ToTokio<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut theirs::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = buf.initialize_unfilled();
        let count = ready!(Pin::new(&mut self.stream).poll_read(cx, unfilled))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: ours::AsyncBufRead + Unpin> theirs::AsyncBufRead for ToTokio<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().stream).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.stream).consume(count);
    }
}

impl<S: ours::AsyncWrite + Unpin> theirs::AsyncWrite for ToTokio<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

/// A stream of tokio's traits for what is built on mainspring.
#[derive(Debug)]
pub struct FromTokio<T>(pub T);

impl<T: theirs::AsyncRead + Unpin> ours::AsyncRead for FromTokio<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = theirs::ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: theirs::AsyncBufRead + Unpin> ours::AsyncBufRead for FromTokio<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.0).consume(count);
    }
}

impl<T: theirs::AsyncWrite + Unpin> ours::AsyncWrite for FromTokio<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
