//! `Woken`: which of many children was woken since it was last polled.
//!
//! *Role.* One that waits for a thousand others and polls them all at each wake does a million polls. Here
//! each child has a waker of its own, which notes the child's place and passes the wake on.
//!
//! *Model.*
//!
//! ```text
//!     child's waker ──► noted (under a mutex, once per child and poll) ──► the parent's waker, once per batch
//!     parent's poll ──► the batch: what was noted, in the order of places ──► each child polled once
//! ```
//!
//! What is noted while a batch is polled is for the next one, and has woken the parent already. The wakers, and
//! what they cost, are those of a [`Relay`].

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::task::core::Core;
use crate::task::relay::Relay;

/// Up to so many children it costs less to poll them all.
pub(super) const FEW: usize = 16;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Woken {
    relay: Arc<Relay>,
    /// The places to be polled now, the next one last.
    batch: Vec<usize>,
    /// The batch is left from an earlier poll: what was noted since follows it in this one.
    is_left_over: bool,
    /// The loop that knows of the relay; 0 for none.
    core: u64,
}

impl Woken {
    /// For so many children, each of which is to be polled at first.
    pub(super) fn new(count: usize) -> Woken {
        Woken {
            relay: Relay::new(count),
            batch: (0..count).rev().collect(),
            is_left_over: false,
            core: 0,
        }
    }

    /// A poll begins: whoever is noted from now on wakes `cx`.
    pub(super) fn begin(&mut self, cx: &Context<'_>) {
        self.relay.listen(cx.waker());
        self.tell_loop();
        self.is_left_over = self.has_more();
        if !self.is_left_over {
            self.fill();
        }
    }

    /// The loop that polls it looks through the relay when it proves that nothing can happen any more.
    fn tell_loop(&mut self) {
        Core::with_current(|core| {
            if let Some(core) = core.filter(|core| core.id() != self.core) {
                self.core = core.id();
                core.relays.add(&self.relay);
            }
        });
    }

    /// What was noted becomes the batch, in the order of places.
    fn fill(&mut self) {
        self.relay.take_noted(&mut self.batch);
        self.batch.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The place of the next child to be polled, if any is left in this poll.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.batch.is_empty() && self.is_left_over {
            self.is_left_over = false;
            self.fill();
        }
        let place = self.batch.pop()?;
        self.relay.clear(place);
        Some(place)
    }

    /// Whether children are left for a later poll: nobody's wake will tell.
    pub(super) fn has_more(&self) -> bool {
        self.is_left_over || !self.batch.is_empty()
    }

    pub(super) fn waker(&self, place: usize) -> ManuallyDrop<Waker> {
        self.relay.lend(place)
    }
}

impl Drop for Woken {
    /// A waker that a stranger keeps must not keep the parent.
    fn drop(&mut self) {
        self.relay.stop();
    }
}
