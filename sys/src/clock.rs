//! Clocks: the monotonic `Instant` that deadlines are made of, the wall clock and the boot-time clock, and where they
//! are read.
//!
//! *Model.* An [`Instant`] is a `u64` of nanoseconds on the system's monotonic clock, 8 bytes and
//! `Copy`; 2^64 ns are 584 years of uptime, so no arithmetic here can panic: it saturates, and
//! [`Instant::FAR_FUTURE`] means never. The clock is `CLOCK_MONOTONIC`, the same as std's except on
//! macOS, where std reads `CLOCK_UPTIME_RAW`. It does not run while the machine is suspended on
//! Linux; on OpenBSD it does. After a suspend, timers that came due fire once each, in order.
//!
//! Two clocks stand beside it, each with a type of its own, so that they can't be mixed: a [`WallTime`] is what people
//! call the time, which may be set, forth and back; a [`BootTime`] is monotonic and runs in a suspend, too. Who waits
//! for one of them must hear when it jumps: [`ClockWatch`](crate::clock_watch::ClockWatch).
//!
//! ```text
//!   Instant    ────────────┐ suspend ┌───────────────►   stands
//!   BootTime   ────────────┴─────────┴───────────────►   runs
//!   WallTime   ───┐ set ┌──┴─────────┴───────────────►   runs, and jumps
//! ```
//!
//! *Cost.* One vDSO call (about 22 ns on Linux) per reading; the loop reads once per turn.
//!
//! *Why not `std::time::Instant`.* It cannot be made by hand (a manual clock must), cannot saturate,
//! takes 16 bytes in each timer, and its clock differs per system.

mod boot;
#[cfg(feature = "sim")]
mod manual;
mod wall;

use std::ops::{Add, Sub};
use std::time::Duration;

pub use boot::BootTime;
#[cfg(feature = "sim")]
pub use manual::ManualClock;
pub use wall::WallTime;

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

    /// Reads the wall clock beside it.
    #[must_use]
    pub fn wall_now(&self) -> WallTime {
        match self {
            Clock::Monotonic => wall::now(),
            #[cfg(feature = "sim")]
            Clock::Manual(clock) => clock.wall_now(),
        }
    }

    /// Reads the boot-time clock beside it.
    #[must_use]
    pub fn boot_now(&self) -> BootTime {
        match self {
            Clock::Monotonic => boot::now(),
            #[cfg(feature = "sim")]
            Clock::Manual(clock) => clock.boot_now(),
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
    Instant(running_ns(rustix::time::ClockId::Monotonic))
}

/// Reads a clock that began when the machine did.
#[inline]
fn running_ns(id: rustix::time::ClockId) -> u64 {
    crate::fault::count(crate::fault::Call::ClockGet);
    let time = rustix::time::clock_gettime(id);
    // Such a clock is never negative, and 2^64 ns outlast the machine.
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
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
    fn the_other_clocks_saturate_too() {
        assert_eq!(WallTime::FAR_FUTURE + Duration::MAX, WallTime::FAR_FUTURE);
        let first = WallTime::EPOCH - Duration::MAX;
        assert_eq!(first.as_unix_ns(), i64::MIN);
        assert_eq!(first - WallTime::EPOCH, Duration::ZERO);
        assert_eq!(WallTime::FAR_FUTURE - first, Duration::from_nanos(u64::MAX));
        assert_eq!(BootTime::from_ns(1) + Duration::MAX, BootTime::FAR_FUTURE);
        assert_eq!(BootTime::from_ns(1) - BootTime::FAR_FUTURE, Duration::ZERO);
    }

    #[test]
    fn a_wall_time_is_that_of_std_on_both_sides_of_its_epoch() {
        use std::time::{SystemTime, UNIX_EPOCH};
        for ns in [0, 1, -1, 1_700_000_000_123_456_789, -86_400_000_000_001] {
            let time = WallTime::from_unix_ns(ns);
            assert_eq!(WallTime::from(SystemTime::from(time)), time);
        }
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(WallTime::from(far), WallTime::FAR_FUTURE);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(WallTime::from(before).as_unix_ns(), -1_000_000_000);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what ours is held against")]
    fn the_wall_clock_is_the_one_of_std() {
        let before = WallTime::from(std::time::SystemTime::now());
        let now = Clock::default().wall_now();
        let after = WallTime::from(std::time::SystemTime::now());
        // Somebody may set it meanwhile, but hardly by so much.
        let hour = Duration::from_secs(3600);
        assert!(before - hour <= now && now <= after + hour);
    }

    #[test]
    fn the_running_clocks_do_not_step_back() {
        let clock = Clock::default();
        let mut last = (clock.now(), clock.boot_now());
        for _ in 0..1000 {
            let now = (clock.now(), clock.boot_now());
            assert!(now.0 >= last.0 && now.1 >= last.1);
            last = now;
        }
    }

    #[cfg(feature = "sim")]
    #[test]
    fn manual_clocks_go_together_until_one_is_set_or_the_machine_is_suspended() {
        let second = Duration::from_secs(1);
        let clock = ManualClock::starting_at(Instant::from_ns(5));
        let (wall, boot) = (clock.wall_now(), clock.boot_now());
        clock.advance(second);
        assert_eq!(clock.wall_now(), wall + second);
        assert_eq!(clock.boot_now(), boot + second);
        clock.set_wall(wall - second);
        assert_eq!(clock.wall_now(), wall - second);
        assert_eq!(clock.boot_now(), boot + second);
        clock.suspend(3 * second);
        assert_eq!(clock.now(), Instant::from_ns(5) + second);
        assert_eq!(clock.wall_now(), wall + 2 * second);
        assert_eq!(clock.boot_now(), boot + 4 * second);
    }
}
