//! `Attempt`: a connect under way, for every kind of stream socket.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, Connecting};

use crate::io::endpoint::Endpoint;
use crate::pin::{pinned, pinned_in_drop, pinned_mut};
use crate::reactor::Direction;
use crate::task::wait::WaitNode;

/// A socket that is not connected yet, and the wait for it. Dropping it closes the socket.
pub(in crate::net) struct Attempt {
    socket: Option<Endpoint>,
    node: WaitNode<()>,
}

impl Attempt {
    pub(in crate::net) fn new(location: &'static Location<'static>) -> Attempt {
        Attempt {
            socket: None,
            node: WaitNode::new(Direction::Write.kind(), location),
        }
    }

    /// `begin` opens the socket and calls `connect`, at the first poll. The socket is registered after
    /// that only: a fresh one would be reported as hung up.
    pub(in crate::net) fn poll(
        mut self: Pin<&mut Self>,
        cx: &Context<'_>,
        begin: impl FnOnce() -> io::Result<(Endpoint, Connecting)>,
    ) -> Poll<io::Result<Endpoint>> {
        if self.socket.is_none() {
            let (socket, connecting) = begin()?;
            if connecting == Connecting::Connected {
                return Poll::Ready(Ok(socket));
            }
            socket.source().clear(Direction::Write);
            *pinned_mut!(self.as_mut(), socket).get_mut() = Some(socket);
        }
        let this = self.as_ref();
        let Some(socket) = &this.get_ref().socket else {
            unreachable!("it was put there above")
        };
        let node = pinned!(this, node);
        ready!(socket.poll_with(Direction::Write, node, cx, check))?;
        match pinned_mut!(self, socket).get_mut().take() {
            Some(socket) => Poll::Ready(Ok(socket)),
            None => unreachable!("it was there just now"),
        }
    }
}

/// Whether the attempt came to its end; a report may be spurious (B6).
fn check(fd: &Fd) -> io::Result<()> {
    if let Some(error) = socket::take_error(fd)? {
        return Err(error);
    }
    if socket::is_connected(fd)? {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let source = socket.source();
            source.cancel(Direction::Write, pinned_in_drop!(self, node));
        }
    }
}
