//! First come, first served: golden orders of each primitive, with drops in the line.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Poll, Wake};

use mainspring::sync::{
    Barrier, BarrierBroken, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell,
    OwnedWriteGuard, RwLock, Semaphore, TryAcquireError,
};
use mainspring::{sim, spawn, yield_now};

use crate::rig::{assert_done, assert_waits, poll_once, poll_with};

type Held = Box<dyn Any>;
type Waiting = Pin<Box<dyn Future<Output = Held>>>;

/// A primitive that lets one go on at a time.
struct HandOff {
    name: &'static str,
    /// Whoever has it at first, or nobody who has anything.
    first: Held,
    wait: Box<dyn Fn() -> Waiting>,
    /// Lets the next one go on, where it is not enough that what was held is dropped.
    tell: Box<dyn Fn()>,
}

fn hand_offs() -> Vec<HandOff> {
    let mut all = guards();
    all.extend(signals());
    all
}

/// Those whose guards free them.
fn guards() -> Vec<HandOff> {
    let mutex = Rc::new(Mutex::new(0));
    let lock = Rc::new(RwLock::new(0));
    let semaphore = Rc::new(Semaphore::new(1));
    let cell: Rc<OnceCell<u8>> = Rc::new(OnceCell::new());
    let nothing = || Box::new(|| ()) as Box<dyn Fn()>;
    let mut maker = {
        let cell = Rc::clone(&cell);
        Box::pin(async move {
            let _: Result<_, ()> = cell.get_or_try_init(pending).await;
        }) as Pin<Box<dyn Future<Output = ()>>>
    };
    assert_waits(&mut maker);
    vec![
        HandOff {
            name: "Mutex",
            first: Box::new(mutex.try_lock_owned().unwrap()),
            wait: Box::new(move || {
                let lock = mutex.lock_owned();
                Box::pin(async { Box::new(lock.await) as Held })
            }),
            tell: nothing(),
        },
        HandOff {
            name: "RwLock",
            first: Box::new(lock.try_write_owned().unwrap()),
            wait: Box::new(move || {
                let write = lock.write_owned();
                Box::pin(async { Box::new(write.await) as Held })
            }),
            tell: nothing(),
        },
        HandOff {
            name: "Semaphore",
            first: Box::new(semaphore.try_acquire_owned().unwrap()),
            wait: Box::new(move || {
                let acquire = semaphore.acquire_owned();
                Box::pin(async { Box::new(acquire.await.unwrap()) as Held })
            }),
            tell: nothing(),
        },
        HandOff {
            name: "OnceCell",
            first: Box::new(maker),
            wait: Box::new(move || {
                let cell = Rc::clone(&cell);
                Box::pin(async move {
                    let error = cell.get_or_try_init(|| ready(Err(7))).await;
                    Box::new(error.unwrap_err()) as Held
                })
            }),
            tell: nothing(),
        },
    ]
}

/// Those that are told.
fn signals() -> Vec<HandOff> {
    let notify = Rc::new(Notify::new());
    let told = Rc::clone(&notify);
    let condvar: Rc<(Mutex<()>, Condvar)> = Rc::default();
    let condvar_told = Rc::clone(&condvar);
    let plain = Rc::new((Cell::new(0), Condvar::new()));
    let plain_told = Rc::clone(&plain);
    vec![
        HandOff {
            name: "Notify",
            first: Box::new(()),
            wait: Box::new(move || {
                let notify = Rc::clone(&notify);
                Box::pin(async move {
                    notify.notified().await;
                    Box::new(()) as Held
                })
            }),
            tell: Box::new(move || told.notify_one()),
        },
        HandOff {
            name: "Condvar",
            first: Box::new(()),
            wait: Box::new(move || {
                let condvar = Rc::clone(&condvar);
                Box::pin(async move {
                    let guard = condvar.0.try_lock().unwrap();
                    drop(condvar.1.wait(guard).await);
                    Box::new(()) as Held
                })
            }),
            tell: Box::new(move || condvar_told.1.notify_one()),
        },
        HandOff {
            name: "Condvar::until",
            first: Box::new(()),
            wait: Box::new(move || {
                let plain = Rc::clone(&plain);
                let seen = plain.0.get();
                Box::pin(async move {
                    plain.1.until(|| plain.0.get() > seen).await;
                    Box::new(()) as Held
                })
            }),
            tell: Box::new(move || {
                plain_told.0.set(plain_told.0.get() + 1);
                plain_told.1.notify_one();
            }),
        },
    ]
}

