//! `TcpSocket`: a TCP socket before it connects or listens, to be told what it must know by then.
//!
//! *Why a type of its own.* Some options count only before `connect` or `listen` (buffers, the shared port,
//! fast open), and so does the local address of a client. A stream and a listener can have neither back, so
//! the two verbs take the socket with them.
//!
//! ```text
//!    new_v4, new_v6, for_addr ──► TcpSocket ── options, bind ──► connect ──► TcpStream
//!                                                          └───► listen ───► TcpListener
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::{Fd, socket};

use super::{TcpListener, TcpStream};
use crate::io::endpoint::{Endpoint, Family};
use crate::net::accept::Acceptor;
use crate::net::connect::Attempt;
use crate::net::option::{self, any_option, tcp_options};
use crate::pin::pinned_mut;

/// A TCP socket that is not connected and does not listen yet.
///
/// ```
/// use mainspring::net::{TcpListener, TcpSocket};
/// mainspring::run(async {
///     let server = TcpSocket::new_v4()?;
///     server.set_reuseaddr(true)?;
///     server.set_recv_buffer_size(64 << 10)?;
///     server.bind("127.0.0.1:0".parse().unwrap())?;
///     let listener = server.listen(128)?;
///
///     let client = TcpSocket::new_v4()?;
///     client.bind("127.0.0.1:0".parse().unwrap())?;
///     let from = client.local_addr()?;
///     let stream = client.connect(listener.local_addr()?).await?;
///     let (_, peer) = listener.accept().await?;
///     assert_eq!(peer, from);
///     assert_eq!(stream.local_addr()?, from);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct TcpSocket {
    socket: Endpoint,
    is_v6: bool,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::for_addr(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }

    /// A socket for IPv6, and for IPv4 too if it listens on the wildcard without
    /// [`OnlyV6`](option::OnlyV6).
    ///
    /// # Errors
    /// EAFNOSUPPORT on a machine without IPv6; EMFILE and ENFILE when there are no descriptors left.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::for_addr(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
    }

    /// A socket of the family of `addr`, to which it is not bound.
    ///
    /// # Errors
    /// As for [`TcpSocket::new_v4`] and [`TcpSocket::new_v6`].
    pub fn for_addr(addr: SocketAddr) -> io::Result<TcpSocket> {
        Ok(TcpSocket {
            socket: Endpoint::new(socket::tcp_socket(addr)?, Family::Tcp),
            is_v6: addr.is_ipv6(),
        })
    }

    /// Adopts a TCP socket that was made elsewhere and is not connected; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change; `Unsupported` if it is of no IP family.
    pub fn from_fd(fd: OwnedFd) -> io::Result<TcpSocket> {
        let socket = Endpoint::adopt(fd, Family::Tcp)?;
        let is_v6 = socket::local_addr(socket.fd())?.is_ipv6();
        Ok(TcpSocket { socket, is_v6 })
    }

    fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    /// The kernel's own words for this are "invalid argument" and worse.
    fn check_family(&self, addr: SocketAddr) -> io::Result<()> {
        if addr.is_ipv6() == self.is_v6 {
            return Ok(());
        }
        let (own, others) = if self.is_v6 { (6, 4) } else { (4, 6) };
        let complaint = format!(
            "an IPv{own} socket has no IPv{others} addresses; make one with TcpSocket::for_addr({addr})"
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, complaint))
    }

    any_option!();
    tcp_options!();

    /// Whether `bind` takes an address on which old connections linger (SO_REUSEADDR).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.option(option::ReuseAddress)
    }

    /// Lets `bind` take an address on which old connections linger, so that a restarted server gets its port
    /// back.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        self.set_option(option::ReuseAddress, reuse)
    }

    /// Whether other sockets may share the port (SO_REUSEPORT).
    ///
    /// # Errors
    /// `Unsupported` on illumos; what the kernel says.
    pub fn reuseport(&self) -> io::Result<bool> {
        self.option(option::ReusePort)
    }

    /// Lets sockets that all ask for it share one port; on Linux, DragonFly and FreeBSD the kernel spreads
    /// the connections over them, elsewhere the last one gets them.
    ///
    /// # Errors
    /// `Unsupported` on illumos; what the kernel says.
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        self.set_option(option::ReusePort, reuse)
    }

    /// Sends and receives by this interface only, or by any again: see
    /// [`BindToDevice`](option::BindToDevice).
    ///
    /// # Errors
    /// `InvalidInput` for a name that none can have; `Unsupported` on the BSDs; what the kernel says: ENODEV,
    /// EPERM.
    pub fn bind_device(&self, interface: Option<&str>) -> io::Result<()> {
        self.set_option(option::BindToDevice, interface.map(str::to_string))
    }

    /// The address it is bound to; the wildcard with port 0 before.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_addr(self.fd())
    }

    /// Gives the socket its local address: that of a listener, or the one from which a client connects. Port
    /// 0 lets the system choose one.
    ///
    /// # Errors
    /// `InvalidInput` if the address is of the other family; what the kernel says: EADDRINUSE, EACCES,
    /// EADDRNOTAVAIL, EINVAL if it is bound already.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.check_family(addr)?;
        socket::bind(self.fd(), addr)
    }

    /// Connects to an address. For a limit on the time put it into [`timeout`](crate::time::timeout).
    ///
    /// # Cancel safety
    /// Safe: dropping the future closes the socket, and the attempt ends with it.
    ///
    /// # Errors
    /// `InvalidInput` if the address is of the other family; what the kernel says: ECONNREFUSED,
    /// EHOSTUNREACH, ETIMEDOUT, EADDRNOTAVAIL, …
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::net::{TcpListener, TcpSocket};
    /// use mainspring::time::timeout;
    /// use std::time::Duration;
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let addr = listener.local_addr()?;
    /// let connect = TcpSocket::for_addr(addr)?.connect(addr);
    /// let stream = timeout(Duration::from_secs(3), connect).await??;
    /// assert_eq!(stream.peer_addr()?, addr);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn connect(self, addr: SocketAddr) -> ConnectSocket {
        ConnectSocket {
            socket: Some(self),
            addr,
            attempt: Attempt::new(Location::caller()),
        }
    }

    /// Begins to listen. As many as `backlog` finished connections may wait to be accepted; the kernel cuts
    /// it at its own limit. No loop need be running.
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE, EMFILE, …
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        socket::listen(self.fd(), backlog)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(self.socket),
        })
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.show()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket")
            .field("local", &self.local_addr().ok())
            .finish()
    }
}

/// Connects a [`TcpSocket`]. Made by [`TcpSocket::connect`].
///
/// # Cancel safety
/// Safe: dropping it closes the socket.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ConnectSocket {
    /// Taken at the first poll.
    socket: Option<TcpSocket>,
    addr: SocketAddr,
    attempt: Attempt,
}

impl Future for ConnectSocket {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let addr = self.addr;
        let socket = pinned_mut!(self.as_mut(), socket).get_mut().take();
        let begin = || {
            let socket = socket.unwrap_or_else(|| panic!("a connect was polled after it was done"));
            socket.check_family(addr)?;
            let connecting = socket::connect(socket.fd(), addr)?;
            Ok((socket.socket, connecting))
        };
        let socket = ready!(pinned_mut!(self, attempt).poll(cx, begin))?;
        Poll::Ready(Ok(TcpStream { socket }))
    }
}

impl fmt::Debug for ConnectSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectSocket")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
