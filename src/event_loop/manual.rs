//! What takes the place of a sleep where the clock is a manual one.

use std::io;
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::backend::Deadline;

use super::EventLoop;
use super::meter::add;

impl EventLoop {
    /// A manual clock stands still while anything may happen, and jumps to the next deadline when
    /// nothing can. The jump replaces the sleep; where tasks wait for descriptors, the clock's patience
    /// comes before it.
    pub(super) fn advance_manual_clock(&self, deadline: Deadline) -> io::Result<Option<usize>> {
        let (Some(clock), Deadline::At { at, .. }) = (self.clock.as_manual(), deadline) else {
            return Ok(None);
        };
        if self.pool.is_awaited() {
            let events = self.sleep_until_rung(Deadline::Never)?;
            add(&self.meter.events_waiting, events as u64);
            return Ok(Some(events));
        }
        let (mut events, patience) = (0, clock.patience());
        if patience > Duration::ZERO && self.reactor.has_waiters() {
            events = self.sleep_until_rung(Deadline::At {
                at: Instant::ORIGIN + patience,
                now: Instant::ORIGIN,
            })?;
        }
        // A signal ends the wait before it is told what its handler did.
        if events == 0 {
            events = self.reactor.turn(Deadline::Now)?;
        }
        add(&self.meter.events_waiting, events as u64);
        if events == 0 && self.core.inbox.is_empty() && self.core.ready.is_empty() {
            clock.set(at.max(clock.now()));
            add(&self.meter.sleeps, 1);
        }
        Ok(Some(events))
    }

    /// A job of the pool ends in its own time, and the kernel delivers in its own, while a manual clock stands still.
    fn sleep_until_rung(&self, deadline: Deadline) -> io::Result<usize> {
        if !self.prepare_sleep()? {
            return self.reactor.turn(Deadline::Now);
        }
        let slept = self.reactor.turn(deadline);
        self.core.inbox.end_sleep();
        slept
    }
}
