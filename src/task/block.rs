//! Memory for task blocks: one allocation per task, recycled by size.
//!
//! *Role.* [`super::raw`] takes a block here per spawn and gives it back with the last reference.
//!
//! *Model.* Blocks up to 1 KiB are rounded up to one of 64 classes, 16 bytes apart, and come from
//! the class's free list if it has one:
//!
//! ```text
//!   class  0    1    …   8         63                  a free block, its first word the link:
//!          │    │        │          │                  ┌──────┬─────────────────────┐
//!          ▼    ▼        ▼          ▼                  │ next │ (old bytes)         │
//!         16   32       144        1024 bytes          └──────┴─────────────────────┘
//! ```
//!
//! Every block is an allocation of its own from the global allocator, never a piece of a slab: so
//! whichever thread drops the last reference may free it there and then. Only the loop's thread
//! recycles. Before the loop sleeps it returns what is above [`KEEP_BYTES`] (hz_h11).
//!
//! # Invariants
//!
//! - **BLOCK-1** A block in a free list has its class's layout and nobody else's pointer leads to it.
//! - **BLOCK-2** The lists are touched by the loop's thread alone.
//!
//! *Cost.* O(1). Recycled: a pop. Measured by a prototype: 256 against 596 instructions per spawn.
//!
//! *Why not cache-line alignment.* An aligned allocation of 128 bytes costs fourteen times a plain
//! one, and the block grows by a third.
//!
//! With `--cfg mainspring_malloc` nothing is recycled, so that a sanitizer sees every block's end.
#![expect(
    unsafe_code,
    reason = "allocation by layout, and the link inside a free block"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Classes are this far apart, and blocks aligned to it.
const GRANULE: usize = 16;
/// Classes 0 to 62 are 16 to 1008 bytes; larger blocks are not recycled.
const CLASS_COUNT: usize = 63;
/// The class of a block that is not recycled.
const UNCLASSED: u8 = u8::MAX;
/// What the free lists may hold while the loop sleeps: about 1800 small tasks.
const KEEP_BYTES: usize = 256 * 1024;

/// How a block was allocated; kept in its header, so that any thread can free it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeClass(u8);

impl SizeClass {
    /// The class for blocks of `layout`. Constant for each type of task.
    #[inline]
    pub(crate) const fn of(layout: Layout) -> SizeClass {
        let class = layout.size().saturating_sub(1) / GRANULE;
        if cfg!(any(mainspring_malloc, mainspring_loom))
            || layout.align() > GRANULE
            || class >= CLASS_COUNT
        {
            SizeClass(UNCLASSED)
        } else {
            SizeClass(class as u8)
        }
    }

    /// The layout a block of this class really has; `layout` itself if it is not recycled.
    #[inline]
    const fn rounded(self, layout: Layout) -> Layout {
        if self.0 == UNCLASSED {
            return layout;
        }
        match Layout::from_size_align((self.0 as usize + 1) * GRANULE, GRANULE) {
            Ok(layout) => layout,
            Err(_) => unreachable!(),
        }
    }
}

/// A new block for `layout`, from the global allocator.
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    let layout = SizeClass::of(layout).rounded(layout);
    assert!(layout.size() > 0);
    // SAFETY: the size is not zero, checked above.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back to the global allocator, on any thread.
///
/// # Safety
/// `block` came from [`allocate`] or [`FreeLists::take`] with this `layout`, and nothing refers to
/// it any more.
pub(crate) unsafe fn free(block: NonNull<u8>, layout: Layout) {
    let layout = SizeClass::of(layout).rounded(layout);
    // SAFETY: the caller's promise; `rounded` gives the same layout as at allocation.
    unsafe { dealloc(block.as_ptr(), layout) }
}

/// The first word of a free block.
struct FreeBlock {
    next: *mut FreeBlock,
}

/// A loop's free blocks, by class.
pub(crate) struct FreeLists {
    heads: [Cell<*mut FreeBlock>; CLASS_COUNT],
    /// Sum over all lists.
    bytes: Cell<usize>,
}

impl FreeLists {
    pub(crate) fn new() -> FreeLists {
        FreeLists {
            heads: [const { Cell::new(ptr::null_mut()) }; CLASS_COUNT],
            bytes: Cell::new(0),
        }
    }

