//! The dice of a perturbed selector: a seeded generator, and what it does to a batch.
//!
//! *Why not a crate.* Feature `sim` adds no dependency; this is fifteen lines, and the same seed
//! gives the same run on every machine.

use crate::event::{Event, Events};

/// SplitMix64: small, seedable, and good enough to be a nuisance.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub(super) fn shuffle(&mut self, events: &mut [Event]) {
        for at in (1..events.len()).rev() {
            events.swap(at, self.below(at as u64 + 1) as usize);
        }
    }

    /// The batch, reordered, with some reports split into one per bit.
    pub(super) fn tear(&mut self, batch: &Events) -> Vec<Event> {
        let mut torn = Vec::new();
        for event in batch.iter() {
            if self.one_in(2) {
                torn.push(event);
            } else {
                torn.extend(event.ready.iter().map(|ready| Event {
                    token: event.token,
                    ready,
                }));
            }
        }
        self.shuffle(&mut torn);
        torn
    }
}
