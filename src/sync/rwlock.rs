//! `RwLock`: many who read, or one who writes, in phases.
//!
//! *Model.* One line for both kinds. Who reads is let in if nobody writes and nobody waits.
//!
//! ```text
//!   readers inside: 2     line: W ── R ── R ── W ── R
//!     both leave  ──►  W  ──►  R and R together  ──►  W  ──►  R
//! ```
//!
//! So a writer that waits holds up the readers that come after it, and neither kind can keep the other out.
//!
//! *Why the value is behind an `Rc`.* An owned read guard shares the value with the other readers, and has no
//! borrow to reach it through. One allocation when the lock is made; a writer has the `Rc` alone.

mod guard;
mod wait;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::line::{Line, Who};
use crate::task::join::TaskId;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::WaitQueue;

pub use guard::{OwnedReadGuard, OwnedWriteGuard, ReadGuard, WriteGuard};
pub use wait::{Read, ReadOwned, Write, WriteOwned};

/// What is expected of the value's place while the lock is held by who asks.
const IS_THERE: &str = "the value of a lock is where its state says";
/// What is expected of a writer.
const IS_ALONE: &str = "who writes shares the value with nobody";

/// A value that many tasks may read at a time, or one may write, also across an `.await`.
///
/// Who waits is served in the order of the first polls. Readers that stand next to each other are let in
/// together; a writer that waits holds up the readers behind it, so nobody starves. For that reason
/// a task that reads and asks to read once more may wait for a writer that waits for itself: lock once.
///
/// ```
/// use mainspring::sync::RwLock;
/// # mainspring::run(async {
/// let lock = RwLock::new(5);
/// {
///     let (one, two) = (lock.read().await, lock.read().await);
///     assert_eq!(*one + *two, 10);
///     assert!(lock.try_write().is_none());
/// }
/// *lock.write().await += 1;
/// assert_eq!(lock.into_inner(), 6);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// send(mainspring::sync::RwLock::new(1));
/// ```
pub struct RwLock<T> {
    readers: Cell<usize>,
    is_written: Cell<bool>,
    /// Who writes, or who read last.
    last_user: Cell<Who>,
    waiters: WaitQueue<(), Access>,
    tag: Tag,
    /// Empty while an owned guard writes.
    value: RefCell<Option<Rc<T>>>,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl<T> RwLock<T> {
    /// A lock around `value`, free.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        RwLock {
            readers: Cell::new(0),
            is_written: Cell::new(false),
            last_user: Cell::new(Who::default()),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
            value: RefCell::new(Some(Rc::new(value))),
        }
    }

    /// Waits, in line, until it may read.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
    /// fetched is free for the next.
    #[track_caller]
    pub fn read(&self) -> Read<'_, T> {
        Read::new(self, Location::caller())
    }

    /// Waits, in line, until it may write.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
    /// fetched goes to the next.
    #[track_caller]
    pub fn write(&self) -> Write<'_, T> {
        Write::new(self, Location::caller())
    }

    /// As [`RwLock::read`], with a guard that shares the lock instead of borrowing it, so that it may go where
    /// the lock does not.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`RwLock::read`].
    #[track_caller]
    pub fn read_owned(self: &Rc<Self>) -> ReadOwned<T> {
        ReadOwned::new(Rc::clone(self), Location::caller())
    }

    /// As [`RwLock::write`], with a guard that shares the lock instead of borrowing it.
    ///
    /// # Cancel safety
    /// Loses its place in line, as [`RwLock::write`].
    #[track_caller]
    pub fn write_owned(self: &Rc<Self>) -> WriteOwned<T> {
        WriteOwned::new(Rc::clone(self), Location::caller())
    }

    /// The right to read, if nobody writes and nobody waits.
    #[must_use = "the guard frees the lock when it is dropped"]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        self.try_take(Access::Read).then(|| self.read_guard())
    }

    /// The right to write, if nobody else has any.
    #[must_use = "the guard frees the lock when it is dropped"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        self.try_take(Access::Write).then(|| self.write_guard())
    }

    /// As [`RwLock::try_read`], with a guard as that of [`RwLock::read_owned`].
    #[must_use = "the guard frees the lock when it is dropped"]
    pub fn try_read_owned(self: &Rc<Self>) -> Option<OwnedReadGuard<T>> {
        self.try_take(Access::Read).then(|| self.owned_read_guard())
    }

    /// As [`RwLock::try_write`], with a guard as that of [`RwLock::write_owned`].
    #[must_use = "the guard frees the lock when it is dropped"]
    pub fn try_write_owned(self: &Rc<Self>) -> Option<OwnedWriteGuard<T>> {
        self.try_take(Access::Write)
            .then(|| self.owned_write_guard())
    }

    fn try_take(&self, access: Access) -> bool {
        let is_there = self.has(access);
        if is_there {
            self.take(access);
        }
        is_there
    }

    /// The value; who has the lock alone needs no guard.
    ///
    /// # Panics
    /// Never: an owned guard that was forgotten keeps a share of the lock, and so nobody has it alone.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        let value = self.value.get_mut().as_mut().expect(IS_THERE);
        Rc::get_mut(value).expect(IS_ALONE)
    }

    /// The value, out of the lock.
    ///
    /// # Panics
    /// Never, as [`RwLock::get_mut`].
    #[must_use]
    pub fn into_inner(self) -> T {
        let value = self.value.into_inner().expect(IS_THERE);
        Rc::into_inner(value).expect(IS_ALONE)
    }

    /// Whether the task that took the lock to write has ended and did not free it; see
    /// [`Mutex::is_broken`](super::Mutex::is_broken).
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_written.get() && self.last_user.get().has_ended()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> RwLockStatistics {
        let writer = self.is_written.get().then(|| self.last_user.get().id());
        RwLockStatistics {
            readers: self.readers.get(),
            is_written: self.is_written.get(),
            writer: writer.flatten(),
            waiters: self.waiters.count(),
        }
    }

    fn read_guard(&self) -> ReadGuard<'_, T> {
        let value = Ref::map(self.value.borrow(), |value| {
            &**value.as_ref().expect(IS_THERE)
        });
        ReadGuard::new(value, self)
    }

    fn write_guard(&self) -> WriteGuard<'_, T> {
        let value = RefMut::map(self.value.borrow_mut(), |value| {
            Rc::get_mut(value.as_mut().expect(IS_THERE)).expect(IS_ALONE)
        });
        WriteGuard::new(value, self)
    }

    fn owned_read_guard(self: &Rc<Self>) -> OwnedReadGuard<T> {
        let value = self.value.borrow().clone();
        OwnedReadGuard::new(value.expect(IS_THERE), Rc::clone(self))
    }

    fn owned_write_guard(self: &Rc<Self>) -> OwnedWriteGuard<T> {
        let value = self.value.borrow_mut().take();
        OwnedWriteGuard::new(value.expect(IS_THERE), Rc::clone(self))
    }

    /// Somebody stops reading.
    fn leave_read(&self) {
        self.readers.set(self.readers.get() - 1);
        self.serve();
    }

    /// Somebody stops writing.
    fn leave_write(&self) {
        self.is_written.set(false);
        self.serve();
    }

    /// Who writes reads from now on, with those who read at the front of the line.
    fn downgrade(&self) {
        self.is_written.set(false);
        self.readers.set(1);
        self.serve();
    }

    fn is_free_for(&self, access: Access) -> bool {
        !self.is_written.get()
            && match access {
                Access::Read => true,
                Access::Write => self.readers.get() == 0,
            }
    }

    fn let_in(&self, access: Access) {
        match access {
            Access::Read => self.readers.set(self.readers.get() + 1),
            Access::Write => self.is_written.set(true),
        }
    }

    fn note_user(&self, user: Who) {
        self.last_user.set(user);
        self.note_peer();
    }

    fn note_peer(&self) {
        let task = self.last_user.get().task;
        self.tag.set_peer(if self.is_written.get() {
            Peer::holder(task)
        } else {
            Peer::last_seen(task)
        });
    }
}

