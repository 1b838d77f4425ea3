//! Streams and their adapters: a `next` that is dropped at any wait loses no item and doubles none.
//!
//! *Model.* Each adapter is a row of a table: how it is made, and what must come of it, as words. It stands
//! over streams that wait before every item, and is kept while one `next` after the other is dropped.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use mainspring::stream::{self, Stream, StreamExt};
use mainspring::time::{interval, sleep};

use crate::everywhere::Case;
use crate::rig::On;
use crate::slow::{SlowItems, slow};

everywhere! {
    a_next_of_any_adapter_loses_nothing,
    a_next_of_any_adapter_that_keeps_a_future_loses_nothing,
    a_try_next_loses_nothing,
    a_poll_loses_nothing,
    a_peek_takes_nothing,
}

const MS: Duration = Duration::from_millis(1);

/// What a stream gives, as words.
type Words = Pin<Box<dyn Stream<Item = String>>>;

/// A row of the table: the adapter's name, how it is made, and what comes of it.
type Row = (&'static str, fn() -> Words, &'static str);

fn words<T: std::fmt::Debug>(stream: impl Stream<Item = T> + 'static) -> Words {
    Box::pin(stream.map(|item| format!("{item:?}")))
}

fn count_to(end: u32) -> SlowItems<u32> {
    slow(0..end)
}

/// Waits a tick.
async fn slowly(number: u32) -> u32 {
    mainspring::yield_now().await;
    number * 10
}

/// Takes what comes, and keeps it at once.
async fn gather((stream, got): &mut (Words, Vec<String>)) {
    while let Some(word) = stream.next().await {
        got.push(word);
    }
}

#[rustfmt::skip]
const ADAPTERS: &[Row] = &[
    ("map", || words(count_to(3).map(|n| n + 1)), "1 2 3"),
    ("filter", || words(count_to(5).filter(|n| n % 2 == 1)), "1 3"),
    ("filter_map", || words(count_to(5).filter_map(|n| (n % 2 == 1).then_some(n * 2))), "2 6"),
    ("inspect", || words(count_to(3).inspect(|n| assert!(*n < 3))), "0 1 2"),
    ("enumerate", || words(slow("ab".chars()).enumerate()), "(0, 'a') (1, 'b')"),
    ("scan", || words(count_to(9).scan(0, |sum, n| { *sum += n; (*sum < 9).then_some(*sum) })), "0 1 3 6"),
    ("take", || words(count_to(9).take(3)), "0 1 2"),
    ("take_while", || words(count_to(9).take_while(|n| *n < 3)), "0 1 2"),
    ("skip", || words(count_to(4).skip(2)), "2 3"),
    ("skip_while", || words(count_to(4).skip_while(|n| *n < 2)), "2 3"),
    ("fuse", || words(count_to(2).fuse()), "0 1"),
    ("peekable", || words(count_to(3).peekable()), "0 1 2"),
    ("chain", || words(count_to(2).chain(slow([7, 8]))), "0 1 7 8"),
    ("zip", || words(count_to(3).zip(slow("ab".chars()))), "(0, 'a') (1, 'b')"),
    ("zip of unequal pace", || words(stream::iter(0..2).zip(count_to(3).filter(|n| *n > 0))), "(0, 1) (1, 2)"),
    ("merge", || words(count_to(2).merge(slow([7, 8, 9]))), "0 7 1 8 9"),
    ("flatten", || words(slow([count_to(2), count_to(0), count_to(1)]).flatten()), "0 1 0"),
    ("flat_map", || words(count_to(3).flat_map(count_to)), "0 0 1"),
    ("chunks", || words(count_to(5).chunks(2)), "[0, 1] [2, 3] [4]"),
    ("then", || words(count_to(3).then(slowly)), "0 10 20"),
    ("unfold", || words(stream::unfold(0, async |n| { slowly(n).await; (n < 3).then_some((n, n + 1)) })), "0 1 2"),
];

