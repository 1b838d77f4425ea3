//! `Seat`: the wait node of the one who waits at a receiver that belongs to a loop.
//!
//! *Role.* What wakes it is a waker on the far side. The node is for those who ask what a task waits for: it
//! names the channel, and the line that waits.
//!
//! *Cost.* One allocation, at the first wait.

use std::cell::OnceCell;
use std::panic::Location;
use std::pin::Pin;
use std::task::Context;

use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// The latest waker replaces the one before.
pub(super) struct Seat {
    kind: Kind,
    made_at: &'static Location<'static>,
    tag: Tag,
    waiters: WaitQueue<()>,
    node: OnceCell<Pin<Box<WaitNode<()>>>>,
}

impl Seat {
    pub(super) fn new(kind: Kind, made_at: &'static Location<'static>) -> Seat {
        Seat {
            kind,
            made_at,
            tag: Tag::new(made_at),
            waiters: WaitQueue::new(),
            node: OnceCell::new(),
        }
    }

    /// The line that made the channel.
    pub(super) fn made_at(&self) -> &'static Location<'static> {
        self.made_at
    }

    pub(super) fn wait(&self, cx: &Context<'_>, location: &'static Location<'static>) {
        let make = || Box::pin(WaitNode::new(self.kind, location));
        let node = self.node.get_or_init(make);
        node.set_location(location);
        // Nobody hands anything over here.
        let _ = self.waiters.poll(node.as_ref(), cx, self.tag.number());
    }

    pub(super) fn leave(&self) {
        if let Some(node) = self.node.get() {
            let _ = self.waiters.cancel(node.as_ref());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}
