//! What is a number, and what cannot be a host.

use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV6};

use super::number::number;

#[test]
fn numbers_are_told_from_names() {
    for (text, expected) in [
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
        ("[::1]", "[::1]:80"),
        ("::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"),
    ] {
        let expected: SocketAddr = expected.parse().unwrap();
        assert_eq!(number(text, 80).unwrap(), Some(expected), "{text}");
    }
    // What the system reads as a number in ways of its own is a name to us; it is asked.
    for name in [
        "localhost",
        "example.test",
        "1.2.3",
        "0x7f000001",
        "::1.test",
        "a%b",
    ] {
        assert_eq!(number(name, 80).unwrap(), None, "{name}");
    }
}

#[test]
fn hz_d15_the_link_of_an_address_is_kept() {
    let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 7);
    for text in ["fe80::1%7", "[fe80::1%7]"] {
        let found = number(text, 80).unwrap();
        assert_eq!(found, Some(SocketAddr::V6(expected)), "{text}");
    }
    let unknown = number("fe80::1%nosuchlink0", 80).unwrap_err();
    assert!(unknown.raw_os_error().is_some(), "{unknown}");
}

#[test]
fn what_cannot_be_a_host_is_refused() {
    for text in [
        "",
        "local\0host",
        "[localhost]",
        "[::1",
        "[]",
        "[127.0.0.1]",
        "fe80::1%",
    ] {
        let error = number(text, 80).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}");
    }
}
