//! One tick, step by step: the tests are named after the numbers in `EventLoop::tick`.
#![cfg(feature = "sim")]

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring::net::UnixStream;
use mainspring::sim::scripted::{Received, Script, Scripted, Step};
use mainspring::sim::{Clock, ManualClock};
use mainspring::time::{Instant, now, sleep, sleep_until};
use mainspring::{Builder, Ready, Runtime, spawn, yield_now, yield_to_io};
use mainspring_sys::Selector;
use mainspring_sys::backend::Deadline;

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn push(&self, entry: &'static str) {
        self.0.borrow_mut().push(entry);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

type Slot = Rc<RefCell<Option<Waker>>>;

/// A task that logs each of its polls and leaves its waker in the slot.
fn spawn_waiter(runtime: &Runtime, log: &Log, name: &'static str) -> Slot {
    let slot = Slot::default();
    let (log, inner) = (log.clone(), Rc::clone(&slot));
    drop(runtime.spawn(poll_fn(move |cx| {
        log.push(name);
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    slot
}

/// Wakes from another thread, and is back when that is done.
fn wake_remotely(slot: &Slot) {
    let waker = slot.borrow().clone().expect("it was polled");
    std::thread::spawn(move || waker.wake()).join().unwrap();
}

/// Wakes with the loop entered: a local wake. Between ticks any other counts as remote.
fn wake(runtime: &Runtime, slot: &Slot) {
    let _entered = runtime.enter();
    slot.borrow().as_ref().expect("it was polled").wake_by_ref();
}

/// A loop over a script and a manual clock.
fn scripted_runtime() -> (Runtime, Script, ManualClock) {
    let script = Script::new();
    let selector = Selector::Scripted(Scripted::with(&script).unwrap());
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new()
        .selector(selector)
        .clock(Clock::Manual(clock.clone()));
    (builder.build().unwrap(), script, clock)
}

/// Spawns a task that reads from a registered socket, and logs; the other end is given back.
fn spawn_reader(runtime: &Runtime, script: &Script, log: &Log) -> (std::os::fd::RawFd, UnixStream) {
    let (left, right) = UnixStream::pair().unwrap();
    let inner = log.clone();
    drop(runtime.spawn(async move {
        let _ = left.read(&mut [0; 8]).await.unwrap();
        inner.push("socket");
    }));
    runtime.tick().unwrap();
    let added = script
        .take_received()
        .into_iter()
        .find_map(|call| match call {
            Received::Add { fd, .. } => Some(fd),
            _ => None,
        });
    (added.expect("the first wait registers"), right)
}

fn waits(script: &Script) -> Vec<Deadline> {
    let calls = script.take_received().into_iter();
    calls
        .filter_map(|call| match call {
            Received::Wait { deadline } => Some(deadline),
            _ => None,
        })
        .collect()
}

#[test]
fn step_1_remote_wakes_run_in_the_tick_that_collects_them() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let slots = ["a", "b", "c", "d"].map(|name| spawn_waiter(&runtime, &log, name));
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["a", "b", "c", "d"]);
    wake_remotely(&slots[2]);
    wake(&runtime, &slots[3]);
    wake_remotely(&slots[0]);
    wake(&runtime, &slots[1]);
    // What stood in the queue, then what was collected, both in their order; all in one tick.
    assert_eq!(runtime.tick().unwrap().polls, 4);
    assert_eq!(log.take(), ["d", "b", "c", "a"]);
}

#[test]
fn step_1_comes_before_the_batch_so_a_later_remote_wake_waits() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let slot = spawn_waiter(&runtime, &log, "woken");
    runtime.tick().unwrap();
    log.take();
    let (inner, waker) = (log.clone(), Rc::clone(&slot));
    drop(runtime.spawn(async move {
        wake_remotely(&waker);
        inner.push("waker");
    }));
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["waker"]);
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["woken"]);
}

#[test]
fn step_1_a_task_woken_again_between_its_collection_and_its_poll_is_polled_once() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let slot = spawn_waiter(&runtime, &log, "woken");
    let first = Slot::default();
    let (inner, again) = (Rc::clone(&first), Rc::clone(&slot));
    drop(runtime.spawn(poll_fn(move |cx| {
        if inner.borrow().is_some() {
            wake_remotely(&again);
            return Poll::Ready(());
        }
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })));
    runtime.tick().unwrap();
    log.take();
    // Both are collected; the first wakes the second once more, from another thread.
    wake_remotely(&first);
    wake_remotely(&slot);
    assert_eq!(runtime.tick().unwrap().polls, 2);
    assert_eq!(log.take(), ["woken"]);
    assert_eq!(runtime.tick().unwrap().polls, 0);
    // The poll has taken the flag down: the next wake counts.
    wake_remotely(&slot);
    assert_eq!(runtime.tick().unwrap().polls, 1);
}