    /// A block for `layout`, recycled if there is one.
    #[inline]
    pub(crate) fn take(&self, layout: Layout) -> NonNull<u8> {
        let class = SizeClass::of(layout);
        if class.0 != UNCLASSED {
            let list = &self.heads[class.0 as usize];
            if let Some(block) = NonNull::new(list.get()) {
                // SAFETY: BLOCK-1, a block in the list begins with its link.
                list.set(unsafe { block.as_ref().next });
                self.bytes
                    .set(self.bytes.get() - class.rounded(layout).size());
                return block.cast();
            }
        }
        allocate(layout)
    }

    /// Keeps a block for the next task of its class, or frees it if it has none.
    ///
    /// # Safety
    /// As for [`free`]; and on the loop's thread (BLOCK-2).
    #[inline]
    pub(crate) unsafe fn put(&self, block: NonNull<u8>, layout: Layout) {
        let class = SizeClass::of(layout);
        if class.0 == UNCLASSED {
            // SAFETY: the caller's promise.
            return unsafe { free(block, layout) };
        }
        let list = &self.heads[class.0 as usize];
        let block = block.cast::<FreeBlock>();
        // SAFETY: nothing else refers to the block, and it is at least 16 bytes, 16-aligned.
        unsafe { block.write(FreeBlock { next: list.get() }) };
        list.set(block.as_ptr());
        self.bytes
            .set(self.bytes.get() + class.rounded(layout).size());
    }

    /// Frees blocks until at most [`KEEP_BYTES`] are kept; called before the loop sleeps.
    #[inline]
    pub(crate) fn trim(&self) {
        if self.bytes.get() > KEEP_BYTES {
            self.shrink_to(KEEP_BYTES);
        }
    }

    #[cold]
    fn shrink_to(&self, most: usize) {
        for (class, list) in self.heads.iter().enumerate() {
            let size = (class + 1) * GRANULE;
            while self.bytes.get() > most {
                let Some(block) = NonNull::new(list.get()) else {
                    break;
                };
                // SAFETY: BLOCK-1.
                list.set(unsafe { block.as_ref().next });
                self.bytes.set(self.bytes.get() - size);
                let Ok(layout) = Layout::from_size_align(size, GRANULE) else {
                    unreachable!()
                };
                // SAFETY: BLOCK-1: it has this layout, and just left its list.
                unsafe { dealloc(block.as_ptr().cast(), layout) };
            }
        }
    }
}

impl Drop for FreeLists {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(all(test, not(any(mainspring_loom, mainspring_malloc))))]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn a_block_comes_back_for_the_next_task_of_its_class() {
        let lists = FreeLists::new();
        let first = lists.take(layout(136));
        // SAFETY: just taken, nobody else has it.
        unsafe { lists.put(first, layout(136)) };
        let second = lists.take(layout(144));
        assert_eq!(first, second, "136 and 144 bytes share a class");
        // SAFETY: just taken, nobody else has it.
        unsafe { free(second, layout(144)) };
    }

    #[test]
    fn hz_h11_what_a_burst_left_is_returned_before_the_loop_sleeps() {
        let lists = FreeLists::new();
        let blocks: Vec<_> = (0..10_000).map(|_| lists.take(layout(144))).collect();
        for block in blocks {
            // SAFETY: taken above, used by nobody.
            unsafe { lists.put(block, layout(144)) };
        }
        assert_eq!(lists.bytes.get(), 1_440_000);
        lists.trim();
        assert!(lists.bytes.get() <= KEEP_BYTES);
    }

    #[test]
    fn odd_alignments_and_large_blocks_are_not_recycled() {
        assert_eq!(SizeClass::of(layout(1009)), SizeClass(UNCLASSED));
        let aligned = Layout::from_size_align(64, 64).unwrap();
        assert_eq!(SizeClass::of(aligned), SizeClass(UNCLASSED));
        let block = allocate(aligned);
        assert_eq!(block.as_ptr() as usize % 64, 0);
        // SAFETY: just allocated, with this layout.
        unsafe { free(block, aligned) };
    }
}
