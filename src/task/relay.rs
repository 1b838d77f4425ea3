//! `Relay`: the wakers of many children of one future, which say which child was woken and wake its parent.
//!
//! *Role.* `join_all`, `as_completed`, `wait` and `gather` poll their many children with these; the proof of a
//! deadlock looks through them, and so does who asks why a task waits.
//!
//! *Model.* One counted block with a mark for each child. A waker is a pointer to a mark, and a share of the block.
//!
//! ```text
//!     waker ──► Child { place, is_noted } ──► Relay { noted places, the parent's waker }
//!     wake: the first since the child's last poll notes its place; the first note since the parent's last
//!     poll takes the parent's waker out and calls it
//! ```
//!
//! *The proof.* The parent's waker stands where any thread may reach it that has a child's waker. But the block's
//! count says how many of those there are, and all that wait in tasks of this loop can be found: in their wait
//! nodes, in their join slots, and in other relays. If that is all of them, nobody else can call the parent's,
//! nor will: there is nobody to clone one from.
//!
//! # Invariants
//!
//! - **RELAY-1** A waker with [`VTABLE`] points to a child of a relay, and owns a share of that relay, or is lent
//!   by somebody who has one.
//! - **RELAY-2** A child's pointer to its relay is that of the counted block it stands in, and never changes.
//!
//! *Cost.* Two allocations for all children. A wake is an atomic swap and, for the first since the child's last
//! poll, a lock that nobody holds. The wakers are good on any thread.
//!
//! *User code* (the parent's waker, which may be a foreign one) never runs under the mutex.
#![expect(unsafe_code, reason = "a RawWaker vtable and the count behind it")]

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::atomic::fence;
use std::sync::{Arc, Weak};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::raw::Header;
use super::waker;
use crate::shim::{AtomicBool, Mutex, MutexGuard, lock};

/// Relays in relays beyond this depth are not looked through: wakers of each other's children may go in a circle.
const DEPTH_MAX: usize = 64;

/// A list of relays with fewer entries than this is not worth tidying.
const UNTIDY_MIN: usize = 32;

/// A `static`, because its address tells these wakers from others.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Relay {
    noted: Mutex<Noted>,
    children: Box<[Child]>,
}

#[derive(Debug, Default)]
struct Noted {
    places: Vec<usize>,
    /// Whom to wake at the first note; taken out by it.
    parent: Option<Waker>,
}

#[derive(Debug)]
struct Child {
    relay: *const Relay,
    place: usize,
    is_noted: AtomicBool,
}

// SAFETY: the pointer is only used to count by (RELAY-2), and what it points to may be used anywhere.
unsafe impl Send for Child {}
// SAFETY: a shared child gives its place, an atomic, and that pointer, which nobody changes (RELAY-2).
unsafe impl Sync for Child {}

