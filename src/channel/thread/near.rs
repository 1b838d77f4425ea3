//! The halves of a channel between threads that belong to a loop: [`NearReceiver`] and [`NearSender`].
//!
//! *Role.* They are awaited on their loop's thread, stay there, and say in wait nodes what they wait for.
//!
//! *Model.* The receiver takes what is there in one go and serves it from its own side, so the lock is
//! taken, and the other side's cache line fetched, once per batch. In a bounded channel it takes as much as
//! was asked for, for an item that is not received takes up room.
//!
//! Beside its place in the channel's line, which holds a counted waker, who waits has a wait node in a
//! queue of this thread: nobody wakes it there, it is for those who ask what a task waits for.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::seat::Seat;
use super::shared::{Sending, Shared, Side};
use crate::channel::error::{SendError, TryRecvError, TrySendError};
use crate::pin::{pinned_beside, pinned_in_drop};
use crate::stream::Stream;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;
use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// Receives, on the loop's thread, what [`FarSender`](super::FarSender)s send from others.
///
/// It stays on its thread: it is not `Send`. There is one; tasks that want to share what comes pass it on by
/// a channel of their loop. Its drop makes all sends fail, and drops, on this thread, what was not received.
///
/// It is a [`Stream`] too.
///
/// ```compile_fail,E0277
/// let (_sender, mut receiver) = mainspring::channel::thread::unbounded::<u32>();
/// std::thread::spawn(move || receiver.try_recv()); // it belongs to the thread of the loop
/// ```
pub struct NearReceiver<T> {
    shared: Arc<Shared<T>>,
    /// Taken from the channel, and not received yet.
    batch: VecDeque<T>,
    seat: Seat,
    _local: PhantomData<Rc<T>>,
}

impl<T> NearReceiver<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        made_at: &'static Location<'static>,
    ) -> NearReceiver<T> {
        NearReceiver {
            shared,
            batch: VecDeque::new(),
            seat: Seat::new(Kind::Receive, made_at),
            _local: PhantomData,
        }
    }

    /// Waits for the next item. `None`: there will be no more, because the channel was closed or the last
    /// sender is gone, and all that was sent has been received.
    ///
    /// # Cancel safety
    /// Safe: an item is taken only when it is returned.
    ///
    /// ```
    /// use mainspring::channel::thread;
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = thread::unbounded();
    /// std::thread::spawn(move || {
    ///     for number in 1..=3 {
    ///         sender.send_blocking(number).unwrap();
    ///     }
    /// });
    /// let mut sum = 0;
    /// while let Some(number) = receiver.recv().await {
    ///     sum += number;
    /// }
    /// assert_eq!(sum, 6);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> NearRecv<'_, T> {
        NearRecv {
            receiver: self,
            location: Location::caller(),
            is_waiting: false,
        }
    }

    /// Waits until there are items, and moves as many as are there to the end of `buffer`, but no more than
    /// `max`. Says how many; 0: there will be no more.
    ///
    /// # Cancel safety
    /// Safe: items are taken only when it returns.
    ///
    /// # Panics
    /// If `max` is 0: the answer would look like the end.
    ///
    /// ```
    /// use mainspring::channel::thread;
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = thread::bounded(8);
    /// for number in 0..5 {
    ///     sender.try_send(number).unwrap();
    /// }
    /// let mut numbers = Vec::new();
    /// assert_eq!(receiver.recv_many(&mut numbers, 3).await, 3);
    /// assert_eq!(receiver.recv_many(&mut numbers, 3).await, 2);
    /// assert_eq!(numbers, [0, 1, 2, 3, 4]);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn recv_many<'a>(&'a mut self, buffer: &'a mut Vec<T>, max: usize) -> NearRecvMany<'a, T> {
        assert!(max > 0, "receiving at most 0 items would look like the end");
        NearRecvMany {
            receiver: self,
            buffer,
            max,
            location: Location::caller(),
            is_waiting: false,
        }
    }

    /// Takes an item, if one is there. Works also while no loop runs.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`]; [`TryRecvError::Closed`], if there will be no more.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        if self.batch.is_empty() {
            self.shared.try_batch(&mut self.batch)?;
        }
        self.batch.pop_front().ok_or(TryRecvError::Empty)
    }

    /// Lets nothing more be sent. What is there can be received, then comes the end.
    pub fn close(&mut self) {
        self.shared.close();
    }

    /// Whether nothing more will come, beside what is there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed(Side::Receives)
    }

    /// How many items are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len() + self.shared.len()
    }

    /// Whether no item is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items may be there at once, if there is a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// Ready with `true` when the batch holds something, with `false` at the end.
    #[inline]
    fn poll_batch(
        &mut self,
        cx: &Context<'_>,
        max: usize,
        location: &'static Location<'static>,
    ) -> Poll<bool> {
        if !self.batch.is_empty() {
            return Poll::Ready(true);
        }
        let polled = self.shared.poll_batch(&mut self.batch, max, cx);
        if polled.is_pending() {
            self.seat.wait(cx, location);
        } else {
            self.seat.leave();
        }
        polled
    }

    #[inline]
    fn poll_recv(
        &mut self,
        cx: &Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Option<T>> {
        if !ready!(self.poll_batch(cx, 1, location)) {
            return Poll::Ready(None);
        }
        ready!(poll_spend(cx));
        Poll::Ready(self.batch.pop_front())
    }

    fn stop_waiting(&mut self) {
        self.shared.stop_waiting();
        self.seat.leave();
    }
}

