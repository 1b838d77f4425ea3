//! `BootTime`: a point on the clock that runs while the machine is suspended, too.
//!
//! | system | clock |
//! |---|---|
//! | Linux, Android, OpenBSD | `CLOCK_BOOTTIME` |
//! | macOS | `CLOCK_MONOTONIC`, which runs there while the machine sleeps |
//! | FreeBSD, NetBSD, DragonFly, illumos | `CLOCK_MONOTONIC`: the best there is. FreeBSD's counts a suspend from version 14 on |

use std::ops::{Add, Sub};
use std::time::Duration;

use super::duration_ns;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "openbsd"))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "openbsd")))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// A point on the boot-time clock, in nanoseconds since an origin fixed by the system: never set, never back, and
/// it counts the time in which the machine is suspended, where the system can tell.
///
/// Arithmetic saturates. It can't be compared with an [`Instant`](super::Instant): the two drift apart with each suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(u64);

impl BootTime {
    /// A point that no clock reaches: as a deadline it means never.
    pub const FAR_FUTURE: BootTime = BootTime(u64::MAX);

    /// The point `ns` nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_ns(ns: u64) -> BootTime {
        BootTime(ns)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: BootTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point, `duration` later; [`BootTime::FAR_FUTURE`] where that does not fit.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> BootTime {
        BootTime(self.0.saturating_add(duration_ns(duration)))
    }
}

impl Add<Duration> for BootTime {
    type Output = BootTime;
    /// Saturates at [`BootTime::FAR_FUTURE`].
    fn add(self, duration: Duration) -> BootTime {
        self.saturating_add(duration)
    }
}

impl Sub<BootTime> for BootTime {
    type Output = Duration;
    /// Zero if `earlier` is not earlier.
    fn sub(self, earlier: BootTime) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

pub(super) fn now() -> BootTime {
    BootTime(super::running_ns(CLOCK))
}
