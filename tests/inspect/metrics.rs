//! Counts that are exact in a run that is known, and times on a clock that the test owns.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mainspring::inspect::{self, Metrics};
use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{Instant, sleep};
use mainspring::{Builder, Runtime, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

fn manual() -> (Runtime, ManualClock) {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let runtime = Builder::new()
        .clock(Clock::Manual(clock.clone()))
        .debug(false)
        .build()
        .unwrap();
    (runtime, clock)
}

#[test]
fn the_counts_of_a_known_run_are_exact() {
    let (runtime, _clock) = manual();
    assert_eq!(runtime.metrics().ticks, 0);
    // Five tasks of two polls each: two ticks.
    for _ in 0..5 {
        drop(runtime.spawn(yield_now()));
    }
    assert_eq!(runtime.metrics().ready, 5);
    for _ in 0..2 {
        runtime.tick().unwrap();
    }
    let Metrics {
        ticks,
        turns,
        polls,
        tasks_spawned,
        tasks_finished,
        events,
        events_waiting,
        sleeps,
        timers_fired,
        remote_wakes,
        ready,
        ready_max,
        sources,
        timings,
        ..
    } = runtime.metrics();
    assert_eq!((ticks, turns, polls), (2, 2, 10));
    assert_eq!((tasks_spawned, tasks_finished), (5, 5));
    assert_eq!((events, events_waiting, sleeps, timers_fired), (0, 0, 0, 0));
    assert_eq!((remote_wakes, ready, ready_max, sources), (0, 0, 5, 0));
    assert!(timings.is_none());
}

#[test]
fn timers_sleeps_and_events_are_counted_as_they_happen() {
    use std::io::Write as _;
    let (runtime, _clock) = manual();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    runtime
        .block_on(async {
            let reader = spawn(async move {
                let near = mainspring::net::UnixStream::from_std(near).unwrap();
                near.read(&mut [0; 1]).await.unwrap();
                inspect::metrics().sources
            });
            sleep(MS).await;
            sleep(MS).await;
            far.write_all(b"x").unwrap();
            assert_eq!(reader.await.unwrap(), 1, "registered while it reads");
        })
        .unwrap();
    let metrics = runtime.metrics();
    // Two for the timers, one for the descriptor.
    assert_eq!((metrics.timers_fired, metrics.sleeps), (2, 3));
    assert!(metrics.events > metrics.events_waiting, "{metrics:?}");
    assert_eq!(metrics.sources, 0);
}

#[test]
fn what_came_while_the_loop_was_busy_counts_as_waiting() {
    use std::io::Write as _;
    let (runtime, _clock) = manual();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let reader = runtime.spawn(async move {
        let near = mainspring::net::UnixStream::from_std(near).unwrap();
        near.read(&mut [0; 1]).await.unwrap();
    });
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    // That it is writable may have been told by now.
    let before = runtime.metrics().events;
    far.write_all(b"x").unwrap();
    runtime.tick().unwrap();
    let metrics = runtime.metrics();
    assert_eq!(metrics.events, before + 1);
    assert_eq!(metrics.events_waiting, metrics.events, "no tick slept");
    drop(reader);
}

#[test]
fn wakes_from_other_threads_are_counted() {
    let (runtime, _clock) = manual();
    let handle = runtime.handle();
    std::thread::spawn(move || drop(handle.spawn(async {})))
        .join()
        .unwrap();
    runtime.tick().unwrap();
    let metrics = runtime.metrics();
    assert_eq!((metrics.remote_wakes, metrics.tasks_spawned), (1, 1));
    assert_eq!(metrics.tasks(), 0);
}

/// A task that takes so much time in each of `polls` polls.
async fn works(time: Duration, polls: u32) {
    for _ in 0..polls {
        sim::advance(time);
        yield_now().await;
    }
}

#[test]
fn poll_times_busy_times_and_utilisation_are_those_of_the_clock() {
    let (runtime, _clock) = manual();
    runtime.set_timing(true);
    runtime
        .block_on(async {
            let slow = spawn(works(30 * MS, 3));
            let fast = spawn(works(MS, 3));
            while !(slow.is_finished() && fast.is_finished()) {
                let snapshot = inspect::snapshot();
                if let Some(task) = snapshot.task(slow.id()) {
                    let polls = task.polls().min(3);
                    assert_eq!(task.busy(), Some(30 * MS * polls));
                }
                yield_now().await;
            }
            // It works 93 ms, and sleeps for as long.
            sleep(93 * MS).await;
        })
        .unwrap();
    let timings = runtime.metrics().timings.unwrap();
    assert_eq!(timings.busy, 93 * MS);
    assert_eq!(timings.asleep, 93 * MS);
    assert!((timings.utilisation() - 0.5).abs() < 1e-9);
    let polls = &timings.poll_time;
    assert_eq!(polls.max(), Some(30 * MS));
    assert_eq!(polls.sum(), 93 * MS);
    let ticks = &timings.tick_length;
    assert_eq!((ticks.max(), ticks.sum()), (Some(31 * MS), 93 * MS));
    assert_eq!(timings.since, Instant::from_ns(1_000_000_000));
    runtime.set_timing(false);
    assert!(runtime.metrics().timings.is_none());
}

#[test]
fn ready_delay_is_how_long_a_task_stood_in_the_queue() {
    let (runtime, _clock) = manual();
    runtime.set_timing(true);
    // Three that stand in the queue as the tick begins: the second waits 10 ms, the third 15.
    for ms in [10, 5, 1] {
        drop(runtime.spawn(async move { sim::advance(ms * MS) }));
    }
    runtime.tick().unwrap();
    let delay = runtime.metrics().timings.unwrap().ready_delay;
    let (min, max) = (delay.min().unwrap(), delay.max().unwrap());
    assert_eq!((delay.count(), min, max), (3, Duration::ZERO, 15 * MS));
    assert_eq!(delay.sum(), 25 * MS);
    // One that is woken by a poll counts from the end of that poll.
    runtime.set_timing(false);
    runtime.set_timing(true);
    drop(runtime.spawn(async {
        sim::advance(7 * MS);
        drop(spawn(async {}));
        sim::advance(2 * MS);
    }));
    drop(runtime.spawn(async { sim::advance(4 * MS) }));
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    let delay = runtime.metrics().timings.unwrap().ready_delay;
    // 0 for the first, 9 for the second, 4 for what the first spawned.
    assert_eq!((delay.count(), delay.sum()), (3, 13 * MS));
}

#[test]
fn timer_lateness_counts_from_the_deadline_on() {
    let (runtime, clock) = manual();
    runtime.set_timing(true);
    drop(runtime.spawn(sleep(10 * MS)));
    runtime.tick().unwrap();
    clock.advance(25 * MS);
    runtime.tick().unwrap();
    let late = runtime.metrics().timings.unwrap().timer_lateness;
    assert_eq!((late.count(), late.max()), (1, Some(15 * MS)));
}

#[test]
fn timing_that_is_turned_on_in_the_middle_of_a_poll_begins_there() {
    let (runtime, _clock) = manual();
    let seen = Rc::new(Cell::new(None));
    let slot = Rc::clone(&seen);
    runtime
        .block_on(async move {
            let others: Vec<_> = (0..10).map(|_| spawn(works(MS, 2))).collect();
            sim::advance(50 * MS);
            inspect::set_timing(true);
            inspect::set_timing(true);
            for other in others {
                other.await.unwrap();
            }
            slot.set(inspect::metrics().timings);
            inspect::set_timing(false);
            yield_now().await;
            assert!(inspect::metrics().timings.is_none());
        })
        .unwrap();
    let timings = seen.take().unwrap();
    assert_eq!(
        timings.poll_time.sum(),
        20 * MS,
        "nothing of what came before"
    );
}

#[test]
fn where_no_loop_runs_all_is_empty() {
    assert!(inspect::snapshot().tasks().is_empty());
    assert_eq!(inspect::metrics().ticks, 0);
    inspect::set_timing(true);
    inspect::on_report(|_| {});
    let runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async {});
    assert!(inspect::why(task.id()).is_none());
    assert!(runtime.why(task.id()).is_some());
    assert_eq!(runtime.snapshot().tasks().len(), 1);
}
