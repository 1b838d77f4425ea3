//! `TcpStream`: a TCP connection.

mod listener;

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Fd;
use mainspring_sys::socket;

use super::close::CloseGracefully;
use super::connect::Attempt;
use super::socket::{Family, Socket};
use super::split::{
    self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, SharedSocket, StreamSocket, WriteHalf,
};
use super::stream::{read_methods, socket_read, socket_write, stream_socket, write_methods};
use super::transfer::{
    Peek, Read, ReadVectored, Reading, StreamReady, Wait, Write, WriteAll, WriteVectored, Writing,
};
use crate::io::{AsyncRead, AsyncWrite};
use crate::pin::pinned_mut;
use crate::reactor::Direction;

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
    socket: Socket,
}

impl TcpStream {
    pub(super) fn new(fd: Fd) -> TcpStream {
        TcpStream {
            socket: Socket::new(fd, Family::Tcp),
        }
    }

    /// Connects to an address.
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket, and the attempt ends with it.
    ///
    /// # Errors
    /// What the kernel says: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EMFILE, …
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Connect {
        Connect {
            addr,
            attempt: Attempt::new(Location::caller()),
        }
    }

    /// Adopts a connected socket of std; it is made non-blocking. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream {
            socket: Socket::adopt(OwnedFd::from(stream), Family::Tcp)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::TcpStream {
        self.socket.into_owned().into()
    }

    /// Whether small writes are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn nodelay(&self) -> io::Result<bool> {
        socket::nodelay(self.socket.fd())
    }

    /// Sends small writes at once, or gathers them.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        socket::set_nodelay(self.socket.fd(), nodelay)
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

/// Connects a [`TcpStream`]. Made by [`TcpStream::connect`].
///
/// # Cancel safety
/// Safe: dropping it closes the socket.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Connect {
    addr: SocketAddr,
    attempt: Attempt,
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let addr = self.addr;
        let begin = || {
            let fd = socket::tcp_socket(addr)?;
            let connecting = socket::connect(&fd, addr)?;
            Ok((Socket::new(fd, Family::Tcp), connecting))
        };
        let socket = ready!(pinned_mut!(self, attempt).poll(cx, begin))?;
        Poll::Ready(Ok(TcpStream { socket }))
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
