//! `BufWriter`: many small writes above, few large ones below, and a bound between two marks.
//!
//! *Model.* What is written is kept until there is reason to send it: a flush, or no room.
//!
//! ```text
//!      0 ──────────── low ─────────────────────── high
//!      │ ◄── until here, once a piece found no room │
//!      │     every piece that fits is taken at once │
//! ```
//!
//! A piece that fits below the high mark is taken at once. The first that does not makes everybody wait until
//! what is kept has gone down to the low mark, so that the writer below gets few large writes instead of
//! many that make just enough room. A piece larger than the high mark is never copied as a whole: it is given
//! to the writer below together with what is kept, and once some of it has gone the rest is kept. So no more
//! is kept than `max(high, low + high, that one piece)`.
//!
//! *After an error* nothing is kept any more without asking the writer below again: a lost connection is
//! reported by each further write, and a passing error (ENOBUFS) passes.
//!
//! *Why no task that sends in the background*, as a transport of asyncio has: its errors would come late and
//! to nobody, and its bytes would outlive the writer.

mod unsent;

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use self::unsent::Unsent;
use super::forward::read_by;
use super::traits::{AsyncRead, AsyncSeek, AsyncWrite};
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;

/// More than this is not kept, in bytes: as in asyncio.
const HIGH: usize = 64 * 1024;
/// What is kept goes down to this before more is taken, in bytes: as in asyncio.
const LOW: usize = 16 * 1024;

/// A writer with a buffer between two marks.
///
/// Its own [`write_all`](BufWriter::write_all) stands before the one of `AsyncWriteExt`, and is safer: it waits
/// for room, then takes all or nothing, so it can be dropped at any time and called again.
///
/// **Flush it, or close it, before it is dropped.** A drop cannot wait, so what is still kept is lost, and
/// with it the error that sending it would have met; `poll_close` sends it and tells. A debug build says
/// on standard error what was lost, unless a panic or an earlier error is the reason.
///
/// What is read comes straight through; see [`BufStream`](super::BufStream) for both.
///
/// ```
/// use mainspring::io::{AsyncWriteExt, BufWriter};
/// # mainspring::run(async {
/// let mut writer = BufWriter::new(Vec::new());
/// writer.write_all(b"tick ").await.unwrap();
/// writer.write_all(b"tock").await.unwrap();
/// assert_eq!((writer.unsent(), writer.get_ref().len()), (9, 0));
/// writer.flush().await.unwrap();
/// assert_eq!(writer.into_inner(), b"tick tock");
/// # }).unwrap();
/// ```
pub struct BufWriter<W> {
    inner: W,
    unsent: Unsent,
    low: usize,
    high: usize,
    /// A piece found no room, and what is kept is not down to the low mark yet.
    is_draining: bool,
    is_closed: bool,
}

impl<W> BufWriter<W> {
    /// A buffer in front of `inner` that keeps 64 KiB at most, and goes down to 16 KiB when it is full.
    #[track_caller]
    pub fn new(inner: W) -> BufWriter<W> {
        BufWriter::with_marks(LOW, HIGH, inner)
    }

