//! How items are sent, and room reserved: at once, in turn, or by a permit.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Bid, Shared, State};
use crate::channel::TrySendError;
use crate::task::core::Core;
use crate::task::wait::WaitNode;

impl<T> Shared<T> {
    #[inline]
    pub(in crate::channel) fn try_send(
        &self,
        core: Option<&Core>,
        item: T,
    ) -> Result<(), TrySendError<T>> {
        if self.is_closed() || !self.has_room_in_buffer() {
            return self.try_send_slowly(core, item);
        }
        self.note_sender(core);
        self.put(item);
        Ok(())
    }

    #[inline(never)]
    fn try_send_slowly(&self, core: Option<&Core>, item: T) -> Result<(), TrySendError<T>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(item));
        }
        if !self.has_room() {
            return Err(TrySendError::Full(item));
        }
        self.note_sender(core);
        self.put(item);
        Ok(())
    }

    /// Ready with what became of the bid in `node`.
    #[inline]
    pub(in crate::channel) fn poll_send(
        &self,
        node: Pin<&WaitNode<Bid<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Bid<T>> {
        Core::with_current(|core| {
            // The short way, of an item for which there is room.
            if node.is_laden()
                && node.brings(|bid| matches!(bid, Bid::Item(_)))
                && !self.is_closed()
                && self.has_room_in_buffer()
            {
                if let Some(Bid::Item(item)) = node.fetch() {
                    if core.is_none_or(Core::spend) {
                        self.note_sender(core);
                        self.put(item);
                        return Poll::Ready(Bid::Sent);
                    }
                    node.put(Bid::Item(item));
                }
            }
            self.poll_send_slowly(core, node, cx)
        })
    }

    #[inline(never)]
    fn poll_send_slowly(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<Bid<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Bid<T>> {
        if node.is_queued() {
            return self.wait_send(core, node, cx);
        }
        let bid = node
            .fetch()
            .expect("a send is not polled again when it is done");
        let is_open = !self.is_closed();
        match bid {
            Bid::Item(item) if !is_open => Poll::Ready(Bid::Closed(Some(item))),
            Bid::Room if !is_open => Poll::Ready(Bid::Closed(None)),
            Bid::Item(_) | Bid::Room if !self.has_room() => {
                node.put(bid);
                self.wait_send(core, node, cx)
            }
            Bid::Item(_) | Bid::Room if !core.is_none_or(Core::spend) => {
                node.put(bid);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Bid::Item(item) => {
                self.note_sender(core);
                self.put(item);
                Poll::Ready(Bid::Sent)
            }
            Bid::Room => {
                self.note_sender(core);
                self.permits.set(self.permits.get() + 1);
                Poll::Ready(Bid::Granted)
            }
            answer => Poll::Ready(answer),
        }
    }

    #[inline(never)]
    fn wait_send(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<Bid<T>>>,
        cx: &Context<'_>,
    ) -> Poll<Bid<T>> {
        self.note_sender(core);
        let word = self.number_for_senders();
        if let Poll::Ready(answer) = self.senders.poll_bringing(core, node, cx, word) {
            return Poll::Ready(answer);
        }
        // The waker's clone may have made room, or closed, before we stood in the line.
        if self.is_closed() {
            self.refuse_senders();
        } else {
            self.settle();
        }
        if node.is_queued() {
            return Poll::Pending;
        }
        node.fetch().map_or(Poll::Pending, Poll::Ready)
    }

    /// A sender's future is dropped. An item that still waited is dropped with it, a permit is given back.
    #[inline(always)]
    pub(in crate::channel) fn cancel_send(&self, node: Pin<&WaitNode<Bid<T>>>) {
        if !node.is_idle() {
            self.cancel_wait_send(node);
        }
    }

    #[inline(never)]
    fn cancel_wait_send(&self, node: Pin<&WaitNode<Bid<T>>>) {
        match self.senders.cancel(node) {
            Some(Bid::Granted) => self.release_permit(),
            bid => drop(bid),
        }
    }

    /// A permit goes unused.
    pub(in crate::channel) fn release_permit(&self) {
        self.permits.set(self.permits.get() - 1);
        self.settle();
    }

    /// Uses a permit up. The item comes back if the channel has ended.
    pub(in crate::channel) fn send_permitted(&self, item: T) -> Result<(), T> {
        self.permits.set(self.permits.get() - 1);
        if self.state.get() == State::Ended {
            return Err(item);
        }
        Core::with_current(|core| self.note_sender(core));
        self.put(item);
        // A receiver may have had it: then there is room again. Or it was the last before the end.
        self.settle();
        Ok(())
    }

    /// As many permits as that, if there is room for them all.
    pub(in crate::channel) fn try_reserve(&self, count: usize) -> Result<(), TrySendError<()>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(()));
        }
        if self.room() < count || !self.senders.is_empty() {
            return Err(TrySendError::Full(()));
        }
        Core::with_current(|core| self.note_sender(core));
        self.permits.set(self.permits.get() + count);
        Ok(())
    }
}
