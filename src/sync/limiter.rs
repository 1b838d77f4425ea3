//! `CapacityLimiter`: so many at a time, where the number may change and each borrower has one token.
//!
//! *Model.* The tokens that are out have the names of their borrowers, so a task that borrows a second one
//! while it has the first is told so, instead of waiting for itself.
//!
//! ```text
//!   total: 3      borrowers: task 7, task 9, key 1      line: task 8 ── task 12 ── …
//!   total is set to 2: nobody is turned out; the next token comes free when two have come back
//! ```
//!
//! *Cost.* A borrower is an entry in an ordered set: O(log n), and its memory is kept while it is used.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::line::{Line, Place, Who};
use crate::pin::pinned;
use crate::task::join::TaskId;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

/// A limit of how many do something at a time, which may be moved while they do.
///
/// Each borrower has one token at most. The borrower is the task that asks, or whoever
/// [`CapacityLimiter::acquire_on_behalf_of`] names.
///
/// ```
/// use mainspring::sync::CapacityLimiter;
/// # mainspring::run(async {
/// let limiter = CapacityLimiter::new(1);
/// let token = limiter.acquire().await.unwrap();
/// assert!(limiter.acquire().await.is_err()); // this task has one
/// assert!(limiter.try_acquire_on_behalf_of(1).is_err());
/// limiter.set_total(2);
/// let other = limiter.acquire_on_behalf_of(1).await.unwrap();
/// assert_eq!(limiter.available(), 0);
/// drop((token, other));
/// assert_eq!(limiter.available(), 2);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::CapacityLimiter::new(1));
/// ```
pub struct CapacityLimiter {
    total: Cell<usize>,
    borrowers: RefCell<BTreeSet<Borrower>>,
    borrowed_peak: Cell<usize>,
    last_user: Cell<Who>,
    /// The request is for whom; nobody while the future was not polled.
    waiters: WaitQueue<Result<(), AlreadyBorrowed>, Option<Borrower>>,
    tag: Tag,
}

/// In whose name a token is borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Borrower {
    /// A task.
    Task(TaskId),
    /// Something else that has a number: a connection, a job.
    Key(u64),
}

impl From<TaskId> for Borrower {
    fn from(id: TaskId) -> Borrower {
        Borrower::Task(id)
    }
}

impl From<u64> for Borrower {
    fn from(key: u64) -> Borrower {
        Borrower::Key(key)
    }
}

impl fmt::Display for Borrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Borrower::Task(id) => write!(f, "task {id}"),
            Borrower::Key(key) => write!(f, "key {key}"),
        }
    }
}

impl CapacityLimiter {
    /// A limiter with `total` tokens.
    #[must_use]
    #[track_caller]
    pub const fn new(total: usize) -> CapacityLimiter {
        CapacityLimiter {
            total: Cell::new(total),
            borrowers: RefCell::new(BTreeSet::new()),
            borrowed_peak: Cell::new(0),
            last_user: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Waits, in line, for a token in the name of the task that awaits; it comes back when it is dropped.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A token that was handed over and not
    /// fetched goes to the next.
    ///
    /// # Errors
    /// The future gives [`AlreadyBorrowed`], if the task has a token.
    ///
    /// # Panics
    /// The future does, where no task is polled.
    #[track_caller]
    pub fn acquire(&self) -> BorrowToken<'_> {
        BorrowToken {
            place: Place::new(self, None, Kind::Permit, Location::caller()),
        }
    }

    /// As [`CapacityLimiter::acquire`], in the name of `borrower`.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`CapacityLimiter::acquire`].
    ///
    /// # Errors
    /// The future gives [`AlreadyBorrowed`], if `borrower` has a token.
    #[track_caller]
    pub fn acquire_on_behalf_of(&self, borrower: impl Into<Borrower>) -> BorrowToken<'_> {
        let borrower = Some(borrower.into());
        BorrowToken {
            place: Place::new(self, borrower, Kind::Permit, Location::caller()),
        }
    }

