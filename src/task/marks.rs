//! A task's marks: what it is, beside what it is doing; and its cause: what woke it last.
//!
//! *Role.* [`super::state`] says where a task is in its life; here stands what does not change its life: that
//! only a scope may poll it, that it keeps no loop alive, that its end has more to it. Each is a byte
//! beside the state's in the header's first line.
//!
//! *Model.* The marks are flags. The cause is copied from the loop at each wake: the loop notes which step of
//! its tick goes on, so that a wake need not ask who wakes. Loop-only.
//!
//! *Cost.* The cause is a load and a store per wake.

use std::fmt;

use crate::shim::Cell;

/// Polled and dropped by a scope's future alone; a wake goes to that scope.
pub(crate) const SCOPED: u8 = 1;
/// Keeps no loop alive: who waits for all tasks does not wait for it.
pub(crate) const BACKGROUND: u8 = 2;
/// There is more to do at its end than to drop the future: it has values, or a hook is told.
pub(crate) const ATTENDED: u8 = 8;
/// Its block is an allocation of its own: it was made on whatever thread, or is large.
pub(crate) const UNPOOLED: u8 = 16;
/// Its extra word is filled: something is to be freed with its block.
pub(crate) const OWNING: u8 = 64;
/// It was said of it that nothing can wake it any more.
pub(crate) const REPORTED_LOST: u8 = 32;

/// What woke a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Cause {
    /// Nothing yet: it was spawned.
    Spawn,
    /// Another task, or the task itself, in a poll.
    Task,
    /// A timer that was due.
    Timer,
    /// The selector's report on a descriptor.
    Event,
    /// Another thread; or this one, while the loop was not entered.
    Thread,
    /// The end of a turn of the selector that it waited for.
    Turn,
    /// An abort.
    Abort,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::Spawn => "spawn",
            Cause::Task => "task",
            Cause::Timer => "timer",
            Cause::Event => "event",
            Cause::Thread => "thread",
            Cause::Turn => "turn",
            Cause::Abort => "abort",
        })
    }
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Marks(Cell<u8>);

impl Marks {
    #[inline]
    pub(crate) fn new(flags: u8) -> Marks {
        Marks(Cell::new(flags))
    }

    #[inline]
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.0.get() & flags != 0
    }

    pub(crate) fn set(&self, flags: u8) {
        self.0.set(self.0.get() | flags);
    }

    pub(crate) fn clear(&self, flags: u8) {
        self.0.set(self.0.get() & !flags);
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_touch_each_other() {
        let marks = Marks::new(UNPOOLED);
        marks.set(SCOPED | ATTENDED);
        assert!(marks.has(SCOPED) && marks.has(ATTENDED) && !marks.has(BACKGROUND));
        marks.clear(SCOPED | ATTENDED);
        assert!(!marks.has(SCOPED | ATTENDED) && marks.has(UNPOOLED));
    }
}
