//! What the loop says by itself: slow polls, and tasks that can never run again.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::process::Command;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring::inspect::{self, Report, ReportKind};
use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{Instant, sleep};
use mainspring::{Builder, Runtime, TaskBuilder, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);
/// Set in the child that a test makes of its own binary.
const CHILD: &str = "MAINSPRING_TEST_CHILD";

fn builder() -> Builder {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    Builder::new().clock(Clock::Manual(clock))
}

/// Runs `future` on the runtime; what was reported meanwhile.
fn reports_of(runtime: &Runtime, future: impl Future<Output = ()>) -> Vec<Report> {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&reports);
    let hooked = async {
        inspect::on_report(move |report| seen.borrow_mut().push(report.clone()));
        future.await;
    };
    runtime.block_on(hooked).unwrap();
    reports.take()
}

#[test]
fn p44_a_slow_poll_is_told_with_name_line_and_time_and_a_fast_one_is_not() {
    let runtime = builder().slow_poll(20 * MS).build().unwrap();
    let reports = reports_of(&runtime, async {
        let slow = TaskBuilder::new().name("hog").spawn(async {
            sim::advance(19 * MS);
            yield_now().await;
            sim::advance(150 * MS);
        });
        let (id, line) = (slow.id(), slow.spawned_at());
        slow.await.unwrap();
        assert!(inspect::snapshot().task(id).is_none());
        // It had ended when it was reported, and is known all the same.
        assert!(line.unwrap().file().ends_with("reports.rs"));
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    let report = &reports[0];
    assert_eq!(report.kind(), ReportKind::SlowPoll(150 * MS));
    assert_eq!(report.name(), Some("hog"));
    let text = report.to_string();
    let line = report.spawned_at().unwrap();
    let expected = format!(
        "one poll of task {} \"hog\" (spawned at {line}) took 150ms, and nothing else ran meanwhile",
        report.task()
    );
    assert_eq!(text, expected);
}

#[test]
fn debug_mode_reports_polls_of_a_tenth_of_a_second_and_more() {
    let runtime = builder().debug(true).build().unwrap();
    let reports = reports_of(&runtime, async {
        for ms in [99, 100, 101] {
            sim::advance(ms * MS);
            yield_now().await;
        }
    });
    let kinds: Vec<_> = reports.iter().map(Report::kind).collect();
    let expected = [100, 101].map(|ms| ReportKind::SlowPoll(ms * MS));
    assert_eq!(kinds, expected);
}

/// Spawns tasks of every kind that could be taken for lost, and one that is.
async fn one_is_lost() -> mainspring::TaskId {
    let held = Rc::new(RefCell::new(Vec::<Waker>::new()));
    let keep = Rc::clone(&held);
    // Somebody has a waker of this one,
    let waits = spawn(poll_fn(move |cx| {
        keep.borrow_mut().push(cx.waker().clone());
        Poll::<()>::Pending
    }));
    // this one waits for another, this one for a timer, for a descriptor, for bytes in memory,
    let joins = spawn(async move { drop(waits.await) });
    let sleeps = spawn(sleep(Duration::MAX));
    let (near, far) = mainspring::net::UnixStream::pair().unwrap();
    let reads = spawn(async move { drop(near.read(&mut [0; 1]).await) });
    let (mut memory, other) = mainspring::io::duplex(1);
    let reads_memory = spawn(async move {
        drop(mainspring::io::AsyncReadExt::read_exact(&mut memory, &mut [0; 1]).await);
    });
    // and this one for nothing.
    let lost = TaskBuilder::new().name("lost").spawn(pending::<()>());
    sleep(Duration::from_secs(5)).await;
    sleep(Duration::from_secs(5)).await;
    drop((held, joins, sleeps, far, reads, other, reads_memory));
    lost.id()
}

#[test]
fn p44_a_task_that_can_never_run_again_is_told_once_and_no_other() {
    let runtime = builder().debug(true).build().unwrap();
    let mut id = None;
    let reports = reports_of(&runtime, async { id = Some(one_is_lost().await) });
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0].kind(), ReportKind::LostTask);
    assert_eq!(reports[0].task(), id.unwrap());
    assert!(
        reports[0]
            .to_string()
            .contains("\"lost\" (spawned at tests/inspect/reports.rs:")
    );
    assert!(reports[0].to_string().ends_with("it will never run again"));
}

#[test]
fn p44_without_debug_mode_nothing_is_said_and_nothing_measured() {
    let runtime = builder().debug(false).build().unwrap();
    let reports = reports_of(&runtime, async {
        one_is_lost().await;
        sim::advance(1000 * MS);
        yield_now().await;
        assert!(inspect::metrics().timings.is_none());
    });
    assert!(reports.is_empty(), "{reports:?}");
}

#[test]
fn a_hook_may_use_the_loop_and_its_panic_stays_its_own() {
    let runtime = builder().slow_poll(Duration::ZERO).build().unwrap();
    let calls = Rc::new(RefCell::new(0));
    let count = Rc::clone(&calls);
    runtime
        .block_on(async move {
            inspect::on_report(move |report| {
                *count.borrow_mut() += 1;
                drop(inspect::snapshot().to_string());
                drop(inspect::why(report.task()));
                assert!(inspect::metrics().timings.is_some());
                if *count.borrow() == 1 {
                    drop(spawn(async {}));
                    panic!("a hook's own panic");
                }
            });
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
    assert_eq!(
        *calls.borrow(),
        4,
        "three polls of main, one of what the hook spawned"
    );
}

#[test]
fn the_environment_turns_debug_mode_on_and_reports_go_to_standard_error() {
    if std::env::var_os(CHILD).is_some() {
        builder()
            .build()
            .unwrap()
            .block_on(async {
                sim::advance(200 * MS);
            })
            .unwrap();
        return;
    }
    let errors_with = |value: &str| {
        let name = "reports::the_environment_turns_debug_mode_on_and_reports_go_to_standard_error";
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name, "--nocapture"]).env(CHILD, "1");
        let output = child.env("MAINSPRING_DEBUG", value).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let errors = errors_with("1");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.starts_with("mainspring: one poll of task "),
        "{errors}"
    );
    assert!(
        errors.contains("reports.rs:") && errors.contains("took 200ms"),
        "{errors}"
    );
    assert_eq!(errors_with("0"), "");
    assert_eq!(errors_with(""), "");
}
