//! `Epochs`: when what is noted by number happened, as closely as the clock was read.
//!
//! *Role.* A wait node notes a number, because reading the clock at each wait would cost more than the wait.
//! The loop reads the clock now and then for its own ends; here is what it showed, so that a snapshot can
//! tell people since when a task waits.
//!
//! *Model.* A reading that is far enough from the last begins an epoch. Something of epoch 7 happened after
//! the reading that began epoch 7, and before the one that began epoch 8.
//!
//! ```text
//!   readings kept  ──┬────────┬────────┬──┬──┬──► now      far back every second one is dropped,
//!   epoch            0        4        6  7  8             and again, so that there are never many
//! ```
//!
//! *Cost.* A compare per reading of the clock. A loop keeps a kilobyte of them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use mainspring_sys::Instant;

use crate::shim;

/// Epochs of one loop: as many as it takes to tell seconds from hours.
const KEPT_MAX: usize = 64;
/// An epoch is at least so long: 49 days until its number comes again.
const EPOCH_NS: u64 = 1_000_000;

/// How long ago something was: between two bounds.
///
/// `Display` gives one length where the two are close; else the upper one, as in `<=1.2s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    at_least: Duration,
    at_most: Duration,
}

impl Age {
    /// It was no later than this long ago.
    #[must_use]
    pub fn at_least(self) -> Duration {
        self.at_least
    }

    /// It was no earlier than this long ago.
    #[must_use]
    pub fn at_most(self) -> Duration {
        self.at_most
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = self.at_most - self.at_least;
        let is_close = apart <= Duration::from_millis(2) || apart * 20 <= self.at_most;
        let sign = if is_close { "" } else { "<=" };
        f.pad(&format!("{sign}{}", Short(self.at_most)))
    }
}

/// A length of time in few signs: the unit's largest that fits, with one decimal at most.
pub(crate) struct Short(pub(crate) Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let (unit, name) = match ns {
            0 => return f.pad("0s"),
            1..1_000 => return f.pad(&format!("{ns}ns")),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let (whole, tenth) = (ns / unit, ns % unit * 10 / unit);
        if whole >= 100 || tenth == 0 {
            f.pad(&format!("{whole}{name}"))
        } else {
            f.pad(&format!("{whole}.{tenth}{name}"))
        }
    }
}

pub(crate) struct Epochs {
    /// Begins of epochs, oldest first; never empty.
    kept: RefCell<Vec<(u32, Instant)>>,
    last: Cell<Instant>,
}

impl Epochs {
    /// The loop is made: epoch 0 begins.
    pub(crate) fn new(now: Instant) -> Epochs {
        // A sleep must not allocate.
        let mut kept = Vec::with_capacity(KEPT_MAX);
        kept.push((0, now));
        Epochs {
            kept: RefCell::new(kept),
            last: Cell::new(now),
        }
    }

    /// The clock was read. Moves `epoch` on, if the last one is long enough.
    #[inline]
    pub(crate) fn note(&self, now: Instant, epoch: &shim::Cell<u32>) {
        if now.as_ns().wrapping_sub(self.last.get().as_ns()) >= EPOCH_NS {
            self.begin(now, epoch);
        }
    }

    #[cold]
    #[inline(never)]
    fn begin(&self, now: Instant, epoch: &shim::Cell<u32>) {
        if now < self.last.get() {
            return;
        }
        self.last.set(now);
        let number = epoch.get().wrapping_add(1);
        epoch.set(number);
        let mut kept = self.kept.borrow_mut();
        if kept.len() == KEPT_MAX {
            // The older half loses every second one, but not the first: the loop's own age.
            let mut index = 0;
            kept.retain(|_| {
                index += 1;
                index > KEPT_MAX / 2 || index % 2 == 1
            });
        }
        kept.push((number, now));
    }

    /// How long ago, at `now`, something of epoch `number` was; `current` is the epoch now.
    pub(crate) fn age_of(&self, number: u32, current: u32, now: Instant) -> Age {
        let distance = |number: u32| current.wrapping_sub(number);
        let kept = self.kept.borrow();
        let is_before = |kept: &&(u32, Instant)| distance(kept.0) >= distance(number);
        let before = kept.iter().rev().find(is_before).unwrap_or(&kept[0]);
        let after = kept.iter().find(|kept| !is_before(kept));
        Age {
            at_least: after.map_or(Duration::ZERO, |after| now - after.1),
            at_most: now - before.1,
        }
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_ns(ms * 1_000_000)
    }

    #[test]
    fn an_age_lies_between_the_readings_around_it() {
        let (epochs, epoch) = (Epochs::new(at_ms(0)), Cell::new(0));
        epochs.note(at_ms(10), &epoch);
        let noted = epoch.get();
        epochs.note(Instant::from_ns(10_999_999), &epoch);
        assert_eq!(epoch.get(), noted, "too close to the last");
        epochs.note(at_ms(12), &epoch);
        let age = epochs.age_of(noted, epoch.get(), at_ms(30));
        assert_eq!(age.at_most(), Duration::from_millis(20));
        assert_eq!(age.at_least(), Duration::from_millis(18));
        let newest = epochs.age_of(epoch.get(), epoch.get(), at_ms(30));
        assert_eq!(newest.at_least(), Duration::ZERO);
        assert_eq!(newest.to_string(), "<=18ms");
        assert_eq!(age.to_string(), "20ms");
    }

    #[test]
    fn however_many_readings_there_are_few_are_kept_and_no_bound_is_wrong() {
        let (epochs, epoch) = (Epochs::new(at_ms(0)), Cell::new(u32::MAX - 5000));
        epochs.kept.borrow_mut()[0].0 = epoch.get();
        let mut noted = Vec::new();
        for ms in 1..=10_000 {
            epochs.note(at_ms(ms), &epoch);
            noted.push((epoch.get(), ms));
        }
        assert!(epochs.kept.borrow().len() <= KEPT_MAX);
        for (number, ms) in noted {
            let age = epochs.age_of(number, epoch.get(), at_ms(10_000));
            let real = Duration::from_millis(10_000 - ms);
            assert!(
                age.at_least() <= real && real <= age.at_most(),
                "{ms}: {age:?}"
            );
            // What is recent is known well.
            assert!(ms < 9_990 || age.at_most() - age.at_least() <= Duration::from_millis(1));
        }
    }

    #[test]
    fn lengths_are_short() {
        let short = |ns| Short(Duration::from_nanos(ns)).to_string();
        assert_eq!(short(0), "0s");
        assert_eq!(short(999), "999ns");
        assert_eq!(short(1_500), "1.5us");
        assert_eq!(short(100_900_000), "100ms");
        assert_eq!(short(2_000_000_000), "2s");
        assert_eq!(short(12_345_000_000), "12.3s");
    }
}
