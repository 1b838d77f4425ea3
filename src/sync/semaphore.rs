//! `Semaphore`: so many permits, taken by one or several at a time, strictly in order.
//!
//! *Model.*
//!
//! ```text
//!   permits: 2 ──► who waits longest asks for 3 ──► asks for 1 ──► …
//!                  not enough: it waits, and everybody behind it does, also who asks for less
//! ```
//!
//! *Why the head of the line blocks it.* Who asks for many would else wait for ever, while those who ask
//! for few take turns. Permits are not set aside one by one for the first either: it gets them
//! all at once, so one that is dropped has nothing to return.

mod permit;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::line::{Line, Place, Who};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

pub use permit::{OwnedPermit, Permit};

/// So many permits, which are lent and come back.
///
/// Who waits is served in the order of the first polls: a waiter that asks for more permits than there are
/// holds up those behind it. Nobody who comes later passes anybody by.
///
/// ```
/// use mainspring::sync::Semaphore;
/// # mainspring::run(async {
/// let semaphore = Semaphore::new(3);
/// let one = semaphore.acquire().await.unwrap();
/// let two = semaphore.acquire_many(2).await.unwrap();
/// assert!(semaphore.try_acquire().is_err());
/// drop(two);
/// assert_eq!(semaphore.available_permits(), 2);
/// one.forget();
/// assert_eq!(semaphore.available_permits(), 2);
/// semaphore.add_permits(1);
/// assert_eq!(semaphore.available_permits(), 3);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::Semaphore::new(1));
/// ```
pub struct Semaphore {
    permits: Cell<usize>,
    /// Those that are out, or handed over.
    lent: Cell<usize>,
    /// More than this there may never be, lent or not; without a bound, the greatest number there is.
    permits_max: usize,
    is_closed: Cell<bool>,
    last_user: Cell<Who>,
    waiters: WaitQueue<Handed, usize>,
    tag: Tag,
}

/// What those who wait are handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    Permits,
    Closed,
}

impl Semaphore {
    /// A semaphore that has `permits` to lend, now; [`Semaphore::add_permits`] may make it more.
    #[must_use]
    #[track_caller]
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::with(permits, usize::MAX)
    }

    /// A semaphore that notices when it is given back more than it lent: it never has more than `permits`.
    ///
    /// ```should_panic
    /// let semaphore = mainspring::sync::Semaphore::bounded(2);
    /// semaphore.add_permits(1);
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn bounded(permits: usize) -> Semaphore {
        Semaphore::with(permits, permits)
    }

    #[track_caller]
    const fn with(permits: usize, permits_max: usize) -> Semaphore {
        Semaphore {
            permits: Cell::new(permits),
            lent: Cell::new(0),
            permits_max,
            is_closed: Cell::new(false),
            last_user: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Waits for one permit, in line; it comes back when it is dropped.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. Permits that were handed over and not
    /// fetched go to the next.
    ///
    /// # Errors
    /// The future gives [`AcquireError`], if the semaphore is closed.
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits at once, in line; who asks for none waits as well, while others do.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Semaphore::acquire`].
    ///
    /// # Errors
    /// As for [`Semaphore::acquire`].
    ///
    /// # Panics
    /// If the semaphore is bounded and will never have so many.
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        self.refuse_impossible(count);
        Acquire {
            place: Place::new(self, count, Kind::Permit, Location::caller()),
        }
    }

    /// As [`Semaphore::acquire`], with a permit that shares the semaphore instead of borrowing it, so that it
    /// may go where the semaphore does not.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Semaphore::acquire`].
    ///
    /// # Errors
    /// As for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_owned(self: &Rc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// As [`Semaphore::acquire_many`], with a permit that shares the semaphore.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`Semaphore::acquire`].
    ///
    /// # Errors
    /// As for [`Semaphore::acquire`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire_many`].
    #[track_caller]
    pub fn acquire_many_owned(self: &Rc<Self>, count: usize) -> AcquireOwned {
        self.refuse_impossible(count);
        AcquireOwned {
            place: Place::new(Rc::clone(self), count, Kind::Permit, Location::caller()),
        }
    }

    /// A permit, if there is one and nobody waits.
    ///
    /// # Errors
    /// If there is none for this caller, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// So many permits, if they are there and nobody waits.
    ///
    /// # Errors
    /// As for [`Semaphore::try_acquire`].
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.try_take(count)?;
        Ok(Permit::new(self, count))
    }

    /// As [`Semaphore::try_acquire`], with a permit that shares the semaphore.
    ///
    /// # Errors
    /// As for [`Semaphore::try_acquire`].
    pub fn try_acquire_owned(self: &Rc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`Semaphore::try_acquire_many`], with a permit that shares the semaphore.
    ///
    /// # Errors
    /// As for [`Semaphore::try_acquire`].
    pub fn try_acquire_many_owned(
        self: &Rc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.try_take(count)?;
        Ok(OwnedPermit::new(Rc::clone(self), count))
    }

    fn try_take(&self, count: usize) -> Result<(), TryAcquireError> {
        if self.is_closed.get() {
            return Err(TryAcquireError::Closed);
        }
        if !self.has(count) {
            return Err(TryAcquireError::NoPermits);
        }
        self.take(count);
        Ok(())
    }

    /// Has `count` permits more to lend from now on.
    ///
    /// # Panics
    /// If a bounded semaphore would have more than it began with, those included that it has lent: somebody
    /// gives back what was not lent. If the number does not fit. Nothing is changed then.
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let (permits, lent) = (self.permits.get(), self.lent.get());
        let total = (permits + lent).checked_add(count);
        if total.is_none_or(|total| total > self.permits_max) {
            assert!(
                self.permits_max < usize::MAX,
                "a semaphore has {permits} permits and lent {lent}; {count} more do not fit",
            );
            panic!(
                "a semaphore bounded to {} permits has {permits} and lent {lent}, and was given {count} more: \
                 a release without an acquire",
                self.permits_max,
            );
        }
        self.permits.set(permits + count);
        self.serve();
    }

    /// Takes away as many of `count` permits as are there; says how many. None are taken from who has them,
    /// or was handed them.
    pub fn forget_permits(&self, count: usize) -> usize {
        let taken = self.permits.get().min(count);
        self.permits.set(self.permits.get() - taken);
        taken
    }

    /// How many permits are there. They may be for nobody: the first of the line may ask for more.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.permits.get()
    }

    /// Lends nothing any more, for ever: who waits learns it now, in line, and who comes later at once. What
    /// was lent, or handed over before, stays lent.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.waiters.give_all(|| Handed::Closed);
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> SemaphoreStatistics {
        SemaphoreStatistics {
            available_permits: self.permits.get(),
            lent_permits: self.lent.get(),
            is_closed: self.is_closed.get(),
            waiters: self.waiters.count(),
        }
    }

    #[inline]
    fn lend(&self, count: usize) {
        self.permits.set(self.permits.get() - count);
        self.lent.set(self.lent.get() + count);
    }

    /// `count` permits come back.
    #[inline]
    fn put(&self, count: usize) {
        self.lose(count);
        self.permits.set(self.permits.get() + count);
        self.serve();
    }

    /// `count` permits that were lent will not come back.
    fn lose(&self, count: usize) {
        self.lent.set(self.lent.get() - count);
    }

    #[track_caller]
    fn refuse_impossible(&self, count: usize) {
        assert!(
            count <= self.permits_max,
            "a semaphore bounded to {} permits was asked for {count}: that would wait for ever",
            self.permits_max,
        );
    }
}

