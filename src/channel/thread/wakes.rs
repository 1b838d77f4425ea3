//! Wakers that came out from under a lock, and are called or dropped when it is free.
//!
//! *Role.* A waker may be a stranger's: it may panic, or use the very channel that wakes it.

use std::task::Waker;

use crate::task::failure;
use crate::task::raw::waker_wake;

/// Wakers to be called when the lock is free.
#[must_use]
#[derive(Default)]
pub(super) struct Wakes {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakes {
    pub(super) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }

    /// A waker that panics is none of the caller's business, and keeps nobody else asleep.
    pub(super) fn wake(self) {
        if let Some(first) = self.first {
            waker_wake(first);
        }
        self.rest.into_iter().for_each(waker_wake);
    }
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker_wake(waker);
    }
}

pub(super) fn drop_waker(waker: Option<Waker>) {
    if let Some(waker) = waker {
        failure::contain("a waker, as it was dropped,", || drop(waker));
    }
}
