//! How items are received: at once, by hand-off, and back to the front.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Bid, Gift, Shared, State};
use crate::task::core::Core;
use crate::task::wait::WaitNode;

impl<T> Shared<T> {
    /// The next item, if there is one and nobody waits for it.
    #[inline]
    pub(super) fn next_item(&self) -> Option<T> {
        if self.len() == 0 {
            if self.capacity > 0 || self.senders.is_empty() {
                return None;
            }
            return self.take_from_sender();
        }
        let item = self.buffer.pop();
        // Its room goes to the sender that waits longest. A receiver can only wait if `Ord` let it.
        if !self.senders.is_empty() || !self.receivers.is_empty() {
            self.settle();
        }
        item
    }

    /// In a rendezvous: the item of the sender that waits longest, if it brought one.
    #[cold]
    fn take_from_sender(&self) -> Option<T> {
        self.receivers.skip_ghosts(|_| false);
        self.skip_absent_senders();
        if !self.receivers.is_empty()
            || !self.senders.first_brings(|bid| matches!(bid, Bid::Item(_)))
        {
            return None;
        }
        let mut item = None;
        self.senders.exchange(|bid| {
            if let Some(Bid::Item(brought)) = bid {
                self.next_number();
                item = Some(brought);
            }
            Bid::Sent
        });
        item
    }

    /// An item that was handed over and not fetched comes back: to whom waits longest, or to the front.
    #[cold]
    pub(in crate::channel) fn give_back(&self, number: u64, item: T) {
        let Err(gift) = self.receivers.give(Gift::Item(number, item)) else {
            return;
        };
        if self.state.get() == State::Ended {
            self.done.set(self.done.get() + 1);
            self.settle_joins();
            drop(gift);
        } else if let Gift::Item(number, item) = gift {
            self.buffer.put_back(number, item);
        }
    }

    /// The next item; `None`, if there is none now.
    #[inline]
    pub(in crate::channel) fn try_recv(&self, core: Option<&Core>) -> Option<T> {
        let item = self.next_item()?;
        self.note_receiver(core);
        Some(item)
    }

    /// Ready with an item, or `None` at the end; until then `node` waits in the line.
    #[inline]
    pub(in crate::channel) fn poll_recv(
        &self,
        node: Pin<&WaitNode<Gift<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Option<T>> {
        match node.fetch() {
            Some(Gift::Item(_, item)) => Poll::Ready(Some(item)),
            Some(Gift::End) => Poll::Ready(None),
            None => self.poll_recv_anew(node, cx),
        }
    }

    /// Nothing was handed over.
    #[inline(never)]
    fn poll_recv_anew(&self, node: Pin<&WaitNode<Gift<T>>>, cx: &Context<'_>) -> Poll<Option<T>> {
        Core::with_current(|core| {
            if self.len() > 0 || self.capacity == 0 || self.is_closed() || !self.tag.is_entered() {
                return self.poll_recv_slowly(core, node, cx);
            }
            let word = self.number_for_receivers();
            let Some(task) = self.receivers.enter(core, node, cx, word) else {
                return self.wait_recv(core, node, cx);
            };
            self.note_receiving(task);
            Poll::Pending
        })
    }

    /// It waits already, or there is an item, or no room for one by itself; or the end may have come, or nobody
    /// waited before.
    #[inline(never)]
    fn poll_recv_slowly(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<Gift<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Option<T>> {
        if node.is_queued() {
            return self.wait_recv(core, node, cx);
        }
        if self.len() > 0 || self.capacity == 0 && !self.senders.is_empty() {
            if !core.is_none_or(Core::spend) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(item) = self.try_recv(core) {
                return Poll::Ready(Some(item));
            }
        }
        if self.has_ended() {
            return Poll::Ready(None);
        }
        let word = self.number_for_receivers();
        let Some(task) = self.receivers.enter(core, node, cx, word) else {
            return self.wait_recv(core, node, cx);
        };
        self.note_receiving(task);
        if self.capacity == 0 {
            self.settle();
        }
        Poll::Pending
    }

    /// The longer way into the line, for a waker that is not the running task's, or another one than before.
    #[cold]
    #[inline(never)]
    fn wait_recv(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<Gift<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Option<T>> {
        self.note_receiver(core);
        loop {
            match self.receivers.poll_in(core, node, cx, self.tag.number()) {
                Poll::Ready(Gift::Item(_, item)) => return Poll::Ready(Some(item)),
                Poll::Ready(Gift::End) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            // The waker's clone may have sent, or closed, before we stood in the line.
            self.settle();
            if node.is_queued() {
                return Poll::Pending;
            }
        }
    }

    /// A receiver's future is dropped: what it was handed and did not fetch goes to the front of the line.
    #[inline(always)]
    pub(in crate::channel) fn cancel_recv(&self, node: Pin<&WaitNode<Gift<T>>>) {
        if !node.is_idle() {
            self.cancel_wait_recv(node);
        }
    }

    #[inline(never)]
    fn cancel_wait_recv(&self, node: Pin<&WaitNode<Gift<T>>>) {
        if let Some(Gift::Item(number, item)) = self.receivers.cancel(node) {
            self.give_back(number, item);
        }
    }
}
