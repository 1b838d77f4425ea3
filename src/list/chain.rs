//! A list whose head is one word, and whose nodes leave with no head at hand.
//!
//! # Role
//!
//! A task's list of the waits it stands in: the head lies in the task's header, where a word counts, and
//! a wait that is dropped must leave without asking which task it belonged to. New waits go to the
//! front; nobody needs the last one.
//!
//! # Model
//!
//! `pprev` of a node is the address of the cell that points at it: the head's `first`, or the `next` of
//! the node before. Unlinking writes through it and need not know which of the two it is. In the
//! diagrams, each arrow to the right stands for a `next` (or `first`) together with the `pprev` of what
//! it points at.
//!
//! # Invariants
//!
//! LIST-1, LIST-2 and LIST-4 to LIST-6 of the parent module, and
//!
//! - **CHAIN-1, the cell before points here.** `*a.pprev == a` for every linked node, and `pprev` is null
//!   if and only if the node is unlinked. Each operation restores this before it returns.
//!
//! # Why not `Ring`
//!
//! Its head is two words, and its tail, which the second word pays for, has no use here.

#![expect(
    unsafe_code,
    reason = "nodes and head point at each other; CHAIN-1 and LIST-1 to LIST-6 say why that is sound"
)]

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::pin::Pin;
use std::ptr::{self, NonNull};

/// The cell through which a node is reached: a head's `first` or a neighbour's `next`.
type Edge = Cell<*const ChainLinks>;

/// The two words by which a node stands in a [`Chain`]; both null while it stands in none.
#[derive(Debug)]
pub(crate) struct ChainLinks {
    pprev: Cell<*const Edge>,
    next: Edge,
    _pinned: PhantomPinned,
}

impl ChainLinks {
    /// Links of a node that stands nowhere.
    #[inline]
    pub(crate) const fn new() -> ChainLinks {
        ChainLinks {
            pprev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            _pinned: PhantomPinned,
        }
    }

    /// Whether the node stands in a chain.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        !self.pprev.get().is_null()
    }

    /// Makes the cell before and the node after neighbours; our own words stay.
    #[inline]
    fn leave(&self) {
        let (pprev, next) = (self.pprev.get(), self.next.get());
        if pprev.is_null() {
            return;
        }
        // SAFETY: `pprev` lies in a live node or in a head that has not been dropped, for that would
        // have unlinked us (LIST-2, CHAIN-1); `next`, unless null, is a live node.
        unsafe {
            (*pprev).set(next);
            if !next.is_null() {
                (*next).pprev.set(pprev);
            }
        }
    }

    /// Back to "stands nowhere"; what the neighbours say is the caller's business.
    #[inline]
    pub(super) fn reset(&self) {
        self.pprev.set(ptr::null());
        self.next.set(ptr::null());
    }

    /// Asserts CHAIN-1 for a node that is linked.
    #[cfg(test)]
    pub(super) fn check(&self) {
        // SAFETY: linked, so the cell before is alive (LIST-2).
        assert!(ptr::eq(unsafe { (*self.pprev.get()).get() }, self));
    }
}

/// A type that embeds a [`ChainLinks`] and may therefore stand in one [`Chain`] at a time.
///
/// # Safety
///
/// As for [`Linked`](super::Linked), with `CHAIN_OFFSET` and a `ChainLinks` field.
pub(crate) unsafe trait Chained: Sized {
    /// Where the `ChainLinks` field lies, in bytes: `offset_of!(Self, chain)`.
    const CHAIN_OFFSET: usize;
}

/// An open list of `N`s whose head is one word. Must stay where it is while nodes stand in it, hence
/// `Pin<&Self>`.
///
/// Dropping it unlinks what stands in it.
#[derive(Debug)]
pub(crate) struct Chain<N: Chained> {
    first: Edge,
    _nodes: PhantomData<*const N>,
    _pinned: PhantomPinned,
}

impl<N: Chained> Chain<N> {
    /// An empty chain, which may still be moved.
    #[inline]
    pub(crate) const fn new() -> Self {
        Chain {
            first: Cell::new(ptr::null()),
            _nodes: PhantomData,
            _pinned: PhantomPinned,
        }
    }

    /// Whether no node stands in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Puts `node` before all others.
    ///
    /// ```text
    /// BEFORE   first -> a -> b -> null            node: null, null
    /// AFTER    first -> node -> a -> b -> null
    /// ```
    ///
    /// # Panics
    ///
    /// If `node` is linked already.
    #[inline(always)]
    pub(crate) fn push_front(self: Pin<&Self>, node: Pin<&N>) {
        let (links, first) = (links_of(node), &self.get_ref().first);
        // SAFETY: the node is live, being borrowed, and stays so until it is unlinked (LIST-1, LIST-2);
        // what `first` points at, unless null, is a linked node (CHAIN-1).
        unsafe {
            let is_linked = (*links).is_linked();
            assert!(!is_linked, "a node can stand in one chain at a time");
            let second = first.replace(links);
            (*links).pprev.set(first);
            (*links).next.set(second);
            if !second.is_null() {
                (*second).pprev.set(&raw const (*links).next);
            }
        }
    }

