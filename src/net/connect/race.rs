//! `Race`: several addresses tried at once, a little apart (RFC 8305, "happy eyeballs").
//!
//! *Model.* The first attempt has the field to itself for [`ATTEMPT_DELAY`]; then the next begins beside it, and
//! so on. An attempt that fails while it is the last one begun makes room at once. Who connects first wins, and
//! the sockets of the others are closed.
//!
//! ```text
//!             lookup                    in_turn
//!   Looking ──────────► addresses ────────────────► waiting ─┐
//!                                                            │ start: at once, or after the delay
//!                               failures ◄── failed ── running ── connected ──► the winner
//! ```
//!
//! *Cost.* One box for the race and one per attempt; a socket, a connect, a registration and a close for each.
//! Each poll looks at every attempt under way: they are few, and those that were not woken ask no kernel.
//!
//! *Why not one task per attempt.* Because a drop must close them all at once, and what belongs to the future goes
//! with it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;

use super::attempt::Attempt;
use super::connector::IpPreference;
use super::error::ConnectError;
use super::target::Goal;
use super::{begin, order};
use crate::io::endpoint::Endpoint;
use crate::net::name::Lookup;
use crate::pin::pinned_beside;
use crate::resolver::Resolver;
use crate::task::budget::poll_spend;
use crate::time::Sleep;

/// How long an attempt has the field to itself, unless told otherwise. RFC 8305 recommends it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How a race is run.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) attempt_delay: Duration,
    /// Over all of it, the look-up among it.
    pub(super) timeout: Option<Duration>,
    pub(super) local_four: Option<SocketAddr>,
    pub(super) local_six: Option<SocketAddr>,
    pub(super) preference: IpPreference,
    /// In place of the loop's.
    pub(super) resolver: Option<Rc<dyn Resolver>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            attempt_delay: ATTEMPT_DELAY,
            timeout: None,
            local_four: None,
            local_six: None,
            preference: IpPreference::default(),
            resolver: None,
        }
    }
}

impl Options {
    fn has_local(&self) -> bool {
        self.local_four.or(self.local_six).is_some()
    }

    /// The local address of the family of `addr`.
    fn local_for(&self, addr: SocketAddr) -> Option<SocketAddr> {
        if addr.is_ipv4() {
            self.local_four
        } else {
            self.local_six
        }
    }
}

/// Where the addresses are.
enum Stage {
    Looking(Lookup),
    Running,
    /// There is nothing to try.
    Failed(io::Error),
}

/// An attempt under way, and where to.
struct Runner {
    addr: SocketAddr,
    attempt: Pin<Box<Attempt>>,
}

/// The race, but for its clocks.
struct Field {
    stage: Stage,
    /// Those that are still to be tried.
    waiting: VecDeque<SocketAddr>,
    /// Oldest first.
    running: Vec<Runner>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// Nothing stands between the next address and its attempt.
    is_next_due: bool,
    options: Options,
    location: &'static Location<'static>,
}

pub(super) struct Race {
    field: Field,
    delay: Sleep,
    limit: Sleep,
}

impl Race {
    pub(super) fn new(goal: Goal, options: Options, location: &'static Location<'static>) -> Race {
        let delay_ns = duration_ns(options.attempt_delay);
        let limit_ns = duration_ns(options.timeout.unwrap_or(Duration::MAX));
        Race {
            field: Field::new(goal, options, location),
            delay: Sleep::new(delay_ns, true, location),
            limit: Sleep::new(limit_ns, true, location),
        }
    }

    /// The winner's socket, or what became of all of them.
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Endpoint>> {
        let (delay, field) = pinned_beside!(self.as_mut(), delay, field);
        if let Poll::Ready(result) = field.poll(delay, cx) {
            return Poll::Ready(result);
        }
        if field.options.timeout.is_none() {
            return Poll::Pending;
        }
        let (limit, field) = pinned_beside!(self, limit, field);
        ready!(limit.poll_elapsed(cx));
        Poll::Ready(Err(field.time_out()))
    }
}

