//! `sleep_boot` and its kin: by the boot-time clock, which is monotonic, as [`Instant`](super::Instant) is, and it runs while the machine is suspended, too.
//!
//! For what is due after so much time for everybody, also for those who did not sleep: a lease, a token, *once an hour*. On a machine that
//! is never suspended it is as good as [`sleep`](super::sleep), and costs a little more.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::BootTime;

use super::other::{ClockSleep, Target};
use super::timeout::Elapsed;
use crate::pin::{pinned, pinned_mut};

/// Reads the boot-time clock beside the loop's clock, which a test may have replaced.
#[must_use]
pub fn boot_now() -> BootTime {
    super::with_clock(|clock| clock.boot_now())
}

/// Waits for `duration`, counted from the first poll, also while the machine is suspended: if its time came meanwhile, it is over as
/// soon as the machine is back. `Duration::MAX` is for ever.
///
/// On Linux and Android the kernel tells of the end of a suspend. Elsewhere, and where there is no descriptor left for that, the clock is looked
/// at once a second.
///
/// # Cancel safety
/// Safe: dropping it disarms the timer. A sleep that is made again starts anew.
///
/// ```
/// use mainspring::time::{boot_now, sleep_boot};
/// use std::time::Duration;
/// mainspring::run(async {
///     let start = boot_now();
///     sleep_boot(Duration::from_millis(2)).await;
///     assert!(boot_now() - start >= Duration::from_millis(2));
/// })
/// .unwrap();
/// ```
#[doc(alias = "CLOCK_BOOTTIME")]
#[track_caller]
pub fn sleep_boot(duration: Duration) -> ClockSleep {
    ClockSleep::new(Target::BootDelay(duration), Location::caller())
}

/// Waits until the boot-time clock shows `deadline`, or more; otherwise as [`sleep_boot`]. A deadline that is past is ready at once;
/// [`BootTime::FAR_FUTURE`] is for ever.
///
/// # Cancel safety
/// Safe: the call can be made again.
#[doc(alias = "CLOCK_BOOTTIME")]
#[track_caller]
pub fn sleep_until_boot(deadline: BootTime) -> ClockSleep {
    ClockSleep::new(Target::Boot(deadline), Location::caller())
}

/// Gives `future` this much time, counted from its first `Pending`, also while the machine is suspended.
///
/// # Cancel safety
/// Safe, if the body is, which is dropped with it.
///
/// ```
/// use mainspring::time::timeout_boot;
/// use std::time::Duration;
/// mainspring::run(async {
///     assert_eq!(timeout_boot(Duration::from_secs(1), async { 5 }).await, Ok(5));
///     let never = std::future::pending::<()>();
///     assert!(timeout_boot(Duration::from_millis(1), never).await.is_err());
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn timeout_boot<F: Future>(duration: Duration, future: F) -> BootTimeout<F> {
    BootTimeout {
        sleep: sleep_boot(duration),
        future,
    }
}

/// A future that is given up when its time is over by the boot-time clock. Made by [`timeout_boot`].
///
/// The body is polled first, then the time, as in [`time::timeout`](super::timeout()).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct BootTimeout<F> {
    sleep: ClockSleep,
    future: F,
}

impl<F: Future> Future for BootTimeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = pinned_mut!(self.as_mut(), future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let there = pinned!(self.as_ref(), sleep).poll_there(cx);
        there.map(|()| Err(Elapsed(())))
    }
}
