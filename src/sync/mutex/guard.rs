//! The guards of a mutex: whoever has one has the value.
//!
//! A guard gives the value back first and frees the lock after, because who is woken by that may be a
//! stranger that asks for the lock at once.

use std::cell::RefMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::{IS_THERE, Mutex};
use crate::sync::raw_lock::RawLock;

/// Frees the lock when it is dropped.
struct Unlock<'a>(&'a RawLock);

impl Drop for Unlock<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.release();
    }
}

/// The value of a locked [`Mutex`]; dropping it frees the lock, for whoever waits longest.
#[must_use = "dropping it frees the lock"]
pub struct MutexGuard<'a, T> {
    // The order matters: the value goes back before the lock is free.
    value: RefMut<'a, T>,
    unlock: Unlock<'a>,
    mutex: &'a Mutex<T>,
}

impl<'a, T> MutexGuard<'a, T> {
    #[inline]
    pub(super) fn new(value: RefMut<'a, T>, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        MutexGuard {
            value,
            unlock: Unlock(&mutex.lock),
            mutex,
        }
    }

    /// The mutex that it is of.
    #[must_use]
    pub fn mutex(this: &MutexGuard<'a, T>) -> &'a Mutex<T> {
        this.mutex
    }

    /// A guard of a part of the value; the lock is held until that is dropped.
    ///
    /// ```
    /// use mainspring::sync::{Mutex, MutexGuard};
    /// # mainspring::run(async {
    /// let mutex = Mutex::new((1, "two"));
    /// let mut number = MutexGuard::map(mutex.lock().await, |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(mutex.into_inner(), (2, "two"));
    /// # }).unwrap();
    /// ```
    pub fn map<U: ?Sized>(
        this: MutexGuard<'a, T>,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        MappedMutexGuard {
            value: RefMut::map(this.value, part),
            unlock: this.unlock,
        }
    }

    /// As [`MutexGuard::map`], for a part that may not be there.
    ///
    /// # Errors
    /// The guard itself, if `part` gives nothing.
    pub fn filter_map<U: ?Sized>(
        this: MutexGuard<'a, T>,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, MutexGuard<'a, T>> {
        let MutexGuard {
            value,
            unlock,
            mutex,
        } = this;
        match RefMut::filter_map(value, part) {
            Ok(value) => Ok(MappedMutexGuard { value, unlock }),
            Err(value) => Err(MutexGuard {
                value,
                unlock,
                mutex,
            }),
        }
    }
}

/// A part of the value of a locked [`Mutex`]. Made by [`MutexGuard::map`].
#[must_use = "dropping it frees the lock"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    value: RefMut<'a, T>,
    unlock: Unlock<'a>,
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// A guard of a part of the part.
    pub fn map<U: ?Sized>(
        this: MappedMutexGuard<'a, T>,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        MappedMutexGuard {
            value: RefMut::map(this.value, part),
            unlock: this.unlock,
        }
    }
}

/// As a [`MutexGuard`], with a share of the mutex instead of a borrow. Made by [`Mutex::lock_owned`].
///
/// A guard that is forgotten takes the value with it, as every forgotten guard takes the lock.
#[must_use = "dropping it frees the lock"]
pub struct OwnedMutexGuard<T> {
    /// There until the drop.
    value: Option<T>,
    mutex: Rc<Mutex<T>>,
}

impl<T> OwnedMutexGuard<T> {
    pub(super) fn new(value: T, mutex: Rc<Mutex<T>>) -> OwnedMutexGuard<T> {
        OwnedMutexGuard {
            value: Some(value),
            mutex,
        }
    }

    /// The mutex that it is of.
    #[must_use]
    pub fn mutex(this: &OwnedMutexGuard<T>) -> &Rc<Mutex<T>> {
        &this.mutex
    }
}

impl<T> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        *self.mutex.value.borrow_mut() = self.value.take();
        self.mutex.lock.release();
    }
}

impl<T> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value.as_ref().expect(IS_THERE)
    }
}

impl<T> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(IS_THERE)
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
