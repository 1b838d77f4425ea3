//! Callbacks, eager starts, budgets, background tasks: who runs when, as golden orders.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::sim;
use mainspring::task::{
    self, TaskState, consume_budget, has_budget_remaining, spawn_eager, stop, unconstrained,
    wait_all_tasks_blocked,
};
use mainspring::time::{Instant, cached_now, now, sleep, sleep_until};
use mainspring::{
    Builder, CallHandle, FailurePolicy, Runtime, TaskBuilder, call_at, call_later, call_soon,
    spawn, yield_now,
};

const MS: Duration = Duration::from_millis(1);

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn push(&self, entry: impl ToString) {
        self.0.borrow_mut().push(entry.to_string());
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.borrow_mut()).join(" ")
    }

    /// A closure that logs its call.
    fn call(&self, entry: &'static str) -> impl FnOnce() + 'static {
        let log = self.clone();
        move || log.push(entry)
    }
}

/// Logs its drop.
struct LogsDrop(Log, &'static str);

impl Drop for LogsDrop {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

#[test]
fn p37_callbacks_and_tasks_stand_in_one_queue() {
    let log = Log::default();
    sim::run(1, async {
        call_soon(log.call("a"));
        let inner = log.clone();
        drop(spawn(async move {
            inner.push("task");
            call_soon(inner.call("d"));
            yield_now().await;
            inner.push("again");
        }));
        call_soon(log.call("b"));
        let inner = log.clone();
        call_soon(move || {
            inner.push("c");
            drop(call_soon(inner.call("e")));
        });
        log.push("main");
        yield_now().await;
        log.push("main");
        yield_now().await;
        log.push("main");
    });
    assert_eq!(log.take(), "main a task b c main d again e main");
}

#[test]
fn a_tick_runs_no_callback_that_was_made_in_it() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let inner = log.clone();
    drop(runtime.spawn(async move {
        inner.push("outer");
        call_soon(inner.call("inner"));
    }));
    assert_eq!(runtime.tick().unwrap().polls, 1);
    assert_eq!(log.take(), "outer");
    assert_eq!(runtime.tick().unwrap().polls, 1);
    assert_eq!(log.take(), "inner");
}

#[test]
fn p37_callbacks_of_one_time_are_called_in_the_order_in_which_they_were_made() {
    let log = Log::default();
    sim::run(2, async {
        let at = now() + 5 * MS;
        call_at(at, log.call("a"));
        call_at(at + MS, log.call("last"));
        call_later(5 * MS, log.call("b"));
        let inner = log.clone();
        drop(spawn_eager(async move {
            sleep_until(at).await;
            inner.push("sleep");
        }));
        call_at(at, log.call("c"));
        call_at(now() + 4 * MS, log.call("first"));
        sleep(10 * MS).await;
    });
    assert_eq!(log.take(), "first a b sleep c last");
}

#[test]
fn a_callback_is_never_early_and_its_time_is_known() {
    sim::run(3, async {
        let start = now();
        let (log, inner) = (Log::default(), Log::default());
        let shared = inner.clone();
        let call = call_later(7 * MS, move || shared.push((now() - start).as_millis()));
        assert_eq!(call.when(), Some(start + 7 * MS));
        let earlier = Instant::from_ns(start.as_ns() - 1);
        let past = call_at(earlier, log.call("past"));
        assert_eq!(past.when(), Some(earlier));
        assert_eq!(call_soon(|| ()).when(), None);
        wait_all_tasks_blocked(Duration::ZERO).await;
        assert_eq!((log.take(), inner.take()), ("past".into(), String::new()));
        assert!(past.is_finished() && !call.is_finished());
        sleep(20 * MS).await;
        assert_eq!(inner.take(), "7");
        assert!(call.is_finished() && !call.is_cancelled());
    });
}

#[test]
fn a_callback_without_an_end_to_its_delay_is_never_called() {
    let runtime = Runtime::new().unwrap();
    let log = Log::default();
    let inner = log.clone();
    let never = runtime
        .block_on(async move { call_later(Duration::MAX, inner.call("never")) })
        .unwrap();
    assert_eq!(never.when(), Some(Instant::FAR_FUTURE));
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(pending::<()>()))).is_err());
    assert_eq!(log.take(), "");
}

