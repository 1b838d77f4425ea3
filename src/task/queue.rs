//! The ready queue: tasks that will be polled, first in, first out, linked through their headers.
//!
//! *Role.* A wake on the loop's own thread pushes; the tick pops a batch. Nothing here is atomic:
//! what other threads wake comes through [`super::inbox`] first.
//!
//! ```text
//!   first ──► header ──ready_next──► header ──ready_next──► header ◄── last, whose link says nothing
//! ```
//!
//! # Invariants
//!
//! - **QUEUE-1** A task is linked at most once: its `QUEUED` bit says whether it is.
//! - **QUEUE-2** A linked task's block lives: the loop's reference, or the one a finished task left
//!   behind for the queue, is given back only after the pop.
//!
//! *Cost.* O(1) and no allocation, for any number of tasks. 8 bytes per task.
#![expect(unsafe_code, reason = "links between task headers")]

use std::ptr;

use super::raw::{Header, TaskRef};
use crate::shim::Cell;

pub(crate) struct ReadyQueue {
    first: Cell<*const Header>,
    last: Cell<*const Header>,
    len: Cell<usize>,
}

impl ReadyQueue {
    pub(crate) fn new() -> ReadyQueue {
        ReadyQueue {
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            len: Cell::new(0),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Links `task` at the back. Its `QUEUED` bit was set for this by a transition (QUEUE-1).
    #[inline]
    pub(crate) fn push(&self, task: TaskRef) {
        // The block's own pointer: one made from `header()` would be good for the header alone.
        let entry = task.as_ptr();
        let last = self.last.replace(entry);
        if last.is_null() {
            self.first.set(entry);
        } else {
            // SAFETY: QUEUE-2, `last` is linked, so its block lives.
            unsafe { &*last }.ready_next.set(entry);
        }
        self.len.set(self.len.get() + 1);
    }

    /// Unlinks the first task; its reference goes over to the caller.
    #[inline]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        let first = self.first.get();
        if first.is_null() {
            return None;
        }
        // SAFETY: QUEUE-2, it is linked, so its block lives.
        let task = unsafe { TaskRef::from_ptr(first) };
        if ptr::eq(first, self.last.get()) {
            self.first.set(ptr::null());
            self.last.set(ptr::null());
        } else {
            self.first.set(task.header().ready_next.get());
        }
        self.len.set(self.len.get() - 1);
        Some(task)
    }
}
