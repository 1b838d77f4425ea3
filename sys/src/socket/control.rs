//! Control messages: what comes, and goes, beside a datagram's bytes.
//!
//! *Role.* [`Ancillary`] is what users see; here it becomes the bytes of `msg_control`, and is read from them.
//!
//! *Model.* The kernel's list: each message is a header, then its data, then padding to the next header.
//!
//! ```text
//!    ┌ cmsghdr: len, level, type ┐┌ data ┐┌ padding ┐┌ cmsghdr …
//!    └───────── CMSG_LEN(0) ─────┘
//!    └────────────── len ────────────────┘           a list may be cut anywhere: MSG_CTRUNC
//!    └───────────── CMSG_SPACE(data) ────────────────┘
//! ```
//!
//! The list is walked as bytes, never through pointers that it holds, so that whatever stands in it, no
//! read leaves the buffer: what has no room for its header, or says that it is longer than what is left, ends
//! the walk. Messages of a kind unknown here, or too short for their kind, are left out.
//!
//! # Invariants
//!
//! - **CTL-1** [`Plain`] is implemented only for C structures of integers, for which every pattern of bits is a value
//!   and padding is never looked at.
//! - **CTL-2** `CMSG_LEN` and `CMSG_SPACE` are arithmetic, and touch no memory.
//!
//! *Cost.* No allocation: the space is 256 bytes on the stack, or one per datagram of a batch.
#![expect(unsafe_code, reason = "structures of C from and to bytes")]

#[cfg(test)]
mod tests;

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Room for all that is known here, twice for addresses (a mapped IPv4 datagram brings both), and an error with its
/// offender's address: 240 bytes on 64-bit Linux.
pub(super) const SPACE_LEN: usize = 256;

/// What comes, or goes, beside a datagram's bytes. What is received must be switched on before, by an option:
/// `ReceivePacketInfo`, `ReceiveTrafficClass`, `ReceiveTimestamps`, `ReceiveSegments`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ancillary {
    /// Received: the address that the datagram was sent to, and the interface by which it came. To send: from
    /// which address, and by which interface.
    pub packet_info: Option<PacketInfo>,
    /// The byte of the IP header that says what service the datagram wants, in its two lowest bits ECN.
    pub traffic_class: Option<u8>,
    /// Received: when the system got it, by its wall clock, since 1970.
    pub timestamp: Option<Duration>,
    /// To send: the bytes go as datagrams of this length (the last may be shorter), by one system call (GSO).
    /// Received: the bytes are several datagrams of this length, joined by the system (GRO). Linux only.
    pub segment_len: Option<u16>,
}

/// An address of this host, and an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketInfo {
    /// The address. To send, the unspecified one leaves the choice to the system.
    pub addr: IpAddr,
    /// The interface's number; 0 if it is unknown, or to leave the choice to the system.
    pub interface: u32,
}

impl Ancillary {
    /// With this packet info.
    #[must_use]
    pub fn with_packet_info(mut self, addr: IpAddr, interface: u32) -> Ancillary {
        self.packet_info = Some(PacketInfo { addr, interface });
        self
    }

    /// With this traffic class.
    #[must_use]
    pub fn with_traffic_class(mut self, class: u8) -> Ancillary {
        self.traffic_class = Some(class);
        self
    }

    /// In segments of this length.
    #[must_use]
    pub fn with_segment_len(mut self, len: u16) -> Ancillary {
        self.segment_len = Some(len);
        self
    }

    /// The two bits of explicit congestion notification: 0 not capable, 1 and 2 capable, 3 congestion met.
    #[must_use]
    pub fn ecn(&self) -> Option<u8> {
        self.traffic_class.map(|class| class & 3)
    }

    /// Takes in a message, if it is known.
    fn take(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        match (level, kind) {
            os::TIMESTAMP => self.timestamp = os::timestamp(data).or(self.timestamp),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info = read::<libc::in6_pktinfo>(data).map(|info| PacketInfo {
                    addr: Ipv6Addr::from(info.ipi6_addr.s6_addr).into(),
                    interface: info.ipi6_ifindex as _,
                });
                self.packet_info = info.or(self.packet_info);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                self.traffic_class = number(data).or(self.traffic_class);
            }
            (libc::IPPROTO_IP, kind) if os::is_tos(kind) => {
                self.traffic_class = number(data).or(self.traffic_class);
            }
            // A mapped datagram brings both; that of IPv6 says no less.
            (libc::IPPROTO_IP, os::PACKET_INFO) => {
                self.packet_info = self.packet_info.or_else(|| os::packet_info(data));
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let len = read::<c_int>(data).and_then(|len| u16::try_from(len).ok());
                self.segment_len = len.or(self.segment_len);
            }
            _ => {}
        }
    }
}

