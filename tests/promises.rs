//! The promises of `docs/promises.md`, each held to its word by a test that begins with its number.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::io::AsyncFd;
use mainspring::net::UnixStream;
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::sim::scripted::{Received, Script, Scripted};
use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{Instant, Sleep, interval, now, sleep, sleep_until, timeout, timeout_at};
use mainspring::{
    BackendKind, Builder, Interest, JoinHandle, Runtime, TaskBuilder, spawn, yield_now, yield_to_io,
};
use mainspring_sys::Selector;
use mainspring_sys::backend::Deadline;

/// Set in the child that a test makes of its own binary.
const CHILD: &str = "MAINSPRING_TEST_CHILD";
/// EIO, the same number everywhere.
const EIO: i32 = 5;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// What happened, in order.
#[derive(Clone)]
struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    fn new() -> Log<T> {
        Log(Rc::new(RefCell::new(Vec::new())))
    }

    fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

/// Logs its drop.
struct LogsDrop(Log<u32>, u32);

impl Drop for LogsDrop {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

fn manual_runtime() -> (Runtime, ManualClock) {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    (
        Builder::new()
            .clock(Clock::Manual(clock.clone()))
            .build()
            .unwrap(),
        clock,
    )
}

/// A loop over a script that is empty: a sleep without end is `TimedOut` instead.
fn scripted_runtime() -> (Runtime, Script) {
    let script = Script::new();
    let selector = Selector::Scripted(Scripted::with(&script).unwrap());
    (Builder::new().selector(selector).build().unwrap(), script)
}

/// What a panic says.
fn message_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_string(),
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs the test `name` of this binary alone, as the child; gives its standard error.
fn run_child(name: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Waits until somebody calls the waker that it puts into `slot`.
async fn wait_in(slot: Rc<RefCell<Option<Waker>>>) {
    let mut has_waited = false;
    poll_fn(move |cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        *slot.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

// ---- Order and fairness

#[test]
fn p01_ready_tasks_run_first_in_first_out() {
    let runtime = Runtime::new().unwrap();
    let log = Log::new();
    for number in 0..50 {
        let log = log.clone();
        drop(runtime.spawn(async move {
            log.push(number);
            yield_now().await;
            log.push(100 + number);
        }));
    }
    runtime.tick().unwrap();
    assert_eq!(log.take(), (0..50).collect::<Vec<u32>>());
    runtime.tick().unwrap();
    assert_eq!(log.take(), (100..150).collect::<Vec<u32>>());
}

#[test]
fn p01_tasks_run_in_the_order_of_their_wakes() {
    sim::run(1, async {
        let log = Log::new();
        let slots: Vec<Rc<RefCell<Option<Waker>>>> = (0..5).map(|_| Rc::default()).collect();
        for (number, slot) in slots.iter().enumerate() {
            let (log, slot) = (log.clone(), Rc::clone(slot));
            drop(spawn(async move {
                wait_in(slot).await;
                log.push(number);
            }));
        }
        yield_now().await;
        for number in [3, 0, 4, 1, 2, 3, 0] {
            slots[number].borrow().as_ref().unwrap().wake_by_ref();
        }
        yield_now().await;
        assert_eq!(log.take(), [3, 0, 4, 1, 2]);
    });
}

#[test]
fn p01_spawn_polls_nothing() {
    sim::run(1, async {
        let has_run = Rc::new(Cell::new(false));
        let handle = spawn({
            let has_run = Rc::clone(&has_run);
            async move { has_run.set(true) }
        });
        assert!(!has_run.get());
        handle.await.unwrap();
        assert!(has_run.get());
    });
}

#[test]
fn p02_a_tick_polls_each_task_of_its_batch_once() {
    let runtime = Runtime::new().unwrap();
    let polls: Rc<[Cell<u32>; 3]> = Rc::default();
    for number in 0..3 {
        let polls = Rc::clone(&polls);
        drop(runtime.spawn(poll_fn(move |cx| {
            polls[number].set(polls[number].get() + 1);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })));
    }
    for tick in 1..=10 {
        assert_eq!(runtime.tick().unwrap().polls, 3);
        assert!(polls.iter().all(|count| count.get() == tick));
    }
}

#[test]
fn p02_what_becomes_ready_meanwhile_runs_in_a_later_tick() {
    let runtime = Runtime::new().unwrap();
    let log = Log::new();
    let inner = log.clone();
    drop(runtime.spawn(async move {
        for number in 1..=3 {
            let log = inner.clone();
            drop(spawn(async move { log.push(number) }));
        }
        inner.push(0);
    }));
    assert_eq!(runtime.tick().unwrap().polls, 1);
    assert_eq!(log.take(), [0]);
    assert_eq!(runtime.tick().unwrap().polls, 3);
    assert_eq!(log.take(), [1, 2, 3]);
}

#[test]
fn p03_ten_wakes_make_one_poll() {
    sim::run(1, async {
        let polls = Rc::new(Cell::new(0));
        let slot = Rc::new(RefCell::new(None::<Waker>));
        let handle = spawn({
            let (polls, slot) = (Rc::clone(&polls), Rc::clone(&slot));
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                *slot.borrow_mut() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
        });
        yield_now().await;
        let waker = slot.borrow().clone().unwrap();
        for _ in 0..5 {
            waker.wake_by_ref();
            let copy = waker.clone();
            copy.wake();
        }
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 2);
        drop((waker, slot.take(), handle));
    });
}

#[test]
fn p03_hz_a19_wakes_during_the_own_poll_make_one_more_poll() {
    for wakes in 1..10 {
        let polls = Rc::new(Cell::new(0));
        let runtime = Runtime::new().unwrap();
        drop(runtime.spawn({
            let polls = Rc::clone(&polls);
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                if polls.get() == 1 {
                    (0..wakes).for_each(|_| cx.waker().wake_by_ref());
                }
                Poll::<()>::Pending
            })
        }));
        for _ in 0..5 {
            runtime.tick().unwrap();
        }
        assert_eq!(polls.get(), 2);
    }
}

/// The most polls of a task that is always ready between two waits of the selector. `step` is what
/// one poll takes.
fn longest_stretch_without_a_wait(step: Duration) -> u32 {
    sim::run(7, async move {
        let (left, _right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0; 8]).await });
        yield_to_io().await;
        let _guard = Plan::new().install();
        let (mut stretch, mut longest, mut seen) = (0, 0, 0);
        poll_fn(|cx| {
            sim::advance(step);
            if count_of(Call::Wait) > seen {
                seen = count_of(Call::Wait);
                longest = longest.max(stretch);
                stretch = 0;
            }
            stretch += 1;
            cx.waker().wake_by_ref();
            if seen < 20 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        reader.abort();
        longest
    })
}

