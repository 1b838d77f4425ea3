//! Unix sockets: names instead of addresses, and what is special about them.
//!
//! *Names.* A Unix socket is bound to a path, to nothing (unnamed: every client, both of a pair), or on
//! Linux to an abstract name, which is no file and ends with its socket. The type is std's
//! [`SocketAddr`], which tells the three apart. A path is at most 107 bytes long, on most other systems
//! 103; what the kernel would cut, or take for something else, is refused here: a path too long, an empty
//! one, one with a NUL in it (hz_d13).
//!
//! Reading a name is left to std. Linux lets a peer bind to 108 bytes without a NUL and then tells of an
//! address longer than its own type, on which rustix panics: a stranger must not be able to do that to us.
//!
//! *Connecting* never takes time: it succeeds, fails, or, where the listener's queue is full, says EAGAIN
//! (Linux) or ECONNREFUSED. EAGAIN is no promise that the socket becomes writable some day (hz_d03).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use super::{Connecting, accept_any, connect_any, os, retry};
use crate::fault::Call;
use crate::fd::Fd;

/// Where a name begins in the kernel's form; an unnamed socket's address ends there.
const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The longest path, without the NUL at its end.
const PATH_LEN_MAX: usize = size_of::<libc::sockaddr_un>() - PATH_OFFSET - 1;

/// Makes a Unix stream socket.
///
/// # Errors
/// EMFILE and ENFILE when there are no descriptors left.
pub fn unix_socket() -> io::Result<Fd> {
    let fd = retry(Call::Socket, 0, |_| {
        os::socket(AddressFamily::UNIX, SocketType::STREAM, None)
    })?;
    Ok(Fd::from(fd))
}

/// Two stream sockets connected to each other.
///
/// # Errors
/// EMFILE, ENFILE, ENOBUFS.
pub fn unix_pair() -> io::Result<(Fd, Fd)> {
    let (one, other) = retry(Call::Socket, 0, |_| os::unix_pair(SocketType::STREAM))?;
    Ok((Fd::from(one), Fd::from(other)))
}

/// The address that stands for a path.
///
/// # Errors
/// `InvalidInput`: the path is too long, is empty, or has a NUL in it.
pub fn path_addr(path: &Path) -> io::Result<SocketAddr> {
    let bytes = path.as_os_str().as_bytes();
    let complaint = if bytes.is_empty() {
        "the path of a Unix socket is empty".to_string()
    } else if bytes.contains(&0) {
        "the path of a Unix socket has a NUL in it; an abstract name is no path".to_string()
    } else if bytes.len() > PATH_LEN_MAX {
        format!(
            "the path of a Unix socket has {} bytes, and this system takes {PATH_LEN_MAX}; bind to a \
             shorter one, relative to the working directory for example",
            bytes.len()
        )
    } else {
        return SocketAddr::from_pathname(path);
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, complaint))
}

/// Gives the socket a name; a path becomes a file, which stays when the socket closes.
///
/// # Errors
/// `AddrInUse`: there is such a file already, whoever made it; `PermissionDenied`, `NotFound`.
pub fn bind_unix(fd: &Fd, addr: &SocketAddr) -> io::Result<()> {
    let addr = kernel_addr(addr)?;
    retry(Call::Bind, 0, |_| rustix::net::bind(fd, &addr))
}

/// Connects.
///
/// # Errors
/// `ConnectionRefused`: nobody listens; `NotFound`: there is no such file; `PermissionDenied`; EAGAIN:
/// the listener's queue is full (Linux).
pub fn connect_unix(fd: &Fd, addr: &SocketAddr) -> io::Result<Connecting> {
    let addr = kernel_addr(addr)?;
    connect_any(fd, &addr)
}

/// Takes the next connection off the listener's queue, as [`accept`](super::accept) does.
///
/// # Errors
/// As for [`accept`](super::accept).
pub fn accept_unix(listener: &Fd) -> io::Result<(Fd, SocketAddr)> {
    let (fd, addr) = accept_any(listener)?;
    if addr.is_none_or(|addr| addr.addr_len() as usize <= PATH_OFFSET) {
        return Ok((fd, unnamed()?));
    }
    let stream = UnixStream::from(fd.into_owned());
    let peer = stream.peer_addr()?;
    Ok((Fd::from(OwnedFd::from(stream)), peer))
}

/// The socket's own name.
///
/// # Errors
/// What `getsockname` says; `InvalidInput` if it is no Unix socket; EMFILE, because std is asked, which
/// wants a descriptor of its own.
pub fn local_addr_unix(fd: &Fd) -> io::Result<SocketAddr> {
    UnixStream::from(fd.as_fd().try_clone_to_owned()?).local_addr()
}

/// The peer's name.
///
/// # Errors
/// `NotConnected`; otherwise as [`local_addr_unix`].
pub fn peer_addr_unix(fd: &Fd) -> io::Result<SocketAddr> {
    UnixStream::from(fd.as_fd().try_clone_to_owned()?).peer_addr()
}

/// An empty path is how std spells it.
fn unnamed() -> io::Result<SocketAddr> {
    SocketAddr::from_pathname("")
}

/// The kernel's form of a name.
fn kernel_addr(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    if let Some(path) = addr.as_pathname() {
        return Ok(SocketAddrUnix::new(path)?);
    }
    // Anything else the kernel would make up a name for, or refuse.
    Ok(abstract_name::kernel_addr(addr).unwrap_or(Err(Errno::INVAL))?)
}

/// Names that are no files: Linux has them.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod abstract_name {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    use rustix::io::Result;

    use super::{SocketAddr, SocketAddrUnix};

    pub(super) fn kernel_addr(addr: &SocketAddr) -> Option<Result<SocketAddrUnix>> {
        addr.as_abstract_name()
            .map(SocketAddrUnix::new_abstract_name)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod abstract_name {
    use rustix::io::Result;

    use super::{SocketAddr, SocketAddrUnix};

    pub(super) fn kernel_addr(_addr: &SocketAddr) -> Option<Result<SocketAddrUnix>> {
        None
    }
}
