//! What only the pool's own files can see: how long its queues grow, and in which order they are served.

use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender as Tx, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_sys::Clock;

use super::class::Class;
use super::options::Options;
use super::sent::{Sender, SentJob};
use super::workers::Workers;

/// No test takes so long, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pool of one thread, which waits in its first job until the sender is dropped.
fn busy() -> (Arc<Workers>, Tx<()>) {
    let workers = pool(1);
    let open = occupy(&workers);
    (workers, open)
}

fn pool(threads_max: usize) -> Arc<Workers> {
    Arc::new(Workers::new(Options {
        threads_max,
        ..Options::default()
    }))
}

/// One more thread waits in a job until the sender is dropped.
fn occupy(workers: &Arc<Workers>) -> Tx<()> {
    let (open, closed): (_, Receiver<()>) = channel();
    let (begun, begins) = channel();
    let wait = move || {
        begun.send(()).unwrap();
        let _ = closed.recv();
    };
    send(workers, Class::User, wait).submit();
    begins.recv().unwrap();
    open
}

/// A pool of one or two threads, whose first has a job that waits until the sender is dropped, and behind it a
/// share of jobs that count themselves.
fn busy_with_a_share(threads_max: usize) -> (Arc<Workers>, Tx<()>, Vec<SentJob>, Arc<AtomicUsize>) {
    let workers = pool(threads_max);
    let occupied: Vec<_> = (0..threads_max).map(|_| occupy(&workers)).collect();
    let (open, closed): (_, Receiver<()>) = channel();
    let (begun, begins) = channel();
    let wait = move || {
        begun.send(()).unwrap();
        let _ = closed.recv();
    };
    send(&workers, Class::User, wait).submit();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = Arc::clone(&ran);
        send(&workers, Class::User, move || {
            ran.fetch_add(1, SeqCst);
        })
    };
    let jobs: Vec<_> = (0..64).map(|_| count()).collect();
    jobs.iter().for_each(SentJob::submit);
    drop(occupied);
    begins.recv().unwrap();
    (workers, open, jobs, ran)
}

#[test]
fn what_a_thread_took_for_later_is_run_by_others_if_it_is_stuck() {
    let (workers, open, _jobs, _) = busy_with_a_share(2);
    workers.wait_until(|statistics| statistics.finished == 2 + 64);
    let statistics = workers.statistics();
    assert_eq!((statistics.queued, statistics.running), (0, 1));
    drop(open);
    workers.wait_until(|statistics| statistics.finished == 2 + 65);
    assert_eq!(workers.statistics().threads, 2);
}

#[test]
fn a_thread_that_finds_the_queue_empty_looks_into_the_shares() {
    let workers = pool(2);
    let (first, second) = (occupy(&workers), occupy(&workers));
    let (open, closed): (_, Receiver<()>) = channel();
    let (begun, begins) = channel();
    let wait = move || {
        begun.send(()).unwrap();
        let _ = closed.recv();
    };
    send(&workers, Class::User, wait).submit();
    let jobs: Vec<_> = (0..4).map(|_| send(&workers, Class::User, || ())).collect();
    jobs.iter().for_each(SentJob::submit);
    drop(first);
    begins.recv().unwrap();
    assert_eq!(workers.shared_count(), 1);
    jobs[1..].iter().for_each(SentJob::abort);
    drop(second);
    workers.wait_until(|statistics| statistics.finished == 3);
    drop(open);
}

#[test]
fn what_a_thread_took_for_later_does_not_wait_for_the_queue_to_be_empty() {
    let (workers, open, _jobs, ran) = busy_with_a_share(2);
    // While the first waits, the queue never runs dry for the second.
    fn again(workers: &Arc<Workers>, ran: &Arc<AtomicUsize>, left: u32, give_up: Tx<usize>) {
        let (next, seen) = (Arc::clone(workers), Arc::clone(ran));
        let work = move || match seen.load(SeqCst) {
            count if count == 64 || left == 0 => give_up.send(count).unwrap(),
            _ => again(&next, &seen, left - 1, give_up),
        };
        send(workers, Class::User, work).submit();
    }
    let (give_up, given_up) = channel();
    (0..3).for_each(|_| again(&workers, &ran, 10_000, give_up.clone()));
    assert_eq!(given_up.recv().unwrap(), 64, "of the first jobs have run");
    drop(open);
}

