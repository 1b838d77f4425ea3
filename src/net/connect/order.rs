//! The order in which addresses are tried.
//!
//! *Why.* A host whose IPv6 is broken, or whose IPv4 is, has addresses of both families, and resolvers give all
//! of one before the other. Whoever tried them so would wait for each of the broken ones. So the families take
//! turns (RFC 8305, section 4), and begin with that of the address that the resolver put first: it knows the
//! machine's preferences (RFC 6724).

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::connector::IpPreference;

/// `addrs`, families in turn, each in the order it had. The first one's family begins, unless `preference` says
/// otherwise.
pub(super) fn in_turn(addrs: Vec<SocketAddr>, preference: IpPreference) -> VecDeque<SocketAddr> {
    let (four, six): (VecDeque<_>, VecDeque<_>) = addrs.iter().partition(|addr| addr.is_ipv4());
    let is_four_first = match preference {
        IpPreference::AsResolved => addrs.first().is_some_and(SocketAddr::is_ipv4),
        IpPreference::Ipv4First => true,
        IpPreference::Ipv6First => false,
        IpPreference::Ipv4Only => return four,
        IpPreference::Ipv6Only => return six,
    };
    let (mut first, mut second) = if is_four_first {
        (four, six)
    } else {
        (six, four)
    };
    let mut order = VecDeque::with_capacity(addrs.len());
    while !(first.is_empty() && second.is_empty()) {
        order.extend(first.pop_front());
        order.extend(second.pop_front());
    }
    order
}
