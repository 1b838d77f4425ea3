//! `Endpoint`: a descriptor that bytes go through, with its source, as every socket, pipe and terminal holds it.
//!
//! *Role.* Below `net`, `pipe` and `terminal`: tries an operation, waits after a WouldBlock, and closes the descriptor after it has left
//! the selector. The named futures over it stand in `transfer`, the methods that return them in `methods`.

pub(crate) mod methods;
pub(crate) mod transfer;

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket::{self, Moved};
use mainspring_sys::{Fd, pipe, stdio, terminal};

use crate::context;
use crate::io::caller::Caller;
use crate::reactor::{Direction, Source};
use crate::task::budget::poll_spend;
use crate::task::wait::WaitNode;

/// A non-blocking descriptor that closes, and leaves its selector, on drop.
pub(crate) struct Endpoint {
    fd: Option<Fd>,
    source: Rc<Source>,
    /// Whether the descriptor was ever shown to anybody, who may have duplicated it: then its
    /// registration must be removed before the close (B1, hz_c10).
    was_shown: Cell<bool>,
    family: Family,
}

/// By which calls bytes are moved; and what a short transfer says, which depends on who made the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A stream of bytes: a read takes what is there.
    Tcp,
    /// A queue of messages: a read stops behind one that carries descriptors, or another writer's
    /// credentials, whatever comes after it. Its reads have a call of their own, which tells.
    Unix,
    /// A stream of bytes in one direction, which is no socket: a pipe of our own.
    Pipe,
    /// Datagrams, whole or not at all: how long one is says nothing of the next.
    Datagram,
    /// A pipe that came from elsewhere, a FIFO: whoever writes into it may have asked for packets (O_DIRECT), and a read
    /// stops behind each, whatever comes after it. The reading end does not show that.
    StrangePipe,
    /// A terminal: a read stops behind a line, or a packet, whatever comes after it.
    Terminal,
    /// The other side of one, which reads as one does; when the last slave is gone, it is at its end.
    Master,
    /// A socket whose open file is shared, and may block others: each call is told not to wait.
    SharedSocket,
}

impl Family {
    /// Whether a short transfer says that nothing is left, or no room (hz_c05).
    #[inline]
    fn is_telling(self) -> bool {
        matches!(self, Family::Tcp | Family::Unix | Family::Pipe)
    }

    #[inline]
    pub(crate) fn read(self, fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
        match self {
            Family::Tcp => socket::recv(fd, buf),
            other => other.read_by_family(fd, buf),
        }
    }

    /// Out of line, so that a TCP stream pays for one comparison.
    #[inline(never)]
    fn read_by_family(self, fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
        match self {
            Family::Tcp | Family::Datagram => socket::recv(fd, buf),
            Family::Unix => socket::recv_unix(fd, &mut [IoSliceMut::new(buf)]),
            Family::Pipe | Family::StrangePipe | Family::Terminal => pipe::read(fd, buf),
            Family::Master => terminal::read_master(fd, buf),
            Family::SharedSocket => stdio::recv(fd, buf),
        }
    }

    pub(crate) fn read_vectored(self, fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
        match self {
            Family::Tcp | Family::Datagram => socket::recv_vectored(fd, bufs),
            Family::Unix => socket::recv_unix(fd, bufs),
            Family::Pipe | Family::StrangePipe | Family::Terminal => pipe::read_vectored(fd, bufs),
            Family::Master => terminal::read_master_vectored(fd, bufs),
            Family::SharedSocket => stdio::recv_vectored(fd, bufs),
        }
    }

    #[inline]
    pub(crate) fn write(self, fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
        match self {
            Family::Tcp => socket::send(fd, buf),
            other => other.write_by_family(fd, buf),
        }
    }

    #[inline(never)]
    fn write_by_family(self, fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
        match self {
            Family::Tcp | Family::Unix | Family::Datagram => socket::send(fd, buf),
            Family::Pipe | Family::StrangePipe => pipe::write(fd, buf),
            Family::Terminal | Family::Master => terminal::write(fd, buf),
            Family::SharedSocket => stdio::send(fd, buf),
        }
    }

