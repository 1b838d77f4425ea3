//! The tree of tokens, from outside.

use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use mainspring::task::CancelToken;
use mainspring::time::timeout;
use mainspring::{Runtime, run, spawn, yield_now};

use crate::rig::{Log, poll_once};

#[test]
fn p34_a_cancelled_token_reaches_all_below_it_and_none_above() {
    let root = CancelToken::new();
    let (left, right) = (root.child_token(), root.child_token());
    let leaf = left.child_token();
    left.cancel_with("left");
    left.cancel_with("again");
    let reasons = [&root, &left, &right, &leaf].map(|token| token.reason().map(|r| r.to_string()));
    let left_only = Some("left".to_string());
    assert_eq!(reasons, [None, left_only.clone(), None, left_only]);
    root.cancel();
    assert_eq!(
        left.reason().unwrap().as_str(),
        "left",
        "the first reason stays"
    );
    assert_eq!(right.reason().unwrap().as_str(), "cancelled");
    assert!(right.child_token().is_cancelled(), "from the beginning");
}

#[test]
fn who_waits_for_tokens_is_woken_in_order_the_upper_ones_first() {
    let log = Log::default();
    run(async {
        let root = CancelToken::new();
        let child = root.child_token();
        let mut tasks = Vec::new();
        for (name, token) in [
            ("child 1", &child),
            ("root 1", &root),
            ("child 2", &child),
            ("root 2", &root),
        ] {
            let (log, token) = (log.clone(), token.clone());
            tasks.push(spawn(async move {
                token.cancelled().await;
                log.say(name);
            }));
        }
        yield_now().await;
        root.cancel();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(log.take(), ["root 1", "root 2", "child 1", "child 2"]);
}

#[test]
fn a_token_in_the_middle_that_nobody_has_still_passes_on() {
    let root = CancelToken::new();
    let leaf = root.child_token().child_token();
    root.cancel_with("through");
    assert_eq!(leaf.reason().unwrap().as_str(), "through");
}

#[test]
fn what_runs_until_a_token_is_cancelled_is_dropped_then() {
    let log = Log::default();
    run(async {
        let token = CancelToken::new();
        let guard = log.guard("future");
        let running = token.run_until_cancelled(async move {
            let _gone = guard;
            pending::<()>().await;
        });
        let mut running = pin!(running);
        assert!(poll_once(running.as_mut()).is_pending());
        token.cancel_with("stop");
        assert_eq!(running.await, Err("stop".into()));
        log.say("over");
        assert_eq!(token.run_until_cancelled(async { 5 }).await, Ok(5));
    })
    .unwrap();
    assert_eq!(log.take(), ["-future", "over"]);
}

#[test]
fn a_guard_cancels_unless_it_is_disarmed() {
    let token = CancelToken::new();
    let token = token.drop_guard().disarm();
    assert!(!token.is_cancelled());
    let guard = token.clone().drop_guard();
    drop(guard);
    assert!(token.is_cancelled());
}

#[test]
fn a_token_is_reached_from_another_thread_through_a_handle() {
    thread_local! {
        static TOKEN: RefCell<Option<CancelToken>> = const { RefCell::new(None) };
    }
    let runtime = Runtime::new().unwrap();
    let token = CancelToken::new();
    TOKEN.set(Some(token.clone()));
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || {
        let cancel =
            || async { TOKEN.with_borrow(|token| token.as_ref().unwrap().cancel_with("afar")) };
        handle.spawn_with(cancel).unwrap().join().unwrap();
    });
    let reason = runtime.block_on(timeout(Duration::from_secs(10), token.cancelled()));
    assert_eq!(reason.unwrap().unwrap().as_str(), "afar");
    runtime
        .block_on(async {
            while !thread.is_finished() {
                mainspring::yield_to_io().await
            }
        })
        .unwrap();
    thread.join().unwrap();
    TOKEN.set(None);
}

#[test]
fn forgotten_waits_stand_in_a_token_s_line_and_hurt_nobody() {
    run(async {
        let token = CancelToken::new();
        let mut forgotten = Box::pin(token.cancelled());
        assert!(poll_once(forgotten.as_mut()).is_pending());
        std::mem::forget(forgotten);
        let kept = Rc::new(token);
        let waiting = Rc::clone(&kept);
        let task = spawn(async move { waiting.cancelled().await });
        yield_now().await;
        kept.cancel();
        task.await.unwrap();
        drop(kept);
    })
    .unwrap();
}
