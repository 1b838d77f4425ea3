//! A circular list with its sentinel inside the head: a node leaves with no head at hand.
//!
//! # Role
//!
//! For heads that never move: the wheel's slots, a source's waiters, the batch of expired timers. The
//! letters in the diagrams are nodes, `H` is the sentinel; the last node is followed by `H` again.
//!
//! # Invariants
//!
//! Those of the parent module, and
//!
//! - **RING-1, the sentinel is null or joined.** Both its words are null (never pushed to: the head may
//!   still move) or both are not (pinned for ever; an empty ring is `H` joined to itself).
//!
//! # Why not one sentinel set up by `new`
//!
//! `new` returns the head by value, which moves it; the first push sees it pinned.

#![expect(
    unsafe_code,
    reason = "nodes and sentinel point at each other; RING-1 and LIST-1 to LIST-6 say why that is sound"
)]

use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::{self, NonNull};

use super::{Linked, Links, is_edge, join, links_of, node_at, unlinked};

/// A circular list of `N`s. Must stay where it is once a node was pushed, hence `Pin<&Self>`.
///
/// Dropping it unlinks what stands in it.
#[derive(Debug)]
pub(crate) struct Ring<N: Linked> {
    sentinel: Links,
    _nodes: PhantomData<*const N>,
}

impl<N: Linked> Ring<N> {
    /// An empty ring, which may still be moved.
    #[inline]
    pub(crate) const fn new() -> Self {
        Ring {
            sentinel: Links::new(),
            _nodes: PhantomData,
        }
    }