    pub(crate) fn write_vectored(self, fd: &Fd, bufs: &[IoSlice<'_>]) -> io::Result<Moved> {
        match self {
            Family::Tcp | Family::Unix | Family::Datagram => socket::send_vectored(fd, bufs),
            Family::Pipe | Family::StrangePipe => pipe::write_vectored(fd, bufs),
            Family::Terminal | Family::Master => terminal::write_vectored(fd, bufs),
            Family::SharedSocket => stdio::send_vectored(fd, bufs),
        }
    }
}

impl Endpoint {
    /// A socket that this crate opened.
    pub(crate) fn new(fd: Fd, family: Family) -> Endpoint {
        Endpoint {
            fd: Some(fd),
            source: Source::new(),
            was_shown: Cell::new(false),
            family,
        }
    }

    /// A socket that came from outside.
    pub(crate) fn adopt(fd: OwnedFd, family: Family) -> io::Result<Endpoint> {
        Ok(Endpoint::adopted(socket::adopt(fd)?, family))
    }

    /// A socket that came from outside, and was made ready for us.
    pub(crate) fn adopted(fd: Fd, family: Family) -> Endpoint {
        let socket = Endpoint::new(fd, family);
        socket.was_shown.set(true);
        socket
    }

    /// Bytes were moved in `direction`; the answer is how many. What that says of the source depends on
    /// the family (hz_c05).
    #[inline]
    pub(crate) fn moved(&self, direction: Direction, moved: Moved) -> usize {
        if self.family.is_telling() {
            self.source.transferred(direction, moved.done, moved.asked);
        }
        moved.done
    }

    #[inline]
    pub(crate) fn fd(&self) -> &Fd {
        match &self.fd {
            Some(fd) => fd,
            None => unreachable!("who closes it goes through `open_fd` afterwards"),
        }
    }

    /// As [`Endpoint::fd`], for who may come after a [`Endpoint::close`].
    #[inline]
    fn open_fd(&self) -> io::Result<&Fd> {
        self.fd.as_ref().ok_or_else(closed)
    }

    /// Closes the descriptor; whatever is tried afterwards is a `BrokenPipe`. Idempotent.
    pub(crate) fn close(&mut self) {
        if let Some(fd) = self.fd.take() {
            self.source.close(Some(fd.as_fd()), !self.was_shown.get());
        }
    }

    #[inline]
    pub(crate) fn family(&self) -> Family {
        self.family
    }

    #[inline]
    pub(crate) fn source(&self) -> &Rc<Source> {
        &self.source
    }

    /// The descriptor, for the eyes of others.
    pub(crate) fn show(&self) -> BorrowedFd<'_> {
        self.was_shown.set(true);
        self.fd().as_fd()
    }

    /// The descriptor, taken out of the loop; it stays non-blocking.
    pub(crate) fn into_owned(mut self) -> OwnedFd {
        self.source.close(Some(self.fd().as_fd()), false);
        match self.fd.take() {
            Some(fd) => fd.into_owned(),
            None => unreachable!("only this function takes the descriptor"),
        }
    }

    #[inline(never)]
    fn wait(
        &self,
        direction: Direction,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let fd = self.open_fd()?.as_fd();
        self.source
            .poll_ready(direction, fd, node, cx, context::reactor)
    }

    /// A future that waits with `node` is dropped.
    #[cold]
    #[inline(never)]
    pub(crate) fn cancel(&self, direction: Direction, node: Pin<&WaitNode<()>>) {
        self.source.cancel(direction, node);
    }

