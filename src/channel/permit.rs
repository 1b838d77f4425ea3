//! Permits: room in a channel that is kept for whoever holds one, and the futures that wait for it.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::SendError;
use super::sender::Sender;
use super::shared::{Bid, Shared};
use crate::pin::{Plain, pinned, pinned_beside, pinned_in_drop};
use crate::task::wait::{Kind, WaitNode};

/// Room for one item. Made by [`Sender::reserve`]; dropped unused, the room goes to who waits longest.
///
/// A permit that is forgotten (`mem::forget`) keeps its room, and keeps a channel that is closed from its end.
#[must_use = "a permit that is dropped gives its room back"]
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
}

impl<'a, T> Permit<'a, T> {
    /// The permit that is counted already.
    pub(super) fn granted(shared: &'a Shared<T>) -> Permit<'a, T> {
        Permit { shared }
    }

    /// Sends `item`, which takes no time.
    ///
    /// # Errors
    /// The item comes back if nobody can receive it any more: all receivers are gone, or `close_now` was
    /// called.
    pub fn send(self, item: T) -> Result<(), SendError<T>> {
        let shared = self.shared;
        mem::forget(self);
        shared.send_permitted(item).map_err(SendError)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.shared.release_permit();
    }
}

/// Room for one item, with its sender. Made by [`Sender::reserve_owned`]; dropped unused, the room goes to
/// who waits longest.
#[must_use = "a permit that is dropped gives its room back"]
pub struct OwnedPermit<T> {
    /// There until the permit is used.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    /// The permit that is counted already.
    pub(super) fn granted(sender: Sender<T>) -> OwnedPermit<T> {
        OwnedPermit {
            sender: Some(sender),
        }
    }

    /// Sends `item`, which takes no time, and gives the sender back.
    ///
    /// # Errors
    /// The item comes back, and the sender is dropped, if nobody can receive it any more: all receivers are
    /// gone, or `close_now` was called.
    pub fn send(mut self, item: T) -> Result<Sender<T>, SendError<T>> {
        match self.sender.take() {
            Some(sender) => match sender.shared().send_permitted(item) {
                Ok(()) => Ok(sender),
                Err(item) => Err(SendError(item)),
            },
            // Nobody else takes it.
            None => Err(SendError(item)),
        }
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.shared().release_permit();
        }
    }
}

/// Waits for room. Made by [`Sender::reserve`].
///
/// # Cancel safety
/// Loses its place in line. Room that was handed over goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Reserve<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<Bid<T>>,
}

impl<'a, T> Reserve<'a, T> {
    #[inline]
    pub(super) fn new(
        shared: &'a Shared<T>,
        location: &'static Location<'static>,
    ) -> Reserve<'a, T> {
        let node = WaitNode::new(Kind::Send, location);
        node.put(Bid::Room);
        Reserve { shared, node }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref();
        this.shared
            .poll_send(pinned!(this, node), cx)
            .map(|answer| match answer {
                Bid::Granted => Ok(Permit::granted(this.shared)),
                _ => Err(SendError(())),
            })
    }
}

impl<T> Drop for Reserve<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.shared.cancel_send(pinned_in_drop!(self, node));
    }
}

/// Waits for room, with a sender of its own. Made by [`Sender::reserve_owned`].
///
/// # Cancel safety
/// Loses its place in line, and drops the sender. Room that was handed over goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReserveOwned<T> {
    /// There until the permit is granted.
    sender: Plain<Option<Sender<T>>>,
    node: WaitNode<Bid<T>>,
}

impl<T> ReserveOwned<T> {
    pub(super) fn new(sender: Sender<T>, location: &'static Location<'static>) -> ReserveOwned<T> {
        let node = WaitNode::new(Kind::Send, location);
        node.put(Bid::Room);
        ReserveOwned {
            sender: Plain(Some(sender)),
            node,
        }
    }
}

impl<T> Future for ReserveOwned<T> {
    type Output = Result<OwnedPermit<T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (node, sender) = pinned_beside!(self, node, sender);
        let Some(shared) = sender.0.as_ref().map(Sender::shared) else {
            panic!("a reservation is not polled again when it is done");
        };
        shared.poll_send(node, cx).map(|answer| {
            let sender = sender.0.take();
            match (answer, sender) {
                (Bid::Granted, Some(sender)) => Ok(OwnedPermit::granted(sender)),
                _ => Err(SendError(())),
            }
        })
    }
}

impl<T> Drop for ReserveOwned<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender.0 {
            sender.shared().cancel_send(pinned_in_drop!(self, node));
        }
    }
}

super::show_future! { Reserve }

macro_rules! show {
    ($($name:ident $(<$lifetime:lifetime>)?,)*) => {$(
        impl<T> fmt::Debug for $name<$($lifetime,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

show! { Permit<'_>, OwnedPermit, ReserveOwned, }