#[test]
fn p38_hz_h01_hz_h04_who_comes_first_is_served_first_and_who_goes_passes_on() {
    for HandOff {
        name,
        first,
        wait,
        tell,
    } in hand_offs()
    {
        let mut line: Vec<Option<Waiting>> = (0..5).map(|_| Some(wait())).collect();
        for waiting in &mut line {
            assert_waits(waiting.as_mut().unwrap());
        }
        // One leaves the line, and one leaves after it was handed what it waited for.
        line[2] = None;
        drop(first);
        tell();
        // Who comes now does not get in between; nor does who stands further back.
        line.push(Some(wait()));
        for index in [5, 4, 3, 1] {
            if name != "Condvar::until" || index < 5 {
                assert_waits(line[index].as_mut().unwrap());
            }
        }
        line[0] = None;
        let mut order = Vec::new();
        for _ in 0..4 {
            let is_done = |waiting: &mut Option<Waiting>| match waiting {
                Some(future) => match poll_once(future) {
                    Poll::Ready(held) => Some(held),
                    Poll::Pending => None,
                },
                None => None,
            };
            // The last is asked first.
            let mut served = Vec::new();
            for index in (0..line.len()).rev() {
                if let Some(held) = is_done(&mut line[index]) {
                    line[index] = None;
                    served.push((index, held));
                }
            }
            order.extend(served.iter().map(|(index, _)| *index));
            drop(served);
            tell();
        }
        assert_eq!(order, [1, 3, 4, 5], "{name}");
    }
}

#[test]
fn p38_hz_h04_nobody_barges_in_between_a_release_and_the_run_of_who_waits() {
    let log = Rc::new(RefCell::new(Vec::new()));
    sim::run(1, async {
        let mutex = Rc::new(Mutex::new(()));
        let guard = mutex.lock().await;
        let task = |name: &'static str| {
            let (mutex, log) = (Rc::clone(&mutex), Rc::clone(&log));
            spawn(async move {
                let _guard = mutex.lock().await;
                log.borrow_mut().push(name);
            })
        };
        let tasks = [task("a"), task("b"), task("c"), task("d")];
        yield_now().await;
        tasks[1].abort();
        drop(guard);
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert_eq!(mutex.statistics().holder, Some(tasks[0].id()));
        // The releaser itself goes to the end.
        let _guard = mutex.lock().await;
        log.borrow_mut().push("releaser");
        assert_eq!(*log.borrow(), ["a", "c", "d", "releaser"]);
    });
}

/// Writes its number down when it is woken.
struct Scribe(usize, Arc<StdMutex<Vec<usize>>>);

