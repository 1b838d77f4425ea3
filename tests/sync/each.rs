//! Each primitive as something to wait for and something that lets waiters go on, for tests that are the same
//! for all of them.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::rc::Rc;

use mainspring::sync::{
    Barrier, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell, RwLock, Semaphore,
};

use crate::rig::{assert_waits, poll_once};

pub(crate) type Wait = Pin<Box<dyn Future<Output = ()>>>;

/// A primitive for which everybody waits at first.
pub(crate) struct Each {
    pub(crate) name: &'static str,
    pub(crate) wait: Box<dyn Fn() -> Wait>,
    /// Called often enough, it lets everybody go on.
    pub(crate) free: Box<dyn Fn()>,
    pub(crate) waiters: Box<dyn Fn() -> usize>,
}

impl Each {
    /// Frees and polls until none of `waits` is left.
    #[track_caller]
    pub(crate) fn finish(&self, mut waits: Vec<Wait>) {
        for _ in 0..50 {
            (self.free)();
            waits.retain_mut(|wait| poll_once(wait).is_pending());
            if waits.is_empty() {
                return;
            }
        }
        panic!("{}: {} still wait", self.name, waits.len());
    }
}

/// All of them, new.
pub(crate) fn each() -> Vec<Each> {
    vec![
        mutex(),
        rwlock(),
        semaphore(),
        limiter(),
        event(),
        notify("Notify one", Notify::notify_one),
        notify("Notify all", Notify::notify_all),
        condvar(),
        until(),
        barrier(),
        once_cell(),
        once_cell_wait(),
        gate(),
    ]
}

/// What somebody holds, until it is dropped.
fn dropper<T: 'static>(held: T) -> Box<dyn Fn()> {
    let held = RefCell::new(Some(held));
    Box::new(move || {
        let taken = held.borrow_mut().take();
        drop(taken);
    })
}

