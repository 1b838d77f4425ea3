//! How a channel ends, drained or at once, and when all its items are done.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Bid, Shared, State};
use crate::channel::line::Line;
use crate::task::core::Core;
use crate::task::wait::WaitNode;

impl<T> Shared<T> {
    /// Ready when nothing sent will be received.
    pub(in crate::channel) fn poll_closed(
        &self,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
    ) -> Poll<()> {
        self.poll_flag(&self.closed, node, cx, Shared::is_closed)
    }

    /// Ready when all that was sent is done; or how many items nobody can do any more.
    pub(in crate::channel) fn poll_join(
        &self,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), u64>> {
        let is_joined = self.poll_flag(&self.joins, node, cx, Shared::is_joined);
        is_joined.map(|()| match self.unfinished() {
            count @ 1.. if self.receiver_count.get() == 0 => Err(count),
            // There was a moment at which all was done.
            _ => Ok(()),
        })
    }

    fn poll_flag(
        &self,
        line: &Line<()>,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        is_set: fn(&Shared<T>) -> bool,
    ) -> Poll<()> {
        Core::with_current(|core| {
            if is_set(self) {
                let _ = line.cancel(node);
                return Poll::Ready(());
            }
            let word = self.number_for_senders();
            if line.poll_in(core, node, cx, word).is_ready() || is_set(self) {
                let _ = line.cancel(node);
                return Poll::Ready(());
            }
            Poll::Pending
        })
    }

    pub(in crate::channel) fn cancel_closed(&self, node: Pin<&WaitNode<()>>) {
        let _ = self.closed.cancel(node);
    }

    pub(in crate::channel) fn cancel_join(&self, node: Pin<&WaitNode<()>>) {
        let _ = self.joins.cancel(node);
    }

    /// How many items were sent and are not done.
    pub(super) fn unfinished(&self) -> u64 {
        self.sent.get() - self.done.get()
    }

    pub(super) fn is_joined(&self) -> bool {
        self.unfinished() == 0 || self.receiver_count.get() == 0
    }

    pub(super) fn settle_joins(&self) {
        if self.is_joined() {
            self.joins.give_all(|| ());
        }
    }

    /// One item is done; `false`, if there was none left to be done.
    pub(in crate::channel) fn task_done(&self) -> bool {
        // What lies here, nobody can have done.
        if self.unfinished() <= self.len() as u64 {
            return false;
        }
        self.done.set(self.done.get() + 1);
        self.settle_joins();
        true
    }

    /// Nothing more is sent; what is there is still received.
    #[cold]
    pub(in crate::channel) fn close(&self) {
        if self.is_closed() {
            return;
        }
        self.state.set(State::Draining);
        self.refuse_senders();
        self.closed.give_all(|| ());
        self.settle();
    }

    /// Nothing more is sent, and nothing received.
    fn end(&self) {
        self.state.set(State::Ended);
        self.refuse_senders();
        self.closed.give_all(|| ());
        self.settle();
    }

    /// Ends it, and takes out what is there, in order.
    pub(in crate::channel) fn close_now(&self) -> Vec<T> {
        let mut items = Vec::with_capacity(self.len());
        self.end();
        while let Some(item) = self.buffer.pop() {
            items.push(item);
            self.done.set(self.done.get() + 1);
        }
        self.settle_joins();
        items
    }

    /// The last receiver is gone: ends it, and drops what is there.
    #[cold]
    pub(super) fn abandon(&self) {
        let items = self.buffer.take_all();
        self.end();
        self.joins.give_all(|| ());
        drop(items);
    }

    /// Who waits for room waits in vain.
    pub(super) fn refuse_senders(&self) {
        let refuse = |bid| match bid {
            Some(Bid::Item(item)) => Bid::Closed(Some(item)),
            _ => Bid::Closed(None),
        };
        while self.senders.exchange(refuse) {}
    }
}
