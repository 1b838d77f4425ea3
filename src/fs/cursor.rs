//! `Cursor`: what reads, writes and seeks where the file stands, one after the other.
//!
//! *Model.* At most one job is under way at a time, the *flight*. A read that is dropped loses nothing: what its job brings
//! stands *ahead* for the next read, and a write or a seek goes back over it first.
//!
//! ```text
//!    poll_read ──► ahead? ──► in memory? ──► flight: a thread reads as much as the caller asked
//!                    ▲                          │
//!                    └──────────────────────────┘
//!    poll_write ─► back over what is ahead ─► lane (`shared.rs`) ─► flight: a writer
//! ```
//!
//! *Seeks.* The kernel's own place in the file is the only one; to move it asks no disk, so the loop's thread does it. Only where
//! the end is may take a while: a job asks that.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, SeekFrom};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::op::{may_ask_here, send};
use super::shared::{Shared, Standing, Taken};
use crate::context;
use crate::reactor::no_loop;
use crate::task::budget::{poll_spend, spend_more};
use crate::task::join::JoinHandle;

/// The loop's thread copies so much from the page cache at once: 2 microseconds, measured with a warm cache.
const HERE_MAX: usize = 64 * 1024;
/// Each so many bytes cost a unit of the poll's budget.
const UNIT: usize = 8 * 1024;
/// A job reads so much at once.
const READ_MAX: usize = 1024 * 1024;

pub(super) struct Cursor {
    shared: Arc<Shared>,
    flight: Option<Flight>,
    ahead: Ahead,
    is_closed: bool,
    made_at: &'static Location<'static>,
}

enum Flight {
    Read(JoinHandle<(Ahead, io::Result<()>)>),
    Write(JoinHandle<()>),
    End(JoinHandle<io::Result<u64>>),
}

/// Bytes that were read and that nobody took.
#[derive(Default)]
struct Ahead {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Ahead {
    fn len(&self) -> usize {
        self.end - self.start
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let count = self.len().min(buf.len());
        buf[..count].copy_from_slice(&self.buf[self.start..self.start + count]);
        self.start += count;
        count
    }

    /// Reads so many bytes, at most.
    fn fill(&mut self, shared: &Shared, len: usize) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        if self.buf.len() < len {
            self.buf.resize(len, 0);
        }
        shared.drain()?;
        self.end = sys::read_some(shared.file(), &mut self.buf[..len])?;
        Ok(())
    }
}

impl Cursor {
    pub(super) fn new(shared: Arc<Shared>, made_at: &'static Location<'static>) -> Cursor {
        Cursor {
            shared,
            flight: None,
            ahead: Ahead::default(),
            is_closed: false,
            made_at,
        }
    }

    /// Ready when no job is under way; with what the one said that asked for the end, or with a read's error.
    fn poll_landed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<u64>>> {
        let landed = match &mut self.flight {
            None => Ok(None),
            Some(Flight::Read(job)) => match ready!(Pin::new(job).poll(cx)) {
                Ok((ahead, result)) => {
                    self.ahead = ahead;
                    result.map(|()| None)
                }
                Err(error) => Err(error.into()),
            },
            Some(Flight::End(job)) => match ready!(Pin::new(job).poll(cx)) {
                Ok(end) => end.map(Some),
                Err(error) => Err(error.into()),
            },
            Some(Flight::Write(job)) => match ready!(Pin::new(job).poll(cx)) {
                Ok(()) => Ok(None),
                Err(error) => {
                    self.shared.set_writer_coming(false);
                    Err(error.into())
                }
            },
        };
        self.flight = None;
        Poll::Ready(landed)
    }

    fn send_writer(&mut self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let job = send(move || shared.write(), self.made_at);
        if job.is_err() {
            self.shared.set_writer_coming(false);
        }
        self.flight = Some(Flight::Write(job?));
        Ok(())
    }

