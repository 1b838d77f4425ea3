//! Lists of control messages, made by hand, cut and broken.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Ancillary, SPACE_LEN, Space, decode, len_of, messages, space_of};

fn encoded(ancillary: &Ancillary) -> Vec<u8> {
    let mut space = Space::new();
    let len = space.encode(ancillary).unwrap();
    space.bytes(len).to_vec()
}

#[test]
fn what_is_sent_is_read_back_where_the_kernel_uses_one_form_both_ways() {
    let sent = Ancillary::default()
        .with_packet_info(Ipv6Addr::LOCALHOST.into(), 7)
        .with_traffic_class(0xb9);
    assert_eq!(decode(&encoded(&sent)), sent);
    assert_eq!(sent.ecn(), Some(1));
    assert!(encoded(&Ancillary::default()).is_empty());
}

#[test]
fn all_that_is_sent_has_room() {
    let mut most = 0;
    for addr in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        let mut all = Ancillary::default()
            .with_packet_info(addr, 1)
            .with_traffic_class(1);
        if cfg!(any(target_os = "linux", target_os = "android")) {
            all = all.with_segment_len(1200);
        }
        let mut space = Space::new();
        most = most.max(space.encode(&all).unwrap_or(0));
    }
    assert!(most > 0 && most <= SPACE_LEN, "{most}");
}

#[test]
fn a_list_that_is_cut_ends_there() {
    let whole = encoded(
        &Ancillary::default()
            .with_packet_info(Ipv6Addr::LOCALHOST.into(), 7)
            .with_traffic_class(3),
    );
    let first = space_of(size_of::<libc::in6_pktinfo>());
    for len in 0..whole.len() {
        let read = decode(&whole[..len]);
        assert_eq!(
            read.packet_info.is_some(),
            len >= len_of(size_of::<libc::in6_pktinfo>())
        );
        assert_eq!(read.traffic_class.is_some(), len >= first + len_of(4));
    }
}

/// A header that says what it likes.
fn header(len: usize, data: &[u8]) -> Vec<u8> {
    let mut space = Space::new();
    let mut end = 0;
    space.push(&mut end, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, data);
    let mut bytes = space.bytes(end).to_vec();
    let mut raw = super::zeroed::<libc::cmsghdr>();
    raw.cmsg_len = len as _;
    raw.cmsg_level = libc::IPPROTO_IPV6;
    raw.cmsg_type = libc::IPV6_TCLASS;
    bytes[..size_of::<libc::cmsghdr>()].copy_from_slice(super::bytes_of(&raw));
    bytes
}

#[test]
fn a_header_that_lies_about_its_length_ends_the_walk() {
    for len in [0, 1, len_of(0) - 1, len_of(4) + 100, u32::MAX as usize] {
        let bytes = header(len, &3_i32.to_ne_bytes());
        assert_eq!(messages(&bytes).count(), 0, "{len}");
    }
    assert_eq!(
        messages(&header(len_of(0), &[])).count(),
        1,
        "without data it is one"
    );
    assert_eq!(decode(&header(len_of(0), &[])), Ancillary::default());
    assert_eq!(
        decode(&header(len_of(1), &[5, 0, 0, 0])).traffic_class,
        Some(5),
        "one byte"
    );
}

proptest! {
    #[test]
    fn no_bytes_lead_out_of_the_list(bytes in prop::collection::vec(any::<u8>(), 0..SPACE_LEN)) {
        let total: usize = messages(&bytes).map(|(.., data)| len_of(data.len())).sum();
        prop_assert!(total <= bytes.len());
        let _ = decode(&bytes);
    }

    #[test]
    fn a_broken_byte_leads_nowhere(at in 0_usize..96, value: u8) {
        let mut bytes = encoded(
            &Ancillary::default().with_packet_info(Ipv6Addr::LOCALHOST.into(), 7).with_traffic_class(3),
        );
        let len = bytes.len();
        bytes[at % len] = value;
        prop_assert!(messages(&bytes).count() <= 3);
    }
}
