//! The slab against a map from keys, with generations so narrow that slots retire all the time.

use std::collections::{HashMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Insert,
    Remove(usize),
    RemoveAnyKeyEver(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => Just(Op::Insert),
        3 => any::<usize>().prop_map(Op::Remove),
        2 => any::<usize>().prop_map(Op::RemoveAnyKeyEver),
    ];
    vec(op, 0..150)
}

/// A slab, what it must contain, and every key it ever gave out.
#[derive(Default)]
struct Model {
    values: HashMap<Key, u32>,
    keys: Vec<Key>,
}

impl Model {
    fn live_key(&self, pick: usize) -> Option<Key> {
        let live: Vec<Key> = self
            .keys
            .iter()
            .copied()
            .filter(|key| self.values.contains_key(key))
            .collect();
        live.get(pick % live.len().max(1)).copied()
    }

    fn step(&mut self, slab: &mut Slab<u32, 2>, op: &Op) {
        match *op {
            Op::Insert => {
                let value = self.keys.len() as u32;
                let key = slab.insert(value);
                assert!(!self.keys.contains(&key), "{key:?} was given out before");
                assert_ne!(key.to_bits(), u64::MAX);
                self.keys.push(key);
                self.values.insert(key, value);
            }
            Op::Remove(pick) => {
                if let Some(key) = self.live_key(pick) {
                    assert_eq!(slab.remove(key), self.values.remove(&key));
                }
            }
            Op::RemoveAnyKeyEver(pick) => {
                if let Some(&key) = self.keys.get(pick % self.keys.len().max(1)) {
                    assert_eq!(slab.remove(key), self.values.remove(&key));
                }
            }
        }
    }

    fn check(&self, slab: &mut Slab<u32, 2>) {
        assert_eq!(slab.iter().count(), self.values.len());
        assert_eq!(slab.is_empty(), self.values.is_empty());
        for &key in &self.keys {
            assert_eq!(slab.get(key), self.values.get(&key));
            assert_eq!(Key::from_bits(key.to_bits()), key);
        }
        let found: HashMap<Key, u32> = slab.iter().map(|(key, &value)| (key, value)).collect();
        assert_eq!(found, self.values);
    }
}

proptest! {
    #[test]
    fn hz_a26_no_key_is_ever_given_out_twice(ops in ops()) {
        let (mut slab, mut model) = (Slab::new(), Model::default());
        for op in &ops {
            model.step(&mut slab, op);
            model.check(&mut slab);
        }
    }

    #[test]
    fn hz_a26_a_number_that_never_was_a_key_finds_nothing(bits in any::<u64>()) {
        let mut slab: Slab<u8> = Slab::new();
        let keys: Vec<Key> = (0..4).map(|value| slab.insert(value)).collect();
        slab.remove(keys[1]);
        let expected = keys.iter().position(|key| key.to_bits() == bits).filter(|&at| at != 1);
        assert_eq!(slab.get(Key::from_bits(bits)).map(|&value| usize::from(value)), expected);
        for bits in [keys[1].to_bits(), 1 << 32 | 1, 4, u64::MAX] {
            assert_eq!(slab.remove(Key::from_bits(bits)), None);
        }
    }
}

#[test]
fn hz_a26_a_slot_retires_after_its_last_generation() {
    let mut slab: Slab<u32, 2> = Slab::new();
    let mut indices = HashSet::new();
    for value in 0..40 {
        let key = slab.insert(value);
        assert!(key.generation < 4);
        indices.insert(key.index);
        assert_eq!(slab.remove(key), Some(value));
    }
    assert_eq!(indices.len(), 10);
}

#[test]
fn a_key_takes_eight_bytes() {
    assert_eq!(size_of::<Key>(), 8);
}

#[test]
fn dropping_the_slab_drops_its_values() {
    let value = std::rc::Rc::new(());
    let mut slab: Slab<_> = Slab::new();
    let key = slab.insert(value.clone());
    slab.insert(value.clone());
    slab.remove(key);
    drop(slab);
    assert_eq!(std::rc::Rc::strong_count(&value), 1);
}

#[test]
fn a_slot_is_two_words_where_the_value_is_a_pointer() {
    assert_eq!(size_of::<Slot<std::rc::Rc<()>>>(), 16);
}