    /// A token in the name of the task that is polled, if there is one and nobody waits.
    ///
    /// # Errors
    /// If there is none for this caller, or the task has one.
    ///
    /// # Panics
    /// Where no task is polled.
    #[track_caller]
    pub fn try_acquire(&self) -> Result<Token<'_>, TryBorrowError> {
        self.try_acquire_on_behalf_of(current_borrower())
    }

    /// As [`CapacityLimiter::try_acquire`], in the name of `borrower`.
    ///
    /// # Errors
    /// If there is none for this caller, or `borrower` has one.
    pub fn try_acquire_on_behalf_of(
        &self,
        borrower: impl Into<Borrower>,
    ) -> Result<Token<'_>, TryBorrowError> {
        let borrower = borrower.into();
        if !self.has(Some(borrower)) {
            return Err(TryBorrowError::NoTokens);
        }
        match self.take(Some(borrower)) {
            Ok(()) => Ok(Token {
                limiter: self,
                borrower,
            }),
            Err(AlreadyBorrowed) => Err(TryBorrowError::AlreadyBorrowed),
        }
    }

    /// How many tokens there are, borrowed or not.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total.get()
    }

    /// Has `total` tokens from now on. Nobody loses one: where more are out, the next is free when enough
    /// have come back.
    pub fn set_total(&self, total: usize) {
        self.total.set(total);
        self.serve();
    }

    /// How many are out, or handed over.
    #[must_use]
    pub fn borrowed(&self) -> usize {
        self.borrowers.borrow().len()
    }

    /// How many are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.total.get().saturating_sub(self.borrowed())
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> CapacityLimiterStatistics {
        CapacityLimiterStatistics {
            total: self.total.get(),
            borrowed_peak: self.borrowed_peak.get(),
            borrowers: self.borrowers.borrow().iter().copied().collect(),
            waiters: self.waiters.count(),
        }
    }

    fn has_token(&self, borrower: Borrower) -> bool {
        self.borrowers.borrow().contains(&borrower)
    }

    /// A token is out; an error, if it were the borrower's second.
    fn lend(&self, borrower: Borrower) -> Result<(), AlreadyBorrowed> {
        let is_first = self.borrowers.borrow_mut().insert(borrower);
        if !is_first {
            return Err(AlreadyBorrowed);
        }
        self.borrowed_peak
            .set(self.borrowed_peak.get().max(self.borrowed()));
        if let Borrower::Task(id) = borrower {
            let task = id.as_u64();
            self.last_user.set(Who { task, core: 0 });
        }
        Ok(())
    }

    /// A token comes back.
    fn put(&self, borrower: Borrower) {
        self.borrowers.borrow_mut().remove(&borrower);
        self.serve();
    }
}

fn current_borrower() -> Borrower {
    let id = Who::is_polled_now().id();
    Borrower::Task(id.expect(
        "a token is borrowed by the task that is polled, and none is: see `acquire_on_behalf_of`",
    ))
}

/// The name in a request; `BorrowToken` writes it before it waits.
fn named(request: Option<Borrower>) -> Borrower {
    request.expect("a request has a name when it is made")
}

impl Line for CapacityLimiter {
    type Handed = Result<(), AlreadyBorrowed>;
    type Request = Option<Borrower>;

    fn waiters(&self) -> &WaitQueue<Self::Handed, Option<Borrower>> {
        &self.waiters
    }

    /// A second token is refused at once, which is as good as had.
    fn has(&self, request: Option<Borrower>) -> bool {
        self.has_token(named(request)) || self.available() > 0 && self.waiters.first().is_none()
    }

    fn take(&self, request: Option<Borrower>) -> Self::Handed {
        self.lend(named(request))
    }

    fn serve(&self) -> bool {
        let mut has_served = false;
        while let Some(request) = self.waiters.first() {
            if self.available() == 0 && !self.has_token(named(request)) {
                break;
            }
            let handed = self.lend(named(request));
            has_served |= self.waiters.give(handed).is_ok();
        }
        has_served
    }

    fn put_back(&self, handed: Self::Handed, request: Option<Borrower>) {
        if handed.is_ok() {
            self.put(named(request));
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

impl fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapacityLimiter")
            .field("total", &self.total.get())
            .field("borrowed", &self.borrowed())
            .finish_non_exhaustive()
    }
}

/// What [`CapacityLimiter::statistics`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapacityLimiterStatistics {
    /// How many tokens there are, borrowed or not.
    pub total: usize,
    /// How many were out at a time, at most.
    pub borrowed_peak: usize,
    /// Who has one, or was handed one.
    pub borrowers: Vec<Borrower>,
    /// How many wait.
    pub waiters: usize,
}

/// The borrower has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlreadyBorrowed;

impl fmt::Display for AlreadyBorrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this borrower has a token already, and would wait for itself")
    }
}

impl std::error::Error for AlreadyBorrowed {}

/// Why there is no token at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryBorrowError {
    /// All are out, or others wait for them.
    NoTokens,
    /// The borrower has one.
    AlreadyBorrowed,
}

impl fmt::Display for TryBorrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryBorrowError::NoTokens => f.write_str("all tokens are out, or others wait for them"),
            TryBorrowError::AlreadyBorrowed => AlreadyBorrowed.fmt(f),
        }
    }
}

impl std::error::Error for TryBorrowError {}

/// A token of a [`CapacityLimiter`]; dropping it gives it back, to whoever waits longest.
#[must_use = "dropping it gives the token back"]
#[derive(Debug)]
pub struct Token<'a> {
    limiter: &'a CapacityLimiter,
    borrower: Borrower,
}

impl Token<'_> {
    /// In whose name it was borrowed.
    #[must_use]
    pub fn borrower(&self) -> Borrower {
        self.borrower
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.limiter.put(self.borrower);
    }
}

/// Waits for a token. Made by [`CapacityLimiter::acquire`] and [`CapacityLimiter::acquire_on_behalf_of`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A token that was handed over and not
/// fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BorrowToken<'a> {
    place: Place<&'a CapacityLimiter>,
}

impl<'a> Future for BorrowToken<'a> {
    type Output = Result<Token<'a>, AlreadyBorrowed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = pinned!(self.as_ref(), place);
        if place.request().is_none() {
            place.set_request(Some(current_borrower()));
        }
        place.poll(cx).map(|handed| {
            handed.map(|()| Token {
                limiter: place.get_ref().line(),
                borrower: named(place.request()),
            })
        })
    }
}

impl fmt::Debug for BorrowToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowToken")
            .field("borrower", &self.place.request())
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
