//! `duplex` and `simplex`: streams in memory, for tests and for tasks that talk to each other in bytes.
//!
//! *Model.* A [`Pipe`] holds at most its capacity; who finds it full, or empty, waits in a seat of its
//! side. A simplex is one pipe; a duplex is two, crosswise.
//!
//! ```text
//!     writer ──► bytes (at most `capacity`) ──► reader       full: the writer waits; empty: the reader
//!     writer gone or closed: the reader gets the rest, then the end
//!     reader gone: writes are BrokenPipe
//! ```
//!
//! *Cost.* No system call. One unit of the poll's budget per transfer, so that two tasks that always
//! find each other ready still let the others run.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::forward::{read_by, write_by};
use super::traits::{AsyncRead, AsyncWrite};
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// Two ends of a stream in memory: what is written to one is read from the other. Each way holds at most
/// `capacity` bytes; a writer that finds it full waits.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let (mut near, mut far) = io::duplex(4);
/// assert_eq!(near.write(b"tick-tock").await.unwrap(), 4);
/// let mut buf = [0; 8];
/// assert_eq!(far.read(&mut buf).await.unwrap(), 4);
/// drop(far);
/// assert_eq!(near.read(&mut buf).await.unwrap(), 0);
/// # }).unwrap();
/// ```
///
/// # Panics
/// If `capacity` is 0.
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    let (there_reader, there_writer) = simplex(capacity);
    let (back_reader, back_writer) = simplex(capacity);
    let near = DuplexStream {
        reader: back_reader,
        writer: there_writer,
    };
    let far = DuplexStream {
        reader: there_reader,
        writer: back_writer,
    };
    (near, far)
}

/// The two ends of a one-way stream in memory, which holds at most `capacity` bytes.
///
/// # Panics
/// If `capacity` is 0.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let (mut reader, mut writer) = io::simplex(64);
/// writer.write(b"tick").await.unwrap();
/// drop(writer);
/// let mut buf = [0; 8];
/// assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
/// assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
/// # }).unwrap();
/// ```
#[track_caller]
pub fn simplex(capacity: usize) -> (SimplexReader, SimplexWriter) {
    assert!(capacity > 0, "a pipe of capacity 0 can never be written to");
    let pipe = Rc::new(Pipe {
        bytes: RefCell::new(VecDeque::new()),
        capacity,
        has_ended: Cell::new(false),
        is_unread: Cell::new(false),
        reader: Seat::new(Kind::MemoryRead),
        writer: Seat::new(Kind::MemoryWrite),
    });
    (SimplexReader(Rc::clone(&pipe)), SimplexWriter(pipe))
}

/// The place of the one who waits at a side of a pipe. The latest waker replaces the one before.
struct Seat {
    kind: Kind,
    waiters: WaitQueue<()>,
    node: OnceCell<Pin<Box<WaitNode<()>>>>,
}

impl Seat {
    fn new(kind: Kind) -> Seat {
        Seat {
            kind,
            waiters: WaitQueue::new(),
            node: OnceCell::new(),
        }
    }

    fn poll_wait(&self, cx: &Context<'_>, location: &'static Location<'static>) -> Poll<()> {
        let make = || Box::pin(WaitNode::new(self.kind, location));
        let node = self.node.get_or_init(make);
        node.set_location(location);
        self.waiters.poll(node.as_ref(), cx, 0)
    }

    fn wake(&self) {
        self.waiters.give_all(|| ());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(node) = self.node.get() {
            let _ = self.waiters.cancel(node.as_ref());
        }
    }
}

/// Bytes on their way in memory.
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// The writer closed it, or is gone.
    has_ended: Cell<bool>,
    /// The reader is gone.
    is_unread: Cell<bool>,
    reader: Seat,
    writer: Seat,
}

