//! `SendFile`: a file, or a part of it, into a stream socket, by the kernel alone where it can.
//!
//! *Model.* Two ways, and one step from the first to the second:
//!
//! ```text
//!             the kernel refuses this file, this socket, or has no sendfile
//!    Sendfile ───────────────────────────────────────────────────────────► Pool
//!    one call moves what fits                          a thread reads a piece, the loop writes it, …
//! ```
//!
//! Both read at a position of their own and leave the file's alone, so the step loses and repeats nothing: what
//! a thread has read and nobody wrote was not taken from anywhere.
//!
//! *A short answer.* A `sendfile` that moves less than it was asked for met a full socket or the end of the
//! file. So shortness says nothing here, unlike after a `send`; only WouldBlock makes it wait.
//!
//! *Fairness.* A fast peer empties the socket while the kernel fills it, and one call could go on for the whole
//! file. A call is asked for [`CHUNK_LEN`] at most, and costs a unit of the budget for each [`UNIT_LEN`] that it moved.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::sendfile::{self, Shield};
use mainspring_sys::socket;

use crate::blocking::{Class, spawn_in_class_at};
use crate::io::endpoint::transfer::{Wait, Writing};
use crate::pin::pinned_beside;
use crate::reactor::no_loop;
use crate::task::budget::poll_spend;
use crate::task::join::AbortOnDrop;

/// What one `sendfile` is asked for at most. In bytes: some 200 microseconds of a fast machine.
const CHUNK_LEN: usize = 1 << 20;
/// How much is moved for a unit of the budget. In bytes: 8 MiB for a whole poll.
const UNIT_LEN: usize = 64 << 10;
/// What a thread of the pool reads at a time. In bytes.
const PIECE_LEN: usize = 256 << 10;

/// Which way a file took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SentBy {
    /// The kernel alone moved it.
    Sendfile,
    /// A thread of the pool read it, at least from some place on, and the loop wrote it.
    Pool,
}

/// What became of a file that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSent {
    /// How many bytes were sent: fewer than asked for if the file ended before.
    pub bytes: u64,
    /// Which way they took.
    pub by: SentBy,
}

/// Sends a file, or a part of it. Made by the `send_file` of a stream.
///
/// # Cancel safety
/// Not safe, because what was sent is sent, and only this future knows how much that is: ask
/// [`sent`](SendFile::sent) before it is dropped, and go on from there.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SendFile<'a> {
    wait: Wait<'a, Writing>,
    sending: Sending<'a>,
}

/// How far it came, and which way.
struct Sending<'a> {
    file: BorrowedFd<'a>,
    /// Where the next byte is in the file.
    offset: u64,
    /// How many are still to be sent.
    left: Count,
    sent: u64,
    way: Way,
    location: &'static Location<'static>,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// As many as the file has; it is still to be asked.
    Unasked,
    /// As many as come: it is a file that does not know its length.
    Unknown,
    Bytes(u64),
}

/// Which way the next bytes take.
enum Way {
    Sendfile,
    Pool(Place),
}

/// Where the buffer of the way by the pool is.
enum Place {
    None,
    Here(Cargo),
    /// With a job that reads, which is aborted if nobody waits for it any more.
    Away(AbortOnDrop<(Cargo, io::Result<usize>)>),
}

/// What travels between the loop and the pool.
struct Cargo {
    /// A duplicate, for the job may outlive the file that was borrowed.
    file: OwnedFd,
    buf: Box<[u8]>,
    /// What of `buf` was read and not yet written.
    start: usize,
    end: usize,
}

impl<'a> SendFile<'a> {
    pub(super) fn new(
        wait: Wait<'a, Writing>,
        file: BorrowedFd<'a>,
        offset: u64,
        count: Option<u64>,
        location: &'static Location<'static>,
    ) -> SendFile<'a> {
        SendFile {
            wait,
            sending: Sending {
                file,
                offset,
                left: count.map_or(Count::Unasked, Count::Bytes),
                sent: 0,
                way: Way::Sendfile,
                location,
            },
        }
    }

    /// Reads the file by a thread of the pool and never by the kernel's own way, which reads it on the loop's thread: for files
    /// that are not in memory, on a disk that is slow or a network that may hang. Costs a copy, and a trip to another
    /// thread per 256 KiB.
    pub fn by_pool(mut self) -> SendFile<'a> {
        self.sending.way = Way::Pool(Place::None);
        self
    }

    /// How many bytes were sent so far; also after an error.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sending.sent
    }

    /// Which way it takes now.
    #[must_use]
    pub fn by(&self) -> SentBy {
        self.sending.by()
    }
}

