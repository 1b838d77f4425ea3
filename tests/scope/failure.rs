//! Errors and panics of children and body.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use mainspring::task::{FailurePolicy, ScopeError, scope, try_scope};
use mainspring::{Builder, run, sim, yield_now};

use crate::rig::{Log, caught, nap, poll_as_task};

#[test]
fn p33_the_first_error_ends_siblings_and_body_at_once() {
    let log = Log::default();
    let result = sim::run(1, async {
        let failing = try_scope(async |s| {
            let _gone = log.guard("body");
            for ms in [3, 1, 2] {
                let guard = log.guard(ms.to_string());
                let log = &log;
                s.spawn_fallible(async move {
                    let _gone = guard;
                    nap(ms).await;
                    log.say(format!("{ms} fails"));
                    Err::<(), _>(ms)
                });
            }
            pending::<Result<(), u64>>().await
        });
        let result = failing.await;
        log.say("over");
        result
    });
    assert_eq!(result, Err(ScopeError::Failed(vec![1])));
    assert_eq!(log.take(), ["1 fails", "-1", "-3", "-2", "-body", "over"]);
}

#[test]
fn p33_the_body_s_error_ends_the_children() {
    let log = Log::default();
    let result: Result<(), _> = run(try_scope(async |s| {
        let guard = log.guard("child");
        s.spawn(async move {
            let _gone = guard;
            pending::<()>().await;
        });
        yield_now().await;
        Err("body")
    }))
    .unwrap();
    assert_eq!(result, Err(ScopeError::Failed(vec!["body"])));
    assert_eq!(log.take(), ["-child"]);
}

#[test]
fn p33_all_errors_are_collected_in_order() {
    let result = sim::run(1, async {
        try_scope(async |s| {
            s.set_grace(Duration::from_secs(1));
            for ms in [30, 10, 20] {
                let inner = s.clone();
                s.spawn_fallible(async move {
                    inner.cancelled().await;
                    nap(ms).await;
                    Err::<(), _>(format!("{ms} in its clean-up"))
                });
            }
            yield_now().await;
            s.spawn_fallible(async { Err::<(), _>("the cause".to_string()) });
            s.cancelled().await;
            Err::<(), _>("body".to_string())
        })
        .await
    });
    let want = [
        "the cause",
        "body",
        "10 in its clean-up",
        "20 in its clean-up",
        "30 in its clean-up",
    ];
    let error = result.unwrap_err();
    assert_eq!(error.errors(), want);
    assert!(
        error
            .to_string()
            .starts_with("the scope failed: the cause; body; 10"),
        "{error}"
    );
}

#[test]
fn p33_errors_say_more_than_the_cancellation_that_they_followed() {
    let result = sim::run(1, async {
        try_scope(async |s| {
            s.set_grace(Duration::from_secs(1));
            s.cancel("outside");
            s.cancelled().await;
            Err::<(), _>("in the clean-up")
        })
        .await
    });
    assert_eq!(result, Err(ScopeError::Failed(vec!["in the clean-up"])));
}

#[test]
fn a_child_whose_result_nobody_counts_fails_nothing() {
    let result = run(try_scope(async |s| {
        let child = s.spawn(async { Err::<(), _>("its own business") });
        assert_eq!(child.await.unwrap(), Err("its own business"));
        Ok::<_, ()>(1)
    }));
    assert_eq!(result.unwrap(), Ok(1));
}

#[test]
fn hz_j03_p33_a_panic_of_a_child_comes_out_once_and_counts_for_more_than_errors() {
    let log = Log::default();
    run(async {
        let failing = try_scope(async |s| {
            s.set_grace(Duration::from_millis(1));
            let guard = log.guard("sibling");
            s.spawn(async move {
                let _gone = guard;
                pending::<()>().await;
            });
            let child = s.spawn(async { panic!("of a child") });
            s.spawn_fallible(async { Err::<(), _>("an error") });
            let error = child.await.unwrap_err();
            assert!(error.is_aborted(), "the panic went to the scope");
            Ok::<_, &str>(())
        });
        assert_eq!(caught(failing).await, Err("of a child".to_string()));
        log.say("caught");
    })
    .unwrap();
    assert_eq!(log.take(), ["-sibling", "caught"]);
}