#[test]
fn p04_the_selector_is_asked_once_per_128_polls() {
    assert_eq!(longest_stretch_without_a_wait(Duration::ZERO), 128);
}

#[test]
fn p04_the_selector_is_asked_after_a_millisecond_of_polling() {
    let longest = longest_stretch_without_a_wait(Duration::from_micros(70));
    assert!(longest <= 32, "{longest} polls of 70 us");
}

#[test]
fn p04_a_due_timer_fires_within_128_polls() {
    sim::run(1, async {
        let polls = Rc::new(Cell::new(0));
        let timer = spawn({
            let polls = Rc::clone(&polls);
            async move {
                sleep(MS).await;
                polls.get()
            }
        });
        yield_to_io().await;
        sim::advance(2 * MS);
        while !timer.is_finished() {
            polls.set(polls.get() + 1);
            yield_now().await;
        }
        assert!(timer.await.unwrap() <= 129);
    });
}

#[test]
fn p05_an_idle_loop_makes_one_wait_without_end() {
    let (runtime, script) = scripted_runtime();
    let slot = Rc::new(RefCell::new(None));
    let error = runtime.block_on(wait_in(Rc::clone(&slot))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(
        script.take_received(),
        [Received::Wait {
            deadline: Deadline::Never
        }]
    );
}

#[test]
fn p05_tasks_alone_ask_neither_selector_nor_clock() {
    let runtime = Runtime::new().unwrap();
    let _guard = Plan::new().install();
    runtime
        .block_on(async {
            for _ in 0..1000 {
                yield_now().await;
            }
        })
        .unwrap();
    assert_eq!((count_of(Call::Wait), count_of(Call::ClockGet)), (0, 0));
}

#[test]
fn p06_a_socket_that_is_always_ready_yields() {
    sim::run(1, async {
        let (left, right) = UnixStream::pair().unwrap();
        right.write_all(&[7; 1000]).await.unwrap();
        let reads = Rc::new(Cell::new(0));
        let reader = spawn({
            let reads = Rc::clone(&reads);
            async move {
                for _ in 0..1000 {
                    left.read(&mut [0]).await.unwrap();
                    reads.set(reads.get() + 1);
                }
            }
        });
        let mut rounds = 0;
        while !reader.is_finished() {
            let before = reads.get();
            yield_now().await;
            assert!(reads.get() - before <= 128);
            rounds += 1;
        }
        assert!(rounds >= 1000 / 128);
    });
}

#[test]
fn p07_an_await_of_what_is_ready_costs_no_tick() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.spawn(async {
        ready(()).await;
        async {}.await;
        timeout(Duration::ZERO, async {}).await.unwrap();
        UnixStream::pair().unwrap().0.write_all(b"x").await.unwrap();
    });
    assert_eq!(runtime.tick().unwrap().polls, 1);
    assert!(handle.is_finished());
}

#[test]
fn p07_an_await_of_a_finished_task_costs_no_tick() {
    let runtime = Runtime::new().unwrap();
    let first = runtime.spawn(async { 3 });
    runtime.tick().unwrap();
    let second = runtime.spawn(async { first.await.unwrap() });
    runtime.tick().unwrap();
    assert!(second.is_finished());
}

#[test]
fn p07_spawn_and_join_take_further_ticks() {
    let runtime = Runtime::new().unwrap();
    let outer = runtime.spawn(async { spawn(async {}).await.unwrap() });
    let mut ticks = 0;
    while !outer.is_finished() {
        runtime.tick().unwrap();
        ticks += 1;
    }
    // The spawner, the task, the spawner again.
    assert_eq!(ticks, 3);
}

#[test]
fn p08_yield_to_io_resumes_after_the_selector_was_asked() {
    sim::run(1, async {
        let (left, right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0; 8]).await.unwrap() });
        let timer = spawn(async { sleep(MS).await });
        let busy = spawn(async {
            loop {
                yield_now().await;
            }
        })
        .abort_on_drop();
        yield_to_io().await;
        right.write_all(b"abc").await.unwrap();
        sim::advance(2 * MS);
        let _guard = Plan::new().install();
        yield_to_io().await;
        assert_eq!(count_of(Call::Wait), 1);
        // Both stood in the queue before this task did.
        assert!(reader.is_finished() && timer.is_finished());
        assert_eq!(reader.await.unwrap(), 3);
        drop(busy);
    });
}

