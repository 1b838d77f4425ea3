//! `UnixSeqpacket`: a connection that carries records instead of bytes.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, Taken, UnixKind};

use super::bind::adopt;
use super::connect::{Call, ConnectSeqpacket};
use super::message::{UnixRecv, UnixSend, check_record, message_socket};
use super::rights::{
    Carrier, Credentials, RecvWithFds, SendWithFds, WithFds, recv_with_fds_now, unix_socket,
};
use crate::io::endpoint::transfer::StreamReady;
use crate::io::endpoint::{Endpoint, Family};
use crate::reactor::Direction;

/// A connected Unix socket of records (SOCK_SEQPACKET): each send is one receive, in order, and the end is
/// told, as a length of 0. An empty record can't be told from the end, so none can be sent; a stranger
/// who sends one nevertheless seems to end.
///
/// Linux, FreeBSD, DragonFly, NetBSD and OpenBSD have such sockets. Elsewhere each function that makes one says
/// `Unsupported`.
///
/// ```
/// use mainspring::net::UnixSeqpacket;
/// # if UnixSeqpacket::pair().is_ok() {
/// mainspring::run(async {
///     let (near, far) = UnixSeqpacket::pair()?;
///     far.send(b"tick").await?;
///     far.send(b"tock").await?;
///     drop(far);
///     let mut buf = [0; 64];
///     assert_eq!(near.recv(&mut buf).await?.len, 4);
///     assert_eq!(near.recv(&mut buf).await?.len, 4);
///     assert_eq!(near.recv(&mut buf).await?.len, 0);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// # }
/// ```
pub struct UnixSeqpacket {
    pub(super) socket: Endpoint,
}

impl UnixSeqpacket {
    /// Two ends, connected to each other.
    ///
    /// # Errors
    /// `Unsupported` where the system has no such sockets; EMFILE and ENFILE.
    pub fn pair() -> io::Result<(UnixSeqpacket, UnixSeqpacket)> {
        let (left, right) = socket::unix_pair(UnixKind::Seqpacket)?;
        Ok((UnixSeqpacket::new(left), UnixSeqpacket::new(right)))
    }

    pub(super) fn new(fd: Fd) -> UnixSeqpacket {
        UnixSeqpacket {
            socket: Endpoint::new(fd, Family::Unix),
        }
    }

    /// Connects to the listener at `path`, a [`UnixSeqpacketListener`](super::UnixSeqpacketListener).
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket.
    ///
    /// # Errors
    /// As [`UnixStream::connect`](super::UnixStream::connect); EPROTOTYPE if the listener is of another kind.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> ConnectSeqpacket {
        let here = Location::caller();
        ConnectSeqpacket::new(Call::to_path(UnixKind::Seqpacket, path.as_ref(), here))
    }

    /// Connects to the listener at an address of std, which may be an abstract name on Linux.
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket.
    ///
    /// # Errors
    /// As [`UnixSeqpacket::connect`].
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> ConnectSeqpacket {
        let (addr, here) = (Ok(addr.clone()), Location::caller());
        ConnectSeqpacket::new(Call::to(UnixKind::Seqpacket, addr, here))
    }

    /// Closes one side, or both, at once; what was sent before is still delivered.
    ///
    /// # Errors
    /// What the kernel says: ENOTCONN, if the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        socket::shutdown(self.socket.fd(), how)
    }

    /// Adopts a connected socket; it is made non-blocking. (Std has no type for it.)
    ///
    /// # Errors
    /// `InvalidInput` if it is of another kind; what the kernel says of the change.
    pub fn from_fd(fd: OwnedFd) -> io::Result<UnixSeqpacket> {
        Ok(UnixSeqpacket {
            socket: adopt(fd, UnixKind::Seqpacket)?,
        })
    }

    /// Gives the socket away; it stays non-blocking.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.socket.into_owned()
    }
}

message_socket!(UnixSeqpacket, true);
