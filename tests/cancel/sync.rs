//! Waits for the primitives of one thread, dropped at each of their waits.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::sync::{
    Barrier, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell, OwnedMutexGuard,
    OwnedWriteGuard, Pass, RwLock, Semaphore,
};
use mainspring::time::sleep;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_lock_that_is_dropped_passes_the_mutex_on,
    a_read_or_write_that_is_dropped_passes_the_lock_on,
    an_acquire_that_is_dropped_passes_its_permits_on,
    a_borrow_that_is_dropped_passes_its_token_on,
    a_wait_for_an_event_leaves_nothing_behind,
    a_notification_is_not_lost_with_who_was_to_have_it,
    a_condvar_s_wait_that_is_dropped_keeps_no_lock,
    a_condvar_without_a_mutex_leaves_nothing_behind,
    a_barrier_waits_for_one_more_when_one_is_dropped,
    a_value_that_was_being_made_is_made_by_the_next,
    a_wait_for_a_value_leaves_nothing_behind,
    a_gate_stays_closed,
}

// cancels: Mutex::lock, Mutex::lock_owned
fn a_lock_that_is_dropped_passes_the_mutex_on(on: On) {
    let setup = || {
        let mutex = Rc::new(Mutex::new(0));
        let held = mutex.try_lock_owned();
        (mutex, held)
    };
    let waits = Case::new(on, setup)
        .world(|held: &mut Option<OwnedMutexGuard<i32>>| {
            let mutex = held
                .take()
                .map(|guard| Rc::clone(OwnedMutexGuard::mutex(&guard)));
            // Two waits: the lock is taken again for the second.
            *held = mutex.and_then(|mutex| mutex.try_lock_owned());
        })
        .loses_its_place(
            async |mutex| {
                *mutex.lock().await += 1;
                *mutex.lock_owned().await += 1;
            },
            async |mutex, held| {
                *held = None;
                assert!(!mutex.is_locked() && *mutex.try_lock().unwrap() >= 2);
            },
        );
    assert_eq!(waits, 1);
    let owned = Case::new(on, setup)
        .world(|held| *held = None)
        .loses_its_place(
            async |mutex| drop(mutex.lock_owned().await),
            async |mutex, held| {
                *held = None;
                assert!(!mutex.is_locked());
            },
        );
    assert_eq!(owned, 1);
}

// cancels: RwLock::read, RwLock::write, RwLock::read_owned, RwLock::write_owned
fn a_read_or_write_that_is_dropped_passes_the_lock_on(on: On) {
    type Held = (Rc<RwLock<u8>>, Option<OwnedWriteGuard<u8>>);
    let setup = || {
        let lock = Rc::new(RwLock::new(0));
        let held = lock.try_write_owned();
        (Rc::clone(&lock), (lock, held))
    };
    let waits = Case::new(on, setup)
        .world(|(_, held): &mut Held| *held = None)
        .loses_its_place(
            async |lock| {
                // Each is handed over: the one before stands in front of it, in the same line.
                let mut read = pin!(lock.read());
                let mut write = pin!(lock.write());
                let mut read_owned = pin!(lock.read_owned());
                let mut write_owned = pin!(lock.write_owned());
                std::future::poll_fn(|cx| {
                    let polled = (read.as_mut().poll(cx), write.as_mut().poll(cx));
                    let owned = (read_owned.as_mut().poll(cx), write_owned.as_mut().poll(cx));
                    // Free at once where nobody wrote: then the others wait for this one.
                    if let Poll::Ready(_read) = polled.0 {
                        return Poll::Ready(());
                    }
                    assert!(polled.1.is_pending());
                    assert!(owned.0.is_pending() && owned.1.is_pending());
                    Poll::Pending
                })
                .await;
            },
            async |lock, (_, held)| {
                *held = None;
                let statistics = lock.statistics();
                assert_eq!((statistics.readers, statistics.waiters), (0, 0));
                assert!(lock.try_write().is_some());
            },
        );
    assert_eq!(waits, 1);
    let owned = Case::new(on, setup)
        .world(|(_, held)| *held = None)
        .loses_its_place(
            async |lock| drop(lock.write_owned().await),
            async |lock, (_, held)| {
                *held = None;
                assert!(lock.try_write().is_some());
            },
        );
    assert_eq!(owned, 1);
}

