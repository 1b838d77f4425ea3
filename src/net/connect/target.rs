//! `ConnectTarget`: what a connection can be made to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::net::name::number;

/// What [`TcpStream::connect`](crate::net::TcpStream::connect) takes: an address, a list of them, or a name with a
/// port.
///
/// | type | means |
/// |---|---|
/// | `SocketAddr`, `(IpAddr, u16)` and their kin | that address: nothing is looked up, nothing allocated |
/// | `&[SocketAddr]`, `[SocketAddr; N]`, `Vec<SocketAddr>` | the first of them that answers |
/// | `"host:port"`, `String` | that host, at that port: `"db.test:5432"`, `"127.0.0.1:80"`, `"[::1]:80"` |
/// | `("host", port)`, `(String, port)` | the same; brackets may be left out |
///
/// What is wrong with it comes out of the connect, as an error of kind `InvalidInput`. A name in another script than
/// ASCII is handed to the resolver as it is (no IDNA).
///
/// Nobody else can implement it; give one of these types instead.
pub trait ConnectTarget {
    /// The target, in a wrapper that nobody else can open.
    #[doc(hidden)]
    fn into_target(self) -> Target;
}

/// What a [`ConnectTarget`] came to.
#[derive(Debug)]
pub struct Target(pub(super) Goal);

/// Where to.
#[derive(Debug)]
pub(super) enum Goal {
    Addr(SocketAddr),
    Addrs(Vec<SocketAddr>),
    Name {
        host: Box<str>,
        port: u16,
    },
    /// Nowhere: this is what is wrong.
    Invalid(io::Error),
}

impl Target {
    #[inline]
    fn addr(addr: impl Into<SocketAddr>) -> Target {
        Target(Goal::Addr(addr.into()))
    }

    fn host(host: &str, port: u16) -> Target {
        Target(match number(host, port) {
            Ok(Some(addr)) => Goal::Addr(addr),
            Ok(None) => Goal::Name {
                host: host.into(),
                port,
            },
            Err(error) => Goal::Invalid(error),
        })
    }

    fn text(text: &str) -> Target {
        match host_and_port(text) {
            Ok((host, port)) => Target::host(host, port),
            Err(error) => Target(Goal::Invalid(error)),
        }
    }
}

/// The two parts of `host:port`.
///
/// # Errors
/// `InvalidInput`: there is no port, it is no number, or the host is an IPv6 address without brackets, whose last
/// group would be taken for the port.
fn host_and_port(text: &str) -> io::Result<(&str, u16)> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(invalid(format!("{text:?} has no port: write `host:port`")));
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(invalid(format!(
            "an IPv6 address with a port wants brackets, `[::1]:80`, and {text:?} has none"
        )));
    }
    // `parse` would take a sign, which nobody means.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number => Ok((host, port)),
        _ => Err(invalid(format!(
            "the port {port:?} is no number below 65536"
        ))),
    }
}

fn invalid(complaint: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, complaint)
}

macro_rules! targets {
    ($([$($generics:tt)*] $type:ty, $this:ident => $target:expr;)*) => {$(
        impl<$($generics)*> ConnectTarget for $type {
            #[inline]
            fn into_target(self) -> Target {
                let $this = self;
                $target
            }
        }
    )*};
}

targets! {
    [] SocketAddr, this => Target::addr(this);
    [] SocketAddrV4, this => Target::addr(this);
    [] SocketAddrV6, this => Target::addr(this);
    [] (IpAddr, u16), this => Target::addr(this);
    [] (Ipv4Addr, u16), this => Target::addr(this);
    [] (Ipv6Addr, u16), this => Target::addr(this);
    [] &[SocketAddr], this => Target(Goal::Addrs(this.to_vec()));
    [] &Vec<SocketAddr>, this => Target(Goal::Addrs(this.clone()));
    [] Vec<SocketAddr>, this => Target(Goal::Addrs(this));
    [const N: usize] [SocketAddr; N], this => Target(Goal::Addrs(this.to_vec()));
    [const N: usize] &[SocketAddr; N], this => Target(Goal::Addrs(this.to_vec()));
    [] &str, this => Target::text(this);
    [] &String, this => Target::text(this);
    [] String, this => Target::text(&this);
    [] (&str, u16), this => Target::host(this.0, this.1);
    [] (&String, u16), this => Target::host(this.0, this.1);
    [] (String, u16), this => Target::host(&this.0, this.1);
}
