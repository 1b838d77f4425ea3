//! `Worker`: what one of several loops knows of itself and of the others.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::channel::thread::FarSender;
use crate::handle::Handle;
use crate::net::TcpListener;

/// Asks a worker to end.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// After which its future is dropped.
    pub(super) limit: Duration,
    pub(super) reason: String,
}

/// All workers, as each of them knows the others.
pub(super) struct Peers {
    pub(super) handles: Vec<Handle>,
    pub(super) controls: Vec<FarSender<Stop>>,
}

impl Peers {
    /// Asks all to end. Who has ended already is not there to hear it.
    pub(super) fn stop_all(&self, stop: &Stop) {
        for control in &self.controls {
            let _ = control.try_send(stop.clone());
        }
    }
}

/// One of several loops. It stays on its thread; a clone is the same worker.
#[derive(Clone)]
pub struct Worker(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) index: usize,
    pub(super) peers: Arc<Peers>,
    pub(super) stopping: CancelToken,
    pub(super) processor: Option<usize>,
    pub(super) listeners: RefCell<Vec<TcpListener>>,
}

impl Worker {
    /// Which one it is, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.peers.handles.len()
    }

    /// The loops, by index, its own among them: whatever may be sent to a loop from elsewhere may be sent to
    /// them. Because they know each other, none of them ever takes itself for deadlocked.
    #[must_use]
    pub fn handles(&self) -> &[Handle] {
        &self.0.peers.handles
    }

    /// The processor that its thread is held on; `None`, if on none.
    #[must_use]
    pub fn processor(&self) -> Option<usize> {
        self.0.processor
    }

    /// Its listeners, one for each address of [`Workers::listen`](super::Workers::listen), in that order. They are given
    /// out once; then there are none.
    #[must_use]
    pub fn take_listeners(&self) -> Vec<TcpListener> {
        self.0.listeners.take()
    }

    /// Cancelled when this worker is to end: somebody called [`Worker::stop_all`], or another one failed.
    #[must_use]
    pub fn stopping(&self) -> CancelToken {
        self.0.stopping.clone()
    }

    /// Asks all workers, this one too, to end: their tokens are cancelled, and those that have not ended after
    /// `limit` are cut. Called again, the earlier end counts.
    ///
    /// It returns at once: a worker hears of it when its loop next looks.
    pub fn stop_all(&self, limit: Duration) {
        self.0.peers.stop_all(&Stop {
            limit,
            reason: format!("worker {} stopped all", self.0.index),
        });
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index())
            .field("count", &self.count())
            .field("processor", &self.processor())
            .finish_non_exhaustive()
    }
}
