//! `UnixStream`: a connection to a process of the same machine.

mod listener;

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::{Fd, socket};

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

pub use listener::UnixListener;

/// A connected Unix stream socket: one of a pair, or a connection to a
/// [`UnixListener`].
///
/// ```
/// use mainspring::net::UnixStream;
/// mainspring::run(async {
///     let (left, right) = UnixStream::pair()?;
///     left.write_all(b"ping").await?;
///     let mut buf = [0; 4];
///     assert_eq!(right.read(&mut buf).await?, 4);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct UnixStream {
    socket: Socket,
}

impl UnixStream {
    /// Two ends, connected to each other.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = socket::unix_pair()?;
        Ok((UnixStream::new(left), UnixStream::new(right)))
    }

    fn new(fd: Fd) -> UnixStream {
        UnixStream {
            socket: Socket::new(fd, Family::Unix),
        }
    }

    /// Connects to the listener at `path`.
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket.
    ///
    /// # Errors
    /// `InvalidInput` if the path is longer than a socket's can be, empty, or has a NUL in it; what the kernel
    /// says: ENOENT, ECONNREFUSED, EACCES, EMFILE. If the listener's queue is full, EAGAIN on Linux: nothing
    /// will tell when there is room, so try again later; other systems say ECONNREFUSED.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> ConnectUnix {
        ConnectUnix {
            addr: Some(socket::path_addr(path.as_ref())),
            attempt: Attempt::new(Location::caller()),
        }
    }

    /// Connects to the listener at an address of std, which may be an abstract name on Linux.
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket.
    ///
    /// # Errors
    /// As [`UnixStream::connect`].
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> ConnectUnix {
        ConnectUnix {
            addr: Some(Ok(addr.clone())),
            attempt: Attempt::new(Location::caller()),
        }
    }

    /// The name of this end; mostly it has none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr_unix(self.socket.fd())
    }

    /// The name of the other end.
    ///
    /// # Errors
    /// ENOTCONN, if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_addr_unix(self.socket.fd())
    }

    /// Adopts a connected socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream {
            socket: Socket::adopt(OwnedFd::from(stream), Family::Unix)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.socket.into_owned().into()
    }
}

stream_socket!(UnixStream);

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}

/// Connects a [`UnixStream`]. Made by [`UnixStream::connect`].
///
/// # Cancel safety
/// Safe: dropping it closes the socket.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ConnectUnix {
    /// Where to, or what is wrong with the path; taken at the first poll.
    addr: Option<io::Result<SocketAddr>>,
    attempt: Attempt,
}

impl Future for ConnectUnix {
    type Output = io::Result<UnixStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let addr = pinned_mut!(self.as_mut(), addr).get_mut().take();
        let begin = || {
            let addr = addr.unwrap_or_else(|| panic!("a connect was polled after it was done"))?;
            let fd = socket::unix_socket()?;
            let connecting = socket::connect_unix(&fd, &addr)?;
            Ok((Socket::new(fd, Family::Unix), connecting))
        };
        let socket = ready!(pinned_mut!(self, attempt).poll(cx, begin))?;
        Poll::Ready(Ok(UnixStream { socket }))
    }
}

impl fmt::Debug for ConnectUnix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectUnix")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
