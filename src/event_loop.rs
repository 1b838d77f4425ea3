//! The loop: one tick runs what is ready and, when a turn is due, expires timers and asks the kernel.
//!
//! *Role.* `Runtime` drives it; everything below it is a part of it.
//!
//! *Model.* The body of [`EventLoop::tick`] is the description; its numbers are the headings of
//! `docs/tour/one-tick.md` and the names in `tests/tick_order.rs`.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                      │
//!   1 collect remote wakes ─► 2 run the ready batch ─► is a turn due? ──no──────┤
//!                                                          │ yes                │
//!                                                          ▼                    │
//!                                     3 expire timers ─► 4 select ──────────────┘
//! ```
//!
//! *Rationing.* Asking kernel and clock in every tick would cost 300 ns per poll where one or two tasks
//! talk. A turn is due when nothing is ready, after [`POLLS_PER_TURN`] polls, or after
//! [`TURN_TIME_MAX`] of polling, looked at every [`POLLS_PER_CLOCK_LOOK`] polls and after one that spent
//! its budget. So I/O and timers are never starved, and a switch costs no system call.
//!
//! *Cost.* A tick that only runs tasks: one relaxed load besides the polls. A turn: one clock reading if
//! a timer exists, one wait if a descriptor is registered.

mod after_fork;
mod epochs;
#[cfg(feature = "sim")]
mod manual;
mod meter;
mod observe;
mod report;
mod shutdown;
mod timing;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use mainspring_sys::backend::Deadline;
use mainspring_sys::signal::SignalSet;
use mainspring_sys::{Clock, Instant};

use crate::clocks::ClockWatchSlot;
use crate::pool::Pool;
use crate::quiet::Quiet;
use crate::reactor::Reactor;
use crate::resolver::ResolverSlot;
use crate::shim::bell;
use crate::task::core::{
    Core, FAILED, Owner, POLLS, POLLS_PER_CLOCK_LOOK, POLLS_PER_TURN, TICKS, TIMED, WAITS,
};
use crate::task::hooks::Hooks;
use crate::task::marks::Cause;
use crate::task::raw::TaskRef;
use crate::task::wait::WaitRing;
use crate::timers::Timers;

pub use epochs::Age;
pub(crate) use epochs::{Epochs, Short};
pub use meter::Metrics;
use meter::{Meter, add};
pub(crate) use report::Reports;
pub use report::{Report, ReportKind};
use shutdown::ShutdownSlot;
pub(crate) use timing::Timing;
pub use timing::Timings;

/// A turn is due after [`POLLS_PER_TURN`], and after about so much time,
const TURN_TIME_MAX: Duration = Duration::from_millis(1);

/// Called after each tick.
pub(crate) type TickHook = Box<dyn Fn(&TickStats)>;

/// How a loop is to be: what the builder was told.
pub(crate) struct Settings {
    pub(crate) name: Option<String>,
    /// So long the selector is asked again and again before the loop sleeps.
    pub(crate) spin: Duration,
    /// Blocked on the loop's thread while it sleeps.
    pub(crate) wait_mask: SignalSet,
    /// Whether tasks that are left when the loop ends are told.
    pub(crate) reports_unfinished: bool,
    pub(crate) hooks: Hooks,
    pub(crate) tick_hooks: Vec<TickHook>,
}

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TickStats {
    /// How many tasks were polled.
    pub polls: u32,
    /// How many timers fired.
    pub timers: usize,
    /// How many events the selector reported.
    pub events: usize,
    /// Whether the tick made a turn: looked at clock and selector.
    pub is_turn: bool,
}

impl TickStats {
    /// Of a tick that only polled.
    fn without_turn(polls: u32) -> TickStats {
        TickStats {
            polls,
            ..TickStats::default()
        }
    }

    /// Of a tick whose turn begins.
    fn with_turn(polls: u32) -> TickStats {
        TickStats {
            is_turn: true,
            ..TickStats::without_turn(polls)
        }
    }
}

