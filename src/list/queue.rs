//! An open list whose head may move, or be forgotten, while nodes stand in it.
//!
//! # Role
//!
//! The queue of a lock, a channel, an event: a primitive belongs to its user, who may move it as soon
//! as no future borrows it. A future that was forgotten (`mem::forget`) borrows nothing any more but is
//! still linked, so no node may point at the head. The price is that the ends can only be unlinked with
//! the head at hand; whoever waits on a primitive holds a reference to it anyway.
//!
//! # Model
//!
//! In the diagrams `|` is `EDGE`. An empty queue has null in both words of its head.
//!
//! # Invariants
//!
//! Those of the parent module, where a neighbour may be `EDGE`, and
//!
//! - **QUEUE-1, the ends belong to the head.** `first` is null or a node whose `prev` is `EDGE`, `last`
//!   is null or a node whose `next` is `EDGE`; both are null or neither is. No two queues share a node.

#![expect(
    unsafe_code,
    reason = "nodes point at each other; QUEUE-1 and LIST-1 to LIST-6 say why that is sound"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::{self, NonNull};

use super::{EDGE, Linked, Links, is_edge, join, links_of, node_at, unlinked};

/// An open list of `N`s. May be moved at any time.
///
/// Dropping it unlinks what stands in it.
#[derive(Debug)]
pub(crate) struct Queue<N: Linked> {
    first: Cell<*const Links>,
    last: Cell<*const Links>,
    _nodes: PhantomData<*const N>,
}

impl<N: Linked> Queue<N> {
    /// An empty queue.
    #[inline]
    pub(crate) const fn new() -> Self {
        Queue {
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            _nodes: PhantomData,
        }
    }

    /// Whether no node stands here.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Puts `node` behind all others.
    ///
    /// ```text
    /// BEFORE   |<- a <-> b ->|              node: null, null
    /// AFTER    |<- a <-> b <-> node ->|     last: node
    /// ```
    ///
    /// # Panics
    ///
    /// If `node` is linked already.
    #[inline(always)]
    pub(crate) fn push_back(&self, node: Pin<&N>) {
        let links = unlinked(node);
        let last = self.last.replace(links);
        // SAFETY: the node is live, being borrowed, and stays so until it is unlinked (LIST-1, LIST-2);
        // `last`, unless null, is a node of ours (QUEUE-1).
        unsafe {
            (*links).next.set(EDGE);
            if last.is_null() {
                (*links).prev.set(EDGE);
                self.first.set(links);
            } else {
                join(last, links);
            }
        }
    }

    /// As [`Queue::push_back`], for a node whose links are written here for the first time.
    ///
    /// # Safety
    ///
    /// `node` stands nowhere, and its links are the caller's to write.
    #[inline(always)]
    pub(crate) unsafe fn push_back_new(&self, node: Pin<&N>) {
        let links = links_of(node);
        let last = self.last.replace(links);
        let prev = if last.is_null() { EDGE } else { last };
        // SAFETY: as in `push_back`; the links are cells, so a shared reference may write them (LIST-5).
        unsafe {
            links.cast_mut().write(Links::between(prev, EDGE));
            if last.is_null() {
                self.first.set(links);
            } else {
                (*last).next.set(links);
            }
        }
    }

    /// Takes the first node out, unlinked.
    ///
    /// ```text
    /// BEFORE   |<- a <-> b ->|
    /// AFTER    |<- b ->|                    a: null, null    first: b
    /// ```
    ///
    /// The pointer is valid until the node's owner drops it.
    #[inline]
    pub(crate) fn pop_front(&self) -> Option<NonNull<N>> {
        // SAFETY: its links are reset here, if there is one; it is live (LIST-2), and its owner's until then.
        unsafe {
            let node = self.take_front()?;
            N::links(node).as_ref().reset();
            Some(node)
        }
    }