impl<T> Stream for NearReceiver<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let location = Caller::current().unwrap_or(this.seat.made_at());
        this.poll_recv(cx, location)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}

/// Nobody pins the items.
impl<T> Unpin for NearReceiver<T> {}

impl<T> Drop for NearReceiver<T> {
    fn drop(&mut self) {
        self.stop_waiting();
        self.shared.remove(Side::Receives);
    }
}

impl<T> fmt::Debug for NearReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearReceiver")
            .field("batch", &self.batch.len())
            .field("channel", &self.shared)
            .finish()
    }
}

/// Waits for an item. Made by [`NearReceiver::recv`].
///
/// # Cancel safety
/// Safe: an item is taken only when it is returned.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NearRecv<'a, T> {
    receiver: &'a mut NearReceiver<T>,
    location: &'static Location<'static>,
    is_waiting: bool,
}

impl<T> Future for NearRecv<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let polled = this.receiver.poll_recv(cx, this.location);
        this.is_waiting = polled.is_pending();
        polled
    }
}

impl<T> Drop for NearRecv<'_, T> {
    fn drop(&mut self) {
        if self.is_waiting {
            self.receiver.stop_waiting();
        }
    }
}

impl<T> fmt::Debug for NearRecv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearRecv")
            .field("is_waiting", &self.is_waiting)
            .finish_non_exhaustive()
    }
}

/// Waits for items. Made by [`NearReceiver::recv_many`].
///
/// # Cancel safety
/// Safe: items are taken only when it returns.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NearRecvMany<'a, T> {
    receiver: &'a mut NearReceiver<T>,
    buffer: &'a mut Vec<T>,
    max: usize,
    location: &'static Location<'static>,
    is_waiting: bool,
}

impl<T> Future for NearRecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.get_mut();
        let polled = this.receiver.poll_batch(cx, this.max, this.location);
        this.is_waiting = polled.is_pending();
        if !ready!(polled) {
            return Poll::Ready(0);
        }
        if poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        let batch = &mut this.receiver.batch;
        let count = batch.len().min(this.max);
        this.buffer.extend(batch.drain(..count));
        Poll::Ready(count)
    }
}

impl<T> Drop for NearRecvMany<'_, T> {
    fn drop(&mut self) {
        if self.is_waiting {
            self.receiver.stop_waiting();
        }
    }
}

impl<T> fmt::Debug for NearRecvMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearRecvMany")
            .field("max", &self.max)
            .field("is_waiting", &self.is_waiting)
            .finish_non_exhaustive()
    }
}

