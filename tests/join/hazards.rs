//! Hazards of joining: polled after the end, starved by a budget, and what a wait says of itself.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use mainspring::io::{AsyncReadExt, repeat};
use mainspring::stream::StreamExt;
use mainspring::task::{
    JoinMap, JoinSet, Until, as_completed, gather, join_all, spawn_many, try_join_all, wait,
};
use mainspring::time::timeout;
use mainspring::{join, race, select, sim, spawn};

use crate::rig::{MS, deadlock_of, yields};

/// Polls a future to its end, and once more; what the panic says.
async fn polled_again<F: Future>(future: F) -> String {
    let mut future = pin!(future);
    future.as_mut().await;
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| {
        future.as_mut().poll(&mut cx).is_ready()
    }));
    let payload = polled.expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_string(),
    }
}

#[test]
fn hz_a16_polled_again_after_the_end_panics_and_says_what() {
    sim::run(1, async {
        for count in [2, 40] {
            let ready = || (0..count).map(|n| async move { Ok::<u32, ()>(n) });
            let message = polled_again(join_all(ready())).await;
            assert_eq!(
                message,
                "a join_all was polled again after it had returned its outputs"
            );
            let message = polled_again(try_join_all(ready())).await;
            assert_eq!(
                message,
                "a try_join_all was polled again after it had returned its outputs"
            );
            let message = polled_again(gather(spawn_many(ready()))).await;
            assert_eq!(message, "a gather was polled again after it had returned");
            let mut tasks = spawn_many(ready());
            for until in [Until::First, Until::All] {
                let message = polled_again(wait(&mut tasks, until)).await;
                assert_eq!(
                    message,
                    "a wait was polled again after it had said which tasks have ended"
                );
            }
        }
        let again = "a join_next was polled again after it had returned a result";
        let mut set = JoinSet::new();
        set.spawn(async {});
        assert_eq!(polled_again(set.join_next()).await, again);
        assert_eq!(
            polled_again(set.join_next_with_id()).await,
            again,
            "also after `None`"
        );
        let mut map = JoinMap::new();
        map.spawn(1, async {});
        assert_eq!(polled_again(map.join_next()).await, again);
        // These go on to say the same.
        let mut cx = Context::from_waker(Waker::noop());
        let mut gone = pin!(set.shutdown());
        for _ in 0..2 {
            assert!(gone.as_mut().poll(&mut cx).is_ready());
        }
    });
}

/// Reads from what is always ready, and counts, until it has counted so far.
async fn reads(count: &Cell<u32>, end: u32) {
    let mut stream = repeat(0);
    let mut byte = [0];
    while count.get() < end {
        stream.read_exact(&mut byte).await.unwrap();
        count.set(count.get() + 1);
        assert!(count.get() < FOR_EVER, "the others have had no turn");
    }
}

/// So long that whoever shares nothing ends the test, and with the wrong counts.
const FOR_EVER: u32 = 100_000;
const LONG: u32 = 2000;

/// None of those that would read for ever has had more than its share while the last one came to its end.
fn assert_shared(counts: &[Cell<u32>]) {
    for (place, count) in counts.iter().enumerate() {
        let count = count.get();
        assert!(
            (LONG - 256..=LONG + 256).contains(&count),
            "branch {place}: {count}"
        );
    }
}

#[test]
fn hz_h13_the_budget_is_shared_by_the_branches_of_race_and_join() {
    sim::run(1, async {
        let counts: [Cell<u32>; 3] = Default::default();
        let [a, b, c] = &counts;
        race!(reads(a, FOR_EVER), reads(b, FOR_EVER), reads(c, LONG));
        assert_shared(&counts);
        let counts: [Cell<u32>; 3] = Default::default();
        let [a, b, c] = &counts;
        let ends = Cell::new(None);
        join!(
            async {
                reads(a, LONG).await;
                ends.set(Some((b.get(), c.get())));
            },
            reads(b, LONG),
            reads(c, LONG)
        );
        let (b, c) = ends.get().unwrap();
        assert!(b > LONG - 256 && c > LONG - 256, "{b} {c}");
        let failed = timeout(MS, async {
            let count = Cell::new(0);
            mainspring::try_join!(
                async {
                    reads(&Cell::new(0), FOR_EVER).await;
                    Ok(())
                },
                async {
                    Err::<(), u32>({
                        reads(&count, LONG).await;
                        7
                    })
                },
            )
        });
        assert_eq!(failed.await, Ok(Err(7)));
    });
}

