//! Waits that are forgotten: the primitive moves, is used and dies, and others are served (hz_h02).
//!
//! What they leak is meant to be leaked; AddressSanitizer sees whether anybody touches it.

use std::future::{Future, poll_fn};
use std::mem::forget;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use mainspring::sync::{
    Barrier, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell, RwLock, Semaphore,
};
use mainspring::{sim, spawn, yield_now};

use crate::each::each;
use crate::rig::{assert_done, poll_once};

/// Polls a future that waits, and forgets it.
async fn leak<F: Future>(future: F) {
    let mut future = Box::pin(future);
    let is_pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending);
    forget(future);
}

/// Of a primitive in a box: three waits are forgotten, it moves, another wait is served, and it is dropped
/// with one more forgotten. By a task of ours and by strangers.
macro_rules! forgets {
    ($name:ident, $new:expr, |$primitive:ident| $wait:expr, $free:expr) => {
        #[test]
        fn $name() {
            sim::run(1, async {
                let $primitive = Box::new($new);
                leak($wait).await;
                leak($wait).await;
                let mut stranger = Box::pin($wait);
                assert!(poll_once(&mut stranger).is_pending());
                forget(stranger);
                let $primitive = Box::new(std::convert::identity(*$primitive));
                let mut wait = Box::pin($wait);
                assert!(poll_once(&mut wait).is_pending());
                // The forgotten ones stand in front, and are handed theirs.
                for _ in 0..4 {
                    $free;
                }
                let got = assert_done(&mut wait);
                drop(wait);
                forget(Box::new(got));
                leak($wait).await;
                drop($primitive);
                yield_now().await;
            });
        }
    };
}

forgets!(
    hz_h02_forgotten_acquires,
    Semaphore::new(0),
    |semaphore| semaphore.acquire(),
    semaphore.add_permits(1)
);
forgets!(
    hz_h02_forgotten_borrows,
    CapacityLimiter::new(0),
    |limiter| {
        let key = limiter.statistics().waiters as u64 + 100 * limiter.borrowed() as u64;
        limiter.acquire_on_behalf_of(key)
    },
    limiter.set_total(limiter.total() + 1)
);
forgets!(
    hz_h02_forgotten_waits_for_events,
    Event::new(),
    |event| event.wait(),
    {
        event.set();
        event.clear();
    }
);
forgets!(
    hz_h02_forgotten_notified,
    Notify::new(),
    |notify| notify.notified(),
    notify.notify_one()
);
forgets!(
    hz_h02_forgotten_until,
    Condvar::new(),
    |condvar| {
        let mut looks = 0;
        condvar.until(move || {
            looks += 1;
            looks > 1
        })
    },
    condvar.notify_one()
);
forgets!(
    hz_h02_forgotten_waits_at_barriers,
    Barrier::new(5),
    |barrier| barrier.wait(),
    barrier.reset()
);
forgets!(
    hz_h02_forgotten_waits_for_condvars,
    Condvar::new(),
    |condvar| {
        let mutex: &Mutex<u8> = Box::leak(Box::default());
        condvar.wait(mutex.try_lock().expect("it is new"))
    },
    condvar.notify_one()
);

/// Those that are free only when somebody lets go: what is forgotten has it for ever.
#[test]
fn hz_h02_forgotten_locks_may_move_and_die_with_their_mutex() {
    sim::run(1, async {
        let mutex = Box::new(Mutex::new(5));
        forget(mutex.try_lock());
        leak(mutex.lock()).await;
        leak(mutex.lock()).await;
        let mut mutex = Box::new(std::convert::identity(*mutex));
        leak(mutex.lock()).await;
        assert!(mutex.try_lock().is_none());
        assert_eq!(*mutex.get_mut(), 5);
        assert_eq!(mutex.into_inner(), 5);
        let lock = Box::new(RwLock::new(5));
        forget(lock.try_write());
        leak(lock.read()).await;
        leak(lock.write()).await;
        let mut lock = Box::new(std::convert::identity(*lock));
        leak(lock.read()).await;
        assert!(lock.try_read().is_none());
        assert_eq!(*lock.get_mut(), 5);
        assert_eq!(lock.into_inner(), 5);
        let cell = Box::new(OnceCell::<u8>::new());
        leak(cell.get_or_init(std::future::pending)).await;
        leak(cell.get_or_init(std::future::pending)).await;
        leak(cell.wait()).await;
        let cell = Box::new(std::convert::identity(*cell));
        leak(cell.wait()).await;
        assert!(cell.set(1).is_err());
        drop(cell);
        let gate = Gate::new();
        let pass = gate.enter();
        leak(gate.close()).await;
        drop(gate);
        drop(pass);
    });
}

/// One task after another forgets its wait, of each primitive, and ends: the next is served all the same.
#[test]
fn hz_h02_who_is_forgotten_by_a_task_that_has_ended_is_passed_by() {
    sim::run(1, async {
        for each in each() {
            if each.name == "Barrier" {
                // It was there, and counts.
                continue;
            }
            for _ in 0..3 {
                let wait = (each.wait)();
                spawn(leak(wait)).await.unwrap();
            }
            let wait = spawn((each.wait)());
            yield_now().await;
            (each.free)();
            (each.free)();
            for _ in 0..4 {
                yield_now().await;
            }
            assert!(wait.is_finished(), "{}", each.name);
            assert_eq!((each.waiters)(), 0, "{}", each.name);
        }
    });
}

/// A wait that was polled by a task that ended, and goes on in another, is no ghost for ever.
#[test]
fn a_wait_that_moves_to_another_task_is_served_there() {
    sim::run(1, async {
        for each in each() {
            for is_freed_between in [false, true] {
                let mut wait = (each.wait)();
                let polled = spawn(async move {
                    let polled = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
                    (wait, polled.is_pending())
                });
                let (wait, is_pending) = polled.await.unwrap();
                if !is_pending {
                    continue;
                }
                if is_freed_between {
                    for _ in 0..6 {
                        (each.free)();
                    }
                }
                let task = spawn(wait);
                for _ in 0..9 {
                    yield_now().await;
                    (each.free)();
                }
                yield_now().await;
                assert!(task.is_finished(), "{}", each.name);
            }
        }
    });
}

/// The mutex of a task that ended with its guard forgotten is broken, and says so.
#[test]
fn a_lock_whose_holder_ended_without_freeing_it_is_broken() {
    sim::run(1, async {
        let mutex = Rc::new(Mutex::new(0));
        let lock = Rc::new(RwLock::new(0));
        let (shared, shared_lock) = (Rc::clone(&mutex), Rc::clone(&lock));
        let task = spawn(async move {
            let guard = shared.lock().await;
            let writes = shared_lock.write().await;
            yield_now().await;
            forget((guard, writes));
        });
        yield_now().await;
        assert!(mutex.is_locked() && !mutex.is_broken() && !lock.is_broken());
        let id = task.id();
        task.await.unwrap();
        assert!(mutex.is_broken() && lock.is_broken());
        assert_eq!(mutex.statistics().holder, Some(id));
        assert_eq!(lock.statistics().writer, Some(id));
        let held: Pin<Box<dyn Future<Output = _>>> = Box::pin(mutex.lock());
        assert!(
            mainspring::time::timeout(std::time::Duration::from_secs(1), held)
                .await
                .is_err()
        );
        let sound = Mutex::new(0);
        let _guard = sound.lock().await;
        assert!(!sound.is_broken());
    });
}
