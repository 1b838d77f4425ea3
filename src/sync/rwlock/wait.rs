//! The futures that wait for a lock for readers and writers.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Access, OwnedReadGuard, OwnedWriteGuard, ReadGuard, RwLock, WriteGuard};
use crate::pin::pinned;
use crate::sync::line::{Place, Who};
use crate::task::wait::Kind;

/// Waits until it may read. Made by [`RwLock::read`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched is free for the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Read<'a, T> {
    place: Place<&'a RwLock<T>>,
}

impl<'a, T> Read<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>, location: &'static Location<'static>) -> Self {
        let place = Place::new(lock, Access::Read, Kind::ReadLock, location);
        Read { place }
    }
}

impl<'a, T> Future for Read<'a, T> {
    type Output = ReadGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ReadGuard<'a, T>> {
        let place = pinned!(self.as_ref(), place);
        ready!(place.poll(cx));
        let lock = place.get_ref().line();
        lock.note_user(Who::is_polled_now());
        Poll::Ready(lock.read_guard())
    }
}

impl<T> fmt::Debug for Read<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Waits until it may write. Made by [`RwLock::write`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Write<'a, T> {
    place: Place<&'a RwLock<T>>,
}

impl<'a, T> Write<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>, location: &'static Location<'static>) -> Self {
        let place = Place::new(lock, Access::Write, Kind::WriteLock, location);
        Write { place }
    }
}

impl<'a, T> Future for Write<'a, T> {
    type Output = WriteGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WriteGuard<'a, T>> {
        let place = pinned!(self.as_ref(), place);
        ready!(place.poll(cx));
        let lock = place.get_ref().line();
        lock.note_user(Who::is_polled_now());
        Poll::Ready(lock.write_guard())
    }
}

impl<T> fmt::Debug for Write<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Waits until it may read. Made by [`RwLock::read_owned`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched is free for the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadOwned<T> {
    place: Place<Rc<RwLock<T>>>,
}

impl<T> ReadOwned<T> {
    pub(super) fn new(lock: Rc<RwLock<T>>, location: &'static Location<'static>) -> Self {
        let place = Place::new(lock, Access::Read, Kind::ReadLock, location);
        ReadOwned { place }
    }
}

impl<T> Future for ReadOwned<T> {
    type Output = OwnedReadGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedReadGuard<T>> {
        let place = pinned!(self.as_ref(), place);
        ready!(place.poll(cx));
        let lock = place.get_ref().line();
        lock.note_user(Who::is_polled_now());
        Poll::Ready(lock.owned_read_guard())
    }
}

impl<T> fmt::Debug for ReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOwned")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Waits until it may write. Made by [`RwLock::write_owned`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A lock that was handed over and not
/// fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WriteOwned<T> {
    place: Place<Rc<RwLock<T>>>,
}

impl<T> WriteOwned<T> {
    pub(super) fn new(lock: Rc<RwLock<T>>, location: &'static Location<'static>) -> Self {
        let place = Place::new(lock, Access::Write, Kind::WriteLock, location);
        WriteOwned { place }
    }
}

impl<T> Future for WriteOwned<T> {
    type Output = OwnedWriteGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedWriteGuard<T>> {
        let place = pinned!(self.as_ref(), place);
        ready!(place.poll(cx));
        let lock = place.get_ref().line();
        lock.note_user(Who::is_polled_now());
        Poll::Ready(lock.owned_write_guard())
    }
}

impl<T> fmt::Debug for WriteOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOwned")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
