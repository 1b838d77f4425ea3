//! Streams: the adapters against the iterators of the same name, and what iterators do not have.
#![cfg(feature = "sim")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::stream::{self, Stream, StreamExt};
use mainspring::time::{Elapsed, MissedTick, interval, now, sleep};
use mainspring::{sim, spawn, yield_now};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// A stream of items with `Pending` between them, which knows exactly how many remain.
#[derive(Clone, Debug)]
struct Halting {
    /// `None` is a `Pending`.
    steps: VecDeque<Option<i32>>,
}

impl Stream for Halting {
    type Item = i32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        match self.steps.pop_front() {
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            item => Poll::Ready(item.flatten()),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.steps.iter().flatten().count();
        (left, Some(left))
    }
}

impl Halting {
    fn items(&self) -> std::vec::IntoIter<i32> {
        let items: Vec<i32> = self.steps.iter().flatten().copied().collect();
        items.into_iter()
    }
}

/// Ready at the second poll.
struct Late {
    output: i32,
    was_polled: bool,
}

impl Future for Late {
    type Output = i32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<i32> {
        if !std::mem::replace(&mut self.was_polled, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.output)
    }
}

fn halting() -> impl Strategy<Value = Halting> {
    let step = prop_oneof![2 => (-9..9).prop_map(Some), 1 => Just(None)];
    prop::collection::vec(step, 0..24).prop_map(|steps| Halting {
        steps: steps.into(),
    })
}

/// Polls a stream to its end, with a fresh `next` for every poll, and checks its size hint after each.
fn drain<S: Stream>(stream: S) -> Vec<S::Item> {
    let mut stream = pin!(stream);
    let mut cx = Context::from_waker(Waker::noop());
    let (mut items, mut hints) = (Vec::new(), vec![(0, stream.size_hint())]);
    for _ in 0..100_000 {
        // The future is dropped after one poll: `next` must lose nothing.
        let polled = pin!(stream.next()).poll(&mut cx);
        match polled {
            Poll::Ready(Some(item)) => {
                items.push(item);
            }
            Poll::Ready(None) => {
                for (count, (least, most)) in hints {
                    let left = items.len() - count;
                    assert!(least <= left, "{left} came where {least} is the least");
                    assert!(
                        most.is_none_or(|most| left <= most),
                        "{left} came of {most:?}"
                    );
                }
                return items;
            }
            Poll::Pending => {}
        }
        // At a wait too: what an adapter keeps meanwhile still counts.
        hints.push((items.len(), stream.size_hint()));
    }
    panic!("the stream does not end")
}