impl Sending<'_> {
    fn by(&self) -> SentBy {
        match self.way {
            Way::Sendfile => SentBy::Sendfile,
            Way::Pool(_) => SentBy::Pool,
        }
    }

    /// Asks how long the file is, if it is to be sent to its end. To ask the kernel for more than there is would
    /// make it hold back the last segment, waiting for the rest (Linux before 6.5).
    fn begin(&mut self) -> io::Result<()> {
        sendfile::check_offset(self.offset)?;
        if self.left == Count::Unasked {
            let len = sendfile::file_len(self.file)?;
            let left = len.map(|len| len.saturating_sub(self.offset));
            self.left = left.map_or(Count::Unknown, Count::Bytes);
        }
        Ok(())
    }

    /// How many bytes to ask for, of at most `most`.
    fn next_len(&self, most: usize) -> usize {
        match self.left {
            Count::Bytes(left) => usize::try_from(left).unwrap_or(most).min(most),
            Count::Unasked | Count::Unknown => most,
        }
    }

    fn advance(&mut self, count: usize) {
        let count = count as u64;
        self.sent += count;
        self.offset += count;
        if let Count::Bytes(left) = &mut self.left {
            *left -= count;
        }
    }

    /// The file has ended.
    fn end(&mut self) {
        self.left = Count::Bytes(0);
    }

    fn poll(
        &mut self,
        wait: Pin<&Wait<'_, Writing>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<FileSent>> {
        self.begin()?;
        let mut shield = None;
        while self.left != Count::Bytes(0) {
            ready!(match self.way {
                Way::Sendfile => self.poll_sendfile(wait, cx, &mut shield),
                Way::Pool(_) => self.poll_pool(wait, cx),
            })?;
        }
        Poll::Ready(Ok(FileSent {
            bytes: self.sent,
            by: self.by(),
        }))
    }

    /// One call.
    fn poll_sendfile(
        &mut self,
        wait: Pin<&Wait<'_, Writing>>,
        cx: &Context<'_>,
        shield: &mut Option<Shield>,
    ) -> Poll<io::Result<()>> {
        let len = self.next_len(CHUNK_LEN);
        let (file, offset) = (self.file, self.offset);
        let sent = ready!(wait.poll_with(cx, |socket| {
            shield.get_or_insert_with(Shield::new);
            sendfile::sendfile(socket, file, offset, len)
        }));
        match sent {
            Ok(0) => self.end(),
            Ok(count) => {
                self.advance(count);
                for _ in 0..count / UNIT_LEN {
                    ready!(poll_spend(cx));
                }
            }
            Err(error) if sendfile::is_refused(&error) => self.way = Way::Pool(Place::None),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }

    /// A piece from the pool, or one write.
    fn poll_pool(
        &mut self,
        wait: Pin<&Wait<'_, Writing>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Way::Pool(place) = &mut self.way else {
            unreachable!("the caller has looked");
        };
        match place {
            Place::Here(cargo) if cargo.start < cargo.end => {
                let bytes = &cargo.buf[cargo.start..cargo.end];
                let count = ready!(wait.poll_move(cx, |socket| socket::send(socket, bytes)))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                cargo.start += count;
                self.advance(count);
            }
            Place::Away(job) => {
                let (mut cargo, read) = ready!(Pin::new(job).poll(cx)).map_err(|error| {
                    *place = Place::None;
                    io::Error::from(error)
                })?;
                let count = *read.as_ref().unwrap_or(&0);
                (cargo.start, cargo.end) = (0, count);
                *place = Place::Here(cargo);
                read?;
                if count == 0 {
                    self.end();
                }
            }
            Place::Here(_) | Place::None => self.send_for_more()?,
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the buffer away, to be filled.
    fn send_for_more(&mut self) -> io::Result<()> {
        let len = self.next_len(PIECE_LEN);
        let offset = self.offset;
        let place = std::mem::replace(&mut self.way, Way::Pool(Place::None));
        let mut cargo = match place {
            Way::Pool(Place::Here(cargo)) => cargo,
            _ => Cargo {
                file: self.file.try_clone_to_owned()?,
                buf: vec![0; len].into_boxed_slice(),
                start: 0,
                end: 0,
            },
        };
        let read = move || {
            let len = len.min(cargo.buf.len());
            let read = sendfile::read_at(cargo.file.as_fd(), &mut cargo.buf[..len], offset);
            (cargo, read)
        };
        let job = spawn_in_class_at(read, Class::Files, self.location).ok_or_else(no_loop)?;
        self.way = Way::Pool(Place::Away(job.abort_on_drop()));
        Ok(())
    }
}

impl Future for SendFile<'_> {
    type Output = io::Result<FileSent>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<FileSent>> {
        let (wait, sending) = pinned_beside!(self, wait, sending);
        sending.poll(wait, cx)
    }
}

impl fmt::Debug for SendFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFile")
            .field("offset", &self.sending.offset)
            .field("sent", &self.sending.sent)
            .field("by", &self.by())
            .finish_non_exhaustive()
    }
}
