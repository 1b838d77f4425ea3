//! `copy`, `copy_buf`, `copy_bidirectional`: all bytes of one stream, written to another.
//!
//! *Model.* Read, write all of it, read again. When the reader has nothing, the writer is flushed, so that
//! what has come so far arrives; a slow writer holds the reader back, because nothing is read before the
//! last read is written.
//!
//! *Buffers.* A copy begins with 8 KiB, which is all that a quiet connection ever costs. A read that
//! fills the buffer doubles it, up to 64 KiB.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::traits::{AsyncBufRead, AsyncRead, AsyncWrite, checked};
use crate::task::budget::poll_spend;

/// The buffer of a copy, to begin with. In bytes.
const BUF_LEN_MIN: usize = 8 << 10;
/// The buffer of a copy that is busy. In bytes. 512 MiB from one loopback connection to another take 8200
/// reads and as many writes with it, 65 700 with 8 KiB, 550 with 1 MiB, which a thousand busy connections
/// would pay for with a gigabyte.
const BUF_LEN_MAX: usize = 64 << 10;

/// Writes to `writer` all that comes from `reader`, to its end, flushes, and says how many bytes that
/// were. `writer` is not closed.
///
/// # Cancel safety
/// Not safe, because what was read and not yet written is lost. [`copy_buf`] is the safe twin.
///
/// # Errors
/// Those of both streams; `WriteZero` if `writer` takes nothing more.
///
/// ```
/// use mainspring::io;
/// # mainspring::run(async {
/// let (mut reader, mut writer) = (&b"tick"[..], Vec::new());
/// assert_eq!(io::copy(&mut reader, &mut writer).await.unwrap(), 4);
/// assert_eq!(writer, b"tick");
/// # }).unwrap();
/// ```
#[track_caller]
pub fn copy<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> Copy<'a, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    Copy {
        reader,
        writer,
        pump: Pump::new(),
        caller: Caller::here(),
    }
}

/// As [`copy`], from a reader that has a buffer: nothing is taken from it before it is written.
///
/// # Cancel safety
/// Safe: what was not written is still in the reader, and the call can be made again.
///
/// # Errors
/// As for [`copy`].
///
/// ```
/// use mainspring::io;
/// # mainspring::run(async {
/// let (mut reader, mut writer) = (&b"tick"[..], Vec::new());
/// assert_eq!(io::copy_buf(&mut reader, &mut writer).await.unwrap(), 4);
/// # }).unwrap();
/// ```
#[track_caller]
pub fn copy_buf<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> CopyBuf<'a, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    CopyBuf {
        reader,
        writer,
        moved: 0,
        is_unflushed: false,
        caller: Caller::here(),
    }
}

/// Copies both ways at once until both have ended, and says how many bytes went from `a` to `b`, and from
/// `b` to `a`. Where one stream ends, the other is [closed](AsyncWrite::poll_close) for writing, and the
/// other way goes on. An error of either stream ends it; [`CopyBidirectional::moved`] still tells the
/// counts.
///
/// Two sockets of this crate are joined for less by [`net::proxy`](crate::net::proxy()).
///
/// # Cancel safety
/// Not safe, because what was read and not yet written is lost.
///
/// # Errors
/// Those of both streams; `WriteZero` if one of them takes nothing more.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let (mut client, mut front) = io::duplex(64);
/// let (mut back, server) = io::duplex(64);
/// client.write(b"tick").await.unwrap();
/// drop((client, server));
/// let error = io::copy_bidirectional(&mut front, &mut back).await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
/// # }).unwrap();
/// ```
#[track_caller]
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional {
        a,
        b,
        there: Way::new(),
        back: Way::new(),
        is_back_first: false,
        caller: Caller::here(),
    }
}

/// Bytes on their way from a reader to a writer.
#[derive(Debug)]
struct Pump {
    buf: Vec<u8>,
    /// What of `buf` was read and not yet written.
    held: Range<usize>,
    moved: u64,
    is_full: bool,
    is_unflushed: bool,
    has_ended: bool,
}

impl Pump {
    fn new() -> Pump {
        Pump {
            buf: Vec::new(),
            held: 0..0,
            moved: 0,
            is_full: true,
            is_unflushed: false,
            has_ended: false,
        }
    }

    /// `Ready` when the reader has ended and the writer is flushed.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, r: &mut R, w: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            while !self.held.is_empty() {
                let held = &self.buf[self.held.clone()];
                let moved = ready!(poll_give(cx, w, held))?;
                self.held.start += moved;
                self.moved += moved as u64;
                self.is_unflushed = true;
            }
            if self.has_ended {
                return Pin::new(w).poll_flush(cx);
            }
            ready!(poll_spend(cx));
            if self.is_full && self.buf.len() < BUF_LEN_MAX {
                let len = (self.buf.len() * 2).max(BUF_LEN_MIN);
                // Nothing is held: a new block saves copying the old one.
                self.buf = vec![0; len];
            }
            let Poll::Ready(read) = Pin::new(&mut *r).poll_read(cx, &mut self.buf) else {
                return poll_flush_idle(cx, w, &mut self.is_unflushed);
            };
            let read = checked(read?, self.buf.len())?;
            self.held = 0..read;
            self.is_full = read == self.buf.len();
            self.has_ended = read == 0;
        }
    }
}

