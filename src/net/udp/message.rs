//! What a UDP socket receives and sends beside bytes, in batches, and what it hears of failures.

use std::io;
use std::net::SocketAddr;
use std::panic::Location;

use mainspring_sys::socket::{self, Ancillary, QueuedError, ReceiveBatch, Received, SendBatch};

use super::{RecvError, RecvMany, RecvMsg, SendMany, SendMsg, UdpSocket, call};
use crate::reactor::Direction;

impl UdpSocket {
    /// Receives a datagram, with what was switched on before by an option: where it was sent to, its class of
    /// service and ECN, when it came, its segments.
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::{UdpSocket, option};
    /// let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
    /// socket.set_option(option::ReceivePacketInfoV4, true)?;
    /// let port = socket.local_addr()?.port();
    /// socket.send_to(b"ping", ([127, 0, 0, 1], port).into()).await?;
    /// let mut buf = [0; 2];
    /// let received = socket.recv_msg(&mut buf).await?;
    /// assert!(received.is_truncated());
    /// let to = received.ancillary.packet_info.unwrap().addr;
    /// assert!(to.is_loopback());
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn recv_msg<'a>(&'a self, buf: &'a mut [u8]) -> RecvMsg<'a> {
        RecvMsg::new(self.wait_to_read(Location::caller()), buf)
    }

    /// Sends a datagram, to `to` or to the peer, with `ancillary` beside it: from which address, with which class
    /// of service, in segments. The answer is how many bytes went.
    ///
    /// # Cancel safety
    /// Safe: the datagram is sent only in the poll that says so.
    ///
    /// # Errors
    /// As [`UdpSocket::send_to`]; `Unsupported` for what this system can't send; EINVAL for an address that is
    /// not this host's, for segments of a packet that the way does not take.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::{UdpSocket, udp::Ancillary};
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let ecn = Ancillary::default().with_traffic_class(2);
    /// socket.send_msg(b"ping", Some(socket.local_addr()?), ecn).await?;
    /// assert_eq!(socket.recv(&mut [0; 8]).await?.len, 4);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn send_msg<'a>(
        &'a self,
        buf: &'a [u8],
        to: Option<SocketAddr>,
        ancillary: Ancillary,
    ) -> SendMsg<'a> {
        SendMsg::new(self.wait_to_write(Location::caller()), (buf, to, ancillary))
    }

    /// Receives as many datagrams as are there and fit into `batch`, at least one, with one system call on Linux
    /// and FreeBSD. The answer is how many; those that were in the batch are gone.
    ///
    /// # Cancel safety
    /// Safe: datagrams are taken only in the poll that returns their number.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_msg`].
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::{UdpSocket, udp::{ReceiveBatch, SendBatch}};
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut outgoing = SendBatch::new(3, 4);
    /// for bytes in [b"tick", b"tock", b"tick"] {
    ///     outgoing.push(bytes, Some(socket.local_addr()?));
    /// }
    /// while !outgoing.is_empty() {
    ///     socket.send_many(&mut outgoing).await?;
    /// }
    /// let mut incoming = ReceiveBatch::new(32, 1500);
    /// assert_eq!(socket.recv_many(&mut incoming).await?, 3);
    /// let bytes: Vec<&[u8]> = incoming.iter().map(|(_, bytes)| bytes).collect();
    /// assert_eq!(bytes, [b"tick", b"tock", b"tick"]);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn recv_many<'a>(&'a self, batch: &'a mut ReceiveBatch) -> RecvMany<'a> {
        RecvMany::new(self.wait_to_read(Location::caller()), batch)
    }

    /// Sends as many datagrams of `batch` as there is room for, at least one if it is not empty, with one system
    /// call on Linux and FreeBSD. The answer is how many; they are taken off the batch, so call it until
    /// the batch is empty.
    ///
    /// # Cancel safety
    /// Safe: what was sent is no longer in the batch.
    ///
    /// # Errors
    /// As [`UdpSocket::send_msg`], of the datagram at the batch's front, which stays there: try it again, or
    /// [skip](SendBatch::skip) it.
    #[track_caller]
    pub fn send_many<'a>(&'a self, batch: &'a mut SendBatch) -> SendMany<'a> {
        SendMany::new(self.wait_to_write(Location::caller()), batch)
    }

    /// As [`UdpSocket::recv_msg`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; as [`UdpSocket::recv_msg`] otherwise.
    pub fn try_recv_msg(&self, buf: &mut [u8]) -> io::Result<Received> {
        let call = |fd: &_| socket::recv_packet(fd, buf);
        self.socket.try_with(Direction::Read, call)
    }

    /// As [`UdpSocket::send_msg`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; as [`UdpSocket::send_msg`] otherwise.
    pub fn try_send_msg(
        &self,
        buf: &[u8],
        to: Option<SocketAddr>,
        ancillary: &Ancillary,
    ) -> io::Result<usize> {
        let call = |fd: &_| socket::send_packet(fd, buf, to, ancillary);
        self.socket.try_with(Direction::Write, call)
    }

    /// As [`UdpSocket::recv_many`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; as [`UdpSocket::recv_many`] otherwise.
    pub fn try_recv_many(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        let call = |fd: &_| call::recv_many(fd, batch);
        self.socket.try_with(Direction::Read, call)
    }

    /// As [`UdpSocket::send_many`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; as [`UdpSocket::send_many`] otherwise.
    pub fn try_send_many(&self, batch: &mut SendBatch) -> io::Result<usize> {
        let call = |fd: &_| call::send_many(fd, batch);
        self.socket.try_with(Direction::Write, call)
    }

    /// Takes the oldest of the errors that Linux queues once `ReceiveErrorsV4` or `ReceiveErrorsV6` is set: what
    /// became of a datagram, where it was going, and who says so. Each also makes one other call fail.
    ///
    /// # Cancel safety
    /// Safe: an error is taken only in the poll that returns it.
    ///
    /// # Errors
    /// `Unsupported` on other systems; `NotConnected` if the loop is gone.
    #[track_caller]
    pub fn recv_error(&self) -> RecvError<'_> {
        RecvError::of(&self.socket, Location::caller())
    }

    /// As [`UdpSocket::recv_error`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; as [`UdpSocket::recv_error`] otherwise.
    pub fn try_recv_error(&self) -> io::Result<QueuedError> {
        self.socket
            .try_with(Direction::Priority, socket::recv_error)
    }
}
