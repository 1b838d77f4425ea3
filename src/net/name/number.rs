//! Numbers in words: hosts that need no look-up, and what cannot be a host at all.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use mainspring_sys::resolve;

/// What `host` is as a number; `None`: a name, which must be looked up.
///
/// # Errors
/// `InvalidInput`: it is neither; what the kernel says, if there is no such interface as the one behind `%`.
pub(crate) fn number(host: &str, port: u16) -> io::Result<Option<SocketAddr>> {
    if host.is_empty() {
        return Err(invalid(String::from("the name of a host is empty")));
    }
    if host.contains('\0') {
        return Err(invalid(format!("the name {host:?} has a NUL in it")));
    }
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']').unwrap_or("");
        return match six(inside, port)? {
            Some(addr) => Ok(Some(addr)),
            None => Err(invalid(format!(
                "{host:?} has no IPv6 address in its brackets"
            ))),
        };
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(ip, port)));
    }
    six(host, port)
}

/// An IPv6 address, with the link that it is on or without.
fn six(text: &str, port: u16) -> io::Result<Option<SocketAddr>> {
    let (digits, link) = match text.split_once('%') {
        Some((digits, link)) => (digits, Some(link)),
        None => (text, None),
    };
    let Ok(ip) = digits.parse::<Ipv6Addr>() else {
        return Ok(None);
    };
    let scope_id = match link {
        None => 0,
        Some(link) => match link.parse() {
            Ok(index) => index,
            Err(_) => interface(link)?,
        },
    };
    let addr = SocketAddrV6::new(ip, port, 0, scope_id);
    Ok(Some(SocketAddr::V6(addr)))
}

/// The number of the interface that is called `link`.
fn interface(link: &str) -> io::Result<u32> {
    if link.is_empty() {
        return Err(invalid(String::from("no interface is named behind the %")));
    }
    resolve::interface_index(link)
}

fn invalid(complaint: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, complaint)
}
