//! The wheel against an ordered map, then each level boundary one by one.
//!
//! `PROPTEST_CASES=100000` makes the model test a soak test.

#![expect(
    unsafe_code,
    reason = "makes timers, and reads those it knows to be alive"
)]

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;
use std::pin::Pin;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::list::Links;

const STEP_NS: u64 = 1 << STEP_BITS;

struct Timer {
    deadline_ns: Cell<u64>,
    /// Counts the inserts of a test.
    sequence: Cell<u64>,
    links: Links,
}

// SAFETY: OFFSET is `links`; `Drop` unlinks.
unsafe impl Linked for Timer {
    const OFFSET: usize = offset_of!(Timer, links);
}

// SAFETY: reads a field, which the tests change only while the timer is not linked.
unsafe impl Timed for Timer {
    fn deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }
}

impl Timer {
    fn new(deadline_ns: u64, sequence: u64) -> Pin<Box<Timer>> {
        Box::pin(Timer {
            deadline_ns: Cell::new(deadline_ns),
            sequence: Cell::new(sequence),
            links: Links::new(),
        })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it was pinned, and is not moved any more.
        Wheel::cancel(unsafe { Pin::new_unchecked(&*self) });
    }
}

fn last_ns_of_step(at_ns: u64) -> u64 {
    at_ns | STEP_MASK_NS
}

/// A wheel, and what it must contain.
struct Bench {
    wheel: Wheel<Timer>,
    expired: Pin<Box<Ring<Timer>>>,
    armed: BTreeMap<(u64, u64), Pin<Box<Timer>>>,
    /// Inserted when past, and not asked for since.
    overdue: Vec<(u64, u64)>,
    sequence: u64,
    /// The latest now, and the one of the last advance.
    now_ns: u64,
    /// The sequence that expired last, per deadline.
    expired_sequence: HashMap<u64, u64>,
}

impl Bench {
    fn new(now_ns: u64) -> Bench {
        Bench {
            wheel: Wheel::new(now_ns),
            expired: Box::pin(Ring::new()),
            armed: BTreeMap::new(),
            overdue: Vec::new(),
            sequence: 0,
            now_ns,
            expired_sequence: HashMap::new(),
        }
    }

    fn insert(&mut self, deadline_ns: u64) {
        self.sequence += 1;
        let timer = Timer::new(deadline_ns, self.sequence);
        self.wheel.insert(timer.as_ref());
        if deadline_ns <= self.now_ns {
            self.overdue.push((deadline_ns, self.sequence));
        }
        self.armed.insert((deadline_ns, self.sequence), timer);
    }

    fn cancel(&mut self, pick: usize) {
        if !self.armed.is_empty() {
            let key = *self.armed.keys().nth(pick % self.armed.len()).unwrap();
            self.armed.remove(&key);
        }
    }

    /// How many timers stand in the slot of the current step once the position is that of `now_ns`.
    fn current_count(&self, now_ns: u64) -> usize {
        let (position, target) = (self.now_ns >> STEP_BITS, now_ns >> STEP_BITS);
        let is_current = |step| match target > position {
            true => step == target,
            false => step <= position,
        };
        let steps = self.armed.keys().map(|key| key.0 >> STEP_BITS);
        steps.filter(|&step| is_current(step)).count()
    }

    /// Advances, checks what expired, and answers how many did.
    fn advance(&mut self, now_ns: u64) -> usize {
        let current_count = self.current_count(now_ns);
        self.wheel.advance(now_ns, self.expired.as_ref());
        let mut batch = Vec::new();
        while let Some(timer) = self.expired.as_ref().pop_front() {
            // SAFETY: `armed` owns the timer, and drops it later.
            let timer = unsafe { timer.as_ref() };
            batch.push((timer.deadline_ns.get(), timer.sequence.get()));
        }
        assert!(batch.is_sorted(), "not in order: {batch:?}");
        for key in &batch {
            assert!(key.0 <= now_ns, "{key:?} expired early, at {now_ns}");
            assert!(self.armed.remove(key).is_some(), "{key:?} expired twice");
            let before = self.expired_sequence.insert(key.0, key.1);
            assert!(before < Some(key.1), "{key:?} overtook {before:?}");
        }
        self.now_ns = self.now_ns.max(now_ns);
        for key in self.armed.keys().take_while(|key| key.0 <= now_ns) {
            assert!(current_count > FEW, "{key:?} was due at {now_ns}");
            assert!(
                last_ns_of_step(self.now_ns) > now_ns,
                "{key:?}: its step has ended"
            );
            assert_eq!(key.0 >> STEP_BITS, self.now_ns >> STEP_BITS, "{key:?}");
            assert!(!self.overdue.contains(key), "{key:?} was overdue");
        }
        if now_ns == self.now_ns {
            self.overdue.clear();
            let next_ns = self.wheel.next_deadline_ns();
            assert!(next_ns.is_none_or(|next_ns| next_ns > now_ns), "would spin");
        }
        self.check();
        batch.len()
    }