/// Polls a future to its end.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adapters_of_one_stream_are_those_of_iterators(s in halting(), n in 0usize..9, k in -9..9) {
        prop_assert!(drain(s.clone().map(|i| i * 2)).into_iter().eq(s.items().map(|i| i * 2)));
        prop_assert!(drain(s.clone().filter(|i| *i < k)).into_iter().eq(s.items().filter(|i| *i < k)));
        let odd = |i: i32| (i % 2 != 0).then_some(i + k);
        prop_assert!(drain(s.clone().filter_map(odd)).into_iter().eq(s.items().filter_map(odd)));
        prop_assert!(drain(s.clone().enumerate()).into_iter().eq(s.items().enumerate()));
        prop_assert!(drain(s.clone().take(n)).into_iter().eq(s.items().take(n)));
        prop_assert!(drain(s.clone().skip(n)).into_iter().eq(s.items().skip(n)));
        prop_assert!(drain(s.clone().take_while(|i| *i < k)).into_iter().eq(s.items().take_while(|i| *i < k)));
        prop_assert!(drain(s.clone().skip_while(|i| *i < k)).into_iter().eq(s.items().skip_while(|i| *i < k)));
        prop_assert!(drain(s.clone().fuse()).into_iter().eq(s.items().fuse()));
        prop_assert!(drain(s.clone().peekable()).into_iter().eq(s.items().peekable()));
        let sum = |sum: &mut i32, i: i32| { *sum += i; (*sum < 20).then_some(*sum) };
        prop_assert!(drain(s.clone().scan(k, sum)).into_iter().eq(s.items().scan(k, sum)));
        let late = drain(s.clone().then(|i| Late { output: i + 1, was_polled: false }));
        prop_assert!(late.into_iter().eq(s.items().map(|i| i + 1)));
        let mut seen = Vec::new();
        drain(s.clone().inspect(|i| seen.push(*i)));
        prop_assert!(seen.into_iter().eq(s.items()));
        let items: Vec<i32> = s.items().collect();
        prop_assert!(drain(s.chunks(n + 1)).into_iter().eq(items.chunks(n + 1).map(<[i32]>::to_vec)));
    }

    #[test]
    fn adapters_of_two_streams_are_those_of_iterators(a in halting(), b in halting(), n in 0usize..4) {
        prop_assert!(drain(a.clone().chain(b.clone())).into_iter().eq(a.items().chain(b.items())));
        prop_assert!(drain(a.clone().zip(b.clone())).into_iter().eq(a.items().zip(b.items())));
        let grow = |i: i32| stream::repeat(i).take(n);
        let grown = a.items().flat_map(|i| std::iter::repeat_n(i, n));
        prop_assert!(drain(a.clone().flat_map(grow)).into_iter().eq(grown));
        let nested = [a.clone(), b.clone()];
        prop_assert!(drain(stream::iter(nested).flatten()).into_iter().eq(a.items().chain(b.items())));
        // Merged: all of both, each in its own order.
        let merged = drain(a.clone().map(|i| (0, i)).merge(b.clone().map(|i| (1, i))));
        let of = |side: i32| merged.iter().filter(move |item| item.0 == side).map(|item| item.1);
        prop_assert!(of(0).eq(a.items()) && of(1).eq(b.items()));
    }

    #[test]
    fn ends_are_those_of_iterators(s in halting(), k in -9..9) {
        let weigh = |sum: i32, i: i32| sum * 3 + i;
        prop_assert_eq!(finish(s.clone().fold(k, |a, i| weigh(a % 1000, i))), s.items().fold(k, |a, i| weigh(a % 1000, i)));
        prop_assert_eq!(finish(s.clone().any(|i| i == k)), s.items().any(|i| i == k));
        prop_assert_eq!(finish(s.clone().all(|i| i != k)), s.items().all(|i| i != k));
        prop_assert_eq!(finish(s.clone().count()), s.items().count());
        prop_assert_eq!(finish(s.clone().collect::<Vec<_>>()), s.items().collect::<Vec<_>>());
        let check = |i: i32| if i == k { Err(i) } else { Ok(i) };
        prop_assert_eq!(finish(s.clone().map(check).try_collect::<_, _, Vec<_>>()), s.items().map(check).collect());
        let mut seen = Vec::new();
        finish(s.clone().for_each(|i| seen.push(i)));
        prop_assert!(seen.into_iter().eq(s.items()));
        // What `any` looked at is gone, and no more.
        let (mut rest, mut items) = (s.clone(), s.items());
        finish(rest.by_ref().any(|i| i == k));
        items.any(|i| i == k);
        prop_assert!(drain(rest).into_iter().eq(items));
    }

    #[test]
    fn a_peek_shows_the_next_item_and_takes_nothing(s in halting()) {
        let mut peekable = s.clone().peekable();
        for item in s.items() {
            prop_assert_eq!(finish(peekable.peek()).copied(), Some(item));
            prop_assert_eq!(finish(peekable.peek()).copied(), Some(item));
            prop_assert_eq!(finish(peekable.next()), Some(item));
        }
        prop_assert_eq!(finish(peekable.peek()), None);
        prop_assert_eq!(peekable.size_hint(), (0, Some(0)));
    }
}

#[test]
fn the_sources_are_what_they_say() {
    assert_eq!(drain(stream::iter(0..3)), [0, 1, 2]);
    assert_eq!(drain(stream::once('a')), ['a']);
    assert_eq!(drain(stream::empty::<u8>()), []);
    assert_eq!(drain(stream::repeat(1).take(3)), [1, 1, 1]);
    let halves = stream::unfold(8, |n| std::future::ready((n > 0).then_some((n, n / 2))));
    assert_eq!(drain(halves), [8, 4, 2, 1]);
    assert!(stream::pending::<u8>().size_hint() == (0, Some(0)));
    assert_eq!(stream::repeat(1).size_hint(), (usize::MAX, None));
    assert_eq!(stream::repeat(1).take(3).size_hint(), (3, Some(3)));
}

