//! `ClockSleep`: a wait for a point on a clock that may jump: the wall clock, or the one that runs in a suspend.
//!
//! *Model.* The wheel knows one clock, the monotonic one. So the deadline is translated: what is left by the other clock is
//! added to the monotonic *now*. That is right until one of the two jumps, of which the loop's watch tells; then it
//! is translated anew. Whatever wakes it, the other clock has the last word: it is never early by that one.
//!
//! ```text
//!            ┌────────── the clock jumped, or the timer came early ──────────┐
//!            ▼                                                               │
//!   read both clocks ── left > 0 ──► timer in the wheel, queued at the watch ┘
//!            └───────── left = 0 ──► ready
//! ```
//!
//! Where there is no watch (other systems than Linux, or no descriptor left) the timer is at most [`LOOKS_APART`] ahead.
//!
//! *Why not a timerfd for each deadline.* It would be a descriptor, three system calls and a registration per sleep, and would
//! not wait on other systems. In the wheel they are as cheap as any.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;
use mainspring_sys::{BootTime, Clock, Instant, WallTime};

use super::sleep::{Sleep, no_loop};
use crate::clocks::ClockWatch;
use crate::context;
use crate::event_loop::EventLoop;
use crate::pin::{pinned, pinned_in_drop};
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode};

/// How often the clock is looked at where nobody tells of its jumps.
const LOOKS_APART: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Wall(WallTime),
    Boot(BootTime),
    /// A length, counted from the first poll.
    BootDelay(Duration),
}

impl Target {
    /// Whether no clock gets there.
    fn is_never(self) -> bool {
        match self {
            Target::Wall(at) => at == WallTime::FAR_FUTURE,
            Target::Boot(at) => at == BootTime::FAR_FUTURE,
            Target::BootDelay(length) => duration_ns(length) == u64::MAX,
        }
    }

    /// As a point, if it is a length that begins now.
    fn begun(self, clock: &Clock) -> Target {
        match self {
            Target::BootDelay(length) => Target::Boot(clock.boot_now() + length),
            point => point,
        }
    }

    /// How much is left; nothing, if the clock is there.
    fn left(self, clock: &Clock) -> Option<Duration> {
        let left = match self {
            Target::Wall(at) => at - clock.wall_now(),
            Target::Boot(at) => at - clock.boot_now(),
            Target::BootDelay(length) => length,
        };
        (!left.is_zero()).then_some(left)
    }
}

/// Waits until another clock than the loop's own is at a point. Made by [`sleep_until_wall`](super::sleep_until_wall),
/// [`sleep_boot`](super::sleep_boot) and [`sleep_until_boot`](super::sleep_until_boot).
///
/// Once it is `Ready` it stays so, also if the clock is set back later.
///
/// # Cancel safety
/// Safe: dropping it disarms the timer. A sleep for a length that is made again starts anew.
///
/// # Panics
/// When it is polled where no loop runs. In another loop it goes on, by that one's clocks.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ClockSleep {
    target: Cell<Target>,
    sleep: Sleep,
    node: WaitNode<()>,
    watch: RefCell<Watch>,
    is_over: Cell<bool>,
}

/// Who tells of jumps.
enum Watch {
    /// To be found out.
    Unknown,
    There(Rc<ClockWatch>),
    /// Nobody: the clock is looked at now and then.
    Missing,
}

impl Watch {
    fn there(&self) -> Option<Rc<ClockWatch>> {
        match self {
            Watch::There(watch) => Some(Rc::clone(watch)),
            Watch::Unknown | Watch::Missing => None,
        }
    }
}

impl ClockSleep {
    pub(super) fn new(target: Target, location: &'static Location<'static>) -> ClockSleep {
        ClockSleep {
            target: Cell::new(target),
            sleep: Sleep::new(Instant::FAR_FUTURE.as_ns(), false, location),
            node: WaitNode::new(Kind::ClockJump, location),
            watch: RefCell::new(Watch::Unknown),
            is_over: Cell::new(false),
        }
    }

    /// Whether it was ready.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.is_over.get()
    }

    pub(super) fn poll_there(self: Pin<&Self>, cx: &Context<'_>) -> Poll<()> {
        if self.is_over.get() {
            return Poll::Ready(());
        }
        ready!(poll_spend(cx));
        let Some(event_loop) = context::current() else {
            no_loop()
        };
        let clock = event_loop.clock();
        self.target.set(self.target.get().begun(clock));
        let target = self.target.get();
        // In this order: a jump after the watch was asked is told by it.
        let looks_apart = match target.is_never() || self.is_watched(&event_loop, cx) {
            true => Duration::MAX,
            false => LOOKS_APART,
        };
        let left = target.left(clock);
        let sleep = pinned!(self, sleep);
        let Some(left) = left else {
            self.is_over.set(true);
            sleep.disarm();
            self.leave_watch();
            return Poll::Ready(());
        };
        // The monotonic clock is read last, so that the time between counts for late.
        let deadline = match target.is_never() {
            true => Instant::FAR_FUTURE,
            false => clock.now() + left.min(looks_apart),
        };
        sleep.restart_until(deadline);
        sleep.poll_elapsed(cx)
    }

    /// Whether somebody will tell of the next jump.
    fn is_watched(self: Pin<&Self>, event_loop: &EventLoop, cx: &Context<'_>) -> bool {
        let Some(watch) = self.find_watch(event_loop) else {
            return false;
        };
        let node = pinned!(self, node);
        // After news it is asked once more, and waits then: the news are taken.
        loop {
            match watch.poll_jump(node, cx, context::reactor) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    // The selector does not take it; a timer goes on without.
                    self.leave_watch();
                    self.watch.replace(Watch::Missing);
                    return false;
                }
            }
        }
    }

    /// The watch of the loop that runs, which may be another one than before: after a fork, or in another loop.
    fn find_watch(self: Pin<&Self>, event_loop: &EventLoop) -> Option<Rc<ClockWatch>> {
        if matches!(*self.watch.borrow(), Watch::Missing) {
            return None;
        }
        let found = event_loop.clock_watch.watch(event_loop.clock());
        let known = self.watch.borrow().there();
        let is_known = match (&known, &found) {
            (Some(known), Some(found)) => Rc::ptr_eq(known, found),
            _ => false,
        };
        if !is_known {
            self.leave_watch();
            let watch = found.clone().map_or(Watch::Missing, Watch::There);
            self.watch.replace(watch);
        }
        found
    }

    /// Waits for no news any more.
    fn leave_watch(self: Pin<&Self>) {
        let watch = self.watch.replace(Watch::Unknown).there();
        if let Some(watch) = watch {
            watch.cancel(pinned!(self, node));
        }
    }
}

impl Future for ClockSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.as_ref().poll_there(cx)
    }
}

impl Drop for ClockSleep {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get_mut().there() {
            watch.cancel(pinned_in_drop!(self, node));
        }
    }
}

impl fmt::Debug for ClockSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockSleep")
            .field("target", &self.target.get())
            .field("is_elapsed", &self.is_elapsed())
            .finish_non_exhaustive()
    }
}
