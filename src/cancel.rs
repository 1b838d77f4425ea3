//! `CancelToken`: asks whoever watches it to come to an end; tokens form a tree.
//!
//! *Why.* To drop a future ends it at once, and nothing in it can wait any more. A token is the other way:
//! it says that the end is wanted, and who watches it goes there by itself, and may await what its clean-up
//! takes. A scope has one, and drops what is left after a while.
//!
//! *Model.* A token is cancelled once, with a reason, and never again otherwise. That reaches every token
//! below it, and none above.
//!
//! ```text
//!            root                 child ──► parent   counted: a token keeps those above it
//!           ╱    ╲                parent ··► child   not counted: a child that is dropped leaves
//!      child      child
//!        │                        cancel: first the reason goes into all of the subtree, level by level;
//!      grandchild                 then all who wait are woken, in that order
//! ```
//!
//! Nothing here recurses, however deep the tree is (hz_a32).
//!
//! *Cost.* A token is one allocation. A wait allocates nothing. To cancel is O(tokens below).

mod reason;
#[cfg(test)]
mod tests;
mod until;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use crate::pin::{pinned, pinned_in_drop};
use crate::slab::{Key, Slab};
use crate::task::budget::poll_spend;
use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

pub use reason::CancelReason;
pub use until::{CancelGuard, RunUntilCancelled};

/// Asks whoever watches it to come to an end. A clone is the same token.
///
/// It stays on its thread. Another thread reaches it through a [`Handle`](crate::Handle): what
/// [`spawn_with`](crate::Handle::spawn_with) runs on the loop's thread finds the token where that thread
/// keeps it.
///
/// ```
/// use mainspring::task::CancelToken;
/// mainspring::run(async {
///     let token = CancelToken::new();
///     let watched = token.child_token();
///     let task = mainspring::spawn(async move {
///         let reason = watched.cancelled().await;
///         format!("cleaned up: {reason}")
///     });
///     token.cancel_with("maintenance");
///     assert_eq!(task.await.unwrap(), "cleaned up: maintenance");
/// })
/// .unwrap();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<mainspring::task::CancelToken>();
/// ```
#[derive(Clone)]
pub struct CancelToken(Rc<Node>);

/// What the clones of a token share.
struct Node {
    /// Written once, when it is cancelled.
    reason: OnceCell<CancelReason>,
    waiters: WaitQueue<()>,
    tag: Tag,
    above: RefCell<Option<Above>>,
    below: RefCell<Slab<Weak<Node>>>,
}

/// Where a token hangs.
struct Above {
    parent: Rc<Node>,
    /// Of the child in its parent's slab.
    key: Key,
}

impl Node {
    fn new(location: &'static Location<'static>) -> Rc<Node> {
        Rc::new(Node {
            reason: OnceCell::new(),
            waiters: WaitQueue::new(),
            tag: Tag::new(location),
            above: RefCell::new(None),
            below: RefCell::new(Slab::new()),
        })
    }

    /// Hangs `child`, which hangs nowhere, below `parent`.
    fn hang(child: &Rc<Node>, parent: Rc<Node>) {
        let key = parent.below.borrow_mut().insert(Rc::downgrade(child));
        *child.above.borrow_mut() = Some(Above { parent, key });
    }

    /// Leaves the parent, which the caller may be the last to have.
    fn leave(&self) -> Option<Rc<Node>> {
        let Above { parent, key } = self.above.borrow_mut().take()?;
        let mut below = parent.below.borrow_mut();
        let child = below.remove(key);
        if below.is_empty() {
            // What many children needed goes with the last of them (hz_h11).
            *below = Slab::new();
        }
        drop(below);
        drop(child);
        Some(parent)
    }

