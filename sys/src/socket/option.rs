//! Options of sockets, each a type of its own, with the type of its value.
//!
//! *Role.* What a socket can be told beside its address: who may share it, when it notices a dead peer,
//! how it ends. The network types of `mainspring` set any of them by one method, and have methods of
//! their own for those that are wanted every day.
//!
//! *Model.* An option is a unit struct, and [`SocketOption`] says what its value is:
//!
//! ```text
//!    KeepAliveIdle: SocketOption<Value = Duration>      set(&fd, Duration), get(&fd) -> Duration
//!    Linger:        SocketOption<Value = Option<Duration>>
//!    Int            a level, a number and a C int: for whatever has no type here
//! ```
//!
//! So a value of the wrong type does not compile, a unit is never guessed, and one function serves all.
//! Values go to the kernel in its own units, rounded *up*: a linger of 0.3 seconds that became none would
//! turn an orderly end into a reset. What no kernel could mean is refused here, with words.
//!
//! *Where a system lacks an option* the error is `Unsupported`, and names it. Nothing is ignored in silence.
//!
//! *Cost.* One system call each, never more.
//!
//! *Why no option of raw bytes.* Some options hand the kernel an address to write to, by which a safe
//! function could change any memory. A C int is too short for one.

mod raw;

#[cfg(test)]
mod tests;

use std::ffi::c_int;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;

use super::retry;
use crate::fault::Call;
use crate::fd::Fd;

pub use datagram::{
    MulticastHops, MulticastInterfaceV4, MulticastInterfaceV6, MulticastLoopV4, MulticastLoopV6,
    MulticastTtl, ReceiveErrorsV4, ReceiveErrorsV6, ReceivePacketInfoV4, ReceivePacketInfoV6,
    ReceiveSegments, ReceiveTimestamps, ReceiveTos, ReceiveTrafficClass,
};

/// Something that a socket can be told, and asked.
pub trait SocketOption {
    /// What it is set to.
    type Value;

    /// Sets it.
    ///
    /// # Errors
    /// `Unsupported` where the system has no such option; `InvalidInput` for a value that no system can
    /// mean; what `setsockopt` says: ENOPROTOOPT or EOPNOTSUPP on another kind of socket, EINVAL, EPERM.
    /// macOS says EINVAL also when the connection is already reset.
    fn set(&self, fd: &Fd, value: Self::Value) -> io::Result<()>;

    /// Asks for it.
    ///
    /// # Errors
    /// As for [`SocketOption::set`].
    fn get(&self, fd: &Fd) -> io::Result<Self::Value>;
}

/// The system call, made again after EINTR; the fault plan is asked before each.
fn call<T>(mut operation: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    retry(Call::SocketOption, 0, |_| operation())
}

/// The answer where there is no such option.
#[allow(dead_code, reason = "some systems have all options")]
fn unsupported<T>(name: &str) -> io::Result<T> {
    let complaint = format!("this system has no socket option {name}");
    Err(io::Error::new(io::ErrorKind::Unsupported, complaint))
}

fn invalid<T>(complaint: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, complaint))
}