impl Relay {
    /// For so many children, each of which counts as noted.
    pub(crate) fn new(count: usize) -> Arc<Relay> {
        Arc::new_cyclic(|relay| {
            let child = |place| Child {
                relay: relay.as_ptr(),
                place,
                is_noted: AtomicBool::new(true),
            };
            Relay {
                noted: Mutex::new(Noted::default()),
                children: (0..count).map(child).collect(),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        lock(&self.noted)
    }

    /// Whoever is noted from now on wakes `parent`.
    pub(crate) fn listen(&self, parent: &Waker) {
        let earlier = self.lock().parent.take();
        let waker = match earlier {
            Some(earlier) if earlier.will_wake(parent) => earlier,
            earlier => {
                mem::drop(earlier);
                parent.clone()
            }
        };
        let displaced = self.lock().parent.replace(waker);
        mem::drop(displaced);
    }

    /// Whoever is noted from now on wakes nobody: a waker that a stranger keeps must not keep the parent.
    pub(crate) fn stop(&self) {
        let parent = self.lock().parent.take();
        mem::drop(parent);
    }

    /// Puts the places that were noted into `places`, which is empty.
    pub(crate) fn take_noted(&self, places: &mut Vec<usize>) {
        mem::swap(places, &mut self.lock().places);
    }

    /// The child at `place` is about to be polled: its next wake is noted.
    pub(crate) fn clear(&self, place: usize) {
        self.children[place].is_noted.swap(false, AcqRel);
    }

    /// The waker of the child at `place`.
    pub(crate) fn lend(&self, place: usize) -> ManuallyDrop<Waker> {
        let child = &raw const self.children[place];
        // SAFETY: RELAY-1: whoever called has a share, and the `ManuallyDrop` gives none back.
        ManuallyDrop::new(unsafe { Waker::new(child.cast(), &VTABLE) })
    }

    /// The parent's waker, for a look; no user code runs in it.
    fn with_parent<R>(&self, look: impl FnOnce(Option<&Waker>) -> R) -> R {
        look(self.lock().parent.as_ref())
    }
}

impl Child {
    fn note(&self, relay: &Relay) {
        // A read-modify-write also when it is noted already: it publishes what was written before the wake.
        if self.is_noted.swap(true, AcqRel) {
            return;
        }
        let mut noted = relay.lock();
        noted.places.push(self.place);
        let parent = noted.parent.take();
        mem::drop(noted);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

/// # Safety
/// `data` is that of a waker that lives (RELAY-1).
unsafe fn child<'a>(data: *const ()) -> &'a Child {
    // SAFETY: RELAY-1, the waker's share keeps it.
    unsafe { &*data.cast() }
}

/// # Safety
/// Called through [`VTABLE`] with the data of a waker that lives.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the caller's promise; RELAY-2, and the waker's share keeps the block.
    unsafe { Arc::increment_strong_count(child(data).relay) };
    RawWaker::new(data, &VTABLE)
}

/// # Safety
/// As for [`clone`]; takes the waker's share.
unsafe fn wake(data: *const ()) {
    // SAFETY: the share is ours now, and keeps the block until it is given back.
    unsafe {
        wake_by_ref(data);
        drop(data);
    }
}

/// # Safety
/// Called through [`VTABLE`] with the data of a waker that lives, which keeps its share.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: RELAY-1 and RELAY-2, the waker's share keeps both.
    let (child, relay) = unsafe { (child(data), &*child(data).relay) };
    child.note(relay);
}

/// # Safety
/// As for [`clone`]; takes the waker's share.
unsafe fn drop(data: *const ()) {
    // SAFETY: RELAY-2; the share is given back once.
    unsafe { Arc::decrement_strong_count(child(data).relay) };
}

/// The relay behind `waker`, if it is a child's.
pub(crate) fn relay_of(waker: &Waker) -> Option<&Relay> {
    // SAFETY: RELAY-1 and RELAY-2, and the waker lives for as long as the result is used.
    ptr::eq(waker.vtable(), &raw const VTABLE).then(|| unsafe { &*child(waker.data()).relay })
}

/// The task that `waker` wakes in the end, of whatever loop; null if that is not known. Only for comparing: the
/// task may be gone already.
pub(crate) fn root_of(waker: &Waker) -> *const Header {
    let mut relay = match step(waker) {
        Ok(root) => return root,
        Err(relay) => relay,
    };
    for _ in 0..DEPTH_MAX {
        let next = relay.with_parent(|parent| parent.map_or(Ok(ptr::null()), step));
        relay = match next {
            Ok(root) => return root,
            Err(next) => next,
        };
    }
    ptr::null()
}

/// The task that `waker` wakes, or the relay.
fn step(waker: &Waker) -> Result<*const Header, Arc<Relay>> {
    match relay_of(waker) {
        // SAFETY: RELAY-2, and the waker's share keeps the block; the new share is the result's.
        Some(relay) => Err(unsafe {
            Arc::increment_strong_count(relay);
            Arc::from_raw(relay)
        }),
        None => Ok(waker::task_of(waker).map_or(ptr::null(), |task| task.as_ptr())),
    }
}

/// The relays that were polled in one loop.
#[derive(Default)]
pub(crate) struct Relays {
    known: RefCell<Vec<Weak<Relay>>>,
    tidy_at: Cell<usize>,
}

impl Relays {
    pub(crate) fn add(&self, relay: &Arc<Relay>) {
        let mut known = self.known.borrow_mut();
        if known.len() >= self.tidy_at.get() {
            known.retain(|relay| relay.strong_count() > 0);
            self.tidy_at.set(UNTIDY_MIN.max(2 * known.len()));
        }
        known.push(Arc::downgrade(relay));
    }

    pub(crate) fn clear(&self) {
        mem::take(&mut *self.known.borrow_mut());
    }

    /// Those that would wake one of `tasks`, to be counted.
    pub(crate) fn census(&self, is_ours: impl Fn(*const Header) -> bool) -> Census {
        let known = self.known.borrow();
        let live = known.iter().filter_map(Weak::upgrade);
        let relevant = live.filter(|relay| {
            let root = relay.with_parent(|parent| parent.map_or(ptr::null(), root_of));
            is_ours(root)
        });
        let mut relays: Vec<_> = relevant.map(|relay| (relay, 0)).collect();
        relays.sort_unstable_by_key(|(relay, _)| Arc::as_ptr(relay));
        Census { relays }
    }
}

/// Relays, and how many wakers of each were found.
pub(crate) struct Census {
    relays: Vec<(Arc<Relay>, usize)>,
}

impl Census {
    /// A waker was found where only the loop's thread can reach it.
    pub(crate) fn note(&mut self, waker: &Waker) {
        if let Some(relay) = relay_of(waker) {
            let place = self
                .relays
                .binary_search_by_key(&ptr::from_ref(relay), |(relay, _)| Arc::as_ptr(relay));
            if let Ok(place) = place {
                self.relays[place].1 += 1;
            }
        }
    }

    /// Whether no other waker of these relays exists, nor will; then, how many of the relays have a task's waker
    /// as their parent's.
    pub(crate) fn conclude(mut self) -> Option<usize> {
        let mut tasks = 0;
        for place in 0..self.relays.len() {
            let relay = Arc::clone(&self.relays[place].0);
            let parent = relay.with_parent(|parent| parent.map(step));
            match parent {
                Some(Ok(_)) => tasks += 1,
                Some(Err(outer)) => {
                    let outer = Arc::as_ptr(&outer);
                    let found = self
                        .relays
                        .binary_search_by_key(&outer, |(relay, _)| Arc::as_ptr(relay));
                    if let Ok(place) = found {
                        self.relays[place].1 += 1;
                    }
                }
                // It was woken just now, by somebody whom the counts show, or who has rung.
                None => return None,
            }
        }
        // Beside the wakers: the share of who polls, and ours.
        let is_all = self
            .relays
            .iter()
            .all(|(relay, found)| Arc::strong_count(relay) == found + 2);
        // Who gave the last share back has told the inbox what it had to tell: that is seen from here on.
        fence(Acquire);
        is_all.then_some(tasks)
    }
}

#[cfg(all(test, mainspring_loom))]
mod models;

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use std::mem::drop;

    use super::*;

    #[test]
    fn a_relay_notes_each_child_once_and_wakes_the_parent_once() {
        let relay = Relay::new(3);
        let outer = Relay::new(1);
        outer.clear(0);
        for place in 0..3 {
            relay.clear(place);
        }
        relay.listen(&outer.lend(0));
        let waker = Waker::clone(&relay.lend(2));
        waker.wake_by_ref();
        waker.wake();
        relay.lend(0).wake_by_ref();
        let mut places = Vec::new();
        relay.take_noted(&mut places);
        assert_eq!(places, [2, 0]);
        let mut places = Vec::new();
        outer.take_noted(&mut places);
        assert_eq!(places, [0]);
        assert!(relay_of(Waker::noop()).is_none());
        assert!(ptr::eq(relay_of(&relay.lend(1)).unwrap(), &*relay));
    }

    #[test]
    fn relays_of_each_other_s_children_end_in_no_root_and_not_in_a_loop() {
        let (one, two) = (Relay::new(1), Relay::new(1));
        one.listen(&two.lend(0));
        two.listen(&one.lend(0));
        assert!(root_of(&one.lend(0)).is_null());
        one.stop();
        two.stop();
    }

    /// What a census of `relays` says once `found` were found; every root counts as ours.
    fn count(relays: &Relays, found: &[&Waker]) -> Option<usize> {
        let mut census = relays.census(|_| true);
        found.iter().for_each(|waker| census.note(waker));
        census.conclude()
    }

    #[test]
    fn a_census_counts_only_if_every_waker_was_found() {
        let relays = Relays::default();
        let (inner, outer) = (Relay::new(2), Relay::new(2));
        relays.add(&inner);
        relays.add(&outer);
        outer.listen(Waker::noop());
        inner.listen(&outer.lend(1));
        assert_eq!(count(&relays, &[]), Some(1), "the parent of the outer one");
        let known = Waker::clone(&inner.lend(0));
        assert_eq!(count(&relays, &[&known]), Some(1));
        assert_eq!(count(&relays, &[]), None, "somebody has one");
        let elsewhere = known.clone();
        assert_eq!(count(&relays, &[&known]), None);
        assert_eq!(count(&relays, &[&known, &elsewhere]), Some(1));
        drop(elsewhere);
        assert_eq!(count(&relays, &[&known]), Some(1));
        let of_outer = Waker::clone(&outer.lend(0));
        assert_eq!(count(&relays, &[&known]), None, "of the outer one, too");
        drop(of_outer);
        inner.clear(0);
        known.wake_by_ref();
        assert_eq!(
            count(&relays, &[&known]),
            None,
            "the parent is about to hear"
        );
        assert!(relays.census(|_| false).relays.is_empty());
    }

    #[test]
    fn the_list_of_relays_is_tidied_as_it_grows() {
        let relays = Relays::default();
        let kept = Relay::new(1);
        relays.add(&kept);
        for _ in 0..1000 {
            relays.add(&Relay::new(1));
        }
        assert!(relays.known.borrow().len() <= 2 * UNTIDY_MIN);
        assert!(
            relays
                .known
                .borrow()
                .iter()
                .any(|relay| relay.strong_count() > 0)
        );
    }
}
