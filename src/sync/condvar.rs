//! `Condvar`: waits for a condition, with a mutex or without.
//!
//! *Model.* A wait takes the guard, joins the line, frees the lock, is notified, and stands in line for the
//! lock again.
//!
//! ```text
//!   guard ──► the condvar's line ──► notified ──► the mutex's line ──► guard
//!                  │ dropped              │ dropped       │ dropped
//!                  ▼                      └───────────────┴──► whoever waits longest is notified instead
//!              nothing
//! ```
//!
//! *Why the guard goes in by value.* A wait that is dropped cannot lock the mutex again, for that may have to
//! wait. So it has no guard to give back, and the caller, who gave his away, cannot use the value.

mod until;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::line::{Line, Place, Who};
use super::mutex::{Mutex, MutexGuard};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

pub use until::{CondvarUntil, CondvarWaitUntil};

/// Tells those who wait that a condition may hold now.
///
/// In one thread a mutex is needed only if the value must stay whole across an `.await`; where it need not,
/// [`Condvar::until`] waits for a condition on a plain cell, and nothing can change between the look and the
/// wait.
///
/// ```
/// use mainspring::sync::{Condvar, Mutex};
/// use std::rc::Rc;
/// # mainspring::run(async {
/// let shared = Rc::new((Mutex::new(0), Condvar::new()));
/// let waiter = mainspring::spawn({
///     let shared = Rc::clone(&shared);
///     async move {
///         let (mutex, condvar) = &*shared;
///         let number = condvar.wait_until(mutex.lock().await, |number| *number > 2).await;
///         *number
///     }
/// });
/// let (mutex, condvar) = &*shared;
/// for _ in 0..3 {
///     *mutex.lock().await += 1;
///     condvar.notify_one();
///     mainspring::yield_now().await;
/// }
/// assert_eq!(waiter.await.unwrap(), 3);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::Condvar::new());
/// ```
pub struct Condvar {
    last_user: Cell<Who>,
    waiters: WaitQueue<Reach>,
    tag: Tag,
}

/// Whom a notification was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    One,
    All,
}

impl Condvar {
    /// One for whom nobody waits.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Condvar {
        Condvar {
            last_user: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Frees the lock of `guard`, waits to be notified, and locks again. Between the two nothing is missed: who
    /// waits stands in line before the lock is free.
    ///
    /// The guard is given up at the first poll.
    ///
    /// # Cancel safety
    /// Loses its place in line: and the lock with it, for the guard does not come back. A notification for one
    /// that had come goes to the next.
    #[track_caller]
    pub fn wait<'a, T>(&'a self, guard: MutexGuard<'a, T>) -> CondvarWait<'a, T> {
        CondvarWait::new(self, guard, Location::caller())
    }

    /// Waits as often as it takes, until `condition` holds of the locked value; not at all if it does.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Condvar::wait`].
    #[track_caller]
    pub fn wait_until<'a, T, F>(
        &'a self,
        guard: MutexGuard<'a, T>,
        condition: F,
    ) -> CondvarWaitUntil<'a, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        let wait = CondvarWait::new(self, guard, Location::caller());
        CondvarWaitUntil::new(wait, condition, true)
    }

    /// As [`Condvar::wait_until`], until `condition` holds no more.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Condvar::wait`].
    #[track_caller]
    pub fn wait_while<'a, T, F>(
        &'a self,
        guard: MutexGuard<'a, T>,
        condition: F,
    ) -> CondvarWaitUntil<'a, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        let wait = CondvarWait::new(self, guard, Location::caller());
        CondvarWaitUntil::new(wait, condition, false)
    }

    /// Waits until `condition` holds, without a mutex: looks now, and at each notification. Who changes what the
    /// condition looks at has to notify.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A notification for one that was handed
    /// over and not fetched goes to the next.
    ///
    /// ```
    /// use mainspring::sync::Condvar;
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// # mainspring::run(async {
    /// let shared = Rc::new((Cell::new(0), Condvar::new()));
    /// let waiter = mainspring::spawn({
    ///     let shared = Rc::clone(&shared);
    ///     async move { shared.1.until(|| shared.0.get() == 2).await }
    /// });
    /// for number in 1..=2 {
    ///     mainspring::yield_now().await;
    ///     shared.0.set(number);
    ///     shared.1.notify_all();
    /// }
    /// waiter.await.unwrap();
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn until<F>(&self, condition: F) -> CondvarUntil<'_, F>
    where
        F: FnMut() -> bool,
    {
        CondvarUntil::new(self, condition, Location::caller())
    }

    /// Notifies whoever waits longest, if anybody does.
    pub fn notify_one(&self) {
        self.last_user.set(Who::is_polled_now());
        self.notify_next();
    }

    fn notify_next(&self) {
        if self.waiters.first().is_some() {
            // Somebody is there, so nothing comes back; and a notification for nobody is none.
            let _ = self.waiters.give(Reach::One);
        }
    }

    /// Notifies all who wait now, in the order in which they began to.
    pub fn notify_all(&self) {
        self.last_user.set(Who::is_polled_now());
        self.waiters.give_all(|| Reach::All);
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> CondvarStatistics {
        CondvarStatistics {
            waiters: self.waiters.count(),
        }
    }
}