impl Wake for Scribe {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// The order in which four are woken of whom the third is dropped.
fn woken(mut waits: Vec<Waiting>, free: impl FnOnce()) -> Vec<usize> {
    let book = Arc::new(StdMutex::new(Vec::new()));
    for (index, waiting) in waits.iter_mut().enumerate() {
        let scribe = Arc::new(Scribe(index, Arc::clone(&book)));
        assert!(poll_with(waiting, &scribe.into()).is_pending());
    }
    drop(waits.remove(2));
    free();
    for waiting in waits.iter_mut().rev() {
        assert_done(waiting);
    }
    let order = book.lock().unwrap();
    order.clone()
}

fn four(wait: impl Fn() -> Waiting) -> Vec<Waiting> {
    (0..4).map(|_| wait()).collect()
}

#[test]
fn p38_hz_h05_who_is_let_go_with_others_is_woken_in_the_order_of_the_line() {
    let event = Rc::new(Event::new());
    let waits = four(|| {
        let event = Rc::clone(&event);
        Box::pin(async move {
            event.wait().await;
            Box::new(()) as Held
        })
    });
    // Cleared at once, and they go on all the same.
    let set_and_clear = || {
        event.set();
        event.clear();
    };
    assert_eq!(woken(waits, set_and_clear), [0, 1, 3], "Event");
    assert_waits(&mut Box::pin(event.wait()));

    let notify = Rc::new(Notify::new());
    let waits = four(|| {
        let notify = Rc::clone(&notify);
        Box::pin(async move {
            notify.notified().await;
            Box::new(()) as Held
        })
    });
    assert_eq!(woken(waits, || notify.notify_all()), [0, 1, 3], "Notify");
    assert_waits(&mut Box::pin(notify.notified()));

    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    let waits = four(|| {
        let close = gate.close();
        Box::pin(async move {
            close.await;
            Box::new(()) as Held
        })
    });
    assert_eq!(woken(waits, || drop(pass)), [0, 1, 3], "Gate");

    let cell = Rc::new(OnceCell::new());
    let waits = four(|| {
        let cell = Rc::clone(&cell);
        Box::pin(async move { Box::new(*cell.wait().await) as Held })
    });
    assert_eq!(woken(waits, || cell.set(1).unwrap()), [0, 1, 3], "OnceCell");

    let barrier = Rc::new(Barrier::new(5));
    let waits = four(|| {
        let barrier = Rc::clone(&barrier);
        Box::pin(async move { Box::new(barrier.wait().await.unwrap()) as Held })
    });
    let mut fourth = Box::pin(barrier.wait());
    let last = || {
        assert_waits(&mut fourth);
        let turn = assert_done(&mut Box::pin(barrier.wait())).unwrap();
        assert!(turn.is_leader() && turn.index() == 4);
    };
    assert_eq!(woken(waits, last), [0, 1, 3], "Barrier");
}

#[test]
fn readers_go_in_phases_and_a_writer_that_waits_holds_up_later_readers() {
    let lock = Rc::new(RwLock::new(0));
    let held = lock.try_write_owned().unwrap();
    let (mut one, mut two) = (Box::pin(lock.read_owned()), Box::pin(lock.read_owned()));
    let mut writer = Box::pin(lock.write_owned());
    let mut late = Box::pin(lock.read_owned());
    assert_waits(&mut one);
    assert_waits(&mut two);
    assert_waits(&mut writer);
    assert_waits(&mut late);
    // A downgrade lets in those at the front, and nobody else.
    let held = OwnedWriteGuard::downgrade(held);
    let (one, two) = (assert_done(&mut one), assert_done(&mut two));
    assert_eq!(lock.statistics().readers, 3);
    assert!(lock.try_read().is_none(), "a writer waits");
    assert_waits(&mut late);
    drop((held, one));
    assert_waits(&mut writer);
    drop(two);
    let mut guard = assert_done(&mut writer);
    *guard += 1;
    assert_waits(&mut late);
    drop(guard);
    assert_eq!(*assert_done(&mut late), 1);
    // A writer that goes lets those in that stood behind it.
    let inside = lock.try_read_owned().unwrap();
    let mut writer = Box::pin(lock.write());
    let mut late = Box::pin(lock.read());
    assert_waits(&mut writer);
    assert_waits(&mut late);
    drop(writer);
    assert_eq!(*assert_done(&mut late) + *inside, 2);
}

#[test]
fn who_asks_for_many_permits_holds_up_who_asks_for_few() {
    let semaphore = Semaphore::new(2);
    let mut many = Box::pin(semaphore.acquire_many(3));
    let mut few = Box::pin(semaphore.acquire());
    assert_waits(&mut many);
    assert_waits(&mut few);
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    semaphore.add_permits(1);
    assert_waits(&mut few);
    let mut many = assert_done(&mut many).unwrap();
    let part = many.split(2).unwrap();
    assert!(many.split(2).is_none());
    drop(part);
    assert_eq!(assert_done(&mut few).unwrap().count(), 1);
    // Who goes makes way.
    let mut many = Box::pin(semaphore.acquire_many(9));
    let mut few = Box::pin(semaphore.acquire());
    assert_waits(&mut many);
    assert_waits(&mut few);
    drop(many);
    assert!(assert_done(&mut few).is_ok());
}

#[test]
fn a_limiter_lends_in_order_one_to_each_and_its_total_moves() {
    let limiter = CapacityLimiter::new(1);
    let first = limiter.try_acquire_on_behalf_of(1).unwrap();
    let mut again = Box::pin(limiter.acquire_on_behalf_of(1));
    assert!(
        assert_done(&mut again).is_err(),
        "a second one for the same"
    );
    let (mut two, mut three) = (
        Box::pin(limiter.acquire_on_behalf_of(2)),
        Box::pin(limiter.acquire_on_behalf_of(3)),
    );
    let mut twice = Box::pin(limiter.acquire_on_behalf_of(2));
    assert_waits(&mut two);
    assert_waits(&mut three);
    assert_waits(&mut twice);
    limiter.set_total(2);
    assert_waits(&mut three);
    let second = assert_done(&mut two).unwrap();
    assert_eq!(second.borrower().to_string(), "key 2");
    // Nobody is turned out; two have to come back before one is lent.
    limiter.set_total(1);
    drop(first);
    assert_waits(&mut three);
    assert_eq!((limiter.borrowed(), limiter.available()), (1, 0));
    drop(second);
    let third = assert_done(&mut three).unwrap();
    assert_waits(&mut twice);
    drop(third);
    assert!(assert_done(&mut twice).is_ok());
    let statistics = limiter.statistics();
    assert_eq!((statistics.borrowed_peak, statistics.waiters), (2, 0));
    assert!(statistics.borrowers.is_empty());
}

#[test]
fn hz_h04_a_semaphore_that_is_closed_stays_closed() {
    let semaphore = Rc::new(Semaphore::new(1));
    let held = semaphore.try_acquire().unwrap();
    let (mut one, mut two) = (Box::pin(semaphore.acquire()), Box::pin(semaphore.acquire()));
    let mut handed = Box::pin(semaphore.acquire());
    assert_waits(&mut handed);
    drop(held);
    assert_waits(&mut one);
    assert_waits(&mut two);
    semaphore.close();
    // What was handed over before stays lent.
    let permit = assert_done(&mut handed).unwrap();
    assert!(assert_done(&mut two).is_err() && assert_done(&mut one).is_err());
    drop(permit);
    semaphore.add_permits(5);
    assert!(assert_done(&mut Box::pin(semaphore.acquire())).is_err());
    assert!(assert_done(&mut Box::pin(semaphore.acquire_owned())).is_err());
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::Closed
    );
    let gate = Gate::new();
    drop(gate.close());
    assert!(gate.enter().is_err() && gate.is_closed());
}

