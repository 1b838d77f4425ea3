//! The named futures of a UDP socket: `Recv`, `SendTo` and their kin.
//!
//! *Model.* As those of streams: each borrows its socket and embeds one wait. It tries first, waits only
//! after a WouldBlock, and its drop leaves the queue. What is tried stands in `call.rs`.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring_sys::socket::{
    self, Ancillary, QueuedError, ReceiveBatch, Received, SendBatch, Taken,
};

use super::call;
use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Reading, Wait, Way, Writing};
use crate::pin::{pinned, pinned_beside};
use crate::reactor::Direction;

/// A future that tries `$call` with what it was `$given`, and waits in between.
macro_rules! future {
    ($(#[$doc:meta])* $Name:ident, $Way:ident, $given:ident: $Given:ty, $Output:ty, |$fd:ident| $call:expr) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $Name<'a> {
            wait: Wait<'a, $Way>,
            $given: $Given,
        }

        impl<'a> $Name<'a> {
            #[inline]
            pub(super) fn new(wait: Wait<'a, $Way>, $given: $Given) -> $Name<'a> {
                $Name { wait, $given }
            }
        }

        impl Future for $Name<'_> {
            type Output = io::Result<$Output>;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<$Output>> {
                let (wait, $given) = pinned_beside!(self, wait, $given);
                wait.poll_with(cx, |$fd| $call)
            }
        }

        impl fmt::Debug for $Name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Name)).finish_non_exhaustive()
            }
        }
    };
}

future! {
    /// Receives a datagram from the peer. Made by [`UdpSocket::recv`](super::UdpSocket::recv).
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    Recv, Reading, buf: &'a mut [u8], Taken, |fd| socket::recv_datagram(fd, buf)
}

future! {
    /// Receives a datagram from anybody. Made by [`UdpSocket::recv_from`](super::UdpSocket::recv_from).
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    RecvFrom, Reading, buf: &'a mut [u8], (Taken, SocketAddr), |fd| socket::recv_datagram_from(fd, buf)
}

future! {
    /// Looks at a datagram. Made by [`UdpSocket::peek`](super::UdpSocket::peek).
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    Peek, Reading, buf: &'a mut [u8], Taken, |fd| socket::peek_datagram(fd, buf)
}

future! {
    /// Looks at a datagram and its sender. Made by [`UdpSocket::peek_from`](super::UdpSocket::peek_from).
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    PeekFrom, Reading, buf: &'a mut [u8], (Taken, SocketAddr), |fd| socket::peek_datagram_from(fd, buf)
}

future! {
    /// Sends a datagram to the peer. Made by [`UdpSocket::send`](super::UdpSocket::send).
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    Send, Writing, buf: &'a [u8], usize, |fd| socket::send_datagram(fd, buf)
}

future! {
    /// Sends a datagram to anybody. Made by [`UdpSocket::send_to`](super::UdpSocket::send_to).
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    SendTo, Writing, datagram: (&'a [u8], SocketAddr), usize,
    |fd| socket::send_datagram_to(fd, datagram.0, datagram.1)
}

future! {
    /// Receives a datagram and what came with it. Made by [`UdpSocket::recv_msg`](super::UdpSocket::recv_msg).
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    RecvMsg, Reading, buf: &'a mut [u8], Received, |fd| socket::recv_packet(fd, buf)
}

future! {
    /// Sends a datagram with something beside it. Made by [`UdpSocket::send_msg`](super::UdpSocket::send_msg).
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    SendMsg, Writing, datagram: (&'a [u8], Option<SocketAddr>, Ancillary), usize,
    |fd| socket::send_packet(fd, datagram.0, datagram.1, &datagram.2)
}

future! {
    /// Receives several datagrams. Made by [`UdpSocket::recv_many`](super::UdpSocket::recv_many).
    ///
    /// # Cancel safety
    /// Safe: datagrams are taken only in the poll that returns their number.
    RecvMany, Reading, batch: &'a mut ReceiveBatch, usize, |fd| call::recv_many(fd, batch)
}

future! {
    /// Sends several datagrams. Made by [`UdpSocket::send_many`](super::UdpSocket::send_many).
    ///
    /// # Cancel safety
    /// Safe: what was sent is no longer in the batch.
    SendMany, Writing, batch: &'a mut SendBatch, usize, |fd| call::send_many(fd, batch)
}

future! {
    /// Takes an error of the queue. Made by [`UdpSocket::recv_error`](super::UdpSocket::recv_error).
    ///
    /// # Cancel safety
    /// Safe: an error is taken only in the poll that returns it.
    RecvError, Noting, nothing: (), QueuedError, |fd| {
        let () = nothing;
        socket::recv_error(fd)
    }
}

impl<'a> RecvError<'a> {
    pub(super) fn of(socket: &'a Endpoint, location: &'static Location<'static>) -> RecvError<'a> {
        RecvError::new(Wait::new(socket, Noting, location), ())
    }
}

/// What waits for errors. They are exceptional data, not input: a WouldBlock of the one queue must not stand for
/// the other.
#[derive(Clone, Copy)]
pub(super) struct Noting;

impl Way for Noting {
    fn direction(self) -> Direction {
        Direction::Priority
    }
}

/// Waits until a datagram may be received, or sent. Made by the `readable` and `writable` of
/// [`UdpSocket`](super::UdpSocket).
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DatagramReady<'a> {
    wait: Wait<'a, Direction>,
    direction: Direction,
}

impl<'a> DatagramReady<'a> {
    pub(super) fn new(
        socket: &'a Endpoint,
        direction: Direction,
        location: &'static Location<'static>,
    ) -> DatagramReady<'a> {
        DatagramReady {
            wait: Wait::new(socket, direction, location),
            direction,
        }
    }
}

impl Future for DatagramReady<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wait.endpoint().source().doubt(self.direction);
        pinned!(self.as_ref(), wait).poll_with(cx, |_| Ok(()))
    }
}

impl fmt::Debug for DatagramReady<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramReady")
            .field("for", &self.direction)
            .finish()
    }
}