impl<T> Line for RwLock<T> {
    type Handed = ();
    type Request = Access;

    fn waiters(&self) -> &WaitQueue<(), Access> {
        &self.waiters
    }

    fn has(&self, access: Access) -> bool {
        self.is_free_for(access) && self.waiters.first().is_none()
    }

    fn take(&self, access: Access) {
        self.let_in(access);
        self.note_user(Who::is_polled_now());
    }

    fn serve(&self) -> bool {
        let mut has_served = false;
        while let Some(access) = self.waiters.first() {
            if !self.is_free_for(access) {
                break;
            }
            self.let_in(access);
            let task = self.waiters.first_task().unwrap_or(0);
            let core = Who::is_polled_now().core;
            self.note_user(Who { task, core });
            has_served |= self.waiters.give(()).is_ok();
        }
        has_served
    }

    fn put_back(&self, (): (), access: Access) {
        match access {
            Access::Read => self.leave_read(),
            Access::Write => self.leave_write(),
        }
    }

    fn word(&self) -> u64 {
        let word = self.tag.number();
        self.note_peer();
        word
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => text.field("value", &&*guard),
            None => text.field("value", &format_args!("<locked>")),
        };
        text.finish()
    }
}

/// What [`RwLock::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RwLockStatistics {
    /// How many read, or were let in to.
    pub readers: usize,
    /// Whether somebody writes, or was let in to.
    pub is_written: bool,
    /// The task that took it to write or was handed it, if that is a task of ours.
    pub writer: Option<TaskId>,
    /// How many wait, of both kinds.
    pub waiters: usize,
}