#[test]
fn a_barrier_breaks_for_all_and_a_reset_mends_it() {
    let barrier = Barrier::new(3);
    let (mut one, mut two) = (Box::pin(barrier.wait()), Box::pin(barrier.wait()));
    assert_waits(&mut one);
    assert_waits(&mut two);
    barrier.abort();
    assert_eq!(
        assert_done(&mut two).unwrap_err(),
        assert_done(&mut one).unwrap_err()
    );
    assert!(assert_done(&mut Box::pin(barrier.wait())).is_err());
    barrier.reset();
    let (mut one, mut two) = (Box::pin(barrier.wait()), Box::pin(barrier.wait()));
    assert_waits(&mut one);
    assert_waits(&mut two);
    let leader = assert_done(&mut Box::pin(barrier.wait())).unwrap();
    // The round is complete: neither a reset nor a drop takes that back.
    barrier.reset();
    drop(one);
    assert_eq!(
        (assert_done(&mut two).unwrap().index(), leader.index()),
        (1, 2)
    );
    let mut waits = Box::pin(barrier.wait());
    assert_waits(&mut waits);
    barrier.reset();
    let broken: Result<_, BarrierBroken> = assert_done(&mut waits);
    assert!(broken.is_err());
}

#[test]
fn hz_h05_a_notification_for_one_and_one_for_all_are_two() {
    let notify = Notify::new();
    // One is kept, and no more than one.
    notify.notify_one();
    notify.notify_one();
    assert_done(&mut Box::pin(notify.notified()));
    let (mut one, mut two) = (Box::pin(notify.notified()), Box::pin(notify.notified()));
    assert_waits(&mut one);
    // Made and not polled: a notification for all is for it, too, and leaves none behind.
    notify.notify_all();
    assert_done(&mut two);
    assert_done(&mut one);
    assert!(!notify.statistics().has_permit);
    // One that was told for itself, and goes, passes that on although all were told meanwhile.
    let mut one = Box::pin(notify.notified());
    assert_waits(&mut one);
    notify.notify_one();
    notify.notify_all();
    let mut two = Box::pin(notify.notified());
    assert_waits(&mut two);
    drop(one);
    assert_done(&mut two);
    // One that was told with all passes nothing on.
    let mut one = Box::pin(notify.notified());
    assert_waits(&mut one);
    notify.notify_all();
    let mut two = Box::pin(notify.notified());
    drop(one);
    assert_waits(&mut two);
    assert!(!notify.statistics().has_permit);
}

