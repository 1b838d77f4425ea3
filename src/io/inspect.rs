//! `Inspect`, `InspectWrites`: streams that show a closure each byte as it passes.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::forward::{buf_read_by, read_by, write_by};
use super::traits::{AsyncBufRead, AsyncRead, AsyncWrite, checked};

/// Shows a closure what is read. Made by [`AsyncReadExt::inspect`](super::AsyncReadExt::inspect).
///
/// It sees each byte once, in order: a byte that was looked at when it is consumed, and not before.
/// What is written passes unseen.
pub struct Inspect<R, F> {
    inner: R,
    inspect: F,
}

/// Shows a closure what is written. Made by [`AsyncWriteExt::inspect_writes`](super::AsyncWriteExt::inspect_writes).
///
/// It sees each byte once, in order, when the writer has taken it; a writer that keeps bytes for later
/// has not sent them yet. What is read passes unseen.
pub struct InspectWrites<W, F> {
    inner: W,
    inspect: F,
}

/// What both have.
macro_rules! around {
    ($Inspect:ident) => {
        impl<S, F> $Inspect<S, F> {
            pub(super) fn new(inner: S, inspect: F) -> $Inspect<S, F> {
                $Inspect { inner, inspect }
            }

            /// The inner stream.
            #[must_use]
            pub fn get_ref(&self) -> &S {
                &self.inner
            }

            /// The inner stream; what passes it directly is not seen.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.inner
            }

            /// The inner stream. The closure is dropped.
            #[must_use]
            pub fn into_inner(self) -> S {
                self.inner
            }
        }

        impl<S: fmt::Debug, F> fmt::Debug for $Inspect<S, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Inspect))
                    .field("inner", &self.inner)
                    .finish_non_exhaustive()
            }
        }

        impl<S: Unpin, F> Unpin for $Inspect<S, F> {}
    };
}

around!(Inspect);
around!(InspectWrites);

/// Shows the first `moved` bytes of several buffers.
fn show<'a>(bufs: impl Iterator<Item = &'a [u8]>, moved: usize, inspect: &mut impl FnMut(&[u8])) {
    let mut left = moved;
    for buf in bufs {
        let (seen, _) = buf.split_at(left.min(buf.len()));
        if !seen.is_empty() {
            inspect(seen);
        }
        left -= seen.len();
    }
}

impl<R: AsyncRead + Unpin, F: FnMut(&[u8])> AsyncRead for Inspect<R, F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved = ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let moved = checked(moved, buf.len())?;
        show([&*buf].into_iter(), moved, &mut this.inspect);
        Poll::Ready(Ok(moved))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        let moved = ready!(Pin::new(&mut this.inner).poll_read_vectored(cx, bufs))?;
        let moved = checked(moved, asked)?;
        show(bufs.iter().map(|buf| &**buf), moved, &mut this.inspect);
        Poll::Ready(Ok(moved))
    }
}

impl<R: AsyncBufRead + Unpin, F: FnMut(&[u8])> AsyncBufRead for Inspect<R, F> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().inner).poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        if count > 0 {
            // What was shown stays until it is consumed, so this look waits for nothing.
            let mut cx = Context::from_waker(Waker::noop());
            match Pin::new(&mut this.inner).poll_fill_buf(&mut cx) {
                Poll::Ready(Ok(bytes)) if count <= bytes.len() => (this.inspect)(&bytes[..count]),
                _ => panic!("{count} bytes are consumed of a reader that does not show as many"),
            }
        }
        Pin::new(&mut this.inner).consume(count);
    }
}

impl<R: AsyncWrite + Unpin, F> AsyncWrite for Inspect<R, F> {
    write_by!(this => Pin::new(&mut this.get_mut().inner));
}

impl<W: AsyncWrite + Unpin, F: FnMut(&[u8])> AsyncWrite for InspectWrites<W, F> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved = ready!(Pin::new(&mut this.inner).poll_write(cx, buf))?;
        let moved = checked(moved, buf.len())?;
        show([buf].into_iter(), moved, &mut this.inspect);
        Poll::Ready(Ok(moved))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        let moved = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, bufs))?;
        let moved = checked(moved, asked)?;
        show(bufs.iter().map(|buf| &**buf), moved, &mut this.inspect);
        Poll::Ready(Ok(moved))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}

impl<W: AsyncRead + Unpin, F> AsyncRead for InspectWrites<W, F> {
    read_by!(this => Pin::new(&mut this.get_mut().inner));
}

impl<W: AsyncBufRead + Unpin, F> AsyncBufRead for InspectWrites<W, F> {
    buf_read_by!(this => Pin::new(&mut this.get_mut().inner));
}