// cancels: Semaphore::acquire, Semaphore::acquire_many, Semaphore::acquire_owned, Semaphore::acquire_many_owned
fn an_acquire_that_is_dropped_passes_its_permits_on(on: On) {
    let setup = || {
        let semaphore = Rc::new(Semaphore::new(0));
        (Rc::clone(&semaphore), semaphore)
    };
    let waits = Case::new(on, setup)
        .world(|semaphore: &mut Rc<Semaphore>| semaphore.add_permits(2))
        .loses_its_place(
            async |semaphore| {
                // Nothing is left for the next, so that each of them waits.
                drop(semaphore.acquire().await.unwrap());
                semaphore.forget_permits(9);
                drop(semaphore.acquire_many(2).await.unwrap());
                semaphore.forget_permits(9);
                drop(semaphore.acquire_owned().await.unwrap());
                semaphore.forget_permits(9);
                drop(semaphore.acquire_many_owned(2).await.unwrap());
            },
            async |semaphore, _| {
                let statistics = semaphore.statistics();
                assert_eq!((statistics.lent_permits, statistics.waiters), (0, 0));
                assert_eq!(statistics.available_permits, 2);
            },
        );
    assert_eq!(waits, 4);
}

// cancels: CapacityLimiter::acquire, CapacityLimiter::acquire_on_behalf_of
fn a_borrow_that_is_dropped_passes_its_token_on(on: On) {
    let setup = || {
        let limiter = Rc::new(CapacityLimiter::new(0));
        (Rc::clone(&limiter), limiter)
    };
    let waits = Case::new(on, setup)
        .world(|limiter: &mut Rc<CapacityLimiter>| limiter.set_total(limiter.total() + 1))
        .loses_its_place(
            async |limiter| {
                let _mine = limiter.acquire().await.unwrap();
                let _other = limiter.acquire_on_behalf_of(1).await.unwrap();
            },
            async |limiter, _| {
                let statistics = limiter.statistics();
                assert_eq!((statistics.borrowers.len(), statistics.waiters), (0, 0));
                assert_eq!(limiter.available(), limiter.total());
            },
        );
    assert_eq!(waits, 2);
}

// cancels: Event::wait
fn a_wait_for_an_event_leaves_nothing_behind(on: On) {
    let setup = || {
        let event = Rc::new(Event::new());
        (Rc::clone(&event), event)
    };
    let waits = Case::new(on, setup)
        .world(|event: &mut Rc<Event>| event.set())
        .safe(
            async |event| event.wait().await,
            async |event, _| assert!(event.is_set() && event.statistics().waiters == 0),
        );
    assert_eq!(waits, 1);
}

