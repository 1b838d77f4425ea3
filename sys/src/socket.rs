//! Sockets: non-blocking and close-on-exec from birth, driven one system call at a time.
//!
//! *Role.* The network types of `mainspring` are made of these functions over [`&Fd`](Fd). None of
//! them waits: a call that can't go on says `WouldBlock`, and the reactor takes over. Bytes are moved
//! by [`recv`], [`send`], their vectored twins, [`read`] and [`write()`], which live in
//! `socket/transfer.rs`; datagrams are in `socket/udp.rs`, Unix sockets and their names in `socket/unix.rs`,
//! options in [`option`], what a listener does without descriptors in `socket/reserve.rs`. The files of Unix
//! sockets are in `socket/file.rs`, what else is passed over them in `socket/{message,rights,credentials}.rs`.
//!
//! *Model.* One function is one system call, and beside it only what the call's own traps demand:
//!
//! | trap | where it is dealt with |
//! |---|---|
//! | EINTR | the call is made again; except `connect`, whose work goes on in the kernel, and `close`, which is never repeated (hz_c02) |
//! | a connection that died in the queue | [`accept`] skips ECONNABORTED and takes the next |
//! | SIGPIPE | MSG_NOSIGNAL on each send; where it is missing (macOS) SO_NOSIGPIPE on each socket (hz_d07) |
//! | flags that can't be set at birth (macOS) | set right after; a fork in another thread can leak the descriptor in between |
//! | O_NONBLOCK inherited from the listener (BSD) or not (Linux) | asked for on each `accept`, never assumed |
//!
//! Before each system call the fault plan is asked ([`crate::fault`]); the question stands *inside*
//! the loop that repeats after EINTR, so that an injected EINTR takes the same road as a real one.
//!
//! *Cost.* The system call. Nothing here allocates, and addresses are copied, not parsed.
//!
//! *Why not `std::net`.* Its constructors connect and resolve in one blocking step, its `accept`
//! blocks a listener that was switched over by somebody else, and it offers no place to inject a
//! fault.

mod control;
mod credentials;
mod file;
mod message;
mod multicast;
pub mod option;
mod packet;
mod reserve;
mod rights;
mod transfer;
mod udp;
mod unix;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, Protocol, SocketAddrAny, SocketType, ipproto, sockopt};

use crate::fault::{self, Call};
use crate::fd::Fd;

pub use control::{Ancillary, PacketInfo};
pub use credentials::{Credentials, peer_credentials, set_pass_credentials};
pub use file::{BindOptions, SocketFile, bind_file};
pub use message::{Companions, recv_message, recv_message_from, recv_unix, recv_with_fds};
pub use multicast::{Membership, multicast_source_v4, multicast_v4, multicast_v6};
pub use packet::{
    ErrorOrigin, QueuedError, ReceiveBatch, Received, SendBatch, recv_batch, recv_error,
    recv_packet, send_batch, send_packet,
};
pub use reserve::{
    is_exhausted, is_listener_broken, is_out_of_descriptors, refuse_waiting, reserve_fd,
};
pub use rights::{FDS_MAX, send_message_with_fds, send_with_fds};
pub(crate) use transfer::{LEN_MAX, SEND_FLAGS, fit};
pub use transfer::{Moved, peek, read, recv, recv_vectored, send, send_vectored, write};
pub use udp::{
    Taken, connect_udp, disconnect_udp, peek_datagram, peek_datagram_from, recv_datagram,
    recv_datagram_from, send_datagram, send_datagram_to, udp_socket,
};
pub use unix::{
    UnixKind, accept_unix, adopt_unix, bind_unix, connect_unix, is_receiver_full, local_addr_unix,
    path_addr, peer_addr_unix, send_message, send_to_unix, unix_pair, unix_socket,
};

/// What `connect` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a connection in progress is not a connection"]
pub enum Connecting {
    /// The connection stands.
    Connected,
    /// Under way: wait until the socket is writable, then ask [`take_error`], and, because
    /// reports may be spurious (B6), [`is_connected`].
    InProgress,
}

/// Makes a TCP socket of the family that `addr` belongs to.
///
/// # Errors
/// EMFILE and ENFILE when there are no descriptors left, EAFNOSUPPORT where the system lacks the
/// family.
pub fn tcp_socket(addr: SocketAddr) -> io::Result<Fd> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let fd = retry(Call::Socket, 0, |_| {
        os::socket(family, SocketType::STREAM, Some(ipproto::TCP))
    })?;
    Ok(Fd::from(fd))
}

