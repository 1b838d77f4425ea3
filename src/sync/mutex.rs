//! `Mutex`: one task at a time has the value, and the others wait in order.
//!
//! *Model.* A lock ([`super::raw_lock`]) and a value beside it. A guard that borrows holds the value's
//! exclusive borrow; an owned guard takes the value out and puts it back, because it shares the mutex
//! instead of borrowing it.
//!
//! *When one is needed.* Not to keep two tasks from touching a value at the same time: they run on one
//! thread, and between two `.await`s nobody else runs. A `RefCell` does for that. A mutex is for what must
//! stay whole *across* an `.await`.
//!
//! *Why not unsafe code around the value.* The guards of other crates reach through a raw pointer. Here a
//! flag is set and cleared per lock, one branch each, and nothing is left to prove.

mod guard;

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::line::{Line, Place};
use super::raw_lock::RawLock;
use crate::pin::pinned;
use crate::task::join::TaskId;
use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitQueue};

pub use guard::{MappedMutexGuard, MutexGuard, OwnedMutexGuard};

/// What is expected of the value's place while the lock is held by who asks.
const IS_THERE: &str = "the value of a mutex is where its lock says";

/// A value that one task at a time may use, also across an `.await`.
///
/// Who waits is served in the order of the first polls, by direct hand-off: the lock goes from one holder
/// to the next, and nobody who comes meanwhile gets in between. A panic of a holder frees the lock, and
/// the value is what the panic left; there is no poisoning.
///
/// **A lock that nobody polls.** A guard, or a lock that was handed to a future, stays where it is while
/// that future is not polled: `select` over a `&mut` future that has the lock, followed by another
/// `lock().await`, waits for itself. A deadlock report names the holder of each lock, so a task
/// that waits for a lock that it holds itself is seen there. Keep a locked section inside one future, and
/// drop the future if it lost its race.
///
/// ```
/// use mainspring::sync::Mutex;
/// use std::rc::Rc;
/// # mainspring::run(async {
/// let log = Rc::new(Mutex::new(Vec::new()));
/// let tasks: Vec<_> = (0..3)
///     .map(|number| {
///         let log = Rc::clone(&log);
///         mainspring::spawn(async move {
///             let mut lines = log.lock().await;
///             lines.push(number);
///             mainspring::yield_now().await;
///             lines.push(number);
///         })
///     })
///     .collect();
/// for task in tasks {
///     task.await.unwrap();
/// }
/// assert_eq!(*log.lock().await, [0, 0, 1, 1, 2, 2]);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// send(mainspring::sync::Mutex::new(1));
/// ```
///
/// and so does its guard:
///
/// ```compile_fail,E0277
/// let mutex = mainspring::sync::Mutex::new(1);
/// let guard = mutex.try_lock().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(guard));
/// });
/// ```
pub struct Mutex<T> {
    lock: RawLock,
    /// Empty while an owned guard has the value.
    value: RefCell<Option<T>>,
}

