//! `broadcast`: every receiver gets every message; who is too slow misses the oldest, and is told how many.
//!
//! *Model.* The messages stand in one ring, each with its number and with how many receivers have yet to get
//! it. A receiver is a number: of the message that it gets next.
//!
//! ```text
//!     sender ──► [ 4 | 5 | 6 | 7 ]      with room for four, 8 pushes 4 out
//!                      ▲       ▲
//!              next: 5         next: 7       and who is at 3 then: Lagged(2), goes on at 5
//! ```
//!
//! A send never waits. A message leaves when the last receiver has it, which gets it without a clone.
//!
//! *Cost.* One allocation per message, which the receivers share until they have it. A send wakes all who
//! wait. A dropped receiver looks at what it has not got.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::pin::{pinned_beside, pinned_in_drop};
use crate::task::core::Core;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitNode, WaitQueue};

pub use super::SendError;

/// A sender and a receiver.
#[track_caller]
pub(super) fn ends<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        ring: RefCell::new(VecDeque::new()),
        first: Cell::new(0),
        capacity,
        sender_count: Cell::new(1),
        receiver_count: Cell::new(1),
        peak: Cell::new(0),
        lost: Cell::new(0),
        waiting: WaitQueue::new(),
        tag: Tag::new(Location::caller()),
    });
    let sender = Sender {
        shared: Rc::clone(&shared),
    };
    (sender, Receiver { shared, next: 0 })
}

/// A message, and how many receivers have yet to get it.
struct Message<T> {
    item: Rc<T>,
    left: usize,
}

struct Shared<T> {
    ring: RefCell<VecDeque<Message<T>>>,
    /// The number of the first message in the ring.
    first: Cell<u64>,
    capacity: usize,
    sender_count: Cell<usize>,
    receiver_count: Cell<usize>,
    peak: Cell<usize>,
    /// How many messages were pushed out before all had them.
    lost: Cell<u64>,
    waiting: WaitQueue<()>,
    tag: Tag,
}

impl<T> Shared<T> {
    /// The number of the message that is sent next.
    fn end(&self) -> u64 {
        self.first.get() + self.ring.borrow().len() as u64
    }

    fn send(&self, item: T) {
        let message = Message {
            item: Rc::new(item),
            left: self.receiver_count.get(),
        };
        let mut ring = self.ring.borrow_mut();
        let pushed_out = if ring.len() == self.capacity {
            self.first.set(self.first.get() + 1);
            self.lost.set(self.lost.get() + 1);
            ring.pop_front()
        } else {
            None
        };
        ring.push_back(message);
        self.peak.set(self.peak.get().max(ring.len()));
        drop(ring);
        let task = Core::with_current(|core| core.and_then(Core::current_task));
        if let Some(task) = task {
            self.tag.set_peer(Peer::last_seen(task.id()));
        }
        self.waiting.give_all(|| ());
        drop(pushed_out);
    }

    /// A receiver has what it is to get at `number`, or does not want it. Messages that all have go.
    fn pass(&self, number: u64) -> Option<Rc<T>> {
        let index = number.checked_sub(self.first.get())?;
        let mut ring = self.ring.borrow_mut();
        let message = ring.get_mut(usize::try_from(index).ok()?)?;
        message.left -= 1;
        if message.left > 0 || index > 0 {
            return Some(Rc::clone(&message.item));
        }
        let item = ring.pop_front().map(|message| message.item);
        self.first.set(self.first.get() + 1);
        item
    }

    /// Those that nobody is to get any more, at the front: for the caller to drop.
    fn take_passed(&self) -> Vec<Rc<T>> {
        let mut ring = self.ring.borrow_mut();
        let passed = ring.iter().take_while(|message| message.left == 0).count();
        self.first.set(self.first.get() + passed as u64);
        ring.drain(..passed).map(|message| message.item).collect()
    }
}