#[test]
fn size_hints_at_the_edge_do_not_overflow() {
    let endless = || stream::repeat(1);
    assert_eq!(endless().chain(endless()).size_hint(), (usize::MAX, None));
    assert_eq!(endless().merge(endless()).size_hint(), (usize::MAX, None));
    assert_eq!(endless().zip(stream::once(1)).size_hint(), (1, Some(1)));
    assert_eq!(endless().peekable().size_hint(), (usize::MAX, None));
    assert_eq!(endless().skip(usize::MAX).size_hint(), (0, None));
    assert_eq!(endless().chunks(2).size_hint(), (usize::MAX / 2 + 1, None));
    assert_eq!(stream::iter(0..10).take(0).size_hint(), (0, Some(0)));
    let nothing_more = stream::empty::<stream::Empty<u8>>().flatten();
    assert_eq!(nothing_more.size_hint(), (0, Some(0)));
}

#[test]
fn a_take_that_ended_early_stays_at_its_end() {
    let mut polls = 0;
    let odd_ones = stream::poll_fn(|_cx| {
        polls += 1;
        Poll::Ready((polls % 2 == 1).then_some(polls))
    });
    let mut taken = odd_ones.take(9);
    assert_eq!(finish(taken.next()), Some(1));
    assert_eq!((finish(taken.next()), finish(taken.next())), (None, None));
    assert_eq!(taken.size_hint(), (0, Some(0)));
}

#[test]
#[should_panic(expected = "a chunk needs a size larger than zero")]
fn chunks_of_nothing_are_refused() {
    let _ = stream::once(1).chunks(0);
}

#[test]
fn a_stream_of_results_gives_its_error_and_goes_on() {
    let mut results = stream::iter([Ok(1), Err("two"), Ok(3)]);
    assert_eq!(finish(results.try_next()), Ok(Some(1)));
    assert_eq!(finish(results.try_next()), Err("two"));
    assert_eq!(finish(results.try_next()), Ok(Some(3)));
    assert_eq!(finish(results.try_next()), Ok(None));
}

#[test]
fn merged_streams_take_turns_and_the_silent_one_is_not_waited_for() {
    let both = stream::repeat('a').merge(stream::repeat('b')).take(6);
    assert_eq!(drain(both), ['a', 'b', 'a', 'b', 'a', 'b']);
    let (a, silent) = (stream::iter([1, 2, 3]), stream::pending());
    assert_eq!(drain(a.merge(silent).take(3)), [1, 2, 3]);
}

// One of two streams that are always ready must not run the budget down alone.
#[test]
fn hz_h13_merged_streams_take_turns_across_the_budget() {
    sim::run(1, async {
        let both = stream::repeat('a').merge(stream::repeat('b'));
        let first = both.take(1000).filter(|side| *side == 'a').count().await;
        assert_eq!(first, 500);
    });
}

#[test]
fn an_endless_stream_lets_other_tasks_run() {
    sim::run(1, async {
        let seen = Rc::new(RefCell::new(0));
        let other = Rc::clone(&seen);
        let counter = spawn(async move {
            loop {
                *other.borrow_mut() += 1;
                yield_now().await;
            }
        });
        assert_eq!(stream::iter(0..).take(10_000).count().await, 10_000);
        assert_eq!(
            stream::repeat(0)
                .filter(|_| *seen.borrow() > 200)
                .take(1)
                .count()
                .await,
            1
        );
        counter.abort();
    });
}

