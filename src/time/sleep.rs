//! `Sleep`: the one timer future; everything else in [`crate::time`] is made of it.
//!
//! *Model.* The wait node is inside; arming, firing and dropping allocate nothing.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::clock::duration_ns;

use crate::pin::pinned;
use crate::task::wait::Waiter;

/// Waits until a deadline. Made by [`sleep`] and [`sleep_until`].
///
/// Once it is `Ready` it stays so, until it is reset.
///
/// # Cancel safety
/// Safe: dropping it disarms the timer. A sleep that is made again starts anew.
///
/// # Panics
/// When it is first polled where no loop runs, and when it is polled after its loop is gone.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Sleep {
    waiter: Waiter,
    /// A length, or a deadline, in nanoseconds.
    ns: Cell<u64>,
    is_delay: Cell<bool>,
}

/// Waits for `duration`, counted from the loop's next turn after the first poll; `Duration::MAX` is for
/// ever.
///
/// A sleep of zero waits for one turn: it is `Ready` at the second poll.
///
/// ```
/// use std::time::Duration;
/// mainspring::run(async {
///     let start = mainspring::time::now();
///     mainspring::time::sleep(Duration::from_millis(5)).await;
///     assert!(mainspring::time::now() - start >= Duration::from_millis(5));
/// })
/// .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(duration_ns(duration), true, Location::caller())
}

/// Waits until `deadline`; one that is past waits for one turn. `Instant::FAR_FUTURE` is for ever.
///
/// ```
/// use mainspring::time::{now, sleep_until};
/// use std::time::Duration;
/// mainspring::run(async {
///     let deadline = now() + Duration::from_millis(2);
///     sleep_until(deadline).await;
///     assert!(now() >= deadline);
/// })
/// .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(deadline.as_ns(), false, Location::caller())
}

impl Sleep {
    #[inline]
    pub(crate) fn new(ns: u64, is_delay: bool, location: &'static Location<'static>) -> Sleep {
        Sleep {
            waiter: Waiter::new_timer(is_delay, location),
            ns: Cell::new(ns),
            is_delay: Cell::new(is_delay),
        }
    }

    /// On whose behalf it waits, from now on.
    #[inline]
    pub(super) fn set_location(&self, location: &'static Location<'static>) {
        self.waiter.set_location(location);
    }

    /// Whether it has fired.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.waiter.is_woken()
    }

    /// When it is due. For a sleep that no turn has seen yet this reads the clock.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        if let Some(deadline_ns) = self.waiter.deadline() {
            return Instant::from_ns(deadline_ns);
        }
        if self.is_delay.get() {
            return super::now() + Duration::from_nanos(self.ns.get());
        }
        Instant::from_ns(self.ns.get())
    }

    /// Moves the deadline, also of a sleep that fired. If a task waits in it, it goes on waiting for the
    /// new one; a deadline in the past wakes it in the next turn.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.as_ref().rearm(deadline.as_ns(), false);
    }

    /// Starts it again with a new length, counted from the next turn.
    pub fn reset_after(self: Pin<&mut Self>, duration: Duration) {
        self.as_ref().rearm(duration_ns(duration), true);
    }

    /// As [`Sleep::reset_after`], for who shares it.
    pub(crate) fn restart(self: Pin<&Self>, duration: Duration) {
        self.rearm(duration_ns(duration), true);
    }

    /// As [`Sleep::reset`], for who shares it.
    pub(crate) fn restart_until(self: Pin<&Self>, deadline: Instant) {
        self.rearm(deadline.as_ns(), false);
    }

    /// It will not fire, and nobody waits for it, until it is polled again.
    pub(crate) fn disarm(self: Pin<&Self>) {
        pinned!(self, waiter).disarm();
    }

    fn rearm(self: Pin<&Self>, ns: u64, is_delay: bool) {
        self.ns.set(ns);
        self.is_delay.set(is_delay);
        pinned!(self, waiter).rearm_timer(is_delay, ns);
    }

    #[inline]
    pub(crate) fn poll_elapsed(self: Pin<&Self>, cx: &Context<'_>) -> Poll<()> {
        let waiter = pinned!(self, waiter);
        if !waiter.is_new() {
            return self.poll_again(cx);
        }
        if !waiter.arm_new_timer(cx, self.ns.get()) {
            no_loop();
        }
        Poll::Pending
    }

    #[inline(never)]
    fn poll_again(self: Pin<&Self>, cx: &Context<'_>) -> Poll<()> {
        let waiter = pinned!(self, waiter);
        if waiter.is_woken() {
            // A timer is also woken when its loop ends; that is no end of a sleep.
            assert!(
                !waiter.is_orphan(),
                "a sleep was polled after its loop was gone"
            );
            return Poll::Ready(());
        }
        if waiter.is_linked() {
            waiter.arm(cx);
        } else if !waiter.arm_timer(cx, self.ns.get()) {
            no_loop();
        }
        Poll::Pending
    }
}

#[cold]
#[inline(never)]
pub(super) fn no_loop() -> ! {
    panic!("a sleep must be polled inside a running loop")
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.as_ref().poll_elapsed(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("wait", &format_args!("{}", self.waiter))
            .field("is_elapsed", &self.is_elapsed())
            .finish()
    }
}

#[cfg(all(test, feature = "inspect"))]
mod tests {
    use super::Sleep;

    #[test]
    fn a_sleep_is_88_bytes() {
        assert_eq!(size_of::<Sleep>(), 88);
    }
}
