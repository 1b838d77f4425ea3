//! Datagrams: one call takes or gives one whole datagram, and none is cut in silence.
//!
//! *Role.* UDP sockets, connected or not. What comes with a datagram beside its bytes is in `control.rs`.
//!
//! *Model.* The kernel keeps the borders: a buffer that is too small gets the beginning, and the rest is
//! gone. So each receive tells how long the datagram was, as far as the system says ([`Taken`], hz_d11).
//! An empty datagram is a datagram; a UDP socket has no end.
//!
//! *Errors.* An ICMP message about an earlier datagram of a connected socket comes as the error of the next
//! call, receive or send, once; the socket works on (ECONNREFUSED, EHOSTUNREACH …).

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrAny, SocketType, ipproto};

use super::transfer::{LEN_MAX, SEND_FLAGS};
use super::{ip_address, os, retry};
use crate::fault::Call;
use crate::fd::Fd;

/// How much of a message the buffer took: of a datagram, or of a record of a Unix socket.
///
/// What did not fit is gone, unless it was a look (`peek`). That is no error of the socket: whoever sends it chooses how long a
/// message is, and a stranger must not end a server's loop by a long one. Who can use whole messages alone
/// asks [`Taken::whole`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Taken {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// How long the message was. Where the system tells only that it was longer (all but Linux), one more
    /// than fits.
    pub whole_len: usize,
}

impl Taken {
    /// From what the kernel answered (`done`), how much room there was, and its flag MSG_TRUNC.
    pub(super) fn of(done: usize, room: usize, is_truncated: bool) -> Taken {
        let len = done.min(room);
        Taken {
            len,
            whole_len: if is_truncated { done.max(len + 1) } else { len },
        }
    }

    /// Whether the buffer was too small.
    #[must_use]
    #[inline]
    pub fn is_truncated(self) -> bool {
        self.whole_len > self.len
    }

    /// The length of a message that fitted.
    ///
    /// # Errors
    /// `InvalidData` if it did not.
    #[inline]
    pub fn whole(self) -> io::Result<usize> {
        if self.is_truncated() {
            return Err(self.cut());
        }
        Ok(self.len)
    }

    #[cold]
    fn cut(self) -> io::Error {
        let what = format!(
            "a message of at least {} bytes was cut to the buffer's {}",
            self.whole_len, self.len
        );
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

/// What asks a `recvmsg` for the whole length of a message, on Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const WHOLE_LEN_FLAG: libc::c_int = libc::MSG_TRUNC;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const WHOLE_LEN_FLAG: libc::c_int = 0;

/// Makes a UDP socket of the family that `addr` belongs to. It has no port yet.
///
/// # Errors
/// EMFILE and ENFILE when there are no descriptors left, EAFNOSUPPORT where the system lacks the family.
pub fn udp_socket(addr: SocketAddr) -> io::Result<Fd> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let fd = retry(Call::Socket, 0, |_| {
        os::socket(family, SocketType::DGRAM, Some(ipproto::UDP))
    })?;
    Ok(Fd::from(fd))
}

/// Sets the peer: where [`send`](super::send()) goes, and the only one from whom anything is received. It
/// takes no time, and says nothing of whether anybody is there.
///
/// # Errors
/// `NetworkUnreachable`; EACCES for a broadcast address without the option.
pub fn connect_udp(fd: &Fd, addr: SocketAddr) -> io::Result<()> {
    retry(Call::Connect, 0, |_| rustix::net::connect(fd, &addr))
}

/// Takes the peer away again.
///
/// # Errors
/// What `connect` says.
pub fn disconnect_udp(fd: &Fd) -> io::Result<()> {
    let answer = retry(Call::Connect, 0, |_| rustix::net::connect_unspec(fd));
    match answer {
        // The BSDs do it, and then complain of the address.
        Err(error)
            if Errno::from_io_error(&error) == Some(Errno::AFNOSUPPORT)
                && rustix::net::getpeername(fd) == Err(Errno::NOTCONN) =>
        {
            Ok(())
        }
        answer => answer,
    }
}

/// Receives one datagram.
///
/// # Errors
/// `WouldBlock` when none is there; what became of an earlier one (see the header).
#[inline]
pub fn recv_datagram(fd: &Fd, buf: &mut [u8]) -> io::Result<Taken> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |most| {
        recv_by(fd, &mut buf[..most], RecvFlags::empty())
    })
}

