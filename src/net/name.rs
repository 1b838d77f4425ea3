//! Names: `lookup` turns one into addresses, `lookup_addr` an address into one.
//!
//! *Model.* Who answers is decided at the first poll.
//!
//! ```text
//!                a number, or no name at all
//!   lookup ───────────────────────────────────────────────────► answer, at once
//!      │ a name                                                    ▲
//!      ├─► the resolver of this call, or of the loop ── a future ──┤
//!      └─► else the system: a job of the pool, of class Names ─────┘
//! ```
//!
//! The system's resolver (`getaddrinfo`) blocks, for half a minute if a server is gone. So it runs on a thread of
//! the pool, and its class has a limit of its own, half of the threads: a hundred look-ups that hang leave the
//! other half to files (hz_g07).
//!
//! *Cost.* A number: no thread, no task, one allocation for the list. A name that the system looks up: two
//! switches between threads and what the resolver does; the job's task and its closure are two allocations.
//!
//! *What is left out.* Names in other scripts than ASCII: they are handed on as they are, in UTF-8, and what
//! the system does with them is its own affair. Who wants them looked up encodes them first (IDNA), with a crate
//! for that. Ports have numbers here, no names.

mod asking;
mod number;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::resolve;

use self::asking::Asking;
use crate::context;
use crate::reactor;
use crate::resolver::{AddrName, Resolver};
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;

pub(super) use number::number;

/// Looks `host` up: its addresses, each with `port`, the one to be tried first at the front.
///
/// A number (`127.0.0.1`, `::1`, `[::1]`, `fe80::1%eth0`) is its own answer, without any look-up. Of names
/// the loop's resolver is asked ([`Builder::resolver`](crate::Builder::resolver)), or else the system's, on a thread
/// of the pool; of its class, [`Class::Names`](crate::task::blocking::Class::Names), half of the threads may be
/// taken at once. [`timeout`](crate::time::timeout) limits how long it takes.
///
/// # Cancel safety
/// Safe: a look-up that is dropped while it waits for a thread never begins; one that runs ends on its thread,
/// where nobody takes the answer. Made again it begins anew.
///
/// # Errors
/// `NotFound`, if the name has no address; `InvalidInput`, if it cannot be a name: empty, with a NUL in it, or a
/// number with something wrong about it. What the resolver says otherwise: the system's own is told by a
/// [`ResolveError`](super::ResolveError) inside. `NotConnected` where no loop runs.
///
/// ```
/// use mainspring::net::lookup;
/// mainspring::run(async {
///     let addrs = lookup("localhost", 80).await?;
///     assert!(addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80));
///     assert_eq!(lookup("[::1]", 80).await?, ["[::1]:80".parse().unwrap()]);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
#[track_caller]
pub fn lookup(host: &str, port: u16) -> Lookup {
    Lookup::new(host, port, None, Location::caller())
}

/// Looks up what `addr` is called. What has no name is told as a number.
///
/// # Cancel safety
/// Safe: as for [`lookup`].
///
/// # Errors
/// What the resolver says, by a [`ResolveError`](super::ResolveError) for example; `NotConnected` where no loop
/// runs.
///
/// ```
/// use mainspring::net::lookup_addr;
/// mainspring::run(async {
///     let name = lookup_addr("127.0.0.1:80".parse().unwrap()).await?;
///     assert!(!name.host.is_empty() && !name.service.is_empty());
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
#[track_caller]
pub fn lookup_addr(addr: SocketAddr) -> LookupAddr {
    LookupAddr {
        addr,
        asking: None,
        location: Location::caller(),
    }
}

/// Where a look-up is.
enum Stage {
    /// Not polled yet.
    Fresh {
        host: Box<str>,
        /// In place of the loop's own.
        resolver: Option<Rc<dyn Resolver>>,
    },
    Asking {
        host: Box<str>,
        asking: Asking<Vec<SocketAddr>>,
    },
    /// There was nothing to look up.
    Known(io::Result<SocketAddr>),
    Done,
}