impl Field {
    fn new(goal: Goal, options: Options, location: &'static Location<'static>) -> Field {
        let mut field = Field {
            stage: Stage::Running,
            waiting: VecDeque::new(),
            running: Vec::new(),
            failures: Vec::new(),
            is_next_due: true,
            options,
            location,
        };
        match goal {
            Goal::Addr(addr) => field.enter(vec![addr]),
            Goal::Addrs(addrs) => field.enter(addrs),
            Goal::Name { host, port } => {
                let resolver = field.options.resolver.clone();
                field.stage = Stage::Looking(Lookup::new(&host, port, resolver, location));
            }
            Goal::Invalid(error) => field.stage = Stage::Failed(error),
        }
        field
    }

    /// These are the addresses.
    fn enter(&mut self, addrs: Vec<SocketAddr>) {
        let complaint = if addrs.is_empty() {
            (
                io::ErrorKind::InvalidInput,
                "there is no address to connect to: the list is empty",
            )
        } else {
            (
                io::ErrorKind::AddrNotAvailable,
                "no address is of a family that may be tried: see the connector's preference and bind",
            )
        };
        let options = &self.options;
        let mut order = order::in_turn(addrs, options.preference);
        order.retain(|&addr| !options.has_local() || options.local_for(addr).is_some());
        self.stage = if order.is_empty() {
            Stage::Failed(io::Error::new(complaint.0, complaint.1))
        } else {
            Stage::Running
        };
        self.waiting = order;
    }

    fn poll(&mut self, delay: Pin<&Sleep>, cx: &mut Context<'_>) -> Poll<io::Result<Endpoint>> {
        if let Stage::Looking(lookup) = &mut self.stage {
            let addrs = ready!(Pin::new(lookup).poll(cx))?;
            self.enter(addrs);
        }
        if let Stage::Failed(error) = mem::replace(&mut self.stage, Stage::Running) {
            return Poll::Ready(Err(error));
        }
        // Each turn of this loop takes an address off the list.
        loop {
            if let Some(socket) = self.poll_running(cx) {
                return Poll::Ready(Ok(socket));
            }
            if self.waiting.is_empty() {
                if self.running.is_empty() {
                    let failures = mem::take(&mut self.failures);
                    return Poll::Ready(Err(ConnectError::all(failures)));
                }
                return Poll::Pending;
            }
            if !self.is_next_due {
                ready!(delay.poll_elapsed(cx));
            }
            ready!(poll_spend(cx));
            self.start_next(delay);
        }
    }

    /// Begins with the next address, at its first poll.
    fn start_next(&mut self, delay: Pin<&Sleep>) {
        let Some(addr) = self.waiting.pop_front() else {
            return;
        };
        let attempt = Box::pin(Attempt::new(self.location));
        self.running.push(Runner { addr, attempt });
        self.is_next_due = false;
        if self.waiting.is_empty() {
            delay.disarm();
        } else {
            delay.restart(self.options.attempt_delay);
        }
    }

    /// Looks at every attempt; the first that is connected wins, and the others are closed.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<Endpoint> {
        let mut index = 0;
        while index < self.running.len() {
            let Runner { addr, attempt } = &mut self.running[index];
            let (addr, local) = (*addr, self.options.local_for(*addr));
            match attempt.as_mut().poll(cx, || begin(addr, local)) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(socket)) => {
                    self.running.clear();
                    return Some(socket);
                }
                Poll::Ready(Err(error)) => {
                    self.running.remove(index);
                    self.failures.push((addr, error));
                    // The last one that was begun stands last.
                    self.is_next_due |= index == self.running.len();
                }
            }
        }
        None
    }

    /// The time is up: nothing goes on.
    fn time_out(&mut self) -> io::Error {
        let is_looking = matches!(self.stage, Stage::Looking(_));
        self.stage = Stage::Running;
        let running = mem::take(&mut self.running);
        let mut unfinished: Vec<SocketAddr> = running.iter().map(|it| it.addr).collect();
        unfinished.extend(mem::take(&mut self.waiting));
        let failures = mem::take(&mut self.failures);
        ConnectError::timeout(failures, unfinished, is_looking)
    }
}

impl fmt::Debug for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        let running: Vec<SocketAddr> = field.running.iter().map(|it| it.addr).collect();
        let mut shown = f.debug_struct("Race");
        if let Stage::Looking(lookup) = &field.stage {
            shown.field("lookup", lookup);
        }
        shown
            .field("running", &running)
            .field("waiting", &field.waiting)
            .field("failures", &field.failures)
            .finish()
    }
}
