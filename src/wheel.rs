//! The timer wheel: keeps pinned timers by deadline, and gives out those that are due, in order.
//!
//! # Role
//!
//! The `timers` driver inserts a node per armed sleep, asks for the next deadline before the loop sleeps,
//! and advances the wheel in each turn. A sleep that is dropped cancels itself. There is no clock in here:
//! `now` comes in as nanoseconds of the monotonic clock.
//!
//! # Model
//!
//! Time is cut into *steps* of 2^19 ns (0.52 ms). The *position* is the step of the latest `now`. A step
//! number has 45 bits: seven digits of six bits and one of three. A timer stands on the level of the
//! highest digit in which its step differs from the position, in the slot that this digit names:
//!
//! ```text
//!                 7    6    5    4    3    2    1    0     level = place of the digit
//! position        0    0    0    0    0    9   17   40
//! deadline A      0    0    0    0    0    9   17   52     level 0, slot 52   in 6 ms
//! deadline B      0    0    0    0    0    9   20    3     level 1, slot 20   in 81 ms
//! deadline C      0    0    0    0    0   33    0    0     level 2, slot 33   in 51 s
//! slot covers    73 y 417d 6.5d 2.4h 137s 2.1s 34ms 0.5ms
//!
//!    (1) insert ------> slot (level, digit)   behind the others: FIFO
//!    (2) cancel ------> leaves its slot, wherever it is; the slot's bit is cleared by the next search
//!    (3) advance -----> slots wholly past: to `expired`
//!                       the one slot above level 0 that the position has entered: each of its timers
//!                       to `expired` or, by its lower digits, to a lower level (a *cascade*)
//!                       the slot of the current step: what is due, if it holds few
//! ```
//!
//! 64 bits of nanoseconds fit, so no deadline is clamped, and a jump over any distance cascades one slot.
//!
//! # Invariants
//!
//! - **WHEEL-1, never early.** A timer goes to `expired` only if its exact deadline, kept in the node, is
//!   at or before the `now` of that advance. Slots are a way to find timers, not a rounded deadline.
//! - **WHEEL-2, slots lie ahead.** A timer on level k agrees with the position in all digits above k, and
//!   its digit k is greater; on level 0 it may be equal, and the slot of the current step also takes
//!   timers whose deadline is past. So the lowest level that is not empty holds the earliest timers, and
//!   its lowest occupied slot the earliest of those: no wrap, no second look.
//! - **WHEEL-3, an empty bit is true.** A slot whose bit is clear is empty. (A set bit may be stale.)
//! - **WHEEL-4, ties stay in line.** Timers of one deadline stand in one slot, in the order of their
//!   insertion: a slot is cascaded, from its front, as soon as the position enters it, before any insert
//!   could go below it. Rings are FIFO and the sort is stable.
//! - **WHEEL-5, slots are pinned.** They live in a pinned box, so the `Wheel` itself may move.
//!
//! # Cost
//!
//! `insert` and `cancel` are O(1), `next_deadline_ns` looks at eight words and at most nine nodes. `advance`
//! is O(occupied slots passed + timers that fire or cascade), plus the sort; it allocates nothing. A timer
//! cascades at most seven times, a short one not at all. Beyond the nodes: 7.4 KB.
//!
//! # Why not …
//!
//! - *A binary heap*: an insert is O(log n) cache misses, and a cancelled timer must be found, or stays.
//! - *A hashed wheel with rounds*: each advance looks at timers of later rounds.
//! - *Deadlines rounded up to a step, as in most wheels*: each sleep would be late by half a step; with the
//!   exact deadline at hand a lone timer needs neither rounding nor wake-ups to cascade.

#![expect(
    unsafe_code,
    reason = "reads nodes that stand in its slots; WHEEL-5 and the list's invariants"
)]

mod advance;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::pin::Pin;

use crate::list::{Linked, Ring};

