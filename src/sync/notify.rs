//! `Notify`: "look again", for one who waits or for all.
//!
//! *Model.* A notification for one goes to whoever waits longest; if nobody does, one is kept, never more. A
//! notification for all goes to those who have said that they will wait, and is not kept.
//!
//! ```text
//!   notified() ──► the future notes how many notifications for all there were
//!        │ first poll, or enable            more by now? it is done
//!        ▼
//!   the line ──► one: handed over; dropped before it was fetched, it goes to the next
//!            └─► all: handed over; dropped, it is gone
//! ```

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::line::{Line, Place, Who};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

/// Tells one task, or all, that something has changed.
///
/// Whoever waits makes the future first, then looks, and then awaits: no notification after the look is
/// lost.
///
/// ```
/// use mainspring::sync::Notify;
/// use std::cell::Cell;
/// use std::rc::Rc;
/// # mainspring::run(async {
/// let (notify, number) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
/// let waiter = mainspring::spawn({
///     let (notify, number) = (Rc::clone(&notify), Rc::clone(&number));
///     async move {
///         loop {
///             let notified = notify.notified();
///             if number.get() > 0 {
///                 return number.get();
///             }
///             notified.await;
///         }
///     }
/// });
/// mainspring::yield_now().await;
/// number.set(7);
/// notify.notify_one();
/// assert_eq!(waiter.await.unwrap(), 7);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::Notify::new());
/// ```
pub struct Notify {
    /// Whether a notification for one is kept.
    has_permit: Cell<bool>,
    /// How many notifications for all there were.
    rounds: Cell<u64>,
    last_user: Cell<Who>,
    waiters: WaitQueue<Reach, Caller>,
    tag: Tag,
}

/// Whom a notification was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    One,
    All,
}

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The number of notifications for all when its future was made.
    round: u64,
    /// It stands in the line and was not polled there yet.
    is_enabled: bool,
}

impl Notify {
    /// Without a notification.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Notify {
        Notify {
            has_permit: Cell::new(false),
            rounds: Cell::new(0),
            last_user: Cell::new(Who { task: 0, core: 0 }),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Waits for a notification: for one that is kept, for one that comes while it stands in the line, or for
    /// one for all that comes after this call. It stands in the line from its first poll on, or from
    /// [`Notified::enable`] on.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. A notification for one that was handed
    /// over and not fetched goes to the next; one for all is gone.
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        let caller = Caller {
            round: self.rounds.get(),
            is_enabled: false,
        };
        Notified {
            place: Place::new(self, caller, Kind::Notify, Location::caller()),
        }
    }

    /// Notifies whoever waits longest; if nobody does, the next who comes. Only one notification is kept.
    pub fn notify_one(&self) {
        self.last_user.set(Who::is_polled_now());
        self.notify_next();
    }

    fn notify_next(&self) {
        let first = self.waiters.first_or(|caller| caller.is_enabled);
        if first.is_none() || self.waiters.give(Reach::One).is_err() {
            self.has_permit.set(true);
        }
    }

    /// Notifies all who wait now, in the order in which they began to, and those whose futures were made and
    /// not polled yet. None is kept for who comes later.
    pub fn notify_all(&self) {
        self.last_user.set(Who::is_polled_now());
        self.rounds.set(self.rounds.get() + 1);
        self.waiters.give_all(|| Reach::All);
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> NotifyStatistics {
        NotifyStatistics {
            has_permit: self.has_permit.get(),
            waiters: self.waiters.count(),
        }
    }

    fn was_notified(&self, caller: Caller) -> bool {
        caller.round != self.rounds.get()
    }
}

impl Line for Notify {
    type Handed = Reach;
    type Request = Caller;

    fn waiters(&self) -> &WaitQueue<Reach, Caller> {
        &self.waiters
    }

    fn has(&self, caller: Caller) -> bool {
        self.has_permit.get() || self.was_notified(caller)
    }

    fn take(&self, caller: Caller) -> Reach {
        if self.was_notified(caller) {
            return Reach::All;
        }
        self.has_permit.set(false);
        Reach::One
    }

    fn serve(&self) -> bool {
        let first = self.waiters.first_or(|caller| caller.is_enabled);
        if first.is_none() || !self.has_permit.replace(false) {
            return false;
        }
        self.waiters.give(Reach::One).is_ok()
    }

    fn put_back(&self, reach: Reach, _: Caller) {
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

impl Default for Notify {
    #[track_caller]
    fn default() -> Notify {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify")
            .field("has_permit", &self.has_permit.get())
            .finish_non_exhaustive()
    }
}

/// What [`Notify::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifyStatistics {
    /// Whether a notification is kept for the next who comes.
    pub has_permit: bool,
    /// How many wait.
    pub waiters: usize,
}

/// Waits for a notification. Made by [`Notify::notified`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. A notification for one that was handed
/// over and not fetched goes to the next; one for all is gone.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Notified<'a> {
    place: Place<&'a Notify>,
}

impl Notified<'_> {
    /// Joins the line now, before the first poll, so that a notification for one that comes meanwhile is this
    /// one's. Nothing happens if it stands there already, or was notified.
    ///
    /// ```
    /// use mainspring::sync::Notify;
    /// use std::pin::pin;
    /// # mainspring::run(async {
    /// let notify = Notify::new();
    /// let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
    /// first.as_mut().enable();
    /// second.as_mut().enable();
    /// notify.notify_one();
    /// notify.notify_one();
    /// second.await; // none was kept for others
    /// first.await;
    /// # }).unwrap();
    /// ```
    pub fn enable(self: Pin<&mut Self>) {
        let place = pinned!(self.as_ref(), place);
        let caller = place.request();
        if place.is_new() && !place.line().was_notified(caller) {
            let is_enabled = true;
            place.set_request(Caller {
                is_enabled,
                ..caller
            });
            place.join();
            place.line().serve();
        }
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let place = pinned!(self.as_ref(), place);
        let polled = place.poll(cx);
        let caller = place.request();
        if caller.is_enabled {
            let is_enabled = false;
            place.set_request(Caller {
                is_enabled,
                ..caller
            });
        }
        polled.map(|_| ())
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
