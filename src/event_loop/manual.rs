//! What takes the place of a sleep where the clock is a manual one.

use std::io;

use mainspring_sys::backend::Deadline;

use super::EventLoop;
use super::meter::add;

impl EventLoop {
    /// A manual clock stands still while anything may happen, and jumps to the next deadline when
    /// nothing can. The jump replaces the sleep.
    pub(super) fn advance_manual_clock(&self, deadline: Deadline) -> io::Result<Option<usize>> {
        let (Some(clock), Deadline::At { at, .. }) = (self.clock.as_manual(), deadline) else {
            return Ok(None);
        };
        if self.pool.is_awaited() {
            return self.sleep_until_rung().map(Some);
        }
        let events = self.reactor.turn(Deadline::Now)?;
        add(&self.meter.events_waiting, events as u64);
        if events == 0 && self.core.inbox.is_empty() && self.core.ready.is_empty() {
            clock.set(at.max(clock.now()));
            add(&self.meter.sleeps, 1);
        }
        Ok(Some(events))
    }

    /// A job of the pool ends in its own time, while a manual clock stands still.
    fn sleep_until_rung(&self) -> io::Result<usize> {
        if !self.prepare_sleep()? {
            return self.ask();
        }
        let slept = self.reactor.turn(Deadline::Never);
        self.core.inbox.end_sleep();
        slept
    }
}
