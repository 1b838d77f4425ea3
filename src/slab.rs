//! A slab: values found again by a small key that no other value ever has, not even a later one.
//!
//! # Role
//!
//! What the kernel or another thread names by a number stands in here: it may still send the number when
//! the value is gone and its slot is taken by another (contract B8, hz_a26). The key of a value that was
//! removed finds nothing, for ever.
//!
//! # Model
//!
//! ```text
//!             (1) insert: first free slot,            free slots are linked by index, the last freed first
//!                 else a new one
//!    vacant ----------------------> occupied
//!      ^                                |
//!      |  (2) remove: generation + 1    | (3) remove in the last generation
//!      +--------------------------------+-------------------------------------> retired: vacant for ever
//! ```
//!
//! # Invariants
//!
//! - **SLAB-1, one key, one value.** A slot is occupied at most once in each generation, and a generation
//!   that has passed never comes back. So a pair of index and generation names one value for ever.
//!
//! # Cost
//!
//! All operations but `iter` are O(1); `insert` allocates when the slots are all taken, and slots are
//! never given back. A slot retires after 2^32 uses, and then wastes its own size: a few dozen bytes in
//! an hour, at a million inserts a second.
//!
//! # Why not …
//!
//! - *A generation that wraps*: an old key may meet its number again. After how many hours is a matter of
//!   load, and whether it does harm a matter of luck; to retire the slot costs one comparison.
//! - *A pointer as the key*: it is free to look up, and as stale as any index.

#[cfg(test)]
mod tests;

/// Ends the list of free slots. No slot has this index.
const NO_SLOT: u32 = u32::MAX;

/// Names a value of one [`Slab`], and never another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as a number that fits a kernel's event: the generation in the upper half. Never `u64::MAX`.
    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << u32::BITS | self.index as u64
    }

    /// Undoes [`Key::to_bits`]. Any number will do: one that never was a key finds nothing.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Key {
        Key {
            index: bits as u32,
            generation: (bits >> u32::BITS) as u32,
        }
    }
}

/// Two words, if the value is a pointer.
#[derive(Debug)]
struct Slot<T> {
    /// Of the value in it, or of the next one.
    generation: u32,
    /// Of a free slot: the one that was freed before it, or `NO_SLOT`. Not looked at otherwise.
    next_free: u32,
    value: Option<T>,
}

/// Values by [`Key`]. `GENERATION_BITS`, at most 32, is for tests that want to see a slot retire.
#[derive(Debug)]
pub(crate) struct Slab<T, const GENERATION_BITS: u32 = 32> {
    slots: Vec<Slot<T>>,
    /// The slot that was freed last, or `NO_SLOT`.
    first_free: u32,
    len: usize,
}

impl<T, const GENERATION_BITS: u32> Slab<T, GENERATION_BITS> {
    const LAST_GENERATION: u32 = {
        assert!(GENERATION_BITS > 0 && GENERATION_BITS <= u32::BITS);
        u32::MAX >> (u32::BITS - GENERATION_BITS)
    };

    /// An empty slab, which allocates nothing yet.
    pub(crate) const fn new() -> Self {
        Slab {
            slots: Vec::new(),
            first_free: NO_SLOT,
            len: 0,
        }
    }

    /// Keeps `value` until it is removed by the key that this returns.
    ///
    /// # Panics
    ///
    /// If 2^32 - 1 slots are in use.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        let value = Some(value);
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.next_free;
            slot.value = value;
            let generation = slot.generation;
            self.len += 1;
            return Key { index, generation };
        }
        let index = self.slots.len() as u32;
        assert!(self.slots.len() < NO_SLOT as usize, "the slab is full");
        let generation = 0;
        self.slots.push(Slot {
            generation,
            next_free: NO_SLOT,
            value,
        });
        self.len += 1;
        Key { index, generation }
    }

    /// The value that `key` names, unless it was removed.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        let value = slot.value.as_ref();
        value.filter(|_| slot.generation == key.generation)
    }

    /// Takes the value out that `key` names, unless that happened before. From now on the key finds nothing.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let slot = &mut self.slots[key.index as usize];
        let is_retired = slot.generation == Self::LAST_GENERATION;
        let value = slot.value.take();
        // One that is retired is in no list, and so never handed out again.
        if !is_retired {
            slot.generation += 1;
            slot.next_free = self.first_free;
            self.first_free = key.index;
        }
        self.len -= 1;
        value
    }

    /// Whether no value is in here.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many values are in here.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All values with their keys, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = Key {
                index: index as u32,
                generation: slot.generation,
            };
            Some((key, slot.value.as_ref()?))
        })
    }
}