// ---- Time

#[test]
fn p09_a_timer_never_fires_early() {
    for seed in 0..200 {
        sim::run(seed, async move {
            let mut word = seed;
            let handles: Vec<JoinHandle<()>> = (0..20)
                .map(|_| {
                    word = word
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_041);
                    // From a nanosecond to half a day.
                    let length = Duration::from_nanos((word >> 18) >> (word % 46));
                    spawn(async move {
                        let start = now();
                        sleep(length).await;
                        assert!(now() - start >= length, "{length:?}");
                        let deadline = now() + length;
                        sleep_until(deadline).await;
                        assert!(now() >= deadline, "{length:?}");
                    })
                })
                .collect();
            for handle in handles {
                handle.await.unwrap();
            }
        });
    }
}

#[test]
fn p10_timers_of_one_instant_fire_in_the_order_they_were_armed() {
    for seed in 0..100 {
        sim::run(seed, async move {
            let log = Log::new();
            let deadline = now() + Duration::from_millis(seed * seed);
            for number in 0..40 {
                let log = log.clone();
                drop(spawn(async move {
                    sleep_until(deadline).await;
                    log.push(number);
                }));
            }
            sleep_until(deadline).await;
            yield_now().await;
            assert_eq!(log.take(), (0..40).collect::<Vec<u32>>());
        });
    }
}

#[test]
fn p10_a_reset_arms_anew() {
    sim::run(3, async {
        let log = Log::new();
        let deadline = now() + 5 * MS;
        let mut first = Box::pin(sleep_until(deadline));
        assert!(poll_once(first.as_mut()).is_pending());
        for number in [1, 2] {
            let log = log.clone();
            drop(spawn(async move {
                sleep_until(deadline).await;
                log.push(number);
            }));
        }
        yield_to_io().await;
        first.as_mut().reset(deadline);
        let inner = log.clone();
        let last = spawn(async move {
            first.await;
            inner.push(3);
        });
        last.await.unwrap();
        assert_eq!(log.take(), [1, 2, 3]);
    });
}

#[test]
fn p10_deadlines_that_come_due_in_one_tick_fire_in_their_order() {
    for seed in 0..100u64 {
        sim::run(seed, async move {
            let log = Log::new();
            let start = now();
            // 97 is prime to 101: each number once, in no order.
            let lengths: Vec<u64> = (1..=100).map(|n| n * 97 % 101 * (1 + seed * 137)).collect();
            for &us in &lengths {
                let log = log.clone();
                drop(spawn(async move {
                    sleep_until(start + Duration::from_micros(us)).await;
                    log.push(us);
                }));
            }
            yield_to_io().await;
            sim::advance(HOUR);
            yield_to_io().await;
            let mut sorted = lengths;
            sorted.sort_unstable();
            assert_eq!(log.take(), sorted);
        });
    }
}

#[test]
fn p11_a_sleep_counts_from_the_next_turn_and_sleep_until_is_exact() {
    sim::run(1, async {
        let start = now();
        let mut lazy = pin!(sleep(10 * MS));
        let mut exact = pin!(sleep_until(start + 10 * MS));
        assert!(poll_once(lazy.as_mut()).is_pending());
        assert!(poll_once(exact.as_mut()).is_pending());
        sim::advance(5 * MS);
        yield_to_io().await;
        assert_eq!(lazy.deadline(), start + 15 * MS);
        assert_eq!(exact.deadline(), start + 10 * MS);
        exact.await;
        assert!(now() >= start + 10 * MS && !lazy.is_elapsed());
        lazy.await;
        assert!(now() >= start + 15 * MS);
    });
}

#[test]
fn p12_the_longest_duration_means_never() {
    sim::run(1, async {
        assert!(timeout(10_000 * HOUR, sleep(Duration::MAX)).await.is_err());
        assert!(
            timeout(10_000 * HOUR, sleep_until(Instant::FAR_FUTURE))
                .await
                .is_err()
        );
        assert!(timeout(Duration::MAX, sleep(HOUR)).await.is_ok());
        let mut interval = interval(Duration::MAX);
        interval.tick().await;
        assert!(timeout(HOUR, interval.tick()).await.is_err());
        assert_eq!(now() + Duration::MAX, Instant::FAR_FUTURE);
    });
}

#[test]
fn p13_a_body_that_is_ready_when_its_time_ends_has_won() {
    sim::run(1, async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        let deadline = now() + 5 * MS;
        let body = async {
            sleep_until(deadline).await;
            2
        };
        assert_eq!(timeout_at(deadline, body).await, Ok(2));
        let both = timeout(5 * MS, async {
            sleep(5 * MS).await;
            3
        });
        assert_eq!(both.await, Ok(3));
        assert!(timeout(Duration::ZERO, sleep(MS)).await.is_err());
    });
}

#[test]
fn p13_of_two_timeouts_the_inner_one_ends_first() {
    sim::run(1, async {
        let deadline = now() + 5 * MS;
        let nested = timeout_at(deadline, timeout_at(deadline, pending::<()>()));
        assert!(nested.await.expect("the outer one has not ended").is_err());
    });
}

// ---- Cancellation

#[test]
fn p14_a_dropped_read_takes_no_bytes() {
    sim::run(1, async {
        let (left, right) = UnixStream::pair().unwrap();
        for _ in 0..10 {
            assert!(timeout(MS, left.read(&mut [0; 8])).await.is_err());
        }
        let mut buf = [0; 8];
        {
            let mut read = pin!(left.read(&mut buf));
            assert!(poll_once(read.as_mut()).is_pending());
            right.write_all(b"whole").await.unwrap();
            yield_to_io().await;
            // Woken, and dropped before it was polled again.
        }
        assert_eq!(left.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"whole");
    });
}

