//! Atomics, locks, cells and thread-locals, under one name for real builds and for loom models.
//!
//! *Role.* Everything in [`crate::task`], [`crate::pool`], [`crate::channel`] and [`crate::handle`] that more than one
//! thread can touch is built from these names, so that the loom models (`models.rs` in each of them) run the shipped
//! types and not a copy. Under `--cfg mainspring_loom` they are loom's; else they are std's and cost nothing.
//! For ThreadSanitizer, the locks are std's with a word each (`ordered.rs`).

#[cfg(mainspring_tsan)]
mod ordered;

use std::sync::PoisonError;

pub(crate) use imp::*;

/// Locks `mutex`. No user code runs under our locks, so none is ever poisoned.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(mainspring_loom))]
mod imp {
    pub(crate) use std::cell::Cell;
    pub(crate) use std::sync::OnceLock;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32};
    #[cfg(not(mainspring_tsan))]
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

    #[cfg(mainspring_tsan)]
    pub(crate) use super::ordered::{Condvar, Mutex, MutexGuard, wait_timeout_while};
    pub(crate) use mainspring_sys::thread::start as start_thread;

    /// Waits for as long as `is_waiting`, but no longer than `limit`.
    #[cfg(not(mainspring_tsan))]
    pub(crate) fn wait_timeout_while<'a, T>(
        _mutex: &'a Mutex<T>,
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        limit: std::time::Duration,
        is_waiting: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        condvar
            .wait_timeout_while(guard, limit, is_waiting)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .0
    }

    /// What rings a sleeping loop: the selector's notifier.
    pub(crate) use mainspring_sys::notify::Notifier as Bell;

    /// The bell of a loop that sleeps in a selector.
    pub(crate) fn bell(notifier: mainspring_sys::notify::Notifier) -> Bell {
        notifier
    }

    /// A thread-local without a destructor, so that it works until the thread's very end (hz_a34).
    macro_rules! thread_word {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
            std::thread_local! { $(#[$meta])* static $name: $type = const { $init } }
        };
    }
    pub(crate) use thread_word;
}

#[cfg(mainspring_loom)]
mod imp {
    use std::sync::atomic::Ordering::{Acquire, Release};

    use std::sync::PoisonError;
    use std::time::Duration;

    pub(crate) use loom::cell::Cell;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

    /// A model's threads have neither names nor stacks, and there are always more.
    pub(crate) fn start_thread(
        _name: String,
        _stack_size: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        drop(loom::thread::spawn(body));
        Ok(())
    }

    /// loom's waits never time out. A limit of zero is one that is over at once, in the worst way: the
    /// lock is let go, anybody may come in between, and then the time is up. Any other is for ever.
    pub(crate) fn wait_timeout_while<'a, T>(
        mutex: &'a Mutex<T>,
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
        mut is_waiting: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        if limit.is_zero() {
            drop(guard);
            return super::lock(mutex);
        }
        while is_waiting(&mut guard) {
            guard = condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        guard
    }

    /// loom has none. This one promises what std's does and no more: who is not ordered behind the
    /// `set` by something else may find nothing.
    pub(crate) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        is_set: AtomicBool,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> OnceLock<T> {
            OnceLock {
                value: std::sync::OnceLock::new(),
                is_set: AtomicBool::new(false),
            }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.is_set.store(true, Release);
            Ok(())
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.value.get().filter(|_| self.is_set.load(Acquire))
        }
    }

    /// loom's stand-in for a notifier: a binary event that a model's loop waits on.
    #[derive(Clone, Debug)]
    pub(crate) struct Bell(loom::sync::Arc<Event>);

    #[derive(Debug)]
    struct Event {
        notify: loom::sync::Notify,
        /// std's, so that counting makes no interleavings and orders nothing.
        rings: std::sync::atomic::AtomicU32,
    }

    /// A model has no selector, so the library compiles with a bell that nobody waits on.
    pub(crate) fn bell(_: mainspring_sys::notify::Notifier) -> Bell {
        Bell::new()
    }

    impl Bell {
        pub(crate) fn new() -> Bell {
            let (notify, rings) = (loom::sync::Notify::new(), 0.into());
            Bell(loom::sync::Arc::new(Event { notify, rings }))
        }

        pub(crate) fn notify(&self) -> std::io::Result<()> {
            self.0
                .rings
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.notify.notify();
            Ok(())
        }

        /// How often it was rung.
        #[cfg(test)]
        pub(crate) fn rings(&self) -> u32 {
            self.0.rings.load(std::sync::atomic::Ordering::Relaxed)
        }

        /// The model's `wait`: returns after at least one `notify`.
        #[cfg(test)]
        pub(crate) fn wait(&self) {
            self.0.notify.wait();
        }
    }

    macro_rules! thread_word {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
            loom::thread_local! { $(#[$meta])* static $name: $type = $init }
        };
    }
    pub(crate) use thread_word;
}
