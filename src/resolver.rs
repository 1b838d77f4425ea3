//! `Resolver`: who a loop asks for names.
//!
//! *Role.* A loop keeps one, if its builder was told so; without one the system is asked, on a thread of
//! the pool. [`crate::net::lookup`] and what stands on it come here. The trait stands below the loop, which
//! holds it, and knows nothing of sockets or threads.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use crate::task::failure;

/// A look-up under way. It owns what it needs, so that whoever asked can keep it beside the resolver.
///
/// # Cancel safety
/// Safe, for those of this crate: dropping it gives up the look-up.
pub type Resolving<T> = Pin<Box<dyn Future<Output = io::Result<T>>>>;

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddrName {
    /// The name of the host; its number in words, if it has no name.
    pub host: String,
    /// The name of the service that has this port with TCP; the port's number, if it has no name.
    pub service: String,
}

/// Turns names into addresses, in place of the system's own resolver.
///
/// [`Builder::resolver`](crate::Builder::resolver) gives one to a loop, and `Connector::resolver` to single
/// connections. The futures run in the loop of whoever asks, so they may use sockets and timers; they are
/// dropped if nobody waits for the answer any more.
///
/// It is never asked for what needs no look-up: numbers, and names that cannot be one (empty, or with a NUL in
/// them).
///
/// ```
/// use mainspring::net::{Resolver, Resolving};
/// use std::io;
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// /// Knows one name.
/// struct Table;
///
/// impl Resolver for Table {
///     fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>> {
///         let is_known = host == "db.test";
///         Box::pin(async move {
///             match is_known {
///                 true => Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]),
///                 false => Err(io::Error::new(io::ErrorKind::NotFound, "no such host")),
///             }
///         })
///     }
/// }
///
/// let runtime = mainspring::Builder::new().resolver(Table).build().unwrap();
/// # drop(runtime);
/// ```
pub trait Resolver {
    /// The addresses of `host`, each with `port`, the one to be tried first at the front.
    ///
    /// # Errors
    /// Of the future: why there is none. `NotFound` says that the name has no address; a
    /// [`ResolveError`](crate::net::ResolveError) says more. An empty list is taken for `NotFound`.
    fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>>;

    /// What `addr` is called; `None`, if this resolver does not say: then the system is asked. That is what
    /// this method answers unless a resolver has one of its own.
    fn lookup_addr(&self, addr: SocketAddr) -> Option<Resolving<AddrName>> {
        let _ = addr;
        None
    }
}

impl<R: Resolver + ?Sized> Resolver for Rc<R> {
    fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>> {
        (**self).lookup(host, port)
    }

    fn lookup_addr(&self, addr: SocketAddr) -> Option<Resolving<AddrName>> {
        (**self).lookup_addr(addr)
    }
}

/// Where a loop keeps the one it was told of.
#[derive(Default)]
pub(crate) struct ResolverSlot(RefCell<Option<Rc<dyn Resolver>>>);

impl ResolverSlot {
    /// Who is asked, if it is not the system.
    pub(crate) fn current(&self) -> Option<Rc<dyn Resolver>> {
        self.0.borrow().clone()
    }

    /// Asks `resolver` from now on.
    pub(crate) fn set(&self, resolver: Option<Rc<dyn Resolver>>) {
        let old = self.0.replace(resolver);
        drop(old);
    }

    /// The loop ends; what the resolver held in it goes while it is still entered.
    pub(crate) fn clear(&self) {
        failure::contain("a resolver, as it was dropped,", || self.set(None));
    }
}
