//! `OnceCell`: a value that is made once, by whoever asks first, while the others wait.
//!
//! *Model.*
//!
//! ```text
//!   empty ── first get_or_init ──► being filled ── done ──► full, for ever
//!     ▲                               │ failed, panicked or dropped
//!     │ nobody waits                  ▼
//!     └───────────────────────── the job goes to whoever waits longest, with its own initialiser
//! ```

mod init;

use std::cell::{self, Cell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::line::{Line, Place, Who, serve_all};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

use init::Job;
pub use init::{GetOrInit, GetOrTryInit};

/// A value that is set once, and may be made by a future.
///
/// If the task that makes the value is cancelled or fails, the next one that waits makes it. A future that
/// makes the value and asks the same cell for it waits for itself.
///
/// ```
/// use mainspring::sync::OnceCell;
/// use std::time::Duration;
/// # mainspring::run(async {
/// let cell = OnceCell::new();
/// let number = cell.get_or_init(|| async {
///     mainspring::time::sleep(Duration::from_millis(1)).await;
///     7
/// });
/// assert_eq!(*number.await, 7);
/// assert_eq!(*cell.get_or_init(|| async { 8 }).await, 7);
/// assert!(cell.set(9).is_err());
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// send(mainspring::sync::OnceCell::<u8>::new());
/// ```
pub struct OnceCell<T> {
    value: cell::OnceCell<T>,
    /// Whether somebody makes the value, or was handed the job.
    is_being_filled: Cell<bool>,
    /// Those who would make it themselves.
    fillers: WaitQueue<Turn>,
    /// Those who only wait for it.
    readers: Readers,
}

/// What those who wait to make a value are handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Make it.
    Job,
    /// It is there.
    Full,
}

/// Those who only wait for the value; the other line has the cell itself.
struct Readers {
    is_full: Cell<bool>,
    /// Who makes the value, or did last.
    filler: Cell<Who>,
    waiters: WaitQueue<()>,
    tag: Tag,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    #[track_caller]
    pub const fn new() -> OnceCell<T> {
        OnceCell {
            value: cell::OnceCell::new(),
            is_being_filled: Cell::new(false),
            fillers: WaitQueue::new(),
            readers: Readers {
                is_full: Cell::new(false),
                filler: Cell::new(Who { task: 0, core: 0 }),
                waiters: WaitQueue::new(),
                tag: Tag::new(Location::caller()),
            },
        }
    }

    /// The value, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, to be changed, if it is there.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value, out of the cell.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Whether the value is there.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.value.get().is_some()
    }

    /// Sets the value, and wakes all who wait for it.
    ///
    /// # Errors
    /// If it is set already, or somebody makes it; the error has the value that was not set.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.is_set() {
            return Err(SetError::IsSet(value));
        }
        if self.is_being_filled.get() {
            return Err(SetError::IsBeingFilled(value));
        }
        self.fill(value);
        Ok(())
    }

    /// The value; if it is not there, waits until it is made, or makes it, by awaiting what `init` gives.
    ///
    /// # Cancel safety
    /// Safe: what `init` gave is dropped with it, and the job goes to whoever waits longest.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(Job::new(self, init, Location::caller()))
    }

    /// As [`OnceCell::get_or_init`], with a future that may fail.
    ///
    /// # Cancel safety
    /// Safe: what `init` gave is dropped with it, and the job goes to whoever waits longest.
    ///
    /// # Errors
    /// The future gives the error of `init`. The cell stays empty, and the job goes to whoever waits longest.
    #[track_caller]
    pub fn get_or_try_init<F, Fut, E>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(Job::new(self, init, Location::caller()))
    }

    /// Waits until somebody else sets the value.
    ///
    /// # Cancel safety
    /// Safe.
    #[track_caller]
    pub fn wait(&self) -> OnceCellWait<'_, T> {
        OnceCellWait {
            cell: self,
            place: Place::new(&self.readers, (), Kind::OnceCell, Location::caller()),
        }
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> OnceCellStatistics {
        OnceCellStatistics {
            is_set: self.is_set(),
            is_being_filled: self.is_being_filled.get(),
            waiters: self.fillers.count() + self.readers.waiters.count(),
        }
    }

    /// The value is there.
    fn fill(&self, value: T) {
        // Nobody can have been quicker: one at a time fills a cell.
        let _ = self.value.set(value);
        self.is_being_filled.set(false);
        self.readers.is_full.set(true);
        self.fillers.give_all(|| Turn::Full);
        self.readers.waiters.give_all(|| ());
    }

    /// Whoever had the job gives it up.
    fn pass_job_on(&self) {
        self.is_being_filled.set(false);
        self.note_filler(Who::default());
        self.serve();
    }

    fn note_filler(&self, filler: Who) {
        self.readers.filler.set(filler);
        self.readers.note_peer();
    }
}

