//! What only the pool's own files can see: how long its queues grow, and in which order they are served.

use std::panic::Location;
use std::sync::mpsc::{Receiver, Sender as Tx, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::class::Class;
use super::options::Options;
use super::sent::{Sender, SentJob};
use super::workers::Workers;

/// A pool of one thread, which waits in its first job until the sender is dropped.
fn busy() -> (Arc<Workers>, Tx<()>) {
    let workers = Arc::new(Workers::new(Options {
        threads_max: 1,
        ..Options::default()
    }));
    let (open, closed): (_, Receiver<()>) = channel();
    let (begun, begins) = channel();
    let wait = move || {
        begun.send(()).unwrap();
        let _ = closed.recv();
    };
    send(&workers, Class::User, wait).submit();
    begins.recv().unwrap();
    (workers, open)
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
    fn wait_until(&self, is_so: impl Fn(&super::BlockingStatistics) -> bool) {
        while !is_so(&self.statistics()) {
            std::thread::yield_now();
        }
    }
}
