//! Time: sleeping, timeouts, intervals; and the two other clocks, wall and boot time.
//!
//! *Promises.* Never early. Timers that are due at the same instant fire in the order in which they were
//! armed (first polled or reset); different deadlines that come due in one tick fire in the order of
//! the deadlines.
//!
//! *Lazy arming.* [`sleep`] and [`timeout`] read no clock: the first poll that waits hands the length to
//! the loop, and its next turn (at most 128 polls or about a millisecond later) starts the time.
//! [`sleep_until`] is exact. Lateness is the rest of the turn, the wheel's step (0.52 ms) where many
//! timers share it and 0.1 ms where few do, and the kernel's own.
//!
//! *Clock.* [`Instant`] is the system's monotonic clock in nanoseconds; `Duration::MAX`, and every
//! deadline beyond 584 years of uptime, mean never. It stands still while a Linux machine is
//! suspended; timers that came due meanwhile fire once each, in order. What must not wait longer for a suspend
//! sleeps by [`sleep_boot`]; what is due at a date, by [`sleep_until_wall`].

mod boot;
mod delay_queue;
mod interval;
mod other;
mod sleep;
mod timeout;
mod wall;

use mainspring_sys::Clock;

pub use boot::{BootTimeout, boot_now, sleep_boot, sleep_until_boot, timeout_boot};
pub use delay_queue::{DelayKey, DelayQueue, Due};
pub use interval::{Interval, MissedTick, Tick, interval, interval_at};
pub use mainspring_sys::{BootTime, Instant, WallTime};
pub use other::ClockSleep;
pub use sleep::{Sleep, sleep, sleep_until};
pub(crate) use timeout::timeout_from;
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use wall::{sleep_until_wall, wall_now};

/// What the clock of the loop showed when anybody looked at it in this turn; so it is read once per turn at most,
/// and is behind [`now`] by up to the time that 128 polls take, or about a millisecond, or one long poll. Where no loop
/// runs it is `now`.
///
/// ```
/// use mainspring::time::{cached_now, now};
/// mainspring::run(async { assert!(cached_now() <= now()) }).unwrap();
/// ```
#[must_use]
pub fn cached_now() -> Instant {
    match crate::context::current() {
        Some(event_loop) => event_loop.cached_now(),
        None => Clock::Monotonic.now(),
    }
}

/// Reads the clock of the loop that runs on this thread, which a test may have replaced; the system's
/// monotonic clock where no loop runs.
#[must_use]
pub fn now() -> Instant {
    with_clock(Clock::now)
}

/// The clock of the loop that runs on this thread, or the system's.
fn with_clock<R>(read: impl FnOnce(&Clock) -> R) -> R {
    match crate::context::current() {
        Some(event_loop) => read(event_loop.clock()),
        None => read(&Clock::Monotonic),
    }
}
