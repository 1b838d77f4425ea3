//! The helper bites: operations that break their word in each way that it must see.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring::time::sleep;
use mainspring::yield_now;

use crate::everywhere::Case;
use crate::rig::{On, turns};
use crate::wire;

everywhere! {
    an_operation_that_never_waits_is_refused,
    an_item_that_is_taken_before_it_is_returned_goes_red,
    an_item_that_is_given_twice_goes_red,
    a_wake_that_is_lost_goes_red,
    a_waker_that_is_kept_goes_red,
    a_waiter_that_is_left_goes_red,
    a_timer_that_is_left_goes_red,
    a_descriptor_that_is_left_goes_red,
}

/// Asserts that `body` panics with `message`.
#[track_caller]
fn goes_red(message: &str, body: impl FnOnce() -> u32) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(body)) else {
        panic!("it passed, and was to say: {message}");
    };
    let said = match payload.downcast::<String>() {
        Ok(said) => *said,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_string(),
    };
    assert!(said.contains(message), "{said}");
}

fn an_operation_that_never_waits_is_refused(on: On) {
    goes_red("never waits", || {
        Case::new(on, || ((), ())).safe(async |()| (), async |(), ()| ())
    });
}

fn an_item_that_is_taken_before_it_is_returned_goes_red(on: On) {
    goes_red("lost", || {
        Case::new(on, || ((vec![1, 2], vec![]), ())).safe(
            async |(queue, got): &mut (Vec<u32>, Vec<u32>)| {
                while let Some(item) = queue.pop() {
                    yield_now().await;
                    got.push(item);
                }
            },
            async |(_, got), ()| assert_eq!(*got, [2, 1], "lost"),
        )
    });
}

fn an_item_that_is_given_twice_goes_red(on: On) {
    goes_red("doubled", || {
        Case::new(on, || (vec![], ())).loses_its_place(
            async |got| {
                got.push(1);
                yield_now().await;
            },
            async |got, ()| assert_eq!(*got, [1], "doubled"),
        )
    });
}

fn a_wake_that_is_lost_goes_red(on: On) {
    goes_red("a wake was lost", || {
        Case::new(on, || (false, ())).safe(
            async |was_polled| {
                // Who waits a second time is forgotten.
                if std::mem::replace(was_polled, true) {
                    pending::<()>().await;
                }
                yield_now().await;
            },
            async |_, ()| (),
        )
    });
}

fn a_waker_that_is_kept_goes_red(on: On) {
    goes_red("copies of the waker", || {
        Case::new(on, || (None, ())).safe(
            async |kept: &mut Option<Waker>| {
                let mut has_waited = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    *kept = Some(cx.waker().clone());
                    match std::mem::replace(&mut has_waited, true) {
                        false => Poll::Pending,
                        true => Poll::Ready(()),
                    }
                })
                .await;
            },
            async |_, ()| (),
        )
    });
}

fn a_waiter_that_is_left_goes_red(on: On) {
    goes_red("after the drop something still waits", || {
        Case::new(on, wire::unix).world(|far| far.send(1)).safe(
            async |near| {
                // A reader of the same stream, in a task that nobody ends.
                let (other, far) = wire::unix();
                let _task = mainspring::spawn(async move {
                    let _far = far;
                    other.stream.read(&mut [0]).await
                });
                near.stream.read(&mut [0]).await.unwrap();
            },
            async |_, _| turns(1).await,
        )
    });
}

fn a_timer_that_is_left_goes_red(on: On) {
    goes_red("after the drop something still waits", || {
        Case::new(on, || ((), ())).safe(
            async |()| {
                let _detached = mainspring::spawn(sleep(Duration::from_millis(1)));
                yield_now().await;
            },
            async |(), ()| (),
        )
    });
}

fn a_descriptor_that_is_left_goes_red(on: On) {
    goes_red("descriptors that are open in the end", || {
        Case::new(on, || ((), ())).safe(
            async |()| {
                let (end, _) = wire::unix_ends();
                std::mem::forget(end);
                yield_now().await;
            },
            async |(), ()| (),
        )
    });
}
