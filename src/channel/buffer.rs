//! What is in a channel, in the order in which it comes out.
//!
//! *Model.* A plain queue is a ring of items and nothing else. The other orders, and a queue into which
//! something came back, take the longer way.
//!
//! ```text
//!     first in, first out   returned ─► items ─► front
//!     last in, first out    items ─► back
//!     by priority           heap: [ in order | as it came ]
//! ```
//!
//! *By priority.* An item is only appended when it is put in; it finds its place when the next one is taken
//! out. So `Ord`, which is user code, runs in a take alone, with the heap in nobody's hands: it may panic, or
//! use the channel, and no item is lost.
//!
//! *Cost.* O(1); by priority O(log n) per item. What a burst has allocated goes back as it is worked off.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::mem;

/// So many bytes a buffer may keep though it is nearly empty.
const KEPT_BYTES: usize = 16 << 10;
/// More than this part of the room must be unused before some of it is given back.
const SPARE_PART: usize = 8;

/// In which order items come out.
pub(super) enum Order<T> {
    FirstIn,
    LastIn,
    /// The least first; equal ones in the order in which they came.
    Least(fn(&T, &T) -> Ordering),
}

/// See the module's header.
pub(super) struct Buffer<T> {
    order: Order<T>,
    /// Nothing but `items` is to be looked at.
    is_plain: Cell<bool>,
    len: Cell<usize>,
    items: RefCell<VecDeque<T>>,
    /// Came back, with their numbers, the oldest first.
    returned: RefCell<VecDeque<(u64, T)>>,
    heap: RefCell<Heap<T>>,
    /// How many are out of the heap while they are compared.
    on_loan: Cell<usize>,
}

impl<T> Buffer<T> {
    pub(super) fn new(order: Order<T>) -> Buffer<T> {
        Buffer {
            is_plain: Cell::new(matches!(order, Order::FirstIn)),
            order,
            len: Cell::new(0),
            items: RefCell::default(),
            returned: RefCell::default(),
            heap: RefCell::default(),
            on_loan: Cell::new(0),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    /// Puts the item with this number in. No user code runs.
    #[inline]
    pub(super) fn push(&self, number: u64, item: T) {
        self.len.set(self.len.get() + 1);
        if let Order::Least(_) = self.order {
            self.heap.borrow_mut().entries.push((number, item));
        } else {
            self.items.borrow_mut().push_back(item);
        }
    }

    /// Puts back what was taken out: it comes out before those that came later. No user code runs.
    pub(super) fn put_back(&self, number: u64, item: T) {
        if !matches!(self.order, Order::FirstIn) {
            return self.push(number, item);
        }
        self.len.set(self.len.get() + 1);
        self.is_plain.set(false);
        let mut returned = self.returned.borrow_mut();
        let place = returned.partition_point(|(other, _)| *other < number);
        returned.insert(place, (number, item));
    }

    /// Takes the next item out. `Ord` of an item may run, but while nothing is borrowed.
    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        if !self.is_plain.get() {
            return self.pop_in_order();
        }
        let mut items = self.items.borrow_mut();
        let item = items.pop_front()?;
        self.len.set(self.len.get() - 1);
        give_room_back(&mut items);
        Some(item)
    }

    fn pop_in_order(&self) -> Option<T> {
        let item = match self.order {
            Order::FirstIn => self.pop_returned(),
            Order::LastIn => {
                let mut items = self.items.borrow_mut();
                let item = items.pop_back();
                give_room_back(&mut items);
                item
            }
            Order::Least(compare) => return self.pop_least(compare),
        }?;
        self.len.set(self.len.get() - 1);
        Some(item)
    }

    fn pop_returned(&self) -> Option<T> {
        let mut returned = self.returned.borrow_mut();
        let item = returned.pop_front().map(|(_, item)| item);
        if returned.is_empty() {
            *returned = VecDeque::new();
            self.is_plain.set(true);
        }
        item.or_else(|| self.items.borrow_mut().pop_front())
    }

    fn pop_least(&self, compare: fn(&T, &T) -> Ordering) -> Option<T> {
        let mut loan = Loan::new(self);
        loan.heap.pop(compare)
    }

    /// Takes everything out, in no order and without user code: for the caller to drop.
    pub(super) fn take_all(&self) -> impl Sized + use<T> {
        self.len.set(0);
        self.is_plain.set(matches!(self.order, Order::FirstIn));
        let items = mem::take(&mut *self.items.borrow_mut());
        let returned = mem::take(&mut *self.returned.borrow_mut());
        let heap = mem::take(&mut *self.heap.borrow_mut());
        (items, returned, heap)
    }
}

/// A ring that has far more room than it needs gives some of it back.
#[inline]
fn give_room_back<T>(items: &mut VecDeque<T>) {
    if is_spacious::<T>(items.len(), items.capacity()) {
        items.shrink_to(items.len() * 2);
    }
}

/// Whether room for `capacity` items is far too much for `len`, and more than a few bytes.
#[inline]
fn is_spacious<T>(len: usize, capacity: usize) -> bool {
    capacity > KEPT_BYTES / mem::size_of::<T>().max(1) && len < capacity / SPARE_PART
}

/// A heap with the least item at the root, of which only a part need be in order.
struct Heap<T> {
    entries: Vec<(u64, T)>,
    /// How many of the entries, from the first on, are a heap.
    ordered: usize,
}

impl<T> Default for Heap<T> {
    fn default() -> Heap<T> {
        Heap {
            entries: Vec::new(),
            ordered: 0,
        }
    }
}

impl<T> Heap<T> {
    /// Takes the least out. If `compare` panics, all entries are still there, and none counts as in order.
    fn pop(&mut self, compare: fn(&T, &T) -> Ordering) -> Option<T> {
        let last = self.entries.len().checked_sub(1)?;
        let ordered = mem::take(&mut self.ordered);
        for index in ordered..=last {
            self.sift_up(index, compare);
        }
        self.entries.swap(0, last);
        self.sift_down(last, compare);
        self.ordered = last;
        let (_, item) = self.entries.pop()?;
        Some(item)
    }

