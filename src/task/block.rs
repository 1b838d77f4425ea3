//! Memory for blocks of a loop: one piece per task, or per pair of ends, recycled by size.
//!
//! *Role.* [`super::raw`] takes a block here per spawn and gives it back with the last reference; so does
//! [`super::twin`] per oneshot.
//!
//! *Model.* A block of up to 1008 bytes belongs to one of 63 classes, 16 bytes apart. It comes from the
//! class's free list, else it is cut from the class's chunk: 32 KiB, aligned to their size, so that the
//! chunk of a block is found by clearing the low bits of its address.
//!
//! ```text
//!   class  1    2    …   9         63            a chunk of class 9, 144 bytes a block:
//!          │    │        │          │            ┌──────┬───────┬───────┬──────┬───────────┐
//!          ▼    ▼        ▼          ▼            │ live │ block │ block │  …   │ not cut   │
//!         16   32       144        1008 bytes    └──────┴───────┴───────┴──────┴───────────┘
//!          free lists, linked through the         16 bytes                       ▲ next
//!          first word of each free block
//! ```
//!
//! A chunk counts the blocks that have not come back for good. Any thread may give one back
//! ([`free`]): the last one frees the chunk. Only the loop's thread recycles ([`FreeLists::put`]). Before
//! the loop sleeps it gives back what is above [`KEEP_BYTES`], so a burst does not keep its memory
//! (hz_h11).
//!
//! # Invariants
//!
//! - **BLOCK-1** A block in a free list has its class's size, and nobody else's pointer leads to it.
//! - **BLOCK-2** The lists, and the cutting of chunks, are the loop's thread's alone.
//! - **BLOCK-3** A chunk's count is the number of its blocks that were not given to [`give_back`]: those
//!   in use, in a free list, or not cut yet. It never rises, and whoever makes it 0 frees the chunk.
//!
//! *Cost.* O(1). Recycled: a pop. Cut: an addition, and one allocation per 32 KiB.
//!
//! *Why not one allocation each.* The system allocator takes 310 instructions for one block in and out,
//! as many as all the rest of a task's life; a million tasks at once showed it. *Why not cache-line
//! alignment.* An aligned allocation of 128 bytes costs fourteen times a plain one, and the block grows
//! by a third.
//!
//! With `--cfg mainspring_malloc` each block is an allocation of its own and nothing is recycled, so that
//! a sanitizer sees every block's end.
#![expect(
    unsafe_code,
    reason = "allocation by layout, and the link inside a free block"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::AcqRel;

/// Classes are this far apart, blocks aligned to it, and a chunk's count has so much room.
const GRANULE: usize = 16;
/// Classes 1 to 63 are 16 to 1008 bytes. A power of two, so that an index needs no check.
const CLASS_COUNT: usize = 64;
/// Blocks are cut from pieces that begin at a multiple of this: 227 small tasks.
const CHUNK_ALIGN: usize = 32 * 1024;
/// A granule is left for the allocator's own head of the next piece, which so can begin where this one
/// ends; with none left each piece would lose a quarter of itself to the alignment (glibc).
const CHUNK_BYTES: usize = CHUNK_ALIGN - GRANULE;
/// What the free lists may hold while the loop sleeps: about 1800 small tasks.
const KEEP_BYTES: usize = 256 * 1024;
const KEEP_GRANULES: usize = KEEP_BYTES / GRANULE;

const CHUNK_LAYOUT: Layout = match Layout::from_size_align(CHUNK_BYTES, CHUNK_ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!("the alignment is a power of two"),
};

/// Where a block comes from, and how many granules it is long; known by the task's type, so that any thread
/// can give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeClass(u8);

impl SizeClass {
    /// An allocation of its own.
    pub(crate) const NONE: SizeClass = SizeClass(0);

    /// The class for blocks of `layout`. Constant for each type of task.
    #[inline]
    pub(crate) const fn of(layout: Layout) -> SizeClass {
        let class = layout.size().div_ceil(GRANULE);
        let is_plain = cfg!(any(mainspring_malloc, mainspring_loom));
        if is_plain || layout.align() > GRANULE || class >= CLASS_COUNT {
            SizeClass::NONE
        } else {
            SizeClass(class as u8)
        }
    }

