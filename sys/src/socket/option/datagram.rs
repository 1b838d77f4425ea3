//! Options of datagram sockets: multicast, and what shall come beside a datagram.
//!
//! Each is of one family where the kernel has one for each; that is said by its name.

use std::ffi::c_int;
use std::io;
use std::net::Ipv4Addr;

use rustix::net::sockopt;

#[allow(unused_imports, reason = "some systems have all options")]
use super::unsupported;
use super::{SocketOption, call, raw};
use crate::fd::Fd;

options! {
    /// IP_MULTICAST_LOOP: what is sent to a group over IPv4 comes back to this host's members. On by default.
    MulticastLoopV4: bool [unix] "IP_MULTICAST_LOOP"
        set(fd, on) sockopt::set_ip_multicast_loop(fd, on),
        get sockopt::ip_multicast_loop(fd);

    /// IPV6_MULTICAST_LOOP: the same of IPv6.
    MulticastLoopV6: bool [unix] "IPV6_MULTICAST_LOOP"
        set(fd, on) sockopt::set_ipv6_multicast_loop(fd, on),
        get sockopt::ipv6_multicast_loop(fd);

    /// IP_MULTICAST_TTL: how many routers a datagram to a group may pass; 1 by default, which is none.
    MulticastTtl: u8 [unix] "IP_MULTICAST_TTL"
        set(fd, hops) sockopt::set_ip_multicast_ttl(fd, u32::from(hops)),
        get sockopt::ip_multicast_ttl(fd).map(raw::byte);

    /// IPV6_MULTICAST_HOPS: the same of IPv6.
    MulticastHops: u8 [unix] "IPV6_MULTICAST_HOPS"
        set(fd, hops) sockopt::set_ipv6_multicast_hops(fd, u32::from(hops)),
        get sockopt::ipv6_multicast_hops(fd).map(raw::byte);

    /// IP_MULTICAST_IF: by which interface, named by one of its addresses, datagrams to groups go; unspecified lets
    /// the routes decide.
    MulticastInterfaceV4: Ipv4Addr [unix] "IP_MULTICAST_IF"
        set(fd, addr) sockopt::set_ip_multicast_if(fd, &addr),
        get sockopt::ip_multicast_if(fd);

    /// IPV6_MULTICAST_IF: the same of IPv6, by the interface's number.
    MulticastInterfaceV6: u32 [unix] "IPV6_MULTICAST_IF"
        set(fd, index) sockopt::set_ipv6_multicast_if(fd, index),
        get sockopt::ipv6_multicast_if(fd);

    /// IP_PKTINFO, on the BSDs and macOS IP_RECVDSTADDR: `recv_msg` tells which address an IPv4 datagram was sent
    /// to, and on Linux the interface.
    ReceivePacketInfoV4: bool [unix] "IP_PKTINFO"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IP, PACKET_INFO, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IP, PACKET_INFO).map(|on| on != 0);

    /// IPV6_RECVPKTINFO: the same of IPv6, with the interface everywhere.
    ReceivePacketInfoV6: bool [unix] "IPV6_RECVPKTINFO"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO).map(|on| on != 0);

    /// IP_RECVTOS: `recv_msg` tells the class of service of an IPv4 datagram, and its ECN.
    ReceiveTos: bool [any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")]
        "IP_RECVTOS"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IP, libc::IP_RECVTOS).map(|on| on != 0);

    /// IPV6_RECVTCLASS: the same of IPv6.
    ReceiveTrafficClass: bool [unix] "IPV6_RECVTCLASS"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS).map(|on| on != 0);

    /// SO_TIMESTAMPNS, elsewhere SO_TIMESTAMP (microseconds): `recv_msg` tells when the system got a datagram.
    ReceiveTimestamps: bool [unix] "SO_TIMESTAMP"
        set(fd, on) raw::set_int(fd, libc::SOL_SOCKET, TIMESTAMP, c_int::from(on)),
        get raw::int(fd, libc::SOL_SOCKET, TIMESTAMP).map(|on| on != 0);

    /// UDP_GRO: the system joins datagrams of one sender and length, and `recv_msg` tells the length. Linux only.
    /// A plain `recv` then gets several at once without a border, so call `recv_msg`, with a buffer of 64 KiB.
    ReceiveSegments: bool [any(target_os = "linux", target_os = "android")] "UDP_GRO"
        set(fd, on) raw::set_int(fd, libc::SOL_UDP, libc::UDP_GRO, c_int::from(on)),
        get raw::int(fd, libc::SOL_UDP, libc::UDP_GRO).map(|on| on != 0);

    /// IP_RECVERR: what became of IPv4 datagrams stands in a queue, for `recv_error`; also of an unconnected
    /// socket, whose next call fails once with it. Linux only. Whoever sets it takes the errors: while any is
    /// left, poll(2) reports it again and again, and the loop does not sleep.
    ReceiveErrorsV4: bool [any(target_os = "linux", target_os = "android")] "IP_RECVERR"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IP, libc::IP_RECVERR, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IP, libc::IP_RECVERR).map(|on| on != 0);

    /// IPV6_RECVERR: the same of IPv6.
    ReceiveErrorsV6: bool [any(target_os = "linux", target_os = "android")] "IPV6_RECVERR"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR).map(|on| on != 0);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const PACKET_INFO: c_int = libc::IP_PKTINFO;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PACKET_INFO: c_int = libc::IP_RECVDSTADDR;

#[cfg(any(target_os = "linux", target_os = "android"))]
const TIMESTAMP: c_int = libc::SO_TIMESTAMPNS;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TIMESTAMP: c_int = libc::SO_TIMESTAMP;