    fn is_less(&self, left: usize, right: usize, compare: fn(&T, &T) -> Ordering) -> bool {
        let (left, right) = (&self.entries[left], &self.entries[right]);
        compare(&left.1, &right.1).then(left.0.cmp(&right.0)) == Ordering::Less
    }

    fn sift_up(&mut self, mut index: usize, compare: fn(&T, &T) -> Ordering) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if !self.is_less(index, parent, compare) {
                break;
            }
            self.entries.swap(index, parent);
            index = parent;
        }
    }

    /// The first entry finds its place among those before `end`.
    fn sift_down(&mut self, end: usize, compare: fn(&T, &T) -> Ordering) {
        let mut index = 0;
        loop {
            let mut child = 2 * index + 1;
            if child >= end {
                break;
            }
            if child + 1 < end && self.is_less(child + 1, child, compare) {
                child += 1;
            }
            if !self.is_less(child, index, compare) {
                break;
            }
            self.entries.swap(index, child);
            index = child;
        }
    }
}

/// A heap that is out of its cell while user code compares its items. What is put in meanwhile joins it in
/// the end, also after a panic.
struct Loan<'a, T> {
    heap: Heap<T>,
    home: &'a Buffer<T>,
    /// What was on loan before.
    before: usize,
}

impl<'a, T> Loan<'a, T> {
    fn new(home: &'a Buffer<T>) -> Loan<'a, T> {
        let heap = home.heap.take();
        let before = home.on_loan.get();
        home.on_loan.set(before + heap.entries.len());
        Loan { heap, home, before }
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        let mut heap = mem::take(&mut self.heap);
        let came = self.home.heap.take();
        heap.entries.extend(came.entries);
        if is_spacious::<(u64, T)>(heap.entries.len(), heap.entries.capacity()) {
            heap.entries.shrink_to(heap.entries.len() * 2);
        }
        self.home.on_loan.set(self.before);
        self.home.len.set(self.before + heap.entries.len());
        self.home.heap.replace(heap);
    }
}
