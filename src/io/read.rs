//! `AsyncReadExt`: what every reader can do, as named futures.
//!
//! *Model.* Each future borrows its reader, polls it on behalf of the line that made it (`Caller`), and
//! checks the count that the reader claims.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::traits::{AsyncRead, checked};

/// The methods of every [`AsyncRead`].
pub trait AsyncReadExt: AsyncRead {
    /// Reads some bytes into `buf`, at least one; 0 means the end of the stream, or that `buf` is empty.
    ///
    /// # Cancel safety
    /// Safe: bytes are taken only in the poll that returns them.
    ///
    /// # Errors
    /// Those of the reader.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"tick";
    /// let mut buf = [0; 8];
    /// assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Unpin,
    {
        Read {
            reader: self,
            buf,
            caller: Caller::here(),
        }
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}

/// Reads some bytes. Made by [`AsyncReadExt::read`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a, R: ?Sized> {
    reader: &'a mut R,
    buf: &'a mut [u8],
    caller: Caller,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.reader).poll_read(cx, this.buf));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, this.buf.len()))
    }
}
