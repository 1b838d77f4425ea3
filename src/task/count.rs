//! A biased reference count: plain on the loop's thread, atomic everywhere else, merged at the end.
//!
//! *Role.* Each task block has one, and so has the loop's counted block ([`super::core`]). Spawning,
//! switching and joining a task then cost no atomic read-modify-write.
//!
//! *Model.* Two halves, of which only the **sum** means anything; either may go below its start.
//!
//! ```text
//!                 before the merge                         after the merge
//!   local   loop's thread, plain  (starts at n)   ──┐      0, unused
//!   shared  any other thread, RMW (starts at BIAS) ─┴──►   everybody, RMW; 0 means free
//! ```
//!
//! While the two are apart the loop itself holds a reference, so nobody looks for zero; `BIAS` keeps
//! `shared` far from it whatever foreign threads do. [`BiasedCount::merge`] adds the local half to
//! the shared one and takes the bias away; it runs on the loop's thread, once.
//!
//! # Invariants
//!
//! - **COUNT-1** The local half is touched only by the owner's thread, and only before the merge.
//! - **COUNT-2** The owner holds a reference from creation until after the merge.
//! - **COUNT-3** A reference is given back to either half at most once; `Free` is said exactly once.
//!
//! *Cost.* Local: an add. Merge and last release: no RMW when every reference is known to be the
//! owner's (see [`BiasedCount::is_known`]); else one.
//!
//! *Why not one atomic.* 2 ns per RMW, six of them in the life of a spawned task (measured by a
//! prototype: 18 ns for the whole life without them).

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::shim::{AtomicI32, Cell};

/// Where the shared half starts: no number of foreign drops brings it near zero.
const BIAS: i32 = 1 << 30;

/// A count beyond this, in either half, ends the process: it would take 8 GiB of leaked wakers, and
/// an overflow would free a block in use (hz_a33).
const SLACK: i32 = 1 << 29;

/// What the releaser of a reference must now do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnRelease {
    /// Others hold the block.
    Keep,
    /// That was the last reference: free the block.
    Free,
}

#[derive(Debug)]
pub(crate) struct BiasedCount {
    local: Cell<i32>,
    shared: AtomicI32,
}

impl BiasedCount {
    /// A count with `local` references, all of them the owner thread's.
    #[inline]
    pub(crate) fn new(local: i32) -> BiasedCount {
        BiasedCount {
            local: Cell::new(local),
            shared: AtomicI32::new(BIAS),
        }
    }

    /// One more, on the owner's thread before the merge.
    #[inline]
    pub(crate) fn acquire_local(&self) {
        let count = self.local.get();
        if count >= SLACK {
            overflow();
        }
        self.local.set(count + 1);
    }

    /// One less, on the owner's thread before the merge. It is never the last (COUNT-2).
    #[inline]
    pub(crate) fn release_local(&self) {
        self.local.set(self.local.get() - 1);
    }

    /// One more, from anywhere.
    #[inline]
    pub(crate) fn acquire_shared(&self) {
        // Relaxed: whoever clones already holds a reference, so the block can't go away meanwhile.
        if self.shared.fetch_add(1, Relaxed) >= BIAS + SLACK {
            overflow();
        }
    }

    /// One less, from anywhere.
    #[inline]
    pub(crate) fn release_shared(&self) -> OnRelease {
        // A count of exactly 1 is ours alone: nobody else holds a reference to change it with. The
        // acquire pairs with the release of those who left before.
        if self.shared.load(Acquire) == 1 || self.shared.fetch_sub(1, AcqRel) == 1 {
            return OnRelease::Free;
        }
        OnRelease::Keep
    }

    /// Whether exactly the `known` references exist, all of them on the owner's thread (before the
    /// merge).
    ///
    /// `shared == BIAS` says that foreign clones and foreign drops cancel out; `local == known` that
    /// no reference left this thread which did not come back. A foreign clone that a local drop
    /// balanced was moved here, so its increment is visible and `shared` would show it. So at this
    /// point of the shared half's modification order all references are known, and none of them can
    /// be cloned elsewhere.
    #[inline]
    pub(crate) fn is_known(&self, known: i32) -> bool {
        self.local.get() == known && self.shared.load(Acquire) == BIAS
    }

