//! `SecondEnds`: a signal asks the first time, and ends the process the second time.
//!
//! *Why in the handler.* Whoever types ^C twice means it: the loop may be stuck in a function of the program's that never
//! returns, and nothing but the handler runs then.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::handler::{SLOTS, set_fatal_from};
use super::{Signal, count};
use crate::fork::PerProcess;

/// How many want it, of each signal. Changed under `CHANGING`.
static ARMED: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];

/// The child of a fork has another: a thread of the parent's may hold this one.
static CHANGING: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));

/// While it lives, the signal that somebody has heard once ends the process when it comes again: by the signal's own
/// default, so that whoever waits for the process sees why. Only while somebody listens to the signal. A handler that was
/// there before the listener is called first.
///
/// Where several live the first decides which signal is the second.
#[derive(Debug)]
pub struct SecondEnds {
    signal: Signal,
}

impl SecondEnds {
    /// The first signal is the one with number `first` in the order of coming ([`count`] as the listener came); from the
    /// next one on the process ends, but not by any that has come by now.
    #[must_use]
    pub fn new(signal: Signal, first: u64) -> SecondEnds {
        let _changing = CHANGING.lock();
        if let Some(armed) = armed(signal) {
            // Counted last, and below first: a child that was forked in between can begin anew.
            if armed.load(Relaxed) == 0 {
                set_fatal_from(signal, Some((first + 1).max(count(signal))));
            }
            armed.fetch_add(1, Relaxed);
        }
        SecondEnds { signal }
    }
}

impl Drop for SecondEnds {
    fn drop(&mut self) {
        let _changing = CHANGING.lock();
        if let Some(armed) = armed(self.signal) {
            if armed.fetch_sub(1, Relaxed) == 1 {
                set_fatal_from(self.signal, None);
            }
        }
    }
}

fn armed(signal: Signal) -> Option<&'static AtomicUsize> {
    ARMED.get(usize::try_from(signal.number()).ok()?)
}

/// As if this thread changed something.
#[cfg(test)]
pub(super) fn hold_changes() -> std::sync::MutexGuard<'static, ()> {
    CHANGING.lock()
}