/// As [`recv_datagram`], with the address of whoever sent it.
///
/// # Errors
/// As [`recv_datagram`]; `Unsupported` if the address is no IP address.
#[inline]
pub fn recv_datagram_from(fd: &Fd, buf: &mut [u8]) -> io::Result<(Taken, SocketAddr)> {
    let (taken, from) = retry(Call::Recv, buf.len().min(LEN_MAX), |most| {
        recv_from_by(fd, &mut buf[..most], RecvFlags::empty())
    })?;
    Ok((taken, known(from)?))
}

/// As [`recv_datagram`], but the datagram stays.
///
/// # Errors
/// As [`recv_datagram`].
pub fn peek_datagram(fd: &Fd, buf: &mut [u8]) -> io::Result<Taken> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |most| {
        recv_by(fd, &mut buf[..most], RecvFlags::PEEK)
    })
}

/// As [`recv_datagram_from`], but the datagram stays.
///
/// # Errors
/// As [`recv_datagram_from`].
pub fn peek_datagram_from(fd: &Fd, buf: &mut [u8]) -> io::Result<(Taken, SocketAddr)> {
    let (taken, from) = retry(Call::Recv, buf.len().min(LEN_MAX), |most| {
        recv_from_by(fd, &mut buf[..most], RecvFlags::PEEK)
    })?;
    Ok((taken, known(from)?))
}

/// Sends one datagram to the peer, whole.
///
/// # Errors
/// `WouldBlock` when there is no room; EMSGSIZE when it is too long for UDP or for the way; `NotConnected`
/// (EDESTADDRREQ on Linux) without a peer; what became of an earlier one.
#[inline]
pub fn send_datagram(fd: &Fd, buf: &[u8]) -> io::Result<usize> {
    retry(Call::Send, 0, |_| {
        rustix::net::send(fd, fitting(buf)?, SEND_FLAGS)
    })
}

/// Sends one datagram to `addr`, whole.
///
/// # Errors
/// As [`send_datagram`]; EACCES for a broadcast address without the option; EISCONN on macOS and the BSDs,
/// when the socket has a peer.
#[inline]
pub fn send_datagram_to(fd: &Fd, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
    retry(Call::Send, 0, |_| {
        rustix::net::sendto(fd, fitting(buf)?, SEND_FLAGS, &addr)
    })
}

/// No datagram is that long. Said here, because macOS would say EINVAL (hz_d10).
#[inline]
fn fitting(buf: &[u8]) -> rustix::io::Result<&[u8]> {
    if buf.len() > LEN_MAX {
        return Err(Errno::MSGSIZE);
    }
    Ok(buf)
}

fn known(from: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    from.and_then(ip_address).ok_or_else(|| {
        let what = "the datagram's sender has no IP address";
        io::Error::new(io::ErrorKind::Unsupported, what)
    })
}

/// MSG_TRUNC makes the kernel tell the whole length.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn recv_by(fd: &Fd, buf: &mut [u8], flags: RecvFlags) -> rustix::io::Result<Taken> {
    let (len, whole_len) = rustix::net::recv(fd, buf, flags | RecvFlags::TRUNC)?;
    Ok(Taken { len, whole_len })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn recv_from_by(
    fd: &Fd,
    buf: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<(Taken, Option<SocketAddrAny>)> {
    let (len, whole_len, from) = rustix::net::recvfrom(fd, buf, flags | RecvFlags::TRUNC)?;
    Ok((Taken { len, whole_len }, from))
}

/// Only `recvmsg` says that something was cut.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn recv_by(fd: &Fd, buf: &mut [u8], flags: RecvFlags) -> rustix::io::Result<Taken> {
    recv_from_by(fd, buf, flags).map(|(taken, _)| taken)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn recv_from_by(
    fd: &Fd,
    buf: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<(Taken, Option<SocketAddrAny>)> {
    use rustix::net::{RecvAncillaryBuffer, ReturnFlags, recvmsg};
    let mut nothing = RecvAncillaryBuffer::default();
    let received = recvmsg(fd, &mut [io::IoSliceMut::new(buf)], &mut nothing, flags)?;
    let is_cut = received.flags.contains(ReturnFlags::TRUNC);
    let taken = Taken {
        len: received.bytes,
        whole_len: received.bytes + usize::from(is_cut),
    };
    Ok((taken, received.address))
}