#[test]
fn p37_a_cancelled_callback_is_dropped_in_the_turn_of_its_task_and_not_in_cancel() {
    let log = Log::default();
    sim::run(4, async {
        let soon = LogsDrop(log.clone(), "soon");
        let soon = call_soon(move || drop(soon));
        let later = LogsDrop(log.clone(), "later");
        let later = call_later(MS, move || drop(later));
        later.cancel();
        soon.cancel();
        soon.cancel();
        assert!(soon.is_cancelled() && later.is_cancelled());
        assert!(!soon.is_finished() && !later.is_finished());
        log.push("cancelled");
        yield_now().await;
        log.push("dropped");
        assert!(soon.is_finished() && later.is_finished());
        sleep(10 * MS).await;
    });
    assert_eq!(log.take(), "cancelled soon later dropped");
}

#[test]
fn a_callback_that_was_called_or_is_being_called_cannot_be_cancelled() {
    sim::run(5, async {
        let done = call_soon(|| ());
        let slot: Rc<RefCell<Option<CallHandle>>> = Rc::default();
        let own = Rc::clone(&slot);
        let now = call_soon(move || {
            let handle = own.borrow();
            let handle: &CallHandle = handle.as_ref().unwrap();
            handle.cancel();
            assert!(!handle.is_cancelled());
        });
        *slot.borrow_mut() = Some(now);
        yield_now().await;
        done.cancel();
        assert!(!done.is_cancelled());
        let handle = slot.borrow_mut().take().unwrap();
        assert!(handle.is_finished() && !handle.is_cancelled());
    });
}

#[test]
fn dropping_the_handle_takes_no_call_back() {
    let log = Log::default();
    sim::run(6, async {
        drop(call_soon(log.call("soon")));
        drop(call_later(MS, log.call("later")));
        sleep(5 * MS).await;
    });
    assert_eq!(log.take(), "soon later");
}

#[test]
fn callbacks_that_are_left_are_dropped_with_the_loop() {
    let log = Log::default();
    let inner = log.clone();
    mainspring::run(async move {
        for name in ["a", "b"] {
            let dropped = LogsDrop(inner.clone(), name);
            drop(call_later(Duration::from_secs(3600), move || drop(dropped)));
        }
    })
    .unwrap();
    assert_eq!(log.take(), "a b");
}

#[test]
fn a_panic_in_a_callback_is_a_failure_while_the_handle_lives_and_the_rest_goes_on() {
    let log = Log::default();
    let failures = log.clone();
    let policy = FailurePolicy::Call(Box::new(move |failure| {
        let task = failure.task().expect("a callback is a task");
        assert_eq!(task.state(), TaskState::Running);
        failures.push(failure.message());
    }));
    let runtime = Builder::new().on_failure(policy).build().unwrap();
    runtime
        .block_on(async {
            let call = call_soon(|| panic!("broken"));
            call_soon(log.call("next"));
            yield_now().await;
            assert!(call.is_finished());
            assert_eq!(log.take(), "broken next");
        })
        .unwrap();
}

#[test]
fn a_callback_from_another_thread_runs_in_the_loop() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (sender, receiver) = std::sync::mpsc::channel();
    let caller = handle.clone();
    let thread = std::thread::spawn(move || {
        caller
            .call_soon(move || sender.send(std::thread::current().id()).unwrap())
            .unwrap();
        caller.stop();
    });
    runtime.run_forever().unwrap();
    thread.join().unwrap();
    assert_eq!(receiver.recv().unwrap(), std::thread::current().id());
    drop(runtime);
    let error = handle.call_soon(|| ()).unwrap_err();
    (error.0)();
    handle.stop();
}