/// The end that sends. A clone sends to the same receivers. Made by [`broadcast`](super::broadcast()).
///
/// ```compile_fail
/// let (sender, _receiver) = mainspring::channel::broadcast(1);
/// std::thread::spawn(move || sender.send(2));
/// ```
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends `item` to every receiver that there is, and says to how many. If there is no room, the oldest
    /// message goes.
    ///
    /// # Errors
    /// The item comes back if there is no receiver.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, mut first) = channel::broadcast(8);
    /// let mut second = sender.subscribe();
    /// assert_eq!(sender.send("to all").unwrap(), 2);
    /// assert_eq!(first.recv().await, Ok("to all"));
    /// assert_eq!(second.recv().await, Ok("to all"));
    /// # }).unwrap();
    /// ```
    pub fn send(&self, item: T) -> Result<usize, SendError<T>> {
        let count = self.shared.receiver_count.get();
        if count == 0 {
            return Err(SendError(item));
        }
        self.shared.send(item);
        Ok(count)
    }

    /// A receiver of all that is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let count = &self.shared.receiver_count;
        count.set(count.get() + 1);
        Receiver {
            shared: Rc::clone(&self.shared),
            next: self.shared.end(),
        }
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count.get()
    }

    /// How many messages some receiver has yet to get.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.ring.borrow().len()
    }

    /// Whether every receiver has every message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The figures of the channel.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let shared = &self.shared;
        Statistics {
            len: self.len(),
            peak: shared.peak.get(),
            capacity: shared.capacity,
            senders: shared.sender_count.get(),
            receivers: shared.receiver_count.get(),
            waiting_receivers: shared.waiting.count(),
            sent: shared.end(),
            pushed_out: shared.lost.get(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        let count = &self.shared.sender_count;
        count.set(count.get() + 1);
        Sender {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.shared.sender_count.get() - 1;
        self.shared.sender_count.set(left);
        if left == 0 {
            self.shared.waiting.give_all(|| ());
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}

/// The end that receives. A clone stands where this one stands, and gets all that this one will. Made by
/// [`broadcast`](super::broadcast()).
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The number of the message that it gets next.
    next: u64,
}

impl<T: Clone> Receiver<T> {
    /// Receives the next message.
    ///
    /// # Cancel safety
    /// Safe: a message counts as received only in the poll that returns it.
    ///
    /// # Errors
    /// `Lagged` if messages were pushed out before this receiver had them; it goes on with the oldest that is
    /// there. `Closed` if all senders are gone and there is nothing left.
    ///
    /// ```
    /// use mainspring::channel::{self, broadcast::RecvError};
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = channel::broadcast(2);
    /// for item in 0..5 {
    ///     sender.send(item).unwrap();
    /// }
    /// drop(sender);
    /// assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
    /// assert_eq!(receiver.recv().await, Ok(3));
    /// assert_eq!(receiver.recv().await, Ok(4));
    /// assert_eq!(receiver.recv().await, Err(RecvError::Closed));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv {
            receiver: self,
            node: WaitNode::new(Kind::Broadcast, Location::caller()),
        }
    }

    /// Receives the next message, if one is there.
    ///
    /// # Errors
    /// As those of [`Receiver::recv`], and `Empty` if there is none now.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let first = self.shared.first.get();
        if self.next < first {
            let missed = first - self.next;
            self.next = first;
            return Err(TryRecvError::Lagged(missed));
        }
        let Some(item) = self.shared.pass(self.next) else {
            let is_over = self.shared.sender_count.get() == 0;
            return Err(if is_over {
                TryRecvError::Closed
            } else {
                TryRecvError::Empty
            });
        };
        self.next += 1;
        drop(self.shared.take_passed());
        Ok(Rc::try_unwrap(item).unwrap_or_else(|item| T::clone(&item)))
    }
}

impl<T> Receiver<T> {
    /// How many messages it has yet to get, without those that it missed.
    #[must_use]
    pub fn len(&self) -> usize {
        let from = self.next.max(self.shared.first.get());
        usize::try_from(self.shared.end() - from).unwrap_or(usize::MAX)
    }

    /// Whether there is no message for it now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        let shared = &self.shared;
        let count = &shared.receiver_count;
        count.set(count.get() + 1);
        let passed = self.next.saturating_sub(shared.first.get());
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        for message in shared.ring.borrow_mut().iter_mut().skip(passed) {
            message.left += 1;
        }
        Receiver {
            shared: Rc::clone(shared),
            next: self.next,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let shared = &self.shared;
        let count = &shared.receiver_count;
        count.set(count.get() - 1);
        let passed = self.next.saturating_sub(shared.first.get());
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        for message in shared.ring.borrow_mut().iter_mut().skip(passed) {
            message.left -= 1;
        }
        drop(shared.take_passed());
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Receives a message. Made by [`Receiver::recv`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    node: WaitNode<()>,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let (node, receiver) = pinned_beside!(self, node, receiver);
        Core::with_current(|core| {
            loop {
                let is_ready = !receiver.is_empty();
                if is_ready && !node.is_queued() && !core.is_none_or(Core::spend) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let answer = match receiver.try_recv() {
                    Ok(item) => Ok(item),
                    Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                    Err(TryRecvError::Closed) => Err(RecvError::Closed),
                    Err(TryRecvError::Empty) => {
                        let shared = &receiver.shared;
                        let word = shared.tag.number();
                        let polled = shared.waiting.poll_in(core, node, cx, word);
                        let has_more = !receiver.is_empty() || shared.sender_count.get() == 0;
                        // A waker's clone may have sent before we stood in the line.
                        if polled.is_pending() && !has_more {
                            return Poll::Pending;
                        }
                        continue;
                    }
                };
                let _ = receiver.shared.waiting.cancel(node);
                return Poll::Ready(answer);
            }
        })
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        let _ = self.receiver.shared.waiting.cancel(node);
    }
}

super::show_future! { Recv }

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// All senders are gone, and there is nothing left.
    Closed,
    /// So many messages were pushed out before this receiver had them.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("nothing will come: the senders are gone"),
            RecvError::Lagged(missed) => write!(f, "too slow: {missed} messages were missed"),
        }
    }
}

impl std::error::Error for RecvError {}

/// Why there is no message at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is nothing now.
    Empty,
    /// All senders are gone, and there is nothing left.
    Closed,
    /// So many messages were pushed out before this receiver had them.
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("there is nothing now"),
            TryRecvError::Closed => RecvError::Closed.fmt(f),
            TryRecvError::Lagged(missed) => RecvError::Lagged(*missed).fmt(f),
        }
    }
}

impl std::error::Error for TryRecvError {}

/// What a broadcast is and was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many messages some receiver has yet to get.
    pub len: usize,
    /// The most that ever were.
    pub peak: usize,
    /// For how many there is room.
    pub capacity: usize,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many of them wait for a message.
    pub waiting_receivers: usize,
    /// How many messages were sent in all.
    pub sent: u64,
    /// How many of them were pushed out before all receivers had them.
    pub pushed_out: u64,
}
