//! `sleep_until_wall`: by the wall clock, what people and other machines call the time, and which may be set.
//!
//! For what is due at a time of day, or at a moment that came from elsewhere: a certificate's end, a cron line, a lease with a
//! date. For lengths of time use [`sleep`](super::sleep): a wall clock may jump.
//!
//! A [`WallTime`] is made from a `std::time::SystemTime`, and the other way round.

use std::panic::Location;

use mainspring_sys::WallTime;

use super::other::{ClockSleep, Target};

/// Reads the wall clock beside the loop's clock, which a test may have replaced.
///
/// ```
/// use std::time::SystemTime;
/// let now: SystemTime = mainspring::time::wall_now().into();
/// assert!(now > SystemTime::UNIX_EPOCH);
/// ```
#[must_use]
pub fn wall_now() -> WallTime {
    super::with_clock(|clock| clock.wall_now())
}

/// Waits until the wall clock shows `deadline`, or more. If it is set meanwhile, the wait becomes shorter or longer: it is set past the deadline,
/// and the wait is over; it is set back, and so is the wait. The same goes for a suspend, during which it runs. A
/// deadline that is past is ready at once; [`WallTime::FAR_FUTURE`] is for ever.
///
/// On Linux and Android the kernel tells when the clock is set. Elsewhere, and where there is no descriptor left for that, the clock is looked at
/// once a second.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// ```
/// use mainspring::time::{sleep_until_wall, wall_now};
/// use std::time::Duration;
/// mainspring::run(async {
///     let deadline = wall_now() + Duration::from_millis(2);
///     sleep_until_wall(deadline).await;
///     assert!(wall_now() >= deadline);
/// })
/// .unwrap();
/// ```
#[doc(alias = "CLOCK_REALTIME")]
#[track_caller]
pub fn sleep_until_wall(deadline: WallTime) -> ClockSleep {
    ClockSleep::new(Target::Wall(deadline), Location::caller())
}
