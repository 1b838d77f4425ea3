//! The guards of a lock for readers and writers.
//!
//! As those of a mutex, they give the value back first and free the lock after.

use std::cell::{Ref, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::{IS_ALONE, IS_THERE, RwLock};

/// Leaves the lock when it is dropped.
struct Leave<'a, T> {
    lock: &'a RwLock<T>,
    leave: fn(&RwLock<T>),
}

impl<T> Drop for Leave<'_, T> {
    fn drop(&mut self) {
        (self.leave)(self.lock);
    }
}

/// The right to read the value of an [`RwLock`], until it is dropped.
#[must_use = "dropping it frees the lock"]
pub struct ReadGuard<'a, T> {
    // The order matters: the value goes back before the lock is free.
    value: Ref<'a, T>,
    _leave: Leave<'a, T>,
}

impl<'a, T> ReadGuard<'a, T> {
    pub(super) fn new(value: Ref<'a, T>, lock: &'a RwLock<T>) -> ReadGuard<'a, T> {
        let leave = RwLock::leave_read;
        ReadGuard {
            value,
            _leave: Leave { lock, leave },
        }
    }
}

/// The right to write the value of an [`RwLock`], until it is dropped.
#[must_use = "dropping it frees the lock"]
pub struct WriteGuard<'a, T> {
    value: RefMut<'a, T>,
    leave: Leave<'a, T>,
}

impl<'a, T> WriteGuard<'a, T> {
    pub(super) fn new(value: RefMut<'a, T>, lock: &'a RwLock<T>) -> WriteGuard<'a, T> {
        let leave = RwLock::leave_write;
        WriteGuard {
            value,
            leave: Leave { lock, leave },
        }
    }

    /// Reads from now on; nobody writes in between. The readers at the front of the line are let in.
    ///
    /// ```
    /// use mainspring::sync::{RwLock, WriteGuard};
    /// # mainspring::run(async {
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.write().await;
    /// *guard = 2;
    /// let guard = WriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.read().await), (2, 2));
    /// # }).unwrap();
    /// ```
    pub fn downgrade(this: WriteGuard<'a, T>) -> ReadGuard<'a, T> {
        let WriteGuard { value, mut leave } = this;
        drop(value);
        let guard = leave.lock.read_guard();
        // Its drop lets the first readers in, instead of leaving.
        leave.leave = RwLock::downgrade;
        drop(leave);
        guard
    }
}

/// As a [`ReadGuard`], with a share of the lock instead of a borrow. Made by [`RwLock::read_owned`].
#[must_use = "dropping it frees the lock"]
pub struct OwnedReadGuard<T> {
    /// There until the drop.
    value: Option<Rc<T>>,
    lock: Rc<RwLock<T>>,
}

impl<T> OwnedReadGuard<T> {
    pub(super) fn new(value: Rc<T>, lock: Rc<RwLock<T>>) -> OwnedReadGuard<T> {
        let value = Some(value);
        OwnedReadGuard { value, lock }
    }
}

impl<T> Drop for OwnedReadGuard<T> {
    fn drop(&mut self) {
        self.value = None;
        self.lock.leave_read();
    }
}

/// As a [`WriteGuard`], with a share of the lock instead of a borrow. Made by [`RwLock::write_owned`].
#[must_use = "dropping it frees the lock"]
pub struct OwnedWriteGuard<T> {
    /// There until the drop, and nobody else's.
    value: Option<Rc<T>>,
    lock: Rc<RwLock<T>>,
}

impl<T> OwnedWriteGuard<T> {
    pub(super) fn new(value: Rc<T>, lock: Rc<RwLock<T>>) -> OwnedWriteGuard<T> {
        let value = Some(value);
        OwnedWriteGuard { value, lock }
    }

    /// Reads from now on; nobody writes in between. The readers at the front of the line are let in.
    pub fn downgrade(this: OwnedWriteGuard<T>) -> OwnedReadGuard<T> {
        let lock = Rc::clone(&this.lock);
        // Its drop puts the value back and leaves; whoever writes next stands behind this reader, which has
        // come in before.
        lock.readers.set(1);
        drop(this);
        lock.owned_read_guard()
    }
}

impl<T> Drop for OwnedWriteGuard<T> {
    fn drop(&mut self) {
        *self.lock.value.borrow_mut() = self.value.take();
        self.lock.leave_write();
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Deref for OwnedReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(IS_THERE)
    }
}

impl<T> Deref for OwnedWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(IS_THERE)
    }
}

impl<T> DerefMut for OwnedWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        Rc::get_mut(self.value.as_mut().expect(IS_THERE)).expect(IS_ALONE)
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