    /// A buffer in front of `inner` that keeps `high` bytes at most, and goes down to `low` when a piece
    /// finds no room.
    ///
    /// # Panics
    /// If `low` is not below `high`.
    #[track_caller]
    pub fn with_marks(low: usize, high: usize, inner: W) -> BufWriter<W> {
        assert!(
            low < high,
            "the low mark, {low}, must be below the high one, {high}"
        );
        BufWriter {
            inner,
            unsent: Unsent::new(high),
            low,
            high,
            is_draining: false,
            is_closed: false,
        }
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// The writer below.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The writer below. What is written to it directly goes out before what is kept.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer below. What is kept is lost, as by a drop: [`BufWriter::into_parts`] gives both.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// The writer below, and what it has not been given.
    pub fn into_parts(self) -> (W, Vec<u8>) {
        (self.inner, self.unsent.into_bytes())
    }

    /// Whether a piece of `count` bytes may be kept without asking the writer below.
    fn has_room(&mut self, count: usize) -> bool {
        let kept = self.unsent.len();
        let is_low = kept <= self.low;
        let fits = count <= self.high.saturating_sub(kept) || is_low && count <= self.high;
        self.is_draining = !fits || self.is_draining && !is_low;
        !self.is_draining && !self.unsent.has_failed
    }
}

impl<W: AsyncWrite + Unpin> BufWriter<W> {
    /// Writes all of `piece`: waits until there is room, then keeps it. It is sent when room is needed, at
    /// the latest by a flush.
    ///
    /// # Cancel safety
    /// Safe: `piece` is taken as a whole, in the poll that says so, or not at all.
    ///
    /// # Errors
    /// Those of the writer below, whichever piece they belong to; `WriteZero` if it takes no more; `BrokenPipe`
    /// after a close. `piece` is not taken then.
    ///
    /// ```
    /// use mainspring::io::BufWriter;
    /// # mainspring::run(async {
    /// let mut writer = BufWriter::with_marks(2, 8, Vec::new());
    /// writer.write_all(b"12345").await.unwrap();
    /// writer.write_all(b"6789").await.unwrap();
    /// let (sent, kept) = writer.into_parts();
    /// assert_eq!((&sent[..], &kept[..]), (&b"12345"[..], &b"6789"[..]));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn write_all<'a>(&'a mut self, piece: &'a [u8]) -> BufWriteAll<'a, W> {
        BufWriteAll {
            writer: self,
            piece,
            caller: Caller::here(),
        }
    }

    /// Waits until a piece of `count` bytes has room, or until some of `piece` itself could be given to the
    /// writer below: how much of it was.
    fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        count: usize,
        piece: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_spend(cx));
        if self.is_closed {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "written to after it was closed",
            )));
        }
        while !self.has_room(count) {
            // What can be kept as a whole waits for room. What cannot, and whatever comes after an error,
            // has to be taken below first.
            let is_direct = count > self.high || self.unsent.has_failed;
            let given = if is_direct { piece } else { &[] };
            let given = ready!(self.unsent.poll_give(&mut self.inner, cx, given))?;
            if given > 0 {
                return Poll::Ready(Ok(given));
            }
        }
        Poll::Ready(Ok(0))
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<()>> {
        if !piece.is_empty() {
            let given = ready!(self.poll_room(cx, piece.len(), piece))?;
            self.unsent.keep(&piece[given..]);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is kept.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unsent.len() > 0 {
            ready!(self.unsent.poll_give(&mut self.inner, cx, &[]))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BufWriter<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // With nothing kept, a large buffer goes straight through, as far as it goes.
        if this.unsent.len() == 0 && buf.len() > this.high {
            let given = ready!(this.poll_room(cx, buf.len(), buf))?;
            return Poll::Ready(Ok(given));
        }
        let piece = &buf[..buf.len().min(this.high)];
        ready!(this.poll_write_all(cx, piece))?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let lengths = bufs.iter().map(|buf| buf.len());
        let count = lengths.fold(0, usize::saturating_add);
        // hz_d09: nothing needs no room.
        if count == 0 {
            return Poll::Ready(Ok(0));
        }
        if count <= this.high && !this.unsent.has_failed {
            ready!(this.poll_room(cx, count, &[]))?;
            bufs.iter().for_each(|buf| this.unsent.keep(buf));
            return Poll::Ready(Ok(count));
        }
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(buf) => Pin::new(this).poll_write(cx, buf),
            None => Poll::Ready(Ok(0)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        ready!(Pin::new(&mut this.inner).poll_close(cx))?;
        this.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

/// Straight through: reading and writing know nothing of each other.
impl<W: AsyncRead + Unpin> AsyncRead for BufWriter<W> {
    read_by!(this => Pin::new(&mut this.get_mut().inner));
}

/// What is kept belongs to the place before: it is sent first.
impl<W: AsyncWrite + AsyncSeek + Unpin> AsyncSeek for BufWriter<W> {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_seek(cx, position)
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("inner", &self.inner)
            .field("unsent", &self.unsent.len())
            .field("low", &self.low)
            .field("high", &self.high)
            .finish()
    }
}

/// Writes all of a piece. Made by [`BufWriter::write_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BufWriteAll<'a, W> {
    writer: &'a mut BufWriter<W>,
    piece: &'a [u8],
    caller: Caller,
}

impl<W: AsyncWrite + Unpin> Future for BufWriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (writer, piece) = (&mut *this.writer, this.piece);
        this.caller.within(|| writer.poll_write_all(cx, piece))
    }
}