impl Readers {
    fn note_peer(&self) {
        self.tag.set_peer(Peer::holder(self.filler.get().task));
    }
}

impl<T> Line for OnceCell<T> {
    type Handed = Turn;
    type Request = ();

    fn waiters(&self) -> &WaitQueue<Turn> {
        &self.fillers
    }

    fn has(&self, (): ()) -> bool {
        self.is_set() || !self.is_being_filled.get()
    }

    fn take(&self, (): ()) -> Turn {
        if self.is_set() {
            return Turn::Full;
        }
        self.is_being_filled.set(true);
        self.note_filler(Who::is_polled_now());
        Turn::Job
    }

    fn serve(&self) -> bool {
        let has_waiters = self.fillers.first().is_some();
        if has_waiters && self.is_set() {
            self.fillers.give_all(|| Turn::Full);
            return true;
        }
        if !has_waiters || self.is_being_filled.replace(true) {
            return false;
        }
        let task = self.fillers.first_task().unwrap_or(0);
        let core = Who::is_polled_now().core;
        self.note_filler(Who { task, core });
        self.fillers.give(Turn::Job).is_ok()
    }

    fn put_back(&self, turn: Turn, (): ()) {
        match turn {
            Turn::Job => self.pass_job_on(),
            Turn::Full => {}
        }
    }

    fn word(&self) -> u64 {
        self.readers.word()
    }
}

impl Line for Readers {
    type Handed = ();
    type Request = ();

    fn waiters(&self) -> &WaitQueue<()> {
        &self.waiters
    }

    fn has(&self, (): ()) -> bool {
        self.is_full.get()
    }

    fn take(&self, (): ()) {}

    fn serve(&self) -> bool {
        serve_all(self)
    }

    fn word(&self) -> u64 {
        let word = self.tag.number();
        self.note_peer();
        word
    }
}

impl<T> Default for OnceCell<T> {
    #[track_caller]
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell")
            .field("value", &self.get())
            .field("is_being_filled", &self.is_being_filled.get())
            .finish_non_exhaustive()
    }
}

/// Why a cell could not be set; with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetError<T> {
    /// It is set already.
    IsSet(T),
    /// Somebody makes its value.
    IsBeingFilled(T),
}

impl<T> SetError<T> {
    /// The value that was not set.
    pub fn into_inner(self) -> T {
        match self {
            SetError::IsSet(value) | SetError::IsBeingFilled(value) => value,
        }
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::IsSet(_) => "the cell is set already",
            SetError::IsBeingFilled(_) => "somebody makes the value of the cell",
        })
    }
}

impl<T: fmt::Debug> std::error::Error for SetError<T> {}

/// What [`OnceCell::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnceCellStatistics {
    /// Whether the value is there.
    pub is_set: bool,
    /// Whether somebody makes it, or was handed the job.
    pub is_being_filled: bool,
    /// How many wait, to make it or only for it.
    pub waiters: usize,
}

/// Waits until a cell is set. Made by [`OnceCell::wait`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct OnceCellWait<'a, T> {
    cell: &'a OnceCell<T>,
    place: Place<&'a Readers>,
}

impl<'a, T> Future for OnceCellWait<'a, T> {
    type Output = &'a T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        ready!(pinned!(self.as_ref(), place).poll(cx));
        let value = self.cell.get();
        Poll::Ready(value.expect("who waits for a cell is woken when it is set"))
    }
}

impl<T> fmt::Debug for OnceCellWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCellWait")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
