//! `WallTime`: a point on the wall clock, which people and other machines share, and which may be set.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::duration_ns;

/// A point in time as people tell it: nanoseconds since 1970-01-01, 00:00 UTC, without leap seconds. It reaches from the year 1677 to
/// 2262; arithmetic and conversions saturate there.
///
/// ```
/// use mainspring_sys::clock::WallTime;
/// use std::time::{Duration, SystemTime};
/// let new_year_2000 = WallTime::EPOCH + Duration::from_secs(946_684_800);
/// let of_std = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
/// assert_eq!(WallTime::from(of_std), new_year_2000);
/// assert_eq!(SystemTime::from(new_year_2000), of_std);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// 1970-01-01, 00:00 UTC.
    pub const EPOCH: WallTime = WallTime(0);
    /// A point that no clock reaches: as a deadline it means never.
    pub const FAR_FUTURE: WallTime = WallTime(i64::MAX);

    /// The point `ns` nanoseconds after [`WallTime::EPOCH`], or before it.
    #[must_use]
    pub const fn from_unix_ns(ns: i64) -> WallTime {
        WallTime(ns)
    }

    /// Nanoseconds since [`WallTime::EPOCH`].
    #[must_use]
    pub const fn as_unix_ns(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: WallTime) -> Duration {
        if self.0 <= earlier.0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.0.abs_diff(earlier.0))
    }

    /// This point, `duration` later; [`WallTime::FAR_FUTURE`] where that does not fit.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> WallTime {
        WallTime(self.0.saturating_add_unsigned(duration_ns(duration)))
    }

    /// This point, `duration` earlier; the earliest there is where that does not fit.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> WallTime {
        WallTime(self.0.saturating_sub_unsigned(duration_ns(duration)))
    }
}

impl Add<Duration> for WallTime {
    type Output = WallTime;
    /// Saturates at [`WallTime::FAR_FUTURE`].
    fn add(self, duration: Duration) -> WallTime {
        self.saturating_add(duration)
    }
}

impl Sub<Duration> for WallTime {
    type Output = WallTime;
    /// Saturates.
    fn sub(self, duration: Duration) -> WallTime {
        self.saturating_sub(duration)
    }
}

impl Sub<WallTime> for WallTime {
    type Output = Duration;
    /// Zero if `earlier` is not earlier.
    fn sub(self, earlier: WallTime) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl From<SystemTime> for WallTime {
    fn from(time: SystemTime) -> WallTime {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => WallTime::EPOCH + since,
            Err(before) => WallTime::EPOCH - before.duration(),
        }
    }
}

impl From<WallTime> for SystemTime {
    fn from(time: WallTime) -> SystemTime {
        let distance = Duration::from_nanos(time.0.unsigned_abs());
        if time.0 < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    }
}

pub(super) fn now() -> WallTime {
    crate::fault::count(crate::fault::Call::ClockGet);
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let ns = time.tv_sec.saturating_mul(1_000_000_000);
    // Never negative, nor more than a second.
    WallTime(ns.saturating_add_unsigned(time.tv_nsec as u64))
}
