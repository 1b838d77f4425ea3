//! `PerProcess`: a value of which each process has its own, so that no thread of the parent's can keep the child from it.
//!
//! *Why.* A fork copies one thread, and every lock as it is. What another thread held is held in the child for ever, by nobody:
//! whoever waits for it there hangs. So locks that belong to the whole program stand in a `PerProcess`, and the child of a fork
//! begins with new ones.
//!
//! *Model.* The value is made by whoever asks first; he who finds one of another generation makes a new one, and is shown the old.
//!
//! ```text
//!   get ──► slot of this generation? ── yes ──► its value
//!                   │ no: there is none, or it is the parent's
//!                   └──► make(the parent's) ──► new slot, the first wins ──► its value
//! ```
//!
//! What is behind a lock that is free at the fork is whole, and `make` may take it over (`try_lock`); what is behind one that
//! is held may be half changed, and cannot be reached.
//!
//! *Cost.* Two loads. In a child an allocation, and the parent's value stays where it is: as many as there are forks in the line of
//! a process, and not in the number of its children.
//!
//! *Why not take all locks before a fork* (`pthread_atfork` has a handler for that). A lock that is held while a thread reads from
//! a terminal would hold up the fork, and one that is held by the thread that forks would do so for ever. Nor can a handler
//! in the child make a lock anew where it is: whoever borrows it would not know.
//!
//! # Invariants
//!
//! - **PER-1** A slot that was published is never freed and never changed: a reference to its value is good for ever.
#![expect(unsafe_code, reason = "slots that are published once")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{generation, watch};

/// A value of which each process has its own: the child of a fork makes another, which no thread of the parent's can keep it from.
///
/// ```
/// use mainspring_sys::fork::PerProcess;
/// use std::sync::Mutex;
/// static NAMES: PerProcess<Mutex<Vec<String>>> = PerProcess::new(|_parent| Mutex::default());
/// NAMES.lock().push("tick".into());
/// assert_eq!(NAMES.lock().len(), 1);
/// ```
#[derive(Debug)]
pub struct PerProcess<T: 'static> {
    slot: AtomicPtr<Slot<T>>,
    make: fn(Option<&T>) -> T,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: T,
    /// So that it is not lost to those who look for leaks.
    _parent: *const Slot<T>,
}

impl<T: Send + Sync> PerProcess<T> {
    /// A value that `make` makes as somebody first asks for it; in the child of a fork it is shown the parent's.
    #[must_use]
    pub const fn new(make: fn(Option<&T>) -> T) -> PerProcess<T> {
        PerProcess {
            slot: AtomicPtr::new(ptr::null_mut()),
            make,
        }
    }

    /// This process's own.
    pub fn get(&'static self) -> &'static T {
        let slot = self.slot.load(Acquire);
        // SAFETY: null, or published; PER-1.
        match unsafe { slot.as_ref() } {
            Some(slot) if slot.generation == generation() => &slot.value,
            _ => self.renew(slot),
        }
    }

    #[cold]
    fn renew(&'static self, mut seen: *mut Slot<T>) -> &'static T {
        watch();
        loop {
            // SAFETY: null, or published; PER-1.
            let parent = unsafe { seen.as_ref() };
            match parent {
                Some(slot) if slot.generation == generation() => return &slot.value,
                _ => {}
            }
            let new = Box::into_raw(Box::new(Slot {
                generation: generation(),
                value: (self.make)(parent.map(|slot| &slot.value)),
                _parent: seen,
            }));
            match self.slot.compare_exchange(seen, new, AcqRel, Acquire) {
                // SAFETY: published just now; PER-1.
                Ok(_) => return unsafe { &(*new).value },
                Err(now) => {
                    // SAFETY: it came from a box, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(new) });
                    seen = now;
                }
            }
        }
    }
}

impl<T: Send> PerProcess<Mutex<T>> {
    /// Locks this process's own. That somebody panicked under the lock is nothing to his successors.
    pub fn lock(&'static self) -> MutexGuard<'static, T> {
        self.get().lock().unwrap_or_else(PoisonError::into_inner)
    }
}