pub(crate) struct EventLoop {
    core: Owner,
    reactor: Rc<Reactor>,
    pool: Rc<Pool>,
    pub(crate) resolver: ResolverSlot,
    pub(crate) shutdown: ShutdownSlot,
    pub(crate) clock_watch: ClockWatchSlot,
    timers: Timers,
    clock: Clock,
    /// What the clock showed when the loop, or somebody for whom it is good enough, looked in this turn.
    cached_now: Cell<Option<Instant>>,
    /// Who waits for the selector to be asked once more.
    after_turn: WaitRing,
    /// Who waits for everybody else to wait.
    pub(crate) quiet: Quiet,
    /// When the polls since the last turn began, as far as anybody looked.
    polling_since: Cell<Option<Instant>>,
    is_turn_forced: Cell<bool>,
    /// The notifier rang between ticks, so the selector is asked though nothing be registered: its
    /// descriptor would stay readable, and whoever embeds the loop would spin.
    is_rung: Cell<bool>,
    /// `block_on` runs: a sleep without end is looked at first.
    proves_deadlocks: Cell<bool>,
    settings: Settings,
    pub(crate) meter: Meter,
    pub(crate) timing: Timing,
    pub(crate) epochs: Epochs,
    pub(crate) reports: Reports,
    /// Tasks that can never run again are looked for before a long sleep.
    pub(crate) is_debug: Cell<bool>,
}

/// Ends the time in which deadlocks are proved. Made by [`EventLoop::begin_main`].
pub(crate) struct MainGuard<'a>(&'a EventLoop);

impl Drop for MainGuard<'_> {
    fn drop(&mut self) {
        self.0.proves_deadlocks.set(false);
    }
}

impl EventLoop {
    pub(crate) fn new(
        core: Owner,
        reactor: Reactor,
        pool: Rc<Pool>,
        clock: Clock,
        mut settings: Settings,
    ) -> EventLoop {
        let now = clock.now();
        let timers = Timers::new(now);
        let hooks = std::mem::take(&mut settings.hooks);
        if !hooks.is_empty() {
            core.set_hooks(hooks);
        }
        EventLoop {
            core,
            reactor: Rc::new(reactor),
            pool,
            resolver: ResolverSlot::default(),
            shutdown: ShutdownSlot::default(),
            clock_watch: ClockWatchSlot::default(),
            timers,
            clock,
            cached_now: Cell::new(None),
            after_turn: WaitRing::new(),
            quiet: Quiet::new(),
            polling_since: Cell::new(None),
            is_turn_forced: Cell::new(false),
            is_rung: Cell::new(false),
            proves_deadlocks: Cell::new(false),
            settings,
            meter: Meter::default(),
            timing: Timing::new(now),
            epochs: Epochs::new(now),
            reports: Reports::default(),
            is_debug: Cell::new(false),
        }
    }

    pub(crate) fn core(&self) -> &Owner {
        &self.core
    }

