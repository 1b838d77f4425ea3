//! `Event`: a flag that tasks wait for.
//!
//! *Model.* Setting it hands a wake to each of those who wait now, and that is theirs: an event that is cleared
//! before they have run lets them go on all the same. Nobody looks at the flag again.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::line::{Line, Place, Who, serve_all};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

/// A flag that tasks wait for; it may be cleared and set again.
///
/// ```
/// use mainspring::sync::Event;
/// use std::rc::Rc;
/// # mainspring::run(async {
/// let event = Rc::new(Event::new());
/// let waiter = mainspring::spawn({
///     let event = Rc::clone(&event);
///     async move { event.wait().await }
/// });
/// mainspring::yield_now().await;
/// event.set();
/// event.clear(); // who waited goes on all the same
/// waiter.await.unwrap();
/// assert!(!event.is_set());
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::Event::new());
/// ```
pub struct Event {
    is_set: Cell<bool>,
    last_user: Cell<Who>,
    waiters: WaitQueue<()>,
    tag: Tag,
}

impl Event {
    /// An event that is not set.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Event {
        Event {
            is_set: Cell::new(false),
            last_user: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Waits until the event is set. Who waits when it is set goes on, also if it is cleared at once.
    ///
    /// # Cancel safety
    /// Safe. A wait that is made again after the event was set and cleared waits for the next time.
    #[track_caller]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait {
            place: Place::new(self, (), Kind::Event, Location::caller()),
        }
    }

    /// Sets the flag and wakes all who wait, in the order in which they began to.
    pub fn set(&self) {
        self.is_set.set(true);
        self.note_user();
        self.waiters.give_all(|| ());
    }

    /// Clears the flag: who comes from now on waits.
    pub fn clear(&self) {
        self.is_set.set(false);
        self.note_user();
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> EventStatistics {
        EventStatistics {
            is_set: self.is_set.get(),
            waiters: self.waiters.count(),
        }
    }

    /// Who sets or clears it may do so again.
    fn note_user(&self) {
        self.last_user.set(Who::is_polled_now());
    }
}

impl Line for Event {
    type Handed = ();
    type Request = ();

    fn waiters(&self) -> &WaitQueue<()> {
        &self.waiters
    }

    fn has(&self, (): ()) -> bool {
        self.is_set.get()
    }

    fn take(&self, (): ()) {}

    fn serve(&self) -> bool {
        serve_all(self)
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

impl Default for Event {
    #[track_caller]
    fn default() -> Event {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set.get())
            .finish_non_exhaustive()
    }
}

/// What [`Event::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStatistics {
    /// Whether the flag is set.
    pub is_set: bool,
    /// How many wait.
    pub waiters: usize,
}

/// Waits until an event is set. Made by [`Event::wait`].
///
/// # Cancel safety
/// Safe. A wait that is made again after the event was set and cleared waits for the next time.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct EventWait<'a> {
    place: Place<&'a Event>,
}

impl Future for EventWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        pinned!(self.as_ref(), place).poll(cx)
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
