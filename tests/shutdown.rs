//! The end of a runtime in stages: who is told, who is waited for, what is reported.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{DrainEnd, Server, TcpStream};
use mainspring::sim::{Clock, ManualClock};
use mainspring::task::{CancelToken, Ended, ScopeError, scope, shutdown_token};
use mainspring::time::{Instant, now, sleep};
use mainspring::{Builder, Runtime, TaskBuilder, spawn, spawn_blocking, yield_now};
use rig::On;

on_both! {
    p58_a_server_is_drained_by_the_token,
}

const HOUR: Duration = Duration::from_secs(3600);

fn manual() -> (Runtime, ManualClock) {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new().clock(Clock::Manual(clock.clone()));
    (builder.build().unwrap(), clock)
}

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn push(&self, line: impl ToString) {
        self.0.borrow_mut().push(line.to_string());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Runs a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn p58_tasks_are_told_and_end_in_their_grace() {
    let (runtime, clock) = manual();
    let (log, start) = (Log::default(), clock.now());
    for name in ["first", "second"] {
        let log = log.clone();
        drop(runtime.spawn(async move {
            let why = shutdown_token().cancelled().await;
            sleep(HOUR).await;
            log.push(format!("{name}: {why}"));
        }));
    }
    // One that asks only when it has been told already.
    let late = log.clone();
    drop(runtime.spawn(async move {
        sleep(HOUR / 2).await;
        assert!(shutdown_token().is_cancelled());
        late.push("late");
    }));
    let report = runtime.shutdown_in_stages(2 * HOUR, HOUR).unwrap();
    assert!(report.is_complete());
    assert_eq!(report.to_string(), "all tasks and threads ended");
    let expected = [
        "late",
        "first: the runtime is shut down",
        "second: the runtime is shut down",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(clock.now() - start, HOUR, "no stage waits for nobody");
}

type Later = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

/// Logs after a time, once it is spawned.
fn log_later(log: &Log, after: Duration, line: &'static str) -> Later {
    let log = log.clone();
    Rc::new(RefCell::new(Some(Box::pin(async move {
        sleep(after).await;
        log.push(line);
    }))))
}

#[test]
fn p58_who_does_not_end_is_reported_and_aborted_and_its_clean_up_ends() {
    let (runtime, clock) = manual();
    let (log, start) = (Log::default(), clock.now());
    let farewell = log_later(&log, HOUR / 2, "said goodbye");
    let deaf = async move {
        let _guard = OnDrop(move || drop(spawn(farewell.take().unwrap())));
        sleep(10 * HOUR).await;
        unreachable!("it is aborted");
    };
    runtime
        .block_on(async { drop(TaskBuilder::new().name("deaf").spawn(deaf)) })
        .unwrap();
    let report = runtime.shutdown_in_stages(HOUR, HOUR).unwrap();
    assert!(!report.is_complete() && !report.has_left_threads());
    let tasks = report.unfinished().tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].name(), Some("deaf"));
    let text = report.to_string();
    assert!(
        text.starts_with("1 task did not end in its time:"),
        "{text}"
    );
    assert!(text.contains("tests/shutdown.rs"), "where it waits: {text}");
    assert_eq!(log.take(), ["said goodbye"]);
    assert_eq!(clock.now() - start, HOUR + HOUR / 2);
}

#[test]
fn p58_no_stage_takes_longer_than_it_was_told() {
    let (runtime, clock) = manual();
    let (log, start) = (Log::default(), clock.now());
    let inner = log.clone();
    // Neither it nor what it leaves behind ever ends.
    drop(runtime.spawn(async move {
        let _guard = OnDrop(move || {
            let log = inner.clone();
            inner.push("aborted");
            drop(spawn(async move {
                let _guard = OnDrop(move || log.push("dropped"));
                pending::<()>().await;
            }));
        });
        pending::<()>().await;
    }));
    let report = runtime.shutdown_in_stages(2 * HOUR, HOUR).unwrap();
    assert_eq!(report.unfinished().tasks().len(), 1);
    assert_eq!(log.take(), ["aborted", "dropped"]);
    assert_eq!(clock.now() - start, 3 * HOUR);
}

#[test]
fn p58_a_task_of_the_background_is_told_and_not_waited_for() {
    let (runtime, clock) = manual();
    let (log, start) = (Log::default(), clock.now());
    let inner = log.clone();
    let background = runtime.spawn(async move {
        inner.push(shutdown_token().cancelled().await);
        pending::<()>().await;
    });
    background.set_background(true);
    runtime.block_on(yield_now()).unwrap();
    drop(runtime.spawn(sleep(HOUR)));
    let report = runtime.shutdown_in_stages(2 * HOUR, HOUR).unwrap();
    assert!(report.is_complete());
    assert_eq!(log.take(), ["the runtime is shut down"]);
    assert_eq!(clock.now() - start, HOUR);
    assert_eq!(background.outcome(), Some(Ended::Aborted));
}

