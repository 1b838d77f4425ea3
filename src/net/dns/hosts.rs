//! `Hosts`: names and addresses that need no server, as hosts(5) lists them.
//!
//! *Model.* Two tables, from a name in small letters to its addresses in the order of the file, and from an
//! address to the first name it is given. A line that makes no sense is ignored. A link-local address with
//! a scope is left out: no address of this crate's look-ups carries one.
//!
//! *Cost.* One pass, linear also for a file of a hundred thousand lines, as those that block advertisements
//! are; a look-up is one step in a table.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::config::words;

/// The hosts that are known without asking.
///
/// ```
/// use mainspring::net::dns::Hosts;
/// let hosts = Hosts::parse(b"192.0.2.7  printer.example  Printer # second floor\n");
/// assert_eq!(hosts.addresses("PRINTER"), ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
/// assert_eq!(hosts.name("192.0.2.7".parse().unwrap()), Some("printer.example"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    addresses: HashMap<String, Vec<IpAddr>>,
    names: HashMap<IpAddr, String>,
}

impl Hosts {
    /// Reads what a hosts file says.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Hosts {
        let mut hosts = Hosts::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let mut words = words(line);
            let Some(addr) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            for word in words.map(without_dots).filter(|word| !word.is_empty()) {
                let names = hosts.names.entry(addr);
                names.or_insert_with(|| word.to_string());
                hosts.addresses.entry(key(word)).or_default().push(addr);
            }
        }
        for addresses in hosts.addresses.values_mut() {
            if addresses.len() > 1 {
                let mut seen = HashSet::new();
                addresses.retain(|addr| seen.insert(*addr));
            }
        }
        hosts
    }

    /// The addresses of a host, in the order of the file; none if it is not listed. The case of letters, and a
    /// dot at the end, make no difference.
    #[must_use]
    pub fn addresses(&self, host: &str) -> &[IpAddr] {
        self.addresses.get(&key(host)).map_or(&[], Vec::as_slice)
    }

    /// The first name that an address is given, if it is listed.
    #[must_use]
    pub fn name(&self, addr: IpAddr) -> Option<&str> {
        self.names.get(&addr).map(String::as_str)
    }

    /// How many names are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether none is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// A name is whole here, with a dot at its end or not.
fn without_dots(host: &str) -> &str {
    host.trim_end_matches('.')
}

fn key(host: &str) -> String {
    without_dots(host).to_ascii_lowercase()
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests;