#[test]
fn what_waits_in_then_survives_a_dropped_next() {
    sim::run(1, async {
        let slow = stream::iter(0..3).then(async |n| {
            sleep(10 * MS).await;
            n
        });
        let mut slow = pin!(slow);
        let (mut items, start) = (Vec::new(), now());
        loop {
            match mainspring::time::timeout(3 * MS, slow.next()).await {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(Elapsed { .. }) => {}
            }
        }
        assert_eq!(items, [0, 1, 2]);
        let took = now() - start;
        assert!(took >= 30 * MS && took < 40 * MS, "{took:?}");
    });
}

/// Items with the pauses before them, in milliseconds.
fn paced(pauses: &'static [u32]) -> impl Stream<Item = u32> {
    stream::iter(pauses.iter().copied()).then(async |pause| {
        sleep(pause * MS).await;
        pause
    })
}

#[test]
fn a_timeout_is_an_item_and_the_time_begins_anew() {
    sim::run(1, async {
        let items = paced(&[1, 25, 1]).timeout(10 * MS).map(Result::ok);
        let items: Vec<_> = items.collect().await;
        assert_eq!(items, [Some(1), None, None, Some(25), Some(1)]);
    });
}

#[test]
fn a_timeout_does_not_run_while_nobody_waits() {
    sim::run(1, async {
        let mut items = pin!(paced(&[1, 5]).timeout(10 * MS));
        assert_eq!(items.next().await, Some(Ok(1)));
        sleep(100 * MS).await;
        assert_eq!(items.next().await, Some(Ok(5)));
    });
}

#[test]
fn a_timeout_runs_on_when_the_next_is_dropped() {
    sim::run(1, async {
        let mut items = pin!(stream::pending::<u8>().timeout(10 * MS));
        let start = now();
        for _ in 0..3 {
            let waited = mainspring::time::timeout(3 * MS, items.next()).await;
            assert!(waited.is_err());
        }
        assert!(items.next().await.unwrap().is_err());
        assert!(now() - start < 13 * MS, "{:?}", now() - start);
    });
}

#[test]
fn a_throttled_stream_keeps_its_pace_and_makes_no_slow_one_slower() {
    sim::run(1, async {
        let start = now();
        let mut quick = pin!(stream::iter(0..4).throttle(10 * MS));
        let mut times = Vec::new();
        while quick.next().await.is_some() {
            times.push(now() - start);
        }
        assert_eq!(times, [Duration::ZERO, 10 * MS, 20 * MS, 30 * MS]);
        let mut slow = pin!(stream::iter(0..2).throttle(10 * MS));
        assert_eq!(slow.next().await, Some(0));
        sleep(50 * MS).await;
        let before = now();
        assert_eq!(slow.next().await, Some(1));
        assert_eq!(now(), before);
    });
}

#[test]
fn a_chunk_is_given_when_it_is_full_or_old() {
    sim::run(1, async {
        let chunks = paced(&[1, 1, 1, 1, 30, 40]).chunks_timeout(3, 10 * MS);
        let start = now();
        let chunks: Vec<(Vec<u32>, Duration)> =
            chunks.map(|chunk| (chunk, now() - start)).collect().await;
        let items: Vec<_> = chunks.iter().map(|(items, _)| items.clone()).collect();
        assert_eq!(items, [vec![1, 1, 1], vec![1], vec![30], vec![40]]);
        assert_eq!(chunks[0].1, 3 * MS);
        assert_eq!(chunks[1].1, 14 * MS);
        assert_eq!(chunks[2].1, 44 * MS);
    });
}

#[test]
fn an_interval_is_a_stream_of_when_its_ticks_were_due() {
    sim::run(1, async {
        let start = now();
        let ticks = interval(5 * MS).missed_tick(MissedTick::Skip).take(3);
        let ticks: Vec<_> = ticks.map(|due| due - start).collect().await;
        assert_eq!(ticks, [Duration::ZERO, 5 * MS, 10 * MS]);
    });
}

#[test]
fn an_adapter_over_a_plain_stream_needs_no_pin_whatever_its_closure_holds() {
    fn unpin<T: Unpin>(stream: T) -> T {
        stream
    }
    let held = std::marker::PhantomPinned;
    let mut stream = unpin(stream::iter(0..3).map(move |n| (n, &held).0));
    assert_eq!(finish(stream.next()), Some(0));
}
