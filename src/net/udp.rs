//! UDP: datagrams, one at a time, and what comes with them.
//!
//! [`UdpSocket`] is the socket; here are its futures, and the types that its functions take and give.
//!
//! Every function takes `&self`: one task may receive while another sends, by a reference or an `Rc`, so a
//! UDP socket has no halves.
//!
//! *Truncation.* A datagram that does not fit is never cut in silence: every receive tells how long it was beside
//! how much of it is here ([`Taken`], [`Received`]).
//!
//! *A UDP socket has no end*: 0 is the length of an empty datagram. And one bad answer is not its end either:
//! when a peer is not there, a connected socket says ECONNREFUSED once, and works on.

mod call;
mod future;
mod message;
mod multicast;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};

use mainspring_sys::{Fd, socket};

use super::option::any_option;
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::io::endpoint::{Endpoint, Family};
use crate::reactor::Direction;

pub use future::{
    DatagramReady, Peek, PeekFrom, Recv, RecvError, RecvFrom, RecvMany, RecvMsg, Send, SendMany,
    SendMsg, SendTo,
};
pub use mainspring_sys::socket::{
    Ancillary, ErrorOrigin, PacketInfo, QueuedError, ReceiveBatch, Received, SendBatch, Taken,
};

/// A UDP socket, connected to a peer or not.
///
/// ```
/// use mainspring::net::UdpSocket;
/// mainspring::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
///     let client = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
///     client.connect(server.local_addr()?)?;
///     client.send(b"ping").await?;
///     let mut buf = [0; 16];
///     let (taken, from) = server.recv_from(&mut buf).await?;
///     server.send_to(&buf[..taken.len], from).await?;
///     assert_eq!(client.recv(&mut buf).await?.len, 4);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct UdpSocket {
    socket: Endpoint,
}