#[test]
fn p58_children_of_a_scope_go_with_it_and_a_scope_follows_the_token() {
    let (runtime, clock) = manual();
    let (log, start) = (Log::default(), clock.now());
    let (follows, deaf) = (log.clone(), log.clone());
    drop(runtime.spawn(async move {
        let result = scope(async |s| {
            s.follow(&shutdown_token());
            s.set_grace(HOUR);
            s.spawn(async { follows.push(shutdown_token().cancelled().await) });
            s.spawn(pending::<()>());
        })
        .await;
        assert_eq!(now() - start, HOUR);
        let why = "the runtime is shut down".into();
        assert_eq!(result, Err(ScopeError::Cancelled(why)));
        follows.push("the scope has ended");
    }));
    drop(runtime.spawn(async move {
        let _: Result<(), _> = scope(async |s| {
            let _body = OnDrop(|| deaf.push("the body is dropped"));
            s.spawn(async {
                let _guard = OnDrop(|| deaf.push("the child is dropped"));
                pending::<()>().await
            });
            pending::<()>().await
        })
        .await;
    }));
    runtime.block_on(yield_now()).unwrap();
    let report = runtime.shutdown_in_stages(2 * HOUR, HOUR).unwrap();
    let expected = [
        "the runtime is shut down",
        "the scope has ended",
        "the child is dropped",
        "the body is dropped",
    ];
    assert_eq!(log.take(), expected);
    let count = report.unfinished().tasks().len();
    assert_eq!(count, 2, "a scope and its child");
    assert_eq!(clock.now() - start, 2 * HOUR);
}

fn p58_a_server_is_drained_by_the_token(on: On) {
    let runtime = on.runtime();
    let ended = Rc::new(Cell::new(None));
    let seen = Rc::clone(&ended);
    let client = runtime.block_on(async move {
        let listener = rig::listener();
        let addr = listener.local_addr().unwrap();
        let server = Server::start(listener, async |(stream, _peer), draining: CancelToken| {
            let mut buf = [0; 8];
            while let Ok(read) = draining.run_until_cancelled(stream.read(&mut buf)).await {
                stream.write_all(&buf[..read?]).await?;
            }
            stream.write_all(b"bye").await
        });
        drop(spawn(async move {
            shutdown_token().cancelled().await;
            seen.set(Some(server.drain(HOUR).await));
        }));
        let client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"tick").await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 4);
        client
    });
    let client = client.unwrap().into_std();
    let report = runtime.shutdown_in_stages(HOUR, HOUR).unwrap();
    assert!(report.is_complete());
    assert_eq!(ended.get(), Some(DrainEnd::Complete));
    client.set_nonblocking(false).unwrap();
    let said = std::io::read_to_string(&client).unwrap();
    assert_eq!(said, "bye");
}

#[test]
fn hz_g01_threads_that_are_left_are_in_the_report() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = std::sync::mpsc::channel();
    let runtime = Runtime::new().unwrap();
    runtime
        .block_on(async move {
            drop(spawn_blocking(move || {
                begin.send(()).unwrap();
                let _ = ended.recv();
            }));
        })
        .unwrap();
    begun.recv().unwrap();
    let ms = Duration::from_millis(1);
    let report = runtime.shutdown_in_stages(ms, ms).unwrap();
    assert!(report.has_left_threads() && !report.is_complete());
    let text = report.to_string();
    assert!(text.ends_with("threads of the pool were busy, and are left to themselves"));
    // The job is a task of the loop's, too.
    assert_eq!(report.unfinished().tasks().len(), 1);
    drop(end);
}

#[test]
fn a_token_may_be_cancelled_by_anybody_and_outlives_its_loop() {
    let runtime = Runtime::new().unwrap();
    let token = runtime.shutdown_token();
    let watching = runtime.spawn(async { shutdown_token().cancelled().await });
    let handle = runtime.handle();
    let elsewhere = std::thread::spawn(move || {
        drop(handle.spawn_with(|| async { shutdown_token().cancel_with("enough") }));
    });
    let why = runtime.block_on(watching).unwrap().unwrap();
    elsewhere.join().unwrap();
    assert_eq!(why.as_str(), "enough");
    assert!(token.is_cancelled());
    drop(runtime);
    assert_eq!(token.reason().unwrap().as_str(), "enough");
    let unentered = std::panic::catch_unwind(shutdown_token).unwrap_err();
    let text = unentered.downcast_ref::<&str>().unwrap();
    assert!(text.contains("inside a running loop"), "{text}");
}
