//! The end of a loop that has jobs: what waits, what runs, what comes late.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mainspring::task::blocking::is_aborted;
use mainspring::{Builder, Runtime, spawn_blocking};

use crate::rig::{Drops, Held, soak, stopwatch, threads, wait_until};

/// What any end of a loop takes at most, with room for a machine that is busy.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn hz_g01_a_shutdown_leaves_a_stuck_job_and_the_job_ends_harmlessly_later() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (work, held) = Held::new();
    let drops = Drops::default();
    let guard = drops.guard();
    let job = runtime.enter();
    let stuck = spawn_blocking(move || {
        work();
        guard
    });
    drop(job);
    held.wait_until_begun();
    let spent = stopwatch();
    let has_ended = runtime.shutdown(Duration::from_millis(50)).unwrap();
    assert!(!has_ended);
    assert!(spent() < SOON, "{:?}", spent());
    assert_eq!(
        handle.blocking_statistics().threads,
        1,
        "it was left behind"
    );
    assert!(stuck.is_finished());
    drop(stuck);
    // Its result goes nowhere, on its own thread.
    drop(held);
    wait_until(&handle, |statistics| statistics.threads == 0);
    assert_eq!(drops.all().len(), 1);
    assert_ne!(drops.all(), [thread::current().id()]);
}

#[test]
fn hz_g01_a_drop_has_a_limit_of_its_own() {
    let builder = Builder::new().blocking_shutdown_timeout(Duration::from_millis(20));
    let runtime = builder.build().unwrap();
    let (work, held) = Held::new();
    let sent = runtime.handle().spawn_blocking(move || {
        work();
        7
    });
    held.wait_until_begun();
    let spent = stopwatch();
    drop(runtime);
    assert!(spent() < SOON, "{:?}", spent());
    // What was left behind still brings its result to who waits for it.
    drop(held);
    assert_eq!(sent.unwrap().join().unwrap(), 7);
}

#[test]
fn p29_a_shutdown_waits_for_jobs_that_end_in_time() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (work, held) = Held::new();
    let sent = handle.spawn_blocking(work).unwrap();
    held.wait_until_begun();
    let helper = thread::spawn(move || drop(held));
    assert!(runtime.shutdown(Duration::from_secs(60)).unwrap());
    assert_eq!(handle.blocking_statistics().threads, 0);
    sent.join().unwrap();
    helper.join().unwrap();
}

#[test]
fn p42_a_job_that_runs_is_told_of_the_end() {
    let builder = Builder::new().blocking_shutdown_timeout(Duration::from_secs(60));
    let runtime = builder.build().unwrap();
    let handle = runtime.handle();
    let (begin, begun) = channel();
    let spin = move || {
        begin.send(()).unwrap();
        while !is_aborted() {
            thread::yield_now();
        }
    };
    let of_task = spin.clone();
    let entered = runtime.enter();
    drop(spawn_blocking(of_task));
    drop(entered);
    let sent = handle.spawn_blocking(spin).unwrap();
    begun.recv().unwrap();
    begun.recv().unwrap();
    drop(runtime);
    assert_eq!(handle.blocking_statistics().threads, 0);
    sent.join().unwrap();
}

#[test]
fn hz_g08_jobs_that_wait_at_the_end_are_dropped_on_the_loop_s_thread() {
    let runtime = threads(1)
        .blocking_shutdown_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let handle = runtime.handle();
    let (work, held) = Held::new();
    drop(handle.spawn_blocking(work).unwrap());
    held.wait_until_begun();
    let drops = Drops::default();
    let (first, second) = (drops.guard(), drops.guard());
    let sent = handle
        .spawn_blocking(move || -> u8 {
            let _guard = first;
            unreachable!("the loop ended before")
        })
        .unwrap();
    let entered = runtime.enter();
    let job = spawn_blocking(move || -> u8 {
        let _guard = second;
        unreachable!("the loop ended before")
    });
    drop(entered);
    drop(runtime);
    assert_eq!(drops.all(), [thread::current().id(); 2]);
    assert!(sent.join().unwrap_err().is_aborted());
    assert!(job.is_finished());
    drop(held);
}

#[test]
fn hz_g08_a_job_that_comes_after_the_end_is_given_back() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    drop(runtime);
    let back = handle.spawn_blocking(|| 7).unwrap_err();
    assert_eq!((back.0)(), 7);
    assert_eq!(handle.blocking_statistics().started, 0);
}

#[test]
fn hz_g08_a_job_that_is_spawned_while_the_loop_is_dropped_is_dropped_at_once() {
    /// Spawns a job as it is dropped.
    struct Late(Drops, Rc<RefCell<Option<mainspring::JoinHandle<()>>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let guard = self.0.guard();
            *self.1.borrow_mut() = Some(spawn_blocking(move || drop(guard)));
            assert_eq!(self.0.all(), [thread::current().id()]);
        }
    }
    let (drops, slot) = (Drops::default(), Rc::default());
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let late = Late(drops.clone(), Rc::clone(&slot));
    runtime.spawn(async move {
        let _late = late;
        std::future::pending::<()>().await;
    });
    runtime.tick().unwrap();
    drop(runtime);
    assert_eq!(drops.all().len(), 1);
    assert!(slot.borrow().as_ref().unwrap().is_finished());
    assert_eq!(handle.blocking_statistics().started, 0);
}

/// The end of the loop comes at any moment of a job's life: its wake finds the inbox open, closing, or gone.
#[test]
fn hz_a03_jobs_that_end_while_their_loop_is_dropped_wake_nobody_harmfully() {
    let rounds = soak(1_000, 1_000_000);
    let mut left = Vec::new();
    for round in 0..rounds {
        let runtime = threads(2)
            .blocking_shutdown_timeout(Duration::ZERO)
            .build()
            .unwrap();
        let entered = runtime.enter();
        let jobs: Vec<_> = (0..4)
            .map(|spins| {
                let spins = (round * 7 + spins * 31) % 200;
                spawn_blocking(move || {
                    (0..spins).for_each(|_| std::hint::spin_loop());
                    vec![0_u8; 100]
                })
            })
            .collect();
        drop(entered);
        if round % 2 == 0 {
            runtime.tick().unwrap();
        }
        left.push(runtime.handle());
        drop(runtime);
        drop(jobs);
        if left.len() == 50 {
            // So that the threads that were left behind do not pile up.
            for handle in left.drain(..) {
                wait_until(&handle, |statistics| statistics.threads == 0);
            }
        }
    }
}

#[test]
fn a_runtime_that_had_no_jobs_ends_without_a_wait() {
    let builder = Builder::new().blocking_shutdown_timeout(Duration::MAX);
    drop(builder.build().unwrap());
}
