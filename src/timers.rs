//! The loop's timers: the wheel, and the nodes on their way into and out of it.
//!
//! *Role.* `time` links nodes into the rings of the loop's counted block; step 3 of the tick expires them; step 4 asks how long it may sleep.
//!
//! *Model.* A timer is armed lazily: its first `Pending` only links the node, with its *duration*, and
//! the turn that reads the clock anyway computes the deadline.
//!
//! ```text
//!   arm ──► fresh ──(turn: now + delay)──► wheel ──(due)──► expired ──► wake
//!             └─────(turn)───────────────► never   (Duration::MAX: in no wheel, only to be seen)
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

use mainspring_sys::Instant;

use crate::task::wait::{TimerRings, WaitRing, Waiter};
use crate::wheel::Wheel;

pub(crate) struct Timers {
    wheel: Wheel<Waiter>,
    expired: WaitRing,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Timers {
        Timers {
            wheel: Wheel::new(now.as_ns()),
            expired: WaitRing::new(),
        }
    }

    /// Whether there is nothing that reading the clock could make due.
    #[inline]
    pub(crate) fn is_idle(&self, rings: &TimerRings) -> bool {
        rings.fresh.is_empty() && self.wheel.is_empty()
    }

    /// Step 3: puts what is fresh where it belongs, then wakes what is due, and shows
    /// each deadline to `see`. Says how many.
    pub(crate) fn expire(&self, rings: &TimerRings, now: Instant, see: impl Fn(u64)) -> usize {
        rings.arm_fresh(&self.wheel, now.as_ns());
        self.wheel.advance(now.as_ns(), self.expired.head());
        let mut fired = 0;
        while let Some((wakeup, deadline_ns)) = self.expired.pop_timer() {
            see(deadline_ns);
            wakeup.wake();
            fired += 1;
        }
        fired
    }

    /// Until when the loop may sleep as far as timers go. What a foreign waker armed since step 3 has
    /// no deadline yet, so the answer is then [`Instant::ORIGIN`]: not at all.
    #[inline]
    pub(crate) fn next_deadline(&self, rings: &TimerRings) -> Option<Instant> {
        if !rings.fresh.is_empty() {
            return Some(Instant::ORIGIN);
        }
        self.wheel.next_deadline_ns().map(Instant::from_ns)
    }

    /// The loop ends: every timer is detached and woken, so that whoever polls it learns.
    pub(crate) fn close(&self, rings: &TimerRings) {
        self.wheel.advance(u64::MAX, self.expired.head());
        self.expired.append(&rings.fresh);
        self.expired.append(&rings.never);
        self.expired.orphan_all();
    }
}