    /// The bytes of a block of this class, which is not [`SizeClass::NONE`].
    #[inline]
    const fn bytes(self) -> usize {
        self.granules() * GRANULE
    }

    #[inline]
    const fn granules(self) -> usize {
        self.0 as usize
    }

    /// Where the class's list stands.
    #[inline]
    const fn index(self) -> usize {
        self.0 as usize % CLASS_COUNT
    }
}

/// A new block of its own for `layout`, of class [`SizeClass::NONE`]; on any thread.
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    assert!(layout.size() > 0);
    // SAFETY: the size is not zero, checked above.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back for good, on any thread.
///
/// # Safety
/// `block` came from [`allocate`] or [`FreeLists::take`] with this `layout` and `class`, and nothing
/// refers to it any more.
pub(crate) unsafe fn free(block: NonNull<u8>, class: SizeClass, layout: Layout) {
    if class == SizeClass::NONE {
        // SAFETY: the caller's promise: an allocation of its own, with this layout.
        unsafe { dealloc(block.as_ptr(), layout) }
    } else {
        // SAFETY: the caller's promise: a block that was cut from a chunk.
        unsafe { give_back(chunk_of(block), 1) }
    }
}

/// What a chunk begins with.
#[repr(C)]
struct Chunk {
    live: AtomicUsize,
}

/// The chunk that a block was cut from.
fn chunk_of(block: NonNull<u8>) -> NonNull<Chunk> {
    let chunk = block
        .as_ptr()
        .map_addr(|address| address & !(CHUNK_ALIGN - 1));
    // SAFETY: a chunk's address is not null, and blocks lie behind it in the same allocation.
    unsafe { NonNull::new_unchecked(chunk.cast()) }
}

/// `count` blocks of `chunk` will not be used any more; with the last one the chunk goes.
///
/// # Safety
/// BLOCK-3: nothing refers to those blocks, and they are given back once.
unsafe fn give_back(chunk: NonNull<Chunk>, count: usize) {
    // SAFETY: BLOCK-3, the blocks that come back now are still counted, so the chunk is there. The
    // release half shows their last use to whoever frees the chunk, whose acquire half takes it.
    let live = unsafe { chunk.as_ref() }.live.fetch_sub(count, AcqRel);
    if live == count {
        // SAFETY: BLOCK-3, that was the last; the chunk was allocated with this layout.
        unsafe { dealloc(chunk.as_ptr().cast(), CHUNK_LAYOUT) }
    }
}

/// The first word of a free block.
struct FreeBlock {
    next: *mut FreeBlock,
}

/// The part of a chunk that was not cut yet: whole blocks from `next` to `end`.
struct Uncut {
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
}

/// A loop's free blocks, by class, and the chunks that it cuts.
pub(crate) struct FreeLists {
    heads: [Cell<*mut FreeBlock>; CLASS_COUNT],
    chunks: [Uncut; CLASS_COUNT],
    /// What all free blocks are long, those not cut yet left out.
    granules: Cell<usize>,
}

impl FreeLists {
    pub(crate) fn new() -> FreeLists {
        let uncut = || Uncut {
            next: Cell::new(ptr::null_mut()),
            end: Cell::new(ptr::null_mut()),
        };
        FreeLists {
            heads: [const { Cell::new(ptr::null_mut()) }; CLASS_COUNT],
            chunks: std::array::from_fn(|_| uncut()),
            granules: Cell::new(0),
        }
    }

    /// A block for `layout`, and the class to give it back by.
    #[inline]
    pub(crate) fn take(&self, layout: Layout) -> (NonNull<u8>, SizeClass) {
        let class = SizeClass::of(layout);
        if class == SizeClass::NONE {
            return (allocate(layout), class);
        }
        let list = &self.heads[class.index()];
        let block = match NonNull::new(list.get()) {
            Some(block) => {
                // SAFETY: BLOCK-1, a block in the list begins with its link.
                list.set(unsafe { block.as_ref().next });
                self.granules.set(self.granules.get() - class.granules());
                block.cast()
            }
            None => self.cut(class),
        };
        (block, class)
    }

