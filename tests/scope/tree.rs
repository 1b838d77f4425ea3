//! Hazard J2: a tree of a hundred tasks in nested scopes, cancelled wherever, always comes to an end.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use mainspring::sim;
use mainspring::task::{CancelToken, Scope, ScopeError, scope};

use crate::rig::nap;

/// How the tree is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Outside,
    Inside,
    Destructor,
    Twice,
    Deadline,
    Dropped,
}

struct Alive<'a>(&'a Cell<u32>, Option<Scope<'a>>);

impl<'a> Alive<'a> {
    fn new(count: &'a Cell<u32>, cancels: Option<Scope<'a>>) -> Alive<'a> {
        count.set(count.get() + 1);
        Alive(count, cancels)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
        if let Some(scope) = &self.1 {
            scope.cancel("a destructor");
            // Dropped at once, or in the next poll, or run within the grace: it never stays.
            let (count, inner) = (self.0, scope.clone());
            drop(scope.spawn(async move {
                let _alive = Alive::new(count, None);
                assert!(inner.is_cancelled(), "a late child starts cancelled");
                pending::<()>().await;
            }));
        }
    }
}

/// A node with three children that are scopes themselves: 1 + 3 + 9 + 27 + 81 tasks.
async fn grow<'env>(depth: u32, alive: &'env Cell<u32>, grace: Duration) {
    let _alive = Alive::new(alive, None);
    let inner = scope(async move |s: Scope<'env>| {
        s.set_grace(grace);
        if depth > 0 {
            for _ in 0..3 {
                s.spawn(Box::pin(grow(depth - 1, alive, grace)));
            }
        }
        pending::<()>().await;
    });
    let _ = inner.await;
}

fn play(how: How, grace: Duration) {
    let alive = Cell::new(0);
    let took = sim::run(1, async {
        let start = mainspring::time::now();
        let token = CancelToken::new();
        let whole = scope(async |s: Scope<'_>| {
            s.follow(&token);
            s.set_grace(grace);
            s.spawn(grow(4, &alive, grace));
            let inner = s.clone();
            let guard = (how == How::Destructor).then(|| Alive::new(&alive, Some(s.clone())));
            let alive = &alive;
            s.spawn(async move {
                let _guard = guard;
                nap(5).await;
                assert_eq!(alive.get() - u32::from(how == How::Destructor), 121);
                if matches!(how, How::Inside | How::Twice) {
                    inner.cancel("inside");
                }
                if how == How::Destructor {
                    return;
                }
                if how == How::Twice {
                    inner.cancel("again");
                    inner.token().cancel_with("and again");
                }
                pending::<()>().await;
            });
            if how == How::Deadline {
                s.set_timeout(Duration::from_millis(6));
            }
            pending::<()>().await;
        });
        let mut whole = Box::pin(whole);
        if how == How::Dropped {
            let limited = mainspring::time::timeout(Duration::from_millis(7), whole.as_mut());
            assert!(limited.await.is_err());
            drop(whole);
        } else {
            let canceller = mainspring::spawn({
                let token = token.clone();
                async move {
                    nap(7).await;
                    if how == How::Outside {
                        token.cancel_with("outside");
                    }
                }
            });
            let result = whole.await;
            let want = match how {
                How::Outside => ScopeError::Cancelled("outside".into()),
                How::Inside | How::Twice => ScopeError::Cancelled("inside".into()),
                How::Destructor => ScopeError::Cancelled("a destructor".into()),
                How::Deadline | How::Dropped => ScopeError::TimedOut,
            };
            assert_eq!(result, Err(want), "{how:?}");
            canceller.await.unwrap();
        }
        assert_eq!(alive.get(), 0, "{how:?}");
        mainspring::time::now() - start
    });
    assert!(
        took <= Duration::from_millis(8) + grace,
        "{how:?}: {took:?}"
    );
}

#[test]
fn hz_j02_a_tree_of_a_hundred_tasks_ends_however_it_is_cancelled() {
    for how in [
        How::Outside,
        How::Inside,
        How::Destructor,
        How::Twice,
        How::Deadline,
        How::Dropped,
    ] {
        play(how, Duration::ZERO);
        play(how, Duration::from_millis(3));
    }
}
