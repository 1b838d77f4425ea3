//! `Line`: who waits at one end of a channel, counted.
//!
//! *Ghosts.* Here they are counted until they are taken out, which [`Line::give`] and [`Line::skip_ghosts`] do:
//! what is handed over is not to be lost with a future that nobody will poll again.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::task::core::Core;
use crate::task::raw::TaskRef;
use crate::task::wait::{WaitNode, WaitQueue};

/// A [`WaitQueue`] that knows how many stand in it.
pub(super) struct Line<T> {
    queue: WaitQueue<T>,
    count: Cell<usize>,
}

impl<T> Line<T> {
    pub(super) fn new() -> Line<T> {
        Line {
            queue: WaitQueue::new(),
            count: Cell::new(0),
        }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[inline]
    fn one_more(&self) {
        self.count.set(self.count.get() + 1);
    }

    #[inline]
    fn one_less(&self) {
        self.count.set(self.count.get() - 1);
    }

    /// [`WaitQueue::enter`].
    #[inline(always)]
    pub(super) fn enter(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Option<TaskRef> {
        let task = self.queue.enter(core, node, cx, word)?;
        self.one_more();
        Some(task)
    }

    /// [`WaitQueue::poll_in`].
    pub(super) fn poll_in(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Poll<T> {
        let was_queued = node.is_queued();
        let polled = self.queue.poll_in(core, node, cx, word);
        if polled.is_pending() && !was_queued {
            self.one_more();
        }
        polled
    }

    /// [`WaitQueue::poll_bringing`].
    pub(super) fn poll_bringing(
        &self,
        core: Option<&Core>,
        node: Pin<&WaitNode<T>>,
        cx: &Context<'_>,
        word: u64,
    ) -> Poll<T> {
        let was_queued = node.is_queued();
        let polled = self.queue.poll_bringing(core, node, cx, word);
        if polled.is_pending() && !was_queued {
            self.one_more();
        }
        polled
    }

    /// [`WaitQueue::give_task`].
    #[inline(always)]
    pub(super) fn give_task(&self, value: T) -> Result<(), T> {
        self.queue.give_task(value, || self.one_less())
    }

    /// [`WaitQueue::give_awake`].
    pub(super) fn give(&self, value: T) -> Result<(), T> {
        self.queue.give_awake(value, || self.one_less())
    }

    /// [`WaitQueue::skip_ghosts`].
    pub(super) fn skip_ghosts(&self, is_kept: impl Fn(&T) -> bool) {
        self.queue.skip_ghosts(is_kept, || self.one_less());
    }

    /// [`WaitQueue::give_all`].
    pub(super) fn give_all(&self, mut make: impl FnMut() -> T) {
        self.queue.give_all(|| {
            self.one_less();
            make()
        });
    }

    /// [`WaitQueue::exchange`].
    pub(super) fn exchange(&self, answer: impl FnOnce(Option<T>) -> T) -> bool {
        self.queue.exchange(|brought| {
            self.one_less();
            answer(brought)
        })
    }

    /// [`WaitQueue::first_brings`].
    pub(super) fn first_brings(&self, test: impl FnOnce(&T) -> bool) -> bool {
        self.queue.first_brings(test)
    }

    /// [`WaitQueue::cancel`].
    #[inline]
    pub(super) fn cancel(&self, node: Pin<&WaitNode<T>>) -> Option<T> {
        if node.is_queued() {
            self.one_less();
        }
        self.queue.cancel(node)
    }
}
