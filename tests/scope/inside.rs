//! Scopes as they are seen: names, parents, the proof of a deadlock.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll};

use mainspring::task::scope;
use mainspring::{Runtime, current_task_id, run, sim, yield_now};

use crate::rig::message_of;

#[test]
fn a_child_is_a_task_of_its_own() {
    run(async {
        let parent = current_task_id().unwrap();
        scope(async |s| {
            assert_eq!(current_task_id(), Some(parent));
            let child = s.spawn_named("digger", async { current_task_id() });
            if cfg!(feature = "inspect") {
                assert_eq!(child.name().as_deref(), Some("digger"));
                assert!(child.spawned_at().unwrap().file().ends_with("inside.rs"));
            }
            let id = child.id();
            assert_ne!(id, parent);
            assert_eq!(child.await.unwrap(), Some(id));
            assert_eq!(
                current_task_id(),
                Some(parent),
                "and the parent is current again"
            );
        })
        .await
        .unwrap();
    })
    .unwrap();
}

#[test]
fn children_are_among_all_tasks() {
    run(scope(async |s| {
        let ids = [s.spawn(pending::<()>()).id(), s.spawn(pending::<()>()).id()];
        let all: Vec<_> = mainspring::task::all()
            .iter()
            .map(|info| info.id())
            .collect();
        assert!(ids.iter().all(|id| all.contains(id)), "{ids:?} in {all:?}");
        s.cancel("seen");
    }))
    .unwrap()
    .unwrap();
}

#[test]
fn children_that_wait_for_each_other_are_a_provable_deadlock() {
    let text = message_of(|| {
        sim::run(1, async {
            scope(async |s| {
                let never = s.spawn_named("never", pending::<()>());
                s.spawn_named("waits", async move { drop(never.await) });
                s.spawn_named("nested", async {
                    scope(async |s| {
                        s.spawn_named("innermost", pending::<()>());
                    })
                    .await
                    .unwrap();
                });
            })
            .await
            .unwrap();
        });
    });
    assert!(text.starts_with("deadlock: "), "{text}");
    assert!(text.contains("waits for the end of task"), "{text}");
    assert_eq!(text.matches("the children of scope").count(), 2, "{text}");
    if cfg!(feature = "inspect") {
        for name in ["never", "waits", "nested", "innermost"] {
            assert!(text.contains(&format!("\"{name}\"")), "{text}");
        }
        assert!(text.contains("inside.rs:"), "{text}");
    }
}

#[test]
fn a_child_s_waker_that_somebody_has_keeps_the_loop_asleep() {
    let (sender, receiver) = mpsc::channel::<std::task::Waker>();
    let thread = std::thread::spawn(move || receiver.recv().unwrap().wake());
    let mut polls = 0;
    run(scope(async |s| {
        s.spawn(std::future::poll_fn(|cx: &mut Context<'_>| {
            polls += 1;
            let _ = sender.send(cx.waker().clone());
            if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }))
    .unwrap()
    .unwrap();
    thread.join().unwrap();
    assert_eq!(polls, 2, "woken from another thread");
}

#[test]
fn a_child_is_woken_by_a_handle_when_no_loop_is_entered() {
    let runtime = Runtime::new().unwrap();
    let slot = std::cell::Cell::new(None);
    let mut polled = pin!(scope(async |s| {
        slot.set(Some(s.spawn(pending::<()>())));
        pending::<()>().await;
    }));
    for _ in 0..2 {
        let once = crate::rig::poll_as_task(polled.as_mut());
        assert!(runtime.block_on(once).unwrap().is_pending());
    }
    let handle = slot.take().unwrap();
    handle.abort();
    let error = runtime.block_on(async {
        let mut both = pin!(async {
            let mut handle = handle;
            std::future::poll_fn(|cx| {
                let _ = polled.as_mut().poll(cx);
                std::pin::Pin::new(&mut handle).poll(cx)
            })
            .await
        });
        both.as_mut().await
    });
    assert!(error.unwrap().unwrap_err().is_aborted());
}

#[test]
fn a_scope_may_be_polled_by_another_s_waker_and_moved_between_tasks() {
    // As in a `select`, first; then by the task itself.
    run(async {
        let mut moved = Box::pin(scope(async |s| {
            s.spawn(async {
                for _ in 0..5 {
                    yield_now().await;
                }
            });
        }));
        for _ in 0..3 {
            let mut noop = Context::from_waker(std::task::Waker::noop());
            assert!(moved.as_mut().poll(&mut noop).is_pending());
        }
        moved.await.unwrap();
    })
    .unwrap();
}
