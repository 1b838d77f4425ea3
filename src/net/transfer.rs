//! The named futures of stream sockets: `Read`, `Write`, `WriteAll`.
//!
//! *Model.* Each borrows its socket and embeds one wait node. It tries first, waits only after a
//! WouldBlock, and its drop leaves the queue.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket;

use super::socket::Socket;
use crate::pin::{pinned, pinned_beside, pinned_in_drop};
use crate::reactor::Direction;
use crate::task::wait::WaitNode;

/// Reads some bytes. Made by the `read` of a stream.
///
/// # Cancel safety
/// Safe: bytes are taken only in the poll that returns them.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a> {
    socket: &'a Socket,
    buf: &'a mut [u8],
    node: WaitNode<()>,
}

impl<'a> Read<'a> {
    #[inline]
    pub(crate) fn new(
        socket: &'a Socket,
        buf: &'a mut [u8],
        location: &'static Location<'static>,
    ) -> Read<'a> {
        Read {
            socket,
            buf,
            node: WaitNode::new(Direction::Read.kind(), location),
        }
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
        let socket = self.socket;
        let asked = self.buf.len();
        let (node, buf) = pinned_beside!(self, node, buf);
        let polled = socket.poll_with(Direction::Read, node, cx, |fd| socket::recv(fd, buf));
        let done = ready!(polled)?;
        socket.received(done, asked);
        Poll::Ready(Ok(done))
    }
}

impl Drop for Read<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.socket
                .cancel(Direction::Read, pinned_in_drop!(self, node));
        }
    }
}

impl fmt::Debug for Read<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read")
            .field("asked", &self.buf.len())
            .finish_non_exhaustive()
    }
}

/// Writes some bytes. Made by the `write` of a stream.
///
/// # Cancel safety
/// Safe: bytes are given only in the poll that returns their number.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a> {
    socket: &'a Socket,
    buf: &'a [u8],
    node: WaitNode<()>,
}

impl<'a> Write<'a> {
    #[inline]
    pub(crate) fn new(
        socket: &'a Socket,
        buf: &'a [u8],
        location: &'static Location<'static>,
    ) -> Write<'a> {
        Write {
            socket,
            buf,
            node: WaitNode::new(Direction::Write.kind(), location),
        }
    }

    /// One successful `send`.
    #[inline]
    fn poll_send(self: Pin<&Self>, buf: &[u8], cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let socket = self.socket;
        let node = pinned!(self, node);
        let polled = socket.poll_with(Direction::Write, node, cx, |fd| socket::send(fd, buf));
        let done = ready!(polled)?;
        socket
            .source()
            .transferred(Direction::Write, done, buf.len());
        Poll::Ready(Ok(done))
    }
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let buf = self.buf;
        self.as_ref().poll_send(buf, cx)
    }
}

impl Drop for Write<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.socket
                .cancel(Direction::Write, pinned_in_drop!(self, node));
        }
    }
}

impl fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("asked", &self.buf.len())
            .finish_non_exhaustive()
    }
}

/// Writes all bytes. Made by the `write_all` of a stream.
///
/// # Cancel safety
/// Not safe, because nobody keeps how far it came: some of the bytes may be written.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteAll<'a> {
    write: Write<'a>,
    done: usize,
}

impl<'a> WriteAll<'a> {
    #[inline]
    pub(crate) fn new(
        socket: &'a Socket,
        buf: &'a [u8],
        location: &'static Location<'static>,
    ) -> WriteAll<'a> {
        WriteAll {
            write: Write::new(socket, buf, location),
            done: 0,
        }
    }
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.done < self.write.buf.len() {
            let rest = &self.write.buf[self.done..];
            let done = ready!(pinned!(self.as_ref(), write).poll_send(rest, cx))?;
            if done == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero)));
            }
            let total = self.done + done;
            *crate::pin::pinned_mut!(self.as_mut(), done).get_mut() = total;
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for WriteAll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAll")
            .field("done", &self.done)
            .field("asked", &self.write.buf.len())
            .finish_non_exhaustive()
    }
}
