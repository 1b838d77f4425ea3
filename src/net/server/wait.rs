//! Waits for the end of a server: `Drain`, `ServerClosed`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::shared::Shared;
use crate::cancel::Cancelled;
use crate::pin::pinned;

/// How a drain came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainEnd {
    /// Every connection came to its own end.
    Complete,
    /// The time was over, or the server was aborted or dropped: so many connections were dropped.
    Cut(u64),
}

/// Waits for the end of a drain. Made by [`ServerHandle::drain`](super::ServerHandle::drain).
///
/// # Cancel safety
/// Safe: the drain goes on, with its deadline.
#[must_use = "the drain goes on, but nobody waits for its end"]
pub struct Drain {
    closed: Cancelled,
    shared: Rc<Shared>,
}

impl Drain {
    #[track_caller]
    pub(super) fn new(shared: Rc<Shared>) -> Drain {
        Drain {
            closed: shared.closed.cancelled(),
            shared,
        }
    }
}

impl Future for Drain {
    type Output = DrainEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<DrainEnd> {
        ready!(pinned!(self.as_ref(), closed).poll_cancelled(cx));
        Poll::Ready(match self.shared.counts.cut.get() {
            0 => DrainEnd::Complete,
            count => DrainEnd::Cut(count),
        })
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}

/// Waits for the end of a server. Made by [`ServerHandle::closed`](super::ServerHandle::closed).
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ServerClosed {
    closed: Cancelled,
    shared: Rc<Shared>,
}

impl ServerClosed {
    #[track_caller]
    pub(super) fn new(shared: Rc<Shared>) -> ServerClosed {
        ServerClosed {
            closed: shared.closed.cancelled(),
            shared,
        }
    }
}

impl Future for ServerClosed {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(pinned!(self.as_ref(), closed).poll_cancelled(cx));
        Poll::Ready(self.shared.result())
    }
}

impl fmt::Debug for ServerClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerClosed").finish_non_exhaustive()
    }
}
