//! In which order children are polled, and that their polls count.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use mainspring::task::scope;
use mainspring::time::{interval, sleep};
use mainspring::{Runtime, run, spawn, yield_now};

use crate::rig::{Log, poll_as_task};

#[test]
fn p35_children_are_polled_first_in_first_out_each_once_per_poll_of_the_scope() {
    let log = Log::default();
    run(async {
        let mut polled = Box::pin(scope(async |s| {
            for name in ["a", "b", "c"] {
                let log = &log;
                let inner = s.clone();
                s.spawn(async move {
                    log.say(format!("{name}1"));
                    if name == "b" {
                        inner.spawn(async { log.say("d1") });
                    }
                    yield_now().await;
                    log.say(format!("{name}2"));
                });
            }
            log.say("body1");
            yield_now().await;
            log.say("body2");
            pending::<()>().await;
        }));
        for _ in 0..4 {
            log.say("|");
            assert!(poll_as_task(polled.as_mut()).await.is_pending());
        }
    })
    .unwrap();
    let lines = log.take().join(" ");
    assert_eq!(lines, "| body1 | body2 a1 b1 c1 | a2 d1 b2 c2 |");
}

#[test]
fn p35_a_child_that_is_woken_ten_times_is_polled_once() {
    let polls = Cell::new(0);
    run(scope(async |s| {
        s.spawn(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            if polls.get() == 2 {
                return Poll::Ready(());
            }
            for _ in 0..10 {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }));
    }))
    .unwrap()
    .unwrap();
    assert_eq!(polls.get(), 2);
}

#[test]
fn p35_other_tasks_have_their_turn_between_the_polls_of_children() {
    let log = Log::default();
    let other = log.clone();
    run(async {
        let task = spawn(async move {
            for _ in 0..3 {
                other.say("task");
                yield_now().await;
            }
        });
        scope(async |s| {
            s.spawn(async {
                for _ in 0..3 {
                    log.say("child");
                    yield_now().await;
                }
            });
        })
        .await
        .unwrap();
        task.await.unwrap();
    })
    .unwrap();
    let lines = log.take();
    assert_eq!(lines, ["task", "child", "task", "child", "task", "child"]);
}

/// Ready once `is_over`; until then it wakes itself and counts.
async fn spin(polls: &Cell<u32>, is_over: &Cell<bool>) {
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        cx.waker().wake_by_ref();
        if is_over.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await
}

#[test]
fn p35_polls_of_children_count_among_the_128_of_a_turn() {
    let runtime = Runtime::new().unwrap();
    let (polls, is_over) = (Cell::new(0), Cell::new(false));
    let most = Cell::new(0);
    let spinning = scope(async |s| {
        for _ in 0..1000 {
            s.spawn(spin(&polls, &is_over));
        }
        for _ in 0..50 {
            let before = polls.get();
            mainspring::yield_to_io().await;
            most.set(most.get().max(polls.get() - before));
        }
        is_over.set(true);
    });
    runtime.block_on(spinning).unwrap().unwrap();
    let most = most.get();
    assert!(
        (100..=129).contains(&most),
        "{most} polls between two turns"
    );
}

#[test]
fn p35_a_scope_that_comes_last_in_each_turn_goes_on_all_the_same() {
    const ROUNDS_MAX: u32 = 1000;
    let ran = Cell::new(0);
    let rounds = Rc::new(Cell::new(0));
    run(async {
        let is_over = Rc::new(Cell::new(false));
        for _ in 0..127 {
            let (is_over, rounds) = (Rc::clone(&is_over), Rc::clone(&rounds));
            spawn(async move {
                for round in 0..ROUNDS_MAX {
                    if is_over.get() {
                        return;
                    }
                    rounds.set(round);
                    yield_now().await;
                }
            });
        }
        // After the turn that follows their 127 polls: from now on this task is the last of 128.
        mainspring::yield_to_io().await;
        scope(async |s| {
            for _ in 0..20 {
                s.spawn(async {
                    yield_now().await;
                    ran.set(ran.get() + 1);
                });
            }
        })
        .await
        .unwrap();
        is_over.set(true);
    })
    .unwrap();
    assert_eq!(ran.get(), 20);
    assert!(rounds.get() < ROUNDS_MAX / 2, "{} rounds", rounds.get());
}

#[test]
fn children_that_are_always_ready_starve_neither_timers_nor_the_body() {
    let (polls, is_over) = (Cell::new(0), Cell::new(false));
    run(scope(async |s| {
        for _ in 0..300 {
            s.spawn(spin(&polls, &is_over));
        }
        sleep(Duration::from_millis(2)).await;
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..3 {
            ticks.tick().await;
        }
        is_over.set(true);
    }))
    .unwrap()
    .unwrap();
    assert!(polls.get() > 300);
}

#[test]
fn a_scope_polls_none_of_its_children_that_is_not_ready() {
    let polls = Cell::new(0);
    run(scope(async |s| {
        for _ in 0..1000 {
            s.spawn(async {
                polls.set(polls.get() + 1);
                yield_now().await;
                polls.set(polls.get() + 1);
            });
        }
        assert_eq!(s.child_count(), 1000);
    }))
    .unwrap()
    .unwrap();
    assert_eq!(polls.get(), 2000);
}
