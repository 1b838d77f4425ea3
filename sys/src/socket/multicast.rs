//! Groups: whose multicast datagrams a socket receives.
//!
//! The interface is named as the kernel wants it: over IPv4 by one of its addresses, over IPv6 by its number;
//! the unspecified address, and 0, leave the choice to the system.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use rustix::net::sockopt;

use super::retry;
use crate::fault::Call;
use crate::fd::Fd;

/// Joins or leaves a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// From now on.
    Join,
    /// No longer.
    Leave,
}

/// A group of IPv4.
///
/// # Errors
/// `AddrInUse` for one that was joined already, `AddrNotAvailable` for one that was not, ENODEV without such an
/// interface, EINVAL if the address is no group's, ENOBUFS for too many.
pub fn multicast_v4(
    fd: &Fd,
    what: Membership,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    retry(Call::SocketOption, 0, |_| match what {
        Membership::Join => sockopt::set_ip_add_membership(fd, &group, &interface),
        Membership::Leave => sockopt::set_ip_drop_membership(fd, &group, &interface),
    })
}

/// A group of IPv6.
///
/// # Errors
/// As [`multicast_v4`].
pub fn multicast_v6(fd: &Fd, what: Membership, group: Ipv6Addr, interface: u32) -> io::Result<()> {
    retry(Call::SocketOption, 0, |_| match what {
        Membership::Join => sockopt::set_ipv6_add_membership(fd, &group, interface),
        Membership::Leave => sockopt::set_ipv6_drop_membership(fd, &group, interface),
    })
}

/// A group of IPv4, as far as `source` sends to it.
///
/// # Errors
/// As [`multicast_v4`]; `Unsupported` where the system lacks it: NetBSD, OpenBSD, DragonFly.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos",
    target_vendor = "apple"
))]
pub fn multicast_source_v4(
    fd: &Fd,
    what: Membership,
    source: Ipv4Addr,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    retry(Call::SocketOption, 0, |_| match what {
        Membership::Join => sockopt::set_ip_add_source_membership(fd, &group, &interface, &source),
        Membership::Leave => {
            sockopt::set_ip_drop_source_membership(fd, &group, &interface, &source)
        }
    })
}

/// A group of IPv4, as far as `source` sends to it.
///
/// # Errors
/// `Unsupported`: not on this system.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos",
    target_vendor = "apple"
)))]
pub fn multicast_source_v4(
    _fd: &Fd,
    _what: Membership,
    _source: Ipv4Addr,
    _group: Ipv4Addr,
    _interface: Ipv4Addr,
) -> io::Result<()> {
    let what = "this system has no membership by source (IP_ADD_SOURCE_MEMBERSHIP)";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}
