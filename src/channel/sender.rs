//! The sending ends of a channel: `Sender`, `WeakSender`, and the futures that are not about permits.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use super::permit::{OwnedPermit, Permit, Reserve, ReserveOwned};
use super::shared::{Bid, Shared};
use super::{SendError, Statistics, TrySendError};
use crate::pin::{pinned, pinned_in_drop};
use crate::task::core::Core;
use crate::task::wait::{Kind, WaitNode};

/// The end of a channel that sends. A clone is one more sender.
///
/// When the last one is dropped, the receivers get what is there, and then the end.
///
/// It stays on its thread:
///
/// ```compile_fail
/// let (sender, _receiver) = mainspring::channel::unbounded::<u8>();
/// std::thread::spawn(move || sender.try_send(1));
/// ```
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// The sender that is counted already.
    pub(super) fn first(shared: Rc<Shared<T>>) -> Sender<T> {
        Sender { shared }
    }

    pub(super) fn shared(&self) -> &Rc<Shared<T>> {
        &self.shared
    }

    /// Sends `item`: at once, if there is room and nobody waits for it, else when its turn has come. In a
    /// rendezvous it is sent when a receiver has it.
    ///
    /// # Cancel safety
    /// Not safe, because an item that was not sent is dropped with the call. Who must not lose it awaits
    /// [`reserve`](Sender::reserve), and then sends. An item is never sent twice, and never after the drop.
    ///
    /// # Errors
    /// The item comes back if the channel is closed, or closes before its turn.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::bounded(1);
    /// sender.send("first").await.unwrap();
    /// mainspring::spawn(async move { sender.send("second").await });
    /// assert_eq!(receiver.recv().await, Some("first"));
    /// assert_eq!(receiver.recv().await, Some("second"));
    /// assert_eq!(receiver.recv().await, None);
    /// # }).unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn send(&self, item: T) -> SendItem<'_, T> {
        let node = WaitNode::new(Kind::Send, Location::caller());
        node.put(Bid::Item(item));
        SendItem {
            shared: &self.shared,
            node,
        }
    }

    /// Sends `item` if that can be done at once.
    ///
    /// # Errors
    /// The item comes back: `Full` if there is no room, or others wait for it; `Closed` if the channel is.
    ///
    /// ```
    /// use mainspring::channel::{self, TrySendError};
    /// let (sender, receiver) = channel::bounded(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        Core::with_current(|core| self.shared.try_send(core, item))
    }

    /// Waits until there is room for one item, and keeps it for this caller. In a rendezvous, a receiver that
    /// waits is kept for it.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. Room that was handed over goes to the
    /// next.
    ///
    /// # Errors
    /// If the channel is closed, or closes before the turn of this caller.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::bounded(1);
    /// let permit = sender.reserve().await.unwrap();
    /// assert!(sender.try_send(1).is_err());
    /// permit.send(2).unwrap();
    /// assert_eq!(receiver.recv().await, Some(2));
    /// # }).unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(&self.shared, Location::caller())
    }

    /// As [`reserve`](Sender::reserve), with a permit that owns this sender. A clone keeps the sender here:
    /// `sender.clone().reserve_owned()`.
    ///
    /// # Cancel safety
    /// Loses its place in line, and drops the sender. Room that was handed over goes to the next.
    ///
    /// # Errors
    /// If the channel is closed, or closes before the turn of this caller.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::bounded(1);
    /// let permit = sender.reserve_owned().await.unwrap();
    /// let sender = permit.send('a').unwrap();
    /// assert_eq!(receiver.recv().await, Some('a'));
    /// # drop(sender);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn reserve_owned(self) -> ReserveOwned<T> {
        ReserveOwned::new(self, Location::caller())
    }

    /// Keeps room for one item, if there is some.
    ///
    /// # Errors
    /// `Full` if there is no room, or others wait for it; `Closed` if the channel is.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.shared.try_reserve(1)?;
        Ok(Permit::granted(&self.shared))
    }

    /// Keeps room for `count` items, or for none.
    ///
    /// # Errors
    /// `Full` if there is not so much room, or others wait for it; `Closed` if the channel is.
    ///
    /// ```
    /// use mainspring::channel;
    /// let (sender, receiver) = channel::bounded(3);
    /// assert!(sender.try_reserve_many(4).is_err());
    /// for (item, permit) in (0..).zip(sender.try_reserve_many(3).unwrap()) {
    ///     permit.send(item).unwrap();
    /// }
    /// assert_eq!(receiver.len(), 3);
    /// ```
    pub fn try_reserve_many(
        &self,
        count: usize,
    ) -> Result<impl ExactSizeIterator<Item = Permit<'_, T>>, TrySendError<()>> {
        self.shared.try_reserve(count)?;
        let permits: Vec<_> = (0..count).map(|_| Permit::granted(&self.shared)).collect();
        Ok(permits.into_iter())
    }

    /// As [`try_reserve`](Sender::try_reserve), with a permit that owns this sender.
    ///
    /// # Errors
    /// The sender comes back: with `Full` if there is no room, or others wait for it; with `Closed` if the
    /// channel is.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Sender<T>>> {
        match self.shared.try_reserve(1) {
            Ok(()) => Ok(OwnedPermit::granted(self)),
            Err(TrySendError::Full(())) => Err(TrySendError::Full(self)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(self)),
        }
    }

    /// Waits until nobody will receive what would be sent: all receivers are gone, or the channel is closed.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::unbounded::<u8>();
    /// mainspring::spawn(async move { drop(receiver) });
    /// sender.closed().await;
    /// assert!(sender.is_closed());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed {
            shared: &self.shared,
            node: WaitNode::new(Kind::Closed, Location::caller()),
        }
    }

    /// Whether a send would fail.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Closes the channel: nothing more is sent, by no sender. Who waits for room gets an error with its item;
    /// the receivers get what is there, and what permits still send, and then the end.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::unbounded();
    /// sender.try_send(1).unwrap();
    /// sender.close();
    /// assert!(sender.try_send(2).is_err());
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(receiver.recv().await, None);
    /// # }).unwrap();
    /// ```
    pub fn close(&self) {
        self.shared.close();
    }

    /// Closes the channel at once: the receivers get the end, permits are void, and what is there is returned,
    /// in the order in which it would have been received. It counts as done.
    pub fn close_now(&self) -> Vec<T> {
        self.shared.close_now()
    }

    /// Waits until every item that was sent is done: received, and then [said to
    /// be](super::Receiver::task_done).
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// If all receivers are gone and left some of them undone.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::unbounded();
    /// mainspring::spawn(async move {
    ///     while let Some(_work) = receiver.recv().await {
    ///         receiver.task_done();
    ///     }
    /// });
    /// sender.send("work").await.unwrap();
    /// sender.join().await.unwrap();
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn join(&self) -> AllDone<'_, T> {
        AllDone::new(&self.shared, Location::caller())
    }

    /// How many items are in the channel.
    #[must_use]
    pub fn len(&self) -> usize {
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

    /// Whether `other` sends into the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// The channel's figures.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// A sender that does not count: it keeps no receiver waiting.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            shared: Rc::downgrade(&self.shared),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.add_sender();
        Sender::first(Rc::clone(&self.shared))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show_end(f, "Sender", &self.shared)
    }
}

