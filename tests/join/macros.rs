//! `join!`, `try_join!` and `race!`.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use mainspring::sim;
use mainspring::time::{now, timeout};
use mainspring::{join, race, try_join};

use crate::rig::{Log, MS, after, counted, step, yields};

#[test]
fn join_gives_the_outputs_in_the_order_of_the_arguments() {
    sim::run(1, async {
        let start = now();
        let all = join!(after(3, 'a'), after(1, "b"), async { 3 }, after(2, ()));
        assert_eq!(all, ('a', "b", 3, ()));
        assert_eq!(now() - start, 3 * MS, "at the same time");
        assert_eq!(join!(async { 1 }), (1,));
        join!();
        assert_eq!(join!(async { 1 }, async { 2 },), (1, 2));
    });
}

#[test]
fn join_polls_in_the_order_of_the_arguments_and_drops_each_as_it_is_done() {
    let log = Log::default();
    sim::run(1, async {
        join!(step(&log, "a", 1), step(&log, "b", 0), step(&log, "c", 2));
    });
    assert_eq!(log.take(), "a b -b c a -a c c -c");
}

#[test]
fn a_join_that_is_dropped_drops_in_the_order_of_the_arguments() {
    let log = Log::default();
    sim::run(1, async {
        let all = async {
            join!(
                step(&log, "a", 0),
                step(&log, "b", 1000),
                pending::<()>(),
                step(&log, "c", 0)
            )
        };
        assert!(timeout(MS, all).await.is_err());
        let polled = log.take();
        assert!(polled.starts_with("a -a b c -c b b"), "{polled}");
        assert!(polled.ends_with("b b -b"), "{polled}");
        drop(async { join!(step(&log, "d", 0)) });
        assert_eq!(
            log.take(),
            "",
            "an async block that never ran has made no future"
        );
    });
}

#[test]
fn more_futures_than_a_tuple_has_traits_for() {
    sim::run(1, async {
        let one = |n: u32| yields(n as usize % 3, n);
        let all = join!(
            one(1),
            one(2),
            one(3),
            one(4),
            one(5),
            one(6),
            one(7),
            one(8),
            one(9),
            one(10),
            one(11),
            one(12),
            one(13),
            one(14),
            one(15),
            one(16),
            one(17),
            one(18),
            one(19),
            one(20),
            one(21),
            one(22),
            one(23),
            one(24),
            one(25),
            one(26),
            one(27),
            one(28),
            one(29),
            one(30),
            one(31),
            one(32),
        );
        assert_eq!((all.0, all.31), (1, 32));
    });
}

#[test]
fn branches_borrow_what_is_around_them_and_nest() {
    sim::run(1, async {
        let (mut left, mut right) = (vec![1], String::from("x"));
        let shared = Cell::new(0);
        let (((), ()), sum) = join!(
            async {
                join!(
                    async {
                        left.push(yields(1, 2).await);
                        shared.set(shared.get() + 1);
                    },
                    async {
                        right.push_str(yields(2, "y").await);
                        shared.set(shared.get() + 1);
                    }
                )
            },
            async {
                let ((one,), two) = join!(async { join!(yields(1, 1)) }, async {
                    race!(pending(), async {
                        try_join!(async { Ok::<_, ()>(2) }).unwrap().0
                    })
                });
                one + two
            }
        );
        assert_eq!(
            (left, right, shared.get(), sum),
            (vec![1, 2], "xy".to_string(), 2, 3)
        );
    });
}

#[test]
fn what_a_future_borrows_in_passing_lives_as_long_as_the_join() {
    async fn length(text: &str) -> usize {
        mainspring::yield_now().await;
        text.len()
    }
    sim::run(1, async {
        assert_eq!(
            join!(length(&String::from("abc")), length(&"d".repeat(5))),
            (3, 5)
        );
        assert_eq!(race!(length(&String::from("abc")), pending()), 3);
    });
}

