//! What goes wrong with timers, clocks and wakes that must not be lost, each hazard by its id.
#![cfg(feature = "sim")]
#![allow(
    clippy::type_complexity,
    reason = "a test's own bookkeeping, named where it stands"
)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::io::AsyncFd;
use mainspring::net::{TcpListener, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::sim::scripted::{Received, Script, Scripted, Step};
use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{
    Instant, Interval, MissedTick, Sleep, interval, interval_at, now, sleep, sleep_until, timeout,
    timeout_at,
};
use mainspring::{Builder, JoinHandle, Runtime, spawn, yield_now, yield_to_io};
use mainspring_sys::Selector;
use mainspring_sys::backend::Deadline;

const NS: Duration = Duration::from_nanos(1);
const US: Duration = Duration::from_micros(1);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(86_400 * 365);
/// A timer may be this late: one step of the wheel.
const STEP: Duration = Duration::from_nanos(1 << 19);
/// A wake that takes longer than this is lost.
const LOST: Duration = Duration::from_secs(10);

const EINTR: i32 = 4;
const EBADF: i32 = 9;

fn runtime_at(start: Instant) -> (Runtime, ManualClock) {
    let clock = ManualClock::starting_at(start);
    (
        Builder::new()
            .clock(Clock::Manual(clock.clone()))
            .build()
            .unwrap(),
        clock,
    )
}

fn manual_runtime() -> (Runtime, ManualClock) {
    runtime_at(Instant::from_ns(10_000_000_000))
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn message_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_string(),
    }
}

/// Lengths at which something overflows somewhere.
fn odd_lengths() -> Vec<Duration> {
    let day_24_8 = Duration::from_millis(i32::MAX as u64);
    let day_49_7 = Duration::from_millis(u64::from(u32::MAX));
    let mut lengths = vec![
        Duration::ZERO,
        NS,
        999 * US,
        MS - NS,
        25 * DAY,
        50 * DAY,
        300 * YEAR,
    ];
    for edge in [day_24_8, day_49_7, Duration::from_nanos(i64::MAX as u64)] {
        lengths.extend([edge - MS, edge - NS, edge, edge + NS, edge + MS]);
    }
    lengths
}

/// Lengths that are never: 2^64 ns and more.
fn endless_lengths() -> [Duration; 4] {
    let most = Duration::from_nanos(u64::MAX);
    [Duration::MAX, most, most + NS, Duration::MAX - NS]
}

// ---- Group B: timers and clocks

/// One wait of `length`, of one kind of five.
async fn wait_for(kind: usize, length: Duration) {
    let start = now();
    match kind {
        0 => sleep(length).await,
        1 => sleep_until(start + length).await,
        2 => assert!(timeout(length, pending::<()>()).await.is_err()),
        3 => assert!(timeout_at(start + length, pending::<()>()).await.is_err()),
        _ => {
            let mut moved = pin!(sleep(HOUR));
            assert!(poll_once(moved.as_mut()).is_pending());
            moved.as_mut().reset_after(length);
            moved.await;
        }
    }
}

#[test]
fn hz_b01_odd_lengths_are_exact_everywhere() {
    for (seed, length) in (0..).zip(odd_lengths()) {
        for kind in 0..5 {
            let slept = sim::run(seed, async {
                let start = now();
                wait_for(kind, length).await;
                now() - start
            });
            assert!(
                slept >= length && slept <= length + STEP,
                "{kind}: {length:?}, {slept:?}"
            );
        }
    }
}

#[test]
fn hz_b01_a_reset_is_exact_whatever_the_sleep_was_before() {
    for case in 0..16 {
        let (was_delay, becomes_delay, stage) = (case & 1 == 0, case & 2 == 0, case >> 2);
        let waited = sim::run(1, async move {
            let mut moved = pin!(if was_delay {
                sleep(5 * MS)
            } else {
                sleep_until(now() + 5 * MS)
            });
            // Never polled; polled; seen by a turn; fired.
            if stage > 0 {
                assert!(poll_once(moved.as_mut()).is_pending());
            }
            if stage == 2 {
                yield_to_io().await;
            }
            if stage == 3 {
                moved.as_mut().await;
            }
            let start = now();
            if becomes_delay {
                moved.as_mut().reset_after(SECOND);
            } else {
                moved.as_mut().reset(start + SECOND);
            }
            moved.await;
            now() - start
        });
        assert!(
            waited >= SECOND && waited <= SECOND + STEP,
            "case {case}: {waited:?}"
        );
    }
}

