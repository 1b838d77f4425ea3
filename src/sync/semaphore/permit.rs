//! The permits of a semaphore, which come back when they are dropped.

use std::rc::Rc;

use super::Semaphore;

/// Permits of a [`Semaphore`]; dropping it gives them back, to whoever waits longest.
#[must_use = "dropping it gives the permits back"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Permit<'a> {
        Permit { semaphore, count }
    }

    /// How many permits it is.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// They never come back, unless by [`Semaphore::add_permits`].
    pub fn forget(mut self) {
        self.semaphore.lose(std::mem::take(&mut self.count));
    }

    /// Takes `count` permits out of this one; `None`, and nothing is changed, if it has not so many.
    pub fn split(&mut self, count: usize) -> Option<Permit<'a>> {
        self.count = self.count.checked_sub(count)?;
        Some(Permit::new(self.semaphore, count))
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.put(self.count);
    }
}

/// As a [`Permit`], with a share of the semaphore instead of a borrow. Made by
/// [`Semaphore::acquire_owned`].
#[must_use = "dropping it gives the permits back"]
#[derive(Debug)]
pub struct OwnedPermit {
    semaphore: Rc<Semaphore>,
    count: usize,
}

impl OwnedPermit {
    pub(super) fn new(semaphore: Rc<Semaphore>, count: usize) -> OwnedPermit {
        OwnedPermit { semaphore, count }
    }

    /// How many permits it is.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// They never come back, unless by [`Semaphore::add_permits`].
    pub fn forget(mut self) {
        self.semaphore.lose(std::mem::take(&mut self.count));
    }

    /// Takes `count` permits out of this one; `None`, and nothing is changed, if it has not so many.
    pub fn split(&mut self, count: usize) -> Option<OwnedPermit> {
        self.count = self.count.checked_sub(count)?;
        Some(OwnedPermit::new(Rc::clone(&self.semaphore), count))
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.put(self.count);
    }
}