#[test]
fn try_join_drops_the_others_at_the_first_error_before_it_is_seen() {
    let log = Log::default();
    sim::run(1, async {
        let fails = async { Err::<(), _>(yields(1, "broken").await) };
        let failed = try_join!(
            async { Ok::<_, &str>(step(&log, "a", 0).await) },
            async { Ok(step(&log, "b", 9).await) },
            fails,
            async { Ok(step(&log, "c", 9).await) },
        );
        log.push(failed.unwrap_err());
    });
    assert_eq!(log.take(), "a -a b c b -b -c broken");
    let both = sim::run(1, async {
        try_join!(async { Ok::<_, ()>(1) }, async { Ok('b') })
    });
    assert_eq!(both, Ok((1, 'b')));
    let first = sim::run(1, async {
        try_join!(async { Err::<(), _>(1) }, async { Err::<(), _>(2) })
    });
    assert_eq!(first, Err(1), "of two errors in one poll, the first");
}

#[test]
fn a_question_mark_carries_an_error_out_of_try_join() {
    async fn both() -> Result<u32, String> {
        let (one, two) = try_join!(async { Ok::<_, String>(1) }, async {
            "2".parse::<u32>().map_err(|e| e.to_string())
        })?;
        try_join!(async { Err::<(), _>(format!("{}", one + two)) })?;
        Ok(0)
    }
    assert_eq!(sim::run(1, both()), Err("3".to_string()));
}

#[test]
fn the_first_of_a_race_wins_and_ties_go_by_the_order_of_the_arguments() {
    let log = Log::default();
    sim::run(1, async {
        assert_eq!(race!(after(5, 'a'), after(2, 'b'), after(4, 'c')), 'b');
        assert_eq!(race!(after(2, 'a'), after(2, 'b')), 'a');
        assert_eq!(race!(pending(), async { 'b' }, async { 'c' }), 'b');
        race!(step(&log, "a", 5), step(&log, "b", 1), step(&log, "c", 1));
    });
    assert_eq!(
        log.take(),
        "a b c a b -b -a -c",
        "the winner was done, the losers go in order"
    );
}

#[test]
fn a_branch_is_polled_no_more_once_it_is_done() {
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    sim::run(1, async {
        let [a, b, c] = polls.each_ref().map(Rc::clone);
        join!(
            counted(a, async {}),
            counted(b, yields(1, ())),
            counted(c, yields(4, ()))
        );
    });
    assert_eq!(polls.map(|polls| polls.get()), [1, 2, 5]);
}

#[test]
fn a_panic_in_one_branch_drops_the_others_once() {
    let log = Log::default();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        sim::run(1, async {
            join!(
                step(&log, "a", 0),
                step(&log, "b", 9),
                async {
                    yields(1, ()).await;
                    panic!("in the third branch")
                },
                step(&log, "d", 9)
            )
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(log.take(), "a -a b d b -b -d");
    for _ in 0..2 {
        let raced = catch_unwind(AssertUnwindSafe(|| {
            sim::run(1, async {
                race!(step(&log, "a", 9), async { panic!("in a race") })
            })
        }));
        assert!(raced.is_err());
        assert_eq!(log.take(), "a -a");
    }
}

#[test]
fn a_future_of_a_mebibyte_is_joined_where_it_stands() {
    async fn large(seed: u8) -> usize {
        let bytes = [seed; 1 << 20];
        mainspring::yield_now().await;
        std::hint::black_box(&bytes)
            .iter()
            .map(|byte| usize::from(*byte))
            .sum()
    }
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    let sums = thread.spawn(|| {
        let joined = Box::pin(async { join!(large(1), large(2)) });
        assert!(
            size_of_val(&*joined) < (2 << 20) + 4096,
            "{}",
            size_of_val(&*joined)
        );
        sim::run(1, joined)
    });
    assert_eq!(sums.unwrap().join().unwrap(), (1 << 20, 2 << 20));
}

#[test]
fn nothing_is_allocated_and_a_join_of_two_is_small() {
    let joined = async { join!(async { 1u8 }, async { 2u8 }) };
    assert!(size_of_val(&joined) <= 48, "{}", size_of_val(&joined));
}

#[test]
fn the_macros_work_in_any_runtime() {
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    let mut all = std::pin::pin!(async {
        let (a, b) = join!(async { 1 }, async { 2 });
        let c = mainspring::select! { c = async { 3 } => c, d = async { 3 } => d };
        a + b + c
    });
    assert_eq!(all.as_mut().poll(&mut cx), std::task::Poll::Ready(6));
}
