//! `TcpListener`: accepts connections, and survives the want of descriptors.
//!
//! *EMFILE, ENFILE.* When the process or the system has no descriptor left, `accept` fails and leaves
//! the connection in the queue; the selector will not report it again (edge-triggered), or will report
//! it without end (level-triggered). So an accept that meets it sleeps for [`PAUSE`] and tries again:
//! no spin, no error for what passes by itself, and no connection lost that the peer keeps open. How
//! often it happened, [`TcpListener::exhausted_count`] tells.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Fd;
use mainspring_sys::clock::duration_ns;
use mainspring_sys::socket;

use super::socket::{Family, Socket};
use super::tcp::TcpStream;
use crate::pin::{pinned, pinned_in_drop};
use crate::reactor::Direction;
use crate::task::wait::WaitNode;
use crate::time::Sleep;

/// How long an accept waits when there are no descriptors left: rare enough to cost nothing, often
/// enough to go on soon after some are closed.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections may wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// A TCP socket that accepts connections.
///
/// ```
/// use mainspring::net::TcpListener;
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
/// assert_ne!(listener.local_addr().unwrap().port(), 0);
/// ```
pub struct TcpListener {
    socket: Socket,
    exhausted: Cell<u64>,
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
            socket: Socket::new(fd, Family::Tcp),
            exhausted: Cell::new(0),
        })
    }

    /// Adopts a listening socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let socket = Socket::adopt(OwnedFd::from(listener), Family::Tcp)?;
        Ok(TcpListener {
            socket,
            exhausted: Cell::new(0),
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::TcpListener {
        self.socket.into_owned().into()
    }

    /// Waits for the next connection. A connection that died while it was queued is skipped; while
    /// there are no descriptors left, this waits (see [`TcpListener::exhausted_count`]).
    ///
    /// # Cancel safety
    /// Safe: a connection is taken only in the poll that returns it.
    ///
    /// # Errors
    /// What the kernel says; after an error the listener can be asked again. `NotConnected` if the loop
    /// is gone.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        Accept {
            listener: self,
            node: WaitNode::new(Direction::Read.kind(), Location::caller()),
            pause: Sleep::new(duration_ns(PAUSE), true, Location::caller()),
            is_paused: Cell::new(false),
        }
    }

    /// How often an accept found no descriptor left (EMFILE, ENFILE) and waited 100 ms.
    #[must_use]
    pub fn exhausted_count(&self) -> u64 {
        self.exhausted.get()
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.socket.fd())
    }

    /// Connections accepted from now on send small writes at once, where the system lets them inherit
    /// it (Linux does); it saves a system call per connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        socket::set_nodelay(self.socket.fd(), nodelay)
    }

    fn accept_now(&self, fd: &Fd) -> io::Result<(TcpStream, SocketAddr)> {
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

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.show()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local", &self.local_addr().ok())
            .finish()
    }
}

/// Accepts one connection. Made by [`TcpListener::accept`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    node: WaitNode<()>,
    pause: Sleep,
    is_paused: Cell<bool>,
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = self.as_ref();
            let (listener, pause) = (this.listener, pinned!(this, pause));
            if this.is_paused.get() {
                ready!(pause.poll_elapsed(cx));
                this.is_paused.set(false);
            }
            let node = pinned!(this, node);
            let accept = |fd: &Fd| listener.accept_now(fd);
            match ready!(listener.socket.poll_with(Direction::Read, node, cx, accept)) {
                Err(error) if socket::is_exhausted(&error) => {
                    listener.exhausted.set(listener.exhausted.get() + 1);
                    crate::pin::pinned_mut!(self.as_mut(), pause).reset_after(PAUSE);
                    self.is_paused.set(true);
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Drop for Accept<'_> {
    fn drop(&mut self) {
        if self.node.is_queued() {
            let source = self.listener.socket.source();
            source.cancel(Direction::Read, pinned_in_drop!(self, node));
        }
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("listener", self.listener)
            .finish_non_exhaustive()
    }
}
