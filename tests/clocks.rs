//! The wall clock and the boot-time clock, that jump: who waits for them is never early by them, and hears at once. On
//! both backends, in virtual time but for the last tests.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{
    self, BootTime, Instant, WallTime, boot_now, now, sleep_boot, sleep_until_boot,
    sleep_until_wall, timeout_boot, wall_now,
};
use mainspring::{
    BackendKind, Builder, JoinHandle, Runtime, inspect, spawn, yield_now, yield_to_io,
};

const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const EMFILE: i32 = 24;

/// Makes a test of each case, for each backend.
macro_rules! suite {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        mod native {
            $($(#[$attribute])* #[test] fn $name() { super::$name(super::BackendKind::Native); })*
        }
        mod poll {
            $($(#[$attribute])* #[test] fn $name() { super::$name(super::BackendKind::Poll); })*
        }
    };
}

suite! {
    p54_a_wall_clock_that_goes_on_by_itself_is_a_clock_like_any_other,
    p54_a_jump_ahead_ends_the_waits_that_it_passes_at_once,
    p54_a_jump_back_puts_a_wait_off,
    p54_whoever_was_ready_stays_so,
    p54_hz_b10_a_suspend_counts_by_wall_and_boot_time_and_not_by_the_loops_own,
    p54_a_timeout_by_boot_time_counts_a_suspend,
    p54_never_is_never_whatever_jumps,
    p54_what_is_past_is_ready_at_once_and_spends_the_budget,
    p54_without_a_watch_the_clock_is_looked_at_every_second,
    p54_a_watch_that_the_selector_refuses_is_done_without,
    p54_a_loop_has_one_watch_while_somebody_waits_and_none_before_and_after,
    p54_a_hundred_waits_hear_of_one_jump,
    p54_a_wait_says_what_it_waits_for,
    p54_random_jumps_make_nobody_early_or_late,
    p54_a_wait_goes_on_in_another_loop_and_needs_one,
    p54_the_systems_clocks_are_waited_for_too,
    #[cfg(target_os = "linux")]
    p54_the_systems_watch_wakes_the_loop,
}

fn runtime(kind: BackendKind) -> (Runtime, ManualClock) {
    let clock = ManualClock::starting_at(Instant::from_ns(5_000_000_000));
    let builder = Builder::new().backend(kind);
    let runtime = builder.clock(Clock::Manual(clock.clone())).build().unwrap();
    assert_eq!(runtime.backend_name(), kind.name());
    (runtime, clock)
}

fn run(kind: BackendKind, test: impl AsyncFn()) {
    runtime(kind).0.block_on(test()).unwrap();
}

/// Lets everything happen that needs no time.
async fn settle() {
    for _ in 0..3 {
        yield_to_io().await;
    }
}

fn p54_a_wall_clock_that_goes_on_by_itself_is_a_clock_like_any_other(kind: BackendKind) {
    run(kind, async || {
        let (start, wall, boot) = (now(), wall_now(), boot_now());
        sleep_until_wall(wall + HOUR).await;
        assert_eq!(now() - start, HOUR);
        sleep_until_boot(boot + 2 * HOUR).await;
        assert_eq!(now() - start, 2 * HOUR);
        sleep_boot(HOUR).await;
        assert_eq!(now() - start, 3 * HOUR);
        // They are as exact as the others, and in their line.
        let order = Rc::new(RefCell::new(Vec::new()));
        let noted = |name: &'static str| {
            let order = Rc::clone(&order);
            async move { order.borrow_mut().push(name) }
        };
        let at = wall_now() + 2 * MS;
        let (first, second, third) = (noted("boot"), noted("wall"), noted("own"));
        let all = [
            spawn(async move {
                time::sleep_until(now() + 3 * MS).await;
                third.await
            }),
            spawn(async move {
                sleep_until_wall(at).await;
                second.await
            }),
            spawn(async move {
                sleep_boot(MS).await;
                first.await
            }),
        ];
        for task in all {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), ["boot", "wall", "own"]);
    });
}

fn p54_a_jump_ahead_ends_the_waits_that_it_passes_at_once(kind: BackendKind) {
    run(kind, async || {
        let (start, wall) = (now(), wall_now());
        let soon = spawn(sleep_until_wall(wall + HOUR));
        let later = spawn(sleep_until_wall(wall + DAY));
        let by_boot = spawn(sleep_boot(HOUR));
        settle().await;
        sim::set_wall(wall + HOUR - NS);
        settle().await;
        assert!(!soon.is_finished(), "a nanosecond is left");
        sim::set_wall(wall + HOUR);
        settle().await;
        assert!(soon.is_finished() && !later.is_finished() && !by_boot.is_finished());
        assert_eq!(now(), start, "no time has passed");
        later.await.unwrap();
        assert_eq!(wall_now(), wall + DAY);
        assert_eq!(now() - start, DAY - HOUR);
        assert!(by_boot.is_finished());
    });
}

fn p54_a_jump_back_puts_a_wait_off(kind: BackendKind) {
    run(kind, async || {
        let (start, wall) = (now(), wall_now());
        let sleeper = spawn(sleep_until_wall(wall + HOUR));
        settle().await;
        sim::set_wall(wall - 2 * HOUR);
        sleeper.await.unwrap();
        assert_eq!(wall_now(), wall + HOUR);
        assert_eq!(now() - start, 3 * HOUR);
        // Once more, in the very turn in which it would have been due.
        let wall = wall_now();
        let sleeper = spawn(sleep_until_wall(wall + 2 * MS));
        time::sleep(2 * MS).await;
        sim::set_wall(wall);
        settle().await;
        assert!(
            !sleeper.is_finished(),
            "its timer came, and its clock was not there"
        );
        sleeper.await.unwrap();
        assert_eq!(wall_now(), wall + 2 * MS);
    });
}

fn p54_whoever_was_ready_stays_so(kind: BackendKind) {
    run(kind, async || {
        let wall = wall_now();
        let mut sleep = pin!(sleep_until_wall(wall + MS));
        sleep.as_mut().await;
        assert!(sleep.is_elapsed());
        sim::set_wall(WallTime::EPOCH);
        sim::assert_ready(sleep.as_mut()).await;
    });
}

fn p54_hz_b10_a_suspend_counts_by_wall_and_boot_time_and_not_by_the_loops_own(kind: BackendKind) {
    run(kind, async || {
        let start = now();
        let by_wall = spawn(sleep_until_wall(wall_now() + HOUR));
        let by_boot = spawn(sleep_boot(HOUR));
        let by_point = spawn(sleep_until_boot(boot_now() + HOUR + NS));
        let own = spawn(time::sleep(HOUR));
        settle().await;
        sim::suspend(HOUR);
        settle().await;
        assert!(by_wall.is_finished() && by_boot.is_finished());
        assert!(!by_point.is_finished() && !own.is_finished());
        assert_eq!(now(), start);
        by_point.await.unwrap();
        assert_eq!(now() - start, NS);
        own.await.unwrap();
        assert_eq!(now() - start, HOUR);
    });
}

fn p54_a_timeout_by_boot_time_counts_a_suspend(kind: BackendKind) {
    run(kind, async || {
        let limited = spawn(timeout_boot(HOUR, pending::<()>()));
        settle().await;
        sim::suspend(DAY);
        settle().await;
        assert!(limited.is_finished());
        assert!(limited.await.unwrap().is_err());
        // The body is asked first, and what is ready has won.
        assert_eq!(timeout_boot(Duration::ZERO, async { 3 }).await, Ok(3));
        let both = timeout_boot(HOUR, time::sleep(HOUR / 2)).await;
        assert_eq!(both, Ok(()));
    });
}

fn p54_never_is_never_whatever_jumps(kind: BackendKind) {
    run(kind, async || {
        let all = [
            spawn(sleep_until_wall(WallTime::FAR_FUTURE)),
            spawn(sleep_until_boot(BootTime::FAR_FUTURE)),
            spawn(sleep_boot(Duration::MAX)),
        ];
        settle().await;
        sim::suspend(Duration::MAX);
        sim::set_wall(WallTime::FAR_FUTURE);
        settle().await;
        time::sleep(365 * DAY).await;
        assert!(all.iter().all(|task| !task.is_finished()));
        assert_eq!(count_of(Call::ClockWatch), 0, "there is nothing to be told");
        for task in all {
            task.abort();
        }
    });
}

fn p54_what_is_past_is_ready_at_once_and_spends_the_budget(kind: BackendKind) {
    run(kind, async || {
        sim::assert_ready(sleep_until_wall(wall_now())).await;
        sim::assert_ready(sleep_until_boot(BootTime::from_ns(0))).await;
        let others = Rc::new(Cell::new(0));
        let count = Rc::clone(&others);
        let other = spawn(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        for _ in 0..1000 {
            sleep_until_wall(WallTime::EPOCH).await;
        }
        assert!(others.get() >= 7, "{}", others.get());
        other.abort();
    });
}

/// What a system without a watch does, and one without a descriptor left.
fn p54_without_a_watch_the_clock_is_looked_at_every_second(kind: BackendKind) {
    run(kind, async || {
        let _plan = Plan::new()
            .from(Call::ClockWatch, 1, 1000, Fault::Errno(EMFILE))
            .install();
        let (start, wall) = (now(), wall_now());
        let sleeper = spawn(sleep_until_wall(wall + DAY));
        time::sleep(MS).await;
        sim::set_wall(wall + DAY);
        sleeper.await.unwrap();
        assert_eq!(now() - start, SECOND, "nobody told of it");
        let (start, boot) = (now(), boot_now());
        let sleeper = spawn(sleep_boot(HOUR));
        time::sleep(MS).await;
        sim::suspend(HOUR / 2);
        sleeper.await.unwrap();
        assert_eq!(boot_now() - boot, HOUR);
        assert_eq!(now() - start, HOUR / 2);
        // And exact where nothing jumps.
        let start = now();
        sleep_boot(90 * SECOND + NS).await;
        assert_eq!(now() - start, 90 * SECOND + NS);
    });
}

fn p54_a_watch_that_the_selector_refuses_is_done_without(kind: BackendKind) {
    if kind.name() == "poll" {
        // poll(2) has no call that could refuse.
        return;
    }
    run(kind, async || {
        // The selector is there: something waits for it.
        let enospc = Fault::Errno(28);
        let _plan = Plan::new().from(Call::Control, 1, 1000, enospc).install();
        let (start, wall) = (now(), wall_now());
        let sleeper = spawn(sleep_until_wall(wall + DAY));
        time::sleep(MS).await;
        assert!(count_of(Call::Control) > 0);
        sim::set_wall(wall + DAY);
        sleeper.await.unwrap();
        assert_eq!(now() - start, SECOND);
    });
}

fn p54_a_loop_has_one_watch_while_somebody_waits_and_none_before_and_after(kind: BackendKind) {
    run(kind, async || {
        let _plan = Plan::new().install();
        time::sleep(MS).await;
        assert_eq!(count_of(Call::ClockWatch), 0);
        let sources = || inspect::metrics().sources;
        let before = sources();
        let all: Vec<_> = (1..50)
            .map(|hours| spawn(sleep_until_wall(wall_now() + hours * HOUR)))
            .collect();
        settle().await;
        assert_eq!((count_of(Call::ClockWatch), sources()), (1, before + 1));
        for task in all {
            task.await.unwrap();
        }
        assert_eq!((count_of(Call::ClockWatch), sources()), (1, before));
        sleep_boot(MS).await;
        assert_eq!((count_of(Call::ClockWatch), sources()), (2, before));
    });
}

fn p54_a_hundred_waits_hear_of_one_jump(kind: BackendKind) {
    run(kind, async || {
        let (start, wall) = (now(), wall_now());
        let all: Vec<_> = (0..100)
            .map(|_| spawn(sleep_until_wall(wall + DAY)))
            .collect();
        settle().await;
        sim::set_wall(wall + DAY / 2);
        settle().await;
        assert!(all.iter().all(|task| !task.is_finished()));
        sim::set_wall(wall + DAY);
        settle().await;
        assert!(all.iter().all(|task| task.is_finished()));
        assert_eq!(now(), start);
    });
}

fn p54_a_wait_says_what_it_waits_for(kind: BackendKind) {
    run(kind, async || {
        let sleeper = spawn(sleep_until_wall(wall_now() + HOUR));
        settle().await;
        let text = inspect::snapshot().to_string();
        assert!(text.contains("a jump of the wall clock"), "{text}");
        if cfg!(feature = "inspect") {
            assert!(text.contains("tests/clocks.rs"), "{text}");
        }
        sleeper.abort();
    });
}

/// Whether it is due, and who waits for that.
type Waiting = (Box<dyn Fn() -> bool>, JoinHandle<()>);

/// Sleepers of all three clocks, while these jump: each ends in the turn in which its clock has got there.
fn p54_random_jumps_make_nobody_early_or_late(kind: BackendKind) {
    const ROUNDS: usize = 200;
    run(kind, async || {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |end: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            Duration::from_nanos(random % end)
        };
        let day_ns = u64::try_from(DAY.as_nanos()).unwrap();
        let mut waiting: Vec<Waiting> = Vec::new();
        for round in 0..ROUNDS {
            let (wall_end, boot_end) = (wall_now() + below(day_ns), boot_now() + below(day_ns));
            let own_end = now() + below(day_ns);
            waiting.push((
                Box::new(move || wall_now() >= wall_end),
                spawn(sleep_until_wall(wall_end)),
            ));
            waiting.push((
                Box::new(move || boot_now() >= boot_end),
                spawn(sleep_until_boot(boot_end)),
            ));
            waiting.push((
                Box::new(move || now() >= own_end),
                spawn(time::sleep_until(own_end)),
            ));
            settle().await;
            match round % 4 {
                0 => sim::set_wall(wall_now() + below(day_ns)),
                1 => sim::set_wall(wall_now() - below(day_ns)),
                2 => sim::suspend(below(day_ns)),
                _ => sim::advance(below(day_ns)),
            }
            settle().await;
            waiting.retain(|(is_due, task)| {
                // Who has ended may see its clock set back since: that is for the next to find.
                assert!(task.is_finished() || !is_due(), "late, in round {round}");
                assert!(!task.is_finished() || is_due(), "early, in round {round}");
                !task.is_finished()
            });
        }
        assert!(!waiting.is_empty() && waiting.len() < 3 * ROUNDS);
        for (_, task) in waiting {
            task.abort();
        }
    });
}

fn p54_a_wait_goes_on_in_another_loop_and_needs_one(kind: BackendKind) {
    let (first, clock) = runtime(kind);
    let mut sleep = Box::pin(sleep_until_wall(clock.wall_now() + HOUR));
    let mut first_poll = |runtime: &Runtime| {
        let sleep = sleep.as_mut();
        let polled = runtime.block_on(async { poll_once(sleep) }).unwrap();
        assert!(polled.is_pending());
    };
    let (second, clock) = runtime(kind);
    first_poll(&first);
    first_poll(&second);
    drop(first);
    let (third, _) = runtime(kind);
    first_poll(&third);
    first_poll(&second);
    drop(third);
    let task = second.spawn(sleep);
    second.tick().unwrap();
    clock.set_wall(clock.wall_now() + HOUR);
    let start = clock.now();
    second.block_on(task).unwrap().unwrap();
    assert_eq!(clock.now(), start);
    // Where there is none it says so.
    let mut sleep = pin!(sleep_boot(MS));
    let polled = catch_unwind(AssertUnwindSafe(|| poll_once(sleep.as_mut())));
    let message = *polled.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("inside a running loop"), "{message}");
}