/// Sends, from the loop's thread, what [`FarReceiver`](super::FarReceiver)s receive on others.
///
/// It stays on its thread: it is not `Send`. A clone sends into the same channel; when the last one is
/// dropped, the receivers get what is there, and then the end.
///
/// ```compile_fail,E0277
/// let (sender, _receiver) = mainspring::channel::thread::unbounded_to_thread::<u32>();
/// std::thread::spawn(move || sender.try_send(1)); // it belongs to the thread of the loop
/// ```
pub struct NearSender<T> {
    shared: Arc<Shared<T>>,
    side: Rc<NearSide>,
}

/// What the senders of one channel share on their thread.
struct NearSide {
    tag: Tag,
    waiters: WaitQueue<()>,
}

impl<T> NearSender<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        made_at: &'static Location<'static>,
    ) -> NearSender<T> {
        let side = Rc::new(NearSide {
            tag: Tag::new(made_at),
            waiters: WaitQueue::new(),
        });
        NearSender { shared, side }
    }

    /// Waits for room, and sends. Who waits longest gets the room that is made next. Without a bound there is
    /// always room.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. An item that was not sent is dropped
    /// with the future.
    ///
    /// # Errors
    /// [`SendError`] with the item, if the channel was closed or the last receiver is gone.
    ///
    /// ```
    /// use mainspring::channel::thread;
    /// # mainspring::run(async {
    /// let (sender, receiver) = thread::bounded_to_thread(1);
    /// let printer = std::thread::spawn(move || {
    ///     let mut sum = 0;
    ///     while let Some(number) = receiver.recv_blocking() {
    ///         sum += number;
    ///     }
    ///     sum
    /// });
    /// for number in 1..=3 {
    ///     sender.send(number).await.unwrap();
    /// }
    /// drop(sender);
    /// assert_eq!(printer.join().unwrap(), 6);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn send(&self, item: T) -> NearSendItem<'_, T> {
        NearSendItem {
            side: &self.side,
            sending: Sending::new(&self.shared, item),
            node: WaitNode::new(Kind::Send, Location::caller()),
        }
    }

    /// Sends, if there is room.
    ///
    /// # Errors
    /// [`TrySendError`] with the item: there is no room, or nobody receives any more.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.shared.try_send(item)
    }

    /// Lets nothing more be sent. What is there can be received.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed(Side::Sends)
    }

    /// How many items are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether no item is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items may be there at once, if there is a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }
}

impl<T> Clone for NearSender<T> {
    fn clone(&self) -> NearSender<T> {
        self.shared.add(Side::Sends);
        NearSender {
            shared: Arc::clone(&self.shared),
            side: Rc::clone(&self.side),
        }
    }
}

impl<T> Drop for NearSender<T> {
    fn drop(&mut self) {
        self.shared.remove(Side::Sends);
    }
}

impl<T> fmt::Debug for NearSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NearSender").field(&self.shared).finish()
    }
}

/// Waits for room, and sends. Made by [`NearSender::send`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. An item that was not sent is dropped with
/// the future.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NearSendItem<'a, T> {
    side: &'a NearSide,
    sending: Sending<'a, T>,
    node: WaitNode<()>,
}

impl<T> Future for NearSendItem<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let side = self.side;
        let (node, sending) = pinned_beside!(self.as_mut(), node, sending);
        if !sending.is_waiting() {
            ready!(poll_spend(cx));
        }
        let polled = sending.poll(cx);
        if polled.is_pending() {
            // Nobody hands anything over here.
            let _ = side.waiters.poll(node, cx, side.tag.number());
        } else {
            let _ = side.waiters.cancel(node);
        }
        polled
    }
}

impl<T> Drop for NearSendItem<'_, T> {
    fn drop(&mut self) {
        let _ = self.side.waiters.cancel(pinned_in_drop!(self, node));
    }
}

impl<T> fmt::Debug for NearSendItem<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearSendItem")
            .field("is_waiting", &self.sending.is_waiting())
            .finish_non_exhaustive()
    }
}
