//! Channels: items that go from task to task, in order, without a lock.
//!
//! *Role.* The tasks of one thread give each other work and results. Everything here stays on its thread
//! and has no atomics, but for what [`thread`] makes: that goes to other threads, and comes from there.
//!
//! | made by | |
//! |---|---|
//! | [`bounded`] | so many items and no more: who sends waits for room |
//! | [`unbounded`] | as many as memory holds: a send never waits |
//! | [`rendezvous`] | none: who sends waits until a receiver has the item |
//! | [`lifo`] | the last item sent comes out first |
//! | [`priority`], [`bounded_priority`] | the least item comes out first |
//! | [`oneshot()`] | one value, once |
//! | [`broadcast()`] | every receiver gets every message |
//! | [`watch()`] | the latest value |
//!
//! The first six share their ends, [`Sender`] and [`Receiver`], of which there may be any number.
//!
//! *Model.* An item meets who waits for it, and room meets who waits for that; neither can be snatched by
//! who comes later.
//!
//! ```text
//!     send ──► receiver waits? ── yes ──► into its hands, it is woken
//!                │ no
//!                ▼
//!              room? ── yes ──► buffer ──► recv ──► its room goes to the sender that waits longest
//!                │ no
//!                ▼
//!              the line: the item waits with its sender
//! ```
//!
//! *Cost.* Send and receive are O(1), by priority O(log n). Once warm they allocate nothing; who waits brings
//! its place in the line along.
//!
//! *Why not std's.* `std::sync::mpsc` blocks the thread, and with it every task.

pub mod broadcast;
mod buffer;
mod error;
mod line;
pub mod oneshot;
mod permit;
mod receiver;
mod sender;
mod shared;
mod statistics;
pub mod watch;

pub mod thread;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use permit::{OwnedPermit, Permit, Reserve, ReserveOwned};
pub use receiver::{Receiver, Recv, RecvMany};
pub use sender::{AllDone, Closed, SendItem, Sender, Unfinished, WeakSender};
pub use statistics::Statistics;

use buffer::Order;
use shared::{Shared, UNBOUNDED};

/// `Debug` for futures, of which there is nothing to show.
macro_rules! show_future {
    ($($name:ident),*) => {$(
        impl<T> std::fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("is_waiting", &self.node.is_queued())
                    .finish_non_exhaustive()
            }
        }
    )*};
}

use show_future;

fn show_end<T>(f: &mut fmt::Formatter<'_>, name: &str, shared: &Shared<T>) -> fmt::Result {
    f.debug_struct(name)
        .field("len", &shared.len())
        .field("capacity", &shared.capacity())
        .field("is_closed", &shared.is_closed())
        .finish_non_exhaustive()
}

fn ends<T>(
    capacity: usize,
    order: Order<T>,
    made_at: &'static Location<'static>,
) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared::new(capacity, order, made_at));
    (Sender::first(Rc::clone(&shared)), Receiver::first(shared))
}

/// A channel with room for `capacity` items; who sends more waits. First in, first out.
///
/// # Panics
/// If `capacity` is 0: that is a [`rendezvous`].
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::bounded(2);
/// let producer = mainspring::spawn(async move {
///     for item in 0..5 {
///         sender.send(item).await.unwrap();
///     }
/// });
/// let mut sum = 0;
/// while let Some(item) = receiver.recv().await {
///     sum += item;
/// }
/// assert_eq!(sum, 10);
/// # producer.await.unwrap();
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "a channel without room is made by channel::rendezvous"
    );
    ends(capacity, Order::FirstIn, Location::caller())
}

/// A channel without a bound: a send never waits. First in, first out.
///
/// A producer that is faster than its consumer fills the memory; [`bounded`] makes it wait.
///
/// ```
/// let (sender, receiver) = mainspring::channel::unbounded();
/// sender.try_send(1).unwrap();
/// sender.try_send(2).unwrap();
/// assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
/// ```
#[must_use]
#[track_caller]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    ends(UNBOUNDED, Order::FirstIn, Location::caller())
}

/// A channel without room: a send is done when a receiver has the item.
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::rendezvous();
/// assert!(sender.try_send(1).is_err());
/// let producer = mainspring::spawn(async move { sender.send(2).await });
/// assert_eq!(receiver.recv().await, Some(2));
/// # producer.await.unwrap().unwrap();
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    ends(0, Order::FirstIn, Location::caller())
}

/// A channel without a bound, from which the last item sent comes out first.
///
/// ```
/// let (sender, receiver) = mainspring::channel::lifo();
/// sender.try_send(1).unwrap();
/// sender.try_send(2).unwrap();
/// assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(2), Ok(1)));
/// ```
#[must_use]
#[track_caller]
pub fn lifo<T>() -> (Sender<T>, Receiver<T>) {
    ends(UNBOUNDED, Order::LastIn, Location::caller())
}

/// A channel without a bound, from which the least item comes out first, and of equal ones the first sent.
/// [`Reverse`](std::cmp::Reverse) turns that round.
///
/// `Ord` is called when an item is taken out. If it panics, no item is lost; if it uses this very channel, it
/// finds none of those that are being compared.
///
/// ```
/// let (sender, receiver) = mainspring::channel::priority();
/// for item in [(2, 'a'), (1, 'b'), (2, 'c')] {
///     sender.try_send(item).unwrap();
/// }
/// assert_eq!(receiver.try_recv(), Ok((1, 'b')));
/// assert_eq!(receiver.try_recv(), Ok((2, 'a')));
/// ```
#[must_use]
#[track_caller]
pub fn priority<T: Ord>() -> (Sender<T>, Receiver<T>) {
    ends(UNBOUNDED, Order::Least(T::cmp), Location::caller())
}

/// As [`priority`], with room for `capacity` items. Who waits for room is served in order of arrival.
///
/// # Panics
/// If `capacity` is 0.
#[must_use]
#[track_caller]
pub fn bounded_priority<T: Ord>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "a channel without room is made by channel::rendezvous"
    );
    ends(capacity, Order::Least(T::cmp), Location::caller())
}

/// A channel for one value: a promise, kept by hand.
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::oneshot();
/// mainspring::spawn(async move { sender.send(6 * 7) });
/// assert_eq!(receiver.await, Ok(42));
/// # }).unwrap();
/// ```
#[track_caller]
pub fn oneshot<T>() -> (oneshot::Sender<T>, oneshot::Receiver<T>) {
    oneshot::ends()
}

/// A channel in which every receiver gets every message, of which it keeps at most `capacity`.
///
/// # Panics
/// If `capacity` is 0.
///
/// ```
/// use mainspring::channel;
/// let (sender, mut first) = channel::broadcast(8);
/// let mut second = sender.subscribe();
/// sender.send(1).unwrap();
/// assert_eq!((first.try_recv(), second.try_recv()), (Ok(1), Ok(1)));
/// ```
#[must_use]
#[track_caller]
pub fn broadcast<T>(capacity: usize) -> (broadcast::Sender<T>, broadcast::Receiver<T>) {
    assert!(capacity > 0, "a broadcast without room keeps no message");
    broadcast::ends(capacity)
}

/// A value that changes, of which the receivers see the latest, beginning with `initial`.
///
/// ```
/// use mainspring::channel;
/// let (sender, receiver) = channel::watch(1);
/// sender.send(2).unwrap();
/// sender.send(3).unwrap();
/// assert_eq!(*receiver.borrow(), 3);
/// ```
#[must_use]
#[track_caller]
pub fn watch<T>(initial: T) -> (watch::Sender<T>, watch::Receiver<T>) {
    watch::ends(initial)
}