/// A sender that does not count. Made by [`Sender::downgrade`].
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::unbounded();
/// let weak = sender.downgrade();
/// weak.upgrade().unwrap().send(1).await.unwrap();
/// drop(sender);
/// assert!(weak.upgrade().is_none());
/// assert_eq!(receiver.recv().await, Some(1));
/// assert_eq!(receiver.recv().await, None);
/// # }).unwrap();
/// ```
pub struct WeakSender<T> {
    shared: Weak<Shared<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, if one exists still.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let shared = self.shared.upgrade()?;
        shared.has_senders().then(|| {
            shared.add_sender();
            Sender::first(shared)
        })
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender {
            shared: Weak::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

/// Sends an item. Made by [`Sender::send`].
///
/// # Cancel safety
/// Not safe, because an item that was not sent is dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SendItem<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<Bid<T>>,
}

impl<T> Future for SendItem<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let this = self.as_ref();
        this.shared
            .poll_send(pinned!(this, node), cx)
            .map(|answer| match answer {
                Bid::Closed(Some(item)) | Bid::Item(item) => Err(SendError(item)),
                Bid::Sent | Bid::Granted | Bid::Room | Bid::Closed(None) => Ok(()),
            })
    }
}

impl<T> Drop for SendItem<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.shared.cancel_send(pinned_in_drop!(self, node));
    }
}

/// Waits for the end of a channel. Made by [`Sender::closed`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Closed<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<()>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_ref();
        this.shared.poll_closed(pinned!(this, node), cx)
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.shared.cancel_closed(pinned_in_drop!(self, node));
    }
}

/// Waits until all items are done. Made by [`Sender::join`] and [`Receiver::join`](super::Receiver::join).
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AllDone<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<()>,
}

impl<'a, T> AllDone<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        location: &'static Location<'static>,
    ) -> AllDone<'a, T> {
        AllDone {
            shared,
            node: WaitNode::new(Kind::Drained, location),
        }
    }
}

impl<T> Future for AllDone<'_, T> {
    type Output = Result<(), Unfinished>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Unfinished>> {
        let this = self.as_ref();
        let joined = this.shared.poll_join(pinned!(this, node), cx);
        joined.map(|joined| joined.map_err(Unfinished))
    }
}

impl<T> Drop for AllDone<'_, T> {
    fn drop(&mut self) {
        self.shared.cancel_join(pinned_in_drop!(self, node));
    }
}

/// Nobody is left to do what was sent: so many items were not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished(pub u64);

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all receivers are gone, and {} items not done", self.0)
    }
}

impl std::error::Error for Unfinished {}

super::show_future! { SendItem, Closed, AllDone }
