//! `DelayQueue`: items that become due, each found again by a key.
//!
//! *Model.* The items stand in a map by deadline, and among equals by the order in which they came. One
//! [`Sleep`] waits for the first of them, on whoever's behalf the queue is polled.
//!
//! *Cost.* O(log n) to insert, remove and reset, with a clock read for what is given as a length; O(log n) for each item
//! that comes due, and one timer for any number of items. Places are reused, and nothing is allocated per item but
//! the map's own nodes.
//!
//! *Why not a timer for each item.* O(1) by the wheel, but each would be an allocation of a hundred bytes that
//! must not move, and whoever polls would have to be told which of them fired, by a waker for each.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::Instant;

use super::now;
use super::sleep::Sleep;
use crate::slab::{self, Slab};
use crate::task::budget::poll_spend;

/// Items that come out when they are due, in the order of their deadlines; those with one deadline in the order in
/// which they were inserted or reset.
///
/// It is a [`Stream`](crate::stream::Stream) of [`Due`] items, whose `next` waits for the first; it ends where the
/// queue is empty, and goes on when something is inserted again. Never early; an item inserted with no time at all
/// waits for one turn of the loop. While a task waits for the next item others may be inserted, removed and reset:
/// it waits for the first of them then.
///
/// ```
/// use mainspring::stream::StreamExt;
/// use mainspring::time::DelayQueue;
/// use std::time::Duration;
/// mainspring::run(async {
///     let ms = Duration::from_millis;
///     let mut sessions = DelayQueue::new();
///     let alice = sessions.insert("alice", ms(2));
///     let bob = sessions.insert("bob", ms(3));
///     let eve = sessions.insert("eve", ms(1));
///     sessions.reset(alice, ms(5)); // she was seen again
///     assert_eq!(sessions.remove(eve), Some("eve"));
///     assert_eq!(sessions.next().await.unwrap().item, "bob");
///     assert_eq!(sessions.next().await.unwrap().item, "alice");
///     assert!(sessions.next().await.is_none());
///     assert_eq!(sessions.remove(bob), None);
/// })
/// .unwrap();
/// ```
pub struct DelayQueue<T> {
    items: Slab<Item<T>>,
    order: BTreeMap<Place, slab::Key>,
    next_number: u64,
    /// Made at the first wait.
    sleep: Option<Pin<Box<Sleep>>>,
    /// For which deadline the sleep was set.
    set_for: Instant,
    /// Whether the last poll found nothing due: somebody may be waiting.
    is_waiting: bool,
    /// What is due by then needs no look at the clock.
    seen: Instant,
    made_at: &'static Location<'static>,
}

/// Where an item stands: by its deadline, then by when it came.
type Place = (Instant, u64);

struct Item<T> {
    value: T,
    place: Cell<Place>,
}

/// Names an item of a [`DelayQueue`], and never another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DelayKey(slab::Key);

/// An item that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<T> {
    /// What was inserted.
    pub item: T,
    /// The key it had.
    pub key: DelayKey,
    /// When it was due.
    pub deadline: Instant,
}

impl<T> DelayQueue<T> {
    /// A queue without items.
    #[must_use]
    #[track_caller]
    pub fn new() -> DelayQueue<T> {
        DelayQueue {
            items: Slab::new(),
            order: BTreeMap::new(),
            next_number: 0,
            sleep: None,
            set_for: Instant::ORIGIN,
            is_waiting: false,
            seen: Instant::ORIGIN,
            made_at: Location::caller(),
        }
    }

    /// Adds an item that is due in `delay`, counted from now; with `Duration::MAX` it never is.
    pub fn insert(&mut self, item: T, delay: Duration) -> DelayKey {
        self.insert_at(item, now().saturating_add(delay))
    }

    /// Adds an item that is due at `deadline`.
    pub fn insert_at(&mut self, item: T, deadline: Instant) -> DelayKey {
        let place = self.new_place(deadline);
        let key = self.items.insert(Item {
            value: item,
            place: Cell::new(place),
        });
        self.order.insert(place, key);
        self.follow();
        DelayKey(key)
    }