/// One step is 2^19 ns: half as long, and ten thousand timers a second cost a third more wake-ups; twice
/// as long, and their median lateness doubles to 0.7 ms. A power of two, so that no insert divides.
const STEP_BITS: u32 = 19;
/// What lies below a step in a deadline; also the distance from a step's first nanosecond to its last.
const STEP_MASK_NS: u64 = (1 << STEP_BITS) - 1;
/// Six bits choose among the 64 slots of a level, whose occupation is one `u64`.
const DIGIT_BITS: u32 = 6;
const DIGIT_MASK: u64 = (1 << DIGIT_BITS) - 1;
/// ceil(45 / 6): the levels that a step number of 64 - 19 bits needs.
const LEVEL_COUNT: usize = (u64::BITS - STEP_BITS).div_ceil(DIGIT_BITS) as usize;
/// Seven levels of 64 slots, and eight on the last, whose digit has the three bits that are left.
const SLOT_COUNT: usize = 7 * 64 + 8;
/// A slot with at most this many timers is searched for the exact earliest deadline; with more, the timers
/// of one step share one wake-up.
const FEW: usize = 8;

/// A list node with a deadline.
///
/// # Safety
///
/// `deadline_ns` reads a field: it neither panics nor touches a list, and its answer does not change while
/// the node is linked. (The wheel calls it while it walks its slots.)
pub(crate) unsafe trait Timed: Linked {
    /// When the timer is due, in nanoseconds of the clock that `advance` is called with.
    fn deadline_ns(&self) -> u64;
}

/// Timers by deadline. May be moved; dropping it unlinks what stands in it.
#[derive(Debug)]
pub(crate) struct Wheel<N: Timed> {
    /// The latest `now` seen, which never goes back; its step is the position.
    now_ns: Cell<u64>,
    /// Whether a timer that was past already has been inserted since: the next advance must find it, however
    /// many stand in the current slot.
    has_overdue: Cell<bool>,
    /// Per level, a bit for each slot that may hold timers (WHEEL-3).
    occupied: [Cell<u64>; LEVEL_COUNT],
    /// A bit for each level that may hold timers, so that an empty wheel is told from one word.
    levels: Cell<u8>,
    slots: Pin<Box<[Ring<N>; SLOT_COUNT]>>,
}

impl<N: Timed> Wheel<N> {
    /// An empty wheel that stands at `now_ns`.
    pub(crate) fn new(now_ns: u64) -> Self {
        Wheel {
            now_ns: Cell::new(now_ns),
            has_overdue: Cell::new(false),
            occupied: [const { Cell::new(0) }; LEVEL_COUNT],
            levels: Cell::new(0),
            slots: Box::pin([const { Ring::new() }; SLOT_COUNT]),
        }
    }

    /// Arms `node` for its deadline. One that is past already is found by the next `advance`.
    ///
    /// A deadline that means "never" is the caller's business; here `u64::MAX` is an instant like others.
    ///
    /// # Panics
    ///
    /// If `node` is linked already.
    #[inline]
    pub(crate) fn insert(&self, node: Pin<&N>) {
        let deadline_ns = node.deadline_ns();
        let now_ns = self.now_ns.get();
        let (step, position) = (deadline_ns >> STEP_BITS, now_ns >> STEP_BITS);
        if step > position {
            self.push_ahead(step, position, node);
        } else {
            self.push(0, position & DIGIT_MASK, node);
            if deadline_ns <= now_ns {
                self.has_overdue.set(true);
            }
        }
    }

    /// Takes `node` out of its slot, or out of the `expired` ring that an advance put it on; nothing happens
    /// if it stands in neither. Needs no wheel: it works after the wheel is gone.
    #[inline]
    pub(crate) fn cancel(node: Pin<&N>) {
        Ring::unlink(node);
    }