#[test]
fn calls_with_and_without_a_result_go_in_one_order_and_a_panic_has_its_own_way_in_each() {
    let log = Log::default();
    let failures = log.clone();
    let policy = FailurePolicy::Call(Box::new(move |failure| failures.push(failure.message())));
    let runtime = Builder::new().on_failure(policy).build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || {
        let says = |what: &'static str| {
            let sender = sender.clone();
            move || sender.send(what).unwrap()
        };
        handle.call_soon(says("a")).unwrap();
        let b = handle.call(says("b")).unwrap();
        handle.call_soon(says("c")).unwrap();
        handle.call_soon(|| panic!("of the loop")).unwrap();
        let fails = handle.call(|| panic!("of the caller")).unwrap();
        handle.stop();
        (b, fails)
    });
    let (b, fails) = thread.join().unwrap();
    runtime.run_forever().unwrap();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    b.join().unwrap();
    assert!(
        fails
            .join()
            .unwrap_err()
            .to_string()
            .contains("of the caller")
    );
    assert_eq!(log.take(), "of the loop");
}

#[test]
#[should_panic(expected = "callbacks must be made inside a running loop")]
fn a_callback_needs_a_loop() {
    drop(call_soon(|| ()));
}

#[test]
fn an_eager_task_runs_up_to_its_first_wait_inside_the_spawn() {
    let log = Log::default();
    sim::run(7, async {
        log.push("before");
        let inner = log.clone();
        let task = spawn_eager(async move {
            inner.push("first");
            yield_now().await;
            inner.push("second");
            7
        });
        log.push("after");
        assert_eq!(task.info().polls(), 1);
        assert_eq!(task.info().state(), TaskState::Ready);
        assert_eq!(task.await.unwrap(), 7);
    });
    assert_eq!(log.take(), "before first after second");
}

#[test]
fn an_eager_task_that_ends_at_once_uses_no_tick() {
    let runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let handle = spawn_eager(async { 6 });
    assert!(handle.is_finished());
    drop(entered);
    assert_eq!(runtime.tick().unwrap().polls, 0);
    assert_eq!(runtime.block_on(handle).unwrap().unwrap(), 6);
}

#[test]
fn the_eager_task_is_the_current_one_while_it_is_polled_and_its_spawner_is_afterwards() {
    sim::run(8, async {
        let outer = task::current().unwrap().id();
        let seen = Rc::new(Cell::new(None));
        let inner = Rc::clone(&seen);
        let handle = TaskBuilder::new()
            .name("eager")
            .eager(true)
            .spawn(async move {
                let own = task::current().unwrap();
                assert_eq!(own.name(), Some("eager"));
                assert_eq!(own.state(), TaskState::Running);
                if cfg!(feature = "inspect") {
                    assert_eq!(own.parent(), Some(outer));
                }
                inner.set(Some(own.id()));
                // Waits on its own behalf: its node must not stand in the spawner's list.
                sleep(MS).await;
                assert_eq!(task::current().unwrap().id(), own.id());
            });
        assert_eq!(seen.get(), Some(handle.id()));
        assert_eq!(task::current().unwrap().id(), outer);
        handle.await.unwrap();
    });
}

#[test]
fn the_panic_of_an_eager_task_goes_to_its_handle_and_not_through_the_spawner() {
    sim::run(9, async {
        let handle = spawn_eager(async { panic!("at once") });
        assert!(handle.is_finished());
        assert_eq!(
            handle.await.unwrap_err().to_string(),
            "the task panicked: at once"
        );
    });
}

/// Spawns eagerly inside of eager spawns, and says how deep it came before it had to wait.
fn nest(depth: u32, deepest: &Rc<Cell<u32>>) -> Pin<Box<dyn Future<Output = ()>>> {
    let deepest = Rc::clone(deepest);
    Box::pin(async move {
        deepest.set(deepest.get().max(depth));
        if depth < 100 {
            spawn_eager(nest(depth + 1, &deepest)).await.unwrap();
        }
    })
}

#[test]
fn eager_spawns_nest_thirty_two_deep_and_the_next_one_waits_for_its_turn() {
    sim::run(10, async {
        let deepest = Rc::new(Cell::new(0));
        let outermost = spawn_eager(nest(1, &deepest));
        assert_eq!(deepest.get(), 32);
        outermost.await.unwrap();
        assert_eq!(deepest.get(), 100);
        // The depth is counted down again.
        deepest.set(0);
        let again = spawn_eager(nest(1, &deepest));
        assert_eq!(deepest.get(), 32);
        again.await.unwrap();
    });
}