    fn check(&self) {
        assert_eq!(self.wheel.is_empty(), self.armed.is_empty());
        let next_ns = self.wheel.next_deadline_ns();
        let Some(&(earliest_ns, _)) = self.armed.keys().next() else {
            assert_eq!(next_ns, None);
            return;
        };
        let next_ns = next_ns.expect("timers are armed");
        assert!(next_ns <= last_ns_of_step(earliest_ns).max(self.now_ns));
        if self.armed.len() <= FEW {
            assert_eq!(next_ns, earliest_ns, "few are exact");
        }
    }

    /// The number of timers in the wheel, the slow way.
    fn count(&self) -> usize {
        let mut count = 0;
        for index in 0..SLOT_COUNT {
            // SAFETY: nothing is linked or unlinked while the slot is counted.
            count += unsafe { self.wheel.slot_at(index).iter() }.count();
        }
        count
    }

    /// Sleeps as the loop would, until something expires. Answers the number of empty advances.
    fn sleep(&mut self) -> usize {
        self.check();
        let mut empty_count = 0;
        while let Some(next_ns) = self.wheel.next_deadline_ns() {
            if self.advance(next_ns.max(self.now_ns)) > 0 {
                break;
            }
            empty_count += 1;
            assert!(empty_count <= LEVEL_COUNT, "wakes up for nothing");
        }
        empty_count
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Bits and magnitude of the delay; how many of one deadline.
    Insert(u32, u64, usize),
    /// Back from the latest now.
    InsertPast(u32, u64),
    /// Within the current step, and the next.
    InsertNear(u64),
    Cancel(usize),
    Advance(u32, u64),
    AdvanceBack(u32, u64),
    AdvanceInStep(u64),
    Sleep,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..64_u32, any::<u64>(), 1..4_usize).prop_map(|(b, d, n)| Op::Insert(b, d, n)),
        4 => (10..30_u32, any::<u64>(), 1..4_usize).prop_map(|(b, d, n)| Op::Insert(b, d, n)),
        1 => (0..40_u32, any::<u64>()).prop_map(|(b, d)| Op::InsertPast(b, d)),
        8 => (0..2 * STEP_NS).prop_map(Op::InsertNear),
        3 => any::<usize>().prop_map(Op::Cancel),
        2 => (0..58_u32, any::<u64>()).prop_map(|(b, d)| Op::Advance(b, d)),
        1 => (0..58_u32, any::<u64>()).prop_map(|(b, d)| Op::AdvanceBack(b, d)),
        2 => (0..STEP_NS).prop_map(Op::AdvanceInStep),
        3 => Just(Op::Sleep),
    ];
    vec(op, 0..100)
}

/// `magnitude` cut to a number of `bits` bits.
fn cut(bits: u32, magnitude: u64) -> u64 {
    magnitude & ((1 << bits) - 1)
}

fn step(bench: &mut Bench, op: &Op) {
    let now_ns = bench.now_ns;
    match *op {
        Op::Insert(bits, delay, count) => {
            for _ in 0..count {
                bench.insert(now_ns.saturating_add(cut(bits, delay)));
            }
        }
        Op::InsertPast(bits, ago) => bench.insert(now_ns.saturating_sub(cut(bits, ago))),
        Op::InsertNear(delay) => {
            let start_ns = now_ns & !STEP_MASK_NS;
            bench.insert(start_ns.saturating_add(delay));
        }
        Op::Cancel(pick) => bench.cancel(pick),
        Op::Advance(bits, by) => {
            bench.advance(now_ns.saturating_add(cut(bits, by)));
        }
        Op::AdvanceBack(bits, by) => {
            bench.advance(now_ns.saturating_sub(cut(bits, by)));
        }
        Op::AdvanceInStep(by) => {
            bench.advance(now_ns.max(now_ns & !STEP_MASK_NS | by));
        }
        Op::Sleep => {
            bench.sleep();
        }
    }
    bench.check();
    assert_eq!(bench.count(), bench.armed.len());
}

