//! What a server's future, its connections and its handles share.
//!
//! *Model.* Handles write orders and ring; the server's future, in its own polls, does what they say. Nothing
//! is dropped and nothing of the user's runs inside a verb, but for the wakers of those who wait for the
//! draining token.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::sync::Notify;

/// How a server fares, in numbers.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) connections: Cell<usize>,
    pub(super) accepted: Cell<u64>,
    pub(super) refused: Cell<u64>,
    pub(super) failed: Cell<u64>,
    pub(super) cut: Cell<u64>,
}

fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

pub(super) struct Shared {
    pub(super) counts: Counts,
    /// What each connection gets.
    pub(super) draining: CancelToken,
    /// Cancelled when the server has ended.
    pub(super) closed: CancelToken,
    /// Rings for the server's future: an order, or a connection that has ended.
    pub(super) news: Notify,
    is_stopping: Cell<bool>,
    is_aborted: Cell<bool>,
    /// How much time is left, until the server's future takes note of it.
    limit: Cell<Option<Duration>>,
    /// Why the last listener was given up, if the server ends for that.
    error: RefCell<Option<io::Error>>,
}

impl Shared {
    #[track_caller]
    pub(super) fn new() -> Rc<Shared> {
        Rc::new(Shared {
            counts: Counts::default(),
            draining: CancelToken::new(),
            closed: CancelToken::new(),
            news: Notify::new(),
            is_stopping: Cell::new(false),
            is_aborted: Cell::new(false),
            limit: Cell::new(None),
            error: RefCell::new(None),
        })
    }

    pub(super) fn is_accepting(&self) -> bool {
        !self.is_stopping.get() && !self.closed.is_cancelled()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted.get()
    }

    pub(super) fn take_limit(&self) -> Option<Duration> {
        self.limit.take()
    }

    pub(super) fn stop(&self) {
        self.is_stopping.set(true);
        self.news.notify_one();
    }

    pub(super) fn drain(&self, limit: Duration) {
        self.limit.set(Some(limit));
        self.stop();
        self.draining.cancel_with("the server is draining");
    }

    pub(super) fn abort(&self) {
        self.is_aborted.set(true);
        self.stop();
    }

    /// No listener is left.
    pub(super) fn give_up(&self, error: io::Error) {
        *self.error.borrow_mut() = Some(error);
        self.is_stopping.set(true);
    }

    /// What the server ended with: the error's number, or else its kind.
    pub(super) fn result(&self) -> io::Result<()> {
        match &*self.error.borrow() {
            None => Ok(()),
            Some(error) => Err(match error.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => error.kind().into(),
            }),
        }
    }
}

/// The server's future, or its builder, lives: whichever way it goes, the server has ended then.
pub(super) struct Alive(pub(super) Rc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.is_stopping.set(true);
        self.0.closed.cancel_with("the server has ended");
    }
}

/// A connection lives.
pub(super) struct Seat {
    shared: Rc<Shared>,
    has_ended: bool,
}

impl Seat {
    pub(super) fn take(shared: &Rc<Shared>) -> Seat {
        let counts = &shared.counts;
        counts.connections.set(counts.connections.get() + 1);
        add(&counts.accepted);
        Seat {
            shared: Rc::clone(shared),
            has_ended: false,
        }
    }

    /// Its function has returned, or panicked.
    pub(super) fn end(&mut self, has_failed: bool) {
        self.has_ended = true;
        if has_failed {
            add(&self.shared.counts.failed);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let counts = &self.shared.counts;
        counts.connections.set(counts.connections.get() - 1);
        if !self.has_ended {
            add(&counts.cut);
        }
        self.shared.news.notify_one();
    }
}
