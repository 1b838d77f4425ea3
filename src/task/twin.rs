//! `Twin<T>`: one value with two owners, in a block of the loop's free lists.
//!
//! *Role.* The two ends of a oneshot: made for one answer, so most of what it costs is its memory.
//!
//! *Model.*
//!
//! ```text
//!    Twin ──►┌───────────┬───────┬───────┐◄── Twin
//!            │ is_single │ class │ value │
//!            └───────────┴───────┴───────┘
//!    the first that is dropped says so; the other drops the value, and gives the block to the loop
//!    that is entered then, or back for good
//! ```
//!
//! # Invariants
//!
//! - **TWIN-1** A block has one owner or two, and `is_single` says which. Its value is whole for as long.
//! - **TWIN-2** The value never moves.
//! - **TWIN-3** `class` is the one that the block was taken by.
//!
//! Owners are not `Send`, so nothing here is atomic. The loop in whose lists the block ends need not be the one that it came
//! from: its chunk counts it either way (BLOCK-3). A pair that outlives its loop keeps its chunk, 32 KiB.
//!
//! *Why not `Rc`.* It takes its memory from the system's allocator, and moves the value into it: 155 instructions of the 796 of
//! a request whose answer comes by a oneshot.
#![expect(unsafe_code, reason = "a counted block")]

use std::alloc::Layout;
use std::cell::Cell;
use std::ops::Deref;
use std::pin::Pin;
use std::ptr::{self, NonNull};

use super::block::{self, SizeClass};
use super::core::Core;

struct Shared<T> {
    is_single: Cell<bool>,
    class: SizeClass,
    value: T,
}

/// One of two owners: see the module's header.
pub(crate) struct Twin<T> {
    shared: NonNull<Shared<T>>,
}

impl<T> Twin<T> {
    const LAYOUT: Layout = Layout::new::<Shared<T>>();

    /// Both owners of what `make` makes, which has its place by then.
    #[inline]
    pub(crate) fn pair(make: impl FnOnce() -> T) -> (Twin<T>, Twin<T>) {
        let (block, class) = Core::with_current(|core| match core {
            Some(core) => core.free.take(Self::LAYOUT),
            None => (block::allocate(Self::LAYOUT), SizeClass::NONE),
        });
        let shared = block.cast::<Shared<T>>();
        // SAFETY: the block is new and has the layout. If `make` panics it is leaked.
        unsafe {
            shared.write(Shared {
                is_single: Cell::new(false),
                class,
                value: make(),
            });
        }
        (Twin { shared }, Twin { shared })
    }

    #[inline]
    fn shared(&self) -> &Shared<T> {
        // SAFETY: TWIN-1, this owner keeps it.
        unsafe { self.shared.as_ref() }
    }

    #[inline]
    pub(crate) fn as_pin(&self) -> Pin<&T> {
        // SAFETY: TWIN-2.
        unsafe { Pin::new_unchecked(&self.shared().value) }
    }

    /// Whether the other owner is gone.
    #[inline]
    pub(crate) fn is_single(&self) -> bool {
        self.shared().is_single.get()
    }

    /// The last owner goes.
    #[inline(never)]
    fn end(&mut self) {
        let block = GiveBack(self.shared);
        // SAFETY: TWIN-1, nobody else refers to the value, and it is dropped once.
        unsafe { ptr::drop_in_place(&raw mut (*self.shared.as_ptr()).value) };
        drop(block);
    }
}

impl<T> Deref for Twin<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.shared().value
    }
}

impl<T> Drop for Twin<T> {
    #[inline]
    fn drop(&mut self) {
        if self.shared().is_single.replace(true) {
            self.end();
        }
    }
}

/// Gives a block back whose value is gone, also if its drop panicked.
struct GiveBack<T>(NonNull<Shared<T>>);

impl<T> Drop for GiveBack<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the block is still there, and what stands beside the value.
        let class = unsafe { (*self.0.as_ptr()).class };
        let block = self.0.cast();
        Core::with_current(|core| match core {
            Some(core) if class != SizeClass::NONE => {
                // SAFETY: TWIN-3, nobody refers to it, and this is the thread of the loop.
                unsafe { core.free.put(block, class) };
            }
            // SAFETY: TWIN-3, and nobody refers to it.
            _ => unsafe { block::free(block, class, Twin::<T>::LAYOUT) },
        });
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;
    use crate::run;

    /// Notes that it went.
    struct Noted(Rc<RefCell<Vec<&'static str>>>, &'static str);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }

    fn address<T>(twin: &Twin<T>) -> usize {
        twin.shared.as_ptr().addr()
    }

    #[test]
    fn both_see_one_value_and_the_second_takes_it_along() {
        let gone = Rc::default();
        let (one, other) = Twin::pair(|| Noted(Rc::clone(&gone), "value"));
        assert!(std::ptr::eq(&raw const *one, &raw const *other));
        assert!(!one.is_single());
        drop(one);
        assert!(other.is_single() && gone.borrow().is_empty());
        drop(other);
        assert_eq!(*gone.borrow(), ["value"]);
    }

    #[test]
    #[cfg(not(mainspring_malloc))]
    fn a_block_comes_back_for_the_next_pair() {
        run(async {
            let (one, other) = Twin::pair(|| [1_u64; 5]);
            let first = address(&one);
            drop((one, other));
            let (one, _other) = Twin::pair(|| [2_u64; 5]);
            assert_eq!(address(&one), first);
        })
        .unwrap();
    }

    #[test]
    fn owners_outlive_the_loop_and_enter_another() {
        let gone = Rc::default();
        let noted = |name| Noted(Rc::clone(&gone), name);
        let outside = Twin::pair(|| noted("made outside"));
        let (lasting, entering) = run(async {
            drop(outside);
            (
                Twin::pair(|| noted("dropped outside")),
                Twin::pair(|| noted("dropped in another loop")),
            )
        })
        .unwrap();
        run(async move { drop(entering) }).unwrap();
        drop(lasting);
        let expected = ["made outside", "dropped in another loop", "dropped outside"];
        assert_eq!(*gone.borrow(), expected);
    }

    #[test]
    #[cfg(not(mainspring_malloc))]
    fn a_drop_that_panics_gives_the_block_back_too() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        run(async {
            let (one, other) = Twin::pair(|| Panics);
            let first = address(&one);
            drop(one);
            catch_unwind(AssertUnwindSafe(|| drop(other))).unwrap_err();
            let (one, _other) = Twin::pair(|| ());
            assert_eq!(address(&one), first);
        })
        .unwrap();
    }
}
