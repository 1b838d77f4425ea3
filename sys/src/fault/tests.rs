//! What another process does between two calls, as a plan has it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::{Call, Plan, intercept};

#[test]
fn what_happens_meanwhile_happens_before_each_call_and_not_before_its_own() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let guard = Plan::new()
        .meanwhile(move |call| {
            seen.lock().unwrap().push(call);
            assert_eq!(intercept(Call::FileStat), None);
        })
        .install();
    intercept(Call::Read);
    intercept(Call::Write);
    assert_eq!(*calls.lock().unwrap(), [Call::Read, Call::Write]);
    assert_eq!(super::count_of(Call::FileStat), 2);
    drop(guard);
    intercept(Call::Read);
    assert_eq!(calls.lock().unwrap().len(), 2);
}

#[test]
fn what_ends_or_panics_meanwhile_neither_stays_nor_is_lost() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let guard = Plan::new()
        .meanwhile(move |_| assert_ne!(counted.fetch_add(1, SeqCst), 0, "the first panics"))
        .install();
    let first = catch_unwind(AssertUnwindSafe(|| intercept(Call::Read)));
    assert!(first.is_err());
    intercept(Call::Read);
    assert_eq!(count.load(SeqCst), 2);
    drop(guard);
    // A plan that another is put in place of, while it acts.
    let _first = Plan::new()
        .meanwhile(|_| std::mem::forget(Plan::new().install()))
        .install();
    intercept(Call::Read);
    assert_eq!(super::count_of(Call::Read), 1, "counted by the new plan");
    intercept(Call::Read);
    assert_eq!(super::count_of(Call::Read), 2, "which has nobody act");
}
