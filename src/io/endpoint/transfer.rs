//! The named futures of stream sockets and pipes: `Read`, `Write` and their kin.
//!
//! *Model.* Each borrows its endpoint and embeds one [`Wait`]. It tries first, waits only after a
//! WouldBlock, and its drop leaves the queue.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, Moved};

use super::{Endpoint, Family};
use crate::pin::{pinned, pinned_beside, pinned_in_drop};
use crate::reactor::Direction;
use crate::task::wait::WaitNode;

/// Which direction a wait is for; known to the compiler, where its type says so.
pub(crate) trait Way: Copy {
    fn direction(self) -> Direction;
}

/// What reads.
#[derive(Clone, Copy)]
pub(crate) struct Reading;

impl Way for Reading {
    #[inline(always)]
    fn direction(self) -> Direction {
        Direction::Read
    }
}

/// What writes.
#[derive(Clone, Copy)]
pub(crate) struct Writing;

impl Way for Writing {
    #[inline(always)]
    fn direction(self) -> Direction {
        Direction::Write
    }
}

impl Way for Direction {
    #[inline]
    fn direction(self) -> Direction {
        self
    }
}

/// A wait for one direction of a socket: what each named future embeds.
pub(crate) struct Wait<'a, W: Way> {
    endpoint: &'a Endpoint,
    way: W,
    node: WaitNode<()>,
}

impl<'a, W: Way> Wait<'a, W> {
    #[inline]
    pub(crate) fn new(
        endpoint: &'a Endpoint,
        way: W,
        location: &'static Location<'static>,
    ) -> Wait<'a, W> {
        Wait {
            endpoint,
            way,
            node: WaitNode::new(way.direction().kind(), location),
        }
    }

    /// Runs `operation` as soon as it may succeed, and again while it says WouldBlock.
    #[inline]
    pub(crate) fn poll_with<R>(
        self: Pin<&Self>,
        cx: &Context<'_>,
        operation: impl FnMut(&Fd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let node = pinned!(self, node);
        self.endpoint
            .poll_with(self.way.direction(), node, cx, operation)
    }

    /// How bytes are moved here.
    #[inline]
    fn family(&self) -> Family {
        self.endpoint.family()
    }

    #[inline]
    pub(crate) fn endpoint(&self) -> &'a Endpoint {
        self.endpoint
    }

    /// As [`Wait::poll_with`], for an operation that moves bytes.
    #[inline]
    pub(crate) fn poll_move(
        self: Pin<&Self>,
        cx: &Context<'_>,
        operation: impl FnMut(&Fd) -> io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        let moved = ready!(self.poll_with(cx, operation))?;
        Poll::Ready(Ok(self.endpoint.moved(self.way.direction(), moved)))
    }
}

impl<W: Way> Drop for Wait<'_, W> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.endpoint
                .cancel(self.way.direction(), pinned_in_drop!(self, node));
        }
    }
}

/// What a future says of itself: how much it is asked for.
macro_rules! debug {
    ($($future:ident<$($lifetime:tt),*>: $asked:ident,)*) => {$(
        impl fmt::Debug for $future<$($lifetime),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future))
                    .field(stringify!($asked), &self.$asked.len())
                    .finish_non_exhaustive()
            }
        }
    )*};
}

debug! {
    Read<'_>: buf,
    Peek<'_>: buf,
    ReadVectored<'_, '_>: bufs,
    Write<'_>: buf,
    WriteVectored<'_>: bufs,
    WriteAll<'_>: rest,
}

/// Reads some bytes. Made by the `read` of a stream.
///
/// # Cancel safety
/// Safe: bytes are taken only in the poll that returns them.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a> {
    wait: Wait<'a, Reading>,
    buf: &'a mut [u8],
}

impl<'a> Read<'a> {
    #[inline]
    pub(crate) fn new(wait: Wait<'a, Reading>, buf: &'a mut [u8]) -> Read<'a> {
        Read { wait, buf }
    }
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // hz_d09: an empty buffer asks for nothing, and the answer 0 would look like the end.
        if self.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let (wait, buf) = pinned_beside!(self, wait, buf);
        let family = wait.family();
        wait.poll_move(cx, |fd| family.read(fd, buf))
    }
}

