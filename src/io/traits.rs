//! The traits of byte streams: `AsyncRead`, `AsyncWrite`, `AsyncBufRead`, `AsyncSeek`.
//!
//! *Role.* What reads and writes implements them; what is built on streams (buffers, copies, codecs)
//! asks for them. Users call the extension methods ([`AsyncReadExt`](super::AsyncReadExt) and its
//! siblings), which return named futures.
//!
//! *Model.* A poll function either does its work or keeps the waker and returns `Pending`; it never
//! blocks. The shape is that of the crate `futures-io`, so that an adapter in either direction is a few
//! lines: the traits are our own because the runtime has no such dependency.
//!
//! *One waiter per direction.* A poll function has no future in which the kernel's answer could be
//! awaited by several: the latest waker replaces the one before (hz_d18). To read one socket in two tasks,
//! use its named futures (`TcpStream::read` takes `&self`), which queue.
//!
//! *Why not buffers that the callee owns*, as completion-based systems have them: readiness lets us read
//! straight into the caller's memory, and drop a future without asking the kernel first.

use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes can be read from it.
///
/// # Cancel safety
/// An implementation takes bytes only in the poll that returns their number.
pub trait AsyncRead {
    /// Reads some bytes into `buf`, at least one unless `buf` is empty, and says how many. 0 into a buffer
    /// that is not empty is the end of the stream.
    ///
    /// # Errors
    /// Those of the stream. Never `WouldBlock` and never `Interrupted`: those are `Pending`, or another try.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// As [`AsyncRead::poll_read`], into several buffers, one after the other. By default into the first
    /// that is not empty.
    ///
    /// # Errors
    /// As [`AsyncRead::poll_read`].
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs.iter_mut().find(|buf| !buf.is_empty()) {
            Some(buf) => self.poll_read(cx, buf),
            None => Poll::Ready(Ok(0)),
        }
    }
}

/// Bytes can be written to it.
///
/// # Cancel safety
/// An implementation gives bytes on, or keeps them to be flushed, only in the poll that returns their
/// number.
pub trait AsyncWrite {
    /// Writes some bytes of `buf`, at least one unless `buf` is empty, and says how many.
    ///
    /// # Errors
    /// Those of the stream. Never `WouldBlock` and never `Interrupted`.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// As [`AsyncWrite::poll_write`], from several buffers, one after the other. By default from the first
    /// that is not empty.
    ///
    /// # Errors
    /// As [`AsyncWrite::poll_write`].
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(buf) => self.poll_write(cx, buf),
            None => Poll::Ready(Ok(0)),
        }
    }

    /// Passes on whatever it keeps; `Ready` when nothing is kept any more.
    ///
    /// # Errors
    /// Those of the stream.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes, then says to the other side that nothing more will come. Again afterwards, it changes
    /// nothing; a write afterwards is an error.
    ///
    /// # Errors
    /// Those of the stream.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Bytes can be looked at before they are taken.
pub trait AsyncBufRead: AsyncRead {
    /// The bytes that are there, at least one; none at the end of the stream. They stay until
    /// [`AsyncBufRead::consume`] takes them: until then another look is answered at once.
    ///
    /// # Errors
    /// Those of the stream.
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>>;

    /// Takes the first `count` of the bytes that [`AsyncBufRead::poll_fill_buf`] showed.
    ///
    /// # Panics
    /// If fewer were shown.
    fn consume(self: Pin<&mut Self>, count: usize);
}

/// The place where it reads and writes can be changed.
///
/// # Cancel safety
/// An implementation moves only in the poll that answers, so a dropped seek has moved nothing.
pub trait AsyncSeek {
    /// Goes to a place in the stream and says which it is, counted in bytes from the start.
    ///
    /// # Errors
    /// `InvalidInput` for a place before the start; those of the stream.
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>>;
}

/// The number of bytes that an implementation says it moved, if it can be true of a buffer of `asked`.
///
/// # Errors
/// `InvalidData`: nothing can be built on such a stream.
#[inline]
pub(crate) fn checked(moved: usize, asked: usize) -> io::Result<usize> {
    if moved <= asked {
        return Ok(moved);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "a stream says that it moved {moved} bytes of {asked}; its implementation is wrong"
        ),
    ))
}
