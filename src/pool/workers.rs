//! The threads of the pool: who is started, who is woken, who takes what, who ends.
//!
//! *Role.* The loop's [`Pool`](super::Pool), every `Handle` and every thread share one. It outlives the
//! loop for as long as a thread that was left behind works for it.
//!
//! *Model.* One lock over queues and counts, held for a push or a pop. **One on its way:** whoever leaves a
//! job wakes a thread or starts one only if nobody is on the way; whoever arrives takes a job first, and
//! then calls the next one, if there is more to do. Where many jobs wait, a thread takes some of them for later
//! ([`Share`]), so that a burst does not have all threads at the lock for every job.
//!
//! ```text
//!                  submit, or a thread that took a job and sees more
//!                                  │ nobody is on the way, and a job may run
//!           one idles: signal ◄────┴────► none does, and there is room: start
//!                 │                              │
//!   idle ◄────────┴─── on the way ◄──────────────┘
//!    │ ▲                   │ arrives
//!    │ └── nothing left ── busy: take ► call the next ► run ► take …
//!    └── nothing for the idle time: retired
//! ```
//!
//! So a burst of a thousand jobs costs a few signals, and a thread is started by a thread, not by the loop,
//! but for the first.
//!
//! # Invariants
//!
//! - **WORK-1** While a job stands in a queue, or in the share of a thread that has another one to run, and its
//!   class has room, somebody is on the way, or every thread there may be is busy; and a busy thread takes
//!   again, from both, before it idles. So no job is forgotten.
//! - **WORK-2** `idle` counts those who wait and were not signalled; a signal is a *token*, counted in
//!   `tokens`, and whoever takes it is on the way until it has the lock. A thread whose time is up takes a
//!   token rather than leave.
//! - **WORK-3** No user code runs under the lock: closures, results and hooks are called and dropped outside.
//!
//! *Cost.* A job takes the lock once on the loop's thread and at most once on the other.
//!
//! *Why not a queue without locks.* Each job is a wake of a thread or stands among many: 20 ns do not show.
//! And the counts agree with each other at every moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use mainspring_sys::{affinity, fork};

use super::class::Class;
use super::current::{self, Member};
use super::job::{AfterRun, Run};
use super::options::{Hook, Options};
use super::share::Share;
use super::state::{Call, State};
use super::statistics::BlockingStatistics;
use crate::shim::{
    AtomicBool, Condvar, Mutex, MutexGuard, OnceLock, lock, start_thread, wait_timeout_while,
};
use crate::task::failure;
use crate::task::join::JoinError;

pub(crate) struct Workers {
    state: Mutex<State>,
    /// Idle threads wait here for a token.
    work: Condvar,
    /// Whoever closes waits here for the threads to end.
    ended: Condvar,
    is_closing: AtomicBool,
    options: Options,
    /// The process that has the threads.
    generation: u32,
    /// Who works in its stead in the child of a fork.
    successor: OnceLock<Arc<Workers>>,
}

/// Does as [`Run::run`] said.
fn wake(after: AfterRun, waker: Option<Waker>) {
    match (after, waker) {
        (AfterRun::Wake, Some(waker)) => waker.wake(),
        (AfterRun::Wake | AfterRun::Nothing, waker) => drop(waker),
    }
}

impl Workers {
    pub(crate) fn new(options: Options) -> Workers {
        Workers {
            state: Mutex::new(State::new(&options)),
            work: Condvar::new(),
            ended: Condvar::new(),
            is_closing: AtomicBool::new(false),
            options,
            generation: fork::generation(),
            successor: OnceLock::new(),
        }
    }

    /// Who works now: in the child of a fork the last one of a chain, else the same.
    #[inline]
    pub(super) fn latest(mut workers: &Arc<Workers>) -> &Arc<Workers> {
        while let Some(successor) = workers.successor.get() {
            workers = successor;
        }
        workers
    }

    /// In the child of a fork: others take over.
    pub(super) fn replace(workers: &Arc<Workers>) {
        let successor = Arc::new(Workers::new(workers.options.clone()));
        let is_second = workers.successor.set(successor).is_err();
        debug_assert!(!is_second, "only the loop's thread sets it, on the latest");
    }

    /// Whether the threads are another process's, so that nothing can be said of the locks.
    pub(super) fn is_inherited(&self) -> bool {
        fork::is_inherited(self.generation)
    }

    /// Whether the loop has ended, or is about to.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    /// Queues `job`, and sees to it that a thread comes; gives it back if the loop has ended, or is the parent's. Without a
    /// thread, and with none to be had, it is refused.
    pub(super) fn submit(
        self: &Arc<Self>,
        job: Arc<dyn Run>,
        waker: Option<Waker>,
    ) -> Result<(), Arc<dyn Run>> {
        if self.is_inherited() {
            return Err(job);
        }
        let mut state = lock(&self.state);
        if state.is_closing {
            drop(state);
            return Err(job);
        }
        state.push(job, waker);
        let call = state.call_next();
        drop(state);
        self.make(call);
        Ok(())
    }

