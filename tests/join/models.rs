//! Random programs against models of what joining promises.

use std::cell::RefCell;
use std::rc::Rc;

use mainspring::stream::StreamExt;
use mainspring::task::{JoinSet, as_completed, join_all};
use mainspring::time::{now, sleep};
use mainspring::{sim, spawn};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::rig::{Gate, MS, after, yields};

/// The places of `values`, sorted by value and then by place.
fn order_of(values: &[u32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by_key(|place| values[*place]);
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn join_all_gives_what_each_gives_and_takes_as_long_as_the_longest(
        yielded in vec(0u32..6, 0..60),
        seed in any::<u64>(),
    ) {
        let outputs = sim::run(seed, async {
            let children = yielded.iter().map(|count| yields(*count as usize, *count));
            join_all(children).await
        });
        prop_assert_eq!(outputs, yielded);
    }

    #[test]
    fn as_completed_is_a_stable_sort_by_the_time_of_the_end(
        ticks in vec(0u32..8, 1..60),
        seed in any::<u64>(),
    ) {
        // Of those that end in one tick, whoever was woken first, the first of the arguments comes first.
        let order: Vec<usize> = sim::run(seed, async {
            let gates: Vec<Gate> = ticks.iter().map(|_| Gate::default()).collect();
            let openers = gates.clone();
            let when = ticks.clone();
            spawn(async move {
                for tick in 0..8 {
                    let of_tick = when.iter().zip(&openers).filter(|(at, _)| **at == tick);
                    let mut of_tick: Vec<&Gate> = of_tick.map(|(_, gate)| gate).collect();
                    if seed % 2 == 0 {
                        of_tick.reverse();
                    }
                    of_tick.into_iter().for_each(Gate::open);
                    sleep(MS).await;
                }
            });
            as_completed(gates.iter().map(Gate::wait)).map(|(place, ())| place).collect().await
        });
        prop_assert_eq!(order, order_of(&ticks));
    }

    #[test]
    fn a_set_gives_every_result_once_in_the_order_of_the_ends(
        program in vec((0u32..5, 0u32..6), 1..80),
        seed in any::<u64>(),
    ) {
        let (joined, expected) = sim::run(seed, async {
            let mut set = JoinSet::new();
            let ends: Rc<RefCell<Vec<usize>>> = Rc::default();
            let mut joined = Vec::new();
            let mut expected = Vec::new();
            let start = now();
            for (place, (what, ms)) in program.into_iter().enumerate() {
                match what {
                    0 => joined.extend(set.try_join_next().map(Result::unwrap)),
                    1 if !set.is_empty() => joined.extend(set.join_next().await.map(Result::unwrap)),
                    2 => sleep(ms * MS).await,
                    _ => {
                        let ends = Rc::clone(&ends);
                        set.spawn(async move {
                            let place = after(ms, place).await;
                            ends.borrow_mut().push(place);
                            place
                        });
                    }
                }
            }
            while let Some(result) = set.join_next().await {
                joined.push(result.unwrap());
            }
            assert!(now() >= start);
            expected.append(&mut ends.borrow_mut());
            (joined, expected)
        });
        prop_assert_eq!(joined, expected);
    }
}