#[test]
fn p14_a_dropped_sleep_fires_nothing() {
    let (runtime, clock) = manual_runtime();
    let handle = runtime.spawn(async {
        let mut kept = pin!(sleep(MS));
        {
            let mut dropped = pin!(sleep(MS));
            poll_fn(|cx| {
                assert!(dropped.as_mut().poll(cx).is_pending());
                assert!(kept.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            yield_to_io().await;
        }
        kept.await;
    });
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    clock.advance(HOUR);
    assert_eq!(runtime.tick().unwrap().timers, 1);
    runtime.tick().unwrap();
    assert!(handle.is_finished());
}

#[test]
fn p15_abort_drops_the_future_but_not_inside_the_caller() {
    sim::run(1, async {
        let log = Log::new();
        let guard = LogsDrop(log.clone(), 1);
        let handle = spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        yield_now().await;
        handle.abort();
        handle.abort();
        assert!(log.take().is_empty() && !handle.is_finished());
        yield_now().await;
        assert_eq!(log.take(), [1]);
        handle.abort();
        assert!(handle.await.unwrap_err().is_aborted());
        assert!(log.take().is_empty());
    });
}

#[test]
fn p15_a_task_aborted_before_its_first_poll_never_runs() {
    sim::run(1, async {
        let has_run = Rc::new(Cell::new(false));
        let log = Log::new();
        let handle = spawn({
            let (has_run, guard) = (Rc::clone(&has_run), LogsDrop(log.clone(), 1));
            async move {
                has_run.set(true);
                drop(guard);
            }
        });
        handle.abort();
        assert!(log.take().is_empty());
        assert!(handle.await.unwrap_err().is_aborted());
        assert!(!has_run.get());
        assert_eq!(log.take(), [1], "what it captured is dropped");
    });
}

#[test]
fn p15_a_task_may_abort_itself_and_ends_after_its_poll() {
    sim::run(1, async {
        let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
        let log = Log::new();
        let handle = spawn({
            let (own, log) = (Rc::clone(&own), log.clone());
            async move {
                let _guard = LogsDrop(log.clone(), 2);
                own.borrow().as_ref().unwrap().abort();
                own.borrow().as_ref().unwrap().abort();
                log.push(1);
                pending::<()>().await;
            }
        });
        *own.borrow_mut() = Some(handle);
        yield_now().await;
        yield_now().await;
        assert_eq!(log.take(), [1, 2]);
        let handle = own.borrow_mut().take().unwrap();
        assert!(handle.await.unwrap_err().is_aborted());
    });
}

#[test]
fn p15_an_abort_that_comes_late_takes_no_output() {
    sim::run(1, async {
        let handle = spawn(async { 5 });
        yield_now().await;
        handle.abort();
        assert_eq!(handle.await.unwrap(), 5);
    });
}

#[test]
fn p16_dropping_a_handle_detaches_and_abort_on_drop_aborts() {
    sim::run(1, async {
        let log = Log::new();
        let task = |number| {
            let log = log.clone();
            async move {
                sleep(MS).await;
                log.push(number);
            }
        };
        drop(spawn(task(1)));
        drop(spawn(task(2)).abort_on_drop());
        drop(spawn(task(3)).abort_on_drop().detach());
        assert!(spawn(task(4)).abort_on_drop().await.is_ok());
        sleep(5 * MS).await;
        assert_eq!(log.take(), [1, 3, 4]);
    });
}

#[test]
fn p17_waiters_are_woken_in_the_order_they_came() {
    sim::run(1, async {
        let (left, mut right) = std::os::unix::net::UnixStream::pair().unwrap();
        left.set_nonblocking(true).unwrap();
        let fd = Rc::new(AsyncFd::new(left).unwrap());
        let blocked = fd.try_io(Interest::READ, |mut inner| {
            io::Read::read(&mut inner, &mut [0])
        });
        assert_eq!(blocked.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let log = Log::new();
        for number in 0..10 {
            let (fd, log) = (Rc::clone(&fd), log.clone());
            drop(spawn(async move {
                fd.readable().await.unwrap();
                log.push(number);
            }));
        }
        yield_to_io().await;
        assert!(log.take().is_empty());
        io::Write::write_all(&mut right, b"x").unwrap();
        yield_to_io().await;
        yield_now().await;
        assert_eq!(log.take(), (0..10).collect::<Vec<u32>>());
    });
}

// ---- Failure

#[test]
fn p18_a_panic_comes_out_at_the_join() {
    sim::run(1, async {
        let other = spawn(async {
            sleep(MS).await;
            1
        });
        let place = "here".to_string();
        let error = spawn(async move { panic!("broken in {place}") })
            .await
            .unwrap_err();
        assert!(error.is_panic() && !error.is_aborted());
        assert_eq!(error.to_string(), "the task panicked: broken in here");
        let payload = error.into_panic().unwrap();
        assert_eq!(*payload.downcast::<String>().unwrap(), "broken in here");
        assert_eq!(other.await.unwrap(), 1);
    });
}

#[test]
fn p18_a_panic_that_nobody_awaits_is_one_line_on_standard_error() {
    if is_child() {
        return sim::run(1, async {
            // Before the panic, after it, and as the handle is dropped with its task finished.
            drop(
                TaskBuilder::new()
                    .name("early")
                    .spawn(async { panic!("first message") }),
            );
            let late = TaskBuilder::new()
                .name("late")
                .spawn(async { panic!("second message") });
            yield_now().await;
            drop(late);
            let awaited = TaskBuilder::new()
                .name("awaited")
                .spawn(async { panic!("third") });
            assert!(awaited.await.is_err());
        });
    }
    let text = run_child("p18_a_panic_that_nobody_awaits_is_one_line_on_standard_error");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("mainspring: "))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, (name, message)) in lines
        .iter()
        .zip([("early", "first message"), ("late", "second message")])
    {
        assert!(line.contains(message), "{line}");
        if cfg!(feature = "inspect") {
            assert!(
                line.contains(name) && line.contains("promises.rs:"),
                "{line}"
            );
        }
    }
}

#[test]
fn p19_a_panic_of_the_main_future_comes_out_of_run() {
    let log = Log::new();
    let guard = LogsDrop(log.clone(), 1);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        mainspring::run(async {
            let _guard = guard;
            yield_now().await;
            panic_any(42u8);
        })
    }));
    assert_eq!(*payload.unwrap_err().downcast::<u8>().unwrap(), 42);
    assert_eq!(log.take(), [1]);
}

