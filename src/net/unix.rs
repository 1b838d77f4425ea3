//! `UnixStream`: a connection to a process of the same machine; and around it what else goes by the name of
//! Unix sockets: datagrams, records, descriptors that are passed along, and the names themselves.

mod bind;
mod connect;
mod datagram;
mod listener;
mod message;
mod rights;
mod seqpacket;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, UnixKind};

use connect::Call;
use rights::{Carrier, nothing, recv_with_fds_now, stream_with_fds, unix_socket};

use super::close::CloseGracefully;
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

pub use bind::UnixBind;
pub use connect::{ConnectSeqpacket, ConnectUnix};
pub use datagram::UnixDatagram;
pub use listener::{UnixListener, UnixSeqpacketListener};
pub use message::{UnixRecv, UnixRecvFrom, UnixSend};
pub use rights::{Credentials, RecvWithFds, SendWithFds, WithFds};
pub use seqpacket::UnixSeqpacket;

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
    socket: Endpoint,
}

impl UnixStream {
    /// Two ends, connected to each other.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = socket::unix_pair(UnixKind::Stream)?;
        Ok((UnixStream::new(left), UnixStream::new(right)))
    }

    pub(super) fn new(fd: Fd) -> UnixStream {
        UnixStream {
            socket: Endpoint::new(fd, Family::Unix),
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
        let here = Location::caller();
        ConnectUnix::new(Call::to_path(UnixKind::Stream, path.as_ref(), here))
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
        let (addr, here) = (Ok(addr.clone()), Location::caller());
        ConnectUnix::new(Call::to(UnixKind::Stream, addr, here))
    }

    /// Adopts a connected socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream {
            socket: Endpoint::adopt(OwnedFd::from(stream), Family::Unix)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.socket.into_owned().into()
    }
}

stream_socket!(UnixStream);
unix_socket!(UnixStream);
stream_with_fds!(UnixStream);
