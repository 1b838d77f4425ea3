//! `UnixDatagram`: messages to processes of the same machine, without a connection.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;

use mainspring_sys::socket::{self, SocketFile, Taken, UnixKind};

use super::bind::{UnixBind, adopt};
use super::message::{UnixRecv, UnixRecvFrom, UnixSend, check_record, message_socket};
use super::rights::{
    Carrier, Credentials, RecvWithFds, SendWithFds, WithFds, recv_with_fds_now, unix_socket,
};
use crate::io::endpoint::transfer::StreamReady;
use crate::io::endpoint::{Endpoint, Family};
use crate::reactor::Direction;

/// A Unix socket of datagrams. None is lost, and they come in the order in which they were sent; who sends
/// too many waits.
///
/// A receive from a peer that has gone waits for the next one who sends: datagrams have no end.
///
/// ```
/// use mainspring::net::UnixDatagram;
/// # let folder = std::env::temp_dir().join(format!("mainspring-doc-dgram-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let (here, there) = (folder.join("here"), folder.join("there"));
/// mainspring::run(async {
///     let server = UnixDatagram::bind(&here)?;
///     let client = UnixDatagram::bind(&there)?;
///     client.send_to(b"ping", &here).await?;
///     let mut buf = [0; 16];
///     let (taken, from) = server.recv_from(&mut buf).await?;
///     server.send_to_addr(&buf[..taken.len], &from).await?;
///     assert_eq!(client.recv(&mut buf).await?.len, 4);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// # std::fs::remove_dir(&folder).unwrap();
/// ```
pub struct UnixDatagram {
    /// Goes before the socket: see `sys/src/socket/file.rs`.
    pub(super) file: Option<SocketFile>,
    pub(super) socket: Endpoint,
}

impl UnixDatagram {
    /// Binds a socket to `path`, where it makes a file; its drop removes it, if it is the same still.
    /// [`UnixBind`] has what else can be said of that.
    ///
    /// # Errors
    /// As [`UnixBind::datagram`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixBind::new(path).datagram()
    }

    /// Binds a socket to an address of std, which may be an abstract name on Linux. A path is as in `bind`.
    ///
    /// # Errors
    /// What the kernel says; EINVAL for the unnamed address.
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixDatagram> {
        if let Some(path) = addr.as_pathname() {
            return UnixDatagram::bind(path);
        }
        let socket = UnixDatagram::unbound()?;
        socket::bind_unix(socket.socket.fd(), addr)?;
        Ok(socket)
    }

    /// A socket without a name: it can send, and nobody can answer.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let fd = socket::unix_socket(UnixKind::Datagram)?;
        Ok(UnixDatagram {
            file: None,
            socket: Endpoint::new(fd, Family::Unix),
        })
    }

    /// Two sockets, connected to each other.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = socket::unix_pair(UnixKind::Datagram)?;
        let [left, right] = [left, right].map(|fd| UnixDatagram {
            file: None,
            socket: Endpoint::new(fd, Family::Unix),
        });
        Ok((left, right))
    }

    /// Makes the socket at `path` the peer: `send` goes there, and only from there something comes. It takes no
    /// time. Can be called again, for another one.
    ///
    /// # Errors
    /// `InvalidInput` for a path that no socket can have; `NotFound`; `ConnectionRefused` if the socket of that
    /// file is gone.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&socket::path_addr(path.as_ref())?)
    }

    /// As [`UnixDatagram::connect`], to an address of std, which may be an abstract name on Linux.
    ///
    /// # Errors
    /// As [`UnixDatagram::connect`].
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        let _ = socket::connect_unix(self.socket.fd(), addr)?;
        // What a full queue of the old peer said is not true of the new one.
        self.socket.source().doubt(Direction::Write);
        Ok(())
    }

    /// Sends one datagram to the socket at `path`, whole. While the receiver's queue is full it tries again
    /// every 5 ms, for no selector tells when there is room.
    ///
    /// # Cancel safety
    /// Safe: the datagram is given only in the poll that returns, whole.
    ///
    /// # Errors
    /// As for [`UnixDatagram::connect`]; EMSGSIZE if it is longer than the system takes; EPERM, EISCONN where
    /// the receiver, or the system, wants nothing from anybody but a peer.
    #[track_caller]
    pub fn send_to<'a>(&'a self, bytes: &'a [u8], path: impl AsRef<Path>) -> UnixSend<'a> {
        let to = socket::path_addr(path.as_ref());
        UnixSend::to(&self.socket, bytes, to, Location::caller())
    }

    /// As [`UnixDatagram::send_to`], to an address of std: an abstract name, or whose datagram was received.
    ///
    /// # Cancel safety
    /// Safe: the datagram is given only in the poll that returns, whole.
    ///
    /// # Errors
    /// As [`UnixDatagram::send_to`]; EINVAL for the unnamed address.
    #[track_caller]
    pub fn send_to_addr<'a>(&'a self, bytes: &'a [u8], addr: &SocketAddr) -> UnixSend<'a> {
        UnixSend::to(&self.socket, bytes, Ok(addr.clone()), Location::caller())
    }

    /// As [`UnixDatagram::send_to_addr`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if it does not fit now, on our side or the receiver's (ENOBUFS on macOS and the BSDs); as for
    /// `send_to_addr` otherwise.
    pub fn try_send_to_addr(&self, bytes: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        socket::send_to_unix(self.socket.fd(), bytes, addr)
    }

    /// As [`UnixDatagram::recv`]; and from whom it is: unnamed, if he has bound to nothing.
    ///
    /// # Cancel safety
    /// Safe: a datagram is taken only in the poll that returns it.
    ///
    /// # Errors
    /// As for [`UnixDatagram::recv`].
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> UnixRecvFrom<'a> {
        let recv = UnixRecv::new(&self.socket, buf, false, Location::caller());
        UnixRecvFrom::new(recv)
    }

    /// As [`UnixDatagram::recv_from`], but the datagram stays where it is.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    ///
    /// # Errors
    /// As for [`UnixDatagram::peek`].
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> UnixRecvFrom<'a> {
        let recv = UnixRecv::new(&self.socket, buf, true, Location::caller());
        UnixRecvFrom::new(recv)
    }

    /// As [`UnixDatagram::recv_from`], without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; as for [`UnixDatagram::recv`] otherwise.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(Taken, SocketAddr)> {
        self.socket.try_with(Direction::Read, |fd| {
            socket::recv_message_from(fd, buf, false)
        })
    }

    /// Leaves the socket's file where it is, for somebody else to remove.
    pub fn keep_file(&mut self) {
        if let Some(file) = self.file.take() {
            file.keep();
        }
    }

    /// Adopts a socket of std; it is made non-blocking. Its file stays in any case.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram {
            file: None,
            socket: adopt(OwnedFd::from(socket), UnixKind::Datagram)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking, and its file stays.
    #[must_use]
    pub fn into_std(mut self) -> std::os::unix::net::UnixDatagram {
        self.keep_file();
        self.socket.into_owned().into()
    }
}

message_socket!(UnixDatagram, false);
