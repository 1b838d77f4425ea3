//! Connecting: one address, or a race of several; by number, or by name.
//!
//! *Model.* [`Connect`] is all of it in one type. An address goes straight to its [`Attempt`], which costs what
//! it always did: a socket, a connect, and nothing on the heap. A name, a list, and whatever a [`Connector`]
//! was told beside it, go to a [`Race`], which is boxed.
//!
//! ```text
//!   ConnectTarget ──► an address ───────────────────────────────► Attempt ──► TcpStream
//!        │                                                          ▲ one after the other,
//!        └─► a list, or a name ──► lookup ──► put in order ──► Race ┘ 250 ms apart
//! ```
//!
//! *Cancelling.* Everything under way belongs to the future: sockets, wait nodes, timers, the look-up. Its drop
//! closes and disarms all of it (hz_d04).

mod attempt;
mod connector;
mod error;
mod order;
mod race;
mod target;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket::{self, Connecting};

use self::race::{Options, Race};
use self::target::Goal;
use super::tcp::TcpStream;
use crate::io::endpoint::{Endpoint, Family};
use crate::pin::pinned_mut;

pub(super) use attempt::Attempt;
pub use connector::{Connector, IpPreference};
pub use error::ConnectError;
pub use target::{ConnectTarget, Target};

/// Connects a [`TcpStream`]. Made by [`TcpStream::connect`] and [`Connector::connect`].
///
/// # Cancel safety
/// Safe: dropping it closes whatever is under way.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Connect {
    way: Way,
    attempt: Attempt,
}

/// Where to, and how. An address takes no more room than it does alone.
enum Way {
    Direct(SocketAddr),
    Race(Pin<Box<Race>>),
    /// The race is over.
    Done,
}

impl Connect {
    /// To wherever `target` says.
    pub(super) fn new(target: Target, location: &'static Location<'static>) -> Connect {
        let way = match target.0 {
            Goal::Addr(addr) => Way::Direct(addr),
            goal => Way::Race(Box::pin(Race::new(goal, Options::default(), location))),
        };
        Connect {
            way,
            attempt: Attempt::new(location),
        }
    }

    /// The same, as somebody told how.
    fn with_options(
        target: Target,
        options: Options,
        location: &'static Location<'static>,
    ) -> Connect {
        Connect {
            way: Way::Race(Box::pin(Race::new(target.0, options, location))),
            attempt: Attempt::new(location),
        }
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        if let Way::Direct(addr) = self.way {
            let attempt = pinned_mut!(self, attempt);
            let socket = ready!(attempt.poll(cx, || begin(addr, None)))?;
            return Poll::Ready(Ok(TcpStream::from_socket(socket)));
        }
        let way = pinned_mut!(self, way).get_mut();
        let Way::Race(race) = way else {
            panic!("a connect was polled after it was done");
        };
        let result = ready!(race.as_mut().poll(cx));
        // Its clocks stop now, though this future may be kept for a while.
        drop(mem::replace(way, Way::Done));
        Poll::Ready(result.map(TcpStream::from_socket))
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connect");
        match &self.way {
            Way::Direct(addr) => shown.field("addr", addr),
            Way::Race(race) => shown.field("race", race),
            Way::Done => shown.field("is_done", &true),
        };
        shown.finish_non_exhaustive()
    }
}

/// Opens a socket, gives it its local address, and calls `connect`.
fn begin(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<(Endpoint, Connecting)> {
    let fd = socket::tcp_socket(addr)?;
    if let Some(local) = local {
        socket::bind(&fd, local)?;
    }
    let connecting = socket::connect(&fd, addr)?;
    Ok((Endpoint::new(fd, Family::Tcp), connecting))
}
