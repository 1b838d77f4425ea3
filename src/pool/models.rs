//! Models: every interleaving, up to a number of preemptions, of the pool's own types.
//!
//! *Role.* `make loom` runs them. What they drive is the shipped [`Workers`] and [`Job`], over the names of
//! [`crate::shim`]; a thread of the pool is one of loom's. A job that is forgotten leaves its submitter
//! waiting, which loom reports as a deadlock.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Count;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use loom::sync::atomic::AtomicBool;
use loom::sync::{Condvar, Mutex, Notify};
use loom::thread;

use super::class::Class;
use super::job::{AfterRun, Fetch, Job, Out, Run};
use super::options::Options;
use super::sent::{Sender, SentJob};
use super::workers::Workers;
use crate::task::join::JoinError;

/// A time that a model's threads idle: no time at all, or for ever.
const NOTHING: Duration = Duration::ZERO;
const FOR_EVER: Duration = Duration::MAX;

fn workers(threads_max: usize, idle_timeout: Duration) -> Arc<Workers> {
    Arc::new(Workers::new(Options {
        threads_max,
        idle_timeout,
        ..Options::default()
    }))
}

/// Counts results, and waits for them.
struct Results {
    count: Mutex<usize>,
    more: Condvar,
}

impl Results {
    fn new() -> Arc<Results> {
        Arc::new(Results {
            count: Mutex::new(0),
            more: Condvar::new(),
        })
    }

    fn add(&self) {
        *self.count.lock().unwrap() += 1;
        self.more.notify_all();
    }

    fn wait_for(&self, goal: usize) {
        let mut count = self.count.lock().unwrap();
        while *count < goal {
            count = self.more.wait(count).unwrap();
        }
    }
}

fn job(workers: &Arc<Workers>, results: &Arc<Results>) -> SentJob {
    let results = Arc::clone(results);
    let put = move |result: Result<(), JoinError>| {
        assert!(result.is_ok());
        results.add();
    };
    Sender::new(workers).make(|| (), Class::User, Location::caller(), put)
}

#[test]
fn loom_hz_g04_a_job_is_not_lost_while_the_only_thread_idles_out() {
    loom::model(|| {
        let workers = workers(1, NOTHING);
        let results = Results::new();
        job(&workers, &results).submit();
        job(&workers, &results).submit();
        results.wait_for(2);
    });
}

#[test]
fn loom_hz_g04_two_submitters_and_a_thread_that_idles_out() {
    loom::model(|| {
        let workers = workers(1, NOTHING);
        let results = Results::new();
        let other = {
            let (workers, results) = (Arc::clone(&workers), Arc::clone(&results));
            thread::spawn(move || job(&workers, &results).submit())
        };
        job(&workers, &results).submit();
        results.wait_for(2);
        other.join().unwrap();
    });
}

#[test]
fn loom_hz_g04_what_a_thread_took_for_later_is_run_once_by_it_or_by_another() {
    // Two threads and five jobs: with a third preemption it takes a minute, instead of a second.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let workers = workers(2, FOR_EVER);
        let results = Results::new();
        // As many as it takes for a share: the first, and two for each thread.
        let jobs: Vec<_> = (0..5).map(|_| job(&workers, &results)).collect();
        jobs.iter().for_each(SentJob::submit);
        results.wait_for(5);
        workers.close();
        assert!(workers.wait_for_end(FOR_EVER));
        let statistics = workers.statistics();
        assert_eq!((statistics.finished, statistics.queued), (5, 0));
    });
}

#[test]
fn loom_hz_g04_a_signal_reaches_a_thread_that_idles_and_the_close_ends_it() {
    loom::model(|| {
        let workers = workers(1, FOR_EVER);
        let results = Results::new();
        job(&workers, &results).submit();
        results.wait_for(1);
        job(&workers, &results).submit();
        results.wait_for(2);
        workers.close();
        assert!(workers.wait_for_end(FOR_EVER));
        let statistics = workers.statistics();
        assert_eq!((statistics.threads, statistics.idle), (0, 0));
        assert_eq!((statistics.started, statistics.retired), (1, 1));
    });
}

/// In the place of a waker.
struct Ring(Notify);

/// Counts its drops.
struct Counted(Arc<Count>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn loom_hz_h08_a_job_s_result_is_there_when_its_wake_is() {
    loom::model(|| {
        let ring = Arc::new(Ring(Notify::new()));
        let job = Arc::new(Job::new(|| 7, Out::Task, Class::User, Location::caller()));
        let thread = {
            let (job, ring) = (Arc::clone(&job), Arc::clone(&ring));
            thread::spawn(move || {
                assert!(job.claim());
                assert_eq!(job.run(), AfterRun::Wake);
                ring.0.notify();
            })
        };
        // loom may ring by itself, once; a wake before the result would leave this waiting for ever.
        let result = loop {
            ring.0.wait();
            if let Some(result) = job.fetch() {
                break result;
            }
        };
        assert_eq!(result.unwrap(), 7);
        assert!(job.fetch().is_none());
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_h08_a_result_is_dropped_once_if_its_receiver_goes() {
    loom::model(|| {
        let (closures, results, runs) = <(Arc<Count>, Arc<Count>, Arc<Count>)>::default();
        let job = {
            let (captured, made, runs) = (
                Counted(Arc::clone(&closures)),
                Arc::clone(&results),
                Arc::clone(&runs),
            );
            let work = move || {
                runs.fetch_add(1, SeqCst);
                drop(captured);
                Counted(made)
            };
            Arc::new(Job::new(work, Out::Task, Class::User, Location::caller()))
        };
        let was_told = Arc::new(AtomicBool::new(false));
        let thread = {
            let (job, was_told) = (Arc::clone(&job), Arc::clone(&was_told));
            thread::spawn(move || {
                if job.claim() {
                    was_told.store(job.is_aborted(), SeqCst);
                    let _ = job.run();
                }
            })
        };
        // What `Awaited` does as it is dropped.
        job.raise_abort();
        let is_mine = job.claim();
        if is_mine {
            let _ = job.refuse(JoinError::aborted());
        } else {
            job.leave();
        }
        thread.join().unwrap();
        assert_eq!(closures.load(SeqCst), 1, "the closure is gone, once");
        let ran = usize::from(!is_mine);
        assert_eq!(runs.load(SeqCst), ran, "it ran, or was aborted");
        assert_eq!(results.load(SeqCst), ran, "its result is gone, once");
    });
}
