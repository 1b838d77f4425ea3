//! `AsyncWriteExt`: what every writer can do, as named futures.
//!
//! *Model.* As for readers: each future borrows its writer, polls it on behalf of the line that made it
//! (`Caller`), and checks the count that the writer claims.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::traits::{AsyncWrite, checked};

/// The methods of every [`AsyncWrite`].
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes some bytes of `buf`, at least one, and says how many; 0 only if `buf` is empty, or if the
    /// writer is full for ever.
    ///
    /// # Cancel safety
    /// Safe: bytes are given only in the poll that returns their number.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// use mainspring::io::AsyncWriteExt;
    /// # mainspring::run(async {
    /// let mut writer = Vec::new();
    /// assert_eq!(writer.write(b"tick").await.unwrap(), 4);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn write<'a>(&'a mut self, buf: &'a [u8]) -> Write<'a, Self>
    where
        Self: Unpin,
    {
        Write {
            writer: self,
            buf,
            caller: Caller::here(),
        }
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}

/// Writes some bytes. Made by [`AsyncWriteExt::write`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a, W: ?Sized> {
    writer: &'a mut W,
    buf: &'a [u8],
    caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Write<'_, W> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.writer).poll_write(cx, this.buf));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, this.buf.len()))
    }
}