impl<T> Mutex<T> {
    /// A mutex around `value`, free.
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            lock: RawLock::new(Tag::new(Location::caller())),
            value: RefCell::new(Some(value)),
        }
    }

    /// Waits for the lock, in line; the guard frees it when it is dropped.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
    /// fetched goes to the next.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock {
            place: Place::new(self, (), Kind::Lock, Location::caller()),
        }
    }

    /// As [`Mutex::lock`], with a guard that shares the mutex instead of borrowing it, so that it may go
    /// where the mutex does not.
    ///
    /// The value is moved into the guard and back; box what is large.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Mutex::lock`].
    ///
    /// ```
    /// use mainspring::sync::Mutex;
    /// use std::rc::Rc;
    /// # mainspring::run(async {
    /// let mutex = Rc::new(Mutex::new(String::new()));
    /// let mut guard = mutex.lock_owned().await;
    /// mainspring::spawn(async move { guard.push('x') }).await.unwrap();
    /// assert_eq!(*mutex.lock().await, "x");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn lock_owned(self: &Rc<Self>) -> LockOwned<T> {
        LockOwned {
            place: Place::new(Rc::clone(self), (), Kind::Lock, Location::caller()),
        }
    }

    /// The lock, if it is free: then nobody waits for it.
    #[must_use = "the guard frees the lock when it is dropped"]
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        if self.lock.is_held() {
            return None;
        }
        self.lock.take(());
        Some(self.guard())
    }

    /// As [`Mutex::try_lock`], with a guard as that of [`Mutex::lock_owned`].
    #[must_use = "the guard frees the lock when it is dropped"]
    pub fn try_lock_owned(self: &Rc<Self>) -> Option<OwnedMutexGuard<T>> {
        if self.lock.is_held() {
            return None;
        }
        self.lock.take(());
        Some(self.owned_guard())
    }

    /// The value; who has the mutex alone needs no lock.
    ///
    /// # Panics
    /// Never: an owned guard that was forgotten keeps a share of the mutex, and so nobody has it alone.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect(IS_THERE)
    }

    /// The value, out of the mutex.
    ///
    /// # Panics
    /// Never, as [`Mutex::get_mut`].
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner().expect(IS_THERE)
    }

    /// Whether somebody has the lock, or was handed it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// Whether the task that took the lock has ended and did not free it: its guard was forgotten, or given
    /// to somebody else. Who waits for a forgotten guard waits for ever; a deadlock report says *held by task
    /// 7, which has ended*.
    ///
    /// It asks the loop that is entered, so it is `false` outside of it, and for tasks of another loop. It
    /// walks over all tasks: ask when a wait has taken too long, not before each.
    ///
    /// ```
    /// use mainspring::sync::Mutex;
    /// use std::rc::Rc;
    /// # mainspring::run(async {
    /// let mutex = Rc::new(Mutex::new(1));
    /// let shared = Rc::clone(&mutex);
    /// let task = mainspring::spawn(async move { std::mem::forget(shared.lock().await) });
    /// task.await.unwrap();
    /// assert!(mutex.is_locked() && mutex.is_broken());
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.lock.is_broken()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> MutexStatistics {
        MutexStatistics {
            is_locked: self.is_locked(),
            holder: self.lock.holder().id(),
            waiters: self.lock.waiters().count(),
        }
    }

    /// The guard of who has the lock.
    #[inline]
    pub(super) fn guard(&self) -> MutexGuard<'_, T> {
        let value = RefMut::map(self.value.borrow_mut(), |value| {
            value.as_mut().expect(IS_THERE)
        });
        MutexGuard::new(value, self)
    }

    fn owned_guard(self: &Rc<Self>) -> OwnedMutexGuard<T> {
        let value = self.value.borrow_mut().take();
        OwnedMutexGuard::new(value.expect(IS_THERE), Rc::clone(self))
    }

    /// Who polls has fetched what it waited for.
    #[inline]
    pub(super) fn note_fetched(&self) {
        self.lock.note_holder();
    }
}

impl<T> Line for Mutex<T> {
    type Handed = ();
    type Request = ();

    #[inline]
    fn waiters(&self) -> &WaitQueue<()> {
        self.lock.waiters()
    }

    #[inline]
    fn has(&self, (): ()) -> bool {
        self.lock.has(())
    }

    #[inline]
    fn take(&self, (): ()) {
        self.lock.take(());
    }

    fn serve(&self) -> bool {
        self.lock.serve()
    }

    fn put_back(&self, (): (), (): ()) {
        self.lock.release();
    }

    #[inline]
    fn word(&self) -> u64 {
        self.lock.word()
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        // Locked meanwhile, because the value's `fmt` may do anything.
        match self.try_lock() {
            Some(guard) => text.field("value", &&*guard),
            None => text.field("value", &format_args!("<locked>")),
        };
        text.finish()
    }
}

/// What [`Mutex::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MutexStatistics {
    /// Whether somebody has the lock, or was handed it.
    pub is_locked: bool,
    /// The task that took it or was handed it, if that is a task of ours.
    pub holder: Option<TaskId>,
    /// How many wait.
    pub waiters: usize,
}

/// Waits for a lock. Made by [`Mutex::lock`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Lock<'a, T> {
    place: Place<&'a Mutex<T>>,
}

impl<'a, T> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let place = pinned!(self.as_ref(), place);
        let is_first_poll = place.is_new();
        ready!(place.poll(cx));
        let mutex = *place.get_ref().line();
        if !is_first_poll {
            mutex.note_fetched();
        }
        Poll::Ready(mutex.guard())
    }
}

impl<T> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Waits for a lock. Made by [`Mutex::lock_owned`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LockOwned<T> {
    place: Place<Rc<Mutex<T>>>,
}

impl<T> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedMutexGuard<T>> {
        let place = pinned!(self.as_ref(), place);
        ready!(place.poll(cx));
        let mutex = place.get_ref().line();
        mutex.note_fetched();
        Poll::Ready(mutex.owned_guard())
    }
}

impl<T> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOwned")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
