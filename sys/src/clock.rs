//! Clocks: the monotonic `Instant` that deadlines are made of, and where it is read.
//!
//! *Model.* An [`Instant`] is a `u64` of nanoseconds on the system's monotonic clock, 8 bytes and
//! `Copy`; 2^64 ns are 584 years of uptime, so no arithmetic here can panic: it saturates, and
//! [`Instant::FAR_FUTURE`] means never. The clock is `CLOCK_MONOTONIC`, the same as std's except on
//! macOS, where std reads `CLOCK_UPTIME_RAW`. It does not run while the machine is suspended on
//! Linux and macOS; on OpenBSD it does. After a suspend, timers that came due fire once each, in
//! order.
//!
//! *Cost.* One vDSO call (about 22 ns on Linux) per reading; the loop reads once per turn.
//!
//! *Why not `std::time::Instant`.* It cannot be made by hand (a manual clock must), cannot saturate,
//! takes 16 bytes in each timer, and its clock differs per system.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the monotonic clock, in nanoseconds since an origin fixed by the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ORIGIN: Instant = Instant(0);
    /// A point that no clock reaches: as a deadline it means never.
    pub const FAR_FUTURE: Instant = Instant(u64::MAX);

    /// The point `ns` nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Instant {
        Instant(ns)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point, `duration` later; [`Instant::FAR_FUTURE`] where that does not fit.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration_ns(duration)))
    }
}

/// A duration in whole nanoseconds, cut at `u64::MAX` (584 years).
#[must_use]
#[inline]
pub const fn duration_ns(duration: Duration) -> u64 {
    // Without `as_nanos`, whose 128 bits cost a sleep twice as many instructions.
    match duration.as_secs().checked_mul(1_000_000_000) {
        Some(ns) => ns.saturating_add(duration.subsec_nanos() as u64),
        None => u64::MAX,
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::FAR_FUTURE`].
    fn add(self, duration: Duration) -> Instant {
        self.saturating_add(duration)
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    /// Zero if `earlier` is not earlier.
    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// How long a `wait` may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Not at all: report what is there.
    Now,
    /// Until `at`. `now` is the caller's reading of the clock, so that `wait` needs none of its
    /// own; a deadline that has passed is as good as [`Deadline::Now`].
    At {
        /// When to return at the latest.
        at: Instant,
        /// What the clock said when the caller decided to wait.
        now: Instant,
    },
    /// Until something happens.
    Never,
}

/// Where a loop reads the time: the system's clock or, under feature `sim`, one that tests move.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    #[default]
    Monotonic,
    /// A clock that stands still until somebody advances it.
    #[cfg(feature = "sim")]
    Manual(ManualClock),
}

impl Clock {
    /// Reads the clock.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Instant {
        match self {
            Clock::Monotonic => monotonic_now(),
            #[cfg(feature = "sim")]
            Clock::Manual(clock) => clock.now(),
        }
    }

    /// The manual clock, if it is one.
    #[must_use]
    #[cfg(feature = "sim")]
    pub fn as_manual(&self) -> Option<&ManualClock> {
        match self {
            Clock::Monotonic => None,
            Clock::Manual(clock) => Some(clock),
        }
    }
}

fn monotonic_now() -> Instant {
    crate::fault::count(crate::fault::Call::ClockGet);
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The monotonic clock is never negative, and 2^64 ns outlast the machine.
    Instant(
        (time.tv_sec as u64)
            .wrapping_mul(1_000_000_000)
            .wrapping_add(time.tv_nsec as u64),
    )
}

/// A clock for tests: it moves only when told to. Clones share the one time.
#[cfg(feature = "sim")]
#[derive(Clone, Debug)]
pub struct ManualClock(std::rc::Rc<std::cell::Cell<u64>>);

#[cfg(feature = "sim")]
impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: Instant) -> ManualClock {
        ManualClock(std::rc::Rc::new(std::cell::Cell::new(start.as_ns())))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(self.0.get())
    }

    /// Moves it by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.0
            .set(self.0.get().saturating_add(duration_ns(duration)));
    }

    /// Sets it, also backwards: real clocks have done that too (hz_b12).
    pub fn set(&self, instant: Instant) {
        self.0.set(instant.as_ns());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_never_panics() {
        let end = Instant::FAR_FUTURE;
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(Instant::ORIGIN + Duration::MAX, end);
        assert_eq!(Instant::ORIGIN - end, Duration::ZERO);
        assert_eq!(end - Instant::ORIGIN, Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn the_monotonic_clock_does_not_step_back() {
        let clock = Clock::default();
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