#[test]
fn hz_b01_endless_lengths_are_never_and_overflow_nothing() {
    for length in endless_lengths() {
        sim::run(1, async {
            let hundred_years = 100 * YEAR;
            assert!(timeout(hundred_years, sleep(length)).await.is_err());
            assert!(
                timeout(hundred_years, sleep_until(now() + length))
                    .await
                    .is_err()
            );
            assert!(timeout(length, sleep(HOUR)).await.is_ok());
            assert!(timeout_at(now() + length, sleep(HOUR)).await.is_ok());
            let mut moved = pin!(sleep(MS));
            assert!(poll_once(moved.as_mut()).is_pending());
            moved.as_mut().reset_after(length);
            assert!(timeout(HOUR, moved.as_mut()).await.is_err());
            moved.as_mut().reset(now() + length);
            assert!(timeout(HOUR, moved.as_mut()).await.is_err());
            for policy in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
                let mut interval = interval(length).missed_tick(policy);
                interval.tick().await;
                assert!(timeout(HOUR, interval.tick()).await.is_err());
                interval.reset();
                assert!(timeout(HOUR, interval.tick()).await.is_err());
            }
        });
    }
}

/// The deadlines that the selector is given while a sleep of `length` waits, by the system's clock.
fn deadline_of_wait(length: Duration) -> Deadline {
    let script = Script::new();
    let selector = Selector::Scripted(Scripted::with(&script).unwrap());
    let runtime = Builder::new().selector(selector).build().unwrap();
    // With a handle about, a sleep for ever is no deadlock. The first wait fails, which ends the run.
    let _handle = runtime.handle();
    script.then(Step::Error(libc::EBADF));
    runtime.block_on(sleep(length)).unwrap_err();
    match script.take_received()[..] {
        [Received::Wait { deadline }] => deadline,
        ref received => panic!("{received:?}"),
    }
}

#[test]
fn hz_b02_far_deadlines_reach_the_selector_whole() {
    for length in [25 * DAY, 50 * DAY, 300 * YEAR] {
        let Deadline::At { at, now } = deadline_of_wait(length) else {
            panic!("{length:?}")
        };
        assert_eq!(at, now + length);
    }
    assert_eq!(deadline_of_wait(Duration::MAX), Deadline::Never);
}

#[test]
fn hz_b02_far_deadlines_sleep_in_the_real_selector() {
    for length in [25 * DAY, 50 * DAY, 300 * YEAR, Duration::MAX] {
        mainspring::run(async {
            let far = spawn(sleep(length)).abort_on_drop();
            yield_to_io().await;
            let _guard = Plan::new().install();
            // Long enough for a selector that took the far deadline for a near one.
            sleep(5 * MS).await;
            assert!(
                count_of(Call::Wait) <= 2,
                "{} waits: a spin",
                count_of(Call::Wait)
            );
            assert!(!far.handle().is_finished());
        })
        .unwrap();
    }
}

#[test]
fn hz_b03_a_sleep_is_one_wait_of_the_selector() {
    mainspring::run(async {
        for us in [100, 900, 1000, 1500, 9980] {
            let _guard = Plan::new().install();
            sleep(us * US).await;
            assert!(
                count_of(Call::Wait) <= 2,
                "{us} us: {} waits",
                count_of(Call::Wait)
            );
        }
    })
    .unwrap();
}