    /// Runs `operation` as soon as it may succeed, and again while it says WouldBlock; waits with `node`.
    ///
    /// One completed operation costs one unit of the poll's budget; without any left the task yields.
    #[inline]
    pub(crate) fn poll_with<R>(
        &self,
        direction: Direction,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        operation: impl FnMut(&Fd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_until(direction, cx, operation, || self.wait(direction, node, cx))
    }

    /// As [`Endpoint::poll_with`], for a poll function, which waits with the source's resident node.
    /// `here` is its caller, for want of an extension future that says whose line it is.
    #[inline]
    pub(crate) fn poll_resident<R>(
        &self,
        direction: Direction,
        cx: &Context<'_>,
        here: &'static Location<'static>,
        operation: impl FnMut(&Fd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_until(direction, cx, operation, || {
            let location = Caller::current().unwrap_or(here);
            let node = self.source.resident(direction, location);
            self.wait(direction, node, cx)
        })
    }

    #[inline]
    fn poll_until<R>(
        &self,
        direction: Direction,
        cx: &Context<'_>,
        mut operation: impl FnMut(&Fd) -> io::Result<R>,
        mut wait: impl FnMut() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<R>> {
        loop {
            if !self.source.is_ready(direction) {
                ready!(wait())?;
            }
            ready!(poll_spend(cx));
            match operation(self.open_fd()?) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.source.clear(direction);
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Runs `operation`, which moves bytes, once and without waiting.
    pub(crate) fn try_move(
        &self,
        direction: Direction,
        operation: impl FnOnce(&Fd) -> io::Result<Moved>,
    ) -> io::Result<usize> {
        let moved = self.try_with(direction, operation)?;
        Ok(self.moved(direction, moved))
    }

    /// Runs `operation` once and without waiting.
    pub(crate) fn try_with<R>(
        &self,
        direction: Direction,
        operation: impl FnOnce(&Fd) -> io::Result<R>,
    ) -> io::Result<R> {
        let result = operation(self.open_fd()?);
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.source.clear(direction);
        }
        result
    }

    /// As [`Endpoint::poll_resident`], for an operation that moves bytes.
    #[track_caller]
    #[inline]
    fn poll_move(
        &self,
        direction: Direction,
        cx: &Context<'_>,
        operation: impl FnMut(&Fd) -> io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        let moved = ready!(self.poll_resident(direction, cx, Location::caller(), operation))?;
        Poll::Ready(Ok(self.moved(direction, moved)))
    }

    /// [`AsyncRead::poll_read`](crate::io::AsyncRead::poll_read) of every stream socket.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // hz_d09: an empty buffer asks for nothing, and the answer 0 would look like the end.
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_move(Direction::Read, cx, |fd| self.family.read(fd, buf))
    }

    /// [`AsyncRead::poll_read_vectored`](crate::io::AsyncRead::poll_read_vectored) of every stream socket.
    #[track_caller]
    pub(crate) fn poll_read_vectored(
        &self,
        cx: &Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_move(Direction::Read, cx, |fd| {
            self.family.read_vectored(fd, bufs)
        })
    }

    /// [`AsyncWrite::poll_write`](crate::io::AsyncWrite::poll_write) of every stream socket.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_move(Direction::Write, cx, |fd| self.family.write(fd, buf))
    }

    /// [`AsyncWrite::poll_write_vectored`](crate::io::AsyncWrite::poll_write_vectored) of every stream
    /// socket.
    #[track_caller]
    pub(crate) fn poll_write_vectored(
        &self,
        cx: &Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_move(Direction::Write, cx, |fd| {
            self.family.write_vectored(fd, bufs)
        })
    }

    /// [`AsyncWrite::poll_close`](crate::io::AsyncWrite::poll_close) of every stream socket: the peer reads
    /// to the end of what was written. A connection that is gone has nothing left to close (hz_d05).
    pub(crate) fn close_write(&self) -> io::Result<()> {
        match socket::shutdown(self.fd(), Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsRawFd for Endpoint {
    fn as_raw_fd(&self) -> RawFd {
        self.show().as_raw_fd()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.close();
    }
}

#[cold]
fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "it was closed here before")
}
