//! std's lock and condition variable, each with a word that says their order aloud.
//!
//! *Role.* For `make tsan` alone (`--cfg mainspring_tsan`). ThreadSanitizer sees what is compiled with it. A
//! contended lock, an unlock that wakes somebody and a wait lie in std, which came compiled: what they order
//! looks like a race to it. So each lock here writes a word before it is given up and reads it when it is
//! there. That is the lock's own order once more and no other, so a race beside the lock is still seen.
//!
//! ```text
//!     thread A: ... writes what is locked ── word += 1, Release ── unlock
//!     thread B:                                                      lock ── reads the word, Acquire ── ...
//! ```

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

/// What was locked so often, for the sanitizer.
#[derive(Debug, Default)]
struct Order(AtomicU32);

impl Order {
    /// The lock is there.
    fn begin(&self) {
        self.0.load(Acquire);
    }

    /// It is about to go. A read-modify-write, so that who comes later is behind all who were there.
    fn end(&self) {
        self.0.fetch_add(1, Release);
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    order: Order,
    inner: std::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex {
            order: Order::default(),
            inner: std::sync::Mutex::new(value),
        }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard::new(inner, &self.order))
    }
}

/// A lock, until it is dropped.
pub(crate) struct MutexGuard<'a, T> {
    /// Empty only while a condition variable has it.
    inner: Option<std::sync::MutexGuard<'a, T>>,
    order: &'a Order,
}

impl<'a, T> MutexGuard<'a, T> {
    fn new(inner: std::sync::MutexGuard<'a, T>, order: &'a Order) -> MutexGuard<'a, T> {
        order.begin();
        let inner = Some(inner);
        MutexGuard { inner, order }
    }

    /// For a condition variable, which gives the lock up.
    fn give_up(mut self) -> (std::sync::MutexGuard<'a, T>, &'a Order) {
        let inner = self.inner.take().expect("nobody else took it");
        self.order.end();
        (inner, self.order)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("the lock is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("the lock is held")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.order.end();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar::default()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let (inner, order) = guard.give_up();
        let inner = self.0.wait(inner).unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard::new(inner, order))
    }
}

/// Waits for as long as `is_waiting`, but no longer than `limit`.
pub(crate) fn wait_timeout_while<'a, T>(
    _mutex: &'a Mutex<T>,
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Duration,
    mut is_waiting: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    let (inner, order) = guard.give_up();
    let waited = condvar.0.wait_timeout_while(inner, limit, |value| {
        order.begin();
        let is_waiting = is_waiting(value);
        order.end();
        is_waiting
    });
    let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
    MutexGuard::new(inner, order)
}
