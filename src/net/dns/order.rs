//! The order of addresses: whole preferred classes first, and within a class the server's own order.
//!
//! *Why not all of RFC 6724.* Its other rules ask which address this machine would send from, which takes a
//! socket for each candidate. Who connects tries several anyway, and a family that is not there fails at
//! once. What is left is the table of its section 2.1, by which an address of a tunnel, or of a private
//! network of IPv6, comes after IPv4. The sort is stable: a server that shuffles its answers, to share the
//! load, shuffles ours.

use std::cmp::Reverse;
use std::net::IpAddr;

/// Sorts the addresses, preferred ones first.
pub(super) fn sort(addresses: &mut [IpAddr]) {
    addresses.sort_by_key(|addr| Reverse(precedence(*addr)));
}

/// The table of RFC 6724, 2.1.
fn precedence(addr: IpAddr) -> u8 {
    let IpAddr::V6(addr) = addr else {
        return 35;
    };
    let segments = addr.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => 50,
        [0, 0, 0, 0, 0, 0xffff, _, _] => 35,
        [0x2002, ..] => 30,
        [0x2001, 0, ..] => 5,
        [first, ..] if first & 0xfe00 == 0xfc00 => 3,
        [0, 0, 0, 0, 0, 0, _, _] => 1,
        [first, ..] if first & 0xffc0 == 0xfec0 => 1,
        [0x3ffe, ..] => 1,
        _ => 40,
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    fn sorted(texts: &[&str]) -> Vec<String> {
        let parsed = texts.iter().map(|text| text.parse().unwrap());
        let mut addresses: Vec<IpAddr> = parsed.collect();
        sort(&mut addresses);
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_of_ipv6_comes_first_and_one_of_a_tunnel_or_a_private_net_last() {
        let mixed = [
            "2001::1",
            "10.0.0.1",
            "fd00::1",
            "2001:db8::1",
            "2002::1",
            "::1",
        ];
        let expected = [
            "::1",
            "2001:db8::1",
            "10.0.0.1",
            "2002::1",
            "2001::1",
            "fd00::1",
        ];
        assert_eq!(sorted(&mixed), expected);
    }

    #[test]
    fn within_a_class_the_order_is_the_servers() {
        let shuffled = ["192.0.2.3", "192.0.2.1", "192.0.2.2"];
        assert_eq!(sorted(&shuffled), shuffled);
    }
}
