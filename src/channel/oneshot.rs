//! `oneshot`: one value, sent once: a promise kept by hand.
//!
//! *Model.* One block on the heap, which both ends hold. The value lies in the receiver's wait node, whether
//! the receiver waits or not.
//!
//! ```text
//!     open ── send ──► sent ── received ──► taken
//!      │
//!      ├── the sender is dropped ──► broken: the receiver is told
//!      └── closed by the receiver, or the receiver is dropped: the sender is told, a value comes back
//! ```
//!
//! A send only wakes the receiver; it is polled in its turn.
//!
//! *Cost.* One block for both ends, which comes from the loop's free lists if one of its size is there. Nothing else allocates.
//!
//! *Why the node is in the block.* So the receiver is `Unpin`, and can be awaited by reference in a loop.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::pin::{pinned, pinned_in_drop};
use crate::task::core::Core;
use crate::task::twin::Twin;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// A sender on any thread and a receiver on this one's loop, and the other way round: see [`super::thread`].
pub use super::thread::{oneshot as thread, oneshot_to_thread as to_thread};
pub use super::{RecvError, SendError, TryRecvError};

/// A sender and a receiver of one value.
#[track_caller]
pub(super) fn ends<T>() -> (Sender<T>, Receiver<T>) {
    let here = Location::caller();
    let (sender, receiver) = Twin::pair(|| Shared {
        receiver: WaitQueue::new(),
        senders: WaitQueue::new(),
        state: Cell::new(State::Open),
        is_closed: Cell::new(false),
        node: WaitNode::new(Kind::Oneshot, here),
    });
    (Sender { shared: sender }, Receiver { shared: receiver })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The sender may send yet.
    Open,
    /// It did, and the value was not fetched yet.
    Sent,
    /// It was dropped, or the value was fetched: nothing comes.
    Over,
}

struct Shared<T> {
    receiver: WaitQueue<Option<T>>,
    /// Who waits for the receiver's end.
    senders: WaitQueue<()>,
    state: Cell<State>,
    /// The receiver takes no value any more.
    is_closed: Cell<bool>,
    node: WaitNode<Option<T>>,
}

impl<T> Shared<T> {
    fn node(self: Pin<&Self>) -> Pin<&WaitNode<Option<T>>> {
        pinned!(self, node)
    }

    /// What was handed over, if it was.
    #[inline]
    fn fetch(&self) -> Option<Result<T, RecvError>> {
        if self.node.is_queued() {
            return None;
        }
        if let Some(answer) = self.node.fetch() {
            self.state.set(State::Over);
            return Some(answer.ok_or(RecvError));
        }
        (self.state.get() == State::Over).then_some(Err(RecvError))
    }

    #[inline]
    fn poll(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        Core::with_current(|core| {
            if let Some(answer) = self.fetch() {
                return Poll::Ready(answer);
            }
            if self.receiver.enter(core, self.node(), cx, 0).is_some() {
                return Poll::Pending;
            }
            self.poll_slowly(core, cx)
        })
    }

    /// For a waker that is not the running task's, or another one than before.
    #[cold]
    fn poll_slowly(
        self: Pin<&Self>,
        core: Option<&Core>,
        cx: &Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        if let Poll::Ready(answer) = self.receiver.poll_in(core, self.node(), cx, 0) {
            self.state.set(State::Over);
            return Poll::Ready(answer.ok_or(RecvError));
        }
        if self.state.get() == State::Over {
            // The waker's clone has dropped the sender.
            let _ = self.receiver.cancel(self.node());
            return Poll::Ready(Err(RecvError));
        }
        Poll::Pending
    }

    fn close(&self) {
        self.is_closed.set(true);
        self.senders.give_all(|| ());
    }
}

/// The end that sends. Made by [`oneshot`](super::oneshot()).
///
/// ```compile_fail
/// let (sender, _receiver) = mainspring::channel::oneshot::<u8>();
/// std::thread::spawn(move || sender.send(1));
/// ```
pub struct Sender<T> {
    shared: Twin<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends the value. The receiver is woken, and runs in its turn.
    ///
    /// # Errors
    /// The value comes back if the receiver is gone, or closed.
    ///
    /// ```
    /// use mainspring::channel;
    /// let (sender, receiver) = channel::oneshot();
    /// drop(receiver);
    /// assert_eq!(sender.send(1).unwrap_err().into_inner(), 1);
    /// ```
    #[inline]
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let shared = &*self.shared;
        if shared.is_closed.get() {
            return Err(SendError(value));
        }
        shared.state.set(State::Sent);
        if let Err(value) = shared.receiver.give(Some(value)) {
            shared.node.put(value);
        }
        Ok(())
    }

    /// Whether a send would fail.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.get()
    }

    /// Waits until the receiver is gone, or closed: whoever works for it can stop.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, receiver) = channel::oneshot::<u8>();
    /// mainspring::spawn(async move { drop(receiver) });
    /// sender.closed().await;
    /// assert!(sender.is_closed());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed {
            sender: self,
            node: WaitNode::new(Kind::Closed, Location::caller()),
        }
    }
}

impl<T> Drop for Sender<T> {
    #[inline]
    fn drop(&mut self) {
        if self.shared.state.get() == State::Open {
            self.shared.state.set(State::Over);
            let _ = self.shared.receiver.give(None);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The end that receives: a future of the value, also by reference. Made by [`oneshot`](super::oneshot()).
///
/// # Cancel safety
/// Safe: awaited by reference it keeps its place, and the value stays here until a poll returns it. What is
/// dropped is this end itself, and then the sender is told.
///
/// # Errors
/// If the sender is dropped without sending, or the value was received before.
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::oneshot();
/// mainspring::spawn(async move { sender.send("done") });
/// assert_eq!(receiver.await, Ok("done"));
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Receiver<T> {
    shared: Twin<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Receives the value, if it is there.
    ///
    /// # Errors
    /// `Empty` if it may come yet; `Closed` if it will not.
    ///
    /// ```
    /// use mainspring::channel::{self, TryRecvError};
    /// let (sender, mut receiver) = channel::oneshot();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.shared.fetch() {
            Some(Ok(value)) => Ok(value),
            Some(Err(RecvError)) => Err(TryRecvError::Closed),
            None if self.shared.is_closed.get() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Takes no value any more: a send fails from now on. A value that was sent can still be received.
    pub fn close(&mut self) {
        self.shared.close();
    }

    /// Whether the value has been sent and not been received.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.state.get() == State::Sent
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        self.shared.as_pin().poll(cx)
    }
}

impl<T> Drop for Receiver<T> {
    #[inline]
    fn drop(&mut self) {
        let shared = self.shared.as_pin();
        if self.shared.is_single() && shared.node.is_new() {
            // There is nobody to be told, and the block's end drops what nobody fetched.
            return;
        }
        // A value that nobody fetched; its drop comes last.
        let value = shared.receiver.cancel(shared.node());
        shared.close();
        drop(value);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("is_ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}

/// Waits until a value would come back. Made by [`Sender::closed`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Closed<'a, T> {
    sender: &'a Sender<T>,
    node: WaitNode<()>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_ref();
        let (shared, node) = (&this.sender.shared, pinned!(this, node));
        if shared.is_closed.get()
            || shared.senders.poll(node, cx, 0).is_ready()
            || shared.is_closed.get()
        {
            let _ = shared.senders.cancel(node);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        let _ = self.sender.shared.senders.cancel(node);
    }
}

super::show_future! { Closed }