/// Writes some of `bytes`, at least one.
fn poll_give<W>(cx: &mut Context<'_>, w: &mut W, bytes: &[u8]) -> Poll<io::Result<usize>>
where
    W: AsyncWrite + Unpin + ?Sized,
{
    let given = checked(ready!(Pin::new(w).poll_write(cx, bytes))?, bytes.len())?;
    if given == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    Poll::Ready(Ok(given))
}

/// The reader has nothing for now: what was written goes on its way. `Ready` only with an error.
fn poll_flush_idle<W>(
    cx: &mut Context<'_>,
    w: &mut W,
    is_unflushed: &mut bool,
) -> Poll<io::Result<()>>
where
    W: AsyncWrite + Unpin + ?Sized,
{
    if *is_unflushed {
        ready!(Pin::new(w).poll_flush(cx))?;
        *is_unflushed = false;
    }
    Poll::Pending
}

/// Copies a stream. Made by [`copy`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Copy<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    pump: Pump,
    caller: Caller,
}

impl<R: ?Sized, W: ?Sized> Copy<'_, R, W> {
    /// How many bytes were written so far; also after an error.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.pump.moved
    }
}

impl<R, W> Future for Copy<'_, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        let (caller, pump) = (this.caller, &mut this.pump);
        ready!(caller.within(|| pump.poll(cx, this.reader, this.writer)))?;
        Poll::Ready(Ok(this.pump.moved))
    }
}

/// Copies a stream that has a buffer. Made by [`copy_buf`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CopyBuf<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    moved: u64,
    is_unflushed: bool,
    caller: Caller,
}

impl<R, W> CopyBuf<'_, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(poll_spend(cx));
            let Poll::Ready(bytes) = Pin::new(&mut *self.reader).poll_fill_buf(cx) else {
                return poll_flush_idle(cx, self.writer, &mut self.is_unflushed);
            };
            let bytes = bytes?;
            if bytes.is_empty() {
                return Pin::new(&mut *self.writer).poll_flush(cx);
            }
            let moved = ready!(poll_give(cx, self.writer, bytes))?;
            Pin::new(&mut *self.reader).consume(moved);
            self.moved += moved as u64;
            self.is_unflushed = true;
        }
    }
}

impl<R: ?Sized, W: ?Sized> CopyBuf<'_, R, W> {
    /// How many bytes were written so far; also after an error.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved
    }
}

impl<R, W> Future for CopyBuf<'_, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        ready!(this.caller.within(|| this.poll_all(cx)))?;
        Poll::Ready(Ok(this.moved))
    }
}

/// One of two ways: bytes, then the end, which is passed on.
#[derive(Debug)]
struct Way {
    pump: Pump,
    stage: Stage,
}

/// How far a way has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Moving,
    Closing,
    Closed,
}

impl Way {
    fn new() -> Way {
        Way {
            pump: Pump::new(),
            stage: Stage::Moving,
        }
    }

    fn poll<R, W>(&mut self, cx: &mut Context<'_>, r: &mut R, w: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.stage == Stage::Moving {
            ready!(self.pump.poll(cx, r, w))?;
            // Its buffer is of no use any more, and the other way may go on for days.
            self.pump.buf = Vec::new();
            self.stage = Stage::Closing;
        }
        if self.stage == Stage::Closing {
            ready!(Pin::new(w).poll_close(cx))?;
            self.stage = Stage::Closed;
        }
        Poll::Ready(Ok(()))
    }
}

/// Copies both ways. Made by [`copy_bidirectional`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
    a: &'a mut A,
    b: &'a mut B,
    there: Way,
    back: Way,
    /// The way that is polled first may use up the budget, so they take turns.
    is_back_first: bool,
    caller: Caller,
}

impl<A: ?Sized, B: ?Sized> CopyBidirectional<'_, A, B> {
    /// How many bytes went from `a` to `b`, and from `b` to `a`, so far; also after an error.
    #[must_use]
    pub fn moved(&self) -> (u64, u64) {
        (self.there.pump.moved, self.back.pump.moved)
    }
}

impl<A, B> CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_back_first = !self.is_back_first;
        let (there, back) = if self.is_back_first {
            let back = self.back.poll(cx, self.b, self.a)?;
            (self.there.poll(cx, self.a, self.b)?, back)
        } else {
            let there = self.there.poll(cx, self.a, self.b)?;
            (there, self.back.poll(cx, self.b, self.a)?)
        };
        if there.is_ready() && back.is_ready() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<(u64, u64)>> {
        let this = self.get_mut();
        ready!(this.caller.within(|| this.poll_both(cx)))?;
        Poll::Ready(Ok(this.moved()))
    }
}
