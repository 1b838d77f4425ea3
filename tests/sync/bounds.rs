//! What is bounded: polls, wakes, memory, budgets; and what is refused.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use mainspring::sync::{Barrier, CapacityLimiter, Event, Gate, Mutex, OnceCell, RwLock, Semaphore};
use mainspring::{sim, spawn, yield_now};

use crate::each::each;
use crate::rig::{Count, assert_done, poll_with, soak};

#[test]
fn hz_h09_only_the_waker_of_the_last_poll_is_kept_and_woken() {
    for each in each() {
        let (earlier, later) = (Count::new(), Count::new());
        let mut wait = (each.wait)();
        assert!(poll_with(&mut wait, &earlier.waker()).is_pending());
        assert!(poll_with(&mut wait, &later.waker()).is_pending());
        assert_eq!(Arc::strong_count(&earlier), 1, "{}", each.name);
        for _ in 0..7 {
            (each.free)();
        }
        let wakes = (earlier.get(), later.get());
        assert_eq!(wakes, (0, 1), "{}", each.name);
        assert_eq!(Arc::strong_count(&later), 1, "{}", each.name);
        // Dropped while it waits: nothing is left either.
        let mut wait = (each.wait)();
        let polled = poll_with(&mut wait, &later.waker());
        drop(wait);
        assert_eq!(Arc::strong_count(&later), 1, "{} {polled:?}", each.name);
    }
}

/// How often `count` tasks are polled that stand in line for a mutex, a semaphore of two and an event.
fn polls_of_a_line(count: usize) -> usize {
    sim::run(1, async move {
        let shared = Rc::new((Mutex::new(0), Semaphore::new(2), Event::new()));
        let polls = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (shared, polls) = (Rc::clone(&shared), Rc::clone(&polls));
                let mut body = Box::pin(async move {
                    let (mutex, semaphore, event) = &*shared;
                    event.wait().await;
                    *mutex.lock().await += 1;
                    let _permit = semaphore.acquire().await.unwrap();
                    yield_now().await;
                });
                spawn(poll_fn(move |cx| {
                    polls.set(polls.get() + 1);
                    body.as_mut().poll(cx)
                }))
            })
            .collect();
        let guard = shared.0.lock().await;
        yield_now().await;
        shared.2.set();
        yield_now().await;
        drop(guard);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*shared.0.lock().await, count);
        polls.get()
    })
}

#[test]
fn hz_h12_polls_grow_with_the_waiters_and_not_with_their_square() {
    for count in [1_000, soak(10_000, 100_000)] {
        let polls = polls_of_a_line(count);
        // At the event, the lock, the permit, and after the yield; and the first.
        assert!(polls <= 5 * count, "{polls} polls for {count}");
    }
}

/// A loop over what is free at once, and whether another task ran before it came to its end.
fn lets_others_run<F: Future<Output = ()>>(name: &str, operation: impl Fn() -> F + 'static) {
    sim::run(1, async {
        let is_over = Rc::new(Cell::new(false));
        let sees = Rc::clone(&is_over);
        let other = spawn(async move {
            yield_now().await;
            !sees.get()
        });
        for _ in 0..10_000 {
            operation().await;
        }
        is_over.set(true);
        assert!(other.await.unwrap(), "{name} owned the thread");
    });
}

#[test]
fn hz_h13_what_is_always_free_spends_the_budget_and_lets_others_run() {
    let mutex = Rc::new(Mutex::new(0));
    lets_others_run("Mutex", move || {
        let lock = mutex.lock_owned();
        async { drop(lock.await) }
    });
    let lock = Rc::new(RwLock::new(0));
    lets_others_run("RwLock", move || {
        let read = lock.read_owned();
        async { drop(read.await) }
    });
    let semaphore = Rc::new(Semaphore::new(1));
    lets_others_run("Semaphore", move || {
        let acquire = semaphore.acquire_owned();
        async { drop(acquire.await.unwrap()) }
    });
    let limiter = Rc::new(CapacityLimiter::new(1));
    lets_others_run("CapacityLimiter", move || {
        let limiter = Rc::clone(&limiter);
        async move { drop(limiter.acquire().await.unwrap()) }
    });
    let event = Rc::new(Event::new());
    event.set();
    lets_others_run("Event", move || {
        let event = Rc::clone(&event);
        async move { event.wait().await }
    });
    let barrier = Rc::new(Barrier::new(1));
    lets_others_run("Barrier", move || {
        let barrier = Rc::clone(&barrier);
        async move { assert!(barrier.wait().await.unwrap().is_leader()) }
    });
    let cell = Rc::new(OnceCell::new());
    cell.set(1).unwrap();
    lets_others_run("OnceCell", move || {
        let cell = Rc::clone(&cell);
        async move { assert_eq!(*cell.get_or_init(|| async { 2 }).await, 1) }
    });
    let gate = Gate::new();
    lets_others_run("Gate", move || gate.close());
}

