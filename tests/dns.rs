//! The resolver without a thread, against a server that follows a script: answers, wrong answers, none.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "dns/answers.rs"]
mod answers;
#[path = "dns/faults.rs"]
mod faults;
#[path = "dns/files.rs"]
mod files;
#[path = "dns/servers.rs"]
mod servers;
#[path = "dns/strangers.rs"]
mod strangers;
#[path = "dns/tcp.rs"]
mod tcp;

#[path = "dns/server.rs"]
mod server;

use std::io;
use std::net::IpAddr;

use mainspring::net::dns::DnsError;

/// Addresses as texts.
fn texts(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// What stands inside the error.
#[track_caller]
fn inner(error: &io::Error) -> &DnsError {
    let inner = error.get_ref().expect("it has a reason");
    inner.downcast_ref().expect("the resolver's own")
}
