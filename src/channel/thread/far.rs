//! The halves of a channel between threads that are for other threads: [`FarSender`] and [`FarReceiver`].
//!
//! *Role.* They go wherever they are sent, may be cloned and shared. A thread without a loop blocks; a task
//! of another loop, or of another executor, awaits. They keep nothing but a waker, and need no loop.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::{RecvTimeoutError, SendTimeoutError};
use super::shared::{Receiving, Sending, Shared, Side};
use crate::channel::error::{SendError, TryRecvError, TrySendError};
use crate::task::thread_waker::{block_until, refuse_in_loop};

/// Sends, from any thread, to the [`NearReceiver`](super::NearReceiver) of a loop.
///
/// A clone sends into the same channel; when the last one is dropped, the receiver gets what is there, and
/// then the end. If the loop sleeps, the first item wakes it; the channel wakes it once, until it has looked.
pub struct FarSender<T>(Arc<Shared<T>>);

impl<T> FarSender<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> FarSender<T> {
        FarSender(shared)
    }

    /// Waits for room, and sends. For tasks: of another loop, or of any executor. Who waits longest gets the
    /// room that is made next. Without a bound there is always room.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. An item that was not sent is dropped
    /// with the future.
    ///
    /// # Errors
    /// [`SendError`] with the item, if the channel was closed or the receiver is gone.
    pub fn send(&self, item: T) -> FarSendItem<'_, T> {
        FarSendItem(Sending::new(&self.0, item))
    }

    /// Blocks this thread until there is room, and sends. Without a bound there always is.
    ///
    /// # Errors
    /// [`SendError`] with the item, if the channel was closed or the receiver is gone.
    ///
    /// # Panics
    /// On a thread on which a loop runs: a loop must not block. There one awaits [`FarSender::send`], or
    /// calls [`FarSender::try_send`].
    ///
    /// ```
    /// use mainspring::channel::thread;
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = thread::bounded(1);
    /// let producer = std::thread::spawn(move || {
    ///     sender.send_blocking("tick").unwrap();
    ///     sender.send_blocking("tock").unwrap(); // waits until the first was received
    /// });
    /// assert_eq!(receiver.recv().await, Some("tick"));
    /// assert_eq!(receiver.recv().await, Some("tock"));
    /// assert_eq!(receiver.recv().await, None);
    /// producer.join().unwrap();
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn send_blocking(&self, item: T) -> Result<(), SendError<T>> {
        refuse_in_loop("FarSender::send_blocking");
        let item = match self.try_send(item) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(item)) => return Err(SendError(item)),
            Err(TrySendError::Full(item)) => item,
        };
        let mut sending = Sending::new(&self.0, item);
        // Without a limit it comes to its end.
        block_until(None, |cx| sending.poll(cx)).unwrap_or(Ok(()))
    }

    /// As [`FarSender::send_blocking`], for no longer than `limit`.
    ///
    /// # Errors
    /// [`SendTimeoutError`] with the item: there was no room in time, or nobody receives any more.
    ///
    /// # Panics
    /// On a thread on which a loop runs.
    #[track_caller]
    pub fn send_timeout(&self, item: T, limit: Duration) -> Result<(), SendTimeoutError<T>> {
        refuse_in_loop("FarSender::send_timeout");
        let item = match self.try_send(item) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(item)) => return Err(SendTimeoutError::Closed(item)),
            Err(TrySendError::Full(item)) => item,
        };
        let mut sending = Sending::new(&self.0, item);
        match block_until(Some(limit), |cx| sending.poll(cx)) {
            Some(Ok(())) => Ok(()),
            Some(Err(SendError(item))) => Err(SendTimeoutError::Closed(item)),
            None => match sending.into_item() {
                Some(item) => Err(SendTimeoutError::Timeout(item)),
                None => Ok(()),
            },
        }
    }

    /// Sends, if there is room; never blocks. Good on any thread.
    ///
    /// # Errors
    /// [`TrySendError`] with the item: there is no room, or nobody receives any more.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(item)
    }

    /// Lets nothing more be sent. What is there can be received.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed(Side::Sends)
    }

    /// How many items are there that the receiver has not taken to its own side.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no such item is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items may be there at once, if there is a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.0.capacity()
    }
}

impl<T> Clone for FarSender<T> {
    fn clone(&self) -> FarSender<T> {
        self.0.add(Side::Sends);
        FarSender(Arc::clone(&self.0))
    }
}

