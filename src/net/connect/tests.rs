//! The order of addresses, what is a target, and how large an attempt is.

use std::io::ErrorKind;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::connector::IpPreference;
use super::error::ConnectError;
use super::order::in_turn;
use super::target::{ConnectTarget, Goal};
use super::{Connect, Way};

/// Any errno of any system.
const SOME_ERRNO: i32 = 1;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| addr(text)).collect()
}

#[test]
fn families_take_turns_and_the_first_address_begins() {
    let (a4, b4, c4) = ("192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1");
    let (a6, b6, c6) = ("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1");
    let table: [(IpPreference, &[&str], &[&str]); 10] = [
        (
            IpPreference::AsResolved,
            &[a6, b6, a4, b4],
            &[a6, a4, b6, b4],
        ),
        (
            IpPreference::AsResolved,
            &[a4, b4, a6, b6],
            &[a4, a6, b4, b6],
        ),
        (
            IpPreference::AsResolved,
            &[a6, b6, c6, a4],
            &[a6, a4, b6, c6],
        ),
        (
            IpPreference::AsResolved,
            &[a4, a6, b4, b6, c4, c6],
            &[a4, a6, b4, b6, c4, c6],
        ),
        (IpPreference::AsResolved, &[a4, b4, c4], &[a4, b4, c4]),
        (IpPreference::Ipv4First, &[a6, b6, a4], &[a4, a6, b6]),
        (IpPreference::Ipv6First, &[a4, b4, a6], &[a6, a4, b4]),
        (IpPreference::Ipv6First, &[a4, b4], &[a4, b4]),
        (IpPreference::Ipv4Only, &[a6, a4, b6, b4], &[a4, b4]),
        (IpPreference::Ipv6Only, &[a4, b4], &[]),
    ];
    for (preference, given, expected) in table {
        let order: Vec<_> = in_turn(addrs(given), preference).into();
        assert_eq!(order, addrs(expected), "{preference:?} of {given:?}");
    }
}

/// What a target came to, in words.
fn told(target: impl ConnectTarget) -> String {
    match target.into_target().0 {
        Goal::Addr(addr) => format!("addr {addr}"),
        Goal::Addrs(addrs) => format!("addrs {addrs:?}"),
        Goal::Name { host, port } => format!("name {host} {port}"),
        Goal::Invalid(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            format!("invalid: {error}")
        }
    }
}

#[test]
fn a_target_is_an_address_a_list_or_a_name() {
    let one = addr("127.0.0.1:80");
    let six = addr("[::1]:80");
    let SocketAddr::V4(four) = one else {
        unreachable!("it is written so above")
    };
    for told in [
        told(one),
        told(four),
        told((one.ip(), 80)),
        told((*four.ip(), 80)),
        told("127.0.0.1:80"),
        told(("127.0.0.1", 80)),
        told((String::from("127.0.0.1"), 80)),
    ] {
        assert_eq!(told, "addr 127.0.0.1:80");
    }
    for told in [
        told(six),
        told("[::1]:80"),
        told(("::1", 80)),
        told(("[::1]", 80)),
    ] {
        assert_eq!(told, "addr [::1]:80");
    }
    let list = "addrs [127.0.0.1:80, [::1]:80]";
    assert_eq!(told([one, six]), list);
    let (array, vector) = ([one, six], vec![one, six]);
    let by_reference = &array;
    assert_eq!(told(by_reference), list);
    assert_eq!(told(&array[..]), list);
    assert_eq!(told(array), list);
    assert_eq!(told(&vector), list);
    assert_eq!(told(vector), list);
    let text = String::from("db.test:5432");
    for told in [
        told("db.test:5432"),
        told(String::from("db.test:5432")),
        told(&text),
        told(("db.test", 5432)),
        told((&String::from("db.test"), 5432)),
    ] {
        assert_eq!(told, "name db.test 5432");
    }
}