    /// Whether no node stands here.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let next = self.sentinel.next.get();
        next.is_null() || ptr::eq(next, &self.sentinel)
    }

    /// Puts `node` behind all others.
    ///
    /// ```text
    /// BEFORE   H <-> a <-> b <-> H            node: null, null
    /// AFTER    H <-> a <-> b <-> node <-> H
    /// ```
    ///
    /// # Panics
    ///
    /// If `node` is linked already.
    #[inline]
    pub(crate) fn push_back(self: Pin<&Self>, node: Pin<&N>) {
        let (sentinel, links) = (self.sentinel(), unlinked(node));
        // SAFETY: sentinel and its neighbour are live (RING-1, LIST-2); the node is, being borrowed,
        // and stays so until it is unlinked (LIST-1, LIST-2).
        unsafe {
            join((*sentinel).prev.get(), links);
            join(links, sentinel);
        }
    }

    /// Joins the sentinel before the first push does, for [`Ring::push_back_new`].
    pub(crate) fn prepare(self: Pin<&Self>) {
        self.sentinel();
    }

    /// As [`Ring::push_back`], for a node whose links are written here for the first time.
    ///
    /// # Safety
    ///
    /// The ring was prepared. `node` stands nowhere, and its links are the caller's to write.
    #[inline]
    pub(crate) unsafe fn push_back_new(self: Pin<&Self>, node: Pin<&N>) {
        let (sentinel, links): (*const Links, _) = (&self.get_ref().sentinel, links_of(node));
        debug_assert!(!self.sentinel.next.get().is_null());
        // SAFETY: as in `push_back`, with a sentinel that is joined by the caller's promise (RING-1); the
        // links are cells, so a shared reference may write them (LIST-5).
        unsafe {
            let last = (*sentinel).prev.get();
            links.cast_mut().write(Links::between(last, sentinel));
            (*last).next.set(links);
            (*sentinel).prev.set(links);
        }
    }

    /// Takes the first node out, unlinked.
    ///
    /// ```text
    /// BEFORE   H <-> a <-> b <-> H
    /// AFTER    H <-> b <-> H                  a: null, null
    /// ```
    ///
    /// The pointer is valid until the node's owner drops it.
    #[inline]
    pub(crate) fn pop_front(self: Pin<&Self>) -> Option<NonNull<N>> {
        let node = self.first()?;
        // SAFETY: it stands in this ring, so it and its neighbours are live (LIST-2).
        unsafe {
            let links = N::links(node).as_ref();
            join(&self.get_ref().sentinel, links.next.get());
            links.reset();
        }
        Some(node)
    }

    /// The first node, which stays where it is.
    #[inline]
    pub(crate) fn first(self: Pin<&Self>) -> Option<NonNull<N>> {
        if self.is_empty() {
            return None;
        }
        let first = self.sentinel.next.get().cast_mut();
        // SAFETY: not empty, so this is neither null nor the sentinel but a node that some push stored
        // (LIST-2); a ring has no `EDGE`.
        Some(unsafe { N::from_links(NonNull::new_unchecked(first)) })
    }

    /// Moves all nodes of `source` behind ours, in their order, in O(1).
    ///
    /// ```text
    /// BEFORE   H <-> a <-> b <-> H        S <-> x <-> y <-> S
    /// AFTER    H <-> a <-> b <-> x <-> y <-> H        S <-> S
    /// ```
    ///
    /// A ring appended to itself stays as it is.
    #[inline]
    pub(crate) fn append(self: Pin<&Self>, source: Pin<&Ring<N>>) {
        if source.is_empty() || ptr::eq(&*self, &*source) {
            return;
        }
        let (target, source) = (self.sentinel(), source.sentinel());
        // SAFETY: both sentinels are joined (RING-1) and pinned, so all four neighbours are live
        // (LIST-2). `source` has a first and a last node, neither of which is a sentinel.
        unsafe {
            join((*target).prev.get(), (*source).next.get());
            join((*source).prev.get(), target);
            join(source, source);
        }
    }

    /// Takes `node` out of whichever ring it stands in; nothing happens if it stands in none.
    ///
    /// ```text
    /// BEFORE   … <-> a <-> node <-> b <-> …
    /// AFTER    … <-> a <-> b <-> …            node: null, null
    /// ```
    ///
    /// # Panics
    ///
    /// If `node` stands at an end of a [`Queue`](super::Queue), which alone can unlink it.
    #[inline]
    pub(crate) fn unlink(node: Pin<&N>) {
        // SAFETY: points into the value that `node` borrows.
        let links = unsafe { &*links_of(node) };
        let (prev, next) = (links.prev.get(), links.next.get());
        if next.is_null() {
            return;
        }
        assert!(
            !is_edge(prev) && !is_edge(next),
            "a node at the end of a queue must be unlinked by its queue"
        );
        // SAFETY: the node is linked and neither neighbour is an edge, so both are live (LIST-2).
        unsafe { join(prev, next) };
        links.reset();
    }

    /// As [`Ring::unlink`], for a node that goes away: its own words stay as they are.
    ///
    /// # Safety
    ///
    /// `node` stands in no [`Queue`](super::Queue), and its links are not used again.
    #[inline]
    pub(crate) unsafe fn leave(node: Pin<&N>) {
        // SAFETY: points into the value that `node` borrows.
        let links = unsafe { &*links_of(node) };
        if links.is_linked() {
            // SAFETY: it is linked, and not in a queue, so both neighbours are live (LIST-2).
            unsafe { join(links.prev.get(), links.next.get()) };
        }
    }

    /// The nodes from first to last.
    ///
    /// # Safety
    ///
    /// While the iterator is in use, no node is pushed here and none of this ring's is unlinked, except
    /// one that the iterator has already been advanced past (it looks one node ahead).
    #[inline]
    pub(crate) unsafe fn iter(self: Pin<&Self>) -> Iter<N> {
        let sentinel = self.sentinel();
        Iter {
            // SAFETY: live for as long as `self` is.
            next: unsafe { (*sentinel).next.get() },
            sentinel,
            _nodes: PhantomData,
        }
    }

    /// The sentinel, joined (RING-1), as the pointer that neighbours may keep.
    #[inline]
    pub(super) fn sentinel(self: Pin<&Self>) -> *const Links {
        if self.sentinel.next.get().is_null() {
            self.join_sentinel();
        }
        &self.get_ref().sentinel
    }

    /// The head is pinned from now on.
    #[cold]
    fn join_sentinel(self: Pin<&Self>) {
        let sentinel: *const Links = &self.get_ref().sentinel;
        self.sentinel.prev.set(sentinel);
        self.sentinel.next.set(sentinel);
    }
}

impl<N: Linked> Drop for Ring<N> {
    /// Unlinks every node, for each may outlive the head (a forgotten future does).
    #[inline]
    fn drop(&mut self) {
        if self.is_empty() {
            return;
        }
        let sentinel: *const Links = &self.sentinel;
        let mut at = self.sentinel.next.get();
        while !ptr::eq(at, sentinel) {
            // SAFETY: not the sentinel, so a linked node, which is live (LIST-2).
            let links = unsafe { &*at };
            at = links.next.get();
            links.reset();
        }
    }
}

/// Walks a [`Ring`]; see [`Ring::iter`] for what must not happen meanwhile.
#[derive(Debug)]
pub(crate) struct Iter<N> {
    next: *const Links,
    sentinel: *const Links,
    _nodes: PhantomData<*const N>,
}

impl<N: Linked> Iterator for Iter<N> {
    type Item = NonNull<N>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<N>> {
        let at = self.next;
        if ptr::eq(at, self.sentinel) {
            return None;
        }
        // SAFETY: `at` is a node of this ring and still linked, by the promise made to `iter`.
        unsafe {
            self.next = (*at).next.get();
            node_at(at)
        }
    }
}
