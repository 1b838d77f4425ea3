//! `Start`: a child that says when it is ready, and who waits for that.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::pin::{pinned, pinned_in_drop};
use crate::task::join::JoinHandle;
use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// What the child and who started it share.
struct Slot<V> {
    waiters: WaitQueue<Option<V>>,
    /// What came before anybody waited; `None` in it: nothing will.
    early: Cell<Option<Option<V>>>,
    tag: Tag,
}

/// Says that a child is ready. Given to the child by [`Scope::start`](super::Scope::start).
pub struct Started<V>(Option<Rc<Slot<V>>>);

impl<V> Started<V> {
    /// The child is ready: who started it goes on, with `value`.
    pub fn ready(mut self, value: V) {
        self.send(Some(value));
    }

    fn send(&mut self, value: Option<V>) {
        if let Some(slot) = self.0.take() {
            if let Err(value) = slot.waiters.give(value) {
                slot.early.set(Some(value));
            }
        }
    }
}

impl<V> Drop for Started<V> {
    fn drop(&mut self) {
        self.send(None);
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

/// The two ends: for the child, and for who waits.
#[track_caller]
pub(super) fn pair<V>() -> (Started<V>, Waiting<V>) {
    let location = Location::caller();
    let slot = Rc::new(Slot {
        waiters: WaitQueue::new(),
        early: Cell::new(None),
        tag: Tag::new(location),
    });
    let waiting = Waiting {
        is_waiting: Cell::new(false),
        node: WaitNode::new(Kind::Started, location),
        slot: Rc::clone(&slot),
    };
    (Started(Some(slot)), waiting)
}

/// The wait for a [`Started`].
pub(super) struct Waiting<V> {
    is_waiting: Cell<bool>,
    node: WaitNode<Option<V>>,
    slot: Rc<Slot<V>>,
}

impl<V> Waiting<V> {
    fn poll(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Option<V>> {
        if let Some(value) = self.slot.early.take() {
            return Poll::Ready(value);
        }
        self.is_waiting.set(true);
        let number = self.slot.tag.number();
        let polled = self.slot.waiters.poll(pinned!(self, node), cx, number);
        if polled.is_ready() {
            return polled;
        }
        // A foreign waker's clone may have let the child go on before we stood in the queue.
        match self.slot.early.take() {
            Some(value) => Poll::Ready(value),
            None => Poll::Pending,
        }
    }
}

impl<V> Drop for Waiting<V> {
    fn drop(&mut self) {
        if self.is_waiting.get() {
            drop(self.slot.waiters.cancel(pinned_in_drop!(self, node)));
        }
    }
}

/// Waits for a child to be ready. Made by [`Scope::start`](super::Scope::start).
///
/// # Cancel safety
/// Not safe, because the child is aborted with it, if it was not ready yet.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Start<V, T> {
    waiting: Waiting<V>,
    /// Until it is ready.
    handle: Cell<Option<JoinHandle<T>>>,
}

impl<V, T> Start<V, T> {
    pub(super) fn new(waiting: Waiting<V>, handle: JoinHandle<T>) -> Start<V, T> {
        Start {
            waiting,
            handle: Cell::new(Some(handle)),
        }
    }
}

impl<V, T> Future for Start<V, T> {
    type Output = Result<(V, JoinHandle<T>), NotStarted<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handle) = self.handle.take() else {
            panic!("a start was polled again after the child was ready");
        };
        let this = self.as_ref();
        match pinned!(this, waiting).poll(cx) {
            Poll::Ready(Some(value)) => Poll::Ready(Ok((value, handle))),
            Poll::Ready(None) => Poll::Ready(Err(NotStarted(handle))),
            Poll::Pending => {
                self.handle.set(Some(handle));
                Poll::Pending
            }
        }
    }
}

impl<V, T> Drop for Start<V, T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.abort();
        }
    }
}

impl<V, T> fmt::Debug for Start<V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").finish_non_exhaustive()
    }
}

/// The child ended, or dropped its [`Started`], before it said that it was ready.
pub struct NotStarted<T>(JoinHandle<T>);

impl<T> NotStarted<T> {
    /// The child's handle, to learn how it ended.
    #[must_use]
    pub fn into_handle(self) -> JoinHandle<T> {
        self.0
    }
}

impl<T> fmt::Debug for NotStarted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotStarted").field(&self.0).finish()
    }
}

impl<T> fmt::Display for NotStarted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the child ended before it said that it was ready")
    }
}

impl<T> std::error::Error for NotStarted<T> {}
