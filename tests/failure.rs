//! What a loop does about panics that nobody can fetch: each policy, for each kind of them; and about tasks that are
//! left when it ends.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::sim::{Clock, ManualClock};
use mainspring::time::{Instant, sleep};
use mainspring::{Builder, FailurePolicy, Runtime, TaskBuilder, call_soon, spawn, yield_now};

const CHILD: &str = "MAINSPRING_TEST_CHILD";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// What the test of this name writes to standard error when it is run as a child.
fn run_child(test: &str, debug: &str) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("MAINSPRING_DEBUG", debug)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let mut ours: Vec<String> = Vec::new();
    // A report may have lines of its own, which are indented.
    for line in text.lines() {
        if line.starts_with("mainspring: ") || (line.starts_with("  ") && !ours.is_empty()) {
            ours.push(line.to_string());
        }
    }
    ours
}

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// A waker that panics.
struct BadWaker;

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        panic!("waker");
    }
}

/// Each of the ways in which a failure comes about, in one run: a task without a handle, one whose handle goes after its end,
/// an output that nobody fetches, a callback, a closure that is dropped, a foreign waker.
async fn fail_in_every_way() {
    drop(
        TaskBuilder::new()
            .name("no handle")
            .spawn(async { panic!("task") }),
    );
    let late = spawn(async { panic!("late") });
    drop(spawn(async { Bomb("output") }));
    drop(call_soon(|| panic!("callback")));
    let bomb = Bomb("closure");
    call_soon(move || std::mem::forget(bomb)).cancel();
    let mut joined = Box::pin(spawn(async {}));
    let waker = Waker::from(Arc::new(BadWaker));
    poll_fn(|_| {
        let mut cx = Context::from_waker(&waker);
        let is_pending = std::future::Future::poll(joined.as_mut(), &mut cx).is_pending();
        assert!(is_pending);
        Poll::Ready(())
    })
    .await;
    yield_now().await;
    drop(late);
}

const MESSAGES: [&str; 6] = ["task", "output", "callback", "closure", "waker", "late"];

/// A failure's message, the name of its task (`-` without one) if it has a task, and its line.
type Told = (String, Option<String>, String);

#[test]
fn p18_a_failure_hook_is_called_for_every_kind_of_failure() {
    let failures: Rc<RefCell<Vec<Told>>> = Rc::default();
    let log = Rc::clone(&failures);
    let policy = FailurePolicy::Call(Box::new(move |failure| {
        let name = failure.task().map(|task| {
            if cfg!(feature = "inspect") {
                assert_eq!(task.spawned_at().unwrap().file(), file!());
            }
            task.name().unwrap_or("-").to_string()
        });
        let entry = (failure.message().to_string(), name, failure.to_string());
        log.borrow_mut().push(entry);
        assert!(failure.payload().is::<&str>() || failure.payload().is::<String>());
    }));
    let runtime = Builder::new().on_failure(policy).build().unwrap();
    runtime.block_on(fail_in_every_way()).unwrap();
    let failures = failures.take();
    let messages: Vec<&str> = failures.iter().map(|(message, ..)| &**message).collect();
    assert_eq!(messages, MESSAGES);
    let names: Vec<Option<&str>> = failures
        .iter()
        .map(|(_, name, _)| name.as_deref())
        .collect();
    let dash = Some("-");
    assert_eq!(names, [Some("no handle"), None, dash, None, None, dash]);
    let line = &failures[0].2;
    assert!(
        line.contains("\"no handle\" (spawned at tests/failure.rs:"),
        "{line}"
    );
    assert!(
        line.ends_with("panicked, and nobody awaits it: task"),
        "{line}"
    );
    assert!(failures[2].2.ends_with("panicked in a callback: callback"));
    assert_eq!(failures[4].2, "a waker panicked: waker");
}

