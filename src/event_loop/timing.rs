//! `Timing`: what the loop measures while somebody asked for it.
//!
//! *Role.* Off, it costs a predictable branch per poll: a byte in the loop's block. On, a clock reading per
//! poll and two per turn, and the tick tells it what went by.
//!
//! *Model.* One reading ends a poll and begins the next.
//!
//! ```text
//!   begin_tick     note_poll  note_poll        end_tick         end_wait    begin_tick
//!       │              │          │                │               │            │
//!   ────┼──── poll ────┼── poll ──┼──── timers ────┼──── asleep ───┼────────────┼──►
//!       └─────────────── tick length ──────────────┘
//! ```
//!
//! *Ready delay.* The ready queue is first in, first out, so a second queue beside it, of how many came when,
//! says how long each stood there; a wake writes nothing. It is filled up at the next pop, the next tick and after
//! each wait, so what a poll woke counts from that poll's end.
//!
//! *Busy time* of a task stands in a table here, not in its header: a number that is off most times would cost
//! each task eight bytes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use mainspring_sys::Instant;

use crate::histogram::Histogram;

/// What was measured since timing was turned on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timings {
    /// When it was turned on.
    pub since: Instant,
    /// How long the loop worked: ticks, and looks at the selector without a sleep.
    pub busy: Duration,
    /// How long it slept.
    pub asleep: Duration,
    /// How long each poll took.
    pub poll_time: Histogram,
    /// How long each task stood in the ready queue: from the end of the poll, or of the step of the tick, that
    /// woke it.
    pub ready_delay: Histogram,
    /// How long each tick took, without what the selector took.
    pub tick_length: Histogram,
    /// How long after its deadline each timer was seen to be due.
    pub timer_lateness: Histogram,
}

impl Timings {
    fn new(now: Instant) -> Timings {
        Timings {
            since: now,
            busy: Duration::ZERO,
            asleep: Duration::ZERO,
            poll_time: Histogram::new(),
            ready_delay: Histogram::new(),
            tick_length: Histogram::new(),
            timer_lateness: Histogram::new(),
        }
    }

    /// The share of time that the loop worked, 0 to 1; 0 before it did anything. What passed between ticks,
    /// where another loop drives this one, counts for neither side.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        let both = (self.busy + self.asleep).as_secs_f64();
        if both == 0.0 {
            return 0.0;
        }
        self.busy.as_secs_f64() / both
    }
}

struct Measured {
    timings: Timings,
    /// Busy time of unfinished tasks, in nanoseconds, by id.
    busy_ns: HashMap<u64, u64>,
    /// When how many tasks joined the ready queue, in its order.
    queued: VecDeque<(Instant, usize)>,
    /// The sum of those numbers.
    queued_count: usize,
    /// Of the tick that goes on.
    tick_began: Option<Instant>,
}

pub(crate) struct Timing {
    measured: RefCell<Option<Box<Measured>>>,
    /// The last reading of the clock.
    pub(crate) last: Cell<Instant>,
    /// A poll that takes so long, or longer, is reported.
    pub(crate) slow_poll: Cell<Option<Duration>>,
}

impl Timing {
    pub(crate) fn new(now: Instant) -> Timing {
        Timing {
            measured: RefCell::new(None),
            last: Cell::new(now),
            slow_poll: Cell::new(None),
        }
    }

    /// From here on; what was measured before is forgotten.
    pub(crate) fn turn_on(&self, now: Instant) {
        self.last.set(now);
        *self.measured.borrow_mut() = Some(Box::new(Measured {
            timings: Timings::new(now),
            busy_ns: HashMap::new(),
            queued: VecDeque::new(),
            queued_count: 0,
            tick_began: None,
        }));
    }

    pub(crate) fn turn_off(&self) {
        let measured = self.measured.borrow_mut().take();
        drop(measured);
    }

    pub(crate) fn timings(&self) -> Option<Timings> {
        let measured = self.measured.borrow();
        measured.as_ref().map(|measured| measured.timings.clone())
    }

    /// How long the task was polled since timing was turned on.
    pub(crate) fn busy(&self, id: u64) -> Option<Duration> {
        let measured = self.measured.borrow();
        let busy_ns = measured.as_ref()?.busy_ns.get(&id).copied();
        Some(Duration::from_nanos(busy_ns.unwrap_or(0)))
    }

    fn with(&self, f: impl FnOnce(&mut Measured)) {
        if let Some(measured) = &mut *self.measured.borrow_mut() {
            f(measured);
        }
    }

    /// A tick begins. The one before ended with its last poll, if it had no turn.
    pub(crate) fn begin_tick(&self, now: Instant, ready: usize) {
        let last = self.last.replace(now);
        self.with(|measured| {
            measured.end_tick(last);
            measured.tick_began = Some(now);
            measured.fill_up(ready, now);
        });
    }

    /// A task was popped, `ready` are left: it stood there until the last reading.
    pub(crate) fn note_pop(&self, ready: usize) {
        let last = self.last.get();
        self.with(|measured| {
            measured.fill_up(ready + 1, last);
            let since = measured.pop();
            let delay = last.saturating_duration_since(since);
            measured.timings.ready_delay.record(delay);
        });
    }

    /// A poll has ended at `now`; says how long it took.
    pub(crate) fn note_poll(&self, now: Instant, id: u64, is_done: bool) -> Duration {
        let took = now - self.last.replace(now);
        self.with(|measured| {
            measured.timings.poll_time.record(took);
            if is_done {
                measured.busy_ns.remove(&id);
            } else {
                *measured.busy_ns.entry(id).or_default() += took.as_nanos() as u64;
            }
        });
        took
    }

    /// A tick has ended, but for what the selector does.
    pub(crate) fn end_tick(&self, now: Instant) {
        self.last.set(now);
        self.with(|measured| measured.end_tick(now));
    }

    /// The selector has answered. What it reported has joined the queue.
    pub(crate) fn end_wait(&self, now: Instant, was_sleep: bool, ready: usize) {
        let began = self.last.replace(now);
        self.with(|measured| {
            let side = match was_sleep {
                true => &mut measured.timings.asleep,
                false => &mut measured.timings.busy,
            };
            *side += now - began;
            measured.fill_up(ready, now);
        });
    }

    pub(crate) fn note_lateness(&self, late_ns: u64) {
        self.with(|measured| measured.timings.timer_lateness.record_ns(late_ns));
    }
}

impl Measured {
    fn end_tick(&mut self, now: Instant) {
        if let Some(began) = self.tick_began.take() {
            self.timings.tick_length.record(now - began);
            self.timings.busy += now - began;
        }
    }

    /// Whoever joined the ready queue since it was last looked at did so at `now`.
    fn fill_up(&mut self, ready: usize, now: Instant) {
        while self.queued_count > ready {
            // Somebody else emptied it.
            self.pop();
        }
        let more = ready - self.queued_count;
        if more > 0 {
            self.queued.push_back((now, more));
            self.queued_count = ready;
        }
    }

    /// The first of the queue leaves it; when it came.
    fn pop(&mut self) -> Instant {
        let Some((since, count)) = self.queued.front_mut() else {
            debug_assert!(false, "the caller filled it up");
            return Instant::ORIGIN;
        };
        let since = *since;
        *count -= 1;
        if *count == 0 {
            self.queued.pop_front();
        }
        self.queued_count -= 1;
        since
    }
}
