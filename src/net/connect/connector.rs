//! `Connector`: how connections are made, when the usual way will not do.

use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::race::Options;
use super::{Connect, ConnectTarget};
use crate::resolver::Resolver;

/// Which addresses of a host are tried, and of which family the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpPreference {
    /// All, families in turn, beginning with that of the first address of the list.
    #[default]
    AsResolved,
    /// All, families in turn, IPv4 first.
    Ipv4First,
    /// All, families in turn, IPv6 first.
    Ipv6First,
    /// IPv4 alone.
    Ipv4Only,
    /// IPv6 alone.
    Ipv6Only,
}

/// Makes connections, as it was told: with a time limit, from a local address, by another resolver.
///
/// [`TcpStream::connect`](crate::net::TcpStream::connect) does what a new one does. One connector makes any number of
/// connections.
///
/// ```
/// use mainspring::net::{Connector, TcpListener};
/// use std::time::Duration;
/// mainspring::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let port = listener.local_addr()?.port();
///     let connector = Connector::new()
///         .timeout(Duration::from_secs(5))
///         .bind("127.0.0.1:0".parse().unwrap());
///     let stream = connector.connect(("localhost", port)).await?;
///     assert!(stream.local_addr()?.ip().is_loopback());
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
#[derive(Clone, Default)]
#[must_use = "a connector connects nothing until `connect`"]
pub struct Connector {
    options: Options,
}

impl Connector {
    /// One that connects as [`TcpStream::connect`](crate::net::TcpStream::connect) does.
    pub fn new() -> Connector {
        Connector::default()
    }

    /// How long an attempt has the field to itself before the next address is tried beside it; 250 ms, unless told
    /// otherwise. An attempt that fails makes room at once. With `Duration::MAX` one follows the other; with
    /// zero all of them are begun, one per turn of the loop.
    pub fn attempt_delay(mut self, delay: Duration) -> Connector {
        self.options.attempt_delay = delay;
        self
    }

    /// The longest that a connection may take, the look-up of its name among it. After that the connect fails with
    /// `TimedOut`. There is no limit but the kernel's, unless told otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Connector {
        self.options.timeout = Some(timeout);
        self
    }

    /// The local address to connect from; port 0 lets the kernel choose one. Addresses of the other family are not
    /// tried then, unless a second call gives a local address of that family too.
    ///
    /// A port other than 0 is taken by the first attempt, so it is for hosts with one address.
    pub fn bind(mut self, local: SocketAddr) -> Connector {
        let slot = match local {
            SocketAddr::V4(_) => &mut self.options.local_four,
            SocketAddr::V6(_) => &mut self.options.local_six,
        };
        *slot = Some(local);
        self
    }

    /// Which addresses are tried, and which first.
    pub fn preference(mut self, preference: IpPreference) -> Connector {
        self.options.preference = preference;
        self
    }

    /// Who is asked for names, in place of the loop's resolver.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Connector {
        self.options.resolver = Some(Rc::new(resolver));
        self
    }

    /// Connects to `target`; see [`TcpStream::connect`](crate::net::TcpStream::connect).
    ///
    /// # Cancel safety
    /// Safe: dropping the future gives up the look-up and closes every socket.
    ///
    /// # Errors
    /// As [`TcpStream::connect`](crate::net::TcpStream::connect), and: `TimedOut`, with what had failed until then in
    /// a [`ConnectError`](super::ConnectError); `AddrNotAvailable`, if no address is of a family that may be tried, or
    /// the local one is not this machine's; `AddrInUse`.
    #[track_caller]
    pub fn connect(&self, target: impl ConnectTarget) -> Connect {
        let options = self.options.clone();
        Connect::with_options(target.into_target(), options, Location::caller())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("attempt_delay", &self.options.attempt_delay)
            .field("timeout", &self.options.timeout)
            .field("local_four", &self.options.local_four)
            .field("local_six", &self.options.local_six)
            .field("preference", &self.options.preference)
            .finish_non_exhaustive()
    }
}