    pub(crate) fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }

    pub(crate) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    /// What the clock showed when somebody looked in this turn; looks at it, if nobody did.
    pub(crate) fn cached_now(&self) -> Instant {
        let now = self.cached_now.get().unwrap_or_else(|| self.clock.now());
        self.cached_now.set(Some(now));
        now
    }

    /// Who waits for the next turn.
    pub(crate) fn after_turn(&self) -> &WaitRing {
        &self.after_turn
    }

    /// While the guard lives, a sleep that can provably never end is a panic instead.
    pub(crate) fn begin_main(&self) -> MainGuard<'_> {
        self.proves_deadlocks.set(true);
        MainGuard(self)
    }

    /// The next tick makes a turn whatever is ready.
    pub(crate) fn force_turn(&self) {
        self.is_turn_forced.set(true);
    }

    /// Ends the rest between ticks; the tick to come makes a turn whatever is ready.
    pub(crate) fn end_rest(&self) {
        self.is_rung.set(self.core.inbox.end_rest());
        self.force_turn();
    }

    /// One pass of the loop, and what is to be said of it afterwards.
    ///
    /// # Errors
    /// What the selector says of its wait.
    ///
    /// # Panics
    /// With the failure that the run is to end with.
    #[inline]
    pub(crate) fn pass(&self, may_block: impl Fn(&TickStats) -> bool) -> io::Result<TickStats> {
        let ticked = self.tick(may_block);
        if let Ok(stats) = &ticked {
            self.after_tick(stats);
        }
        ticked
    }

    /// Calls what is to be called after a tick.
    ///
    /// # Panics
    /// With the failure that the run is to end with.
    #[inline]
    pub(crate) fn after_tick(&self, stats: &TickStats) {
        if self.core.has_watch(TICKS | FAILED) {
            // A copy, so that the figures of other ticks need not be in memory.
            self.after_watched_tick(*stats);
        }
    }

    /// One pass of the loop. `may_block` is asked after the batch has run, which may have changed it.
    ///
    /// # Errors
    /// What the selector says of its wait.
    pub(crate) fn tick(&self, may_block: impl Fn(&TickStats) -> bool) -> io::Result<TickStats> {
        // 1. Collect remote wakes: what other threads woke joins the ready queue.
        self.core.collect_remote_wakes();
        // 2. Run the ready batch: what stood in the queue as the tick began, each polled once.
        let polls = self.run_ready();
        if !self.turn_is_due() {
            return Ok(TickStats::without_turn(polls));
        }
        let mut stats = TickStats::with_turn(polls);
        // 3. Expire timers: read the clock once; timers that are due wake their tasks.
        let now = self.expire_timers(&mut stats);
        // 4. Select: ask the OS; sleep until the next deadline only if nothing is ready.
        self.select(may_block(&stats), now, &mut stats)?;
        Ok(stats)
    }

    /// Polls the tasks that stand in the queue now, first in first out, but no more than are left
    /// until a turn is due; what they wake runs in a later tick.
    #[inline]
    fn run_ready(&self) -> u32 {
        if self.core.has_watch(POLLS | TIMED) {
            return self.run_ready_watched();
        }
        self.run_ready_by(|core, task| task.run(core))
    }

    #[inline(always)]
    fn run_ready_by(&self, run: impl Fn(&Core, TaskRef)) -> u32 {
        let core = &*self.core;
        let ready = core.ready.len();
        self.meter.begin_tick(ready);
        // Fewer than a turn's: else the last tick had made one, which begins anew.
        let mut polls = core.begin_batch();
        let mut stop = core.batch_end(ready);
        while let Some(task) = core.ready.pop() {
            polls += 1;
            core.polls.set(polls);
            run(core, task);
            if core.polls.get() != polls {
                (polls, stop) = self.count_children(polls, stop);
            }
            // A poll that has spent its budget was as long as many (hz_b14).
            let is_look_due = polls % POLLS_PER_CLOCK_LOOK == 0 || core.budget.get() == 0;
            if is_look_due && self.has_polled_for_long() || polls >= stop {
                break;
            }
        }
        polls - core.batch_began()
    }

    /// The children of a scope have polled as well, since there were `polls`: how many there are now, and
    /// where to stop.
    #[cold]
    #[inline(never)]
    fn count_children(&self, polls: u32, stop: u32) -> (u32, u32) {
        let core = &*self.core;
        let counted = core.polls.get();
        if core.is_look_due(polls) && self.has_polled_for_long() {
            return (counted, counted);
        }
        let stop = stop + (counted - polls);
        (counted, stop.min(core.batch_end(usize::MAX)))
    }

    /// Looks at the clock, if there is anything that polling keeps waiting.
    pub(crate) fn has_polled_for_long(&self) -> bool {
        if self.reactor.is_empty() && self.timers.is_idle(&self.core.timers) {
            return false;
        }
        let now = self.read_clock();
        let since = self.polling_since.get().unwrap_or(now);
        self.polling_since.set(Some(since));
        if now - since >= TURN_TIME_MAX {
            self.force_turn();
            return true;
        }
        false
    }

    /// What another thread woke meanwhile is as good as ready: the next tick collects it.
    #[inline]
    fn turn_is_due(&self) -> bool {
        let nothing_is_ready = self.core.ready.is_empty() && self.core.inbox.is_empty();
        nothing_is_ready || self.core.polls.get() >= POLLS_PER_TURN || self.is_turn_forced.get()
    }

    /// The clock is read only if that could make something due. Says what it showed.
    #[inline]
    fn expire_timers(&self, stats: &mut TickStats) -> Option<Instant> {
        if self.timers.is_idle(&self.core.timers) {
            return None;
        }
        Some(self.expire_due(stats))
    }

    #[inline(never)]
    fn expire_due(&self, stats: &mut TickStats) -> Instant {
        let now = self.read_clock();
        self.core.cause.set(Cause::Timer);
        let is_timed = self.core.has_watch(TIMED);
        stats.timers = self.timers.expire(&self.core.timers, now, |deadline_ns| {
            if is_timed {
                self.timing.note_lateness(now.as_ns() - deadline_ns);
            }
        });
        add(&self.meter.timers_fired, stats.timers as u64);
        now
    }

    /// Step 4. A loop that a child inherited by a fork is its parent's, and goes no further (hz_c25).
    fn select(
        &self,
        may_block: bool,
        now: Option<Instant>,
        stats: &mut TickStats,
    ) -> io::Result<()> {
        self.reactor.check_process()?;
        if self.core.has_watch(WAITS | TIMED) {
            self.before_wait();
        }
        let may_block = may_block && self.is_idle() && !self.core.has_watch(FAILED);
        self.core.cause.set(Cause::Event);
        let polls = self.core.polls.get();
        stats.events = if !self.quiet.is_empty() {
            self.ask_for_quiet()?
        } else if may_block {
            self.sleep(now)?
        } else {
            self.ask()?
        };
        if self.core.has_watch(WAITS | TIMED) {
            self.after_wait(may_block, stats.events);
        }
        self.meter.end_turn(polls, stats.events);
        self.cached_now.set(None);
        self.quiet.count(polls);
        self.core.polls.set(0);
        self.polling_since.set(None);
        self.is_turn_forced.set(false);
        self.is_rung.set(false);
        if !self.after_turn.is_empty() {
            self.wake_after_turn();
        }
        self.core.cause.set(Cause::Task);
        Ok(())
    }

    /// Whether there is nothing to run, here or next.
    fn is_idle(&self) -> bool {
        self.core.ready.is_empty() && self.core.inbox.is_empty() && self.after_turn.is_empty()
    }

    /// Somebody waits for everybody else to wait: if they all do, and the selector has nothing to tell, it is
    /// woken, in place of a sleep.
    #[cold]
    fn ask_for_quiet(&self) -> io::Result<usize> {
        let events = self.ask()?;
        if events == 0 && self.is_idle() {
            self.quiet.wake();
        }
        Ok(events)
    }

    /// Waits until something happens. Only the inbox is looked at once more, after the sleep flag is
    /// set: nothing else can change while this thread is here.
    fn sleep(&self, now: Option<Instant>) -> io::Result<usize> {
        self.core.free.trim();
        let deadline = match (self.timers.next_deadline(&self.core.timers), now) {
            (Some(at), Some(now)) => Deadline::At { at, now },
            (Some(_), None) => Deadline::Now,
            (None, _) => Deadline::Never,
        };
        #[cfg(feature = "sim")]
        let deadline = match self.advance_manual_clock(deadline)? {
            Some(events) => return Ok(events),
            None => deadline,
        };
        if deadline == Deadline::Never && self.proves_deadlocks.get() && self.is_deadlocked() {
            panic!(
                "deadlock: nothing can ever wake any task of this loop{}",
                self.core.describe_deadlock()
            );
        }
        if let Some(events) = self.spin(deadline)? {
            return Ok(events);
        }
        if !self.prepare_sleep()? {
            return self.ask();
        }
        if deadline != Deadline::Now {
            add(&self.meter.sleeps, 1);
        }
        let mask = self.settings.wait_mask;
        let blocked = (!mask.is_empty()).then(|| mask.block());
        let slept = self.reactor.turn(deadline);
        drop(blocked);
        self.core.inbox.end_sleep();
        slept
    }

    /// Asks again and again for a while, before a sleep that would cost more. Says what came of it, if
    /// anything did. A manual clock would never show that the while is over.
    fn spin(&self, deadline: Deadline) -> io::Result<Option<usize>> {
        let spin = self.settings.spin;
        if spin.is_zero() || !matches!(self.clock, Clock::Monotonic) {
            return Ok(None);
        }
        let start = self.clock.now();
        let mut until = start + spin;
        if let Deadline::At { at, .. } = deadline {
            until = until.min(at);
        }
        while self.clock.now() < until {
            let events = self.ask()?;
            if events > 0 || !self.is_idle() {
                return Ok(Some(events));
            }
            std::hint::spin_loop();
        }
        Ok(None)
    }

    /// Whether the loop may sleep: from here on whoever wakes it from elsewhere rings. The bell, and
    /// with it the selector, is made for the first sleep.
    fn prepare_sleep(&self) -> io::Result<bool> {
        let bell = || self.reactor.notifier().map(bell);
        self.core.inbox.prepare_sleep(bell)
    }

    /// Asks the selector without a wait, unless it has nothing to tell.
    fn ask(&self) -> io::Result<usize> {
        if self.reactor.is_empty() && !self.is_rung.get() {
            return Ok(0);
        }
        let events = self.reactor.turn(Deadline::Now)?;
        add(&self.meter.events_waiting, events as u64);
        Ok(events)
    }

    #[inline(never)]
    fn wake_after_turn(&self) {
        self.core.cause.set(Cause::Turn);
        let due = WaitRing::new();
        due.append(&self.after_turn);
        while let Some(wakeup) = due.pop_wakeup() {
            wakeup.wake();
        }
    }

    /// Until when the loop has nothing to do: *now* while anything is ready, `None` if only an event
    /// or another thread can make it so.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let is_busy = !self.core.ready.is_empty()
            || !self.core.inbox.is_empty()
            || !self.after_turn.is_empty();
        if is_busy {
            return Some(self.clock.now());
        }
        match self.timers.next_deadline(&self.core.timers) {
            // A timer was armed since the last turn: that turn is due.
            Some(Instant::ORIGIN) => Some(self.clock.now()),
            deadline => deadline,
        }
    }

    /// Whether a loop without a finite timer can never go on: nothing is ready, nobody waits for a
    /// source, no handle and no unknown waker exists. Any doubt says no.
    fn is_deadlocked(&self) -> bool {
        !self.reactor.has_waiters()
            && self.core.ready.is_empty()
            && self.after_turn.is_empty()
            && self.core.nobody_can_wake()
    }

    /// Between ticks: changes are handed to the kernel, and the loop counts as asleep, so that a wake
    /// from another thread makes its descriptor readable.
    pub(crate) fn rest(&self) -> io::Result<()> {
        self.reactor.submit()?;
        if !self.prepare_sleep()? {
            self.reactor.notifier()?.notify()?;
        }
        Ok(())
    }

    /// The end: futures are dropped in spawn order, the inbox closes, the pool gets its time, timers and
    /// sources are detached. The loop must be entered. The selector goes with the loop itself, last.
    ///
    /// Says whether no thread of the pool was left behind. Idempotent.
    pub(crate) fn close(&self) -> bool {
        self.core.close();
        self.resolver.clear();
        let has_pool_ended = self.pool.close();
        self.timers.close(&self.core.timers);
        self.reactor.close();
        self.wake_after_turn();
        has_pool_ended
    }
}