#[test]
fn p19_a_runtime_is_usable_after_a_panic() {
    let (runtime, _clock) = manual_runtime();
    let task = runtime.spawn(async {
        sleep(MS).await;
        7
    });
    assert_eq!(
        message_of(|| runtime.block_on(async { panic!("main") }).unwrap()),
        "main"
    );
    assert_eq!(runtime.block_on(task).unwrap().unwrap(), 7);
}

#[test]
fn p20_errors_keep_the_kernels_number() {
    sim::run(1, async {
        let (left, right) = UnixStream::pair().unwrap();
        let plan = Plan::new().at(Call::Recv, 1, Fault::Errno(EIO));
        let _guard = plan.at(Call::Send, 1, Fault::Errno(EIO)).install();
        assert_eq!(
            left.read(&mut [0]).await.unwrap_err().raw_os_error(),
            Some(EIO)
        );
        assert_eq!(
            right.write(b"x").await.unwrap_err().raw_os_error(),
            Some(EIO)
        );
        assert_eq!(right.write(b"x").await.unwrap(), 1);
        assert_eq!(left.read(&mut [0]).await.unwrap(), 1);
    });
}

#[test]
fn p20_a_failed_wait_comes_out_of_block_on() {
    let runtime = Runtime::new().unwrap();
    let guard = Plan::new().at(Call::Wait, 1, Fault::Errno(EIO)).install();
    let error = runtime.block_on(async { sleep(MS).await }).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EIO));
    drop(guard);
    runtime.block_on(async { sleep(MS).await }).unwrap();
}

#[test]
fn p21_a_deadlock_is_a_panic_that_says_who_waits_for_whom() {
    let text = message_of(|| {
        sim::run(1, async {
            let stuck = TaskBuilder::new().name("stuck").spawn(pending::<()>());
            let worker = TaskBuilder::new().name("worker").spawn(stuck);
            drop(
                TaskBuilder::new()
                    .name("sleeper")
                    .spawn(sleep(Duration::MAX)),
            );
            let _ = worker.await;
        });
    });
    assert!(text.starts_with("deadlock: "), "{text}");
    assert!(text.contains("a timer that never fires"), "{text}");
    assert_eq!(
        text.matches("waits for the end of task").count(),
        2,
        "{text}"
    );
    if cfg!(feature = "inspect") {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.contains("\"worker\"") && !line.contains("waits"));
        let edge = lines[at.expect("the worker has a line") + 1];
        assert!(
            edge.contains("waits for the end of task") && edge.contains("\"stuck\""),
            "{text}"
        );
        assert!(
            text.contains("\"sleeper\"") && text.contains("promises.rs:"),
            "{text}"
        );
    }
}

#[test]
fn p21_tasks_that_await_each_other_are_a_deadlock() {
    let runtime = Runtime::new().unwrap();
    let text = message_of(|| {
        let _ = runtime.block_on(async {
            let slot = Rc::new(RefCell::new(None::<JoinHandle<()>>));
            let inner = Rc::clone(&slot);
            let one = spawn(async move {
                let other = inner.borrow_mut().take().unwrap();
                let _ = other.await;
            });
            *slot.borrow_mut() = Some(spawn(async move { drop(one.await) }));
            pending::<()>().await;
        });
    });
    assert!(text.starts_with("deadlock: "), "{text}");
    // Once for each of them, and once more in the circle.
    let (list, circle) = text.split_once("\nin a circle: ").unwrap();
    for part in [list, circle] {
        assert_eq!(
            part.matches("waits for the end of task").count(),
            2,
            "{text}"
        );
    }
    // The panic has changed nothing: the two still wait, the loop still runs.
    assert_eq!(
        runtime
            .block_on(async { spawn(async { 1 }).await.unwrap() })
            .unwrap(),
        1
    );
}

/// Whether `block_on` went to sleep, where it would panic if it was sure.
fn sleeps(main: impl Future, runtime: &Runtime) -> bool {
    matches!(runtime.block_on(main), Err(error) if error.kind() == io::ErrorKind::TimedOut)
}

#[test]
fn p22_an_unknown_waker_means_sleep() {
    let (runtime, _script) = scripted_runtime();
    let slot = Rc::new(RefCell::new(None));
    drop(runtime.spawn(wait_in(Rc::clone(&slot))));
    assert!(sleeps(pending::<()>(), &runtime));
    // Dropped while the loop is entered: then it is known that no copy is left.
    let text = message_of(|| {
        let _ = runtime.block_on(async {
            drop(slot.take());
            pending::<()>().await;
        });
    });
    assert!(text.starts_with("deadlock: "), "{text}");
}

