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
use super::share::{Share, Tally};
use super::statistics::{BlockingStatistics, ClassStatistics};

/// A thread takes no more than so many jobs at once for later. More would gain little, and others would have to
/// come for them.
const SHARE_MAX: usize = 32;

/// When each thread has come so many times since a share was filled, its thread is taken to be stuck.
const TURNS_MAX: u64 = 2;

/// So many entries that somebody else has claimed may stand in a queue whatever its length.
const HUSKS_MAX: usize = 32;

pub(super) struct State {
    classes: [Line; CLASS_COUNT],
    /// Of each thread.
    shares: Vec<Arc<Share>>,
    /// How often a thread has taken from the queues.
    turns: u64,
    /// Numbers entries, so that classes are served in the order of arrival.
    arrivals: u64,
    threads_max: usize,
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

pub(super) struct Entry {
    arrival: u64,
    pub(super) job: Arc<dyn Run>,
    /// Of the job's task, if it has one.
    pub(super) waker: Option<Waker>,
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

impl ClassStatistics {
    fn apply(&mut self, tally: Tally) {
        self.queued -= tally.claimed;
        self.finished += tally.finished;
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
            shares: Vec::new(),
            turns: 0,
            arrivals: 0,
            threads_max: options.threads_max,
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

    /// Whether a job waits that may run, in a queue or in somebody's share.
    pub(super) fn has_work(&self) -> bool {
        self.classes.iter().any(|line| line.waits_since().is_some())
            || self.shares.iter().any(|share| self.may_take_from(share))
    }

    fn may_take_from(&self, share: &Share) -> bool {
        let offer = share.offer();
        offer.is_some_and(|offer| self.classes[offer.class.index()].has_room())
    }

    /// Whom to call so that WORK-1 holds.
    pub(super) fn call_next(&mut self) -> Call {
        if self.on_way > 0 || !self.has_work() {
            return Call::Nobody;
        }
        if self.idle > 0 {
            self.idle -= 1;
            self.tokens += 1;
            self.on_way += 1;
            return Call::Signal;
        }
        if self.threads < self.threads_max && !self.is_closing {
            self.threads += 1;
            self.started += 1;
            self.on_way += 1;
            return Call::Start {
                number: self.started,
            };
        }
        Call::Nobody
    }

    /// Takes the job that waits longest among those that may run, and perhaps more for later into the
    /// thread's `own` share, which is empty. Until the thread settles it counts as running one job.
    pub(super) fn take(&mut self, own: &Share) -> Option<Claimed> {
        // What came early and stands behind a job that takes long.
        let long_ago = self.turns.checked_sub(TURNS_MAX * self.threads as u64);
        if let Some(first) = long_ago.and_then(|turn| self.take_from_another(own, turn)) {
            return Some(first);
        }
        loop {
            let Some(class) = self.next_class() else {
                return self.take_from_another(own, self.turns);
            };
            let line = &mut self.classes[class.index()];
            let Entry { job, waker, .. } = line.entries.pop_front()?;
            if job.claim() {
                line.statistics.queued -= 1;
                line.statistics.running += 1;
                self.deal(class, own);
                self.turns += 1;
                return Some((job, waker));
            }
            // What is left of it runs nobody's code as it goes (WORK-3).
            line.husks -= 1;
        }
    }

    /// Whose first job waits longest, of the classes that have room.
    fn next_class(&self) -> Option<Class> {
        let lines = Class::ALL.iter().zip(&self.classes);
        let waiting = lines.filter_map(|(class, line)| Some((line.waits_since()?, *class)));
        waiting
            .min_by_key(|(since, _)| *since)
            .map(|(_, class)| class)
    }

    /// Gives a thread that takes a job of `class` more of them: as much as half of what waits would be for each, if
    /// all threads there may be came, and nothing that came after a job of another class.
    fn deal(&mut self, class: Class, own: &Share) {
        let others = self.classes.iter().enumerate();
        let others = others.filter(|(index, _)| *index != class.index());
        let until = others.filter_map(|(_, line)| line.waits_since()).min();
        let entries = &mut self.classes[class.index()].entries;
        let most = (entries.len() / (2 * self.threads_max)).min(SHARE_MAX);
        let count = match until {
            Some(until) => entries
                .iter()
                .take(most)
                .take_while(|entry| entry.arrival < until)
                .count(),
            None => most,
        };
        own.fill(class, self.turns, entries.drain(..count));
    }

    /// Takes from a share that was filled in `turn`, or before.
    fn take_from_another(&mut self, own: &Share, turn: u64) -> Option<Claimed> {
        for share in &self.shares {
            let Some(offer) = share.offer() else {
                continue;
            };
            let line = &mut self.classes[offer.class.index()];
            if offer.turn > turn || !line.has_room() {
                continue;
            }
            if let Some(first) = share.lose_half_to(own) {
                line.statistics.running += 1;
                return Some(first);
            }
            line.husks -= own.settle().1.husks;
        }
        None
    }

    /// A thread comes: what it will keep its share in.
    pub(super) fn add_share(&mut self) -> Arc<Share> {
        let share = Arc::new(Share::new());
        self.shares.push(Arc::clone(&share));
        share
    }

    /// The thread of `own` goes, and has settled.
    pub(super) fn remove_share(&mut self, own: &Arc<Share>) {
        self.shares.retain(|share| !Arc::ptr_eq(share, own));
    }

    /// The thread of `own` has run what it took.
    pub(super) fn settle(&mut self, own: &Share) {
        let (class, tally) = own.settle();
        let line = &mut self.classes[class.index()];
        line.statistics.running -= 1;
        line.husks -= tally.husks;
        line.statistics.apply(tally);
    }

    /// Takes all jobs that nobody has claimed.
    pub(super) fn take_all(&mut self) -> Vec<Claimed> {
        let mut jobs = Vec::new();
        let queued = self.classes.iter_mut();
        let queued = queued.map(|line| std::mem::take(&mut line.entries));
        let shared = self.shares.iter().map(|share| share.take_all());
        for entry in queued.chain(shared).flatten().collect::<Vec<_>>() {
            let line = &mut self.classes[entry.job.class().index()];
            if entry.job.claim() {
                line.statistics.queued -= 1;
                jobs.push((entry.job, entry.waker));
            } else {
                line.husks -= 1;
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

    /// How many entries stand in the queues and the shares, claimed or not.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn entry_count(&self) -> usize {
        let queued = self.classes.iter().map(|line| line.entries.len());
        queued.sum::<usize>() + self.shared_count()
    }

    /// How many entries stand in the shares, claimed or not.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn shared_count(&self) -> usize {
        self.shares.iter().map(|share| share.len()).sum()
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
        }
        for share in &self.shares {
            let (class, tally) = share.tally();
            all.classes[class.index()].apply(tally);
        }
        for class in &all.classes {
            all.queued += class.queued;
            all.running += class.running;
            all.finished += class.finished;
            all.aborted += class.aborted;
        }
        all
    }
}