#[test]
fn an_enabled_wait_stands_in_line_before_it_is_polled() {
    let notify = Notify::new();
    let (mut one, mut two) = (Box::pin(notify.notified()), Box::pin(notify.notified()));
    two.as_mut().enable();
    two.as_mut().enable();
    notify.notify_one();
    assert_waits(&mut one);
    assert_done(&mut two);
    // What was kept is the first one's who is enabled.
    notify.notify_one();
    assert_done(&mut one);
    notify.notify_one();
    let (mut one, mut two) = (Box::pin(notify.notified()), Box::pin(notify.notified()));
    one.as_mut().enable();
    two.as_mut().enable();
    assert_waits(&mut two);
    drop(one);
    assert_done(&mut two);
}

#[test]
fn a_condvar_evaluates_first_and_a_dropped_wait_has_no_guard() {
    let (mutex, condvar) = (Mutex::new(5), Condvar::new());
    let guard = mutex.try_lock().unwrap();
    let guard = assert_done(&mut Box::pin(
        condvar.wait_until(guard, |number| *number == 5),
    ));
    let mut wait = Box::pin(condvar.wait_while(guard, |number| *number == 5));
    assert_waits(&mut wait);
    assert!(!mutex.is_locked());
    // A notification for a condition that does not hold yet is used up.
    condvar.notify_one();
    assert_waits(&mut wait);
    assert!(!mutex.is_locked());
    *mutex.try_lock().unwrap() = 6;
    condvar.notify_one();
    let held = mutex.try_lock().unwrap();
    assert_waits(&mut wait);
    let mut other = Box::pin(condvar.until(|| false));
    assert_waits(&mut other);
    // It was told, and stands in line for the lock: dropped there, it tells the next.
    drop(wait);
    assert_waits(&mut other);
    drop(held);
    assert!(!mutex.is_locked());
}

#[test]
fn a_cell_is_filled_by_the_next_who_waits_when_one_fails_or_panics() {
    let cell = OnceCell::new();
    let mut one = Box::pin(cell.get_or_try_init(|| async {
        yield_now().await;
        Err::<u8, _>("no")
    }));
    let mut two = Box::pin(cell.get_or_init(|| async { panic!("boom") }));
    let mut three = Box::pin(cell.get_or_init(|| ready(3)));
    let mut reader = Box::pin(cell.wait());
    assert_waits(&mut one);
    assert_waits(&mut two);
    assert_waits(&mut three);
    assert_waits(&mut reader);
    assert!(cell.set(9).is_err(), "somebody makes it");
    assert_eq!(assert_done(&mut one), Err("no"));
    assert_waits(&mut three);
    let panic = std::panic::AssertUnwindSafe(|| poll_once(&mut two).is_pending());
    assert!(std::panic::catch_unwind(panic).is_err());
    assert_waits(&mut three);
    drop(two);
    assert_eq!(*assert_done(&mut three), 3);
    assert_eq!(*assert_done(&mut reader), 3);
    assert_eq!(cell.set(9).unwrap_err().into_inner(), 9);
}
