//! Deadlines of scopes, on virtual time.

use std::future::pending;
use std::time::Duration;

use mainspring::sim;
use mainspring::task::{Scope, ScopeError, scope};
use mainspring::time::{now, sleep};

use crate::rig::nap;

/// How long a scope with this body took, and what it gave.
fn timed<'env, T, B>(body: impl FnOnce(Scope<'env>) -> B) -> (Result<T, ScopeError>, u128)
where
    B: Future<Output = T> + 'env,
{
    sim::run(1, async {
        let start = now();
        let result = scope(body).await;
        (result, (now() - start).as_millis())
    })
}

#[test]
fn p34_a_deadline_can_be_moved_either_way_and_taken_back() {
    let ended = timed(async |s| {
        s.set_deadline(now() + Duration::from_millis(5));
        nap(3).await;
        s.set_deadline(now() + Duration::from_millis(20));
        assert_eq!(s.deadline(), Some(now() + Duration::from_millis(20)));
        nap(10).await;
        s.set_deadline(now() + Duration::from_millis(2));
        pending::<()>().await;
    });
    assert_eq!(ended, (Err(ScopeError::TimedOut), 15));
    let ended = timed(async |s| {
        s.set_timeout(Duration::from_millis(5));
        nap(3).await;
        s.clear_deadline();
        assert_eq!(s.deadline(), None);
        nap(10).await;
    });
    assert_eq!(ended, (Ok(()), 13));
}

#[test]
fn p34_a_deadline_may_be_set_by_a_child_when_the_scope_waits() {
    let ended = timed(async |s| {
        let inner = s.clone();
        s.spawn(async move {
            nap(2).await;
            inner.set_timeout(Duration::from_millis(4));
            pending::<()>().await;
        });
        pending::<()>().await;
    });
    assert_eq!(ended, (Err(ScopeError::TimedOut), 6));
}

#[test]
fn what_is_ready_in_the_poll_in_which_the_deadline_comes_has_won() {
    let ended = timed(async |s| {
        s.set_deadline(now());
        7
    });
    assert_eq!(ended, (Ok(7), 0));
}

#[test]
fn a_deadline_asks_first_if_there_is_a_grace() {
    let ended = timed(async |s| {
        s.set_grace(Duration::from_millis(10));
        s.set_timeout(Duration::from_millis(5));
        let reason = s.cancelled().await;
        nap(4).await;
        reason.to_string()
    });
    assert_eq!(
        ended,
        (Ok("the deadline of the scope has passed".into()), 9)
    );
    let ended = timed(async |s| {
        s.set_grace(Duration::from_millis(10));
        s.set_timeout(Duration::from_millis(5));
        pending::<()>().await;
    });
    assert_eq!(ended, (Err(ScopeError::TimedOut), 15));
}

#[test]
fn a_deadline_that_cuts_children_off_after_the_body_returned_is_told() {
    let ended = timed(async |s| {
        s.set_timeout(Duration::from_millis(5));
        s.spawn(sleep(Duration::from_secs(1)));
    });
    assert_eq!(ended, (Err(ScopeError::TimedOut), 5));
}

#[test]
fn nested_scopes_have_deadlines_of_their_own() {
    let ended = timed(async |outer| {
        outer.set_timeout(Duration::from_millis(10));
        let inner = scope(async |s| {
            s.set_timeout(Duration::from_millis(3));
            pending::<()>().await;
        });
        assert_eq!(inner.await, Err(ScopeError::TimedOut));
        let inner = scope(async |s| {
            s.set_timeout(Duration::from_millis(300));
            pending::<()>().await;
        });
        let _ = inner.await;
        unreachable!("the outer deadline comes first");
    });
    assert_eq!(ended, (Err(ScopeError::TimedOut), 10));
}
