//! Cancellation of a scope: from inside, from outside, from a destructor, twice; with a grace and without.

use std::future::pending;
use std::time::Duration;

use mainspring::task::{CancelToken, ScopeError, scope};
use mainspring::{run, sim, spawn, yield_now};

use crate::rig::{Log, nap, poll_as_task};

fn cancelled(reason: &'static str) -> Result<(), ScopeError> {
    Err(ScopeError::Cancelled(reason.into()))
}

#[test]
fn p34_a_scope_is_cancelled_from_inside_in_its_next_poll_and_not_in_the_call() {
    let log = Log::default();
    let result = run(scope(async |s| {
        let (inner, log) = (s.clone(), &log);
        s.spawn(async move {
            inner.cancel("by a child");
            log.say("goes on");
            yield_now().await;
            log.say("never");
        });
        pending::<()>().await;
    }));
    assert_eq!(result.unwrap(), cancelled("by a child"));
    assert_eq!(log.take(), ["goes on"]);
}

#[test]
fn p34_the_first_reason_stays() {
    let result = run(scope(async |s| {
        s.cancel("first");
        s.cancel("second");
        assert_eq!(s.reason(), Some("first".into()));
        pending::<()>().await;
    }));
    assert_eq!(result.unwrap(), cancelled("first"));
}

#[test]
fn p34_a_scope_is_cancelled_from_outside_by_its_token() {
    sim::run(1, async {
        let outside = CancelToken::new();
        let token = outside.clone();
        let task = spawn(async move {
            scope(async |s| {
                s.follow(&token);
                assert!(!s.is_cancelled());
                pending::<()>().await;
            })
            .await
        });
        nap(1).await;
        outside.cancel_with("from outside");
        assert_eq!(task.await.unwrap(), cancelled("from outside"));
    });
}

#[test]
fn hz_j02_a_scope_is_cancelled_from_a_destructor_while_it_is_being_dropped() {
    struct Cancels<F: Fn()>(F);
    impl<F: Fn()> Drop for Cancels<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    run(async {
        let result = scope(async |s| {
            for reason in ["first", "second"] {
                let inner = s.clone();
                let guard = Cancels(move || inner.cancel(reason));
                s.spawn(async move {
                    let _guard = guard;
                    yield_now().await;
                });
            }
            pending::<()>().await;
        });
        assert_eq!(result.await, cancelled("first"));

        let mut dropped = Box::pin(scope(async |s| {
            let inner = s.clone();
            let guard = Cancels(move || inner.cancel("late"));
            s.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            pending::<()>().await;
        }));
        for _ in 0..2 {
            assert!(poll_as_task(dropped.as_mut()).await.is_pending());
        }
        drop(dropped);
    })
    .unwrap();
}

#[test]
fn p34_a_grace_lets_those_who_watch_end_by_themselves_and_drops_the_rest_after_it() {
    let log = Log::default();
    let (result, took) = sim::run(1, async {
        let start = mainspring::time::now();
        let result = scope(async |s| {
            s.set_grace(Duration::from_millis(10));
            for (name, ms) in [("quick", 5), ("slow", 50)] {
                let (inner, guard) = (s.clone(), log.guard(name));
                let log = &log;
                s.spawn(async move {
                    let _gone = guard;
                    let reason = inner.cancelled().await;
                    nap(ms).await;
                    log.say(format!("{name} has cleaned up: {reason}"));
                });
            }
            let deaf = log.guard("deaf");
            s.spawn(async move {
                let _gone = deaf;
                pending::<()>().await;
            });
            yield_now().await;
            s.cancel("maintenance");
            pending::<()>().await;
        })
        .await;
        (result, mainspring::time::now() - start)
    });
    assert_eq!(result, cancelled("maintenance"));
    assert_eq!(
        log.take(),
        [
            "quick has cleaned up: maintenance",
            "-quick",
            "-slow",
            "-deaf"
        ]
    );
    assert_eq!(took, Duration::from_millis(10));
}

#[test]
fn p34_a_body_that_returns_after_a_cancel_has_decided() {
    let returns_at_once = run(scope(async |s| {
        s.spawn(pending::<()>());
        s.cancel("the children");
        5
    }));
    assert_eq!(returns_at_once.unwrap(), Ok(5));
    let returns_in_its_grace = sim::run(1, async {
        scope(async |s| {
            s.set_grace(Duration::from_secs(1));
            s.spawn(pending::<()>());
            s.cancel("the children");
            s.cancelled().await;
            nap(1).await;
            6
        })
        .await
    });
    assert_eq!(returns_in_its_grace, Ok(6));
    let had_returned = run(scope(async |s| {
        let inner = s.clone();
        s.spawn(async move {
            yield_now().await;
            inner.cancel("too late for the body");
        });
        s.spawn(pending::<()>());
    }));
    assert_eq!(had_returned.unwrap(), cancelled("too late for the body"));
}

#[test]
fn a_grace_that_is_set_to_zero_ends_at_once() {
    let took = sim::run(1, async {
        let start = mainspring::time::now();
        let result = scope(async |s| {
            s.set_grace(Duration::from_secs(60));
            s.cancel("ask");
            let inner = s.clone();
            s.spawn(async move {
                nap(3).await;
                inner.set_grace(Duration::ZERO);
                pending::<()>().await;
            });
            pending::<()>().await;
        })
        .await;
        assert_eq!(result, cancelled("ask"));
        mainspring::time::now() - start
    });
    assert_eq!(took, Duration::from_millis(3));
}

#[test]
fn a_child_may_still_be_started_while_a_grace_runs_and_hears_of_it() {
    let log = Log::default();
    let result = sim::run(1, async {
        scope(async |s| {
            s.set_grace(Duration::from_secs(1));
            s.cancel("closing");
            let inner = s.clone();
            s.spawn(async {
                let inner = inner;
                log.say(inner.cancelled().await.to_string());
            });
        })
        .await
    });
    assert_eq!(result, Ok(()));
    assert_eq!(log.take(), ["closing"]);
}

#[test]
fn nested_scopes_are_cancelled_each_for_itself() {
    let log = Log::default();
    let result = sim::run(1, async {
        scope(async |outer| {
            let inner = scope(async |s| {
                s.cancel("inner");
                pending::<()>().await;
            });
            log.say(inner.await.unwrap_err().to_string());
            assert!(!outer.is_cancelled());
            outer.set_grace(Duration::from_secs(1));
            let follows = scope(async |s| {
                s.follow(&outer.token());
                s.set_grace(Duration::from_secs(1));
                outer.cancel("outer");
                s.cancelled().await
            });
            log.say(follows.await.unwrap().to_string());
        })
        .await
    });
    assert_eq!(result, Ok(()));
    assert_eq!(log.take(), ["the scope was cancelled: inner", "outer"]);
}
