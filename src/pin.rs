//! Structural pinning, in one place: a pinned future's view of its pinned field.
//!
//! *Role.* Leaf futures embed a wait node, combinators embed a future; both must reach it through
//! `Pin<&mut Self>`. [`pinned!`] gives a shared pinned view, [`pinned_mut!`] an exclusive one.
//!
//! # Invariants
//!
//! For each struct one of whose fields is named in these macros:
//! - **PIN-1** The field is `!Unpin` or generic and the struct implements `Unpin` by nobody's hand, so it
//!   is `Unpin` only if the field is. Or the field is always `Unpin`, like [`Plain`] and every number:
//!   then a pinned view of it forbids nothing, and needs nothing of the struct.
//! - **PIN-2** The struct's `Drop` and methods never move the field, nor give out `&mut` to it unpinned.
//! - **PIN-3** The struct is not `repr(packed)`.
//!
//! *Why not a library.* The runtime has three dependencies, and this is five lines.

use std::pin::Pin;

/// `Pin<&Field>` of `$this: Pin<&Self>`.
macro_rules! pinned {
    ($this:expr, $field:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: the field is structurally pinned in its struct: PIN-1 to PIN-3.
        let field = unsafe { std::pin::Pin::map_unchecked($this, |this| &this.$field) };
        field
    }};
}

/// `Pin<&mut Field>` of `$this: Pin<&mut Self>`.
macro_rules! pinned_mut {
    ($this:expr, $field:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: the field is structurally pinned in its struct: PIN-1 to PIN-3.
        let field = unsafe { std::pin::Pin::map_unchecked_mut($this, |this| &mut this.$field) };
        field
    }};
}

/// `Pin<&Field>` of `$this: &mut Self` in its `Drop`: whoever was pinned stays pinned until the end.
macro_rules! pinned_in_drop {
    ($this:expr, $field:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: a drop runs where the value stands, and moves nothing (PIN-2).
        let field = unsafe { std::pin::Pin::new_unchecked(&$this.$field) };
        field
    }};
}

/// `(Pin<&Field>, &mut Other)` of `$this: Pin<&mut Self>`: a pinned field, and one that never is pinned.
macro_rules! pinned_beside {
    ($this:expr, $field:ident, $other:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: nothing is moved out of the struct; one field is structurally pinned (PIN-1 to PIN-3),
        // the other is nowhere pinned, and they are two.
        let beside = unsafe {
            let this = std::pin::Pin::get_unchecked_mut($this);
            (std::pin::Pin::new_unchecked(&this.$field), &mut this.$other)
        };
        beside
    }};
}

/// `(Pin<&mut Field>, &mut Other)` of `$this: Pin<&mut Self>`: as [`pinned_beside!`], to change both.
macro_rules! pinned_mut_beside {
    ($this:expr, $field:ident, $other:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: nothing is moved out of the struct; one field is structurally pinned (PIN-1 to PIN-3),
        // the other is nowhere pinned, and they are two.
        let beside = unsafe {
            let this = std::pin::Pin::get_unchecked_mut($this);
            (std::pin::Pin::new_unchecked(&mut this.$field), &mut this.$other)
        };
        beside
    }};
}

/// The same of `$this: &mut Self` in its `Drop`: whoever was pinned stays pinned until the end.
macro_rules! pinned_mut_in_drop {
    ($this:expr, $field:ident, $other:ident) => {{
        #[allow(unsafe_code, reason = "PIN-1 to PIN-3, see src/pin.rs")]
        // SAFETY: a drop runs where the value stands, and moves nothing (PIN-2).
        let field = unsafe { std::pin::Pin::new_unchecked(&mut $this.$field) };
        (field, &mut $this.$other)
    }};
}

/// `Pin<&mut T>` of the place `$index` of `$slice: Pin<&mut [T]>`.
macro_rules! pinned_at {
    ($slice:expr, $index:expr) => {{
        let index = $index;
        #[allow(unsafe_code, reason = "a slice is pinned in each of its places")]
        // SAFETY: whoever has the slice pinned never moves what is in it, nor gives out `&mut` to a place
        // unpinned (PIN-2, for places).
        let place = unsafe { std::pin::Pin::map_unchecked_mut($slice, |slice| &mut slice[index]) };
        place
    }};
}

/// A field that pinning does not reach: a closure, an item that is kept. It is `Unpin` whatever is in it,
/// so a pinned view of it gives the value back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain<T>(pub(crate) T);

impl<T> Unpin for Plain<T> {}

impl<T> Plain<T> {
    /// The value, out of a pinned view of the field.
    #[inline]
    pub(crate) fn get(self: Pin<&mut Self>) -> &mut T {
        &mut self.get_mut().0
    }
}

pub(crate) use {
    pinned, pinned_at, pinned_beside, pinned_in_drop, pinned_mut, pinned_mut_beside,
    pinned_mut_in_drop,
};