#[test]
fn hz_b04_no_sleep_is_early_by_the_systems_clock() {
    mainspring::run(async {
        let handles: Vec<JoinHandle<()>> = (0..1000)
            .map(|number| {
                let length = Duration::from_nanos(number * 7919 % 20_000_000);
                spawn(async move {
                    let start = now();
                    sleep(length).await;
                    assert!(now() - start >= length, "{length:?}");
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
    })
    .unwrap();
}

#[test]
fn hz_b04_a_deadline_a_nanosecond_ahead_has_not_come() {
    let (runtime, clock) = manual_runtime();
    for offset in (0..2000).map(|number| number * 997) {
        let deadline = clock.now() + Duration::from_nanos(offset) + NS;
        let handle = runtime.spawn(sleep_until(deadline));
        assert_eq!(runtime.tick().unwrap().timers, 0);
        clock.set(Instant::from_ns(deadline.as_ns() - 1));
        assert_eq!(runtime.tick().unwrap().timers, 0, "a nanosecond early");
        clock.set(deadline);
        assert_eq!(runtime.tick().unwrap().timers, 1);
        runtime.tick().unwrap();
        assert!(handle.is_finished());
    }
}

#[test]
fn hz_b05_a_zero_timer_that_rearms_itself_starves_nobody() {
    sim::run(1, async {
        let rounds = Rc::new(Cell::new(0));
        let storms: Vec<_> = (0..3)
            .map(|_| {
                let rounds = Rc::clone(&rounds);
                spawn(async move {
                    loop {
                        sleep(Duration::ZERO).await;
                        rounds.set(rounds.get() + 1);
                    }
                })
                .abort_on_drop()
            })
            .collect();
        let (left, right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0]).await.unwrap() });
        let timer = spawn(sleep_until(now()));
        yield_to_io().await;
        right.write_all(b"x").await.unwrap();
        let before = rounds.get();
        for _ in 0..2 {
            yield_to_io().await;
        }
        assert!(reader.is_finished() && timer.is_finished());
        // Due timers are one batch: each storm came round once per turn.
        assert!(
            rounds.get() - before <= 3 * 3,
            "{} rounds",
            rounds.get() - before
        );
        drop(storms);
    });
}

#[test]
fn hz_b06_zero_is_at_once_and_never_is_never() {
    sim::run(1, async {
        let start = now();
        sleep(Duration::ZERO).await;
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        sleep_until(Instant::ORIGIN).await;
        sleep_until(start).await;
        assert!(timeout_at(Instant::ORIGIN, pending::<()>()).await.is_err());
        assert_eq!(now(), start, "nothing of this takes time");
    });
    let (runtime, clock) = manual_runtime();
    drop(runtime.spawn(pending::<()>()));
    // With nothing to do at all it returns, or this test would hang.
    assert_eq!(runtime.tick().unwrap().timers, 0);
    drop(runtime.spawn(sleep_until(clock.now() + MS)));
    runtime.tick().unwrap();
    clock.advance(2 * MS);
    assert_eq!(
        runtime.tick_blocking().unwrap().timers,
        1,
        "it is due: no block"
    );
}

#[test]
fn hz_b07_a_reset_into_the_past_wakes_in_the_next_turn() {
    for is_armed in [false, true] {
        let (runtime, clock) = manual_runtime();
        let sleep = Rc::new(RefCell::new(Box::pin(sleep(HOUR))));
        let inner = Rc::clone(&sleep);
        let handle = runtime.spawn(poll_fn(move |cx| inner.borrow_mut().as_mut().poll(cx)));
        runtime.tick().unwrap();
        if is_armed {
            runtime.tick().unwrap();
        }
        let past = Instant::from_ns(clock.now().as_ns() - 1_000_000_000);
        sleep.borrow_mut().as_mut().reset(past);
        assert_eq!(
            runtime.next_deadline(),
            Some(clock.now()),
            "it may not be slept over"
        );
        assert_eq!(runtime.tick().unwrap().timers, 1);
        runtime.tick().unwrap();
        assert!(handle.is_finished());
    }
}

/// What a foreign waker does to another timer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Drop,
    ResetLater,
    ResetToPast,
}

thread_local! {
    static ON_WAKE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static WOKEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A waker that logs, and does the deed if it is the doer.
struct Foreign {
    number: usize,
    is_doer: bool,
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        WOKEN.with(|woken| woken.borrow_mut().push(self.number));
        if self.is_doer {
            if let Some(deed) = ON_WAKE.with(RefCell::take) {
                deed();
            }
        }
    }
}

