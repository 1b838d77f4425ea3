//! `Members`: values in the order in which they came, found again by a number.
//!
//! *Model.* A table whose places are used again, and whose entries are linked by place: first to last.
//!
//! *Cost.* All operations are O(1) but the walk; a place is never given back before the table is.

const NONE: u32 = u32::MAX;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Members<V> {
    places: Vec<Place<V>>,
    free: u32,
    first: u32,
    last: u32,
    len: usize,
}

#[derive(Debug)]
struct Place<V> {
    /// `None`: it is free, and `next` is the next free one.
    value: Option<V>,
    previous: u32,
    next: u32,
}

impl<V> Members<V> {
    pub(super) fn new() -> Members<V> {
        Members {
            places: Vec::new(),
            free: NONE,
            first: NONE,
            last: NONE,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number that the next value will have.
    pub(super) fn next_key(&self) -> u32 {
        if self.free != NONE {
            return self.free;
        }
        let key = u32::try_from(self.places.len()).ok();
        key.filter(|key| *key != NONE)
            .expect("fewer than 2^32 - 1 members at a time")
    }

    /// Adds `value` behind all others, under [`Members::next_key`].
    pub(super) fn push(&mut self, value: V) -> u32 {
        let key = self.next_key();
        let place = Place {
            value: Some(value),
            previous: self.last,
            next: NONE,
        };
        match self.places.get_mut(key as usize) {
            Some(free) => {
                self.free = free.next;
                *free = place;
            }
            None => self.places.push(place),
        }
        match self.last {
            NONE => self.first = key,
            last => self.places[last as usize].next = key,
        }
        self.last = key;
        self.len += 1;
        key
    }

    pub(super) fn find(&self, key: u32) -> Option<&V> {
        self.places.get(key as usize)?.value.as_ref()
    }

    pub(super) fn remove(&mut self, key: u32) -> Option<V> {
        let place = self.places.get_mut(key as usize)?;
        let value = place.value.take()?;
        let (previous, next) = (place.previous, place.next);
        place.next = self.free;
        self.free = key;
        match previous {
            NONE => self.first = next,
            previous => self.places[previous as usize].next = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.places[next as usize].previous = previous,
        }
        self.len -= 1;
        Some(value)
    }

    /// First to last.
    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        let mut key = self.first;
        std::iter::from_fn(move || {
            let place = self.places.get(key as usize)?;
            key = place.next;
            place.value.as_ref()
        })
    }

    /// Takes them all out, first to last.
    pub(super) fn take(&mut self) -> impl Iterator<Item = V> + use<V> {
        let mut taken = std::mem::replace(self, Members::new());
        std::iter::from_fn(move || taken.remove(taken.first))
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::Members;

    #[test]
    fn the_order_is_that_of_coming_whatever_goes_and_whichever_place_is_used_again() {
        let mut members = Members::new();
        let keys: Vec<u32> = (0..5).map(|n| members.push(n)).collect();
        for key in [1, 4, 0] {
            assert_eq!(members.remove(keys[key]), Some(key));
            assert_eq!(members.remove(keys[key]), None);
        }
        assert_eq!(members.iter().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(members.next_key(), keys[0]);
        assert_eq!(members.push(7), keys[0]);
        members.push(8);
        members.push(9);
        assert_eq!((members.len(), members.iter().next()), (5, Some(&2)));
        assert_eq!(members.find(keys[0]), Some(&7));
        assert_eq!(members.take().collect::<Vec<_>>(), [2, 3, 7, 8, 9]);
        assert_eq!((members.len(), members.iter().next()), (0, None));
    }
}
