//! `DelayQueue`: what is due when, who follows whom, and a model of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use mainspring::stream::{Stream, StreamExt};
use mainspring::time::{DelayKey, DelayQueue, Instant, now, sleep, timeout};
use mainspring::{sim, spawn, yield_now};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::rig::{MS, counted};

#[test]
fn items_come_when_they_are_due_and_ties_in_the_order_of_coming() {
    sim::run(1, async {
        let start = now();
        let mut queue = DelayQueue::new();
        for (item, ms) in [("a", 5), ("b", 2), ("c", 5), ("d", 2), ("e", 0)] {
            queue.insert(item, ms * MS);
        }
        queue.insert("never", Duration::MAX);
        assert_eq!((queue.len(), queue.peek().unwrap().1), (6, &"e"));
        let mut got = Vec::new();
        while queue.len() > 1 {
            let due = queue.next().await.unwrap();
            got.push((due.item, (now() - start).as_millis()));
            assert_eq!(due.deadline, now());
            assert_eq!(queue.deadline(due.key), None);
        }
        assert_eq!(got, [("e", 0), ("b", 2), ("d", 2), ("a", 5), ("c", 5)]);
        assert!(timeout(10_000 * MS, queue.next()).await.is_err());
        queue.clear();
        assert!(queue.is_empty() && queue.next().await.is_none());
        queue.insert_at("past", Instant::from_ns(1));
        assert_eq!(
            queue.next().await.unwrap().item,
            "past",
            "it goes on after its end"
        );
    });
}

#[test]
fn a_key_names_its_item_and_never_another() {
    sim::run(1, async {
        let mut queue = DelayQueue::new();
        let a = queue.insert("a", MS);
        let b = queue.insert("b", MS);
        assert!(queue.reset(a, MS), "behind b, that is due then already");
        assert_eq!(queue.next().await.unwrap().key, b);
        assert_eq!(queue.remove(a), Some("a"));
        let c = queue.insert("c", MS);
        assert!(c != a && c != b);
        assert_eq!(
            (queue.remove(a), queue.reset(b, MS), queue.deadline(a)),
            (None, false, None)
        );
        assert_eq!(queue.deadline(c), Some(now() + MS));
        assert!(queue.reset_at(c, now() + 3 * MS));
        assert_eq!(queue.next().await.unwrap().deadline, now());
        assert!(format!("{queue:?}").starts_with('{'));
    });
}

/// A task that waits in a queue which others change; what it gets and when, in milliseconds.
fn while_somebody_waits(
    change: impl FnOnce(&RefCell<DelayQueue<u32>>, DelayKey),
) -> (Option<u32>, u128, usize) {
    sim::run(1, async {
        let queue = Rc::new(RefCell::new(DelayQueue::new()));
        let key = queue.borrow_mut().insert(10, 10 * MS);
        let start = now();
        let polls: Rc<Cell<usize>> = Rc::default();
        let waiting = Rc::clone(&queue);
        let waiter = spawn(counted(Rc::clone(&polls), async move {
            let mut looks = 0;
            let mut poll = |cx: &mut std::task::Context<'_>| {
                looks += 1;
                assert!(looks < 100, "it wakes itself for nothing");
                waiting.borrow_mut().poll_due(cx)
            };
            let due = poll_fn(&mut poll).await;
            (due.map(|due| due.item), (now() - start).as_millis())
        }));
        yield_now().await;
        change(&queue, key);
        let waited = timeout(Duration::from_secs(1), waiter).await;
        let (item, at) = waited
            .expect("who waits is woken when what is first changes")
            .unwrap();
        (item, at, polls.get())
    })
}

#[test]
fn whoever_waits_follows_what_is_first_and_is_polled_no_more_than_needed() {
    assert_eq!(while_somebody_waits(|_, _| ()), (Some(10), 10, 2));
    let earlier = |queue: &RefCell<DelayQueue<u32>>, _| {
        queue.borrow_mut().insert(3, 3 * MS);
    };
    assert_eq!(while_somebody_waits(earlier), (Some(3), 3, 2));
    let later = |queue: &RefCell<DelayQueue<u32>>, _| {
        queue.borrow_mut().insert(30, 30 * MS);
    };
    assert_eq!(while_somebody_waits(later), (Some(10), 10, 2));
    let moved =
        |queue: &RefCell<DelayQueue<u32>>, key| assert!(queue.borrow_mut().reset(key, 20 * MS));
    assert_eq!(while_somebody_waits(moved), (Some(10), 20, 2));
    let emptied = |queue: &RefCell<DelayQueue<u32>>, key| {
        queue.borrow_mut().remove(key);
    };
    assert_eq!(while_somebody_waits(emptied), (None, 0, 2));
    let cleared = |queue: &RefCell<DelayQueue<u32>>, _| queue.borrow_mut().clear();
    assert_eq!(while_somebody_waits(cleared), (None, 0, 2));
}

#[test]
fn many_that_are_due_at_once_yield_by_the_budget() {
    sim::run(1, async {
        let mut queue = DelayQueue::new();
        for item in 0..1000 {
            queue.insert(item, MS);
        }
        let polls: Rc<Cell<usize>> = Rc::default();
        let all: Vec<_> = counted(Rc::clone(&polls), queue.map(|due| due.item).collect()).await;
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!(
            polls.get(),
            2 + 1000 / 128,
            "one to wait, and one per budget"
        );
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_queue_is_a_map_by_deadline_and_coming(
        program in vec((0u32..6, 0u32..20, 0u64..8), 1..120),
        seed in any::<u64>(),
    ) {
        let (got, expected) = sim::run(seed, async {
            let mut queue = DelayQueue::new();
            let mut model: BTreeMap<(Instant, u64), usize> = BTreeMap::new();
            let mut keys: Vec<(DelayKey, Option<(Instant, u64)>)> = Vec::new();
            let (mut got, mut expected, mut number) = (Vec::new(), Vec::new(), 0);
            for (what, which, ms) in program {
                number += 1;
                let place = (now() + Duration::from_millis(ms), number);
                let known = keys.len().checked_sub(1).map(|last| which as usize % (last + 1));
                match (what, known) {
                    (0, Some(known)) => {
                        let (key, at) = keys[known];
                        let there = at.and_then(|at| model.remove(&at)).is_some();
                        assert_eq!(queue.remove(key).is_some(), there);
                    }
                    (1, Some(known)) => {
                        let (key, at) = keys[known];
                        let there = at.and_then(|at| model.remove(&at));
                        assert_eq!(queue.reset_at(key, place.0), there.is_some());
                        if let Some(item) = there {
                            model.insert(place, item);
                            keys[known].1 = Some(place);
                        }
                    }
                    (2, _) => sleep(Duration::from_millis(ms)).await,
                    (3, _) => {
                        let due = timeout(Duration::from_millis(ms), queue.next()).await;
                        if let Ok(Some(due)) = due {
                            assert!(due.deadline <= now());
                            got.push(due.item);
                            expected.extend(model.pop_first().map(|(_, item)| item));
                        }
                    }
                    _ => {
                        let key = queue.insert_at(number as usize, place.0);
                        model.insert(place, number as usize);
                        keys.push((key, Some(place)));
                    }
                }
                assert_eq!((queue.len(), queue.size_hint().0), (model.len(), model.len()));
            }
            let rest = queue.map(|due| due.item).collect::<Vec<_>>();
            let rest = timeout(Duration::from_secs(3600), rest).await;
            got.extend(rest.expect("all that is in it comes when it is due"));
            expected.extend(model.into_values());
            (got, expected)
        });
        prop_assert_eq!(got, expected);
    }
}
