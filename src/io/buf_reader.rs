//! `BufReader`: few large reads below, many small ones above, and calls that lose nothing when dropped.
//!
//! *Model.* One buffer; what lies between `taken` and `filled` was read from below and not yet taken
//! above.
//!
//! ```text
//!        0        taken      searched      filled       buf.len()
//!        ├─ gone ───┼─ no delimiter ┼─ unseen ─┼── room ──┤
//! ```
//!
//! `poll_fill_buf` reads only into an empty buffer, as the trait has it. The calls of `buf_reader/whole.rs`
//! read behind what is there until all they need is there, and only then take it: until then a drop of
//! their future loses nothing, for the bytes are in here. The buffer grows for them, by doubling, never beyond
//! what they need, and shrinks when it is next filled from empty.
//!
//! *Cost.* One allocation at the first read. A byte is moved inside the buffer at most once for each
//! byte that was taken before it.

mod number;
mod whole;

use std::fmt;
use std::io::{self, IoSliceMut, Read as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::bytes::find;

pub use number::BufReadNumber;
pub use whole::{BufReadExact, BufReadLine, BufReadUntil};

use super::forward::write_by;
use super::limit::{LimitExceeded, window};
use super::traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, checked};
use crate::task::budget::poll_spend;

/// How much is read at once, in bytes: as in the standard library.
const CAPACITY: usize = 8 * 1024;

/// A reader with a buffer.
///
/// Its own methods ([`read_exact`](BufReader::read_exact), [`read_until`](BufReader::read_until),
/// [`read_line`](BufReader::read_line), the numbers) stand before those of the same names in
/// `AsyncReadExt` and [`AsyncBufReadExt`](super::AsyncBufReadExt), and are safer: they take bytes only when
/// all are there, so they can be dropped at any time, by a timeout or a `select`, and called again.
///
/// What is written goes straight through, so a buffered reader around a connection still writes to it; see
/// [`BufStream`](super::BufStream) for both.
///
/// ```
/// use mainspring::io::BufReader;
/// # mainspring::run(async {
/// let mut reader = BufReader::new(&b"HELO spring\r\n\x00\x05"[..]);
/// let mut line = String::new();
/// reader.read_line(&mut line).await.unwrap();
/// assert_eq!(line, "HELO spring\r\n");
/// assert_eq!(reader.read_u16().await.unwrap(), 5);
/// # }).unwrap();
/// ```
pub struct BufReader<R> {
    inner: R,
    /// Initialised over its whole length.
    buf: Vec<u8>,
    taken: usize,
    filled: usize,
    /// The delimiter that was last searched, and up to where it does not occur.
    searched: (u8, usize),
    capacity: usize,
}

impl<R> BufReader<R> {
    /// A buffer of 8 KiB in front of `inner`.
    pub fn new(inner: R) -> BufReader<R> {
        BufReader::with_capacity(CAPACITY, inner)
    }

    /// A buffer of `capacity` bytes, at least one, in front of `inner`. It grows beyond that only for a call
    /// that needs more at once, and shrinks afterwards.
    pub fn with_capacity(capacity: usize, inner: R) -> BufReader<R> {
        BufReader {
            inner,
            buf: Vec::new(),
            taken: 0,
            filled: 0,
            searched: (0, 0),
            capacity: capacity.max(1),
        }
    }

