//! `AsyncWriteExt`: what every writer can do, as named futures.
//!
//! *Model.* As for readers: each future borrows its writer, polls it on behalf of the line that made it
//! (`Caller`), and checks the count that the writer claims. `write_all` and its kin stand beside this
//! file.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buf::{Buf, total};
use super::caller::Caller;
use super::inspect::InspectWrites;
use super::numbers::{WriteNumber, write_numbers};
use super::traits::{AsyncWrite, checked};
use super::write_all::{WriteAll, WriteAllBuf, WriteAllVectored};

/// The methods of every [`AsyncWrite`].
///
/// A write of nothing is done at once, and the writer is not asked.
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

    /// As [`AsyncWriteExt::write`], from several buffers, one after the other. A writer that knows nothing
    /// better takes of the first that is not empty.
    ///
    /// # Cancel safety
    /// Safe: bytes are given only in the poll that returns their number.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// use mainspring::io::AsyncWriteExt;
    /// use std::io::IoSlice;
    /// # mainspring::run(async {
    /// let mut writer = Vec::new();
    /// let bufs = [IoSlice::new(b"tick"), IoSlice::new(b" tock")];
    /// assert_eq!(writer.write_vectored(&bufs).await.unwrap(), 9);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn write_vectored<'a, 'b>(&'a mut self, bufs: &'a [IoSlice<'b>]) -> WriteVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteVectored {
            writer: self,
            bufs,
            caller: Caller::here(),
        }
    }

    /// Writes all of `buf`.
    ///
    /// # Cancel safety
    /// Not safe, because nobody keeps how far it came: some of the bytes may be written.
    /// [`AsyncWriteExt::write_all_buf`] is its safe twin.
    ///
    /// # Errors
    /// `WriteZero` with an [`Incomplete`](crate::io::Incomplete), if the writer takes no more before; those of
    /// the writer, which do not say how far it came.
    ///
    /// ```
    /// use mainspring::io::{AsyncWriteExt, Incomplete};
    /// # mainspring::run(async {
    /// let mut room = [0; 3];
    /// let error = (&mut room[..]).write_all(b"tick").await.unwrap_err();
    /// assert_eq!(Incomplete::of(&error).unwrap().done(), 3);
    /// assert_eq!(&room, b"tic");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Unpin,
    {
        WriteAll {
            writer: self,
            buf,
            done: 0,
            caller: Caller::here(),
        }
    }

    /// Writes all that remains of `buf`, and takes it out of `buf` as it is written.
    ///
    /// # Cancel safety
    /// Safe: what is left in `buf` is not written, and the call made again goes on with it.
    ///
    /// # Errors
    /// `WriteZero` with an [`Incomplete`](crate::io::Incomplete), which counts from this call, if the writer
    /// takes no more before; those of the writer. What is left in `buf` is not written, whatever the
    /// error.
    ///
    /// ```
    /// use mainspring::io::AsyncWriteExt;
    /// # mainspring::run(async {
    /// let mut room = [0; 3];
    /// let mut rest: &[u8] = b"tick";
    /// (&mut room[..]).write_all_buf(&mut rest).await.unwrap_err();
    /// assert_eq!((&room, rest), (b"tic", &b"k"[..]));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn write_all_buf<'a, B>(&'a mut self, buf: &'a mut B) -> WriteAllBuf<'a, Self, B>
    where
        Self: Unpin,
        B: Buf + ?Sized,
    {
        WriteAllBuf {
            writer: self,
            buf,
            done: 0,
            caller: Caller::here(),
        }
    }

    /// Writes all of several slices, one after the other, and uses them up: what they are afterwards is
    /// nobody's business.
    ///
    /// # Cancel safety
    /// Not safe, because nobody keeps at which of the slices it stood. [`AsyncWriteExt::write_all_buf`] with
    /// a `&mut [IoSlice]` for its buffer is the safe twin.
    ///
    /// # Errors
    /// `WriteZero` with an [`Incomplete`](crate::io::Incomplete), if the writer takes no more before; those of
    /// the writer.
    ///
    /// ```
    /// use mainspring::io::AsyncWriteExt;
    /// use std::io::IoSlice;
    /// # mainspring::run(async {
    /// let mut writer = Vec::new();
    /// let mut bufs = [IoSlice::new(b"tick"), IoSlice::new(b" tock")];
    /// writer.write_all_vectored(&mut bufs).await.unwrap();
    /// // What the twin keeps is the slice of slices: it grows shorter as they are written.
    /// let mut bufs = &mut [IoSlice::new(b", "), IoSlice::new(b"tick")][..];
    /// writer.write_all_buf(&mut bufs).await.unwrap();
    /// assert_eq!((writer.as_slice(), bufs.len()), (&b"tick tock, tick"[..], 0));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn write_all_vectored<'a, 'b>(
        &'a mut self,
        bufs: &'a mut [IoSlice<'b>],
    ) -> WriteAllVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteAllVectored::new(self, bufs, Caller::here())
    }

    /// Waits until the writer keeps nothing any more: it has given on whatever was written.
    ///
    /// # Cancel safety
    /// Safe: what is kept stays kept, and the call made again goes on with it.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// use mainspring::io::AsyncWriteExt;
    /// # mainspring::run(async {
    /// let (mut near, _far) = mainspring::net::UnixStream::pair()?;
    /// near.write_all(b"tick").await?;
    /// near.flush().await
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Unpin,
    {
        Flush {
            writer: self,
            caller: Caller::here(),
        }
    }

    /// Flushes, then says to the other side that nothing more will come.
    ///
    /// # Cancel safety
    /// Safe: the call made again goes on where it was.
    ///
    /// # Errors
    /// Those of the writer: the last chance to hear that something did not arrive.
    ///
    /// ```
    /// use mainspring::io::{AsyncReadExt, AsyncWriteExt};
    /// # mainspring::run(async {
    /// let (mut near, mut far) = mainspring::net::UnixStream::pair()?;
    /// near.write_all(b"tick").await?;
    /// near.close().await?;
    /// let mut all = Vec::new();
    /// far.read_to_end(&mut all).await?;
    /// assert_eq!(all, b"tick");
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn close(&mut self) -> Close<'_, Self>
    where
        Self: Unpin,
    {
        Close {
            writer: self,
            caller: Caller::here(),
        }
    }

    /// A writer that shows `inspect` what the writer took, each byte once. What can be read from as well still
    /// can, so that both ways of a connection can be seen.
    ///
    /// ```
    /// use mainspring::io::{AsyncReadExt, AsyncWriteExt};
    /// # mainspring::run(async {
    /// let (near, mut far) = mainspring::net::UnixStream::pair()?;
    /// let mut sent = 0;
    /// let near = near.inspect(|bytes| println!("< {}", bytes.escape_ascii()));
    /// let mut near = near.inspect_writes(|bytes| sent += bytes.len());
    /// near.write_all(b"tick").await?;
    /// far.write_all(b"tock").await?;
    /// near.read_exact(&mut [0; 4]).await?;
    /// assert_eq!(sent, 4);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    fn inspect_writes<F: FnMut(&[u8])>(self, inspect: F) -> InspectWrites<Self, F>
    where
        Self: Sized,
    {
        InspectWrites::new(self, inspect)
    }

    write_numbers! {
        bytes {
            write_u8: u8,
            write_i8: i8,
        }
        numbers {
            write_u16, write_u16_le: u16,
            write_u32, write_u32_le: u32,
            write_u64, write_u64_le: u64,
            write_u128, write_u128_le: u128,
            write_i16, write_i16_le: i16,
            write_i32, write_i32_le: i32,
            write_i64, write_i64_le: i64,
            write_i128, write_i128_le: i128,
            write_f32, write_f32_le: f32,
            write_f64, write_f64_le: f64,
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
        if this.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.writer).poll_write(cx, this.buf));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, this.buf.len()))
    }
}

/// Writes some bytes of several buffers. Made by [`AsyncWriteExt::write_vectored`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteVectored<'a, 'b, W: ?Sized> {
    writer: &'a mut W,
    bufs: &'a [IoSlice<'b>],
    caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteVectored<'_, '_, W> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = total(this.bufs);
        if asked == 0 {
            return Poll::Ready(Ok(0));
        }
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.writer).poll_write_vectored(cx, this.bufs));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, asked))
    }
}

/// Waits until a writer keeps nothing. Made by [`AsyncWriteExt::flush`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Flush<'a, W: ?Sized> {
    writer: &'a mut W,
    caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller
            .within(|| Pin::new(&mut *this.writer).poll_flush(cx))
    }
}

/// Flushes and ends a writer. Made by [`AsyncWriteExt::close`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Close<'a, W: ?Sized> {
    writer: &'a mut W,
    caller: Caller,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Close<'_, W> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller
            .within(|| Pin::new(&mut *this.writer).poll_close(cx))
    }
}
