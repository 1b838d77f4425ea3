//! `TcpListener`: accepts TCP connections.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;

use mainspring_sys::{Fd, socket};

use super::TcpStream;
use crate::io::endpoint::{Endpoint, Family};
use crate::net::accept::{Accept, Acceptor, BACKLOG, Incoming, Listener, SharedAcceptor, listener};
use crate::net::option::{self, SocketOption as _, any_option};

/// A TCP socket that accepts connections.
///
/// ```
/// use mainspring::net::TcpListener;
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
/// assert_ne!(listener.local_addr().unwrap().port(), 0);
/// ```
pub struct TcpListener {
    pub(super) acceptor: Acceptor,
}

/// How often [`TcpListener::bind_all`] begins anew when a port that the system chose for one address is taken
/// on another.
const PORTS_TRIED_MAX: u32 = 16;

impl TcpListener {
    /// Listens on `addr`, with SO_REUSEADDR, so that a restarted server gets its port back; port 0 lets
    /// the system choose. No loop need be running. A [`TcpSocket`](super::TcpSocket) can be told more before
    /// it listens.
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE, …
    pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
        let fd = socket::tcp_socket(addr)?;
        option::ReuseAddress.set(&fd, true)?;
        TcpListener::listen(fd, addr)
    }

    fn listen(fd: Fd, addr: SocketAddr) -> io::Result<TcpListener> {
        socket::bind(&fd, addr)?;
        socket::listen(&fd, BACKLOG)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(Endpoint::new(fd, Family::Tcp)),
        })
    }

    /// Listens on each of `addrs`, all or none. An IPv6 address takes no IPv4 connections (IPV6_V6ONLY), so
    /// the wildcards of both families can stand beside each other. Those with port 0 get one port, which the
    /// system chooses.
    ///
    /// # Errors
    /// `InvalidInput` if there are no addresses; as for [`TcpListener::bind`] otherwise, and then nothing
    /// listens.
    ///
    /// ```
    /// use mainspring::net::TcpListener;
    /// let addrs = ["127.0.0.1:0", "127.0.0.2:0"].map(|addr| addr.parse().unwrap());
    /// # #[cfg(target_os = "linux")] {
    /// let listeners = TcpListener::bind_all(&addrs)?;
    /// let ports: Vec<u16> = listeners.iter().map(|it| it.local_addr().unwrap().port()).collect();
    /// assert_eq!(ports[0], ports[1]);
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind_all(addrs: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
        if addrs.is_empty() {
            let complaint = "there is no address to listen on";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, complaint));
        }
        let is_choosing = addrs.iter().filter(|addr| addr.port() == 0).count() > 1;
        let mut tries = 0;
        loop {
            tries += 1;
            match TcpListener::bind_each(addrs) {
                Err(error)
                    if is_choosing
                        && tries < PORTS_TRIED_MAX
                        && error.kind() == io::ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
    }

    fn bind_each(addrs: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
        let mut listeners = Vec::with_capacity(addrs.len());
        let mut chosen = 0;
        for addr in addrs {
            let mut addr = *addr;
            let is_open = addr.port() == 0;
            if is_open {
                addr.set_port(chosen);
            }
            let fd = socket::tcp_socket(addr)?;
            option::ReuseAddress.set(&fd, true)?;
            if addr.is_ipv6() {
                option::OnlyV6.set(&fd, true)?;
            }
            let listener = TcpListener::listen(fd, addr)?;
            if is_open {
                chosen = listener.local_addr()?.port();
            }
            listeners.push(listener);
        }
        Ok(listeners)
    }

    /// Listens on `port` of every interface, by a listener for each family that the machine has; port 0 lets
    /// the system choose one for both.
    ///
    /// # Errors
    /// As for [`TcpListener::bind`]; a family that is missing is no error, unless both are.
    ///
    /// ```
    /// use mainspring::net::TcpListener;
    /// let listeners = TcpListener::bind_wildcards(0)?;
    /// assert!((1..=2).contains(&listeners.len()));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind_wildcards(port: u16) -> io::Result<Vec<TcpListener>> {
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        match TcpListener::bind_all(&[v4, v6]) {
            Err(error) if socket::is_family_missing(&error) => {
                TcpListener::bind_all(&[v4]).or_else(|_| TcpListener::bind_all(&[v6]))
            }
            result => result,
        }
    }

    fn fd(&self) -> &Fd {
        self.acceptor.socket.fd()
    }

    any_option!();

    /// Adopts a listening socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let socket = Endpoint::adopt(OwnedFd::from(listener), Family::Tcp)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(socket),
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::net::TcpListener {
        self.acceptor.socket.into_owned().into()
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.fd())
    }

    /// How many routers a packet of its connections may pass: IP_TTL or IPV6_UNICAST_HOPS, by its family.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ttl(&self) -> io::Result<u8> {
        socket::option::ttl(self.fd())
    }

    /// Sets how many routers a packet of its connections may pass.
    ///
    /// # Errors
    /// What the kernel says; EINVAL for 0 with IPv4.
    pub fn set_ttl(&self, hops: u8) -> io::Result<()> {
        socket::option::set_ttl(self.fd(), hops)
    }

    /// Connections accepted from now on send small writes at once, where the system lets them inherit
    /// it (Linux does); it saves a system call per connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_option(option::NoDelay, nodelay)
    }
}

listener!(TcpListener);

impl Listener for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    fn shared_acceptor(&self) -> SharedAcceptor<'_> {
        SharedAcceptor(&self.acceptor)
    }

    fn accept_now(fd: &Fd) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (fd, peer) = socket::accept(fd)?;
            let peer = match peer.map_or_else(|| socket::peer_addr(&fd), Ok) {
                // macOS gives no address for a connection that died in the queue: take the next.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => continue,
                peer => peer?,
            };
            return Ok((TcpStream::new(fd), peer));
        }
    }
}
