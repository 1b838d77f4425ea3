//! `Gate`: lets in until it is closed, and then waits for those inside.
//!
//! *Model.*
//!
//! ```text
//!   open ── enter ──► a pass for each inside          close ──► nobody enters any more
//!                        │ dropped                                  │ waits
//!                        └──────── the last one ────────────────────┴──► done
//! ```
//!
//! Nothing opens a closed gate again.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::line::{Line, Place, Who, serve_all};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

/// Lets in until it is closed: for a server that takes no new requests and awaits those under way. A clone is
/// the same gate.
///
/// ```
/// use mainspring::sync::Gate;
/// # mainspring::run(async {
/// let gate = Gate::new();
/// let pass = gate.enter().unwrap();
/// let request = mainspring::spawn(async move {
///     mainspring::yield_now().await;
///     drop(pass);
/// });
/// let closed = gate.close();
/// assert!(gate.enter().is_err());
/// closed.await;
/// assert!(request.is_finished());
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// send(mainspring::sync::Gate::new());
/// ```
#[derive(Clone)]
pub struct Gate(Rc<Shared>);

/// What the clones of a gate and its passes share.
struct Shared {
    inside: Cell<usize>,
    inside_peak: Cell<usize>,
    is_closed: Cell<bool>,
    last_user: Cell<Who>,
    waiters: WaitQueue<()>,
    tag: Tag,
}

impl Gate {
    /// A gate that is open.
    #[must_use]
    #[track_caller]
    pub fn new() -> Gate {
        Gate(Rc::new(Shared {
            inside: Cell::new(0),
            inside_peak: Cell::new(0),
            is_closed: Cell::new(false),
            last_user: Cell::new(Who::default()),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }))
    }

    /// Goes in, until the pass is dropped. It never waits.
    ///
    /// # Errors
    /// If the gate is closed.
    pub fn enter(&self) -> Result<Pass, GateClosed> {
        let shared = &self.0;
        if shared.is_closed.get() {
            return Err(GateClosed);
        }
        let inside = shared.inside.get() + 1;
        shared.inside.set(inside);
        shared.inside_peak.set(shared.inside_peak.get().max(inside));
        shared.last_user.set(Who::is_polled_now());
        Ok(Pass(Rc::clone(shared)))
    }

    /// Closes the gate, now, and waits until nobody is inside. It may be called again, to wait once more.
    ///
    /// A task that waits here with a pass of its own waits for itself.
    ///
    /// # Cancel safety
    /// Safe: the gate stays closed.
    #[track_caller]
    pub fn close(&self) -> GateClose {
        self.0.is_closed.set(true);
        GateClose {
            place: Place::new(Rc::clone(&self.0), (), Kind::Gate, Location::caller()),
        }
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.0.inside.get()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> GateStatistics {
        GateStatistics {
            inside: self.0.inside.get(),
            inside_peak: self.0.inside_peak.get(),
            is_closed: self.0.is_closed.get(),
            waiters: self.0.waiters.count(),
        }
    }
}

impl Line for Shared {
    type Handed = ();
    type Request = ();

    fn waiters(&self) -> &WaitQueue<()> {
        &self.waiters
    }

    fn has(&self, (): ()) -> bool {
        self.inside.get() == 0
    }

    fn take(&self, (): ()) {}

    fn serve(&self) -> bool {
        serve_all(self)
    }

    fn word(&self) -> u64 {
        let word = self.tag.number();
        if self.last_user.get().task != 0 {
            self.tag
                .set_peer(Peer::last_seen(self.last_user.get().task));
        }
        word
    }
}

impl Default for Gate {
    #[track_caller]
    fn default() -> Gate {
        Gate::new()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("inside", &self.0.inside.get())
            .field("is_closed", &self.0.is_closed.get())
            .finish()
    }
}

/// Whoever has it is inside the [`Gate`]; dropping it is to leave.
#[must_use = "dropping it is to leave"]
pub struct Pass(Rc<Shared>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get() - 1);
        self.0.serve();
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

/// The gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateClosed;

impl fmt::Display for GateClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gate is closed")
    }
}

impl std::error::Error for GateClosed {}

/// What [`Gate::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateStatistics {
    /// How many are inside.
    pub inside: usize,
    /// How many were inside at a time, at most.
    pub inside_peak: usize,
    /// Whether it is closed.
    pub is_closed: bool,
    /// How many wait for those inside.
    pub waiters: usize,
}

/// Waits until nobody is inside. Made by [`Gate::close`].
///
/// # Cancel safety
/// Safe: the gate stays closed.
#[must_use = "the gate is closed; to wait for those inside, `.await` it"]
pub struct GateClose {
    place: Place<Rc<Shared>>,
}

impl Future for GateClose {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        pinned!(self.as_ref(), place).poll(cx)
    }
}

impl fmt::Debug for GateClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateClose")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
