//! Numbers in streams: the methods of `AsyncReadExt` and `AsyncWriteExt` that read and write them.
//!
//! *Role.* [`read_numbers`] and [`write_numbers`] stand inside the two traits and write the methods there; the
//! futures are two, for numbers of any sort.
//!
//! *Why not cancel-safe.* A number of several bytes may come in pieces, and a reader is not a place to put
//! them back. Who needs that fills a [`ReadCursor`](super::ReadCursor) and makes the number of its bytes, or
//! writes the bytes with `write_all_buf`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::read_exact::poll_fill;
use super::traits::{AsyncRead, AsyncWrite};
use super::write_all::poll_drain;

/// Reads a number of `LEN` bytes. Made by the methods of [`AsyncReadExt`](super::AsyncReadExt) that are named
/// after a type of number.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadNumber<'a, R: ?Sized, N, const LEN: usize> {
    reader: &'a mut R,
    bytes: [u8; LEN],
    done: usize,
    decode: fn([u8; LEN]) -> N,
    caller: Caller,
}

impl<'a, R: ?Sized, N, const LEN: usize> ReadNumber<'a, R, N, LEN> {
    #[inline]
    pub(super) fn new(reader: &'a mut R, decode: fn([u8; LEN]) -> N, caller: Caller) -> Self {
        ReadNumber {
            reader,
            bytes: [0; LEN],
            done: 0,
            decode,
            caller,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized, N, const LEN: usize> Future for ReadNumber<'_, R, N, LEN> {
    type Output = io::Result<N>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<N>> {
        let this = self.get_mut();
        let polled = this
            .caller
            .within(|| poll_fill(this.reader, cx, &mut this.bytes, &mut this.done));
        ready!(polled)?;
        Poll::Ready(Ok((this.decode)(this.bytes)))
    }
}

impl<R: ?Sized, N, const LEN: usize> fmt::Debug for ReadNumber<'_, R, N, LEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadNumber")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// Writes a number of `LEN` bytes. Made by the methods of [`AsyncWriteExt`](super::AsyncWriteExt) that are
/// named after a type of number.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteNumber<'a, W: ?Sized, const LEN: usize> {
    writer: &'a mut W,
    bytes: [u8; LEN],
    done: usize,
    caller: Caller,
}

impl<'a, W: ?Sized, const LEN: usize> WriteNumber<'a, W, LEN> {
    #[inline]
    pub(super) fn new(writer: &'a mut W, bytes: [u8; LEN], caller: Caller) -> Self {
        WriteNumber {
            writer,
            bytes,
            done: 0,
            caller,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized, const LEN: usize> Future for WriteNumber<'_, W, LEN> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller
            .within(|| poll_drain(this.writer, cx, &this.bytes, &mut this.done))
    }
}

impl<W: ?Sized, const LEN: usize> fmt::Debug for WriteNumber<'_, W, LEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteNumber")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// The methods that read numbers: of one byte, and of several in either order.
macro_rules! read_numbers {
    (bytes { $($byte_method:ident: $byte:ident,)* }
     numbers { $($method:ident, $method_le:ident: $number:ident,)* }) => {
        $(read_numbers!(@method $byte_method, $byte, from_be_bytes, to_be_bytes, "",
            "Safe: the byte is taken only in the poll that returns it.");)*
        $(read_numbers!(@method $method, $number, from_be_bytes, to_be_bytes,
            ", the most significant byte first",
            "Not safe, because the bytes that came before it is dropped are lost.");
        read_numbers!(@method $method_le, $number, from_le_bytes, to_le_bytes,
            ", the least significant byte first",
            "Not safe, because the bytes that came before it is dropped are lost.");)*
    };
    (@method $method:ident, $number:ident, $decode:ident, $encode:ident, $order:literal, $cancel:literal) => {
        #[doc = concat!("Reads one `", stringify!($number), "`", $order, ".")]
        ///
        /// # Cancel safety
        #[doc = $cancel]
        ///
        /// # Errors
        /// `UnexpectedEof` with an [`Incomplete`](crate::io::Incomplete), if the stream ends before it, or in
        /// it; what came of it is lost then. Those of the reader.
        ///
        /// ```
        /// use mainspring::io::AsyncReadExt;
        /// # mainspring::run(async {
        #[doc = concat!("let bytes = (7 as ", stringify!($number), ").", stringify!($encode), "();")]
        #[doc = concat!("let number = (&bytes[..]).", stringify!($method), "().await.unwrap();")]
        #[doc = concat!("assert_eq!(number, 7 as ", stringify!($number), ");")]
        /// # }).unwrap();
        /// ```
        #[track_caller]
        #[inline]
        fn $method(&mut self) -> ReadNumber<'_, Self, $number, { size_of::<$number>() }>
        where
            Self: Unpin,
        {
            ReadNumber::new(self, $number::$decode, Caller::here())
        }
    };
}

/// The methods that write numbers: of one byte, and of several in either order.
macro_rules! write_numbers {
    (bytes { $($byte_method:ident: $byte:ident,)* }
     numbers { $($method:ident, $method_le:ident: $number:ident,)* }) => {
        $(write_numbers!(@method $byte_method, $byte, to_be_bytes, "",
            "Safe: the byte is given only in the poll that says so.");)*
        $(write_numbers!(@method $method, $number, to_be_bytes,
            ", the most significant byte first",
            "Not safe, because nobody keeps how far it came: some of the bytes may be written.");
        write_numbers!(@method $method_le, $number, to_le_bytes,
            ", the least significant byte first",
            "Not safe, because nobody keeps how far it came: some of the bytes may be written.");)*
    };
    (@method $method:ident, $number:ident, $encode:ident, $order:literal, $cancel:literal) => {
        #[doc = concat!("Writes one `", stringify!($number), "`", $order, ".")]
        ///
        /// # Cancel safety
        #[doc = $cancel]
        ///
        /// # Errors
        /// `WriteZero` with an [`Incomplete`](crate::io::Incomplete), if the writer takes no more; those of the
        /// writer.
        ///
        /// ```
        /// use mainspring::io::AsyncWriteExt;
        /// # mainspring::run(async {
        /// let mut writer = Vec::new();
        #[doc = concat!("let number = 7 as ", stringify!($number), ";")]
        #[doc = concat!("writer.", stringify!($method), "(number).await.unwrap();")]
        #[doc = concat!("assert_eq!(writer, number.", stringify!($encode), "());")]
        /// # }).unwrap();
        /// ```
        #[track_caller]
        #[inline]
        fn $method(&mut self, number: $number) -> WriteNumber<'_, Self, { size_of::<$number>() }>
        where
            Self: Unpin,
        {
            WriteNumber::new(self, number.$encode(), Caller::here())
        }
    };
}

pub(super) use {read_numbers, write_numbers};