/// Takes over a socket that was made elsewhere (by std, by a parent process): makes it non-blocking
/// and safe from SIGPIPE. Close-on-exec is left as it is.
///
/// # Errors
/// What `fcntl` says; the descriptor is closed then.
pub fn adopt(fd: OwnedFd) -> io::Result<Fd> {
    set_nonblocking(fd.as_fd())?;
    os::silence_sigpipe(&fd)?;
    Ok(Fd::from(fd))
}

/// Gives the socket its local address. Port 0 lets the kernel choose; [`local_addr`] tells which.
///
/// # Errors
/// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
pub fn bind(fd: &Fd, addr: SocketAddr) -> io::Result<()> {
    retry(Call::Bind, 0, |_| rustix::net::bind(fd, &addr))
}

/// Begins to listen. `backlog` is how many finished connections may stand in the queue; the kernel
/// cuts it at its own limit.
///
/// # Errors
/// `AddrInUse`: another socket listens there already.
pub fn listen(fd: &Fd, backlog: i32) -> io::Result<()> {
    retry(Call::Listen, 0, |_| rustix::net::listen(fd, backlog))
}

/// Takes the next connection off the listener's queue. The address is `None` when it is no IP
/// address, or when the peer is gone already and the kernel has none any more.
///
/// A connection that was aborted while it stood in the queue (ECONNABORTED) is nobody's business
/// and is skipped; each turn of that loop takes one off a queue that is no longer than the backlog.
///
/// # Errors
/// `WouldBlock` when the queue is empty; EMFILE and ENFILE when there is no descriptor for the
/// connection, which then stays in the queue and makes no new edge (hz_d01); on Linux also errors
/// that were pending on the new connection (ENETDOWN, EPROTO, EHOSTUNREACH …). The listener works
/// on after each.
pub fn accept(listener: &Fd) -> io::Result<(Fd, Option<SocketAddr>)> {
    let (fd, addr) = accept_any(listener)?;
    Ok((fd, addr.and_then(ip_address)))
}

