//! `UnixListener`: accepts connections by a name.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;

use mainspring_sys::{Fd, socket};

use super::UnixStream;
use crate::net::accept::{Accept, Acceptor, BACKLOG, Incoming, Listener, SharedAcceptor, listener};
use crate::net::socket::{Family, Socket};

/// A Unix socket that accepts connections.
///
/// A listener on a path makes a file there. The file stays when the listener goes: it may be another
/// one's by then. Remove it before you bind, or when you know that it is yours.
///
/// ```
/// use mainspring::net::{UnixListener, UnixStream};
/// # let folder = std::env::temp_dir().join(format!("mainspring-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("listener");
/// mainspring::run(async {
///     let listener = UnixListener::bind(&path)?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, from) = listener.accept().await?;
///     assert!(from.is_unnamed());
///     client.write_all(b"hello").await?;
///     assert_eq!(server.read(&mut [0; 16]).await?, 5);
///     std::fs::remove_file(&path)
/// })
/// .unwrap()
/// .unwrap();
/// # std::fs::remove_dir(&folder).unwrap();
/// ```
pub struct UnixListener {
    acceptor: Acceptor,
}

impl UnixListener {
    /// Listens at `path`, where it makes a file. No loop need be running.
    ///
    /// # Errors
    /// `InvalidInput` if the path is longer than a socket's can be (107 bytes on Linux), empty, or has a NUL
    /// in it; what the kernel says: EADDRINUSE if there is such a file, also one that an earlier listener
    /// left behind; EACCES, ENOENT, EMFILE, …
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&socket::path_addr(path.as_ref())?)
    }

    /// Listens at an address of std, which may be an abstract name on Linux.
    ///
    /// # Errors
    /// What the kernel says; EINVAL for the unnamed address.
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        let fd = socket::unix_socket()?;
        socket::bind_unix(&fd, addr)?;
        socket::listen(&fd, BACKLOG)?;
        Ok(UnixListener {
            acceptor: Acceptor::new(Socket::new(fd, Family::Unix)),
        })
    }

    /// Adopts a listening socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        let socket = Socket::adopt(OwnedFd::from(listener), Family::Unix)?;
        Ok(UnixListener {
            acceptor: Acceptor::new(socket),
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::os::unix::net::UnixListener {
        self.acceptor.socket.into_owned().into()
    }

    /// The name it listens by.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr_unix(self.acceptor.socket.fd())
    }
}

listener!(UnixListener);

impl Listener for UnixListener {
    type Connection = (UnixStream, SocketAddr);

    fn shared_acceptor(&self) -> SharedAcceptor<'_> {
        SharedAcceptor(&self.acceptor)
    }

    fn accept_now(fd: &Fd) -> io::Result<(UnixStream, SocketAddr)> {
        let (fd, peer) = socket::accept_unix(fd)?;
        Ok((UnixStream::new(fd), peer))
    }
}