    /// Reads into the buffers in turn, which hold `room` bytes in all.
    pub(super) fn poll_read<B: AsMut<[u8]>>(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [B],
    ) -> Poll<io::Result<usize>> {
        let room: usize = bufs.iter_mut().map(|buf| buf.as_mut().len()).sum();
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        loop {
            if self.ahead.len() > 0 {
                ready!(poll_spend(cx));
                let taken = bufs.iter_mut().map(|buf| self.ahead.take(buf.as_mut()));
                return Poll::Ready(Ok(taken.sum()));
            }
            let is_read = matches!(self.flight, Some(Flight::Read(_)));
            if self.flight.is_some() {
                ready!(self.poll_landed(cx))?;
                if is_read && self.ahead.len() == 0 {
                    return Poll::Ready(Ok(0));
                }
                continue;
            }
            if may_ask_here() && matches!(self.shared.standing(), Standing::Empty) {
                ready!(poll_spend(cx));
                if let Some(count) = self.read_here(bufs) {
                    spend_more(count / UNIT);
                    return Poll::Ready(Ok(count));
                }
            }
            let shared = Arc::clone(&self.shared);
            let mut ahead = std::mem::take(&mut self.ahead);
            let job = send(
                move || {
                    let result = ahead.fill(&shared, room.min(READ_MAX));
                    (ahead, result)
                },
                self.made_at,
            );
            self.flight = Some(Flight::Read(job?));
        }
    }

    /// What the page cache has, into the first buffer that holds anything.
    fn read_here<B: AsMut<[u8]>>(&self, bufs: &mut [B]) -> Option<usize> {
        let mut bufs = bufs.iter_mut().map(AsMut::as_mut);
        let buf = bufs.find(|buf| !buf.is_empty())?;
        let most = buf.len().min(HERE_MAX);
        sys::read_now(self.shared.file(), &mut buf[..most])
    }

    /// Ready when the kernel's place in the file is the caller's.
    fn poll_rewound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.flight, Some(Flight::Read(_) | Flight::End(_))) {
            // Its error was that of somebody who no longer waits.
            let _ = ready!(self.poll_landed(cx));
        }
        if self.ahead.len() > 0 {
            let back = SeekFrom::Current(-(self.ahead.len() as i64));
            match sys::seek(self.shared.file(), back) {
                Ok(_) => self.ahead.start = self.ahead.end,
                // A terminal, a FIFO: what was read stays for the next read.
                Err(error) if error.kind() == ErrorKind::NotSeekable => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed {
            let text = "the file was closed for writing";
            return Poll::Ready(Err(io::Error::new(ErrorKind::BrokenPipe, text)));
        }
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if !context::is_entered() {
            return Poll::Ready(Err(no_loop()));
        }
        ready!(self.poll_rewound(cx))?;
        loop {
            ready!(poll_spend(cx));
            match self.shared.take(bufs.iter().map(|buf| &**buf))? {
                Taken::Some(count) => return Poll::Ready(Ok(count)),
                Taken::SendWriter(count) => {
                    self.send_writer()?;
                    if count > 0 {
                        return Poll::Ready(Ok(count));
                    }
                }
                Taken::Full => {
                    ready!(self.poll_landed(cx))?;
                }
            }
        }
    }

    /// Ready when all that was taken is written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(Flight::Write(_)) = self.flight {
                ready!(self.poll_landed(cx))?;
            }
            self.shared.take_error()?;
            match self.shared.standing() {
                Standing::Empty => return Poll::Ready(Ok(())),
                // Somebody else drains: a writer behind him has little to do.
                Standing::Busy | Standing::Left => {
                    if self.flight.is_some() {
                        let _ = ready!(self.poll_landed(cx));
                    }
                    self.shared.set_writer_coming(true);
                    self.send_writer()?;
                }
            }
        }
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }

    /// Ready when what was written is written and the kernel's place in the file is the caller's.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.poll_rewound(cx)
    }

    pub(super) fn poll_seek(
        &mut self,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        loop {
            let is_end_asked = matches!(self.flight, Some(Flight::End(_)));
            let SeekFrom::End(distance) = position else {
                ready!(self.poll_settled(cx))?;
                ready!(poll_spend(cx));
                return Poll::Ready(sys::seek(self.shared.file(), position));
            };
            if is_end_asked {
                let Some(end) = ready!(self.poll_landed(cx))? else {
                    continue;
                };
                let place = end.checked_add_signed(distance).ok_or_else(before_start)?;
                return Poll::Ready(sys::seek(self.shared.file(), SeekFrom::Start(place)));
            }
            ready!(self.poll_settled(cx))?;
            let shared = Arc::clone(&self.shared);
            let job = send(move || sys::len_to_seek(shared.file()), self.made_at)?;
            self.flight = Some(Flight::End(job));
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Standing::Left = self.shared.standing() {
            // An error had it left: it is tried once more, by a thread if there is one, else where the last
            // reference is dropped.
            let shared = Arc::clone(&self.shared);
            drop(send(move || drop(shared), self.made_at));
        }
    }
}

#[cold]
fn before_start() -> io::Error {
    let text = "a seek to a place before the start of the file";
    io::Error::new(ErrorKind::InvalidInput, text)
}
