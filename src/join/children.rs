//! `Children`: many futures in one allocation, each polled when it was woken.
//!
//! *Role.* `join_all` and `as_completed` are made of it.
//!
//! *Model.* A child stands in a slot until its output is taken; its future is dropped as soon as it is done. Few
//! children are all polled at each poll, by the parent's waker; many are polled by [`Woken`], so that
//! the end of each of n children costs a poll of that child and not of n.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use super::list::Slot;
use super::woken::{FEW, Woken};
use crate::pin::pinned_at;
use crate::task::budget;

/// See the module's header.
pub(super) struct Children<F: Future> {
    slots: Pin<Box<[Slot<F>]>>,
    /// `None` for few.
    woken: Option<Woken>,
    /// Where a poll of few begins.
    start: usize,
    /// How many are not done.
    left: usize,
}

/// What a poll of children came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The child at this place is done.
    Done(usize),
    /// None of those to be polled is.
    Nothing,
}

impl<F: Future> Children<F> {
    /// Few of them are polled all together, unless it is asked for `each` by its own waker.
    pub(super) fn new(futures: impl IntoIterator<Item = F>, each: bool) -> Children<F> {
        let slots: Box<[Slot<F>]> = futures.into_iter().map(Slot::new).collect();
        let count = slots.len();
        Children {
            slots: Box::into_pin(slots),
            woken: (each || count > FEW).then(|| Woken::new(count)),
            start: 0,
            left: count,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many are not done.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn slot(&mut self, place: usize) -> Pin<&mut Slot<F>> {
        pinned_at!(self.slots.as_mut(), place)
    }

    /// Polls what is to be polled, and calls `done` for each that is done then, until it says stop.
    pub(super) fn poll_all<E>(
        &mut self,
        cx: &mut Context<'_>,
        mut done: impl FnMut(Pin<&mut Slot<F>>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.woken.is_some() {
            self.begin(cx);
            while let Step::Done(place) = self.step(cx) {
                done(self.slot(place))?;
            }
            return Ok(());
        }
        let (start, count) = (std::mem::take(&mut self.start), self.len());
        let mut next_start = None;
        for place in (start..count).chain(0..start) {
            let mut slot = self.slot(place);
            if slot.is_done() {
                continue;
            }
            if slot.as_mut().poll(cx) {
                done(slot)?;
                self.left -= 1;
            }
            if next_start.is_none() && !budget::has_budget_remaining() {
                next_start = Some(place + 1);
            }
        }
        self.start = next_start.unwrap_or(0);
        Ok(())
    }

    /// A poll begins, for those who go by [`Children::step`].
    pub(super) fn begin(&mut self, cx: &Context<'_>) {
        if let Some(woken) = &mut self.woken {
            woken.begin(cx);
        }
    }

    /// Polls children that were woken, until one is done.
    pub(super) fn step(&mut self, cx: &Context<'_>) -> Step {
        let Some(woken) = &mut self.woken else {
            return Step::Nothing;
        };
        while let Some(place) = woken.next() {
            let slot = pinned_at!(self.slots.as_mut(), place);
            if slot.is_done() {
                continue;
            }
            let is_done = slot.poll(&mut Context::from_waker(&woken.waker(place)));
            if is_done {
                self.left -= 1;
                return Step::Done(place);
            }
            if woken.has_more() && !budget::has_budget_remaining() {
                // The rest has its turn in the next poll.
                cx.waker().wake_by_ref();
                return Step::Nothing;
            }
        }
        Step::Nothing
    }

    /// Drops them all.
    pub(super) fn clear(&mut self) {
        self.left = 0;
        self.slots = Box::into_pin(Box::new([]) as Box<[Slot<F>]>);
        self.woken = None;
    }
}

impl<F: Future> fmt::Debug for Children<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("count", &self.len())
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
