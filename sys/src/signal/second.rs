//! `SecondEnds`: a signal asks the first time, and ends the process the second time.
//!
//! *Why in the handler.* Whoever types ^C twice means it: the loop may be stuck in a function of the program's that never
//! returns, and nothing but the handler runs then.

use std::sync::{Mutex, PoisonError};

use super::handler::{SLOTS, set_fatal_from};
use super::{Signal, count};

/// How many want it, of each signal.
static ARMED: Mutex<[usize; SLOTS]> = Mutex::new([0; SLOTS]);

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
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(armed) = at(&mut armed, signal) {
            *armed += 1;
            if *armed == 1 {
                set_fatal_from(signal, Some((first + 1).max(count(signal))));
            }
        }
        SecondEnds { signal }
    }
}

impl Drop for SecondEnds {
    fn drop(&mut self) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(armed) = at(&mut armed, self.signal) {
            *armed -= 1;
            if *armed == 0 {
                set_fatal_from(self.signal, None);
            }
        }
    }
}

fn at(armed: &mut [usize; SLOTS], signal: Signal) -> Option<&mut usize> {
    armed.get_mut(usize::try_from(signal.number()).ok()?)
}