proptest! {
    #[test]
    fn hz_b09_agrees_with_an_ordered_map(
        start_ns in prop_oneof![Just(0), any::<u64>(), 0..1_u64 << 40, u64::MAX - (1 << 30)..=u64::MAX],
        ops in ops(),
    ) {
        let mut bench = Bench::new(start_ns);
        for op in &ops {
            step(&mut bench, op);
        }
        while !bench.armed.is_empty() {
            bench.sleep();
        }
    }
}

/// Starts around each digit's carry, deadlines around each level's border, in steps.
fn starts_and_delays() -> impl Iterator<Item = (u64, u64)> {
    let powers = (0..LEVEL_COUNT as u32).map(|level| 64_u64.pow(level));
    let around = powers.flat_map(|power| [power - 1, power, power + 1]);
    let last_step = u64::MAX >> STEP_BITS;
    let starts = around.clone().flat_map(move |step| {
        let mirrored = last_step - step;
        [step, 63 * step, step + 64, mirrored, mirrored / 2]
    });
    starts.flat_map(move |start| around.clone().map(move |delay| (start, delay)))
}

#[test]
fn hz_b09_each_level_border_is_exact() {
    for (start_step, delay_steps) in starts_and_delays() {
        for (start_low, low) in [(0, 0), (0, 1), (1, 0), (STEP_MASK_NS, 0), (7, STEP_MASK_NS)] {
            let start_ns = start_step << STEP_BITS | start_low;
            let delay_ns = (delay_steps << STEP_BITS).saturating_add(low);
            let Some(deadline_ns) = start_ns.checked_add(delay_ns) else {
                continue;
            };
            let mut bench = Bench::new(start_ns);
            bench.insert(deadline_ns);
            bench.check();
            if deadline_ns > start_ns {
                assert_eq!(bench.advance(start_ns + (deadline_ns - start_ns) / 2), 0);
                assert_eq!(bench.advance(deadline_ns - 1), 0);
            }
            assert_eq!(bench.advance(deadline_ns), 1);
        }
    }
}

#[test]
fn hz_b09_crowds_at_each_level_border_cascade_in_order() {
    for (start_step, delay_steps) in starts_and_delays() {
        let start_ns = start_step << STEP_BITS | 5;
        let Some(deadline_ns) = start_ns.checked_add(delay_steps << STEP_BITS) else {
            continue;
        };
        let mut bench = Bench::new(start_ns);
        // Too many for the exact answer; two per deadline, the later deadlines first.
        for after_ns in [3, 2, 1, 0, 0, 1, 2, 3, 4, 4, STEP_NS, 65 * STEP_NS] {
            bench.insert(deadline_ns.saturating_add(after_ns));
        }
        while !bench.armed.is_empty() {
            bench.sleep();
        }
        assert!(bench.now_ns <= last_ns_of_step(deadline_ns.saturating_add(65 * STEP_NS)));
    }
}

#[test]
fn hz_b09_a_jump_over_the_whole_wheel_expires_all_in_order() {
    let mut bench = Bench::new(0);
    for (start_step, delay_steps) in starts_and_delays().step_by(7) {
        bench.insert(
            start_step
                .saturating_add(delay_steps)
                .saturating_mul(STEP_NS),
        );
    }
    let count = bench.armed.len();
    assert_eq!(bench.advance(u64::MAX), count);
}

#[test]
fn hz_b09_a_lone_timer_costs_one_wake_up_on_every_level() {
    for delay_ns in (0..u64::BITS).map(|bits| 1 << bits) {
        let mut bench = Bench::new(12_345);
        bench.insert(12_345 + delay_ns);
        assert_eq!(bench.sleep(), 0);
    }
}

#[test]
fn timers_of_one_step_share_one_wake_up_when_they_are_many() {
    let mut bench = Bench::new(0);
    for deadline_ns in 0..=FEW as u64 {
        bench.insert(STEP_NS + 100 * deadline_ns);
    }
    assert_eq!(bench.wheel.next_deadline_ns(), Some(2 * STEP_NS - 1));
    assert_eq!(bench.advance(STEP_NS + 500), 0);
    assert_eq!(bench.advance(2 * STEP_NS - 1), FEW + 1);
}

#[test]
fn a_deadline_that_is_past_is_found_by_the_next_advance_in_any_crowd() {
    let mut bench = Bench::new(STEP_NS);
    for _ in 0..3 * FEW {
        bench.insert(2 * STEP_NS - 2);
    }
    for deadline_ns in [0, STEP_NS - 1, STEP_NS] {
        bench.insert(deadline_ns);
    }
    assert_eq!(bench.wheel.next_deadline_ns(), Some(STEP_NS));
    assert_eq!(bench.advance(STEP_NS), 3);
    assert_eq!(bench.wheel.next_deadline_ns(), Some(2 * STEP_NS - 1));
}