/// What the list in `bytes` holds.
pub(super) fn decode(bytes: &[u8]) -> Ancillary {
    let mut ancillary = Ancillary::default();
    for (level, kind, data) in messages(bytes) {
        ancillary.take(level, kind, data);
    }
    ancillary
}

/// The list's messages: level, type, data.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = (c_int, c_int, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = read::<libc::cmsghdr>(rest)?;
        let len: usize = header.cmsg_len as _;
        let data = rest.get(len_of(0)..len)?;
        rest = rest.get(space_of(data.len())..).unwrap_or(&[]);
        Some((header.cmsg_level, header.cmsg_type, data))
    })
}

/// Space for control messages, aligned as the kernel wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Space {
    bytes: [u8; SPACE_LEN],
}

impl Space {
    pub(super) const fn new() -> Space {
        Space {
            bytes: [0; SPACE_LEN],
        }
    }

    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        &self.bytes[..len.min(SPACE_LEN)]
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// Writes `ancillary`, and says how many bytes that took.
    ///
    /// # Errors
    /// `Unsupported` where the system has no such message; `InvalidInput` for a segment of no bytes.
    pub(super) fn encode(&mut self, ancillary: &Ancillary) -> io::Result<usize> {
        let mut len = 0;
        if let Some(info) = ancillary.packet_info {
            match info.addr {
                IpAddr::V4(addr) => os::push_packet_info(self, &mut len, addr, info.interface)?,
                IpAddr::V6(addr) => {
                    let mut data = zeroed::<libc::in6_pktinfo>();
                    data.ipi6_addr.s6_addr = addr.octets();
                    data.ipi6_ifindex = info.interface as _;
                    self.push(
                        &mut len,
                        libc::IPPROTO_IPV6,
                        libc::IPV6_PKTINFO,
                        bytes_of(&data),
                    );
                }
            }
        }
        if let Some(class) = ancillary.traffic_class {
            // Each family looks at its own, and at nothing else.
            let class = c_int::from(class);
            self.push(
                &mut len,
                libc::IPPROTO_IPV6,
                libc::IPV6_TCLASS,
                bytes_of(&class),
            );
            os::push_tos(self, &mut len, class);
        }
        if let Some(segment_len) = ancillary.segment_len {
            if segment_len == 0 {
                let what = "a datagram was to be cut into segments of no bytes";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            os::push_segment_len(self, &mut len, segment_len)?;
        }
        Ok(len)
    }

    /// Appends a message to the first `len` bytes. There is room for all of [`Space::encode`].
    pub(super) fn push(&mut self, len: &mut usize, level: c_int, kind: c_int, data: &[u8]) {
        let mut header = zeroed::<libc::cmsghdr>();
        header.cmsg_len = len_of(data.len()) as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        let message = &mut self.bytes[*len..*len + space_of(data.len())];
        message.fill(0);
        message[..size_of::<libc::cmsghdr>()].copy_from_slice(bytes_of(&header));
        message[len_of(0)..len_of(data.len())].copy_from_slice(data);
        *len += message.len();
    }
}

/// A structure of C that is nothing but its integers.
///
/// # Safety
/// See CTL-1.
unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($(#[$on:meta])* $type:ty;)*) => {$(
        $(#[$on])*
        // SAFETY: CTL-1, it is a C structure of integers.
        unsafe impl Plain for $type {}
    )*};
}

plain! {
    c_int;
    u16;
    libc::cmsghdr;
    libc::in6_pktinfo;
    libc::in_addr;
    libc::timeval;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    libc::timespec;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    libc::in_pktinfo;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    libc::sock_extended_err;
    libc::sockaddr_in;
    libc::sockaddr_in6;
}

/// The value that stands at the beginning of `bytes`, if they are enough.
#[allow(private_bounds, reason = "the bound is what makes it sound")]
pub(super) fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: there are enough bytes, alignment is not asked for, and each pattern is a value (CTL-1).
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

fn zeroed<T: Plain>() -> T {
    // SAFETY: each pattern of bits is a value, zeros too (CTL-1).
    unsafe { std::mem::zeroed() }
}

/// The bytes of a value without padding, or whose padding was written as zeros ([`zeroed`]).
fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: the bytes are the value's, which is borrowed as long; padding, if any, is written (CTL-1).
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// How long a message with so much data is, without padding behind it.
fn len_of(data: usize) -> usize {
    // SAFETY: CTL-2.
    unsafe { libc::CMSG_LEN(data as u32) as usize }
}

/// How far it is from such a message to the next.
fn space_of(data: usize) -> usize {
    // SAFETY: CTL-2.
    unsafe { libc::CMSG_SPACE(data as u32) as usize }
}

/// A byte, which some systems send as an int.
fn number(data: &[u8]) -> Option<u8> {
    match read::<c_int>(data) {
        Some(value) => u8::try_from(value).ok(),
        None => data.first().copied(),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use super::{Duration, Ipv4Addr, PacketInfo, Space, bytes_of, c_int, io, read, zeroed};

    pub(super) const PACKET_INFO: c_int = libc::IP_PKTINFO;
    pub(super) const TIMESTAMP: (c_int, c_int) = (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);

    pub(super) fn timestamp(data: &[u8]) -> Option<Duration> {
        let time = read::<libc::timespec>(data)?;
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).ok()?))
    }

    pub(super) fn is_tos(kind: c_int) -> bool {
        kind == libc::IP_TOS
    }

    pub(super) fn push_tos(space: &mut Space, len: &mut usize, class: c_int) {
        space.push(len, libc::IPPROTO_IP, libc::IP_TOS, bytes_of(&class));
    }

    pub(super) fn packet_info(data: &[u8]) -> Option<PacketInfo> {
        let info = read::<libc::in_pktinfo>(data)?;
        Some(PacketInfo {
            addr: Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into(),
            interface: u32::try_from(info.ipi_ifindex).unwrap_or(0),
        })
    }

    pub(super) fn push_packet_info(
        space: &mut Space,
        len: &mut usize,
        addr: Ipv4Addr,
        interface: u32,
    ) -> io::Result<()> {
        let mut info = zeroed::<libc::in_pktinfo>();
        info.ipi_spec_dst.s_addr = u32::from(addr).to_be();
        info.ipi_ifindex = interface as c_int;
        space.push(len, libc::IPPROTO_IP, libc::IP_PKTINFO, bytes_of(&info));
        Ok(())
    }

    pub(super) fn push_segment_len(
        space: &mut Space,
        len: &mut usize,
        segment_len: u16,
    ) -> io::Result<()> {
        space.push(
            len,
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            bytes_of(&segment_len),
        );
        Ok(())
    }
}