#[test]
fn what_a_thread_took_for_later_can_be_aborted_and_is_dropped_at_the_end() {
    let (workers, open, jobs, ran) = busy_with_a_share(1);
    assert!(workers.shared_count() > 10);
    jobs.iter().step_by(2).for_each(SentJob::abort);
    let statistics = workers.statistics();
    assert_eq!((statistics.queued, statistics.running), (32, 1));
    assert_eq!((statistics.finished, statistics.aborted), (1, 32));
    workers.close();
    let statistics = workers.statistics();
    assert_eq!((statistics.queued, statistics.aborted), (0, 64));
    assert_eq!(workers.entry_count(), 0);
    drop(open);
    assert!(workers.wait_for_end(Duration::from_secs(60)));
    assert_eq!(workers.statistics().finished, 2);
    assert_eq!(ran.load(SeqCst), 0);
}

fn send(workers: &Arc<Workers>, class: Class, work: impl FnOnce() + Send + 'static) -> SentJob {
    Sender::new(workers).make(work, class, Location::caller(), drop)
}

#[test]
fn aborted_jobs_do_not_pile_up_behind_one_that_is_stuck() {
    let (workers, open) = busy();
    let kept: Vec<SentJob> = (0..10)
        .map(|_| send(&workers, Class::User, || ()))
        .collect();
    kept.iter().for_each(SentJob::submit);
    for _ in 0..10_000 {
        let job = send(&workers, Class::User, || panic!("it was aborted"));
        job.submit();
        job.abort();
        assert!(workers.entry_count() < 100);
    }
    let statistics = workers.statistics();
    assert_eq!((statistics.queued, statistics.aborted), (10, 10_000));
    drop(open);
    workers.wait_until(|statistics| statistics.finished == 11);
    assert_eq!(workers.entry_count(), 0);
}

#[test]
fn classes_are_served_in_the_order_of_arrival() {
    let (workers, open) = busy();
    let order = Arc::new(Mutex::new(Vec::new()));
    for (place, class) in [Class::User, Class::Files, Class::Names, Class::User]
        .into_iter()
        .enumerate()
    {
        let order = Arc::clone(&order);
        send(&workers, class, move || order.lock().unwrap().push(place)).submit();
    }
    drop(open);
    workers.wait_until(|statistics| statistics.finished == 5);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_close_waits_no_longer_than_it_is_told() {
    let (workers, open) = busy();
    workers.close();
    assert!(!workers.wait_for_end(Duration::ZERO));
    assert!(!workers.wait_for_end(Duration::from_millis(5)));
    drop(open);
    assert!(workers.wait_for_end(Duration::from_secs(60)));
    assert_eq!(workers.statistics().threads, 0);
}

#[cfg(feature = "inspect")]
#[test]
fn a_task_that_waits_for_a_job_says_so_with_its_class_and_line() {
    use crate::blocking::JobBuilder;
    use crate::task::core::Core;
    crate::run(async {
        let (open, closed): (Tx<()>, _) = channel();
        let (line, work) = (line!() + 1, move || closed.recv().is_err());
        let job = JobBuilder::new().class(Class::Names).spawn(work);
        crate::yield_now().await;
        let text = Core::with_current(|core| core.map(Core::describe_deadlock)).unwrap();
        let place = format!("at {}:{line}:", file!());
        let wait = text.lines().find(|line| line.contains("a job of the pool"));
        let wait = wait.unwrap_or_else(|| panic!("{text}"));
        assert!(
            wait.contains("of class names") && wait.contains(&place),
            "{text}"
        );
        drop(open);
        job.await.unwrap();
    })
    .unwrap();
}

impl Workers {
    /// Spins until the counts say so.
    ///
    /// # Panics
    /// If they do not for very long.
    fn wait_until(&self, is_so: impl Fn(&super::BlockingStatistics) -> bool) {
        let begun = Clock::Monotonic.now();
        while !is_so(&self.statistics()) {
            std::thread::yield_now();
            assert!(
                Clock::Monotonic.now() - begun < PATIENCE,
                "{:?}",
                self.statistics()
            );
        }
    }
}
