//! What people are told of a task that waits for a channel: what for, of which one, and at which line.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mainspring::channel;
use mainspring::{run, spawn, yield_now};

/// The report of a program that can't go on.
fn report(main: impl Future) -> String {
    let result = catch_unwind(AssertUnwindSafe(|| run(main).map(|_| ())));
    let payload = result.expect_err("it can't go on");
    *payload.downcast::<String>().expect("a text")
}

#[track_caller]
fn says(report: &str, what: &str, made_at: u32, waits_at: u32) {
    let file = file!();
    let line = report
        .lines()
        .find(|line| line.contains(what))
        .unwrap_or_else(|| panic!("no `{what}` in:\n{report}"));
    let made = format!("(made at {file}:{made_at}:");
    let waits = format!(", at {file}:{waits_at}:");
    assert!(line.contains(&made) && line.contains(&waits), "{line}");
}

#[test]
fn a_receive_that_never_ends_names_the_channel_and_both_lines() {
    let line = line!();
    let text = report(async {
        let (_sender, receiver) = channel::unbounded::<u8>();
        receiver.recv().await
    });
    says(&text, "an item of channel ", line + 2, line + 3);
}

#[test]
fn a_send_that_never_ends_names_the_channel_and_who_received_last() {
    let line = line!();
    let text = report(async {
        let (sender, receiver) = channel::bounded(1);
        sender.send(1).await.unwrap();
        sender.send(2).await.unwrap();
        drop(receiver);
    });
    says(&text, "room in channel ", line + 2, line + 4);
    let line = line!();
    let text = report(async {
        let (sender, receiver) = channel::bounded(1);
        let reader = spawn(async move {
            receiver.recv().await.unwrap();
            std::future::pending::<()>().await;
            drop(receiver);
        });
        yield_now().await;
        for item in 0..3 {
            sender.send(item).await.unwrap();
        }
        reader.await
    });
    says(&text, "room in channel ", line + 2, line + 10);
    let id = text
        .split("last used by task ")
        .nth(1)
        .expect("who received");
    let id = id.split(',').next().unwrap();
    assert!(
        text.contains(&format!("task {id} (spawned at {}:{}:", file!(), line + 3)),
        "{text}"
    );
}

#[test]
fn a_reservation_and_a_wait_for_the_end_and_for_all_to_be_done_say_what_they_wait_for() {
    let line = line!();
    let text = report(async {
        let (sender, receiver) = channel::bounded(1);
        sender.send(1).await.unwrap();
        let other = sender.clone();
        spawn(async move { other.closed().await });
        let other = sender.clone();
        spawn(async move { other.join().await });
        let _permit = sender.reserve().await;
        drop(receiver);
    });
    says(&text, "the end of channel ", line + 2, line + 5);
    says(
        &text,
        "all items to be done of channel ",
        line + 2,
        line + 7,
    );
    says(&text, "room in channel ", line + 2, line + 8);
}
