//! Tests of resolv.conf: what is understood, what is ignored, and any bytes at all.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> DnsConfig {
    DnsConfig::parse_with(text.as_bytes(), |name| (name == "eth0").then_some(7))
}

#[test]
fn the_servers_are_these() {
    let rows: [(&str, &[&str]); 11] = [
        ("", &["127.0.0.1:53"]),
        ("nameserver 192.0.2.1", &["192.0.2.1:53"]),
        ("nameserver\t192.0.2.1 # the near one", &["192.0.2.1:53"]),
        ("  nameserver 192.0.2.1", &["192.0.2.1:53"]),
        ("nameserver 2001:db8::1\r\n", &["[2001:db8::1]:53"]),
        ("nameserver fe80::1%3", &["[fe80::1%3]:53"]),
        ("nameserver fe80::1%eth0", &["[fe80::1%7]:53"]),
        ("nameserver fe80::1%eth9", &["127.0.0.1:53"]),
        (
            "nameserver dns.example\nnameserver 1.2.3\nnameserver",
            &["127.0.0.1:53"],
        ),
        (
            "#nameserver 192.0.2.1\n;nameserver 192.0.2.2",
            &["127.0.0.1:53"],
        ),
        (
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
            &["192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"],
        ),
    ];
    for (text, expected) in rows {
        let servers: Vec<String> = parse(text)
            .servers
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(servers, expected, "{text:?}");
    }
}

#[test]
fn the_search_list_is_this() {
    let rows: [(&str, &[&str]); 7] = [
        ("search a.example b.example", &["a.example", "b.example"]),
        ("search a.example\nsearch b.example", &["b.example"]),
        ("domain a.example b.example", &["a.example"]),
        ("search a.example\ndomain b.example", &["b.example"]),
        ("domain a.example\nsearch b.example .", &["b.example", "."]),
        ("search a..b c.example\u{7f} d.example.", &["d.example"]),
        ("search", &[]),
    ];
    for (text, expected) in rows {
        let search: Vec<String> = parse(text).search.iter().map(ToString::to_string).collect();
        assert_eq!(search, expected, "{text:?}");
    }
    let long = format!("search {}", "a.example ".repeat(100));
    assert_eq!(parse(&long).search.len(), SEARCH_MAX);
}

#[test]
fn the_options_are_these() {
    let config = parse(
        "options ndots:3 timeout:1 attempts:4 rotate use-vc single-request no-aaaa edns0 trust-ad x:y",
    );
    assert_eq!((config.ndots, config.attempts), (3, 4));
    assert_eq!(config.timeout, Duration::from_secs(1));
    assert!(config.rotate && config.use_tcp && config.single_request && config.no_aaaa);
    let usual = DnsConfig::default();
    assert_eq!(
        (usual.ndots, usual.attempts, usual.timeout),
        (1, 2, Duration::from_secs(5))
    );
    // Beyond the limits, or no number.
    let config = parse("options ndots:99 timeout:99 attempts:99\noptions single-request-reopen");
    assert_eq!((config.ndots, config.attempts), (NDOTS_MAX, ATTEMPTS_MAX));
    assert_eq!(config.timeout, TIMEOUT_MAX);
    assert!(config.single_request);
    let config = parse("options timeout:0 attempts:0 ndots:-1");
    assert_eq!((config.ndots, config.attempts), (1, 1));
    assert_eq!(config.timeout, Duration::from_secs(1));
    assert_eq!(parse("options ndots:x timeout: attempts rotate:1"), usual);
}

#[test]
fn bytes_that_are_no_text_spoil_their_word_only() {
    let config = DnsConfig::parse(b"\xff\xfe\nnameserver 192.0.2.1 \xff\nsearch \xff a.example");
    assert_eq!(config.servers, ["192.0.2.1:53".parse().unwrap()]);
    assert_eq!(config.search, ["a.example".parse().unwrap()]);
}

proptest! {
    #[test]
    fn any_bytes_make_a_configuration_that_can_be_used(bytes in vec(any::<u8>(), 0..300)) {
        let config = DnsConfig::parse(&bytes);
        prop_assert!(!config.servers.is_empty());
    }

    #[test]
    fn any_words_do_too(
        words in vec("nameserver|search|domain|options|ndots:[0-9]{1,3}|[a-z0-9.:%]{0,20}|\n", 0..60),
    ) {
        let config = DnsConfig::parse(words.join(" ").as_bytes());
        prop_assert!((1..=3).contains(&config.servers.len()));
        prop_assert!(config.ndots <= NDOTS_MAX && config.search.len() <= SEARCH_MAX);
    }
}