impl UdpSocket {
    /// A socket with this address; port 0 lets the system choose. It receives from everybody until it is
    /// connected. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE, …
    pub fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::unbound(addr)?;
        socket.bind_to(addr)?;
        Ok(socket)
    }

    /// Sets the peer: `send` goes there, and only what it sends is received. That takes no time, and says
    /// nothing of whether anybody is there. It can be done again, with another peer; what was received
    /// before stays.
    ///
    /// # Errors
    /// What the kernel says: ENETUNREACH, EACCES, EAFNOSUPPORT if the address is of another family.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        socket::connect_udp(self.socket.fd(), addr)
    }

    /// Takes the peer away: the socket receives from everybody again. A port that the system chose (one bound to 0)
    /// goes too on Linux, and the next send gets another.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn disconnect(&self) -> io::Result<()> {
        socket::disconnect_udp(self.socket.fd())
    }

    /// Adopts a socket of std; it is made non-blocking. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(udp: std::net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket {
            socket: Endpoint::adopt(OwnedFd::from(udp), Family::Datagram)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::UdpSocket {
        self.socket.into_owned().into()
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.socket.fd())
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// ENOTCONN, if it has none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_addr(self.socket.fd())
    }

    /// A socket without a port, for options that count only before [`UdpSocket::bind_to`]: sharing an address,
    /// say. The family is that of `addr`, which is not bound to.
    ///
    /// # Errors
    /// What the kernel says: EMFILE, EAFNOSUPPORT.
    ///
    /// ```
    /// use mainspring::net::{UdpSocket, option};
    /// let addr = "127.0.0.1:0".parse().unwrap();
    /// let socket = UdpSocket::unbound(addr)?;
    /// socket.set_option(option::ReuseAddress, true)?;
    /// socket.bind_to(addr)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn unbound(addr: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket {
            socket: Endpoint::new(socket::udp_socket(addr)?, Family::Datagram),
        })
    }

    /// Gives the socket its address.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`]; EINVAL if it has one.
    pub fn bind_to(&self, addr: SocketAddr) -> io::Result<()> {
        socket::bind(self.fd(), addr)
    }

    any_option!();

    fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    /// Receives a datagram; the answer is its length, which may be 0, and how much of it is in `buf`: what did not
    /// fit is gone. On a connected socket it comes from the peer. Several tasks may receive: each gets some,
    /// in the order in which they asked.
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    ///
    /// # Errors
    /// What the kernel says: what became of an earlier datagram of a connected socket, once (ECONNREFUSED,
    /// EHOSTUNREACH). The socket works on after each. `NotConnected` if the loop is gone.
    #[track_caller]
    #[inline]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv::new(self.wait_to_read(Location::caller()), buf)
    }

    /// Receives a datagram, and says who sent it.
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.send_to(b"too long", socket.local_addr()?).await?;
    /// let mut buf = [0; 3];
    /// let (taken, from) = socket.recv_from(&mut buf).await?;
    /// assert_eq!(from, socket.local_addr()?);
    /// assert_eq!(&buf[..taken.len], b"too");
    /// assert!(taken.is_truncated() && taken.whole().is_err());
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom::new(self.wait_to_read(Location::caller()), buf)
    }

    /// Looks at the next datagram, which stays; what does not fit is left out, and nothing is lost by that. An
    /// empty buffer will do to learn how long it is, on Linux.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek::new(self.wait_to_read(Location::caller()), buf)
    }

    /// As [`UdpSocket::peek`], with the sender: an empty buffer will do to learn who it is.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    ///
    /// # Errors
    /// As [`UdpSocket::peek`].
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> PeekFrom<'a> {
        PeekFrom::new(self.wait_to_read(Location::caller()), buf)
    }

    /// Sends a datagram to the peer, whole; the answer is its length. It waits only for room in the
    /// system's queue, not for the peer.
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    ///
    /// # Errors
    /// EDESTADDRREQ or ENOTCONN without a peer; EMSGSIZE if it is longer than UDP allows (65,507 bytes over
    /// IPv4), or than the way takes without fragments. As [`UdpSocket::recv`] otherwise.
    #[track_caller]
    #[inline]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Send<'a> {
        Send::new(self.wait_to_write(Location::caller()), buf)
    }

    /// Sends a datagram to `addr`.
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    ///
    /// # Errors
    /// As [`UdpSocket::send`]; EACCES for a broadcast address, unless that is allowed; EISCONN on macOS and
    /// the BSDs, if the socket has a peer.
    #[track_caller]
    #[inline]
    pub fn send_to<'a>(&'a self, buf: &'a [u8], addr: SocketAddr) -> SendTo<'a> {
        SendTo::new(self.wait_to_write(Location::caller()), (buf, addr))
    }

    /// Receives what is there, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; as [`UdpSocket::recv`] otherwise.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Taken> {
        let call = |fd: &_| socket::recv_datagram(fd, buf);
        self.socket.try_with(Direction::Read, call)
    }

    /// As [`UdpSocket::try_recv`], with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(Taken, SocketAddr)> {
        let call = |fd: &_| socket::recv_datagram_from(fd, buf);
        self.socket.try_with(Direction::Read, call)
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; as [`UdpSocket::send`] otherwise.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let call = |fd: &_| socket::send_datagram(fd, buf);
        self.socket.try_with(Direction::Write, call)
    }

    /// Sends to `addr` without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; as [`UdpSocket::send_to`] otherwise.
    pub fn try_send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        let call = |fd: &_| socket::send_datagram_to(fd, buf, addr);
        self.socket.try_with(Direction::Write, call)
    }

    /// [`UdpSocket::recv`] as a poll function: the waker of the latest call is the one that is woken.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    #[track_caller]
    pub fn poll_recv(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Taken>> {
        let call = |fd: &_| socket::recv_datagram(fd, buf);
        self.socket
            .poll_resident(Direction::Read, cx, Location::caller(), call)
    }

    /// [`UdpSocket::recv_from`] as a poll function.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    #[track_caller]
    pub fn poll_recv_from(
        &self,
        cx: &Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(Taken, SocketAddr)>> {
        let call = |fd: &_| socket::recv_datagram_from(fd, buf);
        self.socket
            .poll_resident(Direction::Read, cx, Location::caller(), call)
    }

    /// [`UdpSocket::send`] as a poll function.
    ///
    /// # Errors
    /// As [`UdpSocket::send`].
    #[track_caller]
    pub fn poll_send(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let call = |fd: &_| socket::send_datagram(fd, buf);
        self.socket
            .poll_resident(Direction::Write, cx, Location::caller(), call)
    }

    /// [`UdpSocket::send_to`] as a poll function.
    ///
    /// # Errors
    /// As [`UdpSocket::send_to`].
    #[track_caller]
    pub fn poll_send_to(
        &self,
        cx: &Context<'_>,
        buf: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let call = |fd: &_| socket::send_datagram_to(fd, buf, addr);
        self.socket
            .poll_resident(Direction::Write, cx, Location::caller(), call)
    }

    /// Waits until a datagram is there, or an error. A report may be spurious: go on with a `try_` function,
    /// and wait again if it says WouldBlock.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// `NotConnected` if the loop is gone.
    #[track_caller]
    pub fn readable(&self) -> DatagramReady<'_> {
        DatagramReady::new(&self.socket, Direction::Read, Location::caller())
    }

    /// Waits until there is room for a datagram.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// `NotConnected` if the loop is gone.
    #[track_caller]
    pub fn writable(&self) -> DatagramReady<'_> {
        DatagramReady::new(&self.socket, Direction::Write, Location::caller())
    }

    #[inline]
    fn wait_to_read(&self, location: &'static Location<'static>) -> Wait<'_, Reading> {
        Wait::new(&self.socket, Reading, location)
    }

    #[inline]
    fn wait_to_write(&self, location: &'static Location<'static>) -> Wait<'_, Writing> {
        Wait::new(&self.socket, Writing, location)
    }
}

impl AsFd for UdpSocket {
    /// From here on the descriptor may have duplicates, so it leaves the selector by a system call of its
    /// own before it closes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.show()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