#[test]
fn hz_b12_a_clock_that_steps_back_expires_nothing_early_and_does_not_spin() {
    let now_ns = 1_000 * STEP_NS + 77;
    for back_ns in [1, 1_000, STEP_NS, 1_000_000, 1_000_000_000] {
        for crowd in [1, 2 * FEW] {
            let mut bench = Bench::new(now_ns);
            let back_now_ns = now_ns.saturating_sub(back_ns);
            for _ in 0..crowd {
                bench.insert(back_now_ns + 1);
                bench.insert(now_ns + 1);
                bench.insert(now_ns + 70 * STEP_NS);
            }
            assert_eq!(bench.advance(back_now_ns), 0);
            assert!(bench.wheel.next_deadline_ns() > Some(back_now_ns));
            bench.advance(now_ns);
            while !bench.armed.is_empty() {
                bench.sleep();
            }
        }
    }
}

/// Seven timers that expire together, taken one by one; `act` is the waker of timer `i` and does something
/// to timer `j`. Answers the timers in the order in which they were taken.
fn fire(i: u64, j: u64, act: impl Fn(&Wheel<Timer>, &mut Option<Pin<Box<Timer>>>)) -> Vec<u64> {
    let mut timers: Vec<_> = (0..7).map(|n| Some(Timer::new(STEP_NS + n, n))).collect();
    let wheel = Wheel::new(0);
    let expired = Box::pin(Ring::new());
    for timer in timers.iter().flatten() {
        wheel.insert(timer.as_ref());
    }
    wheel.advance(2 * STEP_NS, expired.as_ref());
    let mut taken = Vec::new();
    while let Some(timer) = expired.as_ref().pop_front() {
        // SAFETY: `timers` owns the timer until the test ends.
        let sequence = unsafe { timer.as_ref() }.sequence.get();
        taken.push(sequence);
        if sequence == i {
            act(&wheel, &mut timers[j as usize]);
        }
    }
    wheel.advance(3 * STEP_NS, expired.as_ref());
    while let Some(timer) = expired.as_ref().pop_front() {
        // SAFETY: `timers` owns the timer until the test ends.
        taken.push(100 + unsafe { timer.as_ref() }.sequence.get());
    }
    taken
}

#[test]
fn hz_b08_cancel_while_expired_takes_the_timer_off_the_batch() {
    for (i, j) in (0..7).flat_map(|i| (0..7).map(move |j| (i, j))) {
        let expected: Vec<u64> = (0..7).filter(|&n| n != j || j <= i).collect();
        let cancelled = fire(i, j, |_, timer| {
            Wheel::cancel(timer.as_ref().unwrap().as_ref())
        });
        assert_eq!(cancelled, expected);
        let dropped = fire(i, j, |_, timer| *timer = None);
        assert_eq!(dropped, expected);
    }
}

#[test]
fn hz_b08_reset_while_expired_moves_the_timer_to_its_new_deadline() {
    for (i, j) in (0..7).flat_map(|i| (0..7).map(move |j| (i, j))) {
        let mut expected: Vec<u64> = (0..7).filter(|&n| n != j || j <= i).collect();
        expected.push(100 + j);
        let reset = fire(i, j, |wheel, timer| {
            let timer = timer.as_ref().unwrap().as_ref();
            Wheel::cancel(timer);
            timer.deadline_ns.set(2 * STEP_NS + 9);
            wheel.insert(timer);
        });
        assert_eq!(reset, expected);
    }
}

#[test]
fn dropping_a_wheel_unlinks_its_timers() {
    let timers: Vec<_> = (0..64).map(|n| Timer::new(1 << n, n)).collect();
    let wheel = Wheel::new(0);
    for timer in &timers {
        wheel.insert(timer.as_ref());
    }
    let moved = Box::new(wheel);
    assert!(!moved.is_empty());
    drop(moved);
    assert!(timers.iter().all(|timer| !timer.links.is_linked()));
}

#[test]
fn cancelled_timers_leave_no_wake_up_behind() {
    let wheel = Wheel::new(0);
    for n in 0..10_000 {
        let timer = Timer::new(n * STEP_NS, n);
        wheel.insert(timer.as_ref());
        Wheel::cancel(timer.as_ref());
    }
    assert_eq!(wheel.next_deadline_ns(), None);
    assert!(wheel.is_empty());
}