    /// As [`Queue::pop_front`], for a node whose links nobody reads any more.
    ///
    /// # Safety
    ///
    /// The links still say that it stands here: they are not read before they are written anew.
    #[inline(always)]
    pub(crate) unsafe fn take_front(&self) -> Option<NonNull<N>> {
        let node = self.first()?;
        // SAFETY: it stands in this queue, so it is live (LIST-2), and so is its neighbour.
        unsafe {
            let next = N::links(node).as_ref().next.get();
            if is_edge(next) {
                self.first.set(ptr::null());
                self.last.set(ptr::null());
            } else {
                (*next).prev.set(EDGE);
                self.first.set(next);
            }
        }
        Some(node)
    }

    /// The first node, which stays where it is.
    #[inline]
    pub(crate) fn first(&self) -> Option<NonNull<N>> {
        // SAFETY: null, or a node that some push stored and that is still linked (QUEUE-1).
        unsafe { node_at(self.first.get()) }
    }

    /// Takes `node` out; says whether it did.
    ///
    /// ```text
    /// BEFORE   |<- a <-> node <-> b ->|
    /// AFTER    |<- a <-> b ->|              node: null, null
    ///
    /// BEFORE   |<- node <-> b ->|
    /// AFTER    |<- b ->|                    node: null, null    first: b
    /// ```
    ///
    /// Answers `false`, and changes nothing, if `node` stands nowhere or at an end of another queue.
    /// With any argument this is sound: a node inside another list is taken out of that one, whose head
    /// does not need to know.
    #[inline]
    pub(crate) fn unlink(&self, node: Pin<&N>) -> bool {
        // SAFETY: points into the value that `node` borrows.
        let links = unsafe { &*links_of(node) };
        let (prev, next) = (links.prev.get(), links.next.get());
        let (is_first, is_last) = (is_edge(prev), is_edge(next));
        let is_foreign = is_first && !ptr::eq(self.first.get(), links)
            || is_last && !ptr::eq(self.last.get(), links);
        if next.is_null() || is_foreign {
            return false;
        }
        if is_first {
            self.first.set(if is_last { ptr::null() } else { next });
        } else {
            // SAFETY: the node is linked and this neighbour is no edge, so it is live (LIST-2).
            unsafe { (*prev).next.set(next) };
        }
        if is_last {
            self.last.set(if is_first { ptr::null() } else { prev });
        } else {
            // SAFETY: the node is linked and this neighbour is no edge, so it is live (LIST-2).
            unsafe { (*next).prev.set(prev) };
        }
        links.reset();
        true
    }

    /// The nodes from first to last.
    ///
    /// # Safety
    ///
    /// While the iterator is in use, no node is pushed here and none of this queue's is unlinked, except
    /// one that the iterator has already been advanced past (it looks one node ahead).
    pub(crate) unsafe fn iter(&self) -> Iter<N> {
        Iter {
            next: self.first.get(),
            _nodes: PhantomData,
        }
    }

    /// The first and the last node's links, for the check of QUEUE-1.
    #[cfg(test)]
    pub(super) fn ends(&self) -> (*const Links, *const Links) {
        (self.first.get(), self.last.get())
    }
}

impl<N: Linked> Drop for Queue<N> {
    /// Unlinks every node, for each may outlive the head (a forgotten future does).
    #[inline]
    fn drop(&mut self) {
        let mut at = self.first.get();
        while !at.is_null() && !is_edge(at) {
            // SAFETY: a linked node, which is live (QUEUE-1, LIST-2).
            let links = unsafe { &*at };
            at = links.next.get();
            links.reset();
        }
    }
}

/// Walks a [`Queue`]; see [`Queue::iter`] for what must not happen meanwhile.
#[derive(Debug)]
pub(crate) struct Iter<N> {
    next: *const Links,
    _nodes: PhantomData<*const N>,
}

impl<N: Linked> Iterator for Iter<N> {
    type Item = NonNull<N>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<N>> {
        // SAFETY: null, an edge, or a node that is still linked, by the promise made to `iter`.
        unsafe {
            let node = node_at(self.next)?;
            self.next = (*self.next).next.get();
            Some(node)
        }
    }
}
