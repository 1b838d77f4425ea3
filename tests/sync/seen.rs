//! What a report of a deadlock says of who waits: the primitive, where it was made, who has it, and whose call.

use std::future::{Future, pending, poll_fn};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use mainspring::sync::{
    Barrier, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell, RwLock, Semaphore,
};
use mainspring::{current_task_id, sim, spawn, yield_now};

/// What `run` says when the future and all its tasks wait for ever.
fn report_of<F: Future>(future: F) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| sim::run(1, future)));
    let payload = payload.err().expect("it was to find a deadlock");
    *payload.downcast::<String>().expect("a text")
}

/// The report has a line of a wait for `what`, made in line `made`, by the call in line `waits`, that says
/// `who` of its peer.
#[track_caller]
fn assert_seen(report: &str, what: &str, made: u32, waits: u32, who: &str) {
    let begins = format!("waits for {what} ");
    let made = format!("(made at {}:{made}:", file!());
    let waits = format!(", at {}:{waits}:", file!());
    let is_it = |line: &str| {
        line.trim().starts_with(&begins)
            && [&made, &waits, who].iter().all(|part| line.contains(*part))
    };
    assert!(
        report.lines().any(is_it),
        "{what}, {made}, {waits}, {who}:\n{report}"
    );
}

#[test]
fn a_report_names_the_lock_its_holder_and_the_line_that_waits() {
    let (made, waits) = (line!() + 7, line!() + 17);
    let (held_by, shares) = (
        Rc::new(std::cell::Cell::new(0)),
        Rc::new(std::cell::Cell::new(0)),
    );
    let (holder, seen) = (Rc::clone(&held_by), Rc::clone(&shares));
    let report = report_of(async move {
        let mutex = Rc::new(Mutex::new(()));
        let guard = mutex.clone().lock_owned().await;
        let next = Rc::clone(&mutex);
        let task = spawn(async move {
            holder.set(current_task_id().unwrap().as_u64());
            let _guard = next.lock().await;
            pending::<()>().await;
        });
        yield_now().await;
        seen.set(mutex.statistics().waiters);
        let _waits = spawn(async move { drop(mutex.lock().await) });
        yield_now().await;
        // Handed over: the holder is the next one, before it has run.
        drop(guard);
        task.await.unwrap();
    });
    assert_eq!(shares.get(), 1);
    let who = format!("held by task {},", held_by.get());
    assert_seen(&report, "lock", made, waits, &who);
}

#[test]
fn a_report_names_locks_for_readers_and_writers() {
    let made = line!() + 2;
    let report = report_of(async {
        let lock = Rc::new(RwLock::new(()));
        let _guard = lock.write().await;
        let (one, two) = (Rc::clone(&lock), Rc::clone(&lock));
        let _one = spawn(async move { drop(one.read().await) });
        let _two = spawn(async move { drop(two.write().await) });
        pending::<()>().await;
    });
    assert_seen(&report, "read lock", made, made + 3, "held by task ");
    assert_seen(&report, "write lock", made, made + 4, "held by task ");
}

#[test]
fn a_report_names_permits_and_tokens() {
    let made = line!() + 2;
    let report = report_of(async {
        let semaphore = Semaphore::new(1);
        let limiter = CapacityLimiter::new(1);
        let _permit = semaphore.acquire().await.unwrap();
        let _token = limiter.acquire().await.unwrap();
        let acquire = semaphore.acquire();
        let borrow = limiter.acquire_on_behalf_of(1);
        both(acquire, borrow).await;
    });
    let what = "a permit of semaphore";
    assert_seen(&report, what, made, made + 4, "last used by task ");
    assert_seen(&report, what, made + 1, made + 5, "last used by task ");
}

#[test]
fn a_report_names_what_is_signalled() {
    let made = line!() + 2;
    let report = report_of(async {
        let (event, notify) = (Event::new(), Notify::new());
        let (condvar, mutex) = (Condvar::new(), Mutex::new(()));
        event.set();
        event.clear();
        notify.notify_all();
        condvar.notify_one();
        let guard = mutex.lock().await;
        both(event.wait(), both(notify.notified(), condvar.wait(guard))).await;
    });
    let waits = made + 7;
    let by = "last used by task ";
    assert_seen(&report, "event", made, waits, by);
    assert_seen(&report, "a notification of notify", made, waits, by);
    assert_seen(&report, "condvar", made + 1, waits, by);
}

#[test]
fn a_report_names_barriers_cells_and_gates() {
    let made = line!() + 2;
    let report = report_of(async {
        let (barrier, cell, gate) = (Barrier::new(2), Rc::new(OnceCell::<u8>::new()), Gate::new());
        let made = Rc::clone(&cell);
        let _maker = spawn(async move { *made.get_or_init(pending).await });
        yield_now().await;
        let _pass = gate.enter();
        both(barrier.wait(), both(cell.wait(), gate.close())).await;
    });
    let (waits, by) = (made + 5, "last used by task ");
    assert_seen(&report, "the others at barrier", made, waits, by);
    assert_seen(&report, "once cell", made, waits, "held by task ");
    assert_seen(&report, "those inside gate", made, waits, by);
}

/// Two at once, by one task.
async fn both(one: impl Future, two: impl Future) {
    let (mut one, mut two) = (Box::pin(one), Box::pin(two));
    poll_fn(|cx| {
        assert!(one.as_mut().poll(cx).is_pending() && two.as_mut().poll(cx).is_pending());
        Poll::<()>::Pending
    })
    .await;
}

/// A lock that was handed to a future that its task polls no more: the task waits for itself, and the report
/// says that it holds what it waits for.
#[test]
fn hz_h03_a_lock_in_a_future_that_nobody_polls_is_seen_to_be_held_by_who_waits() {
    let me = Rc::new(std::cell::Cell::new(0));
    let id = Rc::clone(&me);
    let (made, waits) = (line!() + 3, line!() + 14);
    let report = report_of(async move {
        id.set(current_task_id().unwrap().as_u64());
        let mutex = Mutex::new(());
        let guard = mutex.lock().await;
        let mut first = Box::pin(mutex.lock());
        // The `select` in which the lock came second.
        poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(guard);
        assert_eq!(mutex.statistics().holder, current_task_id());
        // It has the lock now, and is not polled.
        drop(mutex.lock().await);
        drop(first);
    });
    let task = format!("task {} ", me.get());
    assert!(report.contains(&task), "{report}");
    assert_seen(
        &report,
        "lock",
        made,
        waits + 1,
        &format!("held by task {},", me.get()),
    );
}

#[test]
fn a_report_says_that_a_holder_has_ended() {
    let made = line!() + 2;
    let report = report_of(async {
        let mutex = Rc::new(Mutex::new(()));
        let leaks = Rc::clone(&mutex);
        let task = spawn(async move { forget(leaks.lock().await) });
        task.await.unwrap();
        drop(mutex.lock().await);
    });
    let who = ", which has ended or is another loop's";
    assert_seen(&report, "lock", made, made + 4, who);
}
