//! Datagrams with all that comes beside them, one at a time or a batch with one system call.
//!
//! *Role.* `recvmsg`, `sendmsg`, and the error queue of Linux here; the batches in `packet/batch.rs`. The
//! list of control messages is made and read in `control.rs`.
//!
//! # Invariants
//!
//! - **PKT-1** Each pointer in a header is, during the call, to memory that is borrowed for so long by whoever made
//!   the header, and the length beside it is that memory's.
//! - **PKT-2** The kernel writes at most these lengths, and says how much it wrote. Names and control space are
//!   initialised before, so that reading less or more of them than was written is reading integers.
//!
//! *Why not rustix.* It has no messages but descriptors and credentials, and no batches.
#![expect(unsafe_code, reason = "messages that rustix does not have")]

mod batch;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use rustix::io::Errno;

use super::control::{Ancillary, Space, decode};
use super::retry;
use super::transfer::{LEN_MAX, SEND_FLAGS};
use super::udp::{Taken, WHOLE_LEN_FLAG};
use crate::fault::Call;
use crate::fd::Fd;

pub use batch::{ReceiveBatch, SendBatch, recv_batch, send_batch};

/// A datagram that was received, except its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// How long the datagram was. Where the system tells only that it was longer (all but Linux), one more
    /// than fits.
    pub whole_len: usize,
    /// Who sent it.
    pub from: Option<SocketAddr>,
    /// What came with it.
    pub ancillary: Ancillary,
    /// Whether some of that was left out for want of room (MSG_CTRUNC).
    pub is_ancillary_truncated: bool,
}

impl Received {
    /// Whether the buffer was too small: the rest of the datagram is gone.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.whole_len > self.len
    }

    /// From what the kernel wrote: `done` is what it answered, `room` what there was.
    fn of(header: &libc::msghdr, name: &Name, space: &Space, done: usize, room: usize) -> Received {
        let taken = Taken::of(done, room, header.msg_flags & libc::MSG_TRUNC != 0);
        Received {
            len: taken.len,
            whole_len: taken.whole_len,
            from: name.addr(header.msg_namelen),
            ancillary: decode(space.bytes(header.msg_controllen as _)),
            is_ancillary_truncated: header.msg_flags & libc::MSG_CTRUNC != 0,
        }
    }

    /// How much of it the buffer took.
    #[must_use]
    pub fn taken(&self) -> Taken {
        Taken {
            len: self.len,
            whole_len: self.whole_len,
        }
    }
}

/// Receives one datagram with all that came beside it.
///
/// # Errors
/// As [`recv_datagram`](super::recv_datagram).
pub fn recv_packet(fd: &Fd, buf: &mut [u8]) -> io::Result<Received> {
    retry(Call::RecvMsg, buf.len().min(LEN_MAX), |most| {
        receive(fd, &mut buf[..most], WHOLE_LEN_FLAG).map(|(received, ..)| received)
    })
}

fn receive(
    fd: &Fd,
    buf: &mut [u8],
    flags: libc::c_int,
) -> rustix::io::Result<(Received, Space, usize)> {
    let (mut name, mut space) = (Name::new(), Space::new());
    let mut slice = slice_of(buf);
    let mut header = header(&mut name, &mut slice);
    header.msg_control = space.as_mut_ptr().cast();
    header.msg_controllen = super::control::SPACE_LEN as _;
    // SAFETY: PKT-1, all that the header points to is on this stack, or `buf`.
    let done = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) };
    let done = usize::try_from(done).map_err(|_| last_error())?;
    let received = Received::of(&header, &name, &space, done, buf.len());
    Ok((received, space, header.msg_controllen as _))
}

/// Sends one datagram, to `to` or to the peer, with `ancillary` beside it. Says how many bytes went.
///
/// # Errors
/// As [`send_datagram_to`](super::send_datagram_to); `Unsupported` for what this system can't send.
pub fn send_packet(
    fd: &Fd,
    buf: &[u8],
    to: Option<SocketAddr>,
    ancillary: &Ancillary,
) -> io::Result<usize> {
    if buf.len() > LEN_MAX {
        return Err(Errno::MSGSIZE.into());
    }
    let mut space = Space::new();
    let control_len = space.encode(ancillary)?;
    let mut name = Name::new();
    let name_len = to.map_or(0, |to| name.set(to));
    retry(Call::SendMsg, 0, |_| {
        let mut slice = libc::iovec {
            iov_base: buf.as_ptr().cast_mut().cast(),
            iov_len: buf.len(),
        };
        let mut header = header(&mut name, &mut slice);
        header.msg_namelen = name_len;
        if control_len > 0 {
            header.msg_control = space.as_mut_ptr().cast();
            header.msg_controllen = control_len as _;
        }
        // SAFETY: PKT-1, as in `receive`; the kernel does not write to what it sends.
        let done = unsafe {
            libc::sendmsg(
                fd.as_raw_fd(),
                &raw const header,
                SEND_FLAGS.bits() as libc::c_int,
            )
        };
        usize::try_from(done).map_err(|_| last_error())
    })
}

/// Where an error of the queue was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorOrigin {
    /// In this host: no route, say, or a datagram too long for the interface.
    Local,
    /// By an ICMP message of another one.
    Icmp,
    /// By one of ICMP for IPv6.
    Icmp6,
    /// Elsewhere, a timestamp for instance, by its number.
    Other(u8),
}

