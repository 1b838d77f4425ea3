//! Advancing the wheel: which slots are past, which one cascades, and in which order timers expire.
//!
//! # Model
//!
//! From position p to q, where `top` is the highest digit in which they differ:
//!
//! ```text
//! level > top   untouched: p and q agree in these digits (WHEEL-2)
//! level = top   slots below q's digit: wholly past.  The slot of q's digit: cascades.  Above: untouched.
//! level < top   all slots: wholly past, for their timers agree with p in digit `top`, where q is ahead
//! ```
//!
//! So each occupied slot is looked at once, whatever the distance. The slots are passed from the lowest
//! level and slot up, which is the order of their time; inside a slot the timers are sorted by deadline.

#![expect(
    unsafe_code,
    reason = "reads nodes that stand in its slots; WHEEL-5 and the list's invariants"
)]

use std::pin::{Pin, pin};

use crate::list::Ring;

use super::{DIGIT_MASK, STEP_BITS, STEP_MASK_NS, Timed, Wheel, digit_of, holds_few, level_of};

impl<N: Timed> Wheel<N> {
    /// Moves every timer that is due at `now_ns` behind those in `expired`: by deadline, and those of one
    /// deadline as they were inserted.
    ///
    /// A timer may be left although it is due if its step has not ended and more than [`FEW`](super::FEW)
    /// timers share it: it expires at the end of the step at the latest. None expires before its deadline.
    ///
    /// A `now_ns` before an earlier one expires nothing that is not due by it, and does no harm.
    ///
    /// The nodes stay linked, in `expired`, and may be cancelled there.
    pub(crate) fn advance(&self, now_ns: u64, expired: Pin<&Ring<N>>) {
        let (position, target) = (self.position(), now_ns >> STEP_BITS);
        let is_latest = now_ns >= self.now_ns.get();
        if target > position {
            let top = level_of(position ^ target);
            let digit = digit_of(target, top);
            for level in 0..top {
                self.expire_slots(level, u64::MAX, expired);
            }
            self.expire_slots(top, (1 << digit) - 1, expired);
            self.now_ns.set(now_ns);
            if top > 0 {
                self.cascade(top, digit, expired);
            }
        } else if is_latest {
            self.now_ns.set(now_ns);
        }
        self.expire_current(now_ns, expired);
        if is_latest {
            self.has_overdue.set(false);
        }
    }

    /// Moves all timers of those slots of `level` that `mask` names, and whose time is wholly past.
    fn expire_slots(&self, level: usize, mask: u64, expired: Pin<&Ring<N>>) {
        let occupied = &self.occupied[level];
        let mut past = occupied.get() & mask;
        occupied.set(occupied.get() & !mask);
        while past != 0 {
            let digit = u64::from(past.trailing_zeros());
            past &= past - 1;
            expire(self.slot(level, digit), expired);
        }
    }

    /// Empties the slot that the position has just entered: each timer whose step is past expires, the
    /// others go to lower levels, in the order in which they stood (WHEEL-4).
    fn cascade(&self, level: usize, digit: u64, expired: Pin<&Ring<N>>) {
        let (slot, position) = (self.slot(level, digit), self.position());
        let due = pin!(Ring::new());
        while let Some(node) = slot.pop_front() {
            // SAFETY: it stood in a ring until now, so it is live and pinned.
            let node = unsafe { Pin::new_unchecked(node.as_ref()) };
            let step = node.deadline_ns() >> STEP_BITS;
            if step > position {
                self.push_ahead(step, position, node);
            } else if step == position {
                self.push(0, position & DIGIT_MASK, node);
            } else {
                due.as_ref().push_back(node);
            }
        }
        expire(due.as_ref(), expired);
        let occupied = &self.occupied[level];
        occupied.set(occupied.get() & !(1 << digit));
    }

    /// Moves those timers of the current step that are due, if they are few, or one was inserted when it
    /// was past, or the step has come to its last nanosecond.
    fn expire_current(&self, now_ns: u64, expired: Pin<&Ring<N>>) {
        let digit = self.position() & DIGIT_MASK;
        if self.occupied[0].get() & 1 << digit == 0 {
            return;
        }
        let slot = self.slot(0, digit);
        let has_ended = now_ns >= (self.position() << STEP_BITS | STEP_MASK_NS);
        if !has_ended && !self.has_overdue.get() && !holds_few(slot) {
            return;
        }
        let due = pin!(Ring::new());
        // SAFETY: only nodes that the iterator has passed are unlinked, and `deadline_ns` touches no list.
        for node in unsafe { slot.iter() } {
            // SAFETY: it stands in a ring, so it is live and pinned.
            let node = unsafe { Pin::new_unchecked(node.as_ref()) };
            if node.deadline_ns() <= now_ns {
                Ring::unlink(node);
                due.as_ref().push_back(node);
            }
        }
        expire(due.as_ref(), expired);
    }
}

/// Moves all timers of `slot`, sorted, behind those in `expired`.
fn expire<N: Timed>(slot: Pin<&Ring<N>>, expired: Pin<&Ring<N>>) {
    // SAFETY: `deadline_ns` reads a field (`Timed`).
    unsafe { slot.sort_by_key(N::deadline_ns) };
    expired.append(slot);
}