fn mutex() -> Each {
    let mutex = Rc::new(Mutex::new(0));
    let free = dropper(mutex.try_lock_owned());
    let figures = Rc::clone(&mutex);
    Each {
        name: "Mutex",
        wait: Box::new(move || {
            let lock = mutex.lock_owned();
            Box::pin(async { drop(lock.await) })
        }),
        free,
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn rwlock() -> Each {
    let lock = Rc::new(RwLock::new(0));
    let free = dropper(lock.try_write_owned());
    let figures = Rc::clone(&lock);
    let count = Cell::new(0);
    Each {
        name: "RwLock",
        wait: Box::new(move || {
            if count.replace(count.get() + 1) % 3 == 0 {
                let write = lock.write_owned();
                return Box::pin(async { drop(write.await) });
            }
            let read = lock.read_owned();
            Box::pin(async { drop(read.await) })
        }),
        free,
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn semaphore() -> Each {
    let semaphore = Rc::new(Semaphore::new(0));
    let (freed, figures) = (Rc::clone(&semaphore), Rc::clone(&semaphore));
    Each {
        name: "Semaphore",
        wait: Box::new(move || {
            let acquire = semaphore.acquire_many_owned(2);
            Box::pin(async { drop(acquire.await) })
        }),
        free: Box::new(move || freed.add_permits(1)),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn limiter() -> Each {
    let limiter = Rc::new(CapacityLimiter::new(0));
    let (freed, figures) = (Rc::clone(&limiter), Rc::clone(&limiter));
    let key = Cell::new(0_u64);
    Each {
        name: "CapacityLimiter",
        wait: Box::new(move || {
            let (limiter, key) = (Rc::clone(&limiter), key.replace(key.get() + 1));
            Box::pin(async move { drop(limiter.acquire_on_behalf_of(key).await) })
        }),
        free: Box::new(move || freed.set_total(1)),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn event() -> Each {
    let event = Rc::new(Event::new());
    let (freed, figures) = (Rc::clone(&event), Rc::clone(&event));
    Each {
        name: "Event",
        wait: Box::new(move || {
            let event = Rc::clone(&event);
            Box::pin(async move { event.wait().await })
        }),
        free: Box::new(move || {
            freed.set();
            freed.clear();
        }),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn notify(name: &'static str, tell: fn(&Notify)) -> Each {
    let notify = Rc::new(Notify::new());
    let (freed, figures) = (Rc::clone(&notify), Rc::clone(&notify));
    Each {
        name,
        wait: Box::new(move || {
            let notify = Rc::clone(&notify);
            Box::pin(async move { notify.notified().await })
        }),
        free: Box::new(move || tell(&freed)),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn condvar() -> Each {
    let both: Rc<(Mutex<()>, Condvar)> = Rc::default();
    let (freed, figures) = (Rc::clone(&both), Rc::clone(&both));
    Each {
        name: "Condvar",
        wait: Box::new(move || {
            let both = Rc::clone(&both);
            Box::pin(async move {
                let guard = both.0.lock().await;
                drop(both.1.wait(guard).await);
            })
        }),
        free: Box::new(move || freed.1.notify_one()),
        waiters: Box::new(move || figures.0.statistics().waiters + figures.1.statistics().waiters),
    }
}

fn until() -> Each {
    let both: Rc<(Cell<bool>, Condvar)> = Rc::default();
    let (freed, figures) = (Rc::clone(&both), Rc::clone(&both));
    Each {
        name: "Condvar::until",
        wait: Box::new(move || {
            let both = Rc::clone(&both);
            Box::pin(async move { both.1.until(|| both.0.get()).await })
        }),
        free: Box::new(move || {
            freed.0.set(true);
            freed.1.notify_one();
            freed.1.notify_all();
        }),
        waiters: Box::new(move || figures.1.statistics().waiters),
    }
}

fn barrier() -> Each {
    let barrier = Rc::new(Barrier::new(7));
    let (freed, figures) = (Rc::clone(&barrier), Rc::clone(&barrier));
    // Others who come, and go on with the rest.
    let others: RefCell<Vec<Wait>> = RefCell::default();
    Each {
        name: "Barrier",
        wait: Box::new(move || {
            let barrier = Rc::clone(&barrier);
            Box::pin(async move { assert!(barrier.wait().await.is_ok()) })
        }),
        free: Box::new(move || {
            let barrier = Rc::clone(&freed);
            let mut other: Wait = Box::pin(async move { assert!(barrier.wait().await.is_ok()) });
            if poll_once(&mut other).is_pending() {
                others.borrow_mut().push(other);
                return;
            }
            let done = others.take();
            drop(done);
        }),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn once_cell() -> Each {
    let cell: Rc<OnceCell<()>> = Rc::new(OnceCell::new());
    let made = Rc::clone(&cell);
    let mut maker: Wait = Box::pin(async move {
        let _: Result<_, ()> = made.get_or_try_init(pending).await;
    });
    assert_waits(&mut maker);
    let figures = Rc::clone(&cell);
    Each {
        name: "OnceCell",
        wait: Box::new(move || {
            let cell = Rc::clone(&cell);
            Box::pin(async move {
                let result = cell.get_or_try_init(|| ready(Err(()))).await;
                assert!(result.is_err());
            })
        }),
        free: dropper(maker),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn once_cell_wait() -> Each {
    let cell: Rc<OnceCell<()>> = Rc::new(OnceCell::new());
    let (freed, figures) = (Rc::clone(&cell), Rc::clone(&cell));
    Each {
        name: "OnceCell::wait",
        wait: Box::new(move || {
            let cell = Rc::clone(&cell);
            Box::pin(async move { *cell.wait().await })
        }),
        free: Box::new(move || {
            let _ = freed.set(());
        }),
        waiters: Box::new(move || figures.statistics().waiters),
    }
}

fn gate() -> Each {
    let gate = Gate::new();
    let free = dropper(gate.enter());
    let figures = gate.clone();
    Each {
        name: "Gate",
        wait: Box::new(move || {
            let close = gate.close();
            Box::pin(close)
        }),
        free,
        waiters: Box::new(move || figures.statistics().waiters),
    }
}