    /// Until when the loop may sleep: never later than what `advance` promises for the earliest timer, and
    /// so that each advance at or after it fires something or cascades. `None` without timers.
    ///
    /// | the earliest slot holds | answer |
    /// |---|---|
    /// | at most [`FEW`] timers | the earliest deadline, exactly, on whichever level |
    /// | more, on level 0 | the last nanosecond of the slot: its timers share one wake-up |
    /// | more, on a higher level | the first nanosecond of the slot: it must be cascaded |
    /// | more, one of them overdue when inserted | the latest `now`: that is, at once |
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        let (level, digit) = self.first_slot()?;
        if let Some(earliest_ns) = self.earliest_of_few(self.slot(level, digit)) {
            return Some(earliest_ns);
        }
        let position = self.position();
        let shift = DIGIT_BITS * level as u32;
        let above = position >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        let start_ns = (above | digit << shift) << STEP_BITS;
        Some(match level {
            0 if digit == position & DIGIT_MASK && self.has_overdue.get() => self.now_ns.get(),
            0 => start_ns | STEP_MASK_NS,
            _ => start_ns,
        })
    }

    /// Whether no timer is armed.
    pub(crate) fn is_empty(&self) -> bool {
        self.first_slot().is_none()
    }

    /// The step of the latest `now`.
    #[inline]
    fn position(&self) -> u64 {
        self.now_ns.get() >> STEP_BITS
    }

    /// Pushes a timer whose `step` is after `position` to where WHEEL-2 wants it.
    #[inline]
    fn push_ahead(&self, step: u64, position: u64, node: Pin<&N>) {
        let level = level_of(step ^ position);
        self.push(level, digit_of(step, level), node);
    }

    #[inline]
    fn push(&self, level: usize, digit: u64, node: Pin<&N>) {
        self.slot(level, digit).push_back(node);
        let occupied = &self.occupied[level];
        occupied.set(occupied.get() | 1 << digit);
        self.levels.set(self.levels.get() | 1 << level);
    }

    /// The level and the digit of the slot that holds the earliest timers. Clears the bits of levels
    /// that hold none any more.
    #[inline]
    fn first_slot(&self) -> Option<(usize, u64)> {
        while self.levels.get() != 0 {
            let level = self.levels.get().trailing_zeros() as usize;
            if let Some(digit) = self.first_occupied(level) {
                return Some((level, digit));
            }
            self.levels.set(self.levels.get() & !(1 << level));
        }
        None
    }

    /// The lowest slot on `level` that holds timers. Clears the bits of slots that hold none any more.
    #[inline]
    fn first_occupied(&self, level: usize) -> Option<u64> {
        let occupied = &self.occupied[level];
        while occupied.get() != 0 {
            let digit = u64::from(occupied.get().trailing_zeros());
            if !self.slot(level, digit).is_empty() {
                return Some(digit);
            }
            occupied.set(occupied.get() & !(1 << digit));
        }
        None
    }

    /// The earliest deadline in `slot`, unless it holds more than a few timers, or none.
    fn earliest_of_few(&self, slot: Pin<&Ring<N>>) -> Option<u64> {
        if !holds_few(slot) {
            return None;
        }
        // SAFETY: the nodes of a ring are live, and `deadline_ns` touches no list (`Timed`).
        unsafe { slot.iter().map(|node| node.as_ref().deadline_ns()) }.min()
    }

    #[inline]
    fn slot(&self, level: usize, digit: u64) -> Pin<&Ring<N>> {
        self.slot_at(level << DIGIT_BITS | digit as usize)
    }

    #[inline]
    fn slot_at(&self, index: usize) -> Pin<&Ring<N>> {
        // SAFETY: an element of a pinned array moves as little as the array (WHEEL-5).
        unsafe { self.slots.as_ref().map_unchecked(|slots| &slots[index]) }
    }
}

/// Whether at most [`FEW`] timers stand in `slot`. Looks at no more than one beyond.
#[inline]
fn holds_few<N: Timed>(slot: Pin<&Ring<N>>) -> bool {
    // SAFETY: counting unlinks nothing.
    unsafe { slot.iter() }.nth(FEW).is_none()
}

/// The level of the highest digit that is not zero in `difference`, which is not zero itself.
#[inline]
fn level_of(difference: u64) -> usize {
    debug_assert_ne!(difference, 0);
    // Or-ing 1 changes no digit's place and spares the zero case.
    ((difference | 1).ilog2() / DIGIT_BITS) as usize
}

/// The digit of `step` that chooses a slot on `level`.
#[inline]
fn digit_of(step: u64, level: usize) -> u64 {
    step >> (DIGIT_BITS * level as u32) & DIGIT_MASK
}
