//! Groups that a UDP socket joins and leaves.
//!
//! How far datagrams to a group go, by which interface, and whether they come back, are options:
//! `MulticastTtl`, `MulticastInterfaceV4`, `MulticastLoopV4` and their twins of IPv6 in
//! [`option`](crate::net::option).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use mainspring_sys::socket::{self, Membership};

use super::UdpSocket;

impl UdpSocket {
    /// Joins a group of IPv4, on the interface that has this address; the unspecified one lets the system choose.
    /// The socket leaves it by itself when it closes.
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE if it was joined already, EINVAL if it is no group, ENODEV.
    ///
    /// ```
    /// use mainspring::net::UdpSocket;
    /// use std::net::Ipv4Addr;
    /// let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
    /// let group = Ipv4Addr::new(239, 255, 7, 7);
    /// socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    /// socket.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        socket::multicast_v4(self.fd(), Membership::Join, group, interface)
    }

    /// Leaves a group of IPv4.
    ///
    /// # Errors
    /// EADDRNOTAVAIL if it was not joined there.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        socket::multicast_v4(self.fd(), Membership::Leave, group, interface)
    }

    /// Joins a group of IPv6, on the interface of this number; 0 lets the system choose.
    ///
    /// # Errors
    /// As [`UdpSocket::join_multicast_v4`].
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        socket::multicast_v6(self.fd(), Membership::Join, group, interface)
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// As [`UdpSocket::leave_multicast_v4`].
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        socket::multicast_v6(self.fd(), Membership::Leave, group, interface)
    }

    /// Joins a group of IPv4 as far as `source` sends to it.
    ///
    /// # Errors
    /// As [`UdpSocket::join_multicast_v4`]; `Unsupported` on NetBSD, OpenBSD and DragonFly.
    pub fn join_source_v4(
        &self,
        source: Ipv4Addr,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        socket::multicast_source_v4(self.fd(), Membership::Join, source, group, interface)
    }

    /// Hears no longer what `source` sends to the group.
    ///
    /// # Errors
    /// As [`UdpSocket::leave_multicast_v4`]; `Unsupported` on NetBSD, OpenBSD and DragonFly.
    pub fn leave_source_v4(
        &self,
        source: Ipv4Addr,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        socket::multicast_source_v4(self.fd(), Membership::Leave, source, group, interface)
    }
}
