//! What channels allocate: nothing per item once warm, and a burst gives its memory back.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use mainspring::channel::{self, Receiver, Sender};
use mainspring::{run, spawn};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn note(count: u64, bytes: i64) {
    let _ = ALLOCATIONS.try_with(|all| all.set(all.get() + count));
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: every call is the system allocator's; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`, which are passed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`, which are passed on.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A million items, then ten.
fn burst((sender, receiver): (Sender<u64>, Receiver<u64>)) {
    let before = BYTES.get();
    for item in 0..1_000_000 {
        sender.try_send(item).unwrap();
    }
    assert!(BYTES.get() - before >= 8_000_000);
    while receiver.len() > 10 {
        receiver.try_recv().unwrap();
    }
    let kept = BYTES.get() - before;
    assert!(kept <= 40_000, "{kept} bytes are kept for ten items");
}

#[test]
fn hz_h11_a_burst_of_a_million_items_gives_its_memory_back() {
    burst(channel::unbounded());
}

#[test]
fn hz_h11_a_burst_on_a_stack_gives_its_memory_back() {
    burst(channel::lifo());
}

#[test]
fn hz_h11_a_burst_by_priority_gives_its_memory_back() {
    burst(channel::priority());
}

#[test]
fn a_round_trip_allocates_nothing_once_it_is_warm() {
    for capacity in [None, Some(1)] {
        let make = || capacity.map_or_else(channel::unbounded, channel::bounded);
        run(async {
            let (there, far) = make();
            let (back, near) = make();
            let echo = spawn(async move {
                while let Some(item) = far.recv().await {
                    back.send(item).await.unwrap();
                }
            });
            let mut before = 0;
            for item in 0..200 {
                if item == 100 {
                    before = ALLOCATIONS.get();
                }
                there.send(item).await.unwrap();
                assert_eq!(near.recv().await, Some(item));
            }
            assert_eq!(ALLOCATIONS.get() - before, 0);
            drop(there);
            echo.await.unwrap();
        })
        .unwrap();
    }
}

#[test]
#[cfg(not(mainspring_malloc))]
fn a_oneshot_allocates_nothing_once_one_came_back() {
    run(async {
        let mut before = 0;
        for item in 0..200 {
            if item == 100 {
                before = ALLOCATIONS.get();
            }
            let (sender, receiver) = channel::oneshot();
            sender.send(item).unwrap();
            assert_eq!(receiver.await, Ok(item));
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    })
    .unwrap();
}
