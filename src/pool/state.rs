//! `State`: what stands under the pool's lock: the queues, who is where, and the counts.
//!
//! *Role.* [`Workers`](super::workers::Workers) holds the lock, calls, and does outside what is decided here. The
//! invariants `WORK-…` stand in its head.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::class::{CLASS_COUNT, Class};
use super::job::Run;
use super::options::Options;
use super::statistics::{BlockingStatistics, ClassStatistics};

/// So many entries that somebody else has claimed may stand in a queue whatever its length.
const HUSKS_MAX: usize = 32;

pub(super) struct State {
    classes: [Line; CLASS_COUNT],
    /// Numbers entries, so that classes are served in the order of arrival.
    arrivals: u64,
    pub(super) threads: usize,
    pub(super) idle: usize,
    /// Signals that no thread has taken yet.
    pub(super) tokens: usize,
    /// Threads that were signalled or started and do not have the lock yet.
    pub(super) on_way: usize,
    pub(super) is_closing: bool,
    pub(super) started: u64,
    pub(super) retired: u64,
    pub(super) start_failures: u64,
}

/// The jobs of one class.
struct Line {
    entries: VecDeque<Entry>,
    statistics: ClassStatistics,
    /// Entries that somebody else has claimed: to be thrown away. For a moment one too few, while who
    /// claimed has not said so yet.
    husks: isize,
}

struct Entry {
    arrival: u64,
    job: Arc<dyn Run>,
    /// Of the job's task, if it has one.
    waker: Option<Waker>,
}

/// A job that somebody claimed, with the waker of its task.
pub(super) type Claimed = (Arc<dyn Run>, Option<Waker>);

/// What has to be done, once the lock is let go.
#[must_use]
pub(super) enum Call {
    Nobody,
    Signal,
    Start { number: u64 },
}

impl Line {
    fn has_room(&self) -> bool {
        self.statistics.running < self.statistics.limit
    }

    /// Since when the first entry stands here, if one may run.
    fn waits_since(&self) -> Option<u64> {
        let first = self.entries.front()?;
        self.has_room().then_some(first.arrival)
    }
}

impl State {
    pub(super) fn new(options: &Options) -> State {
        let line = |class| Line {
            entries: VecDeque::new(),
            statistics: ClassStatistics {
                limit: options.class_max(class),
                ..ClassStatistics::default()
            },
            husks: 0,
        };
        State {
            classes: Class::ALL.map(line),
            arrivals: 0,
            threads: 0,
            idle: 0,
            tokens: 0,
            on_way: 0,
            is_closing: false,
            started: 0,
            retired: 0,
            start_failures: 0,
        }
    }

    /// Queues a job. The caller looks whom to call.
    pub(super) fn push(&mut self, job: Arc<dyn Run>, waker: Option<Waker>) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let line = &mut self.classes[job.class().index()];
        line.statistics.queued += 1;
        line.entries.push_back(Entry {
            arrival,
            job,
            waker,
        });
    }

    /// Whether a job waits that may run.
    pub(super) fn has_work(&self) -> bool {
        self.classes.iter().any(|line| line.waits_since().is_some())
    }

    /// Whom to call so that WORK-1 holds.
    pub(super) fn call_next(&mut self, threads_max: usize) -> Call {
        if self.on_way > 0 || !self.has_work() {
            return Call::Nobody;
        }
        if self.idle > 0 {
            self.idle -= 1;
            self.tokens += 1;
            self.on_way += 1;
            return Call::Signal;
        }
        if self.threads < threads_max && !self.is_closing {
            self.threads += 1;
            self.started += 1;
            self.on_way += 1;
            return Call::Start {
                number: self.started,
            };
        }
        Call::Nobody
    }

    /// Takes the job that waits longest among those that may run. It is the caller's, and counts as running.
    pub(super) fn take(&mut self) -> Option<Claimed> {
        loop {
            let lines = self.classes.iter_mut();
            let waiting = lines.filter_map(|line| line.waits_since().map(|since| (since, line)));
            let (_, line) = waiting.min_by_key(|(since, _)| *since)?;
            let Entry { job, waker, .. } = line.entries.pop_front()?;
            if job.claim() {
                line.statistics.queued -= 1;
                line.statistics.running += 1;
                return Some((job, waker));
            }
            // What is left of it runs nobody's code as it goes (WORK-3).
            line.husks -= 1;
        }
    }

    /// Takes all jobs that nobody has claimed.
    pub(super) fn take_all(&mut self) -> Vec<Claimed> {
        let mut jobs = Vec::new();
        for line in &mut self.classes {
            for entry in std::mem::take(&mut line.entries) {
                if entry.job.claim() {
                    line.statistics.queued -= 1;
                    jobs.push((entry.job, entry.waker));
                } else {
                    line.husks -= 1;
                }
            }
        }
        jobs
    }

    /// As [`State::take_all`], for jobs that will never run.
    pub(super) fn abort_all(&mut self) -> Vec<Claimed> {
        let jobs = self.take_all();
        for (job, _) in &jobs {
            self.classes[job.class().index()].statistics.aborted += 1;
        }
        jobs
    }

    /// A job that stands in the queue was claimed by somebody else.
    pub(super) fn note_claimed(&mut self, class: Class, is_aborted: bool) {
        let line = &mut self.classes[class.index()];
        line.statistics.queued -= 1;
        if is_aborted {
            line.statistics.aborted += 1;
        }
        line.husks += 1;
        let husks = usize::try_from(line.husks).unwrap_or(0);
        if husks > HUSKS_MAX && husks * 2 > line.entries.len() {
            line.entries.retain(|entry| entry.job.is_queued());
            line.husks = 0;
        }
    }

    /// A job that was taken has run.
    pub(super) fn note_finished(&mut self, class: Class) {
        let statistics = &mut self.classes[class.index()].statistics;
        statistics.running -= 1;
        statistics.finished += 1;
    }

    /// How many entries stand in the queues, claimed or not.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn entry_count(&self) -> usize {
        self.classes.iter().map(|line| line.entries.len()).sum()
    }

    pub(super) fn statistics(&self) -> BlockingStatistics {
        let mut all = BlockingStatistics {
            threads: self.threads,
            idle: self.idle,
            started: self.started,
            retired: self.retired,
            start_failures: self.start_failures,
            ..BlockingStatistics::default()
        };
        for (line, class) in self.classes.iter().zip(&mut all.classes) {
            *class = line.statistics;
            all.queued += class.queued;
            all.running += class.running;
            all.finished += class.finished;
            all.aborted += class.aborted;
        }
        all
    }
}