/// [`accept`], for any family.
fn accept_any(listener: &Fd) -> io::Result<(Fd, Option<SocketAddrAny>)> {
    loop {
        match retry(Call::Accept, 0, |_| os::accept(listener)) {
            Ok((fd, addr)) => return Ok((Fd::from(fd), addr)),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CONNABORTED) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Begins to connect. The call is made once: after EINTR the kernel goes on by itself, and a second
/// call would say EALREADY.
///
/// # Errors
/// What is known at once, such as `ConnectionRefused` over the loopback, `NetworkUnreachable`, and
/// `AddrNotAvailable` (no local port is free).
pub fn connect(fd: &Fd, addr: SocketAddr) -> io::Result<Connecting> {
    connect_any(fd, &addr)
}

/// [`connect`], for any family.
fn connect_any(fd: &Fd, addr: &impl SocketAddrArg) -> io::Result<Connecting> {
    let answer = match fault::check(Call::Connect, 1) {
        // A plan may let it answer too early: what the loopback does at once takes its time elsewhere.
        Ok(0) => rustix::net::connect(fd, addr).and(Err(Errno::INPROGRESS)),
        Ok(_) => rustix::net::connect(fd, addr),
        Err(error) => match Errno::from_io_error(&error) {
            // These say that the kernel goes on by itself: then somebody must have begun.
            Some(errno @ (Errno::INPROGRESS | Errno::INTR | Errno::ALREADY)) => {
                rustix::net::connect(fd, addr).and(Err(errno))
            }
            Some(errno) => Err(errno),
            None => return Err(error),
        },
    };
    match answer {
        Ok(()) => Ok(Connecting::Connected),
        Err(Errno::INPROGRESS | Errno::INTR | Errno::ALREADY) => Ok(Connecting::InProgress),
        // OpenBSD tells of a refused connection at once, and by this errno.
        Err(Errno::INVAL) if cfg!(target_os = "openbsd") => Err(Errno::CONNREFUSED.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes the error that is pending on the socket (SO_ERROR), if there is one. The kernel forgets it
/// by telling: of two askers one gets it (hz_d17).
///
/// # Errors
/// What `getsockopt` says, such as ENOTSOCK.
pub fn take_error(fd: &Fd) -> io::Result<Option<io::Error>> {
    let pending = retry(Call::SocketOption, 0, |_| sockopt::socket_error(fd))?;
    Ok(pending.err().map(io::Error::from))
}

/// Whether the socket has a peer. After a writable report and no [`take_error`] this tells a
/// finished `connect` from a spurious report.
///
/// # Errors
/// What `getpeername` says, except ENOTCONN.
pub fn is_connected(fd: &Fd) -> io::Result<bool> {
    match rustix::net::getpeername(fd) {
        Ok(_) => Ok(true),
        Err(Errno::NOTCONN) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The peer's address.
///
/// # Errors
/// `NotConnected`; `Unsupported` if it is no IP address.
pub fn peer_addr(fd: &Fd) -> io::Result<SocketAddr> {
    rustix::net::getpeername(fd)?
        .and_then(ip_address)
        .ok_or(io::ErrorKind::Unsupported.into())
}

/// The socket's own address.
///
/// # Errors
/// `Unsupported` if it is no IP address.
pub fn local_addr(fd: &Fd) -> io::Result<SocketAddr> {
    ip_address(rustix::net::getsockname(fd)?).ok_or(io::ErrorKind::Unsupported.into())
}

/// Shuts one direction of the connection, or both.
///
/// # Errors
/// `NotConnected`, also after a reset, and on macOS and the BSDs for the second of two shutdowns.
pub fn shutdown(fd: &Fd, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => rustix::net::Shutdown::Read,
        Shutdown::Write => rustix::net::Shutdown::Write,
        Shutdown::Both => rustix::net::Shutdown::Both,
    };
    retry(Call::Shutdown, 0, |_| rustix::net::shutdown(fd, how))
}

/// Sets O_NONBLOCK. The flag belongs to the open file, not to the descriptor: whoever else holds a
/// duplicate, another process too, sees it as well (hz_c27).
///
/// # Errors
/// What `fcntl` says.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    if !flags.contains(rustix::fs::OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?;
    }
    Ok(())
}

fn ip_address(addr: SocketAddrAny) -> Option<SocketAddr> {
    SocketAddr::try_from(addr).ok()
}

/// Asks the plan, then the kernel, again and again while either says EINTR. `operation` gets the
/// number of bytes it may move at most.
#[inline(always)]
pub(crate) fn retry<T>(
    call: Call,
    len: usize,
    mut operation: impl FnMut(usize) -> rustix::io::Result<T>,
) -> io::Result<T> {
    loop {
        match fault::check(call, len) {
            Ok(len) => match operation(len) {
                Ok(value) => return Ok(value),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Where the flags can be given at birth.
#[cfg(not(target_vendor = "apple"))]
mod os {
    use rustix::io::Result;
    use rustix::net::SocketFlags;

    use super::{AddressFamily, Fd, OwnedFd, Protocol, SocketAddrAny, SocketType};

    const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

    pub(super) fn socket(
        family: AddressFamily,
        kind: SocketType,
        protocol: Option<Protocol>,
    ) -> Result<OwnedFd> {
        rustix::net::socket_with(family, kind, FLAGS, protocol)
    }

    pub(super) fn unix_pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd)> {
        rustix::net::socketpair(AddressFamily::UNIX, kind, FLAGS, None)
    }

    pub(super) fn accept(listener: &Fd) -> Result<(OwnedFd, Option<SocketAddrAny>)> {
        rustix::net::acceptfrom_with(listener, FLAGS)
    }

    /// MSG_NOSIGNAL on each send does it.
    pub(super) fn silence_sigpipe(_fd: &OwnedFd) -> Result<()> {
        Ok(())
    }
}

/// macOS has neither accept4 nor SOCK_CLOEXEC nor SOCK_NONBLOCK nor a reliable MSG_NOSIGNAL.
#[cfg(target_vendor = "apple")]
mod os {
    use rustix::io::{Errno, Result};
    use rustix::net::SocketFlags;

    use super::{AddressFamily, Fd, OwnedFd, Protocol, SocketAddrAny, SocketType, sockopt};

    pub(super) fn socket(
        family: AddressFamily,
        kind: SocketType,
        protocol: Option<Protocol>,
    ) -> Result<OwnedFd> {
        finish(rustix::net::socket(family, kind, protocol)?)
    }

    pub(super) fn unix_pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd)> {
        let none = SocketFlags::empty();
        let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, kind, none, None)?;
        Ok((finish(one)?, finish(other)?))
    }

    pub(super) fn accept(listener: &Fd) -> Result<(OwnedFd, Option<SocketAddrAny>)> {
        let (fd, addr) = rustix::net::acceptfrom(listener)?;
        Ok((finish(fd)?, addr))
    }

    pub(super) fn silence_sigpipe(fd: &OwnedFd) -> Result<()> {
        match sockopt::set_socket_nosigpipe(fd, true) {
            // So macOS answers for a socket whose peer has already reset it. Reading tells.
            Err(Errno::INVAL) => Ok(()),
            answer => answer,
        }
    }

    fn finish(fd: OwnedFd) -> Result<OwnedFd> {
        rustix::io::ioctl_fioclex(&fd)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        silence_sigpipe(&fd)?;
        Ok(fd)
    }
}

/// Whether `error` says that the machine has no addresses of the family that was asked for.
#[must_use]
pub fn is_family_missing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}