// cancels: Notify::notified
fn a_notification_is_not_lost_with_who_was_to_have_it(on: On) {
    let setup = || {
        let notify = Rc::new(Notify::new());
        (Rc::clone(&notify), (notify, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(notify, told): &mut (Rc<Notify>, u32)| {
            notify.notify_one();
            *told += 1;
        })
        .loses_its_place(
            async |notify| notify.notified().await,
            async |notify, (_, told)| {
                assert_eq!(*told, 1, "the one notification was enough");
                let statistics = notify.statistics();
                assert!(!statistics.has_permit && statistics.waiters == 0);
            },
        );
    assert_eq!(waits, 1);
}

type Both = (Rc<Mutex<bool>>, Condvar);

/// A mutex and a condvar, and the world's guard.
struct Shared {
    both: Rc<Both>,
    held: Option<OwnedMutexGuard<bool>>,
}

impl Shared {
    /// Takes the lock and notifies; frees it the next time.
    fn step(&mut self) {
        let (mutex, condvar) = &*self.both;
        if self.held.take().is_none() {
            let mut guard = mutex
                .try_lock_owned()
                .expect("the operation waits, without it");
            *guard = true;
            condvar.notify_one();
            self.held = Some(guard);
        }
    }
}

fn shared() -> (Rc<Both>, Shared) {
    let both = Rc::new((Rc::new(Mutex::new(false)), Condvar::new()));
    let held = None;
    (Rc::clone(&both), Shared { both, held })
}

// cancels: Condvar::wait, Condvar::wait_until, Condvar::wait_while
fn a_condvar_s_wait_that_is_dropped_keeps_no_lock(on: On) {
    for which in 0..3 {
        let waits = Case::new(on, shared).world(Shared::step).loses_its_place(
            async |both| {
                let (mutex, condvar) = &**both;
                let guard = mutex.lock().await;
                if *guard {
                    return;
                }
                let guard = match which {
                    0 => condvar.wait(guard).await,
                    1 => condvar.wait_until(guard, |is_true| *is_true).await,
                    _ => condvar.wait_while(guard, |is_true| !*is_true).await,
                };
                assert!(*guard);
            },
            async |both, shared| {
                shared.held = None;
                assert!(both.0.try_lock().is_some_and(|guard| *guard));
                assert_eq!(both.1.statistics().waiters, 0);
            },
        );
        assert_eq!(waits, 2, "for the notification, then for the lock");
    }
}

// cancels: Condvar::until
fn a_condvar_without_a_mutex_leaves_nothing_behind(on: On) {
    let setup = || {
        let both = Rc::new((std::cell::Cell::new(0), Condvar::new()));
        (Rc::clone(&both), both)
    };
    let waits = Case::new(on, setup)
        .world(|both: &mut Rc<(std::cell::Cell<u32>, Condvar)>| {
            both.0.set(both.0.get() + 1);
            both.1.notify_one();
        })
        .loses_its_place(
            async |both| both.1.until(|| both.0.get() >= 2).await,
            async |both, _| {
                assert_eq!((both.0.get(), both.1.statistics().waiters), (2, 0));
            },
        );
    assert_eq!(waits, 2);
}

// cancels: Barrier::wait
fn a_barrier_waits_for_one_more_when_one_is_dropped(on: On) {
    let setup = || {
        let barrier = Rc::new(Barrier::new(2));
        (Rc::clone(&barrier), barrier)
    };
    let waits = Case::new(on, setup)
        .world(|barrier: &mut Rc<Barrier>| {
            let mut last = pin!(barrier.wait());
            let polled = last.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(turn)) if turn.is_leader()));
        })
        .loses_its_place(
            async |barrier| assert_eq!(barrier.wait().await.unwrap().index(), 0),
            async |barrier, _| assert_eq!(barrier.statistics().waiters, 0),
        );
    assert_eq!(waits, 1);
}

// cancels: OnceCell::get_or_init, OnceCell::get_or_try_init
fn a_value_that_was_being_made_is_made_by_the_next(on: On) {
    type Maker = Option<Pin<Box<dyn Future<Output = ()>>>>;
    for is_try in [false, true] {
        let setup = || {
            let cell = Rc::new(OnceCell::new());
            let theirs = Rc::clone(&cell);
            let mut maker: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
                theirs.get_or_init(pending).await;
            });
            let polled = maker.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            (cell, Some(maker))
        };
        let waits = Case::new(on, setup)
            .world(|maker: &mut Maker| *maker = None)
            .safe(
                async |cell| {
                    let make = || async {
                        sleep(Duration::from_millis(1)).await;
                        7
                    };
                    let value = if is_try {
                        cell.get_or_try_init(|| async { Ok::<_, ()>(make().await) })
                            .await
                            .unwrap()
                    } else {
                        cell.get_or_init(make).await
                    };
                    assert_eq!(*value, 7);
                },
                async |cell, maker| {
                    *maker = None;
                    let statistics = cell.statistics();
                    assert!(statistics.is_set && !statistics.is_being_filled);
                    assert_eq!(statistics.waiters, 0);
                },
            );
        assert_eq!(waits, 2, "for the job, then for the value");
    }
}

// cancels: OnceCell::wait
fn a_wait_for_a_value_leaves_nothing_behind(on: On) {
    let setup = || {
        let cell = Rc::new(OnceCell::new());
        (Rc::clone(&cell), cell)
    };
    let waits = Case::new(on, setup)
        .world(|cell: &mut Rc<OnceCell<u8>>| cell.set(7).unwrap())
        .safe(
            async |cell| assert_eq!(*cell.wait().await, 7),
            async |cell, _| assert_eq!(cell.statistics().waiters, 0),
        );
    assert_eq!(waits, 1);
}

// cancels: Gate::close
fn a_gate_stays_closed(on: On) {
    let setup = || {
        let gate = Gate::new();
        let pass = gate.enter().ok();
        (gate, pass)
    };
    let waits = Case::new(on, setup)
        .world(|pass: &mut Option<Pass>| *pass = None)
        .safe(
            async |gate| gate.close().await,
            async |gate, pass| {
                *pass = None;
                assert!(gate.is_closed() && gate.inside() == 0 && gate.statistics().waiters == 0);
            },
        );
    assert_eq!(waits, 1);
}
