//! `UnixBind`: a path, and how a socket is bound to it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, BindOptions, SocketFile, UnixKind};

use super::{UnixDatagram, UnixListener, UnixSeqpacketListener};
use crate::io::endpoint::{Endpoint, Family};
use crate::net::accept::BACKLOG;

/// How a Unix socket is bound to a path. Set what you need, then say of which kind it is.
///
/// Binding makes a file, and the drop of the socket removes it: while it is still the one that it made, and
/// before the socket closes, so that nobody takes it for a stale one meanwhile. A process that is killed leaves
/// its file behind; [`UnixBind::replace_stale`] is for that.
///
/// ```
/// use mainspring::net::UnixBind;
/// # let folder = std::env::temp_dir().join(format!("mainspring-doc-bind-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("control");
/// // As if its process had been killed: the file is there, and nobody listens.
/// drop(UnixBind::new(&path).keep_file(true).listen()?);
/// let listener = UnixBind::new(&path).mode(0o600).replace_stale(true).listen()?;
/// drop(listener);
/// assert!(!path.exists());
/// # std::fs::remove_dir(&folder)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is bound yet: say of which kind the socket is"]
pub struct UnixBind {
    path: PathBuf,
    options: BindOptions,
    backlog: i32,
    keeps_file: bool,
}

impl UnixBind {
    /// For a socket at `path`: the file's mode is left to `umask`, a file that is there already is an error,
    /// and the drop of the socket removes the file.
    pub fn new(path: impl AsRef<Path>) -> UnixBind {
        UnixBind {
            path: path.as_ref().to_path_buf(),
            options: BindOptions::default(),
            backlog: BACKLOG,
            keeps_file: false,
        }
    }

    /// The permissions of the file, whatever `umask` says; who may write to it may connect. They hold before
    /// anybody can connect. A datagram may slip in before on systems other than Linux.
    pub fn mode(mut self, mode: u32) -> UnixBind {
        self.options.mode = Some(mode);
        self
    }

    /// Whether the file of a socket that nobody listens at makes room. Off by default.
    ///
    /// This connects first, to see whether somebody listens, and never removes what is not a socket. Who has
    /// bound and does not listen yet counts as nobody. Two processes that start at the same moment may still
    /// take the name from each other: hold a lock of your own if that can happen.
    pub fn replace_stale(mut self, replace: bool) -> UnixBind {
        self.options.replaces_stale = replace;
        self
    }

    /// Whether the file stays when the socket goes. Off by default.
    pub fn keep_file(mut self, keep: bool) -> UnixBind {
        self.keeps_file = keep;
        self
    }

    /// How many connections may wait to be accepted: 1024 by default; the kernel cuts it to its own limit.
    pub fn backlog(mut self, backlog: u32) -> UnixBind {
        self.backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self
    }

    /// Binds, and listens for connections that carry bytes.
    ///
    /// # Errors
    /// `InvalidInput` if the path is longer than a socket's can be, empty, or has a NUL in it. `AddrInUse` if there
    /// is such a file: with [`UnixBind::replace_stale`], if it is no socket, or somebody listens there. What the
    /// kernel says: EACCES, ENOENT, EMFILE, …
    pub fn listen(self) -> io::Result<UnixListener> {
        let (fd, file) = self.bind(UnixKind::Stream)?;
        Ok(UnixListener::listening(fd, file))
    }

    /// Binds, and listens for connections that carry records.
    ///
    /// # Errors
    /// As [`UnixBind::listen`]; `Unsupported` where the system has no such sockets.
    pub fn listen_seqpacket(self) -> io::Result<UnixSeqpacketListener> {
        let (fd, file) = self.bind(UnixKind::Seqpacket)?;
        Ok(UnixSeqpacketListener::listening(fd, file))
    }

    /// Binds a socket of datagrams.
    ///
    /// # Errors
    /// As [`UnixBind::listen`].
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        let (fd, file) = self.bind(UnixKind::Datagram)?;
        Ok(UnixDatagram {
            file,
            socket: Endpoint::new(fd, Family::Unix),
        })
    }

    fn bind(self, kind: UnixKind) -> io::Result<(Fd, Option<SocketFile>)> {
        let fd = socket::unix_socket(kind)?;
        let file = socket::bind_file(&fd, kind, &self.path, self.options)?;
        if kind != UnixKind::Datagram {
            // If that fails the file goes, whoever was to keep it.
            socket::listen(&fd, self.backlog)?;
        }
        if self.keeps_file {
            file.keep();
            return Ok((fd, None));
        }
        Ok((fd, Some(file)))
    }
}

/// Adopts a socket that was made elsewhere. Its file is its maker's.
pub(super) fn adopt(fd: OwnedFd, kind: UnixKind) -> io::Result<Endpoint> {
    Ok(Endpoint::adopted(
        socket::adopt_unix(fd, kind)?,
        Family::Unix,
    ))
}