/// The waker in a join slot is known only as long as its task can wait.
#[test]
fn p22_a_joiner_that_has_gone_hides_no_unknown_waker() {
    for joins_from_another_loop in [false, true] {
        let (runtime, _script) = scripted_runtime();
        let slot = Rc::new(RefCell::new(None));
        drop(runtime.spawn(wait_in(Rc::clone(&slot))));
        let mut joined = runtime.spawn(pending::<()>());
        runtime.tick().unwrap();
        // Another loop's task that waits on, or a main future that has ended.
        let other = Runtime::new().unwrap();
        let join_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut joined).poll(cx).is_pending()));
        if joins_from_another_loop {
            drop(other.spawn(joined));
            other.tick().unwrap();
        } else {
            assert!(runtime.block_on(join_once).unwrap());
        }
        assert!(
            sleeps(pending::<()>(), &runtime),
            "{joins_from_another_loop}"
        );
        let text = message_of(|| {
            let _ = runtime.block_on(async {
                drop(slot.take());
                pending::<()>().await;
            });
        });
        assert!(text.starts_with("deadlock: "), "{text}");
    }
}

#[test]
fn p22_a_handle_means_sleep() {
    let (runtime, _script) = scripted_runtime();
    let handle = runtime.handle();
    let second = handle.clone();
    assert!(sleeps(pending::<()>(), &runtime));
    drop(handle);
    assert!(sleeps(pending::<()>(), &runtime));
    drop(second);
    assert!(message_of(|| drop(runtime.block_on(pending::<()>()))).starts_with("deadlock: "));
}

#[test]
fn p22_a_waiter_on_a_descriptor_means_sleep() {
    let (runtime, _script) = scripted_runtime();
    let (left, _right) = UnixStream::pair().unwrap();
    assert!(sleeps(async { left.read(&mut [0]).await }, &runtime));
    // Registered still, but nobody waits.
    assert!(message_of(|| drop(runtime.block_on(pending::<()>()))).starts_with("deadlock: "));
}

#[test]
fn p22_a_waker_on_another_thread_wakes_the_loop() {
    for _ in 0..100 {
        mainspring::run(async {
            let mut thread = None;
            poll_fn(|cx| match thread {
                None => {
                    let waker = cx.waker().clone();
                    thread = Some(std::thread::spawn(move || waker.wake()));
                    Poll::Pending
                }
                Some(_) => Poll::Ready(()),
            })
            .await;
            thread.unwrap().join().unwrap();
        })
        .unwrap();
    }
}

#[test]
fn p22_tick_never_panics_for_a_deadlock() {
    let (runtime, _script) = scripted_runtime();
    drop(runtime.spawn(pending::<()>()));
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    assert_eq!(
        runtime.tick_blocking().unwrap_err().kind(),
        io::ErrorKind::TimedOut
    );
}

#[test]
fn p23_hz_a23_misuse_panics_in_one_sentence_and_changes_nothing() {
    let runtime = Rc::new(Runtime::new().unwrap());
    let inner = Rc::clone(&runtime);
    let (left, right) = UnixStream::pair().unwrap();
    let total = runtime.block_on(async move {
        let other = Runtime::new().unwrap();
        let timer = spawn(async { sleep(MS).await });
        let reader = spawn(async move { left.read(&mut [0; 8]).await.unwrap() });
        yield_now().await;
        let texts = [
            message_of(|| drop(mainspring::run(async {}))),
            message_of(|| drop(inner.block_on(async {}))),
            message_of(|| drop(other.block_on(async {}))),
            message_of(|| drop(inner.tick())),
            message_of(|| drop(other.tick())),
            message_of(|| drop(other.tick_blocking())),
            message_of(|| drop(inner.enter())),
            message_of(|| drop(other)),
        ];
        for text in texts {
            assert!(
                text.contains("inside a running loop") && !text.contains('\n'),
                "{text}"
            );
        }
        right.write_all(b"abc").await.unwrap();
        timer.await.unwrap();
        reader.await.unwrap() + spawn(async { 4 }).await.unwrap()
    });
    assert_eq!(total.unwrap(), 7);
    runtime.tick().unwrap();
}

/// A waker of nobody's runtime: calls what its thread keeps for it.
struct Foreign(u32);

thread_local! {
    static ON_WAKE: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
    static ON_DROP: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
    static PANICS_AT: Cell<Option<u32>> = const { Cell::new(None) };
    static FOREIGN_WAKES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        FOREIGN_WAKES.with(|wakes| wakes.borrow_mut().push(self.0));
        if PANICS_AT.with(Cell::get) == Some(self.0) {
            PANICS_AT.with(|at| at.set(None));
            panic!("in a foreign waker");
        }
        let actions = ON_WAKE.with(RefCell::take);
        actions.into_iter().for_each(|action| action());
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let actions = ON_DROP.with(RefCell::take);
        actions.into_iter().for_each(|action| action());
    }
}

fn foreign(number: u32) -> Waker {
    Waker::from(Arc::new(Foreign(number)))
}

/// A sleep that waits with a foreign waker.
fn armed(deadline: Instant, waker: &Waker) -> Pin<Box<Sleep>> {
    let mut sleep = Box::pin(sleep_until(deadline));
    assert!(
        sleep
            .as_mut()
            .poll(&mut Context::from_waker(waker))
            .is_pending()
    );
    sleep
}

