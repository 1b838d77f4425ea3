//! `TcpStream`: a TCP connection.

mod builder;
mod listener;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::Fd;
use mainspring_sys::socket;

use super::close::CloseGracefully;
use super::connect::{Connect, ConnectTarget};
use super::option::{any_option, tcp_options};
use super::split::{
    self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, SharedSocket, StreamSocket, WriteHalf,
};
use crate::io::endpoint::methods::{read_methods, socket_read, socket_write, write_methods};
use crate::io::endpoint::transfer::{
    Peek, Read, ReadVectored, Reading, StreamReady, Wait, Write, WriteAll, WriteVectored, Writing,
};
use crate::io::endpoint::{Endpoint, Family};
use crate::io::{AsyncRead, AsyncWrite};
use crate::net::stream::{socket_read_methods, socket_write_methods, stream_socket};
use crate::reactor::Direction;

pub use builder::{ConnectSocket, TcpSocket};
pub use listener::TcpListener;

/// A TCP connection.
///
/// Reading and writing take `&self`: one task may read while another writes. Dropping it closes the
/// connection; unread input makes the kernel reset it, as always with TCP.
///
/// ```
/// use mainspring::net::{TcpListener, TcpStream};
/// mainspring::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut buf = [0; 16];
///     let count = server.read(&mut buf).await?;
///     assert_eq!(&buf[..count], b"hello");
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct TcpStream {
    socket: Endpoint,
}

impl TcpStream {
    pub(super) fn new(fd: Fd) -> TcpStream {
        TcpStream {
            socket: Endpoint::new(fd, Family::Tcp),
        }
    }

    fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    /// A socket that is connected.
    pub(super) fn from_socket(socket: Endpoint) -> TcpStream {
        TcpStream { socket }
    }

    /// For whoever waits on behalf of another line than his own.
    pub(super) fn as_endpoint(&self) -> &Endpoint {
        &self.socket
    }

    /// Connects to an address, to the first that answers of several, or to a host by its name.
    ///
    /// A name is looked up first, by [`lookup`](super::lookup). Where there are several addresses the families take
    /// turns; the next is tried beside the others if 250 ms pass without a connection, or at once if the one before
    /// failed; the first connection wins, and the others are closed (RFC 8305). There is no time limit but the
    /// kernel's, minutes maybe: [`Connector`](super::Connector) sets one, and all else that can be set.
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the sockets, and the attempts end with them.
    ///
    /// # Errors
    /// What the kernel says: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EMFILE, … If several addresses failed, a
    /// [`ConnectError`](super::ConnectError) inside has each with its error, and the kind is that of the one that says
    /// most. What the look-up says; `InvalidInput` for what can be no target.
    ///
    /// ```no_run
    /// use mainspring::net::TcpStream;
    /// # mainspring::run(async {
    /// let by_name = TcpStream::connect("db.example.net:5432").await?;
    /// let by_name_too = TcpStream::connect(("db.example.net", 5432)).await?;
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn connect(target: impl ConnectTarget) -> Connect {
        Connect::new(target.into_target(), Location::caller())
    }

    /// Adopts a connected socket of std; it is made non-blocking. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream {
            socket: Endpoint::adopt(OwnedFd::from(stream), Family::Tcp)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::TcpStream {
        self.socket.into_owned().into()
    }

    any_option!();
    tcp_options!();

    /// Whether segments are acknowledged at once: see [`QuickAck`](super::option::QuickAck).
    ///
    /// # Errors
    /// `Unsupported` but on Linux; what the kernel says.
    pub fn quickack(&self) -> io::Result<bool> {
        self.option(super::option::QuickAck)
    }

    /// Acknowledges segments at once, for a while.
    ///
    /// # Errors
    /// `Unsupported` but on Linux; what the kernel says.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.set_option(super::option::QuickAck, quickack)
    }

    /// Closes the connection by a reset: what was not sent is thrown away, and the peer's next read or write
    /// fails with ECONNRESET, so that nobody takes the end for an orderly one.
    ///
    /// # Errors
    /// What the kernel says of the option; the stream is closed in any case.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// listener.accept().await?.0.close_by_reset()?;
    /// let error = client.read(&mut [0; 8]).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    pub fn close_by_reset(self) -> io::Result<()> {
        self.set_zero_linger()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.socket.fd())
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// ENOTCONN, if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_addr(self.socket.fd())
    }
}

stream_socket!(TcpStream);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
