//! `UnixListener`, `UnixSeqpacketListener`: accept connections by a name.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, SocketFile, UnixKind};

use super::bind::{UnixBind, adopt};
use super::{UnixSeqpacket, UnixStream};
use crate::io::endpoint::{Endpoint, Family};
use crate::net::accept::{Accept, Acceptor, BACKLOG, Incoming, Listener, SharedAcceptor, listener};

/// A Unix socket that accepts connections.
///
/// A listener on a path makes a file there, and removes it when it is dropped, if it is still the same file.
/// [`UnixBind`] says what to do about a file that is there already, its mode, and whether it stays.
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
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// # std::fs::remove_dir(&folder).unwrap();
/// ```
pub struct UnixListener {
    /// Goes before the socket: see `sys/src/socket/file.rs`.
    file: Option<SocketFile>,
    acceptor: Acceptor,
}

/// A Unix socket that accepts connections which carry records. As [`UnixListener`] otherwise.
///
/// ```
/// use mainspring::net::{UnixSeqpacket, UnixSeqpacketListener};
/// # let folder = std::env::temp_dir().join(format!("mainspring-doc-seq-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("listener");
/// # if UnixSeqpacket::pair().is_ok() {
/// mainspring::run(async {
///     let listener = UnixSeqpacketListener::bind(&path)?;
///     let client = UnixSeqpacket::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     client.send(b"one").await?;
///     client.send(b"two").await?;
///     let mut buf = [0; 16];
///     assert_eq!(server.recv(&mut buf).await?.len, 3);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// # }
/// # std::fs::remove_dir(&folder).unwrap();
/// ```
pub struct UnixSeqpacketListener {
    file: Option<SocketFile>,
    acceptor: Acceptor,
}

/// What both listeners have.
macro_rules! unix_listener {
    ($listener:ident -> $stream:ident, $listen:ident, $kind:expr) => {
        impl $listener {
            /// Listens at `path`, where it makes a file; its drop removes it, if it is the same still. No loop
            /// need be running.
            ///
            /// # Errors
            /// `InvalidInput` if the path is longer than a socket's can be (107 bytes on Linux), empty, or has
            /// a NUL in it; what the kernel says: EADDRINUSE if there is such a file, also one that a killed
            /// process left behind (see [`UnixBind::replace_stale`]); EACCES, ENOENT, EMFILE, …
            pub fn bind(path: impl AsRef<Path>) -> io::Result<$listener> {
                UnixBind::new(path).$listen()
            }

            /// Listens at an address of std, which may be an abstract name on Linux. A path is as in `bind`.
            ///
            /// # Errors
            /// What the kernel says; EINVAL for the unnamed address.
            pub fn bind_addr(addr: &SocketAddr) -> io::Result<$listener> {
                if let Some(path) = addr.as_pathname() {
                    return UnixBind::new(path).$listen();
                }
                let fd = socket::unix_socket($kind)?;
                socket::bind_unix(&fd, addr)?;
                socket::listen(&fd, BACKLOG)?;
                Ok($listener::listening(fd, None))
            }

            pub(super) fn listening(fd: Fd, file: Option<SocketFile>) -> $listener {
                $listener {
                    file,
                    acceptor: Acceptor::new(Endpoint::new(fd, Family::Unix)),
                }
            }

            /// The name it listens by.
            ///
            /// # Errors
            /// What the kernel says.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                socket::local_addr_unix(self.acceptor.socket.fd())
            }

            /// Leaves the socket's file where it is, for somebody else to remove.
            pub fn keep_file(&mut self) {
                if let Some(file) = self.file.take() {
                    file.keep();
                }
            }
        }

        listener!($listener);

        impl Listener for $listener {
            type Connection = ($stream, SocketAddr);

            fn shared_acceptor(&self) -> SharedAcceptor<'_> {
                SharedAcceptor(&self.acceptor)
            }

            fn accept_now(fd: &Fd) -> io::Result<($stream, SocketAddr)> {
                let (fd, peer) = socket::accept_unix(fd)?;
                Ok(($stream::new(fd), peer))
            }
        }
    };
}

unix_listener!(UnixListener -> UnixStream, listen, UnixKind::Stream);
unix_listener!(UnixSeqpacketListener -> UnixSeqpacket, listen_seqpacket, UnixKind::Seqpacket);

impl UnixListener {
    /// Adopts a listening socket of std; it is made non-blocking. Its file stays in any case.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        let socket = Endpoint::adopt(OwnedFd::from(listener), Family::Unix)?;
        Ok(UnixListener {
            file: None,
            acceptor: Acceptor::new(socket),
        })
    }

    /// Gives the socket back to std; it stays non-blocking, and its file stays.
    #[must_use]
    pub fn into_std(mut self) -> std::os::unix::net::UnixListener {
        self.keep_file();
        self.acceptor.socket.into_owned().into()
    }
}

impl UnixSeqpacketListener {
    /// Adopts a listening socket; it is made non-blocking. Its file stays in any case.
    ///
    /// # Errors
    /// `InvalidInput` if it is of another kind; what the kernel says of the change.
    pub fn from_fd(fd: OwnedFd) -> io::Result<UnixSeqpacketListener> {
        Ok(UnixSeqpacketListener {
            file: None,
            acceptor: Acceptor::new(adopt(fd, UnixKind::Seqpacket)?),
        })
    }

    /// Gives the socket away; it stays non-blocking, and its file stays.
    #[must_use]
    pub fn into_fd(mut self) -> OwnedFd {
        self.keep_file();
        self.acceptor.socket.into_owned()
    }
}