#[test]
fn p18_a_failure_is_one_line_on_standard_error_by_default() {
    if is_child() {
        return mainspring::run(fail_in_every_way()).unwrap();
    }
    let lines = run_child("p18_a_failure_is_one_line_on_standard_error_by_default", "");
    assert_eq!(lines.len(), MESSAGES.len(), "{lines:#?}");
    for (line, message) in lines.iter().zip(MESSAGES) {
        assert!(line.ends_with(&format!(": {message}")), "{line}");
    }
}

#[test]
fn p18_failures_can_be_ignored() {
    if is_child() {
        let builder = Builder::new().on_failure(FailurePolicy::Ignore);
        return builder
            .build()
            .unwrap()
            .block_on(fail_in_every_way())
            .unwrap();
    }
    assert!(run_child("p18_failures_can_be_ignored", "").is_empty());
}

/// The payload that a run ends with, by a policy that ends it.
fn end_of(runtime: &Runtime, f: impl FnOnce(&Runtime)) -> u32 {
    let end = catch_unwind(AssertUnwindSafe(|| f(runtime))).unwrap_err();
    *end.downcast::<u32>()
        .expect("it ends with what the panic carried")
}

#[test]
fn p18_a_failure_can_end_the_run_which_panics_with_it() {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new().clock(Clock::Manual(clock));
    let runtime = builder.on_failure(FailurePolicy::End).build().unwrap();
    let log: Rc<RefCell<Vec<&str>>> = Rc::default();
    let fail = |number: u32| drop(runtime.spawn(async move { panic_any(number) }));
    struct Says(Rc<RefCell<Vec<&'static str>>>, &'static str);
    impl Drop for Says {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    fail(1);
    let main = Says(Rc::clone(&log), "main is dropped");
    let inner = Rc::clone(&log);
    drop(runtime.spawn(async move {
        inner.borrow_mut().push("same tick");
        yield_now().await;
        inner.borrow_mut().push("next run");
    }));
    let end = end_of(&runtime, |runtime| {
        runtime
            .block_on(async move {
                let _main = main;
                pending::<()>().await;
            })
            .unwrap();
    });
    assert_eq!(end, 1);
    assert_eq!(log.take(), ["same tick", "main is dropped"]);
    // The runtime is whole, the others go on.
    runtime.block_on(sleep(Duration::from_secs(1))).unwrap();
    assert_eq!(log.take(), ["next run"]);
    for (number, run) in [
        (2, (|runtime| drop(runtime.tick())) as fn(&Runtime)),
        (3, |runtime| runtime.run_forever().unwrap()),
        (4, |runtime| runtime.run_until_idle().unwrap()),
        (5, |runtime| drop(runtime.tick_blocking())),
    ] {
        fail(number);
        assert_eq!(end_of(&runtime, run), number);
        assert_eq!(runtime.tick().unwrap().polls, 0);
    }
}

#[test]
fn p18_what_fails_outside_of_a_run_ends_the_next_one() {
    let runtime = Builder::new()
        .on_failure(FailurePolicy::End)
        .build()
        .unwrap();
    let handle = runtime.spawn(async { panic_any(6u32) });
    runtime.tick().unwrap();
    drop(handle);
    assert_eq!(
        end_of(&runtime, |runtime| drop(runtime.block_on(pending::<()>()))),
        6
    );
}

#[test]
fn p18_a_loop_that_ends_anyway_reports_what_its_policy_would_end_it_for() {
    if is_child() {
        let runtime = Builder::new()
            .on_failure(FailurePolicy::End)
            .build()
            .unwrap();
        let bomb = Bomb("as the loop ends");
        drop(runtime.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        }));
        runtime.tick().unwrap();
        return drop(runtime);
    }
    let test = "p18_a_loop_that_ends_anyway_reports_what_its_policy_would_end_it_for";
    let lines = run_child(test, "");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].ends_with("as the loop ends"), "{lines:#?}");
}