#[test]
fn an_eager_poll_leaves_the_spawners_budget_as_it_was() {
    sim::run(11, async {
        // A new poll, whose budget is whole.
        yield_now().await;
        for _ in 0..127 {
            consume_budget().await;
        }
        let greedy = spawn_eager(async {
            for _ in 0..128 {
                consume_budget().await;
            }
            assert!(!has_budget_remaining());
        });
        assert!(greedy.is_finished(), "it has a budget of its own");
        assert!(has_budget_remaining(), "one unit is left");
        assert_eq!(polls_until_done(consume_budget()).await, 1);
        assert!(!has_budget_remaining());
        assert_eq!(polls_until_done(consume_budget()).await, 2);
    });
}

/// How many polls it takes.
async fn polls_until_done(future: impl Future<Output = ()>) -> u32 {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    polls
}

#[test]
fn an_eager_task_of_a_loop_that_ends_is_never_polled() {
    let log = Log::default();
    struct Spawns(Log);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let log = self.0.clone();
            let handle = spawn_eager(async move { log.push("polled") });
            assert!(handle.is_finished());
            drop(call_soon(self.0.call("called")));
            drop(call_later(MS, self.0.call("called")));
            self.0.push("refused");
        }
    }
    let spawns = Spawns(log.clone());
    mainspring::run(async move {
        drop(spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        }));
        yield_now().await;
    })
    .unwrap();
    assert_eq!(log.take(), "refused");
}

#[test]
fn a_future_without_a_budget_keeps_its_turn_and_the_others_get_theirs_afterwards() {
    let log = Log::default();
    sim::run(12, async {
        call_soon(log.call("other"));
        unconstrained(async {
            for _ in 0..10_000 {
                consume_budget().await;
            }
            log.push("unconstrained");
        })
        .await;
        assert!(has_budget_remaining());
        for _ in 0..129 {
            consume_budget().await;
        }
        log.push("constrained");
    });
    assert_eq!(log.take(), "unconstrained other constrained");
}

#[test]
fn outside_of_tasks_there_is_always_budget() {
    assert!(has_budget_remaining());
    let mut future = pin!(async {
        for _ in 0..1000 {
            consume_budget().await;
        }
    });
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(()));
}

#[test]
fn tasks_are_listed_in_spawn_order_with_what_they_are_and_do() {
    let runtime = Runtime::new().unwrap();
    assert!(runtime.tasks().is_empty() && task::all().is_empty());
    runtime
        .block_on(async {
            task::set_name("main");
            let main = task::current().unwrap();
            let waits = TaskBuilder::new().name("waits").spawn(sleep(MS));
            let child = spawn(async {
                yield_now().await;
                task::set_name("renamed");
                yield_now().await;
                task::current().unwrap().polls()
            });
            yield_now().await;
            yield_now().await;
            let all = task::all();
            let names: Vec<_> = all.iter().map(|task| task.name()).collect();
            assert_eq!(names, [Some("main"), Some("waits"), Some("renamed")]);
            let states: Vec<_> = all.iter().map(|task| task.state()).collect();
            assert_eq!(
                states,
                [TaskState::Running, TaskState::Waiting, TaskState::Ready]
            );
            if cfg!(feature = "inspect") {
                let parents: Vec<_> = all.iter().map(|task| task.parent()).collect();
                assert_eq!(parents, [None, Some(main.id()), Some(main.id())]);
                assert_eq!(all[2].spawned_at().unwrap().file(), file!());
            }
            assert_eq!(all[1].id(), waits.id());
            assert_eq!(child.await.unwrap(), 3);
            assert_eq!(waits.info().state(), TaskState::Waiting);
            waits.abort();
            yield_now().await;
            assert_eq!(waits.info().state(), TaskState::Done);
            assert_eq!(task::all().len(), 1);
        })
        .unwrap();
    assert!(runtime.tasks().is_empty());
    assert!(task::current().is_none());
}

