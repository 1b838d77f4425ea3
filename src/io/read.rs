//! `AsyncReadExt`: what every reader can do, as named futures.
//!
//! *Model.* Each future borrows its reader, polls it on behalf of the line that made it (`Caller`), and
//! checks the count that the reader claims. What has a story of its own stands beside this file:
//! `read_exact`, `read_to_end`, `numbers`, `take`, `chain`, `inspect`.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::chain::Chain;
use super::inspect::Inspect;
use super::numbers::{ReadNumber, read_numbers};
use super::read_exact::{ReadCursor, ReadExact, ReadExactBuf};
use super::read_to_end::{ReadToEnd, ReadToString};
use super::take::Take;
use super::traits::{AsyncRead, checked};

/// The methods of every [`AsyncRead`].
///
/// A read into no room is done at once, with 0, and the reader is not asked.
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

    /// As [`AsyncReadExt::read`], into several buffers, one after the other. A reader that knows nothing
    /// better fills the first that is not empty.
    ///
    /// # Cancel safety
    /// Safe: bytes are taken only in the poll that returns them.
    ///
    /// # Errors
    /// Those of the reader.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// use std::io::IoSliceMut;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"tick tock";
    /// let (mut head, mut tail) = ([0; 4], [0; 8]);
    /// let mut bufs = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    /// assert_eq!(reader.read_vectored(&mut bufs).await.unwrap(), 9);
    /// assert_eq!((&head, &tail[..5]), (b"tick", &b" tock"[..]));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_vectored<'a, 'b>(
        &'a mut self,
        bufs: &'a mut [IoSliceMut<'b>],
    ) -> ReadVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        ReadVectored {
            reader: self,
            bufs,
            caller: Caller::here(),
        }
    }

    /// Fills `buf`.
    ///
    /// # Cancel safety
    /// Not safe, because nobody keeps how far it came: some of the bytes may be in `buf`, and are taken from
    /// the stream. [`AsyncReadExt::read_exact_buf`] is its safe twin.
    ///
    /// # Errors
    /// `UnexpectedEof` with an [`Incomplete`](crate::io::Incomplete), if the stream ends before: so many bytes
    /// are in `buf`. Those of the reader, which do not say how far it came; the twin does.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"tick tock";
    /// let mut buf = [0; 4];
    /// reader.read_exact(&mut buf).await.unwrap();
    /// assert_eq!((&buf, reader), (b"tick", &b" tock"[..]));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Unpin,
    {
        ReadExact {
            reader: self,
            buf,
            done: 0,
            caller: Caller::here(),
        }
    }

    /// Fills the rest of `cursor`, which keeps how far it came; [`ReadCursor`] shows it.
    ///
    /// # Cancel safety
    /// Safe: what came is in the cursor, and the call made again goes on behind it.
    ///
    /// # Errors
    /// `UnexpectedEof` with an [`Incomplete`](crate::io::Incomplete), if the stream ends before; those of the
    /// reader. What came is in the cursor, whatever the error.
    #[track_caller]
    fn read_exact_buf<'a, 'b>(
        &'a mut self,
        cursor: &'a mut ReadCursor<'b>,
    ) -> ReadExactBuf<'a, 'b, Self>
    where
        Self: Unpin,
    {
        ReadExactBuf {
            reader: self,
            cursor,
            caller: Caller::here(),
        }
    }

    /// Reads until the stream ends, appends what comes to `buf`, and says how much that is.
    ///
    /// It has no limit but memory. What a stranger sends is better read through a [`Take`], of one byte more
    /// than you would accept.
    ///
    /// # Cancel safety
    /// Safe: what came is in `buf`, and the call made again goes on behind it.
    ///
    /// # Errors
    /// Those of the reader. What came before is in `buf`.
    ///
    /// ```
    /// use mainspring::io::{AsyncReadExt, repeat};
    /// # mainspring::run(async {
    /// let mut body = Vec::new();
    /// let mut stranger = repeat(b'x');
    /// let count = (&mut stranger).take(1001).read_to_end(&mut body).await.unwrap();
    /// assert!(count > 1000, "a body of 1000 bytes is the most we accept");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_to_end<'a>(&'a mut self, buf: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Unpin,
    {
        ReadToEnd::new(self, buf, Caller::here())
    }

    /// Reads UTF-8 until the stream ends, appends it to `buf`, and says how many bytes that is. Without a
    /// limit, as [`AsyncReadExt::read_to_end`].
    ///
    /// # Cancel safety
    /// Not safe, because a string holds whole characters only: up to three bytes of one that came in part
    /// are lost. Those before it are in `buf`. [`AsyncReadExt::read_to_end`] is safe, and the vector can be
    /// decoded when all is there.
    ///
    /// # Errors
    /// `InvalidData` with a [`FromUtf8Error`](std::string::FromUtf8Error), if what comes is not UTF-8, or ends
    /// in the middle of a character; those of the reader. What was right before is in `buf`, and the
    /// bytes behind that, as far as they were read, in the `FromUtf8Error`.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"tick\xff";
    /// let mut text = String::new();
    /// let error = reader.read_to_string(&mut text).await.unwrap_err();
    /// assert_eq!((error.kind(), text.as_str()), (std::io::ErrorKind::InvalidData, "tick"));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_to_string<'a>(&'a mut self, buf: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Unpin,
    {
        ReadToString::new(self, buf, Caller::here())
    }

    /// A reader that ends after `limit` bytes of this one. `(&mut reader).take(limit)` leaves the rest to you.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"tick tock";
    /// let mut head = String::new();
    /// (&mut reader).take(4).read_to_string(&mut head).await.unwrap();
    /// assert_eq!((head.as_str(), reader), ("tick", &b" tock"[..]));
    /// # }).unwrap();
    /// ```
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// A reader of all that this one has, and then of all that `next` has.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let (already_read, rest): (&[u8], &[u8]) = (b"tick", b" tock");
    /// let mut text = String::new();
    /// already_read.chain(rest).read_to_string(&mut text).await.unwrap();
    /// assert_eq!(text, "tick tock");
    /// # }).unwrap();
    /// ```
    fn chain<R: AsyncRead>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
    }

    /// A reader that shows `inspect` what is read, each byte once: for a trace, a count, a checksum. What can
    /// be written to as well still can.
    ///
    /// ```
    /// use mainspring::io::AsyncReadExt;
    /// # mainspring::run(async {
    /// let (mut sum, mut text) = (0, String::new());
    /// let body: &[u8] = b"tick tock";
    /// let mut reader = body.inspect(|bytes| sum += bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    /// reader.read_to_string(&mut text).await.unwrap();
    /// assert_eq!((text.as_str(), sum), ("tick tock", 892));
    /// # }).unwrap();
    /// ```
    fn inspect<F: FnMut(&[u8])>(self, inspect: F) -> Inspect<Self, F>
    where
        Self: Sized,
    {
        Inspect::new(self, inspect)
    }

    read_numbers! {
        bytes {
            read_u8: u8,
            read_i8: i8,
        }
        numbers {
            read_u16, read_u16_le: u16,
            read_u32, read_u32_le: u32,
            read_u64, read_u64_le: u64,
            read_u128, read_u128_le: u128,
            read_i16, read_i16_le: i16,
            read_i32, read_i32_le: i32,
            read_i64, read_i64_le: i64,
            read_i128, read_i128_le: i128,
            read_f32, read_f32_le: f32,
            read_f64, read_f64_le: f64,
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
        if this.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.reader).poll_read(cx, this.buf));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, this.buf.len()))
    }
}

/// Reads some bytes into several buffers. Made by [`AsyncReadExt::read_vectored`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadVectored<'a, 'b, R: ?Sized> {
    reader: &'a mut R,
    bufs: &'a mut [IoSliceMut<'b>],
    caller: Caller,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadVectored<'_, '_, R> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = this.bufs.iter().map(|buf| buf.len()).sum();
        if asked == 0 {
            return Poll::Ready(Ok(0));
        }
        let polled = this
            .caller
            .within(|| Pin::new(&mut *this.reader).poll_read_vectored(cx, this.bufs));
        let moved = ready!(polled)?;
        Poll::Ready(checked(moved, asked))
    }
}
