//! The file that a Unix socket makes where it is bound: its mode, what is done about one that is there
//! already, and its end.
//!
//! *Why a file must be removed.* It stays when its socket closes, and then nobody can bind there, nor
//! connect. So whoever bound removes it, but only if it is the file that he made: by then it may be
//! somebody else's ([`SocketFile`] compares device and inode). It is removed before the socket closes:
//! while somebody still listens, nobody takes the file for a stale one and puts his own there.
//!
//! *Stale files.* A process that was killed leaves its file behind. Whether anybody listens is found
//! by connecting: a refusal means that nobody does. Between that answer and the removal somebody may bind;
//! the file is compared once more just before, which leaves a moment that only a lock between the
//! processes can close.
//!
//! *Why not `umask` for the mode.* It belongs to the process, and changes what other threads create.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{UnixKind, bind_unix, connect_unix, path_addr, unix_socket};
use crate::fault::{self, Call};
use crate::fd::Fd;
use crate::fork;

/// How a socket is bound to a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct BindOptions {
    /// The permissions of the file; otherwise what `umask` leaves of 0777.
    pub mode: Option<u32>,
    /// A socket's file that nobody listens at any more makes room.
    pub replaces_stale: bool,
}

/// A file that this process made by binding. Its drop removes it, if it is still the same; but not in the child of
/// a fork, whose parent listens there.
#[derive(Debug)]
pub struct SocketFile {
    /// From the root, for the working directory may change. `None`: it stays.
    path: Option<PathBuf>,
    identity: (u64, u64),
    /// The process that made it.
    generation: u32,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile {
            identity: identity(&lstat(path)?),
            generation: fork::generation(),
            path: Some(std::path::absolute(path)?),
        })
    }

    /// Leaves the file where it is.
    pub fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fork::is_inherited(self.generation) {
            return;
        }
        if let Some(path) = self.path.take() {
            // Nobody is there to be told; and who removed it himself has done nothing wrong.
            let _ = remove_if(&path, self.identity);
        }
    }
}

/// Binds a socket of `kind` to `path`.
///
/// # Errors
/// `InvalidInput`: no socket can have this path. `AddrInUse`: a file is there, and it is no socket, or
/// somebody listens, or it was not asked to replace it. What `bind`, `lstat` and `chmod` say.
pub fn bind_file(
    fd: &Fd,
    kind: UnixKind,
    path: &Path,
    options: BindOptions,
) -> io::Result<SocketFile> {
    let addr = path_addr(path)?;
    if let Some(mode) = options.mode {
        birth::limit(fd, mode);
    }
    match bind_unix(fd, &addr) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && options.replaces_stale => {
            remove_stale(path, kind)?;
            bind_unix(fd, &addr)?;
        }
        result => result?,
    }
    let file = SocketFile::of(path)?;
    if let Some(mode) = options.mode {
        asked(|| fs::set_permissions(path, fs::Permissions::from_mode(mode)))?;
    }
    Ok(file)
}

/// Removes the file of a socket that nobody listens at.
fn remove_stale(path: &Path, kind: UnixKind) -> io::Result<()> {
    let found = match lstat(path) {
        // It has just gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let in_use = |complaint: &str| {
        let complaint = format!("{}: {complaint}", path.display());
        Err(io::Error::new(io::ErrorKind::AddrInUse, complaint))
    };
    if !found.file_type().is_socket() {
        return in_use("this is not a socket, so it was left alone");
    }
    let probe = unix_socket(kind)?;
    match connect_unix(&probe, &path_addr(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            remove_if(path, identity(&found))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Also a full queue, or a socket of another kind: somebody is there.
        _ => in_use("somebody listens there"),
    }
}

/// Removes the file, if it is the one that is meant.
fn remove_if(path: &Path, wanted: (u64, u64)) -> io::Result<()> {
    match lstat(path) {
        Ok(found) if identity(&found) == wanted => asked(|| fs::remove_file(path)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn lstat(path: &Path) -> io::Result<Metadata> {
    asked(|| fs::symlink_metadata(path))
}

/// Device and inode: no other file has both while this one is there, or the socket that made it.
fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Asks the plan, then the system, again while either says EINTR.
fn asked<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match fault::check(Call::SocketFile, 0).and_then(|_| operation()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// On Linux the file gets no more permissions than the socket has as it is bound: so that nobody slips in
/// between `bind` and `chmod`. Elsewhere nobody can connect before `listen`, but a datagram could be sent.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod birth {
    use super::Fd;

    pub(super) fn limit(fd: &Fd, mode: u32) {
        // A sandbox may forbid it; `chmod` comes anyway.
        let _ = rustix::fs::fchmod(fd, rustix::fs::Mode::from_raw_mode(mode));
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod birth {
    use super::Fd;

    pub(super) fn limit(_fd: &Fd, _mode: u32) {}
}
