//! `Meter`: what the loop counts, always; `Metrics`: what people see of it.
//!
//! *Role.* The tick adds up what it did anyway. What costs a look at the clock is in
//! [`Timing`](super::timing::Timing), and off unless somebody asks.
//!
//! *Cost.* An add per tick for each of three numbers, and a few more per turn.

use std::cell::Cell;

use super::timing::Timings;

#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) ticks: Cell<u64>,
    /// Up to the last turn.
    pub(crate) polls: Cell<u64>,
    pub(crate) ready_max: Cell<usize>,
    pub(crate) turns: Cell<u64>,
    pub(crate) events: Cell<u64>,
    pub(crate) events_waiting: Cell<u64>,
    pub(crate) sleeps: Cell<u64>,
    pub(crate) timers_fired: Cell<u64>,
}

impl Meter {
    /// A tick begins, with so many tasks in the ready queue.
    #[inline]
    pub(crate) fn begin_tick(&self, ready: usize) {
        add(&self.ticks, 1);
        if ready > self.ready_max.get() {
            self.ready_max.set(ready);
        }
    }

    /// A turn has ended: so many polls since the one before, so many events.
    #[inline]
    pub(crate) fn end_turn(&self, polls: u32, events: usize) {
        add(&self.turns, 1);
        add(&self.polls, u64::from(polls));
        add(&self.events, events as u64);
    }
}

/// Adds to a count that no program lives to see overflow.
#[inline]
pub(crate) fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get().wrapping_add(more));
}

/// What a loop has done since it was made. Counts only grow; what is *now* may fall.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Passes of the loop.
    pub ticks: u64,
    /// Ticks that looked at clock and selector.
    pub turns: u64,
    /// Polls of tasks, with the one that goes on, and with those of scopes' children.
    pub polls: u64,
    /// Tasks that came to this loop, main futures among them.
    pub tasks_spawned: u64,
    /// Tasks that ended: returned, panicked or were aborted.
    pub tasks_finished: u64,
    /// Events that the selector reported.
    pub events: u64,
    /// Those of them that a look without a wait found: they came while the loop was busy.
    pub events_waiting: u64,
    /// How often the loop went to sleep.
    pub sleeps: u64,
    /// Timers that fired.
    pub timers_fired: u64,
    /// Tasks that other threads woke or sent.
    pub remote_wakes: u64,
    /// Tasks in the ready queue now.
    pub ready: usize,
    /// Most tasks that stood in the ready queue as a tick began.
    pub ready_max: usize,
    /// Descriptors that are registered now.
    pub sources: usize,
    /// What was measured, while timing is on; see [`set_timing`](crate::inspect::set_timing).
    pub timings: Option<Timings>,
}

impl Metrics {
    /// Tasks that have not ended.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.tasks_spawned - self.tasks_finished
    }
}
