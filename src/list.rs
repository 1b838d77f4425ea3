//! Intrusive, doubly linked lists of pinned nodes: `Ring`, `Queue` and `Chain`.
//!
//! # Role
//!
//! Every wait, timer and task that must be found, handed on, or forgotten in constant time stands in
//! one of these. The wheel's slots and the sources, whose heads never move, are [`Ring`]s; the queue
//! of a lock or a channel, which its user may move, is a [`Queue`]; the waits of one task, whose head
//! should cost one word in the task's header, are a [`Chain`]. The node lives inside the future that
//! waits, so nothing here allocates.
//!
//! # Model
//!
//! ```text
//! Ring      +----------+      +---+      +---+       circular; the sentinel is inside the head,
//!       +-->| sentinel |<---->| a |<---->| b |<--+   so every neighbour is a real `Links` and
//!       |   +----------+      +---+      +---+   |   unlinking needs neither head nor branch
//!       +----------------------------------------+
//!
//! Queue   first ----> +---+      +---+               open; nodes never point at the head, which
//!               EDGE--| a |<---->| b |--EDGE         may therefore move, but must be at hand to
//!         last  -----------------^                   unlink a node at either end
//!
//! Chain   first ----> a.next ----> b.next ----> null open; `pprev` points at the cell that points
//!              ^-- a.pprev  ^-- b.pprev              here, be it the head's or a neighbour's
//! ```
//!
//! An unlinked node has null in both words. `EDGE` (an address that is never a node's) marks the ends
//! of a `Queue`, so that a node that stands there alone still knows that it is linked.
//!
//! # Invariants
//!
//! - **LIST-1, pinned.** A linked node does not move: it came in as `Pin<&N>`, and [`Links`] makes
//!   the type around it `!Unpin`. So does the head of a non-empty `Ring` or `Chain`.
//! - **LIST-2, unlinked before it is gone.** A node is unlinked before its memory is freed or used for
//!   something else (the promise of `unsafe impl Linked`), and a head that is dropped unlinks all its
//!   nodes. With LIST-1: every pointer that stands in a linked node or in a head, other than null and
//!   `EDGE`, points at a live `Links`.
//! - **LIST-3, neighbours agree.** `a.next == b` if and only if `b.prev == a`. Each operation restores
//!   this before it returns, and runs no code of the caller in between.
//! - **LIST-4, a pointer is good for the whole node.** Links pointers are made from `&N` by adding the
//!   offset, never from `&Links`, so that going back by the offset stays inside what the pointer may
//!   touch.
//! - **LIST-5, shared access only.** A linked node is reached through `&` and raw pointers, and changed
//!   through its `Cell`s. The only `&mut` is what `Drop` gives to the owner of a node or a head, whose
//!   type is `!Unpin` and therefore not assumed to be unaliased; it is made shared at once.
//! - **LIST-6, one thread.** Raw pointers and cells make nodes and heads `!Send` and `!Sync`.
//!
//! # Cost
//!
//! All operations but the walks (`iter`, `sort_by_key`, dropping a non-empty head) are O(1), without
//! allocation. Two words per node; a head is two words (`Ring`, `Queue`) or one (`Chain`).
//!
//! # Why not `VecDeque`, or a list that owns its nodes
//!
//! A waiter that is dropped must leave from the middle, at once, and from many places in the crate:
//! with an index it would have to be told of every move, with a tombstone the queue would grow while
//! nobody pops. An owning list allocates one node per wait, which costs more than the wait.

#![expect(
    unsafe_code,
    reason = "nodes point at each other; LIST-1 to LIST-6 say why that is sound"
)]

mod chain;
mod queue;
mod ring;
mod sort;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::{self, NonNull};

pub(crate) use chain::{Chain, ChainLinks, Chained};
pub(crate) use queue::Queue;
pub(crate) use ring::Ring;

/// Stands where a [`Queue`] ends. An odd address is no `Links`; it is compared, never followed.
const EDGE: *const Links = ptr::without_provenance(1);