    /// Takes an item out; `None` if it came out before.
    pub fn remove(&mut self, key: DelayKey) -> Option<T> {
        let item = self.items.remove(key.0)?;
        self.order.remove(&item.place.get());
        self.follow();
        Some(item.value)
    }

    /// Moves an item: it is due in `delay` from now, behind those that are due then already. Says whether it
    /// is still there.
    pub fn reset(&mut self, key: DelayKey, delay: Duration) -> bool {
        self.reset_at(key, now().saturating_add(delay))
    }

    /// Moves an item: it is due at `deadline`, behind those that are due then already. Says whether it is still
    /// there.
    pub fn reset_at(&mut self, key: DelayKey, deadline: Instant) -> bool {
        let place = self.new_place(deadline);
        let Some(item) = self.items.get(key.0) else {
            return false;
        };
        self.order.remove(&item.place.replace(place));
        self.order.insert(place, key.0);
        self.follow();
        true
    }

    /// When an item is due, if it is still there.
    #[must_use]
    pub fn deadline(&self, key: DelayKey) -> Option<Instant> {
        self.items.get(key.0).map(|item| item.place.get().0)
    }

    /// The item that is due first, whether or not it is due yet.
    #[must_use]
    pub fn peek(&self) -> Option<(DelayKey, &T)> {
        let (_, key) = self.order.first_key_value()?;
        let item = self.items.get(*key)?;
        Some((DelayKey(*key), &item.value))
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Drops all items.
    pub fn clear(&mut self) {
        self.order.clear();
        let items = std::mem::replace(&mut self.items, Slab::new());
        self.follow();
        drop(items);
    }

    fn new_place(&mut self, deadline: Instant) -> Place {
        let number = self.next_number;
        self.next_number += 1;
        (deadline, number)
    }

    /// When the first item is due.
    fn first(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first item may be another than before: whoever waits waits for that one.
    fn follow(&mut self) {
        if !self.is_waiting {
            return;
        }
        // An empty queue has nothing to wait for: the past wakes in the next turn.
        self.set_sleep(self.first().unwrap_or(Instant::ORIGIN));
    }

    fn set_sleep(&mut self, deadline: Instant) {
        match &mut self.sleep {
            None => {
                let sleep = Sleep::new(deadline.as_ns(), false, self.made_at);
                self.sleep = Some(Box::pin(sleep));
            }
            Some(_) if self.set_for == deadline => return,
            Some(sleep) => sleep.as_mut().reset(deadline),
        }
        self.set_for = deadline;
    }

    /// The next item that is due; `None` if there are no items.
    ///
    /// # Cancel safety
    /// Safe: an item is taken out in the poll that returns it.
    pub fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Option<Due<T>>> {
        self.is_waiting = false;
        while let Some(first) = self.first() {
            if first <= self.seen {
                ready!(poll_spend(cx));
                return Poll::Ready(self.take_first());
            }
            self.set_sleep(first);
            if let Some(sleep) = &mut self.sleep {
                if sleep.as_ref().poll_elapsed(cx).is_pending() {
                    self.is_waiting = true;
                    return Poll::Pending;
                }
            }
            self.seen = now().max(first);
        }
        Poll::Ready(None)
    }

    fn take_first(&mut self) -> Option<Due<T>> {
        let ((deadline, _), key) = self.order.pop_first()?;
        let item = self.items.remove(key)?;
        Some(Due {
            item: item.value,
            key: DelayKey(key),
            deadline,
        })
    }
}

// Only its sleep must not move, and that stands on the heap.
impl<T> Unpin for DelayQueue<T> {}

impl<T> Default for DelayQueue<T> {
    #[track_caller]
    fn default() -> DelayQueue<T> {
        DelayQueue::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for DelayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.order.iter().filter_map(|((at, _), key)| {
            let item = self.items.get(*key)?;
            Some((at, &item.value))
        });
        f.debug_map().entries(items).finish()
    }
}