#[test]
fn hz_h13_the_budget_is_shared_by_few_and_by_many_children() {
    sim::run(1, async {
        for count in [3, 40] {
            let counts: Vec<Cell<u32>> = (0..count).map(|_| Cell::new(0)).collect();
            let end = |place| if place == count - 1 { LONG } else { FOR_EVER };
            let children = || {
                counts
                    .iter()
                    .enumerate()
                    .map(|(place, count)| reads(count, end(place)))
            };
            let first = as_completed(children()).next().await;
            assert_eq!(first, Some((count - 1, ())));
            assert_shared(&counts);
            counts.iter().for_each(|count| count.set(0));
            let failed = try_join_all(children().map(|child| async {
                child.await;
                Err::<(), ()>(())
            }));
            assert!(failed.await.is_err());
            assert_shared(&counts);
        }
    });
}

#[test]
fn hz_h13_a_fair_select_serves_every_branch_and_a_biased_one_its_first() {
    sim::run(5, async {
        let counts: [Cell<u32>; 3] = Default::default();
        let [a, b, c] = &counts;
        let mut all = (
            pin!(reads(a, FOR_EVER)),
            pin!(reads(b, FOR_EVER)),
            pin!(reads(c, LONG)),
        );
        select! {
            () = all.0.as_mut() => unreachable!(),
            () = all.1.as_mut() => unreachable!(),
            () = all.2.as_mut() => {}
        }
        // By chance, so within wide bounds: half as often, twice as often.
        assert!(
            counts
                .iter()
                .all(|count| (LONG / 2..LONG * 2).contains(&count.get())),
            "{counts:?}"
        );
        let served = Cell::new(0);
        let mut other = pin!(reads(&served, LONG));
        let mut first = 0;
        let (mut stream, mut byte) = (repeat(0), [0]);
        while first < LONG {
            select! {
                biased;
                _ = stream.read(&mut byte) => first += 1,
                () = other.as_mut() => break,
            }
        }
        assert_eq!(
            (first, served.get()),
            (LONG, 0),
            "that is what `biased` says"
        );
    });
}

#[test]
fn a_wait_for_tasks_is_known_by_its_line_and_its_edges() {
    let of_set = deadlock_of(async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        set.join_next().await;
    });
    let of_wait = deadlock_of(async {
        let mut tasks = [spawn(pending::<()>()), spawn(pending())];
        wait(&mut tasks, Until::First).await;
    });
    let of_all = deadlock_of(async {
        let mut tasks = spawn_many((0..50).map(|_| pending::<()>()));
        wait(&mut tasks, Until::All).await;
    });
    if cfg!(feature = "inspect") {
        assert!(
            of_set.contains("waits for one of the tasks of set "),
            "{of_set}"
        );
        assert!(
            of_set.matches("tests/join/hazards.rs").count() >= 3,
            "{of_set}"
        );
        assert!(of_set.contains(": task "), "{of_set}");
        assert_eq!(
            of_wait.matches("waits for the end of task").count(),
            2,
            "{of_wait}"
        );
        assert!(
            of_wait.contains("waits for one of the tasks of set, at tests/join/hazards.rs"),
            "{of_wait}"
        );
    }
    assert_eq!(
        of_all.matches("waits for the end of task").count(),
        1,
        "{of_all}"
    );
}

#[test]
fn joins_of_ready_things_take_no_tick_and_those_of_tasks_take_one_each() {
    let ticks = |future: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        let polls = std::rc::Rc::new(Cell::new(0));
        sim::run(1, crate::rig::counted(std::rc::Rc::clone(&polls), future));
        polls.get()
    };
    assert_eq!(
        ticks(Box::pin(async {
            let ((), ()) = join!(async {}, async {});
        })),
        1
    );
    assert_eq!(
        ticks(Box::pin(async {
            drop(join_all((0..40).map(|_| async {})).await)
        })),
        1
    );
    assert_eq!(ticks(Box::pin(async { drop(spawn(async {}).await) })), 2);
    assert_eq!(
        ticks(Box::pin(async {
            drop(gather([spawn(async {}), spawn(async {})]).await)
        })),
        2
    );
    let set = async {
        let mut set = JoinSet::new();
        set.spawn(async {});
        set.spawn(yields(1, ()));
        while set.join_next().await.is_some() {}
    };
    assert_eq!(ticks(Box::pin(set)), 3);
    let mut cx = Context::from_waker(Waker::noop());
    let mut joined = pin!(async { join!(async { 1 }, async { 2 }) });
    assert_eq!(joined.as_mut().poll(&mut cx), Poll::Ready((1, 2)));
}