    /// How many references exist, on all threads (before the merge). If they are as many as the owner's
    /// thread can name, there are no others, nor will there be.
    ///
    /// What is read of `shared` is the outcome of its first changes, not always of all. With the local half
    /// it counts exactly the references that these changes know of: a release comes after the clone that
    /// made the reference, and what came back to this thread brought its clone along. If the owner can name
    /// them all, nobody elsewhere has one to clone from, so there are no later changes.
    pub(crate) fn sum(&self) -> i32 {
        self.local.get() + (self.shared.load(Acquire) - BIAS)
    }

    /// Joins the halves and gives back `released` of the `known` references, which are those that the
    /// owner's thread can name. From here on every reference is released by
    /// [`BiasedCount::release_shared`].
    #[inline]
    pub(crate) fn merge(&self, known: i32, released: i32) -> OnRelease {
        let left = if self.is_known(known) {
            // Nobody else can touch the count now, so a store is enough.
            self.shared.store(known - released, Relaxed);
            known - released
        } else {
            let change = self.local.get() - BIAS - released;
            self.shared.fetch_add(change, AcqRel) + change
        };
        if left == 0 {
            OnRelease::Free
        } else {
            OnRelease::Keep
        }
    }

    #[cfg(all(test, not(mainspring_loom)))]
    pub(crate) fn preset_for_test(&self, local: i32, shared_above_bias: i32) {
        self.local.set(local);
        self.shared.store(BIAS + shared_above_bias, Relaxed);
    }
}

/// hz_a33: better no process than a freed block that is still in use.
#[cold]
#[inline(never)]
fn overflow() -> ! {
    #[cfg(test)]
    panic!("reference count overflow");
    #[cfg(not(test))]
    {
        let line = b"mainspring: 2^29 references to one task; a waker is being leaked in a loop\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
        std::process::abort()
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    #[test]
    fn known_references_merge_without_a_read_modify_write_and_free_once() {
        let count = BiasedCount::new(2);
        assert!(count.is_known(2));
        assert_eq!(count.merge(2, 1), OnRelease::Keep);
        assert_eq!(count.release_shared(), OnRelease::Free);
    }

    #[test]
    fn the_sum_counts_what_came_and_went_anywhere() {
        let count = BiasedCount::new(2);
        count.acquire_local(); // cloned here,
        assert_eq!(count.sum(), 3);
        assert_eq!(count.release_shared(), OnRelease::Keep); // dropped elsewhere
        assert!(count.sum() == 2 && !count.is_known(2));
        count.acquire_shared(); // cloned elsewhere
        assert_eq!(count.sum(), 3);
    }

    #[test]
    fn a_merge_that_gives_back_the_last_reference_says_so() {
        assert_eq!(BiasedCount::new(1).merge(1, 1), OnRelease::Free);
        let count = BiasedCount::new(1);
        count.acquire_local();
        assert_eq!(count.release_shared(), OnRelease::Keep); // dropped elsewhere
        assert_eq!(count.merge(1, 1), OnRelease::Free);
    }

    #[test]
    fn either_half_may_go_below_its_start_because_only_the_sum_counts() {
        let count = BiasedCount::new(1);
        count.acquire_local(); // cloned here,
        assert_eq!(count.release_shared(), OnRelease::Keep); // dropped elsewhere
        count.acquire_shared(); // cloned elsewhere,
        count.release_local(); // dropped here
        assert!(count.is_known(1));
        count.acquire_shared();
        assert!(!count.is_known(1));
        assert_eq!(count.merge(1, 0), OnRelease::Keep);
        assert_eq!(count.release_shared(), OnRelease::Keep);
        assert_eq!(count.release_shared(), OnRelease::Free);
    }

    #[test]
    #[should_panic(expected = "reference count overflow")]
    fn hz_a33_a_local_count_near_its_limit_stops_the_process() {
        let count = BiasedCount::new(1);
        count.preset_for_test(SLACK - 1, 0);
        count.acquire_local();
        count.acquire_local();
    }

    #[test]
    #[should_panic(expected = "reference count overflow")]
    fn hz_a33_a_shared_count_near_its_limit_stops_the_process() {
        let count = BiasedCount::new(1);
        count.preset_for_test(1, SLACK - 1);
        count.acquire_shared();
        count.acquire_shared();
    }
}