fn poll_once(sleep: Pin<&mut time::ClockSleep>) -> Poll<()> {
    sleep.poll(&mut Context::from_waker(Waker::noop()))
}

/// A loop by the system's clocks, one at a time: what has a timerfd is looked for by one of the tests.
fn real(kind: BackendKind) -> (Runtime, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (Builder::new().backend(kind).build().unwrap(), alone)
}

/// Real time: a few milliseconds of it.
fn p54_the_systems_clocks_are_waited_for_too(kind: BackendKind) {
    let (runtime, _alone) = real(kind);
    let slept = async {
        let (wall, boot) = (wall_now(), boot_now());
        for ms in 1..6 {
            sleep_until_wall(wall + ms * MS).await;
            assert!(wall_now() >= wall + ms * MS);
            sleep_until_boot(boot + ms * MS).await;
            assert!(boot_now() >= boot + ms * MS);
            let start = boot_now();
            sleep_boot(MS).await;
            assert!(boot_now() - start >= MS);
        }
        // What came from std.
        let deadline = SystemTime::from(wall) + 2 * MS;
        sleep_until_wall(deadline.into()).await;
    };
    runtime.block_on(slept).unwrap();
    let polls = runtime.metrics().polls;
    assert!(polls < 60, "one poll for each sleep, or two: {polls}");
}

