//! `write_all`, its twin that can be called again, `write_all_buf`, and `write_all_vectored`.
//!
//! *Model.* `WriteAll` and `WriteAllVectored` keep how far they came themselves, so it is gone with them;
//! `WriteAllBuf` moves the place in the caller's [`Buf`] on, in the poll in which the bytes are written.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buf::{Buf, total};
use super::caller::Caller;
use super::incomplete::Incomplete;
use super::traits::{AsyncWrite, checked};

/// How many pieces of a [`Buf`] are given to the writer at once. An array of them stands on the stack: a
/// KiB where a slice is two words.
const PIECES: usize = 64;

/// Writes the rest of `buf`, of which `done` bytes are written already.
#[inline]
pub(super) fn poll_drain<W: AsyncWrite + Unpin + ?Sized>(
    writer: &mut W,
    cx: &mut Context<'_>,
    buf: &[u8],
    done: &mut usize,
) -> Poll<io::Result<()>> {
    while *done < buf.len() {
        let rest = &buf[*done..];
        let moved = ready!(Pin::new(&mut *writer).poll_write(cx, rest))?;
        match checked(moved, rest.len())? {
            0 => return Poll::Ready(Err(Incomplete::write(*done, buf.len()))),
            moved => *done += moved,
        }
    }
    Poll::Ready(Ok(()))
}

/// Writes some bytes of `buf`, from several pieces of it if it has them.
fn poll_pieces<W: AsyncWrite + Unpin + ?Sized, B: Buf + ?Sized>(
    writer: &mut W,
    cx: &mut Context<'_>,
    buf: &B,
) -> Poll<io::Result<usize>> {
    let writer = Pin::new(writer);
    let mut slices = [IoSlice::new(&[]); PIECES];
    let count = buf.chunks_vectored(&mut slices);
    let (polled, asked) = match &slices[..count] {
        [] => (writer.poll_write(cx, buf.chunk()), buf.chunk().len()),
        [only] => (writer.poll_write(cx, only), only.len()),
        slices => {
            let asked = total(slices);
            (writer.poll_write_vectored(cx, slices), asked)
        }
    };
    Poll::Ready(checked(ready!(polled)?, asked))
}

/// Writes all of a slice. Made by [`AsyncWriteExt::write_all`](super::AsyncWriteExt::write_all).
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAll<'a, W: ?Sized> {
    pub(super) writer: &'a mut W,
    pub(super) buf: &'a [u8],
    pub(super) done: usize,
    pub(super) caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller
            .within(|| poll_drain(this.writer, cx, this.buf, &mut this.done))
    }
}

/// Writes all that remains of a [`Buf`]. Made by
/// [`AsyncWriteExt::write_all_buf`](super::AsyncWriteExt::write_all_buf).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAllBuf<'a, W: ?Sized, B: ?Sized> {
    pub(super) writer: &'a mut W,
    pub(super) buf: &'a mut B,
    pub(super) done: usize,
    pub(super) caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized, B: Buf + ?Sized> Future for WriteAllBuf<'_, W, B> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller.within(|| {
            while this.buf.has_remaining() {
                match ready!(poll_pieces(this.writer, cx, this.buf))? {
                    0 => {
                        let asked = this.done.saturating_add(this.buf.remaining());
                        return Poll::Ready(Err(Incomplete::write(this.done, asked)));
                    }
                    moved => {
                        this.buf.advance(moved);
                        this.done = this.done.saturating_add(moved);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<W: ?Sized, B: ?Sized> fmt::Debug for WriteAllBuf<'_, W, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAllBuf")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// Writes all of several slices. Made by
/// [`AsyncWriteExt::write_all_vectored`](super::AsyncWriteExt::write_all_vectored).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAllVectored<'a, 'b, W: ?Sized> {
    writer: &'a mut W,
    /// What is not written yet: the first one is not empty.
    bufs: &'a mut [IoSlice<'b>],
    done: usize,
    /// The number of bytes in `bufs`: several slices of the same memory may be more than it has room for.
    left: u64,
    caller: Caller,
}

impl<'a, 'b, W: ?Sized> WriteAllVectored<'a, 'b, W> {
    pub(super) fn new(
        writer: &'a mut W,
        mut bufs: &'a mut [IoSlice<'b>],
        caller: Caller,
    ) -> WriteAllVectored<'a, 'b, W> {
        IoSlice::advance_slices(&mut bufs, 0);
        WriteAllVectored {
            writer,
            left: bufs.iter().map(|buf| buf.len() as u64).sum(),
            bufs,
            done: 0,
            caller,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAllVectored<'_, '_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller.within(|| {
            while !this.bufs.is_empty() {
                let polled = Pin::new(&mut *this.writer).poll_write_vectored(cx, this.bufs);
                let left = usize::try_from(this.left).unwrap_or(usize::MAX);
                match checked(ready!(polled)?, left)? {
                    0 => {
                        let asked = this.done.saturating_add(left);
                        return Poll::Ready(Err(Incomplete::write(this.done, asked)));
                    }
                    moved => {
                        IoSlice::advance_slices(&mut this.bufs, moved);
                        this.left -= moved as u64;
                        this.done = this.done.saturating_add(moved);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<W: ?Sized> fmt::Debug for WriteAllVectored<'_, '_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAllVectored")
            .field("done", &self.done)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
