//! Any bytes are a configuration that can be used, and a table of hosts whose entries are found both ways.
//!
//! *Input.* The bytes of a file, read as either.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring::net::dns::{DnsConfig, Hosts};

fuzz_target!(|input: &[u8]| {
    let config = DnsConfig::parse(input);
    assert!((1..=3).contains(&config.servers.len()));
    assert!(config.search.len() <= 32 && config.ndots <= 15);
    assert!((1..=5).contains(&config.attempts));
    assert!((1..=30).contains(&config.timeout.as_secs()));

    let hosts = Hosts::parse(input);
    for line in String::from_utf8_lossy(input).lines() {
        for word in line.split_ascii_whitespace() {
            for addr in hosts.addresses(word) {
                // Each has a name, and that name leads back to it.
                let name = hosts.name(*addr).expect("it is listed");
                assert!(hosts.addresses(name).contains(addr), "{name}");
            }
        }
    }
});
