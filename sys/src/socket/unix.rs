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

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use super::transfer::{SEND_FLAGS, send_errno};
use super::{Connecting, accept_any, adopt, connect_any, os, retry};
use crate::fault::Call;
use crate::fd::Fd;

/// Where a name begins in the kernel's form; an unnamed socket's address ends there.
const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The longest path, without the NUL at its end.
const PATH_LEN_MAX: usize = size_of::<libc::sockaddr_un>() - PATH_OFFSET - 1;

/// What a Unix socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixKind {
    /// Bytes, over a connection.
    Stream,
    /// Messages, to whoever they are addressed.
    Datagram,
    /// Messages, over a connection; macOS and illumos have none.
    Seqpacket,
}

impl UnixKind {
    fn raw(self) -> SocketType {
        match self {
            UnixKind::Stream => SocketType::STREAM,
            UnixKind::Datagram => SocketType::DGRAM,
            UnixKind::Seqpacket => SocketType::SEQPACKET,
        }
    }

    /// What the kernel says to a type that it does not know, in words.
    fn refusal(self, error: io::Error) -> io::Error {
        let is_unknown = matches!(
            Errno::from_io_error(&error),
            Some(Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT | Errno::PROTOTYPE)
        );
        if self != UnixKind::Seqpacket || !is_unknown {
            return error;
        }
        let complaint = "this system has no Unix sockets of the type SOCK_SEQPACKET";
        io::Error::new(io::ErrorKind::Unsupported, complaint)
    }
}

/// Makes a Unix socket.
///
/// # Errors
/// EMFILE and ENFILE when there are no descriptors left; `Unsupported` where the system lacks the kind.
pub fn unix_socket(kind: UnixKind) -> io::Result<Fd> {
    let fd = retry(Call::Socket, 0, |_| {
        os::socket(AddressFamily::UNIX, kind.raw(), None)
    });
    Ok(Fd::from(fd.map_err(|error| kind.refusal(error))?))
}

/// Two sockets connected to each other.
///
/// # Errors
/// EMFILE, ENFILE, ENOBUFS; `Unsupported` where the system lacks the kind.
pub fn unix_pair(kind: UnixKind) -> io::Result<(Fd, Fd)> {
    let pair = retry(Call::Socket, 0, |_| os::unix_pair(kind.raw()));
    let (one, other) = pair.map_err(|error| kind.refusal(error))?;
    Ok((Fd::from(one), Fd::from(other)))
}

/// Takes over a Unix socket that was made elsewhere, as [`adopt`] does.
///
/// # Errors
/// `InvalidInput` if it is of another kind; what the system says. The descriptor is closed then.
pub fn adopt_unix(fd: OwnedFd, kind: UnixKind) -> io::Result<Fd> {
    if sockopt::socket_type(&fd)? != kind.raw() {
        let complaint = format!("the socket is not of the kind {kind:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, complaint));
    }
    adopt(fd)
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

/// Sends one datagram to a name. Never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` when it does not fit now, also if that is for the receiver alone; `ConnectionRefused`, `NotFound`:
/// nobody is there; EMSGSIZE: it is longer than the system takes.
pub fn send_to_unix(fd: &Fd, bytes: &[u8], addr: &SocketAddr) -> io::Result<usize> {
    let addr = kernel_addr(addr)?;
    retry(Call::Send, 0, |_| {
        rustix::net::sendto(fd, bytes, SEND_FLAGS, &addr).map_err(send_errno)
    })
}

/// Sends one datagram, or one record, to the peer: all of it, or nothing. Never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` when it does not fit now; EMSGSIZE; otherwise as [`send`](super::send).
pub fn send_message(fd: &Fd, bytes: &[u8]) -> io::Result<usize> {
    retry(Call::Send, 0, |_| {
        rustix::net::send(fd, bytes, SEND_FLAGS).map_err(send_errno)
    })
}

/// Whether a send failed because the receiver's queue is full, of which no selector tells when there is
/// room: ENOBUFS, of macOS and the BSDs; and EAGAIN, if the message was addressed to a name, for the
/// selector looks at our own side alone.
#[must_use]
pub fn is_receiver_full(error: &io::Error, was_addressed: bool) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::NOBUFS) => true,
        Some(Errno::AGAIN) => was_addressed,
        _ => false,
    }
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

/// The name of a datagram's sender, as the kernel writes it.
pub(super) struct Name {
    pub(super) raw: libc::sockaddr_un,
    /// How long the kernel says it is; on Linux one byte more than the type, if a name of full length has
    /// no NUL.
    pub(super) len: usize,
}

impl Name {
    pub(super) fn new() -> Name {
        Name {
            raw: libc::sockaddr_un {
                sun_family: 0,
                sun_path: [0; PATH_LEN_MAX + 1],
                #[cfg(not(any(
                    target_os = "linux",
                    target_os = "android",
                    target_os = "illumos"
                )))]
                sun_len: 0,
            },
            len: 0,
        }
    }

    pub(super) fn to_addr(&self) -> io::Result<SocketAddr> {
        let len = self.len.saturating_sub(PATH_OFFSET);
        let bytes = self.raw.sun_path.iter().take(len);
        let bytes: Vec<u8> = bytes.map(|byte| byte.to_ne_bytes()[0]).collect();
        if let [0, name @ ..] = &bytes[..] {
            return abstract_name::addr(name).unwrap_or_else(unnamed);
        }
        let path = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        if path.len() <= PATH_LEN_MAX {
            return SocketAddr::from_pathname(OsStr::from_bytes(path));
        }
        full_name(path).map_or_else(unnamed, Ok)
    }
}

/// The address of a path that fills its field. Std makes none from bytes, but reads it off a socket; so one
/// is connected to that name, if it is still there.
fn full_name(path: &[u8]) -> Option<SocketAddr> {
    let probe = unix_socket(UnixKind::Datagram).ok()?;
    let addr = SocketAddrUnix::new(path).ok()?;
    rustix::net::connect(&probe, &addr).ok()?;
    let addr = UnixDatagram::from(probe.into_owned()).peer_addr().ok()?;
    (addr.as_pathname()?.as_os_str().as_bytes() == path).then_some(addr)
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

    pub(super) fn addr(name: &[u8]) -> Option<std::io::Result<SocketAddr>> {
        Some(SocketAddr::from_abstract_name(name))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod abstract_name {
    use rustix::io::Result;

    use super::{SocketAddr, SocketAddrUnix};

    pub(super) fn kernel_addr(_addr: &SocketAddr) -> Option<Result<SocketAddrUnix>> {
        None
    }

    pub(super) fn addr(_name: &[u8]) -> Option<std::io::Result<SocketAddr>> {
        None
    }
}