    fn is_cancelled(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Cancels the subtree: all of it is marked before anybody hears of it.
    fn cancel(self: &Rc<Node>, reason: &CancelReason) {
        if self.reason.set(reason.clone()).is_err() {
            return;
        }
        let mut tree = vec![Rc::clone(self)];
        let mut next = 0;
        while let Some(node) = tree.get(next).cloned() {
            let below = node.below.borrow();
            let children = below.iter().filter_map(|(_, child)| child.upgrade());
            tree.extend(children.filter(|child| child.reason.set(reason.clone()).is_ok()));
            next += 1;
        }
        for node in &tree {
            node.waiters.give_all(|| ());
        }
    }
}

impl Drop for Node {
    /// A parent that nobody else has goes here and now, and not within its child's end.
    fn drop(&mut self) {
        let mut parent = self.leave();
        while let Some(node) = parent.and_then(Rc::into_inner) {
            parent = node.leave();
        }
    }
}

impl Default for CancelToken {
    #[track_caller]
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

impl CancelToken {
    /// A token with none above it.
    #[must_use]
    #[track_caller]
    pub fn new() -> CancelToken {
        CancelToken(Node::new(Location::caller()))
    }

    /// A token below this one: cancelled with it, or by itself. Below a cancelled token it is cancelled
    /// from the beginning, for the same reason.
    #[must_use]
    #[track_caller]
    pub fn child_token(&self) -> CancelToken {
        let child = CancelToken::new();
        self.take_over(&child);
        child
    }

    /// Hangs `child`, wherever it hung before, below this token. Nothing happens if that would make a
    /// circle.
    pub(crate) fn adopt(&self, child: &CancelToken) {
        let mut above = Some(Rc::clone(&self.0));
        while let Some(node) = above {
            if Rc::ptr_eq(&node, &child.0) {
                return;
            }
            above = node.above.borrow().as_ref().map(|up| Rc::clone(&up.parent));
        }
        drop(child.0.leave());
        self.take_over(child);
    }

    /// Hangs `child`, which hangs nowhere and has nothing above us below it.
    fn take_over(&self, child: &CancelToken) {
        match self.0.reason.get() {
            Some(reason) => child.0.cancel(&reason.clone()),
            None => Node::hang(&child.0, Rc::clone(&self.0)),
        }
    }

    /// Cancels the token and all below it, without a particular reason.
    pub fn cancel(&self) {
        self.cancel_with(CancelReason::default());
    }

    /// Cancels the token and all below it. The first reason stays; a second cancellation changes nothing.
    pub fn cancel_with(&self, reason: impl Into<CancelReason>) {
        self.0.cancel(&reason.into());
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Why it was cancelled, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        self.0.reason.get().cloned()
    }

    /// Waits until the token is cancelled, and says why. Those who wait for one token are woken in the
    /// order in which they came.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let token = mainspring::task::CancelToken::new();
    /// token.cancel_with("late");
    /// assert_eq!(token.cancelled().await.as_str(), "late");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn cancelled(&self) -> Cancelled {
        Cancelled {
            is_waiting: Cell::new(false),
            node: WaitNode::new(Kind::Cancel, Location::caller()),
            token: self.clone(),
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}

/// Waits for a token to be cancelled. Made by [`CancelToken::cancelled`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Cancelled {
    /// Whether the node may stand in the token's queue.
    is_waiting: Cell<bool>,
    node: WaitNode<()>,
    token: CancelToken,
}

impl Cancelled {
    pub(crate) fn poll_cancelled(self: Pin<&Self>, cx: &Context<'_>) -> Poll<CancelReason> {
        let node = &self.token.0;
        if !node.is_cancelled() {
            self.is_waiting.set(true);
            let number = node.tag.number();
            // A foreign waker's clone may cancel the token before we stand in the queue.
            let woken = node.waiters.poll(pinned!(self, node), cx, number);
            if woken.is_pending() && !node.is_cancelled() {
                return Poll::Pending;
            }
        }
        match node.reason.get() {
            Some(reason) => {
                ready!(poll_spend(cx));
                self.leave_queue(pinned!(self, node));
                Poll::Ready(reason.clone())
            }
            None => unreachable!("a token wakes nobody before it has its reason"),
        }
    }

    fn leave_queue(&self, node: Pin<&WaitNode<()>>) {
        if self.is_waiting.replace(false) {
            let _: Option<()> = self.token.0.waiters.cancel(node);
        }
    }
}

impl Future for Cancelled {
    type Output = CancelReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CancelReason> {
        self.as_ref().poll_cancelled(cx)
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.leave_queue(pinned_in_drop!(self, node));
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
