//! `DnsResolver` as a loop's resolver: what every connect by name asks.

use std::io;
use std::net::SocketAddr;
use std::panic::Location;

use super::{DnsResolver, Here};
use crate::resolver::{AddrName, Resolver, Resolving};
use crate::task::caller::Caller;

/// The line on whose behalf the loop asks.
fn here() -> Here {
    Caller::current().unwrap_or(Location::caller())
}

impl Resolver for DnsResolver {
    fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>> {
        let answer = self.lookup_from(host, here());
        Box::pin(async move {
            let addresses = answer.await?;
            let with_port = |addr| SocketAddr::new(addr, port);
            Ok(addresses.into_iter().map(with_port).collect())
        })
    }

    /// The service is the port's number: this resolver reads no file of services.
    fn lookup_addr(&self, addr: SocketAddr) -> Option<Resolving<AddrName>> {
        let answer = self.reverse_from(addr.ip(), here());
        Some(Box::pin(async move {
            let host = match answer.await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => addr.ip().to_string(),
                answer => answer?,
            };
            let service = addr.port().to_string();
            Ok(AddrName { host, service })
        }))
    }
}