/// An option whose value goes to the kernel as it is. `[cfg]` says which systems have it.
macro_rules! options {
    ($($(#[$doc:meta])* $Option:ident: $Value:ty [$($has:tt)*] $name:literal
        set($fd:ident, $value:ident) $set:expr, get $get:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $Option;

        #[cfg($($has)*)]
        impl SocketOption for $Option {
            type Value = $Value;

            fn set(&self, $fd: &Fd, $value: $Value) -> io::Result<()> {
                call(|| $set)
            }

            fn get(&self, $fd: &Fd) -> io::Result<$Value> {
                call(|| $get)
            }
        }

        #[cfg(not($($has)*))]
        impl SocketOption for $Option {
            type Value = $Value;

            fn set(&self, _fd: &Fd, _value: $Value) -> io::Result<()> {
                unsupported($name)
            }

            fn get(&self, _fd: &Fd) -> io::Result<$Value> {
                unsupported($name)
            }
        }
    )*};
}

// Behind the macro, which it uses.
mod datagram;

options! {
    /// SO_REUSEADDR: `bind` takes an address on which old connections still linger.
    ReuseAddress: bool [unix] "SO_REUSEADDR"
        set(fd, on) sockopt::set_socket_reuseaddr(fd, on),
        get sockopt::socket_reuseaddr(fd);

    /// SO_KEEPALIVE: a peer that is gone without a word is noticed, after
    /// [`KeepAliveIdle`] + [`KeepAliveCount`] × [`KeepAliveInterval`]; by default that takes hours.
    KeepAlive: bool [unix] "SO_KEEPALIVE"
        set(fd, on) sockopt::set_socket_keepalive(fd, on),
        get sockopt::socket_keepalive(fd);

    /// SO_SNDBUF: how many bytes the kernel keeps for sending. Linux takes twice as much as it is told, for
    /// its own needs, and says so when asked; every system has a least and a most.
    SendBuffer: usize [unix] "SO_SNDBUF"
        set(fd, bytes) sockopt::set_socket_send_buffer_size(fd, bytes),
        get sockopt::socket_send_buffer_size(fd);

    /// SO_RCVBUF: how many bytes the kernel keeps for receiving, as [`SendBuffer`]. Before `connect` or
    /// `listen` it bounds the window that TCP announces.
    ReceiveBuffer: usize [unix] "SO_RCVBUF"
        set(fd, bytes) sockopt::set_socket_recv_buffer_size(fd, bytes),
        get sockopt::socket_recv_buffer_size(fd);

    /// SO_OOBINLINE: urgent data comes among the rest.
    OutOfBandInline: bool [unix] "SO_OOBINLINE"
        set(fd, on) sockopt::set_socket_oobinline(fd, on),
        get sockopt::socket_oobinline(fd);

    /// SO_BROADCAST: datagrams may go to broadcast addresses.
    Broadcast: bool [unix] "SO_BROADCAST"
        set(fd, on) sockopt::set_socket_broadcast(fd, on),
        get sockopt::socket_broadcast(fd);

    /// TCP_NODELAY: small segments are sent at once, and not collected.
    NoDelay: bool [unix] "TCP_NODELAY"
        set(fd, on) sockopt::set_tcp_nodelay(fd, on),
        get sockopt::tcp_nodelay(fd);

    /// TCP_KEEPCNT: how many probes may stay unanswered.
    KeepAliveCount: u32 [not(any(target_os = "openbsd", target_os = "redox"))] "TCP_KEEPCNT"
        set(fd, count) sockopt::set_tcp_keepcnt(fd, count),
        get sockopt::tcp_keepcnt(fd);

    /// TCP_QUICKACK: segments are acknowledged at once. Linux only, and not for long: the kernel goes back
    /// to its own ways by itself, so it is set again after reads.
    QuickAck: bool [any(target_os = "linux", target_os = "android")] "TCP_QUICKACK"
        set(fd, on) sockopt::set_tcp_quickack(fd, on),
        get sockopt::tcp_quickack(fd);

    /// TCP_CORK, on the BSDs and macOS TCP_NOPUSH: only full segments are sent until it is taken back (on
    /// Linux for 200 ms at most).
    Cork: bool [any(target_os = "linux", target_os = "android", target_os = "illumos", target_vendor = "apple",
        target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd")] "TCP_CORK"
        set(fd, on) cork::set(fd, on),
        get cork::get(fd);

    /// TCP_MAXSEG: the most bytes in a segment; before the connection it bounds what is agreed on, after it
    /// tells it.
    SegmentMax: u32 [unix] "TCP_MAXSEG"
        set(fd, bytes) raw::set_int(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, raw::clamp(bytes)),
        get raw::int(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG).map(raw::unsigned);

    /// TCP_NOTSENT_LOWAT: the socket counts as writable only while fewer bytes wait to be sent. So what was
    /// written last is not behind much that is stale. Linux only.
    NotSentLowWater: u32 [any(target_os = "linux", target_os = "android")] "TCP_NOTSENT_LOWAT"
        set(fd, bytes) raw::set_int(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, raw::clamp(bytes)),
        get raw::int(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT).map(raw::unsigned);

    /// TCP_FASTOPEN of a listener: as many clients at once may send data with their first segment. It counts
    /// only if the system allows it (Linux: `net.ipv4.tcp_fastopen`), and on macOS and FreeBSD it is a switch.
    FastOpen: u32 [any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")]
        "TCP_FASTOPEN"
        set(fd, queue) raw::set_int(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, raw::clamp(queue)),
        get raw::int(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN).map(raw::unsigned);

    /// TCP_FASTOPEN_CONNECT of a client: if the server's cookie is known, `connect` only notes the address,
    /// and the first write goes with the first segment. So write first. Linux only.
    FastOpenConnect: bool [any(target_os = "linux", target_os = "android")] "TCP_FASTOPEN_CONNECT"
        set(fd, on) raw::set_int(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, c_int::from(on)),
        get raw::int(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT).map(|on| on != 0);

    /// IP_TTL: how many routers an IPv4 packet may pass; not 0.
    Ttl: u8 [unix] "IP_TTL"
        set(fd, hops) sockopt::set_ip_ttl(fd, u32::from(hops)),
        get sockopt::ip_ttl(fd).map(raw::byte);

    /// IPV6_UNICAST_HOPS: the same of IPv6.
    HopLimit: u8 [unix] "IPV6_UNICAST_HOPS"
        set(fd, hops) sockopt::set_ipv6_unicast_hops(fd, Some(hops)),
        get sockopt::ipv6_unicast_hops(fd);

    /// IP_TOS: the class of service of IPv4 packets, six bits, and two of congestion that TCP keeps to itself.
    Tos: u8 [not(any(target_os = "illumos", target_os = "solaris"))] "IP_TOS"
        set(fd, class) sockopt::set_ip_tos(fd, class),
        get sockopt::ip_tos(fd);

    /// IPV6_TCLASS: the same of IPv6.
    TrafficClass: u8 [not(any(target_os = "redox", target_os = "illumos", target_os = "solaris"))] "IPV6_TCLASS"
        set(fd, class) sockopt::set_ipv6_tclass(fd, u32::from(class)),
        get sockopt::ipv6_tclass(fd).map(raw::byte);

    /// IPV6_V6ONLY: an IPv6 socket leaves IPv4 to others. OpenBSD has no other way. To be set before `bind`.
    OnlyV6: bool [unix] "IPV6_V6ONLY"
        set(fd, on) sockopt::set_ipv6_v6only(fd, on),
        get sockopt::ipv6_v6only(fd);

    /// IP_FREEBIND: `bind` takes an address that no interface has yet. Linux only.
    FreeBind: bool [any(target_os = "linux", target_os = "android")] "IP_FREEBIND"
        set(fd, on) sockopt::set_ip_freebind(fd, on),
        get sockopt::ip_freebind(fd);

    /// SO_REUSEPORT: several sockets share one port, if all of them ask for it. Linux, DragonFly and FreeBSD
    /// (there it is SO_REUSEPORT_LB) spread the connections over them; elsewhere the last one gets them.
    ReusePort: bool [not(any(target_os = "illumos", target_os = "solaris"))] "SO_REUSEPORT"
        set(fd, on) reuse_port::set(fd, on),
        get reuse_port::get(fd);
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
mod cork {
    pub(super) use rustix::net::sockopt::{set_tcp_cork as set, tcp_cork as get};
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "openbsd"
))]
mod cork {
    use super::{Fd, c_int, raw};

    pub(super) fn set(fd: &Fd, on: bool) -> rustix::io::Result<()> {
        raw::set_int(fd, libc::IPPROTO_TCP, libc::TCP_NOPUSH, c_int::from(on))
    }

    pub(super) fn get(fd: &Fd) -> rustix::io::Result<bool> {
        raw::int(fd, libc::IPPROTO_TCP, libc::TCP_NOPUSH).map(|on| on != 0)
    }
}

/// Whether the kernel spreads connections over sockets that share a port by [`ReusePort`]; elsewhere the last one of them
/// gets all.
pub const REUSE_PORT_SPREADS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly"
));

#[cfg(target_os = "freebsd")]
mod reuse_port {
    pub(super) use rustix::net::sockopt::{
        set_socket_reuseport_lb as set, socket_reuseport_lb as get,
    };
}

#[cfg(not(any(target_os = "freebsd", target_os = "illumos", target_os = "solaris")))]
mod reuse_port {
    pub(super) use rustix::net::sockopt::{set_socket_reuseport as set, socket_reuseport as get};
}

/// A number of whole seconds, at least one, rounded up.
fn seconds(value: Duration, complaint: &str) -> io::Result<Duration> {
    if value.is_zero() {
        return invalid(complaint);
    }
    Ok(rounded_up(value))
}

fn rounded_up(value: Duration) -> Duration {
    let more = u64::from(value.subsec_nanos() > 0);
    Duration::from_secs(value.as_secs().saturating_add(more))
}

/// SO_LINGER: what `close` does about bytes that are not sent yet. `None` (the default) sends them in the
/// background; `Some(Duration::ZERO)` throws them away and resets the connection; any other **blocks the
/// thread**, and with it the loop, inside `close` until they are sent or that many seconds are over. Wait for
/// the peer's end instead, as `close_gracefully` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linger;

impl SocketOption for Linger {
    type Value = Option<Duration>;

    fn set(&self, fd: &Fd, value: Option<Duration>) -> io::Result<()> {
        let value = value.map(rounded_up);
        call(|| sockopt::set_socket_linger(fd, value))
    }

    fn get(&self, fd: &Fd) -> io::Result<Option<Duration>> {
        call(|| sockopt::socket_linger(fd))
    }
}

/// TCP_KEEPIDLE, on macOS TCP_KEEPALIVE: after how long a silence probes are sent; whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeepAliveIdle;

/// TCP_KEEPINTVL: how far probes are apart; whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeepAliveInterval;

macro_rules! keep_alive_time {
    ($Option:ident, $name:literal, $set:ident, $get:ident) => {
        #[cfg(not(any(target_os = "openbsd", target_os = "redox")))]
        impl SocketOption for $Option {
            type Value = Duration;

            fn set(&self, fd: &Fd, value: Duration) -> io::Result<()> {
                let value = seconds(value, "a time of keep-alive is at least a second")?;
                call(|| sockopt::$set(fd, value))
            }

            fn get(&self, fd: &Fd) -> io::Result<Duration> {
                call(|| sockopt::$get(fd))
            }
        }

        #[cfg(any(target_os = "openbsd", target_os = "redox"))]
        impl SocketOption for $Option {
            type Value = Duration;

            fn set(&self, _fd: &Fd, value: Duration) -> io::Result<()> {
                seconds(value, "a time of keep-alive is at least a second")?;
                unsupported($name)
            }

            fn get(&self, _fd: &Fd) -> io::Result<Duration> {
                unsupported($name)
            }
        }
    };
}

keep_alive_time!(
    KeepAliveIdle,
    "TCP_KEEPIDLE",
    set_tcp_keepidle,
    tcp_keepidle
);
keep_alive_time!(
    KeepAliveInterval,
    "TCP_KEEPINTVL",
    set_tcp_keepintvl,
    tcp_keepintvl
);

/// TCP_USER_TIMEOUT: how long sent bytes may stay without an answer before the connection counts as dead;
/// milliseconds, and zero for the system's own rule. Linux only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserTimeout;

#[cfg(any(target_os = "linux", target_os = "android"))]
impl SocketOption for UserTimeout {
    type Value = Duration;

    fn set(&self, fd: &Fd, value: Duration) -> io::Result<()> {
        let timeout_ms = value.as_nanos().div_ceil(1_000_000);
        let Ok(timeout_ms) = u32::try_from(timeout_ms) else {
            return invalid("a user timeout is at most 49 days");
        };
        call(|| sockopt::set_tcp_user_timeout(fd, timeout_ms))
    }

    fn get(&self, fd: &Fd) -> io::Result<Duration> {
        let timeout_ms = call(|| sockopt::tcp_user_timeout(fd))?;
        Ok(Duration::from_millis(timeout_ms.into()))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl SocketOption for UserTimeout {
    type Value = Duration;

    fn set(&self, _fd: &Fd, _value: Duration) -> io::Result<()> {
        unsupported("TCP_USER_TIMEOUT")
    }

    fn get(&self, _fd: &Fd) -> io::Result<Duration> {
        unsupported("TCP_USER_TIMEOUT")
    }
}

/// TCP_CONGESTION: the algorithm that decides how fast to send, by name. Linux and FreeBSD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Congestion;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
impl SocketOption for Congestion {
    type Value = String;

    fn set(&self, fd: &Fd, value: String) -> io::Result<()> {
        call(|| sockopt::set_tcp_congestion(fd, &value))
    }

    fn get(&self, fd: &Fd) -> io::Result<String> {
        call(|| sockopt::tcp_congestion(fd))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
impl SocketOption for Congestion {
    type Value = String;

    fn set(&self, _fd: &Fd, _value: String) -> io::Result<()> {
        unsupported("TCP_CONGESTION")
    }

    fn get(&self, _fd: &Fd) -> io::Result<String> {
        unsupported("TCP_CONGESTION")
    }
}

/// SO_BINDTODEVICE (Linux), IP_BOUND_IF and IPV6_BOUND_IF (macOS): packets go and come by this interface
/// only; `None` for any. Elsewhere unsupported: bind to an address of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindToDevice;

impl SocketOption for BindToDevice {
    type Value = Option<String>;

    fn set(&self, fd: &Fd, value: Option<String>) -> io::Result<()> {
        let name = value.as_deref().unwrap_or_default();
        if value.is_some() && name.is_empty() || name.contains('\0') {
            return invalid("the name of an interface is not empty, and has no NUL in it");
        }
        raw::bind_to_device(fd, name)
    }

    fn get(&self, fd: &Fd) -> io::Result<Option<String>> {
        raw::bound_device(fd)
    }
}

/// Whatever option is a C int, by its level and number as the system's headers have them.
///
/// ```
/// use mainspring_sys::socket::option::{Int, SocketOption};
/// use mainspring_sys::socket::tcp_socket;
/// const KEEP_ALIVE: Int = Int::new(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
/// let fd = tcp_socket("127.0.0.1:0".parse().unwrap())?;
/// KEEP_ALIVE.set(&fd, 1)?;
/// assert_ne!(KEEP_ALIVE.get(&fd)?, 0);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    level: c_int,
    name: c_int,
}

impl Int {
    /// The option `name` of `level`: `SOL_SOCKET`, `IPPROTO_TCP`, …
    #[must_use]
    pub const fn new(level: i32, name: i32) -> Int {
        Int { level, name }
    }
}

impl SocketOption for Int {
    type Value = i32;

    fn set(&self, fd: &Fd, value: i32) -> io::Result<()> {
        call(|| raw::set_int(fd, self.level, self.name, value))
    }

    fn get(&self, fd: &Fd) -> io::Result<i32> {
        call(|| raw::int(fd, self.level, self.name))
    }
}

fn is_v6(fd: &Fd) -> io::Result<bool> {
    Ok(matches!(super::local_addr(fd)?, SocketAddr::V6(_)))
}

/// Sets how many routers a packet of the socket's own family may pass: [`Ttl`] or [`HopLimit`].
///
/// # Errors
/// As for [`SocketOption::set`].
pub fn set_ttl(fd: &Fd, hops: u8) -> io::Result<()> {
    if is_v6(fd)? {
        HopLimit.set(fd, hops)
    } else {
        Ttl.set(fd, hops)
    }
}

/// How many routers a packet of the socket's own family may pass.
///
/// # Errors
/// As for [`SocketOption::get`].
pub fn ttl(fd: &Fd) -> io::Result<u8> {
    if is_v6(fd)? {
        HopLimit.get(fd)
    } else {
        Ttl.get(fd)
    }
}

/// Sets the class of service of the socket's own family: [`Tos`] or [`TrafficClass`].
///
/// # Errors
/// As for [`SocketOption::set`].
pub fn set_tos(fd: &Fd, class: u8) -> io::Result<()> {
    if is_v6(fd)? {
        TrafficClass.set(fd, class)
    } else {
        Tos.set(fd, class)
    }
}

/// The class of service of the socket's own family.
///
/// # Errors
/// As for [`SocketOption::get`].
pub fn tos(fd: &Fd) -> io::Result<u8> {
    if is_v6(fd)? {
        TrafficClass.get(fd)
    } else {
        Tos.get(fd)
    }
}
