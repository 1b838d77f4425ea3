//! `TcpListener`: accepts TCP connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;

use mainspring_sys::{Fd, socket};

use super::TcpStream;
use crate::net::accept::{Accept, Acceptor, BACKLOG, Incoming, Listener, SharedAcceptor, listener};
use crate::net::socket::{Family, Socket};

/// A TCP socket that accepts connections.
///
/// ```
/// use mainspring::net::TcpListener;
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
/// assert_ne!(listener.local_addr().unwrap().port(), 0);
/// ```
pub struct TcpListener {
    acceptor: Acceptor,
}

impl TcpListener {
    /// Listens on `addr`, with SO_REUSEADDR, so that a restarted server gets its port back; port 0 lets
    /// the system choose. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE, …
    pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
        let fd = socket::tcp_socket(addr)?;
        socket::set_reuse_address(&fd, true)?;
        socket::bind(&fd, addr)?;
        socket::listen(&fd, BACKLOG)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(Socket::new(fd, Family::Tcp)),
        })
    }

    /// Adopts a listening socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let socket = Socket::adopt(OwnedFd::from(listener), Family::Tcp)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(socket),
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::TcpListener {
        self.acceptor.socket.into_owned().into()
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.acceptor.socket.fd())
    }

    /// Connections accepted from now on send small writes at once, where the system lets them inherit
    /// it (Linux does); it saves a system call per connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        socket::set_nodelay(self.acceptor.socket.fd(), nodelay)
    }
}

listener!(TcpListener);

impl Listener for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    fn shared_acceptor(&self) -> SharedAcceptor<'_> {
        SharedAcceptor(&self.acceptor)
    }

    fn accept_now(fd: &Fd) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (fd, peer) = socket::accept(fd)?;
            let peer = match peer.map_or_else(|| socket::peer_addr(&fd), Ok) {
                // macOS gives no address for a connection that died in the queue: take the next.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => continue,
                peer => peer?,
            };
            return Ok((TcpStream::new(fd), peer));
        }
    }
}