/// Elsewhere, `IP_RECVDSTADDR` tells the address without the interface; there is no GSO.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    use super::{Duration, Ipv4Addr, PacketInfo, Space, bytes_of, c_int, io, read};

    /// The same number on all of these, and not in libc.
    const IP_TOS: c_int = 3;

    pub(super) const PACKET_INFO: c_int = libc::IP_RECVDSTADDR;
    pub(super) const TIMESTAMP: (c_int, c_int) = (libc::SOL_SOCKET, libc::SCM_TIMESTAMP);

    pub(super) fn timestamp(data: &[u8]) -> Option<Duration> {
        let time = read::<libc::timeval>(data)?;
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let micros = u64::try_from(time.tv_usec).ok()?;
        Some(Duration::from_secs(seconds) + Duration::from_micros(micros))
    }

    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    pub(super) fn is_tos(kind: c_int) -> bool {
        kind == IP_TOS || kind == libc::IP_RECVTOS
    }

    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
    pub(super) fn is_tos(kind: c_int) -> bool {
        kind == IP_TOS
    }

    pub(super) fn push_tos(space: &mut Space, len: &mut usize, class: c_int) {
        if cfg!(target_os = "freebsd") {
            space.push(len, libc::IPPROTO_IP, IP_TOS, &[class as u8]);
        } else if cfg!(target_vendor = "apple") {
            space.push(len, libc::IPPROTO_IP, IP_TOS, bytes_of(&class));
        }
    }

    pub(super) fn packet_info(data: &[u8]) -> Option<PacketInfo> {
        let addr = read::<libc::in_addr>(data)?;
        Some(PacketInfo {
            addr: Ipv4Addr::from(u32::from_be(addr.s_addr)).into(),
            interface: 0,
        })
    }

    #[cfg(any(
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    pub(super) fn push_packet_info(
        space: &mut Space,
        len: &mut usize,
        addr: Ipv4Addr,
        _interface: u32,
    ) -> io::Result<()> {
        let addr = libc::in_addr {
            s_addr: u32::from(addr).to_be(),
        };
        space.push(len, libc::IPPROTO_IP, libc::IP_SENDSRCADDR, bytes_of(&addr));
        Ok(())
    }

    #[cfg(not(any(
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    pub(super) fn push_packet_info(
        _space: &mut Space,
        _len: &mut usize,
        _addr: Ipv4Addr,
        _interface: u32,
    ) -> io::Result<()> {
        let what = "this system takes no source address with an IPv4 datagram";
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }

    pub(super) fn push_segment_len(_: &mut Space, _: &mut usize, _: u16) -> io::Result<()> {
        let what = "this system cuts no datagrams into segments; send them one by one";
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }
}