/// Nobody sets the clock of the machine that tests run on. But a timerfd can be told that it has expired, and is
/// readable then as it is after a jump.
#[cfg(target_os = "linux")]
fn p54_the_systems_watch_wakes_the_loop(kind: BackendKind) {
    let (runtime, _alone) = real(kind);
    assert_eq!(timerfds(), []);
    let sleeper = runtime.spawn(sleep_until_wall(wall_now() + DAY));
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    let opened = timerfds();
    assert_eq!(opened.len(), 1);
    let polls = runtime.metrics().polls;
    if !expire(opened[0]) {
        println!("skipped: the kernel has no TFD_IOC_SET_TICKS");
        return;
    }
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    assert_eq!(runtime.metrics().polls, polls + 1, "it was woken, once");
    assert!(!sleeper.is_finished(), "and looked for itself");
    let events = runtime.metrics().events;
    runtime.tick().unwrap();
    assert_eq!(runtime.metrics().events, events, "the news were taken");
    drop(runtime);
    drop(sleeper);
    assert_eq!(timerfds(), []);
}

#[cfg(target_os = "linux")]
fn timerfds() -> Vec<i32> {
    let folder = std::fs::read_dir("/proc/self/fd").unwrap();
    let entries = folder.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let is_one = target.to_string_lossy().contains("timerfd");
        is_one.then(|| entry.file_name().to_string_lossy().parse().ok())?
    });
    entries.collect()
}

/// Sets how often it has expired, as who restores a saved process does. `false`: this kernel can't.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "an ioctl that nobody wraps")]
fn expire(fd: i32) -> bool {
    const TFD_IOC_SET_TICKS: libc::c_ulong = 0x4008_5400;
    let ticks: u64 = 1;
    // SAFETY: the kernel reads the eight bytes before the call returns; another number's owner would say ENOTTY.
    unsafe { libc::ioctl(fd, TFD_IOC_SET_TICKS as _, &raw const ticks) == 0 }
}
