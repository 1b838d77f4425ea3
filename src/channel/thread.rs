//! Channels between a loop's thread and others, in either direction.
//!
//! *Role.* A thread that may block feeds a loop, or works off what a loop hands out. One half, the *near*
//! one, belongs to the loop and stays on its thread; the other, the *far* one, is `Send` and goes anywhere.
//!
//! ```text
//!     another thread                          the loop's thread
//!     FarSender   ──► bounded, unbounded ──►  NearReceiver    recv().await
//!     send_blocking
//!     FarReceiver ◄── bounded_to_thread,  ◄── NearSender      send(item).await
//!     recv_blocking   unbounded_to_thread
//! ```
//!
//! [`oneshot()`] and [`oneshot_to_thread`] do the same for one value.
//!
//! The far half blocks its thread, or is awaited in any executor; on a thread on which a loop runs its
//! blocking calls panic, for the loop must not block.
//!
//! *Promises.* Items come in the order in which they were sent. Who waits for room, or on the far side for an
//! item, is served in order, and nobody else takes what was promised to it. When the last half of one side is
//! dropped, the other learns it at once: receivers get what is there and then the end, senders get their
//! items back. Nobody waits for a half that is gone.
//!
//! *Cost.* A lock for a few moves per item, and per *batch* for the receiver of an unbounded channel. One
//! wake, and one system call, only if the loop sleeps: what is sent while the receiver has not looked yet
//! wakes nobody.
//!
//! *A loop that waits for another thread* is never taken for deadlocked: the far half holds a waker. When the
//! last far half goes, the loop looks again.

mod error;
mod far;
mod line;
#[cfg(all(test, mainspring_loom))]
mod models;
mod near;
mod oneshot;
mod seat;
mod shared;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;
mod wakes;

use std::panic::Location;
use std::sync::Arc;

pub use error::{RecvTimeoutError, SendTimeoutError};
pub use far::{FarReceiver, FarRecv, FarSendItem, FarSender};
pub use near::{NearReceiver, NearRecv, NearRecvMany, NearSendItem, NearSender};
pub use oneshot::{FarOneReceiver, NearOneReceiver, OneSender, oneshot, oneshot_to_thread};

use shared::{Shared, UNBOUNDED};

/// A channel from other threads to this one's loop, with room for so many items.
///
/// # Panics
/// If `capacity` is 0: items would have to be handed over, and there is nobody to wait for on both sides.
///
/// ```
/// use mainspring::channel::thread;
/// # mainspring::run(async {
/// let (sender, mut receiver) = thread::bounded(16);
/// let worker = std::thread::spawn(move || {
///     for number in 0..100 {
///         sender.send_blocking(number).expect("the loop receives");
///     }
/// });
/// let mut count = 0;
/// while receiver.recv().await.is_some() {
///     count += 1;
/// }
/// assert_eq!(count, 100);
/// worker.join().unwrap();
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (FarSender<T>, NearReceiver<T>) {
    to_loop(checked(capacity))
}

/// A channel from other threads to this one's loop, with room for all that comes.
///
/// A sender that is faster than its receiver fills the memory; [`bounded`] makes it wait.
///
/// ```
/// use mainspring::channel::thread;
/// # mainspring::run(async {
/// let (sender, mut receiver) = thread::unbounded();
/// std::thread::spawn(move || sender.try_send(7).unwrap());
/// assert_eq!(receiver.recv().await, Some(7));
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn unbounded<T>() -> (FarSender<T>, NearReceiver<T>) {
    to_loop(UNBOUNDED)
}

/// A channel from this thread's loop to other threads, with room for so many items.
///
/// # Panics
/// If `capacity` is 0, as for [`bounded`].
///
/// ```
/// use mainspring::channel::thread;
/// # mainspring::run(async {
/// let (sender, receiver) = thread::bounded_to_thread(4);
/// let workers: Vec<_> = (0..2)
///     .map(|_| receiver.clone())
///     .map(|receiver| {
///         std::thread::spawn(move || {
///             let mut count = 0;
///             while let Some(_job) = receiver.recv_blocking() {
///                 count += 1;
///             }
///             count
///         })
///     })
///     .collect();
/// drop(receiver);
/// for job in 0..100 {
///     sender.send(job).await.expect("somebody works");
/// }
/// drop(sender);
/// let count: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(count, 100);
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn bounded_to_thread<T>(capacity: usize) -> (NearSender<T>, FarReceiver<T>) {
    from_loop(checked(capacity))
}

/// A channel from this thread's loop to other threads, with room for all that comes.
///
/// ```
/// use mainspring::channel::thread;
/// let (sender, receiver) = thread::unbounded_to_thread();
/// let logger = std::thread::spawn(move || receiver.recv_blocking());
/// sender.try_send("a line").unwrap(); // works outside a loop as well
/// assert_eq!(logger.join().unwrap(), Some("a line"));
/// ```
#[must_use]
#[track_caller]
pub fn unbounded_to_thread<T>() -> (NearSender<T>, FarReceiver<T>) {
    from_loop(UNBOUNDED)
}

#[track_caller]
fn checked(capacity: usize) -> usize {
    assert!(
        capacity > 0,
        "a channel between threads with room for no item could never be sent to"
    );
    capacity
}

#[track_caller]
fn to_loop<T>(capacity: usize) -> (FarSender<T>, NearReceiver<T>) {
    let shared = Arc::new(Shared::new(capacity));
    let receiver = NearReceiver::new(Arc::clone(&shared), Location::caller());
    (FarSender::new(shared), receiver)
}

#[track_caller]
fn from_loop<T>(capacity: usize) -> (NearSender<T>, FarReceiver<T>) {
    let shared = Arc::new(Shared::new(capacity));
    let sender = NearSender::new(Arc::clone(&shared), Location::caller());
    (sender, FarReceiver::new(shared))
}