    /// The next block of the class's chunk, which is a new one if nothing is left.
    fn cut(&self, class: SizeClass) -> NonNull<u8> {
        let chunk = &self.chunks[class.index()];
        if ptr::eq(chunk.next.get(), chunk.end.get()) {
            Self::start_chunk(chunk, class);
        }
        let block = chunk.next.get();
        chunk.next.set(block.wrapping_add(class.bytes()));
        // SAFETY: `start_chunk` saw to it that a block is left there.
        unsafe { NonNull::new_unchecked(block) }
    }

    #[cold]
    fn start_chunk(uncut: &Uncut, class: SizeClass) {
        let start = allocate(CHUNK_LAYOUT);
        let count = (CHUNK_BYTES - GRANULE) / class.bytes();
        // SAFETY: the chunk is new, and aligned for more than its head.
        unsafe {
            start.cast().write(Chunk {
                live: AtomicUsize::new(count),
            })
        };
        let first = start.as_ptr().wrapping_add(GRANULE);
        uncut.next.set(first);
        uncut.end.set(first.wrapping_add(count * class.bytes()));
    }

    /// Keeps a block for the next task of its class, which is not [`SizeClass::NONE`].
    ///
    /// # Safety
    /// As for [`free`]; and on the loop's thread (BLOCK-2).
    #[inline]
    pub(crate) unsafe fn put(&self, block: NonNull<u8>, class: SizeClass) {
        debug_assert_ne!(class, SizeClass::NONE);
        let list = &self.heads[class.index()];
        let block = block.cast::<FreeBlock>();
        // SAFETY: nothing else refers to the block, and it is at least 16 bytes, 16-aligned.
        unsafe { block.write(FreeBlock { next: list.get() }) };
        list.set(block.as_ptr());
        self.granules.set(self.granules.get() + class.granules());
    }

    /// Gives blocks back until at most [`KEEP_BYTES`] are kept; called before the loop sleeps.
    #[inline]
    pub(crate) fn trim(&self) {
        if self.granules.get() > KEEP_GRANULES {
            self.shrink_to(KEEP_GRANULES);
        }
    }

    #[cold]
    fn shrink_to(&self, most: usize) {
        for (class, list) in self.heads.iter().enumerate() {
            // Neighbours in a list are often of one chunk: they go back together.
            let mut run: Option<(NonNull<Chunk>, usize)> = None;
            while self.granules.get() > most {
                let Some(block) = NonNull::new(list.get()) else {
                    break;
                };
                // SAFETY: BLOCK-1, a block in the list begins with its link.
                list.set(unsafe { block.as_ref().next });
                self.granules.set(self.granules.get() - class);
                let chunk = chunk_of(block.cast());
                match &mut run {
                    Some((same, count)) if *same == chunk => *count += 1,
                    _ => {
                        if let Some((chunk, count)) = run.replace((chunk, 1)) {
                            // SAFETY: BLOCK-1, so many were cut from it, and just left their list.
                            unsafe { give_back(chunk, count) };
                        }
                    }
                }
            }
            if let Some((chunk, count)) = run {
                // SAFETY: BLOCK-1, as for those before.
                unsafe { give_back(chunk, count) };
            }
        }
    }
}

impl Drop for FreeLists {
    fn drop(&mut self) {
        self.shrink_to(0);
        for (class, uncut) in self.chunks.iter().enumerate() {
            let left = uncut.end.get().addr() - uncut.next.get().addr();
            if let (Some(block), 1..) = (NonNull::new(uncut.next.get()), left) {
                // SAFETY: BLOCK-3, nobody was given the blocks that were not cut.
                unsafe { give_back(chunk_of(block), left / (class * GRANULE)) };
            }
        }
    }
}

#[cfg(test)]
impl FreeLists {
    /// How many blocks of `block`'s chunk are not given back.
    #[cfg(not(any(mainspring_loom, mainspring_malloc)))]
    fn live_beside(block: NonNull<u8>) -> usize {
        // SAFETY: the caller's block keeps its chunk.
        unsafe { chunk_of(block).as_ref() }
            .live
            .load(std::sync::atomic::Ordering::Acquire)
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
        let (first, class) = lists.take(layout(136));
        // SAFETY: just taken, nobody else has it.
        unsafe { lists.put(first, class) };
        let (second, class) = lists.take(layout(144));
        assert_eq!(first, second, "136 and 144 bytes share a class");
        // SAFETY: just taken, nobody else has it.
        unsafe { free(second, class, layout(144)) };
    }