#[test]
fn p18_a_failure_hook_that_panics_is_reported_with_what_it_was_told() {
    if is_child() {
        let policy = FailurePolicy::Call(Box::new(|_| panic!("the hook's own")));
        let runtime = Builder::new().on_failure(policy).build().unwrap();
        drop(runtime.spawn(async { panic!("first") }));
        return runtime.block_on(yield_now()).unwrap();
    }
    let test = "p18_a_failure_hook_that_panics_is_reported_with_what_it_was_told";
    let lines = run_child(test, "");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].ends_with("first"), "{lines:#?}");
    assert!(
        lines[1].ends_with("the failure hook panicked: the hook's own"),
        "{lines:#?}"
    );
}

#[test]
fn p18_a_failure_that_a_failure_hook_causes_is_reported_and_not_told_to_it() {
    if is_child() {
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let policy = FailurePolicy::Call(Box::new(move |_| {
            count.set(count.get() + 1);
            // A task that is done with a panic: the drop of its handle is a failure.
            let handle = mainspring::task::spawn_eager(async { panic!("nested") });
            drop(handle);
        }));
        let runtime = Builder::new().on_failure(policy).build().unwrap();
        drop(runtime.spawn(async { panic!("first") }));
        runtime.block_on(yield_now()).unwrap();
        assert_eq!(calls.get(), 1);
        return;
    }
    let test = "p18_a_failure_that_a_failure_hook_causes_is_reported_and_not_told_to_it";
    let lines = run_child(test, "");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].ends_with("nested"), "{lines:#?}");
}

#[test]
fn an_awaited_panic_is_no_failure() {
    let policy = FailurePolicy::Call(Box::new(|failure| unreachable!("{failure}")));
    let runtime = Builder::new().on_failure(policy).build().unwrap();
    runtime
        .block_on(async {
            assert!(spawn(async { panic!("awaited") }).await.is_err());
        })
        .unwrap();
}

/// A loop that ends with three tasks, one of which does not count.
fn leave_tasks(builder: Builder) {
    let runtime = builder.build().unwrap();
    let named = |name: &str| TaskBuilder::new().name(name);
    runtime
        .block_on(async {
            let sleeper = named("sleeper").spawn(sleep(Duration::from_secs(60)));
            drop(named("joiner").spawn(async move { drop(sleeper.await) }));
            drop(named("helper").background(true).spawn(sleep(Duration::MAX)));
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
}

fn check_report(lines: &[String]) {
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(
        lines[0],
        "mainspring: the loop ends while tasks are unfinished (2):"
    );
    for (line, words) in lines[1..].iter().zip([
        "\"sleeper\"",
        "waits for a ",
        "\"joiner\"",
        "waits for the end of task",
    ]) {
        assert!(line.contains(words), "{line}");
    }
    if cfg!(feature = "inspect") {
        assert!(lines[2].contains("tests/failure.rs:"), "{lines:#?}");
    }
}

#[test]
fn tasks_that_are_left_at_the_end_are_reported_with_what_they_wait_for() {
    if is_child() {
        return leave_tasks(Builder::new().report_unfinished(true));
    }
    let test = "tasks_that_are_left_at_the_end_are_reported_with_what_they_wait_for";
    check_report(&run_child(test, "0"));
}

#[test]
fn tasks_that_are_left_at_the_end_are_reported_in_debug_mode_and_else_not() {
    if is_child() {
        return leave_tasks(Builder::new());
    }
    let test = "tasks_that_are_left_at_the_end_are_reported_in_debug_mode_and_else_not";
    check_report(&run_child(test, "1"));
    assert!(run_child(test, "0").is_empty());
    assert!(run_child(test, "").is_empty());
}

#[test]
fn a_loop_whose_tasks_all_ended_reports_nothing() {
    if is_child() {
        let runtime = Builder::new().report_unfinished(true).build().unwrap();
        drop(runtime.spawn(async {}));
        return runtime.run_until_idle().unwrap();
    }
    assert!(run_child("a_loop_whose_tasks_all_ended_reports_nothing", "1").is_empty());
}