#[test]
fn a_run_until_idle_waits_for_the_tasks_that_count_and_for_callbacks() {
    let runtime = sim_runtime();
    let log = Log::default();
    let forever = runtime.spawn(pending::<()>());
    forever.set_background(true);
    assert!(forever.is_background());
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        inner.push("task");
        drop(call_later(MS, inner.call("callback")));
        let unimportant = call_later(Duration::from_secs(3600), inner.call("late"));
        unimportant.set_background(true);
    }));
    runtime.run_until_idle().unwrap();
    assert_eq!(log.take(), "task callback");
    assert!(!forever.is_finished(), "it stays for the next run");
    runtime.run_until_idle().unwrap();
    assert_eq!(log.take(), "", "with nothing that counts it ends at once");
    // Once it counts, the loop waits for it, and finds that it never ends.
    forever.set_background(false);
    forever.abort();
    runtime.run_until_idle().unwrap();
    assert!(forever.is_finished());
}

#[test]
fn a_run_until_idle_that_can_never_end_is_a_panic() {
    let runtime = Runtime::new().unwrap();
    drop(runtime.spawn(pending::<()>()));
    let proof = catch_unwind(AssertUnwindSafe(|| runtime.run_until_idle()));
    let message = *proof.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("deadlock"), "{message}");
}

#[test]
fn always_ready_background_work_does_not_keep_a_run_from_its_end() {
    let runtime = Runtime::new().unwrap();
    let busy = TaskBuilder::new().background(true);
    let entered = runtime.enter();
    drop(busy.spawn(async {
        loop {
            yield_now().await;
        }
    }));
    drop(entered);
    drop(runtime.spawn(async {}));
    runtime.run_until_idle().unwrap();
    assert_eq!(runtime.tasks().len(), 1);
}

#[test]
fn a_shutdown_waits_for_the_tasks_that_count() {
    let runtime = sim_runtime();
    let forever = runtime.spawn(pending::<()>());
    forever.set_background(true);
    drop(runtime.spawn(sleep(MS)));
    assert!(runtime.shutdown(Duration::from_secs(1)).unwrap());
    assert!(forever.is_finished(), "it went with the runtime");
    let runtime = sim_runtime();
    drop(runtime.spawn(pending::<()>()));
    assert!(!runtime.shutdown(MS).unwrap());
}

fn sim_runtime() -> Runtime {
    let clock = sim::ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new().clock(sim::Clock::Manual(clock));
    builder.build().unwrap()
}

#[test]
fn a_stop_ends_the_run_after_the_tick_and_leaves_what_is_ready_for_the_next() {
    let runtime = sim_runtime();
    let log = Log::default();
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        call_soon(inner.call("next run"));
        stop();
        inner.push("stopped");
    }));
    let inner = log.clone();
    drop(runtime.spawn(async move {
        sleep(MS).await;
        inner.push("same tick");
    }));
    runtime.run_forever().unwrap();
    assert_eq!(log.take(), "stopped same tick");
    // A stop that comes before the run lets it make one tick.
    let entered = runtime.enter();
    stop();
    drop(entered);
    runtime.run_forever().unwrap();
    assert_eq!(log.take(), "next run");
}

#[test]
fn the_cached_clock_is_read_once_per_turn() {
    let clock = sim::ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let runtime = Builder::new()
        .clock(sim::Clock::Manual(clock.clone()))
        .build()
        .unwrap();
    runtime
        .block_on(async {
            let first = cached_now();
            clock.advance(MS);
            assert_eq!(cached_now(), first);
            assert_eq!(now(), first + MS);
            mainspring::yield_to_io().await;
            assert_eq!(cached_now(), first + MS);
        })
        .unwrap();
}

#[test]
fn a_sequencer_gives_its_turns_in_the_order_of_their_numbers() {
    let log = Log::default();
    sim::run(16, async {
        let steps = sim::Sequencer::new();
        let step = |numbers: [u64; 2], name: &'static str| {
            let (steps, log) = (steps.clone(), log.clone());
            spawn(async move {
                for number in numbers {
                    let turn = steps.turn(number).await;
                    log.push(format!("{name}{number}"));
                    yield_now().await;
                    log.push("-");
                    drop(turn);
                }
            })
        };
        let tasks = [step([2, 4], "a"), step([0, 5], "b"), step([1, 3], "c")];
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(
            log.take(),
            "b0 - c1 - a2 - c3 - a4 - b5 -",
            "no two turns overlap"
        );
        // A wait that was dropped can be made again, a number that was used cannot.
        let again = steps.turn(7);
        let waiting = spawn(steps.turn(8));
        yield_now().await;
        drop(again);
        waiting.abort();
        assert!(waiting.await.is_err());
        drop(steps.turn(6).await);
        drop(steps.turn(7).await);
        drop(steps.turn(8));
        drop(steps.turn(8).await);
        for used in [0, 8] {
            assert!(catch_unwind(AssertUnwindSafe(|| drop(steps.turn(used)))).is_err());
        }
        let _held = steps.turn(9);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(steps.turn(9)))).is_err());
    });
}