impl Line for Condvar {
    type Handed = Reach;
    type Request = ();

    fn waiters(&self) -> &WaitQueue<Reach> {
        &self.waiters
    }

    /// A notification is for who waits.
    fn has(&self, (): ()) -> bool {
        false
    }

    fn take(&self, (): ()) -> Reach {
        Reach::All
    }

    fn serve(&self) -> bool {
        false
    }

    fn put_back(&self, reach: Reach, (): ()) {
        match reach {
            Reach::One => self.notify_next(),
            Reach::All => {}
        }
    }

    fn word(&self) -> u64 {
        let word = self.tag.number();
        if self.last_user.get().task != 0 {
            self.tag
                .set_peer(Peer::last_seen(self.last_user.get().task));
        }
        word
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// What [`Condvar::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CondvarStatistics {
    /// How many wait to be notified.
    pub waiters: usize,
}

/// How far a wait has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has the guard.
    Entering,
    /// The lock is free, and no notification was fetched.
    Waiting,
    /// It was notified, and stands in line for the lock.
    Locking(Reach),
    Done,
}

/// Waits to be notified, with the lock free meanwhile. Made by [`Condvar::wait`].
///
/// # Cancel safety
/// Loses its place in line: and the lock with it, for the guard does not come back. A notification for one
/// that had come goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CondvarWait<'a, T> {
    guard: Cell<Option<MutexGuard<'a, T>>>,
    stage: Cell<Stage>,
    signal: Place<&'a Condvar>,
    lock: Place<&'a Mutex<T>>,
}

impl<'a, T> CondvarWait<'a, T> {
    fn new(
        condvar: &'a Condvar,
        guard: MutexGuard<'a, T>,
        location: &'static Location<'static>,
    ) -> CondvarWait<'a, T> {
        let mutex = MutexGuard::mutex(&guard);
        CondvarWait {
            guard: Cell::new(Some(guard)),
            stage: Cell::new(Stage::Entering),
            signal: Place::new(condvar, (), Kind::Condvar, location),
            lock: Place::new(mutex, (), Kind::Lock, location),
        }
    }

    /// The guard, before the first poll and after `renew`.
    fn take_guard(&self) -> Option<MutexGuard<'a, T>> {
        self.guard.take()
    }

    /// Puts back what `take_guard` gave.
    fn put_guard(&self, guard: MutexGuard<'a, T>) {
        self.guard.set(Some(guard));
    }

    /// After it was done: as new, with the guard that it gave.
    fn renew(&self, guard: MutexGuard<'a, T>) {
        self.signal.renew();
        self.lock.renew();
        self.put_guard(guard);
        self.stage.set(Stage::Entering);
    }

    fn poll_wait(self: Pin<&Self>, cx: &Context<'_>) -> Poll<MutexGuard<'a, T>> {
        if matches!(self.stage.get(), Stage::Entering | Stage::Waiting) {
            let polled = pinned!(self, signal).poll(cx);
            self.stage.set(match polled {
                Poll::Ready(reach) => Stage::Locking(reach),
                Poll::Pending => Stage::Waiting,
            });
            // Only now, when it stands in line; whoever gets the lock by this may notify it already.
            drop(self.guard.take());
            ready!(polled);
        }
        ready!(pinned!(self, lock).poll(cx));
        self.stage.set(Stage::Done);
        let mutex = *self.get_ref().lock.line();
        mutex.note_fetched();
        Poll::Ready(mutex.guard())
    }
}

impl<'a, T> Future for CondvarWait<'a, T> {
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        self.into_ref().poll_wait(cx)
    }
}

impl<T> Drop for CondvarWait<'_, T> {
    fn drop(&mut self) {
        if self.stage.get() == Stage::Locking(Reach::One) {
            self.signal.line().notify_next();
        }
    }
}

impl<T> fmt::Debug for CondvarWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWait")
            .field("stage", &self.stage.get())
            .finish_non_exhaustive()
    }
}