    /// What was read from below and not yet taken. Nothing is read for it.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.taken..self.filled]
    }

    /// How many bytes the buffer holds at most, as it is now: 0 before the first read.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// The reader below.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader below. What is read from it directly comes from behind [`BufReader::buffer`].
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader below. What is in the buffer is lost: [`BufReader::into_parts`] gives both.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The reader below, and what was read from it but not yet taken.
    ///
    /// ```
    /// use mainspring::io::BufReader;
    /// # mainspring::run(async {
    /// let mut reader = BufReader::new(&b"head\nbody"[..]);
    /// reader.read_until(b'\n', &mut Vec::new()).await.unwrap();
    /// let (_, unread) = reader.into_parts();
    /// assert_eq!(unread, b"body");
    /// # }).unwrap();
    /// ```
    pub fn into_parts(mut self) -> (R, Vec<u8>) {
        self.buf.truncate(self.filled);
        self.buf.drain(..self.taken);
        (self.inner, self.buf)
    }

    /// Takes `count` bytes of the buffer.
    #[inline]
    fn advance(&mut self, count: usize) {
        assert!(
            count <= self.filled - self.taken,
            "{count} bytes were taken of {} that were shown",
            self.filled - self.taken
        );
        self.taken += count;
    }

    /// Makes room behind what is there, in a buffer of the usual size if nothing is.
    #[inline]
    fn make_room(&mut self, wanted: usize) {
        if self.taken == self.filled {
            self.clear();
            if self.buf.len() != self.capacity {
                self.resize(self.capacity);
            }
            return;
        }
        let is_full = self.filled == self.buf.len();
        // What was taken pays for the move: no more bytes are moved than were taken, but for a full
        // buffer, and it is full only once per call.
        if self.filled - self.taken <= self.taken || is_full && self.taken > 0 {
            self.buf.copy_within(self.taken..self.filled, 0);
            self.searched.1 = self.searched.1.saturating_sub(self.taken);
            self.filled -= self.taken;
            self.taken = 0;
        }
        if self.filled == self.buf.len() {
            let doubled = self.buf.len().saturating_mul(2);
            self.resize(doubled.min(wanted).max(self.buf.len() + 1));
        }
    }

    fn clear(&mut self) {
        self.taken = 0;
        self.filled = 0;
        self.searched.1 = 0;
    }

    #[cold]
    fn resize(&mut self, len: usize) {
        self.buf.truncate(len);
        self.buf.shrink_to(len);
        self.buf.reserve_exact(len - self.buf.len());
        self.buf.resize(len, 0);
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Reads more behind what is there, for a call that needs `wanted` bytes at once; 0 is the end.
    fn poll_more(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.make_room(wanted);
        let room = &mut self.buf[self.filled..];
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, room))?;
        let read = checked(read, room.len())?;
        self.filled += read;
        Poll::Ready(Ok(read))
    }

    /// Reads until `count` bytes are there, or the end; how many there are.
    fn poll_available(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        while self.buffer().len() < count {
            if ready!(self.poll_more(cx, count))? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(self.buffer().len()))
    }

    /// Reads if nothing is there. What is there spends for itself: one read below may have brought enough
    /// for thousands above.
    #[inline]
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer().is_empty() {
            return self.poll_available(cx, 1).map_ok(|_| ());
        }
        poll_spend(cx).map(Ok)
    }

    /// How many bytes the buffer holds up to and with `delimiter`. What was searched is not searched again.
    #[inline]
    fn look_for(&mut self, delimiter: u8, limit: usize) -> Option<usize> {
        if self.searched.0 != delimiter {
            self.searched = (delimiter, 0);
        }
        let window = window(self.buffer().len(), limit);
        let from = self.searched.1.saturating_sub(self.taken);
        if from < window {
            if let Some(at) = find(delimiter, &self.buffer()[from..window]) {
                return Some(from + at + 1);
            }
            self.searched.1 = self.taken + window;
        }
        None
    }

    /// Reads until `delimiter` is there, or the end; how many bytes that are.
    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        delimiter: u8,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(count) = self.look_for(delimiter, limit) {
                return Poll::Ready(Ok(count));
            }
            let available = self.buffer().len();
            if available > limit {
                let exceeded = LimitExceeded { limit, available };
                return Poll::Ready(Err(exceeded.into()));
            }
            if ready!(self.poll_more(cx, limit.saturating_add(1)))? == 0 {
                return Poll::Ready(Ok(available));
            }
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for BufReader<R> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Whoever asks for that much needs no buffer in between.
        if this.buffer().is_empty() && buf.len() >= this.capacity {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        if !buf.is_empty() {
            ready!(this.poll_some(cx))?;
        }
        let count = this.buffer().read(buf)?;
        this.advance(count);
        Poll::Ready(Ok(count))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let asked = bufs
            .iter()
            .fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        if this.buffer().is_empty() && asked >= this.capacity {
            return Pin::new(&mut this.inner).poll_read_vectored(cx, bufs);
        }
        if asked > 0 {
            ready!(this.poll_some(cx))?;
        }
        let count = this.buffer().read_vectored(bufs)?;
        this.advance(count);
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for BufReader<R> {
    #[inline]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_available(cx, 1))?;
        Poll::Ready(Ok(this.buffer()))
    }

    #[inline]
    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().advance(count);
    }
}

/// Straight through: the two directions of a connection know nothing of each other. (Those of a file share
/// its position, and that is ahead by what is in the buffer: seek first.)
impl<R: AsyncWrite + Unpin> AsyncWrite for BufReader<R> {
    write_by!(this => Pin::new(&mut this.get_mut().inner));
}

/// A place is counted from what was taken, not from how far the reader below has come. The buffer is given
/// up only once the reader below has moved.
impl<R: AsyncSeek + Unpin> AsyncSeek for BufReader<R> {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        loop {
            // A buffer fits into memory, and so into an i64.
            let ahead = i64::try_from(this.buffer().len()).unwrap_or(i64::MAX);
            let (below, is_there) = match position {
                SeekFrom::Current(offset) => match offset.checked_sub(ahead) {
                    Some(offset) => (SeekFrom::Current(offset), true),
                    // Too far for one step: first back to what was taken.
                    None => (SeekFrom::Current(-ahead), false),
                },
                other => (other, true),
            };
            let place = ready!(Pin::new(&mut this.inner).poll_seek(cx, below))?;
            this.clear();
            if is_there {
                return Poll::Ready(Ok(place));
            }
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("inner", &self.inner)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.buf.len())
            .finish()
    }
}