#[test]
fn assertions_say_whether_an_await_waits() {
    sim::run(17, async {
        assert_eq!(sim::assert_ready(async { 1 }).await, 1);
        sim::assert_waits(yield_now()).await;
        // Only the first poll counts.
        sim::assert_waits(async {
            yield_now().await;
            yield_now().await;
        })
        .await;
        let waits = spawn(sim::assert_ready(yield_now())).await.unwrap_err();
        let ready = spawn(sim::assert_waits(async {})).await.unwrap_err();
        let line = |error: mainspring::JoinError| error.to_string();
        let (waits, ready) = (line(waits), line(ready));
        assert!(
            waits.contains("was to be ready, and waits: asserted at tests/calls.rs"),
            "{waits}"
        );
        assert!(
            ready.contains("was to wait, and did not: asserted at tests/calls.rs"),
            "{ready}"
        );
    });
}

#[test]
fn quiet_is_when_nothing_can_go_on_by_itself() {
    sim::run(13, async {
        let log = Log::default();
        let inner = log.clone();
        drop(spawn(async move {
            for _ in 0..300 {
                yield_now().await;
            }
            inner.push("worked");
            sleep(MS).await;
            inner.push("slept");
        }));
        let start = now();
        wait_all_tasks_blocked(Duration::ZERO).await;
        assert_eq!((log.take().as_str(), now()), ("worked", start));
        // It slept for a part of the cushion, so the cushion begins anew.
        wait_all_tasks_blocked(2 * MS).await;
        assert_eq!(log.take(), "slept");
        let waited = now() - start;
        assert!(waited >= 3 * MS, "{waited:?}");
    });
}

#[test]
fn several_wait_for_quiet_at_once_and_none_disturbs_another() {
    let log = Log::default();
    sim::run(14, async {
        let spawn_waiting = |name: &'static str, cushion: Duration| {
            let log = log.clone();
            spawn(async move {
                wait_all_tasks_blocked(cushion).await;
                log.push(name);
            })
        };
        let tasks = [
            spawn_waiting("a", Duration::ZERO),
            spawn_waiting("b", 2 * MS),
            spawn_waiting("c", 2 * MS),
            spawn_waiting("d", Duration::ZERO),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(log.take(), "a d b c");
}

#[test]
fn what_comes_through_a_socket_is_no_quiet() {
    use mainspring::net::UnixStream;
    let (left, right) = UnixStream::pair().unwrap();
    sim::run(15, async {
        let read = spawn(async move { left.read(&mut [0; 8]).await.unwrap() });
        wait_all_tasks_blocked(Duration::ZERO).await;
        assert!(!read.is_finished());
        right.write_all(b"abc").await.unwrap();
        wait_all_tasks_blocked(Duration::ZERO).await;
        assert!(read.is_finished());
        assert_eq!(read.await.unwrap(), 3);
    });
}

#[test]
fn a_loop_that_spins_asks_before_it_sleeps_and_still_sleeps() {
    use mainspring::net::UnixStream;
    use mainspring::sim::fault::{Call, Plan, count_of};
    let builder = Builder::new().spin(Duration::from_micros(200));
    let runtime = builder.build().unwrap();
    let (left, _right) = UnixStream::pair().unwrap();
    drop(runtime.spawn(async move { left.read(&mut [0; 8]).await.map(drop) }));
    let _counts = Plan::new().install();
    runtime
        .block_on(async {
            mainspring::yield_to_io().await;
            let before = count_of(Call::Wait);
            sleep(2 * MS).await;
            let waits = count_of(Call::Wait) - before;
            assert!(waits > 2, "it asked only {waits} times");
        })
        .unwrap();
}
