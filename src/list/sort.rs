//! Sorts a ring in place: stable, without allocation.
//!
//! # Role
//!
//! The wheel puts a batch of due timers into the order of their exact deadlines.
//!
//! # Model
//!
//! Merge sort from the bottom up. While it runs the nodes are singly linked through `next` and end in
//! null; bin `k` is empty or holds a sorted run of 2^k nodes, like the digits of a binary counter.
//!
//! ```text
//! ring -> one node at a time -> bin 0 -merge-> bin 1 -merge-> bin 2 …   at last: merge all, mend `prev`
//! ```
//!
//! Lower bins hold later nodes, so a merge takes from the older run whenever the keys are equal.
//!
//! # Cost
//!
//! One walk if the ring is sorted already, which a slot whose timers were armed with one duration always
//! is. O(n log n) otherwise; 256 bytes of stack.

#![expect(
    unsafe_code,
    reason = "rewires the nodes of a ring; LIST-2 and LIST-3 say why that is sound"
)]

use std::pin::Pin;
use std::ptr;

use super::{Linked, Links, Ring, join, node_at};

/// Runs of up to 2^31 nodes; more nodes than that do not fit the address space of a 32-bit machine, and
/// on a 64-bit one the last bin takes what is above.
const BIN_COUNT: usize = 32;

impl<N: Linked> Ring<N> {
    /// Puts the nodes into ascending order of `key`; equal ones keep theirs.
    ///
    /// # Safety
    ///
    /// `key` reads a live node, always answers the same for it, and neither panics nor touches a list.
    #[inline]
    pub(crate) unsafe fn sort_by_key(self: Pin<&Self>, key: impl Fn(&N) -> u64) {
        // SAFETY: called below for nodes of this ring only, which are live (LIST-2).
        let key = |links| unsafe { node_at::<N>(links).map_or(0, |node| key(node.as_ref())) };
        let sentinel = self.sentinel();
        // SAFETY: `key` touches no list, by the caller's promise.
        unsafe {
            if !is_sorted(sentinel, &key) {
                sort(sentinel, &key);
            }
        }
    }
}

/// # Safety
///
/// `sentinel` belongs to a ring whose nodes `key` can read.
unsafe fn is_sorted(sentinel: *const Links, key: &impl Fn(*const Links) -> u64) -> bool {
    let mut key_before = 0;
    // SAFETY: the sentinel is joined (RING-1), and every node of the ring is live (LIST-2).
    unsafe {
        let mut at = (*sentinel).next.get();
        while !ptr::eq(at, sentinel) {
            let key_here = key(at);
            if key_here < key_before {
                return false;
            }
            key_before = key_here;
            at = (*at).next.get();
        }
    }
    true
}

/// # Safety
///
/// `sentinel` belongs to a ring whose nodes `key` can read, without panicking.
unsafe fn sort(sentinel: *const Links, key: &impl Fn(*const Links) -> u64) {
    let mut bins = [ptr::null::<Links>(); BIN_COUNT];
    // SAFETY: only nodes of the ring, all of them live (LIST-2), are followed. `next` is null-terminated
    // in the runs, and `prev` is not read; the last loop restores LIST-3. Nothing can panic in between.
    unsafe {
        let mut at = (*sentinel).next.get();
        while !ptr::eq(at, sentinel) {
            let next = (*at).next.get();
            (*at).next.set(ptr::null());
            let mut run = at;
            let mut bin_index = 0;
            while !bins[bin_index].is_null() {
                run = merge(bins[bin_index], run, key);
                bins[bin_index] = ptr::null();
                if bin_index + 1 < BIN_COUNT {
                    bin_index += 1;
                }
            }
            bins[bin_index] = run;
            at = next;
        }
        let mut sorted = ptr::null();
        for older in bins {
            sorted = merge(older, sorted, key);
        }
        let mut before = sentinel;
        while !sorted.is_null() {
            join(before, sorted);
            before = sorted;
            sorted = (*sorted).next.get();
        }
        join(before, sentinel);
    }
}

/// Merges two null-terminated runs; among equal keys `older` goes first.
///
/// # Safety
///
/// The runs are made of live nodes that `key` can read.
unsafe fn merge(
    mut older: *const Links,
    mut newer: *const Links,
    key: &impl Fn(*const Links) -> u64,
) -> *const Links {
    let result = Links::new();
    let mut last: *const Links = &result;
    // SAFETY: `last` is `result` or a node; every other pointer followed is a node and not null.
    unsafe {
        while !older.is_null() && !newer.is_null() {
            let source = if key(newer) < key(older) {
                &mut newer
            } else {
                &mut older
            };
            (*last).next.set(*source);
            last = *source;
            *source = (*last).next.get();
        }
        (*last)
            .next
            .set(if older.is_null() { newer } else { older });
    }
    result.next.get()
}