/// Looks at some bytes. Made by the `peek` of a stream.
///
/// # Cancel safety
/// Safe: nothing is taken.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Peek<'a> {
    wait: Wait<'a, Reading>,
    buf: &'a mut [u8],
}

impl<'a> Peek<'a> {
    pub(crate) fn new(wait: Wait<'a, Reading>, buf: &'a mut [u8]) -> Peek<'a> {
        Peek { wait, buf }
    }
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let (wait, buf) = pinned_beside!(self, wait, buf);
        // The bytes are there still: a short answer says nothing of the socket.
        wait.poll_with(cx, |fd| socket::peek(fd, buf))
    }
}

/// Reads some bytes into several buffers. Made by the `read_vectored` of a stream.
///
/// # Cancel safety
/// Safe: bytes are taken only in the poll that returns them.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadVectored<'a, 'b> {
    wait: Wait<'a, Reading>,
    bufs: &'a mut [IoSliceMut<'b>],
}

impl<'a, 'b> ReadVectored<'a, 'b> {
    pub(crate) fn new(
        wait: Wait<'a, Reading>,
        bufs: &'a mut [IoSliceMut<'b>],
    ) -> ReadVectored<'a, 'b> {
        ReadVectored { wait, bufs }
    }
}

impl Future for ReadVectored<'_, '_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let (wait, bufs) = pinned_beside!(self, wait, bufs);
        let family = wait.family();
        wait.poll_move(cx, |fd| family.read_vectored(fd, bufs))
    }
}

/// Writes some bytes. Made by the `write` of a stream.
///
/// # Cancel safety
/// Safe: bytes are given only in the poll that returns their number.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a> {
    wait: Wait<'a, Writing>,
    buf: &'a [u8],
}

impl<'a> Write<'a> {
    #[inline]
    pub(crate) fn new(wait: Wait<'a, Writing>, buf: &'a [u8]) -> Write<'a> {
        Write { wait, buf }
    }
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let buf = self.buf;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let family = self.wait.family();
        pinned!(self.as_ref(), wait).poll_move(cx, |fd| family.write(fd, buf))
    }
}

/// Writes some bytes of several buffers. Made by the `write_vectored` of a stream.
///
/// # Cancel safety
/// Safe: bytes are given only in the poll that returns their number.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteVectored<'a> {
    wait: Wait<'a, Writing>,
    bufs: &'a [IoSlice<'a>],
}

impl<'a> WriteVectored<'a> {
    pub(crate) fn new(wait: Wait<'a, Writing>, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        WriteVectored { wait, bufs }
    }
}

impl Future for WriteVectored<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let bufs = self.bufs;
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let family = self.wait.family();
        pinned!(self.as_ref(), wait).poll_move(cx, |fd| family.write_vectored(fd, bufs))
    }
}

/// Writes all bytes. Made by the `write_all` of a stream.
///
/// # Cancel safety
/// Not safe, because nobody keeps how far it came: some of the bytes may be written.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAll<'a> {
    wait: Wait<'a, Writing>,
    rest: &'a [u8],
}

impl<'a> WriteAll<'a> {
    #[inline]
    pub(crate) fn new(wait: Wait<'a, Writing>, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll { wait, rest: buf }
    }
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (wait, rest) = pinned_beside!(self, wait, rest);
        let family = wait.family();
        while !rest.is_empty() {
            let done = ready!(wait.poll_move(cx, |fd| family.write(fd, rest)))?;
            if done == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero)));
            }
            *rest = &rest[done..];
        }
        Poll::Ready(Ok(()))
    }
}

/// Waits until a direction of a stream is ready. Made by its `readable` and `writable`.
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct StreamReady<'a> {
    wait: Wait<'a, Direction>,
}

impl<'a> StreamReady<'a> {
    pub(crate) fn new(
        endpoint: &'a Endpoint,
        direction: Direction,
        location: &'static Location<'static>,
    ) -> StreamReady<'a> {
        StreamReady {
            wait: Wait::new(endpoint, direction, location),
        }
    }
}

impl Future for StreamReady<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wait.endpoint.source().doubt(self.wait.way);
        pinned!(self.as_ref(), wait).poll_with(cx, |_| Ok(()))
    }
}

impl fmt::Debug for StreamReady<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReady")
            .field("for", &self.wait.way)
            .finish()
    }
}
