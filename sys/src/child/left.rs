//! Children that nobody holds any more, kept until somebody can wait for them.
//!
//! *Model.* A stack whose top is one atomic pointer: [`leave`] puts a child on it, [`take_left`] takes all of them.
//! No lock, because a fork may come at any time, and in its child a lock that another thread held stays so for ever.
//! Those that a child of a fork finds here are its brothers, of whom [`Process::try_wait`] says that they are lost.
//!
//! # Invariants
//!
//! - **LEFT-1** What the top points to was made by `Box::into_raw`, and belongs to the stack. Who swaps the top for null owns
//!   all that hung from it; nobody else follows a pointer, so none is used after it was freed.
#![expect(unsafe_code, reason = "a stack without a lock")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::Process;

static TOP: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

struct Node {
    process: Process,
    below: *mut Node,
}

/// Keeps a child for whoever calls [`take_left`] next.
pub fn leave(process: Process) {
    let below = ptr::null_mut();
    let node = Box::into_raw(Box::new(Node { process, below }));
    let mut top = TOP.load(Relaxed);
    loop {
        // SAFETY: LEFT-1: it is not on the stack yet, so it is ours alone.
        unsafe { (*node).below = top };
        match TOP.compare_exchange_weak(top, node, Release, Relaxed) {
            Ok(_) => return,
            Err(other) => top = other,
        }
    }
}

/// The children that were left, the last one first.
#[must_use]
pub fn take_left() -> Vec<Process> {
    let mut all = Vec::new();
    if TOP.load(Relaxed).is_null() {
        return all;
    }
    let mut top = TOP.swap(ptr::null_mut(), Acquire);
    while !top.is_null() {
        // SAFETY: LEFT-1: it hung from the top that we took, and is freed once, here.
        let node = unsafe { Box::from_raw(top) };
        top = node.below;
        all.push(node.process);
    }
    all
}