/// Timer `doer` does the deed to timer `victim` as it is woken; all are due in one tick.
fn deed_while_firing(doer: usize, victim: usize, deed: Deed) {
    const TIMERS: usize = 6;
    let (runtime, clock) = manual_runtime();
    let deadline = clock.now() + 5 * MS;
    let sleeps: Vec<Rc<RefCell<Option<Pin<Box<Sleep>>>>>> = (0..TIMERS)
        .map(|number| {
            let waker = Waker::from(Arc::new(Foreign {
                number,
                is_doer: number == doer,
            }));
            let _entered = runtime.enter();
            let mut sleep = Box::pin(sleep_until(deadline));
            assert!(
                sleep
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            Rc::new(RefCell::new(Some(sleep)))
        })
        .collect();
    let target = Rc::clone(&sleeps[victim]);
    ON_WAKE.with(|slot| {
        *slot.borrow_mut() = Some(Box::new(move || {
            let mut target = target.borrow_mut();
            match (deed, target.as_mut()) {
                (Deed::Drop, _) => drop(target.take()),
                (Deed::ResetLater, Some(sleep)) => sleep.as_mut().reset(deadline + HOUR),
                (Deed::ResetToPast, Some(sleep)) => sleep.as_mut().reset(deadline),
                (_, None) => unreachable!("only a drop takes it"),
            }
        }));
    });
    runtime.tick().unwrap();
    clock.set(deadline);
    runtime.tick().unwrap();
    let was_woken_before = victim <= doer;
    let now_woken: Vec<usize> = (0..TIMERS)
        .filter(|number| was_woken_before || *number != victim)
        .collect();
    assert_eq!(
        WOKEN.with(RefCell::take),
        now_woken,
        "{doer} {victim} {deed:?}"
    );
    clock.set(deadline + 2 * HOUR);
    runtime.tick().unwrap();
    // One that had fired, and was reset, is as new: it waits only once somebody polls it.
    let then_woken = if was_woken_before || deed == Deed::Drop {
        vec![]
    } else {
        vec![victim]
    };
    assert_eq!(
        WOKEN.with(RefCell::take),
        then_woken,
        "{doer} {victim} {deed:?}"
    );
    assert_eq!(runtime.next_deadline(), None);
}

#[test]
fn hz_b08_timers_are_dropped_and_reset_while_timers_fire() {
    for doer in 0..6 {
        for victim in 0..6 {
            for deed in [Deed::Drop, Deed::ResetLater, Deed::ResetToPast] {
                deed_while_firing(doer, victim, deed);
            }
        }
    }
}

#[test]
fn hz_b09_sleeps_across_every_level_of_the_wheel_are_exact() {
    for seed in 0..20 {
        sim::run(seed, async {
            let steps = (0..7).map(|level| 64u64.pow(level));
            let lengths = steps.flat_map(|steps| {
                let edge = u128::from(steps) << 19;
                [edge - 1, edge, edge + 1, edge * 63, edge * 2 - 1]
            });
            for length in lengths
                .filter_map(|ns| u64::try_from(ns).ok())
                .map(Duration::from_nanos)
            {
                if length > 100 * YEAR {
                    continue;
                }
                let (start, _guard) = (now(), Plan::new().install());
                sleep(length).await;
                assert!(
                    now() - start >= length && now() - start <= length + STEP,
                    "{length:?}"
                );
            }
        });
    }
}

#[test]
fn hz_b09_many_timers_over_all_levels_fire_in_order_of_their_deadlines() {
    for seed in 0..10u64 {
        sim::run(seed, async {
            let fired = Rc::new(RefCell::new(Vec::new()));
            let start = now();
            let mut word = seed + 1;
            let handles: Vec<JoinHandle<()>> = (0..500)
                .map(|_| {
                    word = word
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_041);
                    let deadline = start + Duration::from_nanos((word >> 3) >> (word % 60));
                    let fired = Rc::clone(&fired);
                    spawn(async move {
                        sleep_until(deadline).await;
                        assert!(now() >= deadline && now() <= deadline + STEP);
                        fired.borrow_mut().push(deadline);
                    })
                })
                .collect();
            for handle in handles {
                handle.await.unwrap();
            }
            assert!(fired.borrow().is_sorted());
        });
    }
}

#[test]
fn hz_b10_after_a_stop_of_the_machine_timers_fire_once_each_in_order() {
    sim::run(1, async {
        let fired = Rc::new(RefCell::new(Vec::new()));
        for ms in [40u64, 10, 30, 20, 4000] {
            let fired = Rc::clone(&fired);
            drop(spawn(async move {
                sleep(Duration::from_millis(ms)).await;
                fired.borrow_mut().push(ms);
            }));
        }
        let mut pace = interval(100 * MS).missed_tick(MissedTick::Skip);
        pace.tick().await;
        yield_to_io().await;
        // Whether the clock ran on meanwhile (a stop) or not (a suspend): one jump, or none.
        sim::advance(5 * SECOND);
        yield_to_io().await;
        yield_now().await;
        assert_eq!(*fired.borrow(), [10, 20, 30, 40, 4000]);
        pace.tick().await;
        assert!(timeout(50 * MS, pace.tick()).await.is_err(), "no burst");
        sleep(HOUR).await;
        assert_eq!(fired.borrow().len(), 5);
    });
}

#[test]
fn hz_b11_a_long_uptime_costs_no_precision() {
    let ages = [
        Duration::from_millis(i32::MAX as u64),
        Duration::from_millis(u64::from(u32::MAX)),
        194 * DAY,
        10 * YEAR,
        290 * YEAR,
        500 * YEAR,
    ];
    for age in ages {
        for offset in [Duration::ZERO, NS, MS, STEP - NS] {
            let (runtime, clock) = runtime_at(Instant::ORIGIN + (age - 2 * MS + offset));
            runtime
                .block_on(async {
                    for length in [NS, 999 * NS, MS, 5 * MS, SECOND, HOUR, 30 * DAY] {
                        let start = now();
                        sleep(length).await;
                        assert_eq!(now() - start, length, "{age:?}");
                    }
                    let mut pace = interval(MS);
                    let first = pace.tick().await;
                    for count in 1..100 {
                        assert_eq!(pace.tick().await - first, count * MS);
                    }
                })
                .unwrap();
            assert!(clock.now() > Instant::ORIGIN + age);
        }
    }
}

