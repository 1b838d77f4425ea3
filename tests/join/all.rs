//! `join_all`, `try_join_all`, `as_completed`, `spawn_many`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use mainspring::stream::{Stream, StreamExt};
use mainspring::task::{JoinError, as_completed, join_all, spawn_many, try_join_all};
use mainspring::time::{now, sleep, timeout};
use mainspring::{Runtime, sim, spawn, yield_now};

use crate::rig::{Counting, Gate, Log, MS, after, counted, step, yields};

#[test]
fn outputs_come_in_the_order_of_the_arguments_few_or_many() {
    sim::run(1, async {
        for count in [0, 1, 2, 16, 17, 1000] {
            let start = now();
            let naps = (0..count).map(|n| after((n * 7) % 10, n));
            let outputs = join_all(naps).await;
            assert_eq!(outputs, (0..count).collect::<Vec<_>>());
            assert!(
                now() - start <= 10 * MS,
                "at the same time, and the wheel's step"
            );
        }
    });
}

#[test]
fn many_children_are_polled_first_in_order_and_then_as_they_are_woken() {
    for count in [5usize, 40] {
        let log = Log::default();
        let names: Vec<&'static str> = (0..count).map(|n| &*n.to_string().leak()).collect();
        sim::run(1, async {
            let children = names
                .iter()
                .map(|name| step(&log, name, usize::from(*name == "2")));
            join_all(children).await;
        });
        let mut expected = String::new();
        for name in &names {
            expected += &if *name == "2" {
                format!("{name} ")
            } else {
                format!("{name} -{name} ")
            };
        }
        assert_eq!(log.take(), expected + "2 -2");
    }
}

/// How many polls it costs, of children and of the parent, to join so many of which one is done per tick.
fn polls_of(count: usize) -> (usize, usize) {
    let polls: Rc<Cell<usize>> = Rc::default();
    let parent: Rc<Cell<usize>> = Rc::default();
    sim::run(1, async {
        let gates: Vec<Gate> = (0..count).map(|_| Gate::default()).collect();
        let opener = gates.clone();
        spawn(async move {
            for gate in opener.iter().rev() {
                yield_now().await;
                gate.open();
            }
        });
        let children = gates
            .iter()
            .map(|gate| counted(Rc::clone(&polls), gate.wait()));
        counted(Rc::clone(&parent), join_all(children)).await;
    });
    (polls.get(), parent.get())
}

#[test]
fn hz_h12_each_end_costs_one_poll_however_many_there_are() {
    let sizes = if std::env::var_os("MAINSPRING_SOAK").is_some() {
        &[100, 1000, 10_000, 1_000_000][..]
    } else {
        &[100, 1000, 10_000]
    };
    for count in sizes {
        assert_eq!(polls_of(*count), (2 * count, count + 1));
    }
}

#[test]
fn a_join_that_is_dropped_drops_all_in_the_order_of_the_arguments() {
    for count in [3, 20] {
        let log = Log::default();
        let names: Vec<&'static str> = (0..count).map(|n| &*n.to_string().leak()).collect();
        sim::run(1, async {
            let mut all = Box::pin(join_all(names.iter().map(|name| step(&log, name, 5))));
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert!(all.as_mut().poll(&mut cx).is_pending());
            log.take();
            drop(all);
        });
        let expected: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
        assert_eq!(log.take(), expected.join(" "));
    }
}

#[test]
fn the_first_error_drops_the_others_and_is_the_first_of_several_at_once() {
    for count in [5, 50] {
        let log = Log::default();
        sim::run(1, async {
            let children = (0..count).map(|n| {
                let guard = step(&log, "x", 0);
                async move {
                    let _guard = guard;
                    match n {
                        2 | 3 => Err(after(2, n).await),
                        _ => Ok(after(9, n).await),
                    }
                }
            });
            let start = now();
            assert_eq!(try_join_all(children).await, Err(2));
            assert_eq!(now() - start, 2 * MS);
            assert_eq!(log.take().len(), 3 * count - 1, "all are gone");
            let all = try_join_all((0..count).map(|n| async move { Ok::<_, ()>(n) })).await;
            assert_eq!(all, Ok((0..count).collect()));
        });
    }
}

#[test]
fn over_handles_every_result_comes_and_a_drop_detaches() {
    sim::run(1, async {
        let tasks = [
            spawn(after(2, 1)),
            spawn(async {
                sleep(MS).await;
                std::panic::resume_unwind(Box::new("broken"))
            }),
            spawn(after(3, 3)),
        ];
        tasks[2].abort();
        let results = join_all(tasks).await;
        assert!(matches!(&results[0], Ok(1)));
        assert!(results[1].as_ref().is_err_and(JoinError::is_panic));
        assert!(results[2].as_ref().is_err_and(JoinError::is_aborted));

        let done: Rc<Cell<u32>> = Rc::default();
        let work = |ms| {
            let done = Rc::clone(&done);
            spawn(async move {
                sleep(ms * MS).await;
                done.set(done.get() + 1);
            })
        };
        assert!(timeout(MS, join_all([work(5), work(6)])).await.is_err());
        let failed = spawn(async { sleep(MS).await });
        failed.abort();
        assert!(
            try_join_all([work(5), failed])
                .await
                .unwrap_err()
                .is_aborted()
        );
        sleep(10 * MS).await;
        assert_eq!(done.get(), 3, "detached, they went on");
    });
}