proptest! {
    /// However std writes an address, it is that address.
    #[test]
    fn an_address_in_words_is_itself(ip in any::<std::net::IpAddr>(), port in any::<u16>(), link in any::<u32>()) {
        let mut addr = SocketAddr::new(ip, port);
        if let SocketAddr::V6(six) = &mut addr {
            six.set_scope_id(link);
        }
        prop_assert_eq!(told(addr.to_string()), format!("addr {addr}"));
    }

    /// And nothing that anybody writes makes it panic.
    #[test]
    fn any_text_is_a_target_or_an_error(text in any::<String>(), parts in "[a0:.%\\[\\]]{0,12}") {
        drop((text.into_target(), parts.into_target()));
    }
}

#[test]
fn what_can_be_no_target_says_what_to_do() {
    for (text, complaint) in [
        ("localhost", "has no port: write `host:port`"),
        ("::1:80", "wants brackets"),
        ("localhost:http", "the port \"http\" is no number"),
        ("localhost:", "the port \"\" is no number"),
        ("localhost:+80", "the port \"+80\" is no number"),
        ("localhost:65536", "is no number below 65536"),
        (":80", "the name of a host is empty"),
        ("[localhost]:80", "no IPv6 address in its brackets"),
        ("local\0host:80", "NUL"),
    ] {
        let told = told(text);
        assert!(
            told.starts_with("invalid: ") && told.contains(complaint),
            "{told}"
        );
    }
}

/// A name costs a connect by address nothing: neither a box nor room.
#[test]
fn an_address_is_all_that_a_direct_connect_holds() {
    assert_eq!(size_of::<Way>(), size_of::<SocketAddr>());
    assert_eq!(
        size_of::<Connect>(),
        (size_of::<super::Attempt>() + size_of::<SocketAddr>())
            .next_multiple_of(align_of::<Connect>())
    );
}

fn failed(errors: &[(&str, ErrorKind)]) -> std::io::Error {
    let failures = errors.iter().map(|&(at, kind)| (addr(at), kind.into()));
    ConnectError::all(failures.collect())
}

#[test]
fn several_failures_are_told_by_the_one_that_says_most() {
    let table: [(&[ErrorKind], ErrorKind); 6] = [
        (
            &[ErrorKind::NetworkUnreachable, ErrorKind::ConnectionRefused],
            ErrorKind::ConnectionRefused,
        ),
        (
            &[ErrorKind::ConnectionRefused, ErrorKind::NetworkUnreachable],
            ErrorKind::ConnectionRefused,
        ),
        (
            &[ErrorKind::TimedOut, ErrorKind::HostUnreachable],
            ErrorKind::TimedOut,
        ),
        (
            &[ErrorKind::AddrNotAvailable, ErrorKind::HostUnreachable],
            ErrorKind::HostUnreachable,
        ),
        (
            &[ErrorKind::ConnectionRefused, ErrorKind::PermissionDenied],
            ErrorKind::PermissionDenied,
        ),
        (
            &[ErrorKind::AddrNotAvailable, ErrorKind::Unsupported],
            ErrorKind::AddrNotAvailable,
        ),
    ];
    for (kinds, expected) in table {
        let errors: Vec<_> = kinds.iter().map(|&kind| ("192.0.2.1:1", kind)).collect();
        assert_eq!(failed(&errors).kind(), expected, "{kinds:?}");
    }
}

#[test]
fn an_error_alone_keeps_its_errno_and_several_name_their_addresses() {
    let alone = ConnectError::all(vec![(
        addr("192.0.2.1:1"),
        std::io::Error::from_raw_os_error(SOME_ERRNO),
    )]);
    assert_eq!(alone.raw_os_error(), Some(SOME_ERRNO));
    let several = failed(&[
        ("192.0.2.1:1", ErrorKind::TimedOut),
        ("[2001:db8::1]:1", ErrorKind::ConnectionRefused),
    ]);
    let told = several.to_string();
    assert!(told.contains("192.0.2.1:1: timed out"), "{told}");
    assert!(
        told.contains("[2001:db8::1]:1: connection refused"),
        "{told}"
    );
    let inside: &ConnectError = several.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(inside.failures().len(), 2);
    let source = std::error::Error::source(inside).unwrap().to_string();
    assert_eq!(source, "connection refused");
}