#[test]
fn p24_hz_a11_foreign_wakers_may_use_the_loop() {
    for hook in [&ON_WAKE, &ON_DROP] {
        sim::run(1, async {
            let deadline = now() + 5 * MS;
            let first = armed(deadline, &foreign(1));
            let victim = armed(deadline, Waker::noop());
            let mut moved = armed(deadline, Waker::noop());
            let (left, right) = UnixStream::pair().unwrap();
            let reader = spawn(async move { drop(left.read(&mut [0]).await) });
            let aborted = spawn(pending::<()>());
            yield_to_io().await;
            let log = Log::new();
            let inner = log.clone();
            let later = deadline + HOUR;
            hook.with(|hook| {
                hook.borrow_mut().push(Box::new(move || {
                    drop(victim);
                    moved.as_mut().reset(later);
                    aborted.abort();
                    drop(spawn(async move {
                        moved.await;
                        inner.push(u32::from(aborted.await.unwrap_err().is_aborted()));
                    }));
                    drop(right);
                }));
            });
            sleep_until(deadline + MS).await;
            assert!(first.is_elapsed());
            drop(first);
            reader.await.unwrap();
            sleep_until(later + MS).await;
            assert_eq!(log.take(), [1]);
        });
    }
}

#[test]
fn p24_hz_a10_a_panic_in_a_foreign_waker_stays_there() {
    for victim in 0..20 {
        sim::run(1, async {
            let deadline = now() + 5 * MS;
            let sleeps: Vec<_> = (0..20)
                .map(|number| armed(deadline, &foreign(number)))
                .collect();
            PANICS_AT.with(|at| at.set(Some(victim)));
            sleep_until(deadline + MS).await;
            assert_eq!(PANICS_AT.with(Cell::take), None, "it panicked once");
            let woken = FOREIGN_WAKES.with(RefCell::take);
            assert_eq!(woken, (0..20).collect::<Vec<u32>>());
            assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
        });
    }
}

#[test]
fn p24_hz_a12_destructors_may_use_the_loop() {
    struct Busy(Log<u32>);
    impl Drop for Busy {
        fn drop(&mut self) {
            let log = self.0.clone();
            drop(spawn(async move {
                sleep(MS).await;
                log.push(1);
            }));
            let (left, _right) = UnixStream::pair().unwrap();
            let _ = poll_once(pin!(left.read(&mut [0])));
            let _ = poll_once(pin!(sleep(MS)));
        }
    }
    sim::run(1, async {
        let log = Log::new();
        let busy = Busy(log.clone());
        let handle = spawn(async move {
            let _busy = busy;
            pending::<()>().await;
        });
        yield_now().await;
        handle.abort();
        assert!(handle.await.is_err());
        sleep(5 * MS).await;
        assert_eq!(log.take(), [1]);
    });
}

// ---- The end

#[test]
fn p25_run_aborts_the_rest() {
    let log = Log::new();
    let guard = LogsDrop(log.clone(), 1);
    mainspring::run(async {
        drop(spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
    })
    .unwrap();
    assert_eq!(log.take(), [1]);
}

#[test]
fn p25_block_on_leaves_the_rest_for_the_next_call() {
    let (runtime, _clock) = manual_runtime();
    let mut handle = None;
    runtime
        .block_on(async {
            handle = Some(spawn(async {
                sleep(MS).await;
                9
            }));
        })
        .unwrap();
    let handle = handle.unwrap();
    assert!(!handle.is_finished());
    assert_eq!(runtime.block_on(handle).unwrap().unwrap(), 9);
}

#[test]
fn p26_a_runtime_drops_its_tasks_in_spawn_order_with_the_loop_current() {
    struct Last(Log<u32>, u32);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.push(self.1);
            assert!(mainspring::current_handle().is_ok());
            let refused = spawn(LogsLater(LogsDrop(self.0.clone(), 100 + self.1)));
            assert!(refused.is_finished());
            let Poll::Ready(Err(error)) = poll_once(pin!(refused)) else {
                panic!("not refused")
            };
            assert!(error.is_aborted());
            assert!(self.1 != 2, "a panic in a destructor");
        }
    }
    struct LogsLater(#[expect(dead_code, reason = "held for its drop")] LogsDrop);
    impl Future for LogsLater {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("a refused task ran")
        }
    }
    let runtime = Runtime::new().unwrap();
    let log = Log::new();
    for number in 0..5 {
        let last = Last(log.clone(), number);
        drop(runtime.spawn(async move {
            let _last = last;
            pending::<()>().await;
        }));
    }
    runtime.tick().unwrap();
    drop(runtime);
    assert_eq!(log.take(), [0, 100, 1, 101, 2, 102, 3, 103, 4, 104]);
}

#[test]
fn p27_what_outlives_its_loop_says_so() {
    let runtime = Runtime::new().unwrap();
    let (left, right) = UnixStream::pair().unwrap();
    let handle = runtime.handle();
    let mut buf = [0; 8];
    let mut under_way = Box::pin(left.read(&mut buf));
    let mut asleep = Box::pin(sleep(MS));
    {
        let _entered = runtime.enter();
        assert!(poll_once(under_way.as_mut()).is_pending());
        assert!(poll_once(asleep.as_mut()).is_pending());
    }
    drop(runtime);
    let is_gone = |error: io::Error| {
        error.kind() == io::ErrorKind::NotConnected && error.to_string() == "the loop is gone"
    };
    let Poll::Ready(Err(error)) = poll_once(under_way.as_mut()) else {
        panic!("it hangs")
    };
    assert!(is_gone(error));
    assert!(
        message_of(|| assert!(poll_once(asleep.as_mut()).is_pending()))
            .contains("after its loop was gone")
    );
    assert!(handle.is_closed());
    assert!(handle.spawn(async { 1 }).is_err());
    drop(under_way);
    // Nor does another loop take it over.
    mainspring::run(async {
        assert!(is_gone(left.read(&mut [0]).await.unwrap_err()));
        assert_eq!(
            right.write(b"x").await.unwrap(),
            1,
            "it was never registered"
        );
    })
    .unwrap();
}