#[test]
fn p36_completion_has_its_order_and_ties_go_by_the_arguments() {
    sim::run(1, async {
        let naps = [9, 3, 5, 3, 1, 5].map(|ms| after(ms, ms));
        let order: Vec<_> = as_completed(naps).collect().await;
        assert_eq!(order, [(4, 1), (1, 3), (3, 3), (2, 5), (5, 5), (0, 9)]);
        // Woken backwards, in one tick, they come forwards.
        let gates: [Gate; 4] = Default::default();
        let mut ends = as_completed(gates.each_ref().map(Gate::wait));
        assert!(timeout(MS, ends.next()).await.is_err());
        for gate in gates.iter().rev() {
            gate.open();
        }
        let order: Vec<_> = ends.map(|(place, ())| place).collect().await;
        assert_eq!(order, [0, 1, 2, 3]);
    });
}

#[test]
fn as_completed_polls_nobody_twice_for_one_wake_and_misses_no_wake_between_items() {
    sim::run(1, async {
        let polls: Rc<Cell<usize>> = Rc::default();
        let gates: [Gate; 5] = Default::default();
        let children = gates
            .each_ref()
            .map(|gate| counted(Rc::clone(&polls), gate.wait()));
        let mut ends = as_completed(children);
        gates[1].open();
        assert_eq!(ends.next().await, Some((1, ())));
        assert_eq!(
            polls.get(),
            2,
            "the others have their turn when somebody asks again"
        );
        // One that was polled, and one that was not, are woken while nobody polls.
        gates[0].open();
        gates[3].open();
        yield_now().await;
        assert_eq!((ends.len(), ends.size_hint()), (4, (4, Some(4))));
        assert_eq!(ends.next().await, Some((3, ())));
        assert_eq!(ends.next().await, Some((0, ())));
        assert!(timeout(MS, ends.next()).await.is_err());
        assert_eq!(polls.get(), 6, "each once, and two a second time");
        gates[2].open();
        gates[4].open();
        assert_eq!(ends.next().await, Some((2, ())));
        assert_eq!(ends.next().await, Some((4, ())));
        assert!(ends.is_empty());
        assert_eq!(ends.next().await, None);
        assert_eq!(ends.next().await, None, "fused");
    });
}

#[test]
fn dropping_as_completed_drops_the_rest() {
    let log = Log::default();
    sim::run(1, async {
        let mut ends = as_completed([step(&log, "a", 9), step(&log, "b", 0), step(&log, "c", 9)]);
        assert_eq!(ends.next().await, Some((1, "b")));
        drop(ends);
    });
    assert_eq!(log.take(), "a b -b -a -c");
}

#[test]
fn a_child_that_is_not_unpin_stays_where_it_is() {
    struct Pinned(Cell<*const u8>, u8, std::marker::PhantomPinned);
    impl Future for Pinned {
        type Output = bool;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
            let here = &raw const self.1;
            if self.0.get().is_null() {
                self.0.set(here);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0.get() == here)
        }
    }
    let pinned = || Pinned(Cell::new(std::ptr::null()), 0, std::marker::PhantomPinned);
    sim::run(1, async {
        for count in [3, 100] {
            let stayed = join_all((0..count).map(|_| pinned())).await;
            assert!(stayed.iter().all(|stayed| *stayed));
            let stayed = as_completed((0..count).map(|_| pinned())).all(|(_, stayed)| stayed);
            assert!(stayed.await);
        }
        assert_eq!(mainspring::join!(pinned(), pinned()), (true, true));
        assert!(mainspring::race!(pinned(), pinned()));
        assert!(mainspring::select! { stayed = pinned() => stayed, stayed = pinned() => stayed });
    });
}

#[test]
fn a_stranger_that_keeps_a_childs_waker_keeps_nothing_of_the_parent() {
    let (counting, waker) = Counting::new();
    let kept: Rc<std::cell::RefCell<Vec<std::task::Waker>>> = Rc::default();
    let children = (0..20).map(|_| {
        let kept = Rc::clone(&kept);
        std::future::poll_fn(move |cx| {
            kept.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })
    });
    let mut all = Box::pin(join_all(children));
    assert!(
        all.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert_eq!(std::sync::Arc::strong_count(&counting), 3);
    let thread = kept.borrow()[7].clone();
    std::thread::spawn(move || thread.wake()).join().unwrap();
    kept.borrow()[8].wake_by_ref();
    kept.borrow()[7].wake_by_ref();
    assert_eq!(
        counting.count(),
        1,
        "one wake for all that was noted before the next poll"
    );
    assert!(
        all.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert_eq!(kept.borrow().len(), 22);
    drop(all);
    assert_eq!(std::sync::Arc::strong_count(&counting), 2);
    kept.borrow()[3].wake_by_ref();
    assert_eq!(counting.count(), 1);
}

#[test]
fn many_are_spawned_in_order() {
    let log = Log::default();
    sim::run(1, async {
        let handles = spawn_many((0..50).map(|n| {
            let log = log.clone();
            async move { log.push(n.to_string()) }
        }));
        assert_eq!(
            (handles.len(), log.take().as_str()),
            (50, ""),
            "none is polled yet"
        );
        join_all(handles).await;
    });
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(log.take(), expected.join(" "));
}

#[test]
fn hz_a08_a_panic_of_the_iterator_leaves_the_loop_usable() {
    let runtime = Runtime::new().unwrap();
    let done: Rc<Cell<u32>> = Rc::default();
    let work = |n: u32| {
        let done = Rc::clone(&done);
        assert!(n < 5, "the iterator's own");
        async move {
            yields(3, ()).await;
            done.set(done.get() + n);
        }
    };
    runtime
        .block_on(async {
            let panicked = catch_unwind(AssertUnwindSafe(|| spawn_many((0..10).map(work))));
            assert!(panicked.is_err());
            spawn(work(1)).await.unwrap();
        })
        .unwrap();
    runtime.block_on(yields(5, ())).unwrap();
    assert_eq!(done.get(), 1 + 2 + 3 + 4 + 1, "those before it run");
}