#[test]
fn step_2_the_batch_is_what_stood_in_the_queue() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let inner = log.clone();
    drop(runtime.spawn(async move {
        inner.push("first");
        let log = inner.clone();
        drop(spawn(async move { log.push("spawned") }));
        yield_now().await;
        inner.push("first again");
    }));
    let inner = log.clone();
    drop(runtime.spawn(async move { inner.push("second") }));
    assert_eq!(runtime.tick().unwrap().polls, 2);
    assert_eq!(log.take(), ["first", "second"]);
    assert_eq!(runtime.tick().unwrap().polls, 2);
    assert_eq!(log.take(), ["spawned", "first again"]);
}

#[test]
fn step_2_a_batch_is_no_longer_than_what_is_left_of_128_polls() {
    for (batch_max, want) in [(128, [128, 72]), (100, [100, 100])] {
        let runtime = Builder::new().batch_max(batch_max).build().unwrap();
        for _ in 0..200 {
            drop(runtime.spawn(async {}));
        }
        let polls = [runtime.tick().unwrap().polls, runtime.tick().unwrap().polls];
        assert_eq!(polls, want);
    }
}

#[test]
fn step_3_timers_expire_after_the_batch() {
    let (runtime, _script, clock) = scripted_runtime();
    let log = Log::default();
    let slot = spawn_waiter(&runtime, &log, "batch");
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        inner.push("timer");
    }));
    runtime.tick().unwrap();
    log.take();
    clock.advance(2 * MS);
    wake(&runtime, &slot);
    let stats = runtime.tick().unwrap();
    assert_eq!((stats.polls, stats.timers), (1, 1));
    assert_eq!(log.take(), ["batch"]);
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["timer"]);
}

#[test]
fn step_3_a_timer_armed_by_the_batch_may_expire_in_the_same_tick() {
    let (runtime, _script, _clock) = scripted_runtime();
    drop(runtime.spawn(async { sleep_until(now()).await }));
    let stats = runtime.tick().unwrap();
    assert_eq!((stats.polls, stats.timers), (1, 1));
}

#[test]
fn step_3_timers_come_before_the_selector() {
    let (runtime, script, clock) = scripted_runtime();
    let log = Log::default();
    let (fd, right) = spawn_reader(&runtime, &script, &log);
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        inner.push("timer");
    }));
    runtime.tick().unwrap();
    let sent = runtime.spawn(async move { right.write_all(b"x").await });
    runtime.tick().unwrap();
    assert!(sent.is_finished());
    clock.advance(2 * MS);
    script.then_report(scripted_target(fd), Ready::READABLE);
    let stats = runtime.tick().unwrap();
    assert_eq!((stats.polls, stats.timers, stats.events), (0, 1, 1));
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["timer", "socket"]);
}

fn scripted_target(fd: std::os::fd::RawFd) -> mainspring::sim::scripted::Target {
    mainspring::sim::scripted::Target::Fd(fd)
}

#[test]
fn step_4_events_run_their_tasks_in_the_next_tick() {
    let (runtime, script, _clock) = scripted_runtime();
    let log = Log::default();
    let (fd, right) = spawn_reader(&runtime, &script, &log);
    drop(runtime.spawn(async move { right.write_all(b"x").await }));
    script.then_report(scripted_target(fd), Ready::READABLE);
    let stats = runtime.tick().unwrap();
    assert_eq!((stats.polls, stats.events), (1, 1));
    assert!(log.take().is_empty());
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["socket"]);
}

#[test]
fn step_4_sleeps_only_if_nothing_is_ready() {
    let (runtime, script, clock) = scripted_runtime();
    let log = Log::default();
    let (_fd, _right) = spawn_reader(&runtime, &script, &log);
    let slot = spawn_waiter(&runtime, &log, "waiter");
    runtime.tick().unwrap();
    waits(&script);

    // Nothing is ready, no timer: without end.
    script.then(Step::Nothing);
    runtime.tick_blocking().unwrap();
    assert_eq!(waits(&script), [Deadline::Never]);
    // The batch makes something ready.
    drop(runtime.spawn(async { yield_now().await }));
    runtime.tick_blocking().unwrap();
    assert_eq!(waits(&script), [Deadline::Now]);
    runtime.tick().unwrap();
    waits(&script);
    // A timer that expires in step 3 does.
    drop(runtime.spawn(async { sleep(MS).await }));
    runtime.tick().unwrap();
    clock.advance(2 * MS);
    waits(&script);
    assert_eq!(runtime.tick_blocking().unwrap().timers, 1);
    assert_eq!(waits(&script), [Deadline::Now]);
    runtime.tick().unwrap();
    // A wake from another thread that nobody collected yet does.
    let stats = runtime.tick().unwrap();
    assert_eq!(stats.polls, 0);
    waits(&script);
    wake_remotely(&slot);
    script.then(Step::Nothing);
    assert_eq!(runtime.tick_blocking().unwrap().polls, 1);
}