#[test]
fn p28_wakers_are_good_on_any_thread_for_ever() {
    let runtime = Runtime::new().unwrap();
    let slot = Rc::new(RefCell::new(None::<Waker>));
    let drops = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let counts = Counts(Arc::clone(&drops));
    let inner = Rc::clone(&slot);
    drop(runtime.spawn(async move {
        let _counts = counts;
        wait_in(inner).await;
    }));
    runtime.tick().unwrap();
    let waker = slot.take().unwrap();
    let use_it = |waker: Waker| {
        std::thread::spawn(move || {
            let copy = waker.clone();
            copy.wake();
            waker.wake_by_ref();
            drop(waker);
        })
        .join()
        .unwrap();
    };
    use_it(waker.clone());
    assert_eq!(runtime.tick().unwrap().polls, 1);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    // The task is done, then the loop is gone.
    use_it(waker.clone());
    waker.wake_by_ref();
    assert_eq!(runtime.tick().unwrap().polls, 0);
    drop(runtime);
    use_it(waker.clone());
    waker.wake();
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn p29_shutdown_lets_tasks_end_within_its_limit() {
    for (limit, all_ended) in [(2 * HOUR, true), (MS, false), (Duration::ZERO, false)] {
        let (runtime, clock) = manual_runtime();
        let start = clock.now();
        let log = Log::new();
        let guard = LogsDrop(log.clone(), 2);
        let inner = log.clone();
        drop(runtime.spawn(async move {
            let _guard = guard;
            sleep(HOUR).await;
            inner.push(1);
        }));
        assert_eq!(runtime.shutdown(limit).unwrap(), all_ended);
        assert_eq!(log.take(), if all_ended { vec![1, 2] } else { vec![2] });
        assert!(clock.now() - start <= HOUR + MS);
    }
}

// ---- Neighbours

#[test]
fn p30_no_thread_is_started_without_a_job() {
    let count = || {
        std::fs::read_dir("/proc/self/task")
            .map(Iterator::count)
            .ok()
    };
    if !is_child() {
        // Alone in its process: other tests have threads of their own.
        run_child("p30_no_thread_is_started_without_a_job");
        return;
    }
    let before = count();
    mainspring::run(async move {
        let (left, right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0]).await.unwrap() });
        sleep(MS).await;
        right.write_all(b"x").await.unwrap();
        reader.await.unwrap();
        assert_eq!(count(), before);
    })
    .unwrap();
    assert_eq!(count(), before);
}

/// Whether a selector reports `fd` as readable.
fn is_readable(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    let fd = AsyncFd::new(fd.try_clone_to_owned().unwrap()).unwrap();
    let outer = Builder::new().backend(BackendKind::Poll).build().unwrap();
    outer
        .block_on(async {
            let would_block = || io::Error::from(io::ErrorKind::WouldBlock);
            assert!(
                fd.try_io(Interest::READ, |_| Err::<(), _>(would_block()))
                    .is_err()
            );
            let mut readable = pin!(fd.readable());
            let is_pending = poll_once(readable.as_mut()).is_pending();
            yield_to_io().await;
            !is_pending || poll_once(readable.as_mut()).is_ready()
        })
        .unwrap()
}

#[test]
fn p31_a_foreign_wake_makes_the_selector_readable_once() {
    let runtime = Runtime::new().unwrap();
    let slot = Rc::new(RefCell::new(None));
    let task = runtime.spawn(wait_in(Rc::clone(&slot)));
    runtime.tick().unwrap();
    let Some(fd) = runtime.selector_fd() else {
        assert_eq!(runtime.backend_name(), "poll");
        return;
    };
    runtime.tick().unwrap();
    assert!(!is_readable(fd));
    let waker = slot.take().unwrap();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert!(is_readable(fd));
    while !task.is_finished() {
        runtime.tick().unwrap();
    }
    runtime.tick().unwrap();
    assert!(!is_readable(fd));
    // So does a wake on this thread, for the loop is not entered.
    drop(runtime.spawn(async {}));
    assert!(is_readable(fd));
}

#[test]
fn p31_next_deadline_says_how_long_the_loop_has_nothing_to_do() {
    let (runtime, clock) = manual_runtime();
    assert_eq!(runtime.next_deadline(), None);
    let start = clock.now();
    drop(runtime.spawn(async move { sleep_until(start + HOUR).await }));
    assert_eq!(runtime.next_deadline(), Some(start), "a task is ready");
    runtime.tick().unwrap();
    let deadline = runtime.next_deadline().unwrap();
    assert!(
        deadline > start && deadline <= start + HOUR + MS,
        "{deadline:?}"
    );
    while let Some(deadline) = runtime.next_deadline() {
        clock.set(deadline.max(clock.now()));
        runtime.tick().unwrap();
    }
    assert!(clock.now() >= start + HOUR && clock.now() <= start + HOUR + MS);
    drop(runtime.spawn(sleep(Duration::MAX)));
    runtime.tick().unwrap();
    assert_eq!(runtime.next_deadline(), None);
}