#[test]
fn hz_b12_a_clock_that_steps_back_fires_nothing_early_and_does_not_spin() {
    for timers in [1usize, 20] {
        for step_back in [US, MS, 100 * MS, SECOND] {
            let (runtime, clock) = manual_runtime();
            let top = clock.now();
            // The wheel has seen the later time.
            drop(runtime.spawn(sleep(Duration::ZERO)));
            runtime.tick().unwrap();
            clock.set(Instant::from_ns(top.as_ns() - duration_ns(step_back)));
            let deadline = clock.now() + 10 * MS;
            let handles: Vec<JoinHandle<()>> = (0..timers)
                .map(|_| runtime.spawn(sleep_until(deadline)))
                .collect();
            let mut ticks = 0;
            while !handles.iter().all(JoinHandle::is_finished) {
                let stats = runtime.tick().unwrap();
                assert!(stats.timers == 0 || clock.now() >= deadline, "early");
                ticks += 1;
                if let Some(next) = runtime.next_deadline() {
                    clock.set(next.max(clock.now()));
                }
                assert!(ticks < 10, "{timers} timers, {step_back:?} back: a spin");
            }
            // Late by no more than the clock stepped back.
            assert!(clock.now() <= top.max(deadline) + STEP);
        }
    }
}

fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

#[test]
fn hz_b13_cancelled_timers_leave_nothing_behind() {
    let (runtime, _clock) = manual_runtime();
    for _ in 0..100 {
        runtime
            .block_on(async {
                for _ in 0..100 {
                    timeout(HOUR, yield_to_io()).await.unwrap();
                    timeout(HOUR, ready(())).await.unwrap();
                    timeout(HOUR, yield_now()).await.unwrap();
                }
            })
            .unwrap();
        assert_eq!(runtime.next_deadline(), None, "the wheel is empty");
    }
}

#[test]
fn hz_b14_a_body_that_is_always_ready_does_not_starve_its_timeout() {
    for takes in [US / 2, US, 5 * US] {
        sim::run(1, async {
            let (left, _right) = std::os::unix::net::UnixStream::pair().unwrap();
            let fd = AsyncFd::new(left).unwrap();
            let start = now();
            let busy = async {
                loop {
                    fd.write_with(|_| {
                        sim::advance(takes);
                        io::Result::Ok(())
                    })
                    .await
                    .unwrap();
                }
            };
            let result: Result<(), _> = timeout(20 * MS, busy).await;
            assert!(result.is_err());
            assert!(
                now() - start <= 40 * MS,
                "{:?} at {takes:?} each",
                now() - start
            );
        });
    }
}

/// The ticks of an interval of 100 ms that is not fetched for a second: when each was due, and when
/// it came, both from the start, in milliseconds.
fn ticks_after_a_stall(policy: MissedTick) -> Vec<(u128, u128)> {
    sim::run(5, async {
        let start = now();
        let mut interval: Interval = interval_at(start, 100 * MS).missed_tick(policy);
        let mut ticks = Vec::new();
        for number in 0..16 {
            let due = interval.tick().await;
            ticks.push(((due - start).as_millis(), (now() - start).as_millis()));
            if number == 1 {
                sim::advance(1030 * MS);
            }
        }
        ticks
    })
}

#[test]
fn hz_b15_an_interval_that_bursts_makes_up_for_every_tick() {
    let ticks = ticks_after_a_stall(MissedTick::Burst);
    for (number, (due, came)) in (0u128..).zip(ticks) {
        assert_eq!(due, number * 100);
        // Ticks 2 to 11 were missed: they come at once, when the stall is over.
        assert_eq!(came, if number < 2 { due } else { due.max(1130) });
    }
}

#[test]
fn hz_b15_an_interval_that_delays_keeps_its_ticks_apart() {
    let ticks = ticks_after_a_stall(MissedTick::Delay);
    assert_eq!(ticks[..3], [(0, 0), (100, 100), (200, 1130)]);
    for (number, (due, came)) in (3u128..).zip(&ticks[3..]) {
        assert_eq!((*due, *came), (1230 + (number - 3) * 100, *due));
    }
}

#[test]
fn hz_b15_an_interval_that_skips_goes_on_in_step() {
    let ticks = ticks_after_a_stall(MissedTick::Skip);
    assert_eq!(ticks[..3], [(0, 0), (100, 100), (200, 1130)]);
    for (number, (due, came)) in (3u128..).zip(&ticks[3..]) {
        assert_eq!((*due, *came), (1200 + (number - 3) * 100, *due));
    }
}

#[test]
fn hz_b15_an_interval_does_not_drift() {
    sim::run(3, async {
        let start = now();
        let mut pace = interval_at(start, 10 * MS);
        for number in 0..1000 {
            assert_eq!(pace.tick().await, start + number * (10 * MS));
            // Work between the ticks shifts nothing.
            sim::advance(number % 7 * MS);
        }
    });
}