#[test]
fn step_4_a_sleep_is_abandoned_for_a_wake_that_came_after_step_1() {
    let (runtime, script, _clock) = scripted_runtime();
    let log = Log::default();
    let (_fd, _right) = spawn_reader(&runtime, &script, &log);
    runtime.tick().unwrap();
    waits(&script);
    // The wake lies in the inbox when the loop is about to sleep: it must not, and asks nobody.
    let mut has_polled = false;
    let main = poll_fn(|cx| {
        if has_polled {
            return Poll::Ready(());
        }
        has_polled = true;
        let waker = cx.waker().clone();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    });
    runtime.block_on(main).unwrap();
    // The one question is the last tick's, which had no reason to sleep any more.
    assert_eq!(waits(&script), [Deadline::Now]);
}

#[test]
fn step_4_wakes_by_other_threads_without_end_do_not_keep_the_selector_from_being_asked() {
    let (runtime, script, _clock) = scripted_runtime();
    let log = Log::default();
    let (_fd, _right) = spawn_reader(&runtime, &script, &log);
    runtime.tick().unwrap();
    waits(&script);
    let mut polls = 0;
    let main = poll_fn(|cx| {
        polls += 1;
        if polls > 260 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    });
    runtime.block_on(main).unwrap();
    // After 128 polls, after 256, and the last tick's.
    assert_eq!(waits(&script), [Deadline::Now; 3]);
}

#[test]
fn step_4_sleeps_until_the_next_deadline() {
    let script = Script::new();
    let selector = Selector::Scripted(Scripted::with(&script).unwrap());
    // The system's clock: a manual one jumps in place of a sleep.
    let runtime = Builder::new().selector(selector).build().unwrap();
    let hour = Duration::from_secs(3600);
    for length in [3 * hour, hour, 2 * hour] {
        drop(runtime.spawn(sleep(length)));
    }
    let before = runtime.now();
    // The first wait fails, which ends the run.
    script.then(Step::Error(libc::EBADF));
    runtime.block_on(pending::<()>()).unwrap_err();
    let deadlines = waits(&script);
    let [Deadline::At { at, now }] = deadlines[..] else {
        panic!("{deadlines:?}")
    };
    assert!(now >= before && at >= now + hour, "{deadlines:?}");
    assert!(
        at <= now + hour + MS,
        "the earliest of the three: {deadlines:?}"
    );
}

#[test]
fn step_4_is_left_out_while_no_turn_is_due() {
    let (runtime, script, _clock) = scripted_runtime();
    let log = Log::default();
    let (_fd, _right) = spawn_reader(&runtime, &script, &log);
    waits(&script);
    runtime
        .block_on(async {
            // One poll is this one's first.
            for _ in 0..127 {
                yield_now().await;
            }
            assert_eq!(waits(&script), []);
            yield_now().await;
            assert_eq!(waits(&script), [Deadline::Now]);
            yield_to_io().await;
            assert_eq!(waits(&script), [Deadline::Now]);
        })
        .unwrap();
}

#[test]
fn step_1_step_2_step_3_step_4_in_one_golden_order() {
    let (runtime, script, clock) = scripted_runtime();
    let log = Log::default();
    let (fd, right) = spawn_reader(&runtime, &script, &log);
    let remote = spawn_waiter(&runtime, &log, "remote");
    let local = spawn_waiter(&runtime, &log, "local");
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        inner.push("timer");
    }));
    drop(runtime.spawn(async move {
        right.write_all(b"x").await.unwrap();
        pending::<()>().await;
    }));
    runtime.tick().unwrap();
    log.take();
    clock.advance(2 * MS);
    script.then_report(scripted_target(fd), Ready::READABLE);
    wake_remotely(&remote);
    wake(&runtime, &local);
    runtime.tick().unwrap();
    assert_eq!(log.take(), ["local", "remote"], "steps 1 and 2");
    runtime.tick().unwrap();
    assert_eq!(
        log.take(),
        ["timer", "socket"],
        "what steps 3 and 4 have woken"
    );
}
