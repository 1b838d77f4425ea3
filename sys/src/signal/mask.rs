//! `SignalSet`: signals by their numbers; `Blocked`: a thread on which they wait.
//!
//! *Model.* Each thread has a mask. A signal for the process goes to a thread that lets it come; if none does, it is *pending*
//! until one does, or somebody reads it. A new thread begins with the mask of the one that started it. Children that
//! [`child`](crate::child) starts begin with an empty one.
//!
//! # Invariants
//!
//! - **MASK-1** A `sigset_t` is emptied by the system before anything else is done with it.
#![expect(unsafe_code, reason = "pthread_sigmask has no safe form")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::zeroed;
use std::ptr::null_mut;

use super::Signal;
use super::handler::NUMBER_MAX;

/// A set of signals.
///
/// ```
/// use mainspring_sys::signal::{Signal, SignalSet};
/// let set: SignalSet = [Signal::INT, Signal::TERM].into_iter().collect();
/// assert!(set.contains(Signal::INT) && !set.contains(Signal::HUP));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    #[must_use]
    pub const fn new() -> SignalSet {
        SignalSet(0)
    }

    /// Every signal that can be blocked.
    #[must_use]
    pub const fn all() -> SignalSet {
        SignalSet(!0)
    }

    /// The set with this one, too. A number that is none changes nothing.
    #[must_use]
    pub const fn with(self, signal: Signal) -> SignalSet {
        SignalSet(self.0 | bit(signal))
    }

    /// The set without this one.
    #[must_use]
    pub const fn without(self, signal: Signal) -> SignalSet {
        SignalSet(self.0 & !bit(signal))
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & bit(signal) != 0
    }

    /// Whether there is none in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its signals, the lowest number first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=NUMBER_MAX)
            .map(Signal::from_number)
            .filter(move |signal| self.contains(*signal))
    }

    /// Blocks its signals on this thread until the guard is dropped; but never those that cannot be blocked, or say that the
    /// program went wrong.
    #[must_use = "they are blocked until the guard is dropped"]
    pub fn block(self) -> Blocked {
        let set = self.to_system();
        // SAFETY: MASK-1; both sets are ours and live through the call.
        let before = unsafe {
            let mut before: libc::sigset_t = zeroed();
            libc::sigemptyset(&mut before);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before);
            SignalSet::from_system(&before)
        };
        Blocked {
            added: SignalSet(self.0 & !before.0),
            _thread: PhantomData,
        }
    }

    /// Blocks its signals on this thread for as long as the thread lives.
    pub fn block_for_good(self) {
        std::mem::forget(self.block());
    }

    /// What is blocked on this thread.
    #[must_use]
    pub fn blocked() -> SignalSet {
        // SAFETY: MASK-1; a null set only asks.
        unsafe {
            let mut now: libc::sigset_t = zeroed();
            libc::sigemptyset(&mut now);
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut now);
            SignalSet::from_system(&now)
        }
    }

    pub(super) fn to_system(self) -> libc::sigset_t {
        // SAFETY: MASK-1; a number that the system does not know is refused by the call.
        unsafe {
            let mut set: libc::sigset_t = zeroed();
            libc::sigemptyset(&mut set);
            for signal in self.iter().filter(|signal| !is_fault(*signal)) {
                libc::sigaddset(&mut set, signal.number());
            }
            set
        }
    }

    pub(super) fn from_system(set: &libc::sigset_t) -> SignalSet {
        let is_in = |signal: &Signal| {
            // SAFETY: a set that the system filled; a number that it does not know is none of it.
            unsafe { libc::sigismember(set, signal.number()) == 1 }
        };
        SignalSet::all().iter().filter(is_in).collect()
    }
}

/// A thread that made the fault would make it again, and again; the system ends the program instead.
fn is_fault(signal: Signal) -> bool {
    let faults = [
        Signal::SEGV,
        Signal::BUS,
        Signal::ILL,
        Signal::FPE,
        Signal::TRAP,
        Signal::SYS,
    ];
    faults.contains(&signal)
}

const fn bit(signal: Signal) -> u64 {
    let number = signal.number();
    if number < 1 || number > NUMBER_MAX {
        return 0;
    }
    1 << (number - 1)
}

impl From<Signal> for SignalSet {
    fn from(signal: Signal) -> SignalSet {
        SignalSet::new().with(signal)
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> SignalSet {
        let signals = signals.into_iter();
        signals.fold(SignalSet::new(), SignalSet::with)
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|signal| signal.to_string()))
            .finish()
    }
}

/// Signals that are blocked on this thread while it lives. Those that were blocked before stay so afterwards; what came
/// meanwhile, and nobody took, is delivered when it is dropped.
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<mainspring_sys::signal::Blocked>();
/// ```
#[derive(Debug)]
pub struct Blocked {
    /// Those that were not blocked before.
    added: SignalSet,
    _thread: PhantomData<*const ()>,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let set = self.added.to_system();
        // SAFETY: MASK-1; it is the thread on which they were blocked.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut()) };
    }
}
