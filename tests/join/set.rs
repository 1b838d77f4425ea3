//! `JoinSet` and `JoinMap`.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::task::{Context, Poll};

use mainspring::task::{JoinMap, JoinSet};
use mainspring::time::{now, sleep, timeout};
use mainspring::{Runtime, sim, spawn, yield_now};

use crate::rig::{Counting, Log, MS, after, counted, step, yields};

#[test]
fn results_come_in_the_order_of_the_ends_and_ties_in_that_of_the_polls() {
    sim::run(1, async {
        let mut set = JoinSet::new();
        for (n, ms) in [4, 2, 2, 0, 3].into_iter().enumerate() {
            set.spawn(after(ms, n));
        }
        let ids: Vec<_> = set.ids().collect();
        assert_eq!(set.len(), 5);
        let mut order = Vec::new();
        while let Some((id, result)) = set.join_next_with_id().await {
            let n = result.unwrap();
            assert!(ids.get(n).is_none_or(|of_n| *of_n == id));
            order.push(n);
            if n == 0 {
                set.spawn(yields(1, 9));
            }
        }
        assert_eq!(order, [3, 1, 2, 4, 0, 9]);
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn panics_and_aborts_come_out_of_the_set() {
    sim::run(1, async {
        let mut set = JoinSet::new();
        let abort = set.spawn(pending());
        set.spawn(async { std::panic::resume_unwind(Box::new("broken")) });
        set.spawn_named("third", async { 3 });
        let panicked = set.join_next().await.unwrap().unwrap_err();
        assert!(panicked.is_panic());
        assert_eq!(set.join_next().await.unwrap().unwrap(), 3);
        assert!(set.try_join_next().is_none());
        abort.abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_aborted());
        assert_eq!(set.len(), 0);
    });
}

#[test]
fn what_has_ended_is_joined_at_once_and_without_a_wait() {
    sim::run(1, async {
        let mut set = JoinSet::new();
        for n in 0..3 {
            set.spawn(yields(3 - n, n));
        }
        assert!(set.try_join_next().is_none());
        yields(9, ()).await;
        assert_eq!(set.try_join_next().unwrap().unwrap(), 2);
        let polls: Rc<Cell<usize>> = Rc::default();
        assert_eq!(
            counted(Rc::clone(&polls), set.join_next())
                .await
                .unwrap()
                .unwrap(),
            1
        );
        assert_eq!((polls.get(), set.len()), (1, 1));
    });
}

#[test]
fn a_dropped_set_aborts_and_a_detached_one_lets_go_on() {
    sim::run(1, async {
        let log = Log::default();
        let work = |name: &'static str| {
            let log = log.clone();
            async move {
                sleep(3 * MS).await;
                log.push(name);
            }
        };
        let mut set = JoinSet::new();
        set.spawn(work("a"));
        set.spawn(work("b"));
        yield_now().await;
        drop(set);
        sleep(10 * MS).await;
        assert_eq!(log.take(), "");

        let mut set = JoinSet::new();
        set.spawn(work("c"));
        set.detach_all();
        assert!(set.is_empty());
        // The numbers of those that left are used again, and their ends are none of this set's.
        set.spawn(work("d"));
        sleep(MS).await;
        set.spawn(work("e"));
        assert!(set.join_next().await.is_some());
        assert_eq!((set.len(), log.take().as_str()), (1, "c d"));
    });
}

#[test]
fn shutdown_waits_until_every_future_is_gone() {
    sim::run(1, async {
        let log = Log::default();
        let mut set = JoinSet::new();
        for name in ["a", "b", "c"] {
            set.spawn(step(&log, name, 1000));
        }
        let already = set.spawn(async { "done" });
        yields(2, ()).await;
        assert!(already.is_finished());
        log.take();
        set.shutdown().await;
        assert!(set.is_empty());
        assert_eq!(log.take(), "-a -b -c");
        set.shutdown().await;
        assert_eq!(
            set.spawn(async { "usable" }).id(),
            set.ids().next().unwrap()
        );
        assert_eq!(set.join_next().await.unwrap().unwrap(), "usable");
    });
}

#[test]
fn hz_h12_an_end_costs_one_poll_of_the_waiter_however_many_run() {
    for count in [100usize, 1000, 10_000] {
        let polls: Rc<Cell<usize>> = Rc::default();
        sim::run(1, async {
            let mut set = JoinSet::new();
            for n in 0..count {
                set.spawn(yields(n % 100, n));
            }
            let all = async {
                let mut sum = 0;
                while let Some(result) = set.join_next().await {
                    sum += result.unwrap();
                }
                sum
            };
            assert_eq!(
                counted(Rc::clone(&polls), all).await,
                count * (count - 1) / 2
            );
        });
        // A poll for each tick in which some end, and one per 128 results for the others.
        assert!(polls.get() <= 102 + count / 100, "{count}: {}", polls.get());
    }
}

#[test]
fn nobody_is_woken_by_a_set_that_is_not_waited_for() {
    sim::run(1, async {
        let mut set = JoinSet::new();
        for n in 0..20 {
            set.spawn(after(n, ()));
        }
        assert!(timeout(MS, set.join_next()).await.is_ok());
        let polls: Rc<Cell<usize>> = Rc::default();
        counted(Rc::clone(&polls), sleep(50 * MS)).await;
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_forgotten_join_next_does_not_keep_the_word_from_the_next() {
    sim::run(1, async {
        let mut set = JoinSet::new();
        set.spawn(after(2, 1));
        set.spawn(after(4, 2));
        let mut forgotten = Box::pin(set.join_next());
        let (counting, waker) = Counting::new();
        assert!(
            forgotten
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        std::mem::forget(forgotten);
        let mut moved = set;
        let start = now();
        assert_eq!(moved.join_next().await.unwrap().unwrap(), 1);
        assert_eq!((counting.count(), now() - start), (1, 2 * MS));
        assert_eq!(moved.join_next().await.unwrap().unwrap(), 2);
        let mut forgotten = Box::pin(moved.join_next_with_id());
        assert!(
            forgotten
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        );
        std::mem::forget(forgotten);
        drop(moved);
    });
}

#[test]
fn a_member_joined_from_within_its_own_end_is_waited_for() {
    // A stranger's waker that polls the set where it is woken, which is within the drop of the member's future.
    struct Polls(RefCell<Option<Box<dyn Fn()>>>);
    thread_local! {
        static POLLS: Polls = const { Polls(RefCell::new(None)) };
    }
    struct Within;
    impl std::task::Wake for Within {
        fn wake(self: std::sync::Arc<Self>) {
            POLLS.with(|polls| {
                if let Some(poll) = &*polls.0.borrow() {
                    poll();
                }
            });
        }
    }
    sim::run(1, async {
        let set = Rc::new(RefCell::new(JoinSet::new()));
        set.borrow_mut().spawn(yields(1, 7));
        let got: Rc<RefCell<Vec<Option<i32>>>> = Rc::default();
        let poll = {
            let (set, got) = (Rc::clone(&set), Rc::clone(&got));
            move || {
                let waker = std::task::Waker::from(std::sync::Arc::new(Within));
                let mut set = set.borrow_mut();
                let mut next = Box::pin(set.join_next());
                let polled = next.as_mut().poll(&mut Context::from_waker(&waker));
                if polled.is_pending() {
                    // It stays in the line, as one whose poll is under way elsewhere.
                    std::mem::forget(next);
                }
                got.borrow_mut().push(match polled {
                    Poll::Ready(result) => result.map(Result::unwrap),
                    Poll::Pending => None,
                });
            }
        };
        poll();
        POLLS.with(|polls| *polls.0.borrow_mut() = Some(Box::new(poll)));
        yields(5, ()).await;
        POLLS.with(|polls| polls.0.borrow_mut().take());
        assert_eq!(*got.borrow(), [None, None, Some(7)]);
    });
}

#[test]
fn a_set_in_a_loop_that_ends_is_told() {
    let runtime = Runtime::new().unwrap();
    let set: Rc<RefCell<JoinSet<u32>>> = Rc::default();
    let late = Rc::clone(&set);
    struct SpawnsLate(Rc<RefCell<JoinSet<u32>>>);
    impl Drop for SpawnsLate {
        fn drop(&mut self) {
            self.0.borrow_mut().spawn(async { 2 });
        }
    }
    runtime
        .block_on(async {
            set.borrow_mut().spawn(pending());
            spawn(async move {
                let _late = SpawnsLate(late);
                pending::<()>().await;
            });
            yields(2, ()).await;
        })
        .unwrap();
    drop(runtime);
    let mut set = set.borrow_mut();
    assert_eq!(set.len(), 2);
    for _ in 0..2 {
        assert!(set.try_join_next().unwrap().unwrap_err().is_aborted());
    }
    assert!(set.try_join_next().is_none());
}

#[test]
fn a_set_spawns_in_a_loop_only() {
    let mut set = JoinSet::new();
    let spawned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| set.spawn(async {})));
    let message = *spawned.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "tasks are spawned inside a running loop");
    assert!(set.is_empty() && set.try_join_next().is_none());
}

#[test]
fn a_key_names_one_task_at_a_time() {
    sim::run(1, async {
        let mut map = JoinMap::new();
        map.spawn("a", after(3, 1));
        map.spawn("b", after(2, 2));
        map.spawn("a", after(1, 3));
        assert_eq!((map.len(), map.contains_key(&"a")), (2, true));
        let (key, result) = map.join_next().await.unwrap();
        assert_eq!(
            (key, result.unwrap()),
            ("a", 3),
            "the earlier one is not spoken of"
        );
        assert!(!map.abort(&"a") && map.abort(&"b"));
        let (key, result) = map.join_next().await.unwrap();
        assert!(key == "b" && result.unwrap_err().is_aborted());
        assert!(map.join_next().await.is_none() && map.is_empty());
        let start = now();
        map.spawn("c", after(9, 9));
        map.abort_all();
        assert!(map.join_next().await.unwrap().1.is_err());
        assert_eq!(now(), start);
    });
}

#[test]
fn a_set_as_large_as_memory_allows_reuses_its_places() {
    let rounds = if std::env::var_os("MAINSPRING_SOAK").is_some() {
        10_000_000
    } else {
        20_000
    };
    sim::run(1, async {
        let mut set = JoinSet::new();
        let mut sum = 0usize;
        for n in 0..rounds {
            set.spawn(async move { n });
            if set.len() > 50 {
                sum += set.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(n) = set.join_next().await {
            sum += n.unwrap();
        }
        assert_eq!(sum, rounds * (rounds - 1) / 2);
    });
}