    /// As [`Chain::push_front`], for a node whose links are written here for the first time.
    ///
    /// # Safety
    ///
    /// `node` stands in no chain, and its links are the caller's to write.
    #[inline]
    pub(crate) unsafe fn push_front_new(self: Pin<&Self>, node: Pin<&N>) {
        let (links, first) = (links_of(node), &self.get_ref().first);
        // SAFETY: as in `push_front`; the links are cells, so a shared reference may write them (LIST-5).
        unsafe {
            let second = first.replace(links);
            links.cast_mut().write(ChainLinks {
                pprev: Cell::new(first),
                next: Cell::new(second),
                _pinned: PhantomPinned,
            });
            if !second.is_null() {
                (*second).pprev.set(&raw const (*links).next);
            }
        }
    }

    /// Takes the first node out, unlinked.
    ///
    /// ```text
    /// BEFORE   first -> a -> b -> null
    /// AFTER    first -> b -> null                 a: null, null
    /// ```
    ///
    /// The pointer is valid until the node's owner drops it.
    #[inline]
    pub(crate) fn pop_front(self: Pin<&Self>) -> Option<NonNull<N>> {
        // SAFETY: null, or a node of this chain (CHAIN-1).
        let node = unsafe { node_at::<N>(self.first.get()) }?;
        // SAFETY: it is linked, so it is live and pinned (LIST-1, LIST-2).
        Self::unlink(unsafe { Pin::new_unchecked(node.as_ref()) });
        Some(node)
    }

    /// Takes `node` out of whichever chain it stands in; nothing happens if it stands in none.
    ///
    /// ```text
    /// BEFORE   … -> node -> b -> …
    /// AFTER    … -> b -> …                        node: null, null
    /// ```
    #[inline]
    pub(crate) fn unlink(node: Pin<&N>) {
        // SAFETY: points into the value that `node` borrows.
        let links = unsafe { &*links_of(node) };
        links.leave();
        links.reset();
    }

    /// As [`Chain::unlink`], for a node that goes away: its own words stay as they are.
    ///
    /// # Safety
    ///
    /// The node's links are not used again.
    #[inline]
    pub(crate) unsafe fn leave(node: Pin<&N>) {
        // SAFETY: points into the value that `node` borrows.
        unsafe { &*links_of(node) }.leave();
    }

    /// The nodes from first (the latest pushed) to last.
    ///
    /// # Safety
    ///
    /// While the iterator is in use, none of this chain's nodes is unlinked, except one that the iterator
    /// has already been advanced past (it looks one node ahead).
    #[inline]
    pub(crate) unsafe fn iter(&self) -> Iter<N> {
        Iter {
            next: self.first.get(),
            _nodes: PhantomData,
        }
    }
}

impl<N: Chained> Drop for Chain<N> {
    /// Unlinks every node, for each may outlive the head (a forgotten future does).
    #[inline]
    fn drop(&mut self) {
        let mut at = self.first.get();
        while !at.is_null() {
            // SAFETY: a linked node, which is live (LIST-2).
            let links = unsafe { &*at };
            at = links.next.get();
            links.reset();
        }
    }
}

/// The links of `node`, as the pointer that the chain may keep (LIST-4).
#[inline]
fn links_of<N: Chained>(node: Pin<&N>) -> *const ChainLinks {
    let node: *const N = node.get_ref();
    // SAFETY: stays inside the value, because CHAIN_OFFSET is the offset of one of its fields.
    unsafe { node.byte_add(N::CHAIN_OFFSET) }.cast()
}

/// The node around `links`, or `None` for null.
///
/// # Safety
///
/// `links`, unless null, was stored by a chain of `N`s for a node that is still linked.
#[inline]
unsafe fn node_at<N: Chained>(links: *const ChainLinks) -> Option<NonNull<N>> {
    let links = NonNull::new(links.cast_mut())?;
    // SAFETY: undoes the addition in `links_of`; the pointer is good for the whole node (LIST-4).
    Some(unsafe { links.byte_sub(N::CHAIN_OFFSET) }.cast())
}

/// Walks a [`Chain`]; see [`Chain::iter`] for what must not happen meanwhile.
#[derive(Debug)]
pub(crate) struct Iter<N> {
    next: *const ChainLinks,
    _nodes: PhantomData<*const N>,
}

impl<N: Chained> Iterator for Iter<N> {
    type Item = NonNull<N>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<N>> {
        // SAFETY: null, or a node that is still linked, by the promise made to `iter`.
        unsafe {
            let node = node_at(self.next)?;
            self.next = (*self.next).next.get();
            Some(node)
        }
    }
}