    fn make(self: &Arc<Self>, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Signal => self.work.notify_one(),
            Call::Start { number } => self.start(number),
        }
    }

    #[cold]
    fn start(self: &Arc<Self>, number: u64) {
        let name = format!("{}-{number}", self.options.thread_name);
        let workers = Arc::clone(self);
        let started = start_thread(name, self.options.stack_size, move || workers.work());
        if let Err(error) = started {
            self.note_start_failure(&error);
        }
    }

    /// There is no thread to be had. What waits, waits for one that lives; if there is none, it fails.
    #[cold]
    fn note_start_failure(&self, error: &io::Error) {
        let mut state = lock(&self.state);
        state.threads -= 1;
        state.started -= 1;
        state.on_way -= 1;
        state.start_failures += 1;
        let stranded = match state.threads {
            0 => state.take_all(),
            _ => Vec::new(),
        };
        drop(state);
        for (job, waker) in stranded {
            let text = format!("the pool has no thread, and none could be started: {error}");
            let after = job.refuse(JoinError::panicked(Box::new(text)));
            wake(after, waker);
        }
    }

    /// The caller claimed a job of `class` that stands in the queue, in order to abort it, or to run it
    /// where it is.
    pub(super) fn note_claimed(&self, class: Class, is_aborted: bool) {
        if !self.is_inherited() {
            lock(&self.state).note_claimed(class, is_aborted);
        }
    }

    /// As a thread of the pool, until there is nothing to do for a while.
    fn work(self: Arc<Self>) {
        let member = Member::of(&self);
        if !self.options.mask.is_empty() {
            self.options.mask.block_for_good();
        }
        if !self.options.processors.is_empty() {
            // Where it is refused, it runs where it runs.
            let _ = affinity::allow(&self.options.processors);
        }
        self.call_hook(self.options.on_thread_start.as_ref());
        let mut state = lock(&self.state);
        state.on_way -= 1;
        let share = state.add_share();
        loop {
            state = self.work_until_idle(state, &share);
            if self.options.on_thread_stop.is_none() {
                break;
            }
            // Meanwhile nobody can call this thread, and there may be no room for another: so it looks
            // once more, before it goes (WORK-1).
            drop(state);
            self.call_hook(self.options.on_thread_stop.as_ref());
            state = lock(&self.state);
            if !state.has_work() {
                break;
            }
            drop(state);
            self.call_hook(self.options.on_thread_start.as_ref());
            state = lock(&self.state);
        }
        state.remove_share(&share);
        state.threads -= 1;
        state.retired += 1;
        let is_last = state.threads == 0;
        drop(state);
        drop(member);
        if is_last {
            self.ended.notify_all();
        }
    }

    /// Returns when nothing came for the idle time, and when the pool closes.
    fn work_until_idle<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        share: &Share,
    ) -> MutexGuard<'a, State> {
        loop {
            state = self.work_off(state, share);
            if state.is_closing {
                return state;
            }
            state.idle += 1;
            let limit = self.options.idle_timeout;
            let idles = |state: &mut State| state.tokens == 0 && !state.is_closing;
            state = wait_timeout_while(&self.state, &self.work, state, limit, idles);
            if state.tokens == 0 {
                state.idle -= 1;
                return state;
            }
            state.tokens -= 1;
            state.on_way -= 1;
        }
    }

    /// Runs what there is to run, and calls the next thread if there is more.
    fn work_off<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        share: &Share,
    ) -> MutexGuard<'a, State> {
        while let Some(first) = state.take(share) {
            let call = state.call_next();
            drop(state);
            self.make(call);
            let mut taken = Some(first);
            while let Some((job, waker)) = taken {
                // User code that panics is caught inside; what comes out here is ours, and must not take the
                // thread out of the counts.
                // The loop is woken last, when it alone has the job: so the memory goes back to the thread that
                // it came from.
                failure::contain("a thread of the pool", || wake(current::run(job), waker));
                taken = share.next();
            }
            state = lock(&self.state);
            state.settle(share);
        }
        state
    }

    fn call_hook(&self, hook: Option<&Hook>) {
        if let Some(hook) = hook {
            failure::contain("a hook of the pool's threads", || hook());
        }
    }

    /// No more jobs: those that wait are dropped, here and now; those that run see the flag.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Relaxed);
        let mut state = lock(&self.state);
        state.is_closing = true;
        let jobs = state.abort_all();
        drop(state);
        self.work.notify_all();
        for (job, waker) in jobs {
            wake(job.refuse(JoinError::aborted()), waker);
        }
    }

    /// Waits until all threads have ended, but no longer than `limit`, by the system's clock. Says whether
    /// they have.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        if state.threads == 0 || limit.is_zero() {
            return state.threads == 0;
        }
        let lives = |state: &mut State| state.threads > 0;
        let state = wait_timeout_while(&self.state, &self.ended, state, limit, lives);
        state.threads == 0
    }

    /// How many entries stand in the queues, claimed or not.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn entry_count(&self) -> usize {
        lock(&self.state).entry_count()
    }

    /// How many of them stand in the shares.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn shared_count(&self) -> usize {
        lock(&self.state).shared_count()
    }

    pub(crate) fn statistics(&self) -> BlockingStatistics {
        if self.is_inherited() {
            return BlockingStatistics::default();
        }
        lock(&self.state).statistics()
    }
}
