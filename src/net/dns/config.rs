//! `DnsConfig`: which servers are asked, and how, as resolv.conf(5) says it.
//!
//! *Role.* A pure function from the file's bytes; whoever reads the file is in `dns/files.rs`.
//!
//! *What is understood.* `nameserver` (three at most, as everywhere; with a scope for link-local ones),
//! `search` and `domain` (the last one wins), `options` with `ndots`, `timeout`, `attempts`, `rotate`,
//! `use-vc`, `single-request`, `single-request-reopen` and `no-aaaa`. `edns0` is on in any case. All else is
//! ignored, and so is a line that makes no sense: one bad line must not take the network away.
//!
//! *What is not.* `sortlist` and `trust-ad`; a search list out of the host's own name; the variables
//! LOCALDOMAIN and RES_OPTIONS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;
use std::time::Duration;

use super::message::Name;

/// The port of DNS.
const PORT: u16 = 53;
/// More servers than this are ignored, as by every resolver that reads the file.
const SERVERS_MAX: usize = 3;
/// More names than this in the search list are ignored: each costs a round trip per look-up.
const SEARCH_MAX: usize = 32;
/// The limits of the options, those of resolv.conf(5).
const NDOTS_MAX: u8 = 15;
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
const ATTEMPTS_MAX: u8 = 5;

/// Which servers a [`DnsResolver`](super::DnsResolver) asks, and how.
///
/// ```
/// use mainspring::net::dns::DnsConfig;
/// let config = DnsConfig::parse(b"nameserver 192.0.2.53\nsearch example.com\noptions ndots:2 rotate\n");
/// assert_eq!(config.servers, ["192.0.2.53:53".parse().unwrap()]);
/// assert_eq!(config.search[0].to_string(), "example.com");
/// assert!(config.ndots == 2 && config.rotate);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsConfig {
    /// Who is asked, the first one first.
    pub servers: Vec<SocketAddr>,
    /// What a name that is not whole is looked up below, one after the other.
    pub search: Vec<Name>,
    /// A name with fewer dots is looked up below the search list before it is taken as it stands.
    pub ndots: u8,
    /// How long one server has for one answer.
    pub timeout: Duration,
    /// How often the whole list of servers is gone through.
    pub attempts: u8,
    /// Whether each question begins with another server.
    pub rotate: bool,
    /// Whether TCP is used from the beginning.
    pub use_tcp: bool,
    /// Whether the two questions of a look-up are asked one after the other, for servers that confuse them.
    pub single_request: bool,
    /// Whether IPv6 addresses are not asked for.
    pub no_aaaa: bool,
}

/// One server, on this machine; five seconds, two attempts; one dot makes a name whole.
impl Default for DnsConfig {
    fn default() -> DnsConfig {
        DnsConfig {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            use_tcp: false,
            single_request: false,
            no_aaaa: false,
        }
    }
}

impl DnsConfig {
    /// Reads what a resolv.conf says. Whatever the bytes are, the answer can be used: without any server in
    /// them it is the one of this machine. The scope of a link-local server is a number here, for a name
    /// (`fe80::1%eth0`) can only be looked up by who may ask the kernel: [`DnsConfig::parse_with`].
    #[must_use]
    pub fn parse(bytes: &[u8]) -> DnsConfig {
        DnsConfig::parse_with(bytes, |_| None)
    }

    /// As [`DnsConfig::parse`]; `scope_of` tells the number of a network interface.
    #[must_use]
    pub fn parse_with(bytes: &[u8], scope_of: impl Fn(&str) -> Option<u32>) -> DnsConfig {
        let mut config = DnsConfig::default();
        let mut servers = Vec::new();
        for line in bytes.split(|&byte| byte == b'\n') {
            let mut words = words(line);
            let Some(keyword) = words.next() else {
                continue;
            };
            match keyword {
                "nameserver" if servers.len() < SERVERS_MAX => {
                    servers.extend(words.next().and_then(|word| server(word, &scope_of)));
                }
                "search" => config.search = names(words),
                "domain" => config.search = names(words.take(1)),
                "options" => words.for_each(|word| config.set(word)),
                _ => {}
            }
        }
        if !servers.is_empty() {
            config.servers = servers;
        }
        config
    }

    /// One word of a line `options`.
    fn set(&mut self, option: &str) {
        let (name, value) = match option.split_once(':') {
            Some((name, value)) => (name, value.parse::<u32>().ok()),
            None => (option, None),
        };
        let at_most = |most: u8, value: u32| value.min(u32::from(most)) as u8;
        match (name, value) {
            ("ndots", Some(dots)) => self.ndots = at_most(NDOTS_MAX, dots),
            ("timeout", Some(seconds)) => {
                self.timeout = Duration::from_secs(u64::from(seconds.max(1))).min(TIMEOUT_MAX);
            }
            ("attempts", Some(times)) => self.attempts = at_most(ATTEMPTS_MAX, times.max(1)),
            ("rotate", None) => self.rotate = true,
            ("use-vc", None) => self.use_tcp = true,
            ("single-request" | "single-request-reopen", None) => self.single_request = true,
            ("no-aaaa", None) => self.no_aaaa = true,
            _ => {}
        }
    }
}

/// The words of a line, which may end in a comment. Words that are no text are left out.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &str> {
    let end = line.iter().position(|byte| matches!(byte, b'#' | b';'));
    line[..end.unwrap_or(line.len())]
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .filter_map(|word| std::str::from_utf8(word).ok())
}

fn names<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Name> {
    words
        .filter_map(|word| Name::from_str(word).ok())
        .take(SEARCH_MAX)
        .collect()
}

/// `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`, `fe80::1%2`.
fn server(word: &str, scope_of: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let Some((addr, scope)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse::<IpAddr>().ok()?, PORT));
    };
    let scope = scope.parse().ok().or_else(|| scope_of(scope))?;
    Some(SocketAddrV6::new(addr.parse().ok()?, PORT, 0, scope).into())
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests;