/// A busy little world; what happened in it, with the times.
fn world(seed: u64) -> Vec<(u64, u32, u64)> {
    sim::run(seed, async move {
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut word = seed;
        let handles: Vec<JoinHandle<()>> = (0..10)
            .map(|task| {
                let log = Rc::clone(&log);
                word = word
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_041);
                let mut own = word;
                spawn(async move {
                    for round in 0..5 {
                        own = own.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        match own >> 62 {
                            0 => yield_now().await,
                            1 => yield_to_io().await,
                            2 => sleep(Duration::from_nanos(own >> 40)).await,
                            _ => drop(timeout(Duration::from_nanos(own >> 44), sleep(MS)).await),
                        }
                        log.borrow_mut().push((now().as_ns(), task, round));
                    }
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
        log.take()
    })
}

#[test]
fn hz_b17_one_seed_is_one_run() {
    for seed in 0..5 {
        let first = world(seed);
        assert_eq!(first.len(), 50);
        for _ in 0..200 {
            assert_eq!(world(seed), first, "seed {seed}");
        }
    }
    assert_ne!(world(1), world(2));
}

#[test]
fn hz_b17_a_patient_clock_stands_while_bytes_are_on_their_way() {
    let clock = ManualClock::starting_at(Instant::from_ns(5_000_000_000));
    clock.set_patience(HOUR);
    let builder = Builder::new().clock(Clock::Manual(clock));
    builder
        .build()
        .unwrap()
        .block_on(async {
            let start = now();
            sleep(HOUR).await;
            assert_eq!(
                now() - start,
                HOUR,
                "nobody waits for a descriptor: no patience is needed"
            );
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            let near = AsyncFd::new(near).unwrap();
            // Stands for the kernel's thread. Its pause decides nothing; without patience the limit would pass in it.
            let carrier = std::thread::spawn(move || {
                std::thread::park_timeout(20 * MS);
                io::Write::write_all(&mut &far, b"!").unwrap();
                far
            });
            timeout(SECOND, near.readable()).await.unwrap().unwrap();
            assert_eq!(now() - start, HOUR);
            drop(carrier.join().unwrap());
        })
        .unwrap();
}

/// A task waits for a byte that is there, and the patient wait for it is interrupted: with the nth wait so, the outcome, how
/// many waits there were, and what the loop counted.
fn interrupted_at(nth: u64) -> (bool, u64, Duration, mainspring::inspect::Metrics) {
    let clock = ManualClock::starting_at(Instant::from_ns(5_000_000_000));
    clock.set_patience(MS);
    let builder = Builder::new().clock(Clock::Manual(clock));
    let runtime = builder.build().unwrap();
    let interrupted = Fault::Errno(EINTR);
    let plan = Plan::new().at(Call::Wait, nth, interrupted).install();
    let (is_read, passed) = runtime
        .block_on(async {
            let start = now();
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let near = AsyncFd::new(near).unwrap();
            let reader = spawn(async move {
                let read = near.read_with(|mut near| io::Read::read(&mut near, &mut [0; 4]));
                timeout(SECOND, read).await.is_ok()
            });
            // It has found nothing, and waits.
            yield_now().await;
            yield_now().await;
            io::Write::write_all(&mut &far, b"!").unwrap();
            (reader.await.unwrap(), now() - start)
        })
        .unwrap();
    let waits = count_of(Call::Wait);
    drop(plan);
    (is_read, waits, passed, runtime.metrics())
}

#[test]
fn hz_b17_a_patient_wait_that_is_interrupted_looks_once_more() {
    let mut interrupted = 0;
    for nth in 1.. {
        let (is_read, waits, passed, metrics) = interrupted_at(nth);
        assert!(
            is_read,
            "the limit passed though the byte was there; wait {nth}"
        );
        assert_eq!(passed, Duration::ZERO, "wait {nth}");
        // What was found is counted once, whichever look found it; and the clock never jumped.
        assert!(
            metrics.events > 0 && metrics.events == metrics.events_waiting,
            "{metrics:?}"
        );
        assert_eq!(metrics.sleeps, 0, "wait {nth}");
        if waits < nth {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted > 0);
}

#[test]
fn hz_b17_patience_that_was_for_nothing_ends_in_one_jump() {
    let clock = ManualClock::starting_at(Instant::from_ns(5_000_000_000));
    clock.set_patience(MS);
    let runtime = Builder::new().clock(Clock::Manual(clock)).build().unwrap();
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let real = Clock::Monotonic.now();
    runtime
        .block_on(async {
            let near = AsyncFd::new(near).unwrap();
            let read = near.read_with(|mut near| io::Read::read(&mut near, &mut [0; 4]));
            let start = now();
            assert!(timeout(HOUR, read).await.is_err(), "nothing came");
            assert!(now() - start >= HOUR);
        })
        .unwrap();
    assert!(Clock::Monotonic.now() - real >= MS, "it had no patience");
    let metrics = runtime.metrics();
    // An edge-triggered selector may have said that it can be written to.
    assert_eq!(
        (metrics.events, metrics.sleeps),
        (metrics.events_waiting, 1)
    );
}

#[test]
fn hz_b17_a_simulation_is_as_patient_as_it_is_told() {
    let waited = |patience: Option<Duration>| {
        let simulation = sim::Simulation::new(1);
        let simulation = match patience {
            Some(patience) => simulation.patience(patience),
            None => simulation,
        };
        let real = Clock::Monotonic.now();
        simulation.run(async {
            let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let near = AsyncFd::new(near).unwrap();
            let read = near.read_with(|mut near| io::Read::read(&mut near, &mut [0; 4]));
            assert!(timeout(HOUR, read).await.is_err());
        });
        Clock::Monotonic.now() - real
    };
    assert!(waited(Some(50 * MS)) >= 50 * MS);
    assert!(waited(None) >= 5 * MS);
    // It may take long on a busy machine, but not always.
    let quick = (0..100).any(|_| waited(Some(Duration::ZERO)) < 5 * MS);
    assert!(quick, "it waited all the same");
}

#[test]
fn hz_b17_the_clock_stands_while_anything_is_ready() {
    sim::run(1, async {
        let start = now();
        let timer = spawn(sleep(NS));
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!(now(), start);
        assert!(!timer.is_finished());
        timer.await.unwrap();
        assert_eq!(now(), start + NS);
    });
}

// ---- Group A, where time and wakes meet

#[test]
fn hz_a16_what_was_ready_may_be_polled_again() {
    sim::run(1, async {
        let mut handle = spawn(async { 1 });
        assert_eq!((&mut handle).await.unwrap(), 1);
        let text = message_of(|| assert!(poll_once(Pin::new(&mut handle)).is_pending()));
        assert!(
            text.contains("polled again after it had returned"),
            "{text}"
        );
        let mut aborting = spawn(pending::<()>()).abort_on_drop();
        aborting.handle().abort();
        assert!((&mut aborting).await.is_err());
        let text = message_of(|| assert!(poll_once(Pin::new(&mut aborting)).is_pending()));
        assert!(
            text.contains("polled again after it had returned"),
            "{text}"
        );

        let mut sleep = pin!(sleep(MS));
        sleep.as_mut().await;
        assert!(poll_once(sleep.as_mut()).is_ready() && poll_once(sleep.as_mut()).is_ready());
        let mut late = pin!(timeout(MS, pending::<()>()));
        assert!(late.as_mut().await.is_err());
        assert!(matches!(poll_once(late.as_mut()), Poll::Ready(Err(_))));
        let mut bare = pin!(yield_now());
        bare.as_mut().await;
        assert!(poll_once(bare.as_mut()).is_ready());
        let mut turn = pin!(yield_to_io());
        turn.as_mut().await;
        assert!(poll_once(turn.as_mut()).is_ready());
    });
}

#[test]
fn hz_a16_io_that_was_ready_simply_tries_again() {
    sim::run(1, async {
        let (left, right) = UnixStream::pair().unwrap();
        right.write_all(b"ab").await.unwrap();
        let mut buf = [0; 1];
        let mut read = pin!(left.read(&mut buf));
        assert_eq!(read.as_mut().await.unwrap(), 1);
        assert_eq!(read.as_mut().await.unwrap(), 1);
        assert!(poll_once(read.as_mut()).is_pending());
        right.write_all(b"c").await.unwrap();
        assert_eq!(read.as_mut().await.unwrap(), 1);

        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut accept = pin!(listener.accept());
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(std::net::TcpStream::connect(addr).unwrap());
            accept.as_mut().await.unwrap();
        }
        assert!(poll_once(accept.as_mut()).is_pending());
    });
}

#[test]
fn hz_a17_a_storm_of_self_wakes_starves_neither_io_nor_timers() {
    for storm in [1usize, 2, 1000] {
        sim::run(1, async {
            let polls = Rc::new(Cell::new(0));
            let tasks: Vec<_> = (0..storm)
                .map(|_| {
                    let polls = Rc::clone(&polls);
                    spawn(poll_fn(move |cx| {
                        polls.set(polls.get() + 1);
                        sim::advance(NS);
                        cx.waker().wake_by_ref();
                        Poll::<()>::Pending
                    }))
                    .abort_on_drop()
                })
                .collect();
            let (left, right) = UnixStream::pair().unwrap();
            let counter = Rc::clone(&polls);
            let reader = spawn(async move {
                left.read(&mut [0]).await.unwrap();
                counter.get()
            });
            yield_to_io().await;
            let timer_deadline = now();
            let counter = Rc::clone(&polls);
            let timer = spawn(async move {
                sleep_until(timer_deadline).await;
                counter.get()
            });
            right.write_all(b"x").await.unwrap();
            let start = polls.get();
            let served = [reader.await.unwrap(), timer.await.unwrap()];
            // Until the timer's task is first polled, until the turn, until its turn in the queue.
            let bound = 128 + 2 * storm + 8;
            assert!(
                served.iter().all(|at| at - start <= bound),
                "{storm}: {served:?} from {start}"
            );
            drop(tasks);
        });
    }
}

/// Wakes a task of a loop that goes to sleep each time, from `threads` threads, `rounds` times.
fn remote_wakes(threads: usize, rounds: usize) {
    let sent = Arc::new(AtomicUsize::new(0));
    let seen = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
    let wakers = Arc::new(std::sync::Mutex::new(Vec::<Waker>::new()));
    let (inner_sent, inner_seen) = (Arc::clone(&sent), Arc::clone(&seen));
    let helper = std::thread::spawn(move || {
        let waker = receiver.recv().unwrap();
        wakers
            .lock()
            .unwrap()
            .extend((0..threads).map(|_| waker.clone()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let waker = wakers.lock().unwrap().pop().unwrap();
                let (sent, seen) = (&inner_sent, &inner_seen);
                scope.spawn(move || {
                    for _ in 0..rounds {
                        let number = sent.fetch_add(1, Ordering::SeqCst) + 1;
                        waker.wake_by_ref();
                        while seen.load(Ordering::SeqCst) < number {
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
    });
    mainspring::run(async {
        sender
            .send(poll_fn(|cx| Poll::Ready(cx.waker().clone())).await)
            .unwrap();
        let total = threads * rounds;
        while seen.load(Ordering::SeqCst) < total {
            let news = poll_fn(|_| {
                let (sent, before) = (sent.load(Ordering::SeqCst), seen.load(Ordering::SeqCst));
                seen.store(sent, Ordering::SeqCst);
                if sent > before {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            timeout(LOST, news).await.expect("a wake was lost");
        }
    })
    .unwrap();
    helper.join().unwrap();
}

#[test]
fn hz_a20_no_wake_falls_between_the_inbox_and_the_sleep() {
    remote_wakes(1, 2000);
    remote_wakes(3, 700);
}

/// Wakes a sleeping loop from a thread on which the first notifications meet `errno`, twice; says how
/// often each wake tried to ring.
fn rings_with(errno: i32, times: u64) -> [u64; 2] {
    let runtime = Runtime::new().unwrap();
    let slot = Rc::new(RefCell::new(None::<Waker>));
    let inner = Rc::clone(&slot);
    drop(runtime.spawn(poll_fn(move |cx| {
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    let other = Rc::new(RefCell::new(None::<Waker>));
    let inner = Rc::clone(&other);
    drop(runtime.spawn(poll_fn(move |cx| {
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    runtime.tick().unwrap();
    let wakers = [slot.take().unwrap(), other.take().unwrap()];
    let rings = std::thread::spawn(move || {
        let _guard = Plan::new()
            .from(Call::Notify, 1, times, Fault::Errno(errno))
            .install();
        wakers.map(|waker| {
            let before = count_of(Call::Notify);
            waker.wake();
            count_of(Call::Notify) - before
        })
    });
    let rings = rings.join().expect("a wake does not panic");
    assert_eq!(runtime.tick().unwrap().polls, 2);
    rings
}

#[test]
fn hz_a21_a_ring_that_is_interrupted_or_refused_is_made_again() {
    assert_eq!(rings_with(EINTR, 0), [1, 0]);
    assert_eq!(rings_with(EINTR, 3), [4, 0]);
    let would_block = if cfg!(any(target_os = "linux", target_os = "android")) {
        11
    } else {
        35
    };
    assert_eq!(rings_with(would_block, 2), [3, 0]);
}

#[test]
fn hz_a21_a_ring_that_failed_is_not_the_last() {
    // The wake that failed is in the inbox; the next one rings for both.
    assert_eq!(rings_with(EBADF, 1), [1, 1]);
}

#[test]
fn hz_a21_a_sleeping_loop_is_woken_through_interrupted_rings() {
    for _ in 0..50 {
        mainspring::run(async {
            let mut thread = None;
            let woken = poll_fn(|cx| match thread {
                None => {
                    let waker = cx.waker().clone();
                    thread = Some(std::thread::spawn(move || {
                        let plan = Plan::new().from(Call::Notify, 1, 3, Fault::Errno(EINTR));
                        let _guard = plan.install();
                        waker.wake();
                    }));
                    Poll::Pending
                }
                Some(_) => Poll::Ready(()),
            });
            timeout(LOST, woken).await.expect("a wake was lost");
            thread.unwrap().join().unwrap();
        })
        .unwrap();
    }
}