/// An item each millisecond.
fn ticks(count: u32) -> impl Stream<Item = u32> {
    let numbers = stream::unfold(0, async |n| {
        sleep(MS).await;
        Some((n, n + 1))
    });
    numbers.take(count as usize)
}

/// Adapters whose sleep goes on while nobody waits.
#[rustfmt::skip]
const TIMED: &[Row] = &[
    ("then", || words(count_to(3).then(async |n| { sleep(MS).await; n })), "0 1 2"),
    ("unfold", || words(ticks(3)), "0 1 2"),
    ("timeout", || words(ticks(2).timeout(10 * MS)), "Ok(0) Ok(1)"),
    ("timeout of a late stream", || words(ticks(2).timeout(MS * 3 / 4).filter(Result::is_ok)), "Ok(0) Ok(1)"),
    ("throttle", || words(count_to(3).throttle(MS)), "0 1 2"),
    ("chunks_timeout", || words(ticks(5).chunks_timeout(2, 10 * MS)), "[0, 1] [2, 3] [4]"),
    ("chunks_timeout of a late stream", || words(ticks(2).chunks_timeout(9, MS / 2)), "[0] [1]"),
    ("interval", || words(interval(MS).enumerate().map(|(n, _)| n).take(3)), "0 1 2"),
];

// cancels: StreamExt::next, Then, Zip, Flatten, Chunks, Unfold, Peekable
fn a_next_of_any_adapter_loses_nothing(on: On) {
    for &(name, make, expected) in ADAPTERS {
        let waits =
            Case::new(on, move || ((make(), Vec::new()), ())).safe(gather, async |(_, got), ()| {
                assert_eq!(got.join(" "), expected, "{name}");
            });
        assert!(waits >= 3, "{name}: {waits}");
    }
}

// cancels: StreamExt::next, Then, Unfold, ChunksTimeout
fn a_next_of_any_adapter_that_keeps_a_future_loses_nothing(on: On) {
    for &(name, make, expected) in TIMED {
        let waits = Case::new(on, move || ((make(), Vec::new()), ()))
            .others_wait()
            .safe(gather, async |(_, got), ()| {
                assert_eq!(got.join(" "), expected, "{name}");
            });
        assert!(waits >= 2, "{name}: {waits}");
    }
}

// cancels: StreamExt::try_next
fn a_try_next_loses_nothing(on: On) {
    let setup = || ((slow([Ok(1), Err("over"), Ok(2)]), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(stream, got)| {
            while let Some(item) = stream.try_next().await.transpose() {
                got.push(item);
            }
        },
        async |(_, got), ()| assert_eq!(*got, [Ok(1), Err("over"), Ok(2)]),
    );
    assert_eq!(waits, 4);
}

// cancels: Stream::poll_next
fn a_poll_loses_nothing(on: On) {
    let setup = || ((count_to(3).chunks(2), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(stream, got)| {
            let mut stream = pin!(stream);
            while let Some(chunk) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                got.push(chunk);
            }
        },
        async |(_, got), ()| assert_eq!(*got, [vec![0, 1], vec![2]]),
    );
    assert_eq!(waits, 4);
}

// cancels: Peekable::peek, Peekable::poll_peek
fn a_peek_takes_nothing(on: On) {
    let setup = || ((count_to(4).peekable(), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(stream, got)| {
            loop {
                let peeked = if got.len() % 2 == 0 {
                    stream.peek().await.copied()
                } else {
                    let mut stream = pin!(&mut *stream);
                    poll_fn(|cx| {
                        let polled = Pin::new(&mut **stream).poll_peek(cx);
                        polled.map(|item| item.copied())
                    })
                    .await
                };
                assert_eq!(peeked, (got.len() < 4).then_some(got.len() as u32));
                // What was looked at comes without a wait.
                match stream.next().await {
                    Some(item) => got.push(item),
                    None => return,
                }
            }
        },
        async |(_, got), ()| assert_eq!(*got, [0, 1, 2, 3]),
    );
    assert_eq!(waits, 5);
}
