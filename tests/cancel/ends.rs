//! What takes a stream to its end, dropped at each of its waits.

use std::rc::Rc;

use mainspring::stream::StreamExt;

use crate::everywhere::Case;
use crate::rig::On;
use crate::slow::{SlowItems, slow};

everywhere! {
    a_for_each_shows_every_item_once,
    an_any_takes_no_item_behind_the_first_yes,
    an_all_takes_no_item_behind_the_first_no,
    a_fold_that_is_dropped_leaves_the_rest_of_the_stream,
    a_count_that_is_dropped_leaves_the_rest_of_the_stream,
    a_collect_that_is_dropped_leaves_the_rest_of_the_stream,
    a_try_collect_that_is_dropped_leaves_the_rest_of_the_stream,
}

/// How many items come.
const ALL: u32 = 4;

// cancels: StreamExt::for_each
fn a_for_each_shows_every_item_once(on: On) {
    let waits = Case::new(on, || ((slow(0..ALL), Vec::new()), ())).safe(
        async |(stream, got)| stream.for_each(|item| got.push(item)).await,
        async |(_, got), ()| assert_eq!(*got, [0, 1, 2, 3]),
    );
    assert_eq!(waits, ALL + 1);
}

// cancels: StreamExt::any
fn an_any_takes_no_item_behind_the_first_yes(on: On) {
    let waits = Case::new(on, || ((slow(0..ALL), None), ())).safe(
        async |(stream, found)| *found = Some(stream.any(|item| item == 2).await),
        async |(stream, found), ()| {
            assert_eq!((*found, stream.next().await), (Some(true), Some(3)));
        },
    );
    assert_eq!(waits, 3);
}

// cancels: StreamExt::all
fn an_all_takes_no_item_behind_the_first_no(on: On) {
    let waits = Case::new(on, || ((slow(0..ALL), None), ())).safe(
        async |(stream, found)| *found = Some(stream.all(|item| item < 2).await),
        async |(stream, found), ()| {
            assert_eq!((*found, stream.next().await), (Some(false), Some(3)));
        },
    );
    assert_eq!(waits, 3);
}

/// A token that says how many copies of it there are, and its number.
type Item = (u32, Rc<()>);

/// A stream of items, the one token of them all, and whether the operation was done.
struct Tokens {
    stream: SlowItems<Item>,
    token: Rc<()>,
    is_done: bool,
}

fn tokens() -> (Tokens, ()) {
    let token = Rc::new(());
    let items = (0..ALL).map(|number| (number, Rc::clone(&token)));
    let tokens = Tokens {
        stream: slow(items),
        token: Rc::clone(&token),
        is_done: false,
    };
    (tokens, ())
}

/// The items that the operation had are dropped with it, and the others come.
async fn the_rest_is_there(near: &mut Tokens, (): &mut ()) {
    let left = Rc::strong_count(&near.token) - 1;
    let mut numbers = Vec::new();
    while let Some((number, _)) = near.stream.next().await {
        numbers.push(number);
    }
    let all: Vec<u32> = (0..ALL).collect();
    assert!(all.ends_with(&numbers) && numbers.len() == left);
    assert!(!near.is_done || numbers.is_empty());
    assert_eq!(Rc::strong_count(&near.token), 1);
}

// cancels: StreamExt::fold
fn a_fold_that_is_dropped_leaves_the_rest_of_the_stream(on: On) {
    let waits = Case::new(on, tokens).not_safe(
        async |near| {
            let kept = near.stream.by_ref().fold(Vec::new(), |mut kept, item| {
                kept.push(item);
                kept
            });
            near.is_done = kept.await.len() == ALL as usize;
        },
        the_rest_is_there,
    );
    assert_eq!(waits, ALL + 1);
}

// cancels: StreamExt::count
fn a_count_that_is_dropped_leaves_the_rest_of_the_stream(on: On) {
    let waits = Case::new(on, tokens).not_safe(
        async |near| near.is_done = near.stream.by_ref().count().await == ALL as usize,
        the_rest_is_there,
    );
    assert_eq!(waits, ALL + 1);
}

// cancels: StreamExt::collect
fn a_collect_that_is_dropped_leaves_the_rest_of_the_stream(on: On) {
    let waits = Case::new(on, tokens).not_safe(
        async |near| {
            let all: Vec<Item> = near.stream.by_ref().collect().await;
            near.is_done = all.len() == ALL as usize;
        },
        the_rest_is_there,
    );
    assert_eq!(waits, ALL + 1);
}

// cancels: StreamExt::try_collect
fn a_try_collect_that_is_dropped_leaves_the_rest_of_the_stream(on: On) {
    let waits = Case::new(on, tokens).not_safe(
        async |near| {
            let results = near.stream.by_ref().map(Ok::<_, ()>);
            let all: Vec<Item> = results.try_collect().await.unwrap();
            near.is_done = all.len() == ALL as usize;
        },
        the_rest_is_there,
    );
    assert_eq!(waits, ALL + 1);
}
