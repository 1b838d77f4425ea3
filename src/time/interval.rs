//! `Interval`: ticks at a steady pace.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::clock::duration_ns;

use super::sleep::Sleep;

/// What an [`Interval`] does about ticks that nobody fetched in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTick {
    /// Makes up for them at once, one after the other, and is back in step.
    #[default]
    Burst,
    /// Goes on one period after the late tick: the pace shifts, ticks are never closer than a period.
    Delay,
    /// Leaves them out and goes on in step with the first tick.
    Skip,
}

/// Ticks every period. Made by [`interval`] and [`interval_at`].
#[derive(Debug)]
pub struct Interval {
    sleep: Pin<Box<Sleep>>,
    /// When the next tick is due; `None` until the first tick of [`interval`], which is at once.
    next: Option<Instant>,
    period: Duration,
    missed: MissedTick,
}

/// Ticks at once, and then every `period`. Missed ticks are made up for ([`MissedTick::Burst`]).
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use mainspring::time::{interval, now};
/// use std::time::Duration;
/// mainspring::run(async {
///     let mut interval = interval(Duration::from_millis(2));
///     let first = interval.tick().await;
///     let third = { interval.tick().await; interval.tick().await };
///     assert_eq!(third - first, Duration::from_millis(4));
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(None, period, Location::caller())
}

/// Ticks at `start`, and then every `period`.
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(Some(start), period, Location::caller())
}

impl Interval {
    #[track_caller]
    fn new(
        next: Option<Instant>,
        period: Duration,
        location: &'static Location<'static>,
    ) -> Interval {
        assert!(
            !period.is_zero(),
            "an interval needs a period longer than zero"
        );
        let deadline = next.unwrap_or(Instant::ORIGIN);
        let sleep = Box::pin(Sleep::new(deadline.as_ns(), false, location));
        Interval {
            sleep,
            next,
            period,
            missed: MissedTick::default(),
        }
    }

    /// Chooses what happens to missed ticks.
    #[must_use]
    pub fn missed_tick(mut self, policy: MissedTick) -> Interval {
        self.missed = policy;
        self
    }

    /// How far ticks are apart.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick; the result is when it was *due*.
    ///
    /// # Cancel safety
    /// Safe: a tick that was not fetched is fetched by the next call.
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        self.sleep.set_location(Location::caller());
        Tick(self)
    }

    /// One period from now, whatever was due before.
    pub fn reset(&mut self) {
        let next = super::now() + self.period;
        self.next = Some(next);
        self.sleep.as_mut().reset(next);
    }

    pub(crate) fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let due = match self.next {
            Some(due) => {
                ready!(self.sleep.as_mut().poll(cx));
                due
            }
            None => super::now(),
        };
        let next = self.after(due);
        self.next = Some(next);
        self.sleep.as_mut().reset(next);
        Poll::Ready(due)
    }

    fn after(&self, due: Instant) -> Instant {
        let next = due + self.period;
        if self.missed == MissedTick::Burst {
            return next;
        }
        let now = super::now();
        if now <= next {
            return next;
        }
        match self.missed {
            MissedTick::Burst => next,
            MissedTick::Delay => now + self.period,
            MissedTick::Skip => {
                let period_ns = duration_ns(self.period);
                let late_ns = duration_ns(now - due);
                due + Duration::from_nanos((late_ns / period_ns + 1).saturating_mul(period_ns))
            }
        }
    }
}

/// Waits for an interval's next tick. Made by [`Interval::tick`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Tick<'a>(&'a mut Interval);

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.0.poll_tick(cx)
    }
}
