//! `ReadOnPool`, `WriteOnPool`: a reader or a writer that blocks, awaited; its calls are made by the pool.
//!
//! *Model.* The stream travels with a buffer: it is *here*, or *away* with a job of the pool, one call at a
//! time.
//!
//! ```text
//!            the buffer is empty             the job is done
//!    here ───────────────────────► away ────────────────────► here, with bytes or an error
//!     │ bytes are left: taken at once
//! ```
//!
//! A reader reads ahead, up to a buffer of [`CAPACITY`]. A writer writes behind: what it took is in the
//! buffer, and an error of it comes out of the next call. What an error kept from being written stays, and
//! goes before all that comes later (hz_g09).
//!
//! *Cost.* A trip to another thread and back per buffer.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::traits::{AsyncBufRead, AsyncRead, AsyncWrite, checked};
use crate::blocking::spawn_at;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;
use crate::task::join::JoinHandle;

/// Of the buffer that travels with the stream, in bytes.
const CAPACITY: usize = 64 * 1024;

/// A stream with its buffer.
struct Cargo<S> {
    stream: S,
    buf: Box<[u8]>,
    /// The bytes that were read and not taken, or that are to be written.
    start: usize,
    end: usize,
}

/// What a job of the pool does with it.
type Call<S> = fn(&mut Cargo<S>) -> io::Result<()>;

enum Place<S> {
    Here(Box<Cargo<S>>),
    Away(JoinHandle<(Box<Cargo<S>>, io::Result<()>)>),
    /// The stream panicked, or its loop ended, while it was away.
    Lost,
}

struct Traveller<S> {
    place: Place<S>,
    made_at: &'static Location<'static>,
}

impl<S: Send + 'static> Traveller<S> {
    fn new(stream: S, made_at: &'static Location<'static>) -> Traveller<S> {
        let cargo = Cargo {
            stream,
            buf: Box::default(),
            start: 0,
            end: 0,
        };
        Traveller {
            place: Place::Here(Box::new(cargo)),
            made_at,
        }
    }

    /// Sends the stream, which is here, to a thread that calls it. It is away from now on; if no loop runs
    /// it stays.
    fn send(&mut self, call: Call<S>) -> io::Result<()> {
        let Place::Here(mut cargo) = std::mem::replace(&mut self.place, Place::Lost) else {
            return Err(lost());
        };
        if !crate::context::is_entered() {
            self.place = Place::Here(cargo);
            return Err(crate::reactor::no_loop());
        }
        let work = move || {
            let result = call(&mut cargo);
            (cargo, result)
        };
        let location = Caller::current().unwrap_or(self.made_at);
        let handle = spawn_at(work, location).ok_or_else(crate::reactor::no_loop)?;
        self.place = Place::Away(handle);
        Ok(())
    }

    /// `Ready` when the stream is here; with the error of the call that it comes from, once.
    fn poll_here(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Cargo<S>>> {
        if let Place::Away(handle) = &mut self.place {
            let came_back = ready!(Pin::new(handle).poll(cx));
            self.place = Place::Lost;
            let (cargo, result) = came_back.map_err(io::Error::from)?;
            self.place = Place::Here(cargo);
            result?;
        }
        Poll::Ready(self.here().ok_or_else(lost))
    }

    fn here(&mut self) -> Option<&mut Cargo<S>> {
        match &mut self.place {
            Place::Here(cargo) => Some(cargo),
            Place::Away(_) | Place::Lost => None,
        }
    }

    fn into_inner(self) -> Option<S> {
        match self.place {
            Place::Here(cargo) => Some(cargo.stream),
            Place::Away(_) | Place::Lost => None,
        }
    }
}

#[cold]
fn lost() -> io::Error {
    io::Error::other("the stream panicked, or its loop ended, while a thread had it")
}

impl<S> fmt::Debug for Traveller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.place {
            Place::Here(_) => "here",
            Place::Away(_) => "away",
            Place::Lost => "lost",
        })
    }
}

/// Reads `reader`, whose calls may block, by the pool: standard input, a pipe of another library, a
/// decompressor. It must block: a `WouldBlock` of it is an error here.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt};
/// # mainspring::run(async {
/// let mut file = io::read_on_pool(std::fs::File::open("Cargo.toml").unwrap());
/// let mut text = String::new();
/// file.read_to_string(&mut text).await.unwrap();
/// assert!(text.contains("[package]"));
/// # }).unwrap();
/// ```
#[track_caller]
pub fn read_on_pool<R>(reader: R) -> ReadOnPool<R>
where
    R: io::Read + Send + 'static,
{
    ReadOnPool(Traveller::new(reader, Location::caller()))
}

/// A reader whose calls are made by the pool. Made by [`read_on_pool`].
///
/// A read that is dropped loses nothing: what comes later stands in the buffer for the next. If the reader
/// itself is dropped while a thread has it, the thread ends its call, and what that read is gone.
#[derive(Debug)]
pub struct ReadOnPool<R>(Traveller<R>);