/// Looks up a name. Made by [`lookup`].
///
/// # Cancel safety
/// Safe: made again it begins anew.
///
/// # Panics
/// When it is polled after it was done.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Lookup {
    stage: Stage,
    port: u16,
    location: &'static Location<'static>,
}

impl Lookup {
    /// `resolver` is asked in place of the loop's own.
    pub(super) fn new(
        host: &str,
        port: u16,
        resolver: Option<Rc<dyn Resolver>>,
        location: &'static Location<'static>,
    ) -> Lookup {
        let stage = match number(host, port).transpose() {
            Some(known) => Stage::Known(known),
            None => Stage::Fresh {
                host: host.into(),
                resolver,
            },
        };
        Lookup {
            stage,
            port,
            location,
        }
    }

    /// Asks whoever answers for `host`.
    fn begin(
        &self,
        host: &str,
        resolver: Option<Rc<dyn Resolver>>,
    ) -> io::Result<Asking<Vec<SocketAddr>>> {
        let event_loop = context::current().ok_or_else(reactor::no_loop)?;
        if let Some(resolver) = resolver.or_else(|| event_loop.resolver.current()) {
            let asked = Caller::at(self.location).within(|| resolver.lookup(host, self.port));
            return Ok(Asking::Resolver(asked));
        }
        let (host, port) = (Box::<str>::from(host), self.port);
        Asking::system(self.location, move || resolve::lookup(&host, port))
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Known(_) = self.stage {
            ready!(poll_spend(cx));
        }
        // Whatever goes wrong from here on, the look-up is done with it.
        let (host, mut asking) = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Fresh { host, resolver } => {
                let asking = self.begin(&host, resolver)?;
                (host, asking)
            }
            Stage::Asking { host, asking } => (host, asking),
            Stage::Known(known) => return Poll::Ready(known.map(|addr| vec![addr])),
            Stage::Done => panic!("a look-up was polled after it was done"),
        };
        match asking.poll(cx) {
            Poll::Ready(Ok(addrs)) if addrs.is_empty() => {
                Poll::Ready(Err(resolve::no_address(&host)))
            }
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => {
                self.stage = Stage::Asking { host, asking };
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lookup");
        match &self.stage {
            Stage::Fresh { host, .. } | Stage::Asking { host, .. } => shown.field("host", host),
            Stage::Known(known) => shown.field("known", known),
            Stage::Done => shown.field("is_done", &true),
        };
        shown.field("port", &self.port).finish_non_exhaustive()
    }
}

/// Looks up an address. Made by [`lookup_addr`].
///
/// # Cancel safety
/// Safe: made again it begins anew.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LookupAddr {
    addr: SocketAddr,
    asking: Option<Asking<AddrName>>,
    location: &'static Location<'static>,
}

impl LookupAddr {
    fn begin(&self) -> io::Result<Asking<AddrName>> {
        let event_loop = context::current().ok_or_else(reactor::no_loop)?;
        let addr = self.addr;
        let resolver = event_loop.resolver.current();
        let here = Caller::at(self.location);
        if let Some(asked) =
            resolver.and_then(|resolver| here.within(|| resolver.lookup_addr(addr)))
        {
            return Ok(Asking::Resolver(asked));
        }
        Asking::system(self.location, move || {
            let (host, service) = resolve::lookup_addr(addr)?;
            Ok(AddrName { host, service })
        })
    }
}

impl Future for LookupAddr {
    type Output = io::Result<AddrName>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut asking = match self.asking.take() {
            Some(asking) => asking,
            None => self.begin()?,
        };
        let polled = asking.poll(cx);
        if polled.is_pending() {
            self.asking = Some(asking);
        }
        polled
    }
}

impl fmt::Debug for LookupAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupAddr")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
