//! What children may borrow, and that they end with their scope.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use mainspring::task::{Scope, scope};
use mainspring::{run, sim, yield_now};

use crate::rig::{Log, nap, poll_as_task};

#[test]
fn children_borrow_what_is_outside_mutably_too() {
    let text = String::from("outside");
    let (mut first, mut rest) = (0, vec![1, 2, 3]);
    let length = run(scope(async |s| {
        s.spawn(async {
            yield_now().await;
            first += text.len();
        });
        for number in &mut rest {
            s.spawn(async {
                yield_now().await;
                *number *= 2;
            });
        }
        s.spawn(async { text.len() }).await.unwrap()
    }));
    assert_eq!(length.unwrap(), Ok(7));
    assert_eq!((first, rest), (7, vec![2, 4, 6]));
}

#[test]
fn a_child_s_output_may_borrow_as_well() {
    let words = String::from("one two");
    let longest = run(scope(async |s| {
        let children: Vec<_> = words
            .split(' ')
            .map(|word| s.spawn(async move { word }))
            .collect();
        let mut all: Vec<&str> = Vec::new();
        for child in children {
            all.push(child.await.unwrap());
        }
        all
    }));
    assert_eq!(longest.unwrap(), Ok(vec!["one", "two"]));
}

#[test]
fn children_spawn_further_children_that_borrow_the_same() {
    fn spread<'env>(s: Scope<'env>, count: &'env Cell<u32>, depth: u32) {
        if depth > 0 {
            for _ in 0..2 {
                let inner = s.clone();
                s.spawn(async move {
                    yield_now().await;
                    count.set(count.get() + 1);
                    spread(inner, count, depth - 1);
                });
            }
        }
    }
    let count = Cell::new(0);
    let body = run(scope(async |s: Scope<'_>| spread(s, &count, 6)));
    assert_eq!(body.unwrap(), Ok(()));
    assert_eq!(
        count.get(),
        126,
        "also those that began when the body had returned"
    );
}

#[test]
fn p32_a_scope_returns_after_its_last_child() {
    let log = Log::default();
    sim::run(1, async {
        let body = scope(async |s| {
            for ms in [30, 10, 20] {
                let log = &log;
                s.spawn(async move {
                    let _gone = log.guard(ms.to_string());
                    nap(ms).await;
                });
            }
            log.say("body");
        });
        body.await.unwrap();
        log.say("scope");
    });
    assert_eq!(log.take(), ["body", "-10", "-20", "-30", "scope"]);
}

#[test]
fn p32_a_dropped_scope_drops_its_children_in_spawn_order_and_then_its_body() {
    let log = Log::default();
    run(async {
        let mut dropped = Box::pin(scope(async |s| {
            let _gone = log.guard("body");
            for name in ["a", "b", "c"] {
                let (log, guard) = (&log, log.guard(name));
                s.spawn(async move {
                    let _gone = guard;
                    scope(async |s| {
                        let inner = log.guard(format!("{name} inner"));
                        s.spawn(async move {
                            let _gone = inner;
                            pending::<()>().await;
                        });
                        pending::<()>().await;
                    })
                    .await
                    .unwrap();
                });
            }
            pending::<()>().await;
        }));
        for _ in 0..3 {
            assert!(poll_as_task(dropped.as_mut()).await.is_pending());
        }
        drop(dropped);
        log.say("dropped");
    })
    .unwrap();
    let want = [
        "-a inner", "-a", "-b inner", "-b", "-c inner", "-c", "-body", "dropped",
    ];
    assert_eq!(log.take(), want);
}

#[test]
fn p32_the_end_of_a_runtime_ends_scopes_with_their_tasks() {
    let log = Log::default();
    let inner = log.clone();
    let runtime = mainspring::Runtime::new().unwrap();
    runtime.spawn(async move {
        let log = &inner;
        scope(async |s| {
            let guard = log.guard("child");
            s.spawn(async move {
                let _gone = guard;
                pending::<()>().await;
            });
            pending::<()>().await;
        })
        .await
        .unwrap();
    });
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    drop(runtime);
    assert_eq!(log.take(), ["-child"]);
}

#[test]
fn hz_j02_a_child_that_comes_too_late_is_dropped_at_once() {
    let log = Log::default();
    let outlives: Rc<Cell<Option<Scope<'_>>>> = Rc::default();
    run(async {
        let body = scope(async |s| {
            outlives.set(Some(s.clone()));
            let (inner, guard) = (s.clone(), log.guard("late of a destructor"));
            let late = OnDrop(Some(move || {
                assert!(inner.spawn(async move { drop(guard) }).is_finished());
            }));
            s.spawn(async move {
                let _late = late;
                pending::<()>().await;
            });
            yield_now().await;
            s.cancel("now");
            pending::<()>().await;
        });
        assert!(body.await.unwrap_err().is_cancelled());
        let over = outlives.take().unwrap();
        let guard = log.guard("late of a clone");
        let late = over.spawn(async move { drop(guard) });
        assert!(late.is_finished());
        assert!(late.await.unwrap_err().is_aborted());
        assert_eq!(over.child_count(), 0);
    })
    .unwrap();
    assert_eq!(log.take(), ["-late of a destructor", "-late of a clone"]);
}

struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

#[test]
fn an_unawaited_child_is_aborted_by_its_handle_in_a_later_poll_of_the_scope() {
    let log = Log::default();
    run(async {
        let body = scope(async |s| {
            let guard = log.guard("child");
            let handle = s.spawn(async move {
                let _gone = guard;
                pending::<()>().await;
            });
            yield_now().await;
            handle.abort();
            log.say("aborted");
            let error = handle.await.unwrap_err();
            assert!(error.is_aborted());
        });
        body.await.unwrap();
    })
    .unwrap();
    assert_eq!(log.take(), ["aborted", "-child"]);
}

#[test]
fn a_shield_is_a_child_of_an_outer_scope() {
    let log = Log::default();
    sim::run(1, async {
        let outer = scope(async |outer| {
            let inner = scope(async |s| {
                let kept = outer.spawn(async {
                    nap(5).await;
                    log.say("kept");
                });
                s.set_timeout(std::time::Duration::from_millis(1));
                kept.await.unwrap();
            });
            assert!(inner.await.is_err());
            log.say("inner is over");
        });
        outer.await.unwrap();
    });
    assert_eq!(log.take(), ["inner is over", "kept"]);
}

#[test]
fn a_generator_that_is_a_child_goes_with_its_scope() {
    let log = Log::default();
    run(async {
        let body = scope(async |s| {
            let (items, received) = mainspring::channel::bounded(1);
            let guard = log.guard("generator");
            s.spawn(async move {
                let _gone = guard;
                for number in 0.. {
                    if items.send(number).await.is_err() {
                        break;
                    }
                }
            });
            let first = (
                received.recv().await.unwrap(),
                received.recv().await.unwrap(),
            );
            s.cancel("two are enough");
            first
        });
        assert_eq!(body.await, Ok((0, 1)));
        log.say("over");
    })
    .unwrap();
    assert_eq!(log.take(), ["-generator", "over"]);
}
