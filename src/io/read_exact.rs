//! `read_exact` and its twin that can be called again, `read_exact_buf` with its `ReadCursor`.
//!
//! *Model.* Both fill a buffer and count how far they came. `ReadExact` keeps the count itself, so it is
//! gone with the future; `ReadExactBuf` keeps it in the caller's `ReadCursor`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::incomplete::Incomplete;
use super::traits::{AsyncRead, checked};

/// A buffer to be filled, and how far that came.
///
/// ```
/// use mainspring::io::{AsyncReadExt, ReadCursor};
/// use std::time::Duration;
/// # mainspring::run(async {
/// let (near, mut far) = mainspring::net::UnixStream::pair()?;
/// near.write_all(b"ti").await?;
/// let mut bytes = [0; 4];
/// let mut cursor = ReadCursor::new(&mut bytes);
/// let limit = Duration::from_millis(1);
/// // The timeout drops the read; what came is in the cursor, and the next call goes on behind it.
/// let late = mainspring::time::timeout(limit, far.read_exact_buf(&mut cursor)).await;
/// assert!(late.is_err());
/// assert_eq!(cursor.filled(), b"ti");
/// near.write_all(b"ck").await?;
/// far.read_exact_buf(&mut cursor).await?;
/// assert_eq!(cursor.into_filled(), b"tick");
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub struct ReadCursor<'a> {
    buf: &'a mut [u8],
    position: usize,
}

impl<'a> ReadCursor<'a> {
    /// A cursor at the beginning of `buf`.
    #[must_use]
    pub fn new(buf: &'a mut [u8]) -> ReadCursor<'a> {
        ReadCursor { buf, position: 0 }
    }

    /// The number of bytes that came.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The length of the buffer.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// The number of bytes that are yet to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.buf.len() - self.position
    }

    /// Whether all came.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.remaining() == 0
    }

    /// What came.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.buf[..self.position]
    }

    /// Where the next bytes belong; [`ReadCursor::advance`] says afterwards how many came.
    pub fn remaining_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.position..]
    }

    /// The first `count` bytes of [`ReadCursor::remaining_mut`] have come.
    ///
    /// # Panics
    /// If so many do not remain.
    pub fn advance(&mut self, count: usize) {
        let remaining = self.remaining();
        assert!(
            count <= remaining,
            "a cursor cannot advance by {count} bytes, for {remaining} remain"
        );
        self.position += count;
    }

    /// What came, for as long as the buffer lives.
    #[must_use]
    pub fn into_filled(self) -> &'a mut [u8] {
        &mut self.buf[..self.position]
    }
}

impl fmt::Debug for ReadCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCursor")
            .field("position", &self.position)
            .field("capacity", &self.buf.len())
            .finish()
    }
}

/// Reads until `buf` is full, of which `done` bytes are there already.
#[inline]
pub(super) fn poll_fill<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    done: &mut usize,
) -> Poll<io::Result<()>> {
    while *done < buf.len() {
        let room = &mut buf[*done..];
        let moved = ready!(Pin::new(&mut *reader).poll_read(cx, room))?;
        match checked(moved, room.len())? {
            0 => return Poll::Ready(Err(Incomplete::read(*done, buf.len()))),
            moved => *done += moved,
        }
    }
    Poll::Ready(Ok(()))
}

/// Fills a buffer. Made by [`AsyncReadExt::read_exact`](super::AsyncReadExt::read_exact).
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExact<'a, R: ?Sized> {
    pub(super) reader: &'a mut R,
    pub(super) buf: &'a mut [u8],
    pub(super) done: usize,
    pub(super) caller: Caller,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadExact<'_, R> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.caller
            .within(|| poll_fill(this.reader, cx, this.buf, &mut this.done))
    }
}

/// Fills the rest of a [`ReadCursor`]. Made by
/// [`AsyncReadExt::read_exact_buf`](super::AsyncReadExt::read_exact_buf).
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExactBuf<'a, 'b, R: ?Sized> {
    pub(super) reader: &'a mut R,
    pub(super) cursor: &'a mut ReadCursor<'b>,
    pub(super) caller: Caller,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadExactBuf<'_, '_, R> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let cursor = &mut *this.cursor;
        this.caller
            .within(|| poll_fill(this.reader, cx, cursor.buf, &mut cursor.position))
    }
}