impl Line for Semaphore {
    type Handed = Handed;
    type Request = usize;

    #[inline]
    fn waiters(&self) -> &WaitQueue<Handed, usize> {
        &self.waiters
    }

    #[inline]
    fn has(&self, count: usize) -> bool {
        self.is_closed.get() || (count <= self.permits.get() && self.waiters.first().is_none())
    }

    #[inline]
    fn take(&self, count: usize) -> Handed {
        if self.is_closed.get() {
            return Handed::Closed;
        }
        self.lend(count);
        self.last_user.set(Who::is_polled_now());
        Handed::Permits
    }

    #[inline]
    fn serve(&self) -> bool {
        let mut has_served = false;
        while let Some(count) = self.waiters.first() {
            if self.is_closed.get() {
                has_served |= self.waiters.give(Handed::Closed).is_ok();
                continue;
            }
            if count > self.permits.get() {
                break;
            }
            self.lend(count);
            has_served |= self.waiters.give(Handed::Permits).is_ok();
        }
        has_served
    }

    fn put_back(&self, handed: Handed, count: usize) {
        match handed {
            Handed::Permits => self.put(count),
            Handed::Closed => {}
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

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.permits.get())
            .field("is_closed", &self.is_closed.get())
            .finish_non_exhaustive()
    }
}

/// What [`Semaphore::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStatistics {
    /// How many permits are there.
    pub available_permits: usize,
    /// How many are out, or handed over and not fetched.
    pub lent_permits: usize,
    /// Whether it is closed.
    pub is_closed: bool,
    /// How many wait.
    pub waiters: usize,
}

/// The semaphore is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcquireError;

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl std::error::Error for AcquireError {}

/// Why there is no permit at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore is closed.
    Closed,
    /// There are too few permits, or others wait for them.
    NoPermits,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore is closed",
            TryAcquireError::NoPermits => "there are too few permits, or others wait for them",
        })
    }
}

impl std::error::Error for TryAcquireError {}

/// Waits for permits. Made by [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. Permits that were handed over and not
/// fetched go to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Acquire<'a> {
    place: Place<&'a Semaphore>,
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = pinned!(self.as_ref(), place);
        Poll::Ready(match ready!(place.poll(cx)) {
            Handed::Permits => Ok(Permit::new(place.get_ref().line(), place.request())),
            Handed::Closed => Err(AcquireError),
        })
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("count", &self.place.request())
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Waits for permits. Made by [`Semaphore::acquire_owned`] and [`Semaphore::acquire_many_owned`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. Permits that were handed over and not
/// fetched go to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AcquireOwned {
    place: Place<Rc<Semaphore>>,
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = pinned!(self.as_ref(), place);
        Poll::Ready(match ready!(place.poll(cx)) {
            Handed::Permits => {
                let semaphore = Rc::clone(place.get_ref().line());
                Ok(OwnedPermit::new(semaphore, place.request()))
            }
            Handed::Closed => Err(AcquireError),
        })
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireOwned")
            .field("count", &self.place.request())
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
