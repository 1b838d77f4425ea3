//! Scopes, and starts in them, dropped at each of their waits.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mainspring::task::{CancelToken, JoinHandle, scope, try_scope};
use mainspring::time::sleep;
use mainspring::yield_now;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_scope_that_is_dropped_takes_its_children_with_it,
    a_scope_that_can_fail_takes_its_children_with_it,
    a_scope_that_is_dropped_in_its_grace_takes_its_children_with_it,
    a_wait_for_a_scope_s_end_can_be_made_again,
    a_start_that_is_dropped_aborts_the_child,
}

/// Counts itself while it lives.
struct Alive(Rc<Cell<u32>>);

impl Alive {
    fn new(count: &Rc<Cell<u32>>) -> Alive {
        count.set(count.get() + 1);
        Alive(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What the children borrow, and how many of them there are.
#[derive(Default)]
struct Near {
    alive: Rc<Cell<u32>>,
    slots: [u32; 3],
}

async fn nap(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

// cancels: scope
fn a_scope_that_is_dropped_takes_its_children_with_it(on: On) {
    let waits = Case::new(on, || (Near::default(), ())).safe(
        async |near| {
            let alive = &near.alive;
            let ended = scope(async |s| {
                for (slot, ms) in near.slots.iter_mut().zip(1..) {
                    s.spawn(async move {
                        let _alive = Alive::new(alive);
                        nap(ms).await;
                        *slot += 1;
                        scope(async |s| {
                            s.spawn(async { yield_now().await });
                        })
                        .await
                        .unwrap();
                    });
                }
                let _alive = Alive::new(alive);
                nap(2).await;
            });
            ended.await.unwrap();
        },
        async |near, ()| {
            assert_eq!(near.alive.get(), 0);
            assert!(near.slots.iter().all(|slot| (1..=2).contains(slot)));
        },
    );
    assert!(waits >= 4, "{waits}");
}

// cancels: try_scope
fn a_scope_that_can_fail_takes_its_children_with_it(on: On) {
    let waits = Case::new(on, || (Near::default(), ())).safe(
        async |near| {
            let alive = &near.alive;
            let ended = try_scope(async |s| {
                for (slot, ms) in near.slots.iter_mut().zip(1..) {
                    s.spawn_fallible(async move {
                        let _alive = Alive::new(alive);
                        nap(ms).await;
                        *slot += 1;
                        if ms == 3 { Err("three") } else { Ok(()) }
                    });
                }
                Ok(())
            });
            assert_eq!(ended.await.unwrap_err().errors(), ["three"]);
        },
        async |near, ()| {
            assert_eq!(near.alive.get(), 0);
            assert!(near.slots.iter().all(|slot| (1..=2).contains(slot)));
        },
    );
    assert!(waits >= 4, "{waits}");
}

// cancels: scope
fn a_scope_that_is_dropped_in_its_grace_takes_its_children_with_it(on: On) {
    let setup = || {
        let token = CancelToken::new();
        ((Near::default(), token.clone()), token)
    };
    let waits = Case::new(on, setup)
        .world(|token| token.cancel_with("the world"))
        .safe(
            async |(near, token)| {
                let alive = &near.alive;
                let ended = scope(async |s| {
                    s.follow(token);
                    s.set_grace(Duration::from_millis(5));
                    for ms in [1, 4, 60_000] {
                        let s2 = s.clone();
                        s.spawn(async move {
                            let _alive = Alive::new(alive);
                            s2.cancelled().await;
                            nap(ms).await;
                        });
                    }
                    let reason = s.cancelled().await;
                    assert_eq!(reason.as_str(), "the world");
                });
                ended.await.unwrap();
            },
            async |(near, _), _| assert_eq!(near.alive.get(), 0),
        );
    assert!(waits >= 4, "{waits}");
}

// cancels: Scope::cancelled
fn a_wait_for_a_scope_s_end_can_be_made_again(on: On) {
    let setup = || {
        let token = CancelToken::new();
        (token.clone(), token)
    };
    let waits = Case::new(on, setup)
        .world(|token| token.cancel_with("the world"))
        .safe(
            async |token| {
                let ended = scope(async |s| {
                    s.follow(token);
                    s.set_grace(Duration::from_secs(1));
                    s.cancelled().await
                });
                assert_eq!(ended.await.unwrap().as_str(), "the world");
            },
            async |_, _| {},
        );
    assert!(waits >= 1, "{waits}");
}

// cancels: Scope::start
fn a_start_that_is_dropped_aborts_the_child(on: On) {
    let waits = Case::new(on, || (Near::default(), ())).not_safe(
        async |near| {
            let alive = &near.alive;
            let ended = scope(async |s| {
                let started = s.start(async |started| {
                    let _alive = Alive::new(alive);
                    nap(1).await;
                    started.ready(5);
                    nap(1).await;
                    6
                });
                let (value, handle): (u32, JoinHandle<u32>) = started.await.unwrap();
                value + handle.await.unwrap()
            });
            assert_eq!(ended.await, Ok(11));
        },
        async |near, ()| assert_eq!(near.alive.get(), 0),
    );
    assert!(waits >= 3, "{waits}");
}