/// Two loops in one task, which share its budget and a lock: both come to their ends, in turns.
#[test]
fn hz_h13_two_branches_of_one_task_are_both_served() {
    sim::run(1, async {
        let mutex = Mutex::new(());
        let turns = Cell::new([0_u32; 2]);
        let branch = |which: usize| {
            let (mutex, turns) = (&mutex, &turns);
            async move {
                for _ in 0..1000 {
                    let _guard = mutex.lock().await;
                    let mut counts = turns.get();
                    counts[which] += 1;
                    turns.set(counts);
                    assert!(counts[0].abs_diff(counts[1]) <= 1, "{counts:?}");
                    yield_now().await;
                }
            }
        };
        let (mut one, mut two) = (pin!(branch(0)), pin!(branch(1)));
        let mut is_done = [false; 2];
        poll_fn(|cx| {
            is_done[0] = is_done[0] || one.as_mut().poll(cx).is_ready();
            is_done[1] = is_done[1] || two.as_mut().poll(cx).is_ready();
            if is_done == [true; 2] {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        assert_eq!(turns.get(), [1000; 2]);
    });
}

fn message_of(call: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(call)).expect_err("it was to panic");
    *payload.downcast::<String>().expect("a text")
}

#[test]
fn a_bounded_semaphore_notices_a_release_without_an_acquire() {
    let semaphore = Semaphore::bounded(2);
    let permit = semaphore.try_acquire().unwrap();
    // One is out: it will come back, and there is no room for another.
    let message = message_of(|| semaphore.add_permits(1));
    assert!(
        message.contains("bounded to 2 permits has 1 and lent 1"),
        "{message}"
    );
    assert_eq!(semaphore.available_permits(), 1);
    permit.forget();
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 2);
    let message = message_of(|| drop(semaphore.acquire_many(3)));
    assert!(
        message.contains("was asked for 3: that would wait for ever"),
        "{message}"
    );
    let endless = Semaphore::new(usize::MAX - 1);
    let _permit = endless.try_acquire_many(5).unwrap();
    endless.add_permits(1);
    let message = message_of(|| endless.add_permits(1));
    assert!(message.contains("1 more do not fit"), "{message}");
}

#[test]
fn a_future_that_is_done_is_not_polled_again() {
    let mutex = Mutex::new(0);
    let mut lock = Box::pin(mutex.lock());
    drop(assert_done(&mut lock));
    let call = AssertUnwindSafe(|| drop(assert_done(&mut lock)));
    let payload = catch_unwind(call).expect_err("it was to panic");
    let text = payload.downcast::<&str>().expect("a text");
    assert!(text.contains("polled again"), "{text}");
    assert!(!mutex.is_locked());
}

#[test]
fn guards_give_the_value_back_and_share_what_they_guard() {
    let mutex = Rc::new(Mutex::new(vec![1]));
    let mut guard = mutex.try_lock_owned().unwrap();
    guard.push(2);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: <locked> }");
    assert!(mutex.try_lock_owned().is_none() && mutex.try_lock().is_none());
    drop(guard);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: [1, 2] }");
    let guard = mutex.try_lock().unwrap();
    let Ok(mut first) = mainspring::sync::MutexGuard::filter_map(guard, |list| list.first_mut())
    else {
        panic!("there is a first one");
    };
    *first = 7;
    assert!(mutex.is_locked());
    drop(first);
    assert_eq!(Rc::try_unwrap(mutex).unwrap().into_inner(), [7, 2]);
    let lock = Rc::new(RwLock::new(1));
    let (read, other) = (lock.try_read_owned().unwrap(), lock.try_read().unwrap());
    assert_eq!((*read, *other), (1, 1));
    assert!(lock.try_write_owned().is_none());
    drop((read, other));
    *lock.try_write_owned().unwrap() += 1;
    assert_eq!(format!("{lock:?}"), "RwLock { value: 2 }");
    assert_eq!(Rc::try_unwrap(lock).unwrap().into_inner(), 2);
}