impl Pipe {
    /// `take` moves bytes out, of which there are some.
    #[track_caller]
    fn poll_read(
        &self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut VecDeque<u8>) -> usize,
    ) -> Poll<io::Result<usize>> {
        let here = Location::caller();
        while self.bytes.borrow().is_empty() {
            if self.has_ended.get() {
                return Poll::Ready(Ok(0));
            }
            ready!(self.reader.poll_wait(cx, Caller::current().unwrap_or(here)));
        }
        ready!(poll_spend(cx));
        let taken = take(&mut self.bytes.borrow_mut());
        self.writer.wake();
        Poll::Ready(Ok(taken))
    }

    /// `put` moves bytes in, at most as many as it is told.
    #[track_caller]
    fn poll_write(
        &self,
        cx: &Context<'_>,
        put: impl FnOnce(&mut VecDeque<u8>, usize) -> usize,
    ) -> Poll<io::Result<usize>> {
        let here = Location::caller();
        loop {
            if self.is_unread.get() || self.has_ended.get() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.bytes.borrow().len() < self.capacity {
                break;
            }
            ready!(self.writer.poll_wait(cx, Caller::current().unwrap_or(here)));
        }
        ready!(poll_spend(cx));
        let mut bytes = self.bytes.borrow_mut();
        let room = self.capacity - bytes.len();
        let given = put(&mut bytes, room);
        drop(bytes);
        self.reader.wake();
        Poll::Ready(Ok(given))
    }

    fn end(&self) {
        self.has_ended.set(true);
        self.reader.wake();
    }
}

/// Moves the first bytes into `buf`, as many as there are, or fit.
fn take_into(bytes: &mut VecDeque<u8>, buf: &mut [u8]) -> usize {
    let count = bytes.len().min(buf.len());
    let (first, second) = bytes.as_slices();
    let split = first.len().min(count);
    buf[..split].copy_from_slice(&first[..split]);
    buf[split..count].copy_from_slice(&second[..count - split]);
    bytes.drain(..count);
    count
}

/// The end of a one-way stream in memory that reads. Made by [`simplex`].
pub struct SimplexReader(Rc<Pipe>);

impl AsyncRead for SimplexReader {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.0.poll_read(cx, |bytes| take_into(bytes, buf))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let take =
            |bytes: &mut VecDeque<u8>| bufs.iter_mut().map(|buf| take_into(bytes, buf)).sum();
        self.0.poll_read(cx, take)
    }
}

impl Drop for SimplexReader {
    fn drop(&mut self) {
        self.0.is_unread.set(true);
        self.0.bytes.take();
        self.0.writer.wake();
    }
}

/// The end of a one-way stream in memory that writes. Made by [`simplex`]. Closing or dropping it is the
/// end of the stream, after what was written.
pub struct SimplexWriter(Rc<Pipe>);

impl AsyncWrite for SimplexWriter {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let put = |bytes: &mut VecDeque<u8>, room: usize| {
            let mut left = room;
            for buf in bufs {
                let count = buf.len().min(left);
                bytes.extend(&buf[..count]);
                left -= count;
            }
            room - left
        };
        self.0.poll_write(cx, put)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimplexWriter {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// One end of a stream in memory. Made by [`duplex`]. Dropping it ends both ways: the peer reads the
/// rest, and its writes are BrokenPipe.
#[derive(Debug)]
pub struct DuplexStream {
    reader: SimplexReader,
    writer: SimplexWriter,
}

impl DuplexStream {
    /// The way in and the way out; [`join`](super::join()) makes one stream of them again.
    #[must_use]
    pub fn into_split(self) -> (SimplexReader, SimplexWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for DuplexStream {
    read_by!(this => Pin::new(&mut this.get_mut().reader));
}

impl AsyncWrite for DuplexStream {
    write_by!(this => Pin::new(&mut this.get_mut().writer));
}

impl fmt::Debug for SimplexReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimplexReader").field(&self.0).finish()
    }
}

impl fmt::Debug for SimplexWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimplexWriter").field(&self.0).finish()
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("held", &self.bytes.borrow().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