/// What became of a datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedError {
    /// The errno, as a receive would have told it.
    pub errno: i32,
    /// Who says so.
    pub origin: ErrorOrigin,
    /// The ICMP message's type.
    pub icmp_type: u8,
    /// The ICMP message's code.
    pub icmp_code: u8,
    /// More of it: for EMSGSIZE, the longest packet that the way takes.
    pub info: u32,
    /// Where the datagram was going.
    pub to: Option<SocketAddr>,
    /// Who complained, if it was another host; the port is 0.
    pub offender: Option<SocketAddr>,
}

impl QueuedError {
    /// As an [`io::Error`], with the errno.
    #[must_use]
    pub fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// Takes the oldest error of the queue, which is filled after `ReceiveErrors` is set.
///
/// # Errors
/// `WouldBlock` when there is none; `Unsupported` but on Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn recv_error(fd: &Fd) -> io::Result<QueuedError> {
    loop {
        let (received, space, len) = retry(Call::RecvMsg, 0, |_| {
            receive(fd, &mut [], libc::MSG_ERRQUEUE)
        })?;
        if let Some(error) = error_in(space.bytes(len), received.from) {
            return Ok(error);
        }
    }
}

/// Takes the oldest error of the queue.
///
/// # Errors
/// `Unsupported`: only Linux keeps one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn recv_error(_fd: &Fd) -> io::Result<QueuedError> {
    let what = "this system keeps no queue of errors; a connected socket's next call tells";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn error_in(bytes: &[u8], to: Option<SocketAddr>) -> Option<QueuedError> {
    use super::control::{messages, read};
    let is_error = |level, kind| {
        matches!(
            (level, kind),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        )
    };
    let (.., data) = messages(bytes).find(|(level, kind, _)| is_error(*level, *kind))?;
    let error = read::<libc::sock_extended_err>(data)?;
    let origin = match error.ee_origin {
        libc::SO_EE_ORIGIN_LOCAL => ErrorOrigin::Local,
        libc::SO_EE_ORIGIN_ICMP => ErrorOrigin::Icmp,
        libc::SO_EE_ORIGIN_ICMP6 => ErrorOrigin::Icmp6,
        other => ErrorOrigin::Other(other),
    };
    let offender = data
        .get(size_of::<libc::sock_extended_err>()..)
        .unwrap_or(&[]);
    Some(QueuedError {
        errno: error.ee_errno as i32,
        origin,
        icmp_type: error.ee_type,
        icmp_code: error.ee_code,
        info: error.ee_info,
        to,
        offender: addr_in(offender),
    })
}

/// An address in the kernel's form.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name {
    bytes: [u8; NAME_LEN],
}

/// The longest name of an IP socket.
const NAME_LEN: usize = size_of::<libc::sockaddr_in6>();

impl Name {
    const fn new() -> Name {
        Name {
            bytes: [0; NAME_LEN],
        }
    }

    /// Takes `addr`, and says how long it is in this form.
    fn set(&mut self, addr: SocketAddr) -> libc::socklen_t {
        let target = self.bytes.as_mut_ptr();
        match addr {
            SocketAddr::V4(addr) => {
                // SAFETY: a C structure of integers, for which zeros are a value.
                let mut raw: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                raw.sin_family = libc::AF_INET as _;
                raw.sin_port = addr.port().to_be();
                raw.sin_addr.s_addr = u32::from(*addr.ip()).to_be();
                // SAFETY: there are `NAME_LEN` bytes, more than this has; alignment is not asked for.
                unsafe { target.cast::<libc::sockaddr_in>().write_unaligned(raw) };
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            SocketAddr::V6(addr) => {
                // SAFETY: a C structure of integers, for which zeros are a value.
                let mut raw: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                raw.sin6_family = libc::AF_INET6 as _;
                raw.sin6_port = addr.port().to_be();
                raw.sin6_flowinfo = addr.flowinfo();
                raw.sin6_addr.s6_addr = addr.ip().octets();
                raw.sin6_scope_id = addr.scope_id();
                // SAFETY: there are `NAME_LEN` bytes, just what this has; alignment is not asked for.
                unsafe { target.cast::<libc::sockaddr_in6>().write_unaligned(raw) };
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        }
    }

    /// The address of which the kernel wrote `len` bytes.
    fn addr(&self, len: libc::socklen_t) -> Option<SocketAddr> {
        addr_in(&self.bytes[..(len as usize).min(NAME_LEN)])
    }
}

/// The IP address that `bytes` begin with, in the kernel's form.
fn addr_in(bytes: &[u8]) -> Option<SocketAddr> {
    use super::control::read;
    let family = std::mem::offset_of!(libc::sockaddr_in, sin_family);
    let family = match size_of::<libc::sa_family_t>() {
        1 => libc::c_int::from(*bytes.get(family)?),
        _ => libc::c_int::from(read::<u16>(bytes)?),
    };
    match family {
        libc::AF_INET => {
            let raw = read::<libc::sockaddr_in>(bytes)?;
            let ip = Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            let raw = read::<libc::sockaddr_in6>(bytes)?;
            let (ip, port) = (
                Ipv6Addr::from(raw.sin6_addr.s6_addr),
                u16::from_be(raw.sin6_port),
            );
            Some(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn slice_of(buf: &mut [u8]) -> libc::iovec {
    libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    }
}

/// A header without control messages.
fn header(name: &mut Name, slice: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: a C structure of integers and pointers, for which zeros are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = name.bytes.as_mut_ptr().cast();
    header.msg_namelen = NAME_LEN as libc::socklen_t;
    header.msg_iov = slice;
    header.msg_iovlen = 1;
    header
}

/// The errno of the call that just failed.
fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}
