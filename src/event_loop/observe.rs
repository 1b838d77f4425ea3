//! The loop looks at itself: the calls by which the tick tells what went by, and what it says on demand.
//!
//! *Role.* Beside the tick, so that its own file stays the description of a tick. What is called in each tick
//! is a branch on the flag of [`Timing`](super::timing::Timing) and no more.

use std::time::Duration;

use mainspring_sys::Instant;

use super::meter::Metrics;
use super::report::{Report, ReportKind};
use super::{EventLoop, TickStats};
use crate::task::core::{POLLS, TIMED, WAITS};
use crate::task::failure;
use crate::task::hooks::{self, Hooks};
use crate::task::raw::TaskRef;

/// What a poll may take in debug mode before it is reported.
pub(crate) const SLOW_POLL: Duration = Duration::from_millis(100);
/// Lost tasks are looked for before a sleep that is so long, or longer.
const LONG_SLEEP: Duration = Duration::from_secs(1);

impl EventLoop {
    /// Reads the clock, and keeps what it showed: for those to whom it is good enough, and for those who ask
    /// since when somebody waits.
    #[inline]
    pub(super) fn read_clock(&self) -> Instant {
        let now = self.clock.now();
        self.cached_now.set(Some(now));
        self.epochs.note(now, &self.core.epoch);
        now
    }

    /// The batch, while somebody is told of each poll.
    #[cold]
    #[inline(never)]
    pub(super) fn run_ready_watched(&self) -> u32 {
        if self.core.has_watch(TIMED) {
            let ready = self.core.ready.len();
            self.timing.begin_tick(self.read_clock(), ready);
        }
        self.run_ready_by(|core, task| {
            if core.has_watch(TIMED) {
                self.run_timed(task);
            } else {
                self.run_hooked(task);
            }
        })
    }

    fn run_hooked(&self, task: TaskRef) {
        if self.core.has_watch(POLLS) {
            task.run_watched(&self.core);
        } else {
            task.run(&self.core);
        }
    }

    /// As [`TaskRef::run`], between two looks at the clock.
    fn run_timed(&self, task: TaskRef) {
        let core = &*self.core;
        self.timing.note_pop(core.ready.len());
        // So that its name can be told even if that was its last poll.
        task.acquire();
        self.run_hooked(task);
        let now = self.read_clock();
        let is_done = task.is_done();
        let took = self.timing.note_poll(now, task.id(), is_done);
        if self.timing.slow_poll.get().is_some_and(|most| took >= most) {
            let report = Report::new(ReportKind::SlowPoll(took), task);
            self.reports.send(&report);
        }
        task.release();
    }

    /// The tick has nothing left to do but to ask the selector, and maybe to sleep there.
    #[cold]
    #[inline(never)]
    pub(super) fn before_wait(&self) {
        if self.core.has_watch(WAITS) {
            self.tell_waits(|hooks| hooks::call_all(&self.core, hooks, &hooks.before_wait, ()));
        }
        if !self.core.has_watch(TIMED) {
            return;
        }
        self.timing.end_tick(self.read_clock());
        if self.is_debug.get() && self.is_idle() {
            let until = self.timers.next_deadline(&self.core.timers);
            if until.is_none_or(|until| until - self.timing.last.get() >= LONG_SLEEP) {
                self.report_lost_tasks();
            }
        }
    }

    /// The selector has answered, maybe after a sleep.
    #[cold]
    #[inline(never)]
    pub(super) fn after_wait(&self, was_sleep: bool, events: usize) {
        if self.core.has_watch(TIMED) {
            let ready = self.core.ready.len();
            self.timing.end_wait(self.read_clock(), was_sleep, ready);
        }
        if self.core.has_watch(WAITS) {
            self.tell_waits(|hooks| hooks::call_all(&self.core, hooks, &hooks.after_wait, events));
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn after_watched_tick(&self, stats: TickStats) {
        if let Some(hooks) = self.core.hooks() {
            for hook in &self.settings.tick_hooks {
                hooks.call(&self.core, || hook(&stats));
            }
        }
        if let Some(payload) = self.core.take_failure() {
            std::panic::resume_unwind(payload);
        }
    }

    #[cold]
    fn tell_waits(&self, tell: impl FnOnce(&Hooks)) {
        if let Some(hooks) = self.core.hooks() {
            tell(&hooks);
        }
    }

    /// Says which tasks are left, if it is to be said: one line for each, and one for each of its waits.
    pub(crate) fn report_unfinished(&self) {
        if !self.settings.reports_unfinished {
            return;
        }
        let (count, text) = self.core.describe_unfinished();
        if count > 0 {
            failure::write_line(&format!(
                "the loop ends while tasks are unfinished ({count}):{text}"
            ));
        }
    }

    /// Says of each task that can never run again that it can't; once in its life.
    #[cold]
    pub(crate) fn report_lost_tasks(&self) {
        let mut reports = Vec::new();
        self.core.mark_lost_tasks(|task| {
            reports.push(Report::new(ReportKind::LostTask, task));
        });
        for report in reports {
            self.reports.send(&report);
        }
    }

    /// Turns timing on or off.
    pub(crate) fn set_timing(&self, is_on: bool) {
        if is_on == self.core.has_watch(TIMED) {
            return;
        }
        if is_on {
            self.timing.turn_on(self.clock.now());
        } else {
            self.timing.turn_off();
        }
        self.core.set_watch(TIMED, is_on);
    }

    /// Debug mode: timing, reports of slow polls and of lost tasks.
    pub(crate) fn set_debug(&self) {
        self.is_debug.set(true);
        self.timing
            .slow_poll
            .set(self.timing.slow_poll.get().or(Some(SLOW_POLL)));
        self.set_timing(true);
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let (core, meter) = (&*self.core, &self.meter);
        Metrics {
            ticks: meter.ticks.get(),
            turns: meter.turns.get(),
            polls: meter.polls.get() + u64::from(core.polls.get()),
            tasks_spawned: core.spawned(),
            tasks_finished: core.spawned() - core.task_count() as u64,
            events: meter.events.get(),
            events_waiting: meter.events_waiting.get(),
            sleeps: meter.sleeps.get(),
            timers_fired: meter.timers_fired.get(),
            remote_wakes: core.collected.get(),
            ready: core.ready.len(),
            ready_max: meter.ready_max.get(),
            sources: self.reactor.source_count(),
            timings: self.timing.timings(),
        }
    }
}
