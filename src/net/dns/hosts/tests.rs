//! Tests of hosts files: both ways, case, comments, and any bytes at all.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const FILE: &str = "\
# local
127.0.0.1 localhost localhost.localdomain
::1\tlocalhost ip6-localhost

192.0.2.7  Printer.example printer # second floor
2001:db8::7 printer
192.0.2.8 printer printer
192.0.2.7 other
fe80::1%lo0 localhost
192.0.2.9
300.1.1.1 wrong
192.0.2.10 . dotted.example..
";

#[test]
fn names_have_their_addresses_in_the_order_of_the_file() {
    let hosts = Hosts::parse(FILE.as_bytes());
    let rows: [(&str, &[&str]); 9] = [
        ("localhost", &["127.0.0.1", "::1"]),
        ("LocalHost.", &["127.0.0.1", "::1"]),
        ("ip6-localhost", &["::1"]),
        ("printer.EXAMPLE", &["192.0.2.7"]),
        ("printer", &["192.0.2.7", "2001:db8::7", "192.0.2.8"]),
        ("second", &[]),
        ("wrong", &[]),
        ("dotted.example", &["192.0.2.10"]),
        ("", &[]),
    ];
    for (host, expected) in rows {
        let found = hosts.addresses(host).iter().map(ToString::to_string);
        assert_eq!(found.collect::<Vec<_>>(), expected, "{host:?}");
    }
}

#[test]
fn an_address_has_the_first_name_of_its_first_line() {
    let hosts = Hosts::parse(FILE.as_bytes());
    let name = |text: &str| hosts.name(text.parse().unwrap());
    assert_eq!(name("192.0.2.7"), Some("Printer.example"));
    assert_eq!(name("::1"), Some("localhost"));
    assert_eq!(name("192.0.2.9"), None);
    assert_eq!(name("192.0.2.10"), Some("dotted.example"));
    assert!(!hosts.is_empty() && hosts.len() == 7);
}

#[test]
fn a_name_with_twenty_thousand_lines_is_read_in_one_pass() {
    let mut file = String::new();
    for number in 0..20_000_u32 {
        file.push_str(&format!("{} same\n", std::net::Ipv4Addr::from(number)));
    }
    assert_eq!(
        Hosts::parse(file.as_bytes()).addresses("same").len(),
        20_000
    );
}

proptest! {
    #[test]
    fn any_bytes_make_a_table(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Hosts::parse(&bytes);
    }

    #[test]
    fn what_is_listed_is_found_both_ways(host in "[a-zA-Z][a-zA-Z0-9-]{0,10}", addr: [u8; 4]) {
        let addr = IpAddr::from(addr);
        let hosts = Hosts::parse(format!("{addr} {host}").as_bytes());
        prop_assert_eq!(hosts.addresses(&host.to_uppercase()), [addr]);
        prop_assert_eq!(hosts.name(addr), Some(&*host));
    }
}