    #[test]
    fn hz_h11_what_a_burst_left_is_returned_before_the_loop_sleeps() {
        let lists = FreeLists::new();
        let blocks: Vec<_> = (0..10_000).map(|_| lists.take(layout(144))).collect();
        for &(block, class) in &blocks {
            // SAFETY: taken above, used by nobody.
            unsafe { lists.put(block, class) };
        }
        assert_eq!(lists.granules.get(), 1_440_000 / GRANULE);
        lists.trim();
        assert!(lists.granules.get() <= KEEP_GRANULES);
    }

    #[test]
    fn neighbours_of_one_chunk_go_back_together_and_each_once() {
        let lists = FreeLists::new();
        let taken: Vec<_> = (0..300).map(|_| lists.take(layout(144))).collect();
        let (first, last) = (taken[0].0, taken[299].0);
        for &(block, class) in &taken[1..299] {
            // SAFETY: taken above, used by nobody.
            unsafe { lists.put(block, class) };
        }
        lists.shrink_to(0);
        assert_eq!(lists.granules.get(), 0);
        let not_cut = 2 * 227 - 300;
        assert_eq!(FreeLists::live_beside(first), 1);
        assert_eq!(FreeLists::live_beside(last), 1 + not_cut);
        for block in [first, last] {
            // SAFETY: taken above, used by nobody.
            unsafe { free(block, taken[0].1, layout(144)) };
        }
    }

    #[test]
    fn blocks_of_every_class_are_apart_aligned_and_inside_their_chunk() {
        let lists = FreeLists::new();
        for size in [1, 16, 17, 136, 500, 1008] {
            let mut taken: Vec<_> = (0..300).map(|_| lists.take(layout(size))).collect();
            taken.sort_by_key(|(block, _)| block.as_ptr() as usize);
            for pair in taken.windows(2) {
                let (one, next) = (pair[0].0.as_ptr() as usize, pair[1].0.as_ptr() as usize);
                assert!(next - one >= size && one % GRANULE == 0);
                let end = one + pair[0].1.bytes();
                assert!(end <= (one & !(CHUNK_ALIGN - 1)) + CHUNK_BYTES);
            }
            for (block, class) in taken {
                // SAFETY: taken above, used by nobody.
                unsafe { lists.put(block, class) };
            }
        }
    }

    #[test]
    fn a_chunk_lives_until_its_last_block_comes_back_also_from_another_thread() {
        let lists = FreeLists::new();
        let (first, class) = lists.take(layout(1000));
        let (second, _) = lists.take(layout(1000));
        let all = FreeLists::live_beside(first);
        let address = first.as_ptr().expose_provenance();
        let elsewhere = std::thread::spawn(move || {
            let block = NonNull::new(ptr::with_exposed_provenance_mut(address)).unwrap();
            // SAFETY: taken above, and used by this thread alone.
            unsafe { free(block, class, layout(1000)) };
        });
        elsewhere.join().unwrap();
        assert_eq!(FreeLists::live_beside(second), all - 1);
        drop(lists);
        assert_eq!(
            FreeLists::live_beside(second),
            1,
            "the loop is gone, the block is not"
        );
        // SAFETY: taken above, used by nobody.
        unsafe { free(second, class, layout(1000)) };
    }

    #[test]
    fn odd_alignments_and_large_blocks_are_allocations_of_their_own() {
        assert_eq!(SizeClass::of(layout(1009)), SizeClass::NONE);
        let aligned = Layout::from_size_align(64, 64).unwrap();
        let lists = FreeLists::new();
        let (block, class) = lists.take(aligned);
        assert_eq!(class, SizeClass::NONE);
        assert_eq!(block.as_ptr() as usize % 64, 0);
        // SAFETY: just taken, with this layout.
        unsafe { free(block, class, aligned) };
    }
}
