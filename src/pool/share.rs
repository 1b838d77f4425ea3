//! `Share`: jobs that one thread took from the queue in one go, and has not begun.
//!
//! *Role.* A burst of short jobs would have every thread at the pool's one lock twice per job. So a thread that
//! finds many takes some for later, and comes back when it is through with them. They are still
//! everybody's: a thread that finds the queue empty, or a share that is old, takes half of it, so no job waits
//! behind one that takes long while a thread idles, or while later ones are served; and a job in a share can be
//! aborted.
//!
//! *Model.*
//!
//! ```text
//!    queue ──deal──► share ──next──► its thread: run
//!                      └────lose───► the share of a thread that found nothing: run
//! ```
//!
//! A share is filled, and lost from, under the pool's lock and its own; its thread takes the next job under its own
//! alone, which is hardly ever contended. So whoever holds the pool's lock and finds a share empty knows that
//! nothing is in it.
//!
//! *Cost.* One uncontended lock per job.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use super::class::Class;
use super::state::{Claimed, Entry};
use crate::shim::{AtomicBool, Mutex, lock};

pub(super) struct Share {
    /// Looked at under the pool's lock before the share's own is taken. Raised under both.
    may_hold: AtomicBool,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    entries: VecDeque<Entry>,
    /// All are of one class, and count as one that runs.
    class: Class,
    turn: u64,
    tally: Tally,
}

/// What others may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) class: Class,
    /// When it came here from the queue, in turns of the pool.
    pub(super) turn: u64,
}

/// What a thread has done since it last had the pool's lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Jobs out of the share that it claimed.
    pub(super) claimed: usize,
    /// Jobs that have run.
    pub(super) finished: u64,
    /// Entries out of the share that somebody else had claimed.
    pub(super) husks: isize,
}

impl Share {
    pub(super) fn new() -> Share {
        Share {
            may_hold: AtomicBool::new(false),
            jobs: Mutex::new(Jobs::default()),
        }
    }

    /// Under the pool's lock: the thread begins with jobs of `class`, and has these for later.
    pub(super) fn fill(&self, class: Class, turn: u64, entries: impl Iterator<Item = Entry>) {
        let mut jobs = lock(&self.jobs);
        jobs.class = class;
        jobs.turn = turn;
        jobs.entries.extend(entries);
        self.may_hold.store(!jobs.entries.is_empty(), Relaxed);
    }

    /// The thread's next job, without the pool's lock. The one before has run.
    pub(super) fn next(&self) -> Option<Claimed> {
        let mut jobs = lock(&self.jobs);
        jobs.tally.finished += 1;
        let next = jobs.claim_first();
        if jobs.entries.is_empty() {
            self.may_hold.store(false, Relaxed);
        }
        next
    }

    /// Under the pool's lock: what is here for others to take, if anything is.
    pub(super) fn offer(&self) -> Option<Offer> {
        // A stale answer says at most that something is here which its thread has just taken: see the head.
        if !self.may_hold.load(Relaxed) {
            return None;
        }
        let jobs = lock(&self.jobs);
        (!jobs.entries.is_empty()).then_some(Offer {
            class: jobs.class,
            turn: jobs.turn,
        })
    }

    /// Under the pool's lock: what waits longest here, half of it, goes to `other`, whose thread has nothing
    /// and begins with the first.
    pub(super) fn lose_half_to(&self, other: &Share) -> Option<Claimed> {
        let mut jobs = lock(&self.jobs);
        let count = jobs.entries.len().div_ceil(2);
        let (class, turn) = (jobs.class, jobs.turn);
        other.fill(class, turn, jobs.entries.drain(..count));
        drop(jobs);
        let mut taken = lock(&other.jobs);
        let first = taken.claim_first();
        other.may_hold.store(!taken.entries.is_empty(), Relaxed);
        first
    }

    /// Under the pool's lock: what is here comes out, whoever claims it.
    pub(super) fn take_all(&self) -> VecDeque<Entry> {
        let mut jobs = lock(&self.jobs);
        self.may_hold.store(false, Relaxed);
        std::mem::take(&mut jobs.entries)
    }

    /// Under the pool's lock: what the thread has done that is not in the pool's own counts, and of which class.
    pub(super) fn tally(&self) -> (Class, Tally) {
        let jobs = lock(&self.jobs);
        (jobs.class, jobs.tally)
    }

    /// As [`Share::tally`], which is in the pool's counts now.
    pub(super) fn settle(&self) -> (Class, Tally) {
        let mut jobs = lock(&self.jobs);
        (jobs.class, std::mem::take(&mut jobs.tally))
    }

    /// How many entries are here, claimed or not.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn len(&self) -> usize {
        lock(&self.jobs).entries.len()
    }
}

impl Jobs {
    fn claim_first(&mut self) -> Option<Claimed> {
        while let Some(entry) = self.entries.pop_front() {
            if entry.job.claim() {
                self.tally.claimed += 1;
                return Some((entry.job, entry.waker));
            }
            // What is left of it runs nobody's code as it goes (WORK-3).
            self.tally.husks += 1;
        }
        None
    }
}
