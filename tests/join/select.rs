//! `select!`: its grammar, its choices, and where its handlers stand.

use std::collections::VecDeque;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use mainspring::sim::{self, Clock, ManualClock};
use mainspring::time::{Instant, sleep};
use mainspring::{Builder, select, spawn, yield_now};

use crate::rig::{Log, MS, after, step, yields};

#[test]
fn the_first_branch_that_is_done_runs_its_handler_after_the_others_are_dropped() {
    let log = Log::default();
    let output = sim::run(1, async {
        select! {
            biased;
            a = step(&log, "a", 5) => { log.push("A"); a.len() }
            b = step(&log, "b", 1) => { log.push("B"); b.len() + 10 },
            c = step(&log, "c", 1) => 100 + c.len(),
        }
    });
    assert_eq!(output, 11);
    assert_eq!(log.take(), "a b c a b -a -b -c B");
}

#[test]
fn a_biased_select_serves_the_first_that_is_ready_and_a_fair_one_serves_all() {
    sim::run(3, async {
        let mut biased = [0; 3];
        let mut fair = [0; 3];
        for _ in 0..3000 {
            select! {
                biased;
                () = pending() => unreachable!(),
                () = ready(()) => biased[1] += 1,
                () = ready(()) => biased[2] += 1,
            }
            select! {
                () = ready(()) => fair[0] += 1,
                () = ready(()) => fair[1] += 1,
                () = ready(()) => fair[2] += 1,
            }
        }
        assert_eq!(biased, [0, 3000, 0]);
        assert!(
            fair.iter().all(|count| (850..1150).contains(count)),
            "{fair:?}"
        );
    });
}

/// Which of four ready branches forty selects take, on a loop with this seed.
fn choices(seed: Option<u64>) -> Vec<u8> {
    let clock = Clock::Manual(ManualClock::starting_at(Instant::from_ns(1)));
    let mut builder = Builder::new().clock(clock);
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let chosen = builder.build().unwrap().block_on(async {
        let mut chosen = Vec::new();
        for _ in 0..40 {
            chosen.push(select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
                () = ready(()) => 3,
            });
        }
        chosen
    });
    chosen.unwrap()
}

#[test]
fn p36_the_same_seed_makes_the_same_choices() {
    assert_eq!(choices(Some(7)), choices(Some(7)));
    assert_ne!(choices(Some(7)), choices(Some(8)));
    assert_eq!(choices(None), choices(Some(0)));
    assert_eq!(choices(Some(1))[..12], [1, 3, 2, 3, 1, 0, 1, 1, 0, 2, 1, 2]);
}

#[test]
fn an_output_that_does_not_fit_disables_its_branch() {
    let log = Log::default();
    sim::run(1, async {
        let output = select! {
            biased;
            Some(number) = async { None::<u32> } => number,
            Ok(ref text) = after(1, Ok::<String, ()>("four".to_string())) => text.len() as u32,
        };
        assert_eq!(output, 4);
        // Of each kind of binding: moved, by reference, mutable, literal, nested, or none.
        let moved = select! {
            biased;
            (Some(text), 1..=3) = ready((Some(String::from("a")), 4)) => text,
            (Some(mut text), 1 | 5) = ready((Some(String::from("b")), 5)) => { text.push('!'); text }
            _ = pending::<()>() => unreachable!(),
        };
        assert_eq!(moved, "b!");
        // The future of a branch that does not fit is gone at once.
        select! {
            biased;
            "z" = step(&log, "a", 0) => unreachable!(),
            _ = yields(1, ()) => log.push("end"),
        }
    });
    assert_eq!(log.take(), "a -a end");
}

#[test]
fn a_condition_that_is_false_disables_a_branch_and_its_future_is_not_made() {
    sim::run(1, async {
        let mut socket: Option<VecDeque<u32>> = None;
        let mut got = Vec::new();
        for round in 0..4 {
            select! {
                biased;
                item = ready(socket.as_mut().unwrap().pop_front()), if socket.is_some() => got.push(item),
                () = yield_now(), if round == 0 => socket = Some([5].into()),
                else => got.push(None),
            }
        }
        assert_eq!(got, [Some(5), None, None]);
    });
}

#[test]
fn else_runs_when_all_are_disabled_and_without_one_it_is_a_panic() {
    sim::run(1, async {
        let value = select! {
            Some(n) = ready(None) => n,
            n = ready(1), if false => n,
            else => 9,
        };
        assert_eq!(value, 9);
        let value = select! { else => 3 };
        assert_eq!(value, 3);
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        sim::run(1, async {
            select! { 1 = yields(1, 2) => () }
        });
    }));
    let message = *panicked.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(
        message,
        "every branch of a select! is disabled, and it has no else branch"
    );
}

#[test]
fn handlers_break_continue_return_and_ask_and_borrow_what_the_futures_borrowed() {
    async fn pick(queue: &mut VecDeque<Result<u32, String>>) -> Result<u32, String> {
        let mut sum = 0;
        'rounds: loop {
            select! {
                biased;
                item = async { queue.pop_front() } => {
                    let Some(item) = item else { break };
                    let number = item?;
                    if number == 2 {
                        queue.push_back(Ok(10));
                        continue 'rounds;
                    }
                    if number == 99 {
                        return Ok(number);
                    }
                    sum += number;
                }
                () = pending() => {}
            }
        }
        Ok(sum)
    }
    let run = |items: &[Result<u32, &str>]| {
        let items = items.iter().map(|item| item.map_err(str::to_string));
        let mut queue = items.collect();
        sim::run(1, pick(&mut queue))
    };
    assert_eq!(run(&[Ok(1), Ok(2), Ok(3)]), Ok(14));
    assert_eq!(run(&[Ok(1), Err("bad")]), Err("bad".to_string()));
    assert_eq!(run(&[Ok(99), Err("bad")]), Ok(99));
}

#[test]
fn a_future_made_outside_of_the_loop_goes_on_in_each_round() {
    sim::run(1, async {
        let mut task = spawn(after(10, "task"));
        let mut nap = pin!(sleep(25 * MS));
        let mut got = Vec::new();
        let mut is_joined = false;
        loop {
            select! {
                biased;
                output = &mut task, if !is_joined => {
                    is_joined = true;
                    got.push(output.unwrap());
                }
                () = nap.as_mut() => break,
                () = sleep(4 * MS) => got.push("tick"),
            }
        }
        let expected = ["tick", "tick", "task", "tick", "tick", "tick"];
        assert_eq!(got, expected);
    });
}

#[test]
fn patterns_of_one_kind_only_and_nested_selects() {
    sim::run(1, async {
        let (x, y) = select! {
            inner = async {
                select! {
                    n = yields(2, 1) => n,
                    n = yields(5, 2) => n,
                }
            } => (inner, 0),
            (a, b) = yields(9, (7, 8)) => (a, b),
        };
        assert_eq!((x, y), (1, 0));
    });
}

#[test]
fn a_select_in_a_task_of_many_branches() {
    sim::run(1, async {
        let got = select! {
            n = yields(19, 1) => n, n = yields(18, 2) => n, n = yields(17, 3) => n, n = yields(16, 4) => n,
            n = yields(15, 5) => n, n = yields(14, 6) => n, n = yields(13, 7) => n, n = yields(12, 8) => n,
            n = yields(11, 9) => n, n = yields(10, 10) => n, n = yields(9, 11) => n, n = yields(8, 12) => n,
            n = yields(7, 13) => n, n = yields(6, 14) => n, n = yields(5, 15) => n, n = yields(4, 16) => n,
        };
        assert_eq!(got, 16);
    });
}
