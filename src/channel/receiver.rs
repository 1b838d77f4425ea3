//! The receiving end of a channel, and its futures.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::sender::AllDone;
use super::shared::{Gift, Shared};
use super::{Statistics, TryRecvError};
use crate::pin::{pinned, pinned_beside, pinned_in_drop};
use crate::stream::Stream;
use crate::task::caller::Caller;
use crate::task::core::Core;
use crate::task::wait::{Kind, WaitNode};

/// The end of a channel that receives. A clone is one more receiver; each item goes to one of them.
///
/// When the last one is dropped, sends fail, and what is in the channel is dropped.
///
/// It is a [`Stream`] of the items. The stream keeps its place in the line from poll to poll, so an item may
/// be handed to a stream that is not polled any more; it comes out at the next call of any method of this
/// receiver, and goes to the others when this one is dropped.
///
/// ```compile_fail
/// let (_sender, receiver) = mainspring::channel::unbounded::<u8>();
/// std::thread::spawn(move || receiver.try_recv());
/// ```
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The place of the stream in the line, once it has waited.
    seat: Option<Pin<Box<WaitNode<Gift<T>>>>>,
}

impl<T> Receiver<T> {
    /// The receiver that is counted already.
    pub(super) fn first(shared: Rc<Shared<T>>) -> Receiver<T> {
        Receiver { shared, seat: None }
    }

    /// What the stream was handed, and nobody fetched, goes back; a call of this receiver comes before it.
    #[inline]
    fn leave_seat(&self) {
        if let Some(seat) = &self.seat {
            self.shared.cancel_recv(seat.as_ref());
        }
    }

    /// Receives the next item; `None` when the channel is closed and empty, and will stay so.
    ///
    /// Who waits longest gets the next item that is sent.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. No item is lost; one that was handed
    /// over and not fetched goes to the next, or back to the front.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::unbounded();
    /// sender.send(7).await.unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.recv().await, Some(7));
    /// assert_eq!(receiver.recv().await, None);
    /// # }).unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        self.leave_seat();
        Recv {
            shared: &self.shared,
            node: WaitNode::new(Kind::Receive, Location::caller()),
        }
    }

    /// Receives an item, if one is there.
    ///
    /// # Errors
    /// `Empty` if there is none now; `Closed` if none will come.
    ///
    /// ```
    /// use mainspring::channel::{self, TryRecvError};
    /// let (sender, receiver) = channel::unbounded();
    /// sender.try_send('x').unwrap();
    /// assert_eq!(receiver.try_recv(), Ok('x'));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.leave_seat();
        match Core::with_current(|core| self.shared.try_recv(core)) {
            Some(item) => Ok(item),
            None if self.shared.has_ended() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Receives at most `limit` items, as many as are there, and waits only for the first. They are put behind
    /// what is in `items`; their number is returned, which is 0 at the end, or if `limit` is.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. No item is lost.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::unbounded();
    /// for item in 0..5 {
    ///     sender.send(item).await.unwrap();
    /// }
    /// let mut items = Vec::new();
    /// assert_eq!(receiver.recv_many(&mut items, 3).await, 3);
    /// assert_eq!(receiver.recv_many(&mut items, 3).await, 2);
    /// assert_eq!(items, [0, 1, 2, 3, 4]);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn recv_many<'a>(&'a self, items: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        self.leave_seat();
        RecvMany {
            shared: &self.shared,
            items,
            limit,
            node: WaitNode::new(Kind::Receive, Location::caller()),
        }
    }

    /// One item that was received is done: for those who [`join`](Receiver::join).
    ///
    /// # Panics
    /// If it is called more often than items were received.
    #[track_caller]
    pub fn task_done(&self) {
        assert!(
            self.shared.task_done(),
            "task_done was called more often than items were received",
        );
    }

    /// Waits until every item that was sent is [done](Receiver::task_done).
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// None, while this receiver is there.
    #[track_caller]
    pub fn join(&self) -> AllDone<'_, T> {
        AllDone::new(&self.shared, Location::caller())
    }

    /// As [`Sender::close`](super::Sender::close).
    pub fn close(&self) {
        self.shared.close();
    }

    /// As [`Sender::close_now`](super::Sender::close_now).
    pub fn close_now(&self) -> Vec<T> {
        self.leave_seat();
        self.shared.close_now()
    }

    /// Whether sends fail.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// How many items are in the channel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leave_seat();
        self.shared.len()
    }

    /// Whether no item is in the channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For how many items there is room when it is empty; `None` where there is no bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// Whether `other` receives from the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// The channel's figures.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.add_receiver();
        Receiver::first(Rc::clone(&self.shared))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.leave_seat();
        self.shared.remove_receiver();
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let location = Caller::current().unwrap_or(Location::caller());
        let this = self.get_mut();
        let make = || Box::pin(WaitNode::new(Kind::Receive, location));
        let seat = this.seat.get_or_insert_with(make);
        seat.set_location(location);
        this.shared.poll_recv(seat.as_ref(), cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.shared.has_ended().then_some(0);
        (self.shared.len(), most)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show_end(f, "Receiver", &self.shared)
    }
}

/// Receives an item. Made by [`Receiver::recv`].
///
/// # Cancel safety
/// Loses its place in line. No item is lost.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Recv<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<Gift<T>>,
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.as_ref();
        this.shared.poll_recv(pinned!(this, node), cx)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.shared.cancel_recv(pinned_in_drop!(self, node));
    }
}

/// Receives several items. Made by [`Receiver::recv_many`].
///
/// # Cancel safety
/// Loses its place in line. No item is lost.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct RecvMany<'a, T> {
    shared: &'a Shared<T>,
    items: &'a mut Vec<T>,
    limit: usize,
    node: WaitNode<Gift<T>>,
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let (shared, limit) = (self.shared, self.limit);
        if limit == 0 {
            return Poll::Ready(0);
        }
        let (node, items) = pinned_beside!(self, node, items);
        let Some(first) = ready!(shared.poll_recv(node, cx)) else {
            return Poll::Ready(0);
        };
        items.push(first);
        let mut count = 1;
        Core::with_current(|core| {
            // Each item is one unit of the budget, and the rest can wait.
            while count < limit && shared.len() > 0 && core.is_none_or(Core::spend) {
                let Some(item) = shared.try_recv(core) else {
                    break;
                };
                items.push(item);
                count += 1;
            }
        });
        Poll::Ready(count)
    }
}

impl<T> Drop for RecvMany<'_, T> {
    fn drop(&mut self) {
        self.shared.cancel_recv(pinned_in_drop!(self, node));
    }
}

super::show_future! { Recv, RecvMany }