impl<T> Drop for FarSender<T> {
    fn drop(&mut self) {
        self.0.remove(Side::Sends);
    }
}

impl<T> fmt::Debug for FarSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FarSender").field(&self.0).finish()
    }
}

/// Waits for room, and sends. Made by [`FarSender::send`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. An item that was not sent is dropped with
/// the future.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FarSendItem<'a, T>(Sending<'a, T>);

impl<T> Future for FarSendItem<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx)
    }
}

impl<T> fmt::Debug for FarSendItem<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarSendItem")
            .field("is_waiting", &self.0.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Receives, on any thread, what the [`NearSender`](super::NearSender)s of a loop send.
///
/// A clone receives from the same channel: each item goes to one of them, to who waits longest. When the last
/// one is dropped all sends fail, and what was not received is dropped, on that thread.
pub struct FarReceiver<T>(Arc<Shared<T>>);

impl<T> FarReceiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> FarReceiver<T> {
        FarReceiver(shared)
    }

    /// Waits for the next item. For tasks: of another loop, or of any executor. `None`: there will be no more.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. No item is lost; one that was promised
    /// and not fetched goes to the next.
    pub fn recv(&self) -> FarRecv<'_, T> {
        FarRecv(Receiving::new(&self.0))
    }

    /// Blocks this thread until there is an item. `None`: there will be no more, because the channel was
    /// closed or the last sender is gone, and all that was sent has been received.
    ///
    /// # Panics
    /// On a thread on which a loop runs: a loop must not block. There one awaits [`FarReceiver::recv`], or
    /// calls [`FarReceiver::try_recv`].
    #[track_caller]
    pub fn recv_blocking(&self) -> Option<T> {
        refuse_in_loop("FarReceiver::recv_blocking");
        match self.try_recv() {
            Ok(item) => return Some(item),
            Err(TryRecvError::Closed) => return None,
            Err(TryRecvError::Empty) => {}
        }
        let mut receiving = Receiving::new(&self.0);
        block_until(None, |cx| receiving.poll(cx)).flatten()
    }

    /// As [`FarReceiver::recv_blocking`], for no longer than `limit`.
    ///
    /// # Errors
    /// [`RecvTimeoutError`]: there was nothing in time, or there will be no more.
    ///
    /// # Panics
    /// On a thread on which a loop runs.
    ///
    /// ```
    /// use mainspring::channel::thread::{self, RecvTimeoutError};
    /// use std::time::Duration;
    /// let (_sender, receiver) = thread::unbounded_to_thread::<u32>();
    /// let nothing = receiver.recv_timeout(Duration::from_millis(1));
    /// assert_eq!(nothing, Err(RecvTimeoutError::Timeout));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        refuse_in_loop("FarReceiver::recv_timeout");
        match self.try_recv() {
            Ok(item) => return Ok(item),
            Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        let mut receiving = Receiving::new(&self.0);
        match block_until(Some(limit), |cx| receiving.poll(cx)) {
            Some(Some(item)) => Ok(item),
            Some(None) => Err(RecvTimeoutError::Closed),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Takes an item, if one is there that was not promised to somebody who waits; never blocks. Good on any
    /// thread.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`]; [`TryRecvError::Closed`], if there will be no more.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Lets nothing more be sent. What is there can be received, then comes the end.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether nothing more will come, beside what is there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed(Side::Receives)
    }

    /// How many items are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no item is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items may be there at once, if there is a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.0.capacity()
    }
}

impl<T> Clone for FarReceiver<T> {
    fn clone(&self) -> FarReceiver<T> {
        self.0.add(Side::Receives);
        FarReceiver(Arc::clone(&self.0))
    }
}

impl<T> Drop for FarReceiver<T> {
    fn drop(&mut self) {
        self.0.remove(Side::Receives);
    }
}

impl<T> fmt::Debug for FarReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FarReceiver").field(&self.0).finish()
    }
}

/// Waits for an item. Made by [`FarReceiver::recv`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. No item is lost; one that was promised and
/// not fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FarRecv<'a, T>(Receiving<'a, T>);

impl<T> Future for FarRecv<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().0.poll(cx)
    }
}

impl<T> fmt::Debug for FarRecv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarRecv")
            .field("is_waiting", &self.0.is_waiting())
            .finish_non_exhaustive()
    }
}