/// The two words by which a node stands in a [`Ring`] or a [`Queue`]; both null while it stands in none.
///
/// `!Unpin`, so that a type that embeds it can only be linked through a `Pin`.
#[derive(Debug)]
pub(crate) struct Links {
    prev: Cell<*const Links>,
    next: Cell<*const Links>,
    _pinned: PhantomPinned,
}

impl Links {
    /// Links of a node that stands nowhere.
    #[inline]
    pub(crate) const fn new() -> Links {
        Links::between(ptr::null(), ptr::null())
    }

    /// Links of a node whose neighbours these are about to be.
    #[inline]
    const fn between(prev: *const Links, next: *const Links) -> Links {
        Links {
            prev: Cell::new(prev),
            next: Cell::new(next),
            _pinned: PhantomPinned,
        }
    }

    /// Whether the node stands in a ring or a queue. Exact for both.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        !self.next.get().is_null()
    }

    /// Back to "stands nowhere"; what the neighbours say is the caller's business.
    #[inline]
    fn reset(&self) {
        self.prev.set(ptr::null());
        self.next.set(ptr::null());
    }
}

/// A type that embeds a [`Links`] and may therefore stand in a [`Ring`] or a [`Queue`], one at a time.
///
/// # Safety
///
/// The implementor promises that
///
/// - `OFFSET` is the offset in bytes of a `Links` field inside `Self` that no other code changes;
/// - `Self` is not `Unpin` (which the field sees to, unless somebody implements it by hand);
/// - a value is unlinked before its memory goes: its `Drop`, or the `Drop` of what contains it,
///   unlinks it (LIST-2);
/// - it leaves the provided functions as they are.
pub(crate) unsafe trait Linked: Sized {
    /// Where the `Links` field lies, in bytes: `offset_of!(Self, links)`.
    const OFFSET: usize;

    /// The links inside `node`.
    ///
    /// # Safety
    ///
    /// `node` was made from a reference to a live value.
    #[inline]
    unsafe fn links(node: NonNull<Self>) -> NonNull<Links> {
        // SAFETY: stays inside the value, because OFFSET is the offset of one of its fields.
        unsafe { node.byte_add(Self::OFFSET) }.cast()
    }

    /// The node around `links`.
    ///
    /// # Safety
    ///
    /// `links` came out of [`Linked::links`] for this same type.
    #[inline]
    unsafe fn from_links(links: NonNull<Links>) -> NonNull<Self> {
        // SAFETY: undoes the addition in `links`; the pointer is good for the whole node (LIST-4).
        unsafe { links.byte_sub(Self::OFFSET) }.cast()
    }
}

/// The node around a pointer that stands in a list of `N`s, or `None` for null and `EDGE`.
///
/// # Safety
///
/// A pointer other than null and `EDGE` was stored by a list of `N`s for a node that is still linked.
#[inline]
unsafe fn node_at<N: Linked>(links: *const Links) -> Option<NonNull<N>> {
    if is_edge(links) {
        return None;
    }
    let links = NonNull::new(links.cast_mut())?;
    // SAFETY: the caller's promise is exactly what `from_links` asks for.
    Some(unsafe { N::from_links(links) })
}

/// The links of `node`, as the pointer that neighbours may keep (LIST-4).
#[inline]
fn links_of<N: Linked>(node: Pin<&N>) -> *const Links {
    // SAFETY: a pinned reference is to a live value.
    unsafe { N::links(NonNull::from(node.get_ref())) }.as_ptr()
}

/// As [`links_of`], of a node that is about to be linked.
#[inline]
fn unlinked<N: Linked>(node: Pin<&N>) -> *const Links {
    let links = links_of(node);
    // SAFETY: points into the value that `node` borrows.
    let is_linked = unsafe { (*links).is_linked() };
    assert!(!is_linked, "a node can stand in one list at a time");
    links
}

#[inline]
fn is_edge(links: *const Links) -> bool {
    ptr::eq(links, EDGE)
}

/// Makes `left` and `right` neighbours, in this order.
///
/// # Safety
///
/// Both point at live links.
#[inline]
unsafe fn join(left: *const Links, right: *const Links) {
    // SAFETY: live by the caller's promise; written through cells, so sharing is fine (LIST-5).
    unsafe {
        (*left).next.set(right);
        (*right).prev.set(left);
    }
}