impl<R: io::Read + Send + 'static> ReadOnPool<R> {
    /// The reader, unless a thread has it. Bytes that were read ahead are lost.
    pub fn into_inner(self) -> Option<R> {
        self.0.into_inner()
    }
}

fn read<R: io::Read>(cargo: &mut Cargo<R>) -> io::Result<()> {
    if cargo.buf.is_empty() {
        cargo.buf = vec![0; CAPACITY].into_boxed_slice();
    }
    let count = loop {
        match cargo.stream.read(&mut cargo.buf) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    cargo.start = 0;
    cargo.end = checked(count, cargo.buf.len())?;
    Ok(())
}

impl<R: io::Read + Send + 'static> AsyncBufRead for ReadOnPool<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let traveller = &mut self.get_mut().0;
        match traveller.here() {
            Some(cargo) if cargo.start < cargo.end => ready!(poll_spend(cx)),
            Some(_) => traveller.send(read)?,
            None => {}
        }
        let cargo = ready!(traveller.poll_here(cx))?;
        Poll::Ready(Ok(&cargo.buf[cargo.start..cargo.end]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let shown = self.get_mut().0.here();
        let shown = shown.filter(|cargo| count <= cargo.end - cargo.start);
        match shown {
            Some(cargo) => cargo.start += count,
            None => assert!(count == 0, "more bytes were consumed than were shown"),
        }
    }
}

impl<R: io::Read + Send + 'static> AsyncRead for ReadOnPool<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Poll::Ready(Ok(count))
    }
}

/// Writes to `writer`, whose calls may block, by the pool. It must block: a `WouldBlock` of it is an error
/// here.
///
/// A write takes its bytes at once if no call is under way, and an error of them comes out of the next call:
/// call `flush` or `close` at the end. The bytes that could not be written are kept, and the call after that
/// tries them again: none is lost, doubled or overtaken, but by who gives up.
///
/// ```
/// use mainspring::io::{self, AsyncWriteExt};
/// # mainspring::run(async {
/// let mut out = io::write_on_pool(std::io::stdout());
/// out.write_all(b"tick\n").await.unwrap();
/// out.flush().await.unwrap();
/// # }).unwrap();
/// ```
#[track_caller]
pub fn write_on_pool<W>(writer: W) -> WriteOnPool<W>
where
    W: io::Write + Send + 'static,
{
    WriteOnPool {
        traveller: Traveller::new(writer, Location::caller()),
        is_flushed: true,
        is_closed: false,
    }
}

/// A writer whose calls are made by the pool. Made by [`write_on_pool`].
///
/// If it is dropped while a thread has it, or is about to, that call is made all the same: what it took is
/// written, unless the loop ends before a thread had time for it. An error of that is lost, with the bytes
/// that it kept.
#[derive(Debug)]
pub struct WriteOnPool<W> {
    traveller: Traveller<W>,
    /// Nothing was written since the last flush, or the flush is under way.
    is_flushed: bool,
    is_closed: bool,
}

impl<W: io::Write + Send + 'static> WriteOnPool<W> {
    /// The writer, unless a thread has it: not before a flush has returned, to be sure.
    pub fn into_inner(self) -> Option<W> {
        self.traveller.into_inner()
    }
}

fn write<W: io::Write>(cargo: &mut Cargo<W>) -> io::Result<()> {
    while cargo.start < cargo.end {
        let rest = &cargo.buf[cargo.start..cargo.end];
        match cargo.stream.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => cargo.start += checked(count, rest.len())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn flush<W: io::Write>(cargo: &mut Cargo<W>) -> io::Result<()> {
    cargo.stream.flush()
}

impl<W: io::Write + Send + 'static> WriteOnPool<W> {
    /// Ready when the writer is here and all that it took is written.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let cargo = ready!(self.traveller.poll_here(cx))?;
        if cargo.start < cargo.end {
            // An error kept it here, which was told of before.
            self.traveller.send(write)?;
            ready!(self.traveller.poll_here(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: io::Write + Send + 'static> AsyncWrite for WriteOnPool<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_closed {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(this.poll_written(cx))?;
        let cargo = ready!(this.traveller.poll_here(cx))?;
        if cargo.buf.is_empty() {
            cargo.buf = vec![0; CAPACITY].into_boxed_slice();
        }
        let count = buf.len().min(cargo.buf.len());
        cargo.buf[..count].copy_from_slice(&buf[..count]);
        (cargo.start, cargo.end) = (0, count);
        this.traveller.send(write)?;
        this.is_flushed = false;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        if !this.is_flushed {
            this.traveller.send(flush)?;
            this.is_flushed = true;
            ready!(this.traveller.poll_here(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }
}
