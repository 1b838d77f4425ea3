//! The loop's timers: the wheel, and the nodes on their way into and out of it.
//!
//! *Role.* `time` arms nodes here; step 3 of the tick expires them; step 4 asks how long it may sleep.
//!
//! *Model.* A timer is armed lazily: its first `Pending` only links the node, with its *duration*, and
//! the turn that reads the clock anyway computes the deadline.
//!
//! ```text
//!   arm ──► fresh ──(turn: now + delay)──► wheel ──(due)──► expired ──► wake
//!     └───► never (Duration::MAX: in no wheel, only to be seen)
//! ```
//!
//! A timeout that ends within the turn never touches the wheel, and no sleep reads the clock. The
//! price: its time counts from the next turn, at most 128 polls or about a millisecond later.
//!
//! *Order.* Nodes pass each ring first in, first out, and the wheel keeps ties in order, so timers due
//! at the same instant fire in the order they were armed.
//!
//! *User code* (foreign wakers) runs while nothing is being walked: what is due is collected into
//! `expired` first, and each node leaves it before its waker is called (hz_b08, hz_a10).

use std::cell::Cell;
use std::pin::Pin;
use std::task::Context;

use mainspring_sys::Instant;

use crate::task::wait::{Kind, WaitRing, Waiter};
use crate::wheel::Wheel;

pub(crate) struct Timers {
    wheel: Wheel<Waiter>,
    fresh: WaitRing,
    expired: WaitRing,
    never: WaitRing,
    is_closed: Cell<bool>,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Timers {
        Timers {
            wheel: Wheel::new(now.as_ns()),
            fresh: WaitRing::new(),
            expired: WaitRing::new(),
            never: WaitRing::new(),
            is_closed: Cell::new(false),
        }
    }

    /// Whether the loop is gone; then nothing may be armed.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Links `node`, with the waker of `cx`: to fire `ns` after the next turn if it is a delay, else at
    /// `ns`. `u64::MAX` is never, either way.
    #[inline]
    pub(crate) fn arm(&self, node: Pin<&Waiter>, cx: &Context<'_>, is_delay: bool, ns: u64) {
        node.arm(cx);
        self.link(node, is_delay, ns);
    }

    #[inline]
    fn link(&self, node: Pin<&Waiter>, is_delay: bool, ns: u64) {
        node.set_word(ns);
        if ns == u64::MAX {
            node.set_kind(Kind::Timer);
            self.never.push(node);
        } else {
            node.set_kind(if is_delay { Kind::Delay } else { Kind::Timer });
            self.fresh.push(node);
        }
    }

    /// A node that is armed waits on for something else, with the waker it has; one that fired or was
    /// never armed is as new.
    pub(crate) fn rearm(&self, node: Pin<&Waiter>, is_delay: bool, ns: u64) {
        if node.is_linked() && !self.is_closed() {
            WaitRing::unlink(node);
            self.link(node, is_delay, ns);
        } else {
            node.disarm();
        }
    }

    /// Whether there is anything that reading the clock could make due.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.fresh.is_empty() && self.wheel.is_empty()
    }

    /// Step 3: arms what is fresh, then wakes what is due. Says how many.
    pub(crate) fn expire(&self, now: Instant) -> usize {
        self.fresh.arm_all(&self.wheel, now.as_ns());
        self.wheel.advance(now.as_ns(), self.expired.head());
        self.fire()
    }

    fn fire(&self) -> usize {
        let mut fired = 0;
        while let Some(wakeup) = self.expired.pop_wakeup() {
            wakeup.wake();
            fired += 1;
        }
        fired
    }

    /// Until when the loop may sleep as far as timers go. What a foreign waker armed since step 3 has
    /// no deadline yet, so the answer is then [`Instant::ORIGIN`]: not at all.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if !self.fresh.is_empty() {
            return Some(Instant::ORIGIN);
        }
        self.wheel.next_deadline_ns().map(Instant::from_ns)
    }

    /// The loop ends: every node is detached and its waker called, so that whoever polls it learns.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        self.wheel.advance(u64::MAX, self.expired.head());
        self.expired.append(&self.fresh);
        self.expired.append(&self.never);
        self.fire();
    }
}