#[test]
fn p33_siblings_that_are_ready_too_are_not_polled_after_a_failure() {
    let log = Log::default();
    run(async {
        let panics = scope(async |s| {
            s.spawn(async { panic!("first") });
            s.spawn(async { log.say("polled after a panic") });
        });
        assert_eq!(caught(panics).await, Err("first".to_string()));
        let fails = try_scope(async |s| {
            s.spawn_fallible(async { Err::<(), _>("first") });
            s.spawn(async { log.say("polled after an error") });
            Ok(())
        });
        assert_eq!(fails.await.unwrap_err().errors(), ["first"]);
    })
    .unwrap();
    assert!(log.take().is_empty());
}

/// Runs `test` in a loop that collects what nobody could fetch.
fn with_failures(test: impl Future<Output = ()>) -> Vec<String> {
    let failures: Rc<RefCell<Vec<String>>> = Rc::default();
    let kept = Rc::clone(&failures);
    let policy = FailurePolicy::Call(Box::new(move |failure| {
        kept.borrow_mut().push(failure.message().to_string());
    }));
    let runtime = Builder::new().on_failure(policy).build().unwrap();
    runtime.block_on(test).unwrap();
    drop(runtime);
    failures.take()
}

#[test]
fn hz_j03_further_panics_are_reported_and_the_first_comes_out() {
    let failures = with_failures(async {
        let failing = scope(async |s| {
            s.set_grace(Duration::from_millis(1));
            for number in 1..=3 {
                s.spawn(async move { panic!("panic {number}") });
            }
            s.cancelled().await;
        });
        assert_eq!(caught(failing).await, Err("panic 1".to_string()));
    });
    assert_eq!(failures, ["panic 2", "panic 3"]);
}

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[test]
fn hz_j03_the_body_s_own_panic_comes_out_after_the_children_were_dropped() {
    let log = Log::default();
    let failures = with_failures(async {
        let failing = scope(async |s| {
            let guard = log.guard("child");
            s.spawn(async move {
                let _gone = guard;
                let _bomb = Bomb("of a destructor");
                pending::<()>().await;
            });
            yield_now().await;
            yield_now().await;
            panic!("of the body");
        });
        assert_eq!(caught(failing).await, Err("of the body".to_string()));
        log.say("caught");
    });
    assert_eq!(log.take(), ["-child", "caught"]);
    assert_eq!(failures, ["of a destructor"]);
}

#[test]
fn hz_j03_the_first_panic_in_time_wins_be_it_of_a_child_or_of_the_body() {
    let failures = with_failures(async {
        let failing = scope(async |s| {
            s.set_grace(Duration::from_secs(1));
            s.spawn(async { panic!("of a child") });
            s.cancelled().await;
            panic!("of the body");
        });
        assert_eq!(caught(failing).await, Err("of a child".to_string()));
    });
    assert_eq!(failures, ["of the body"]);
}

#[test]
fn destructors_that_panic_keep_no_sibling_from_being_dropped() {
    let log = Log::default();
    let failures = with_failures(async {
        let mut dropped = Box::pin(scope(async |s| {
            for number in 0..3 {
                let guard = log.guard(number.to_string());
                s.spawn(async move {
                    let _gone = guard;
                    let _bomb = Bomb("a bomb");
                    pending::<()>().await;
                });
            }
            pending::<()>().await;
        }));
        for _ in 0..2 {
            assert!(poll_as_task(dropped.as_mut()).await.is_pending());
        }
        drop(dropped);
    });
    assert_eq!(log.take(), ["-0", "-1", "-2"]);
    assert_eq!(failures, ["a bomb"; 3]);
}

#[test]
fn a_scope_that_has_ended_is_not_polled_again() {
    run(async {
        let mut ended = Box::pin(scope(async |_| ()));
        assert!(poll_as_task(ended.as_mut()).await.is_ready());
        let again = caught(poll_as_task(ended.as_mut())).await.unwrap_err();
        assert!(again.contains("polled again"), "{again}");
    })
    .unwrap();
}
