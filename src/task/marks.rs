//! A task's marks: what it is, beside what it is doing, and what woke it last.
//!
//! *Role.* [`super::state`] says where a task is in its life; here stands what does not change its life: that
//! only a scope may poll it, that it keeps no loop alive, that its end has more to it. One byte, which lies
//! beside the state's in the header's first line.
//!
//! *Model.* The low half are flags, the high half is the [`Cause`] of the last wake. Loop-only.

#![allow(dead_code, reason = "its users land next")]

use crate::shim::Cell;

/// Polled and dropped by a scope's future alone; a wake goes to that scope.
pub(crate) const SCOPED: u8 = 1;
/// Keeps no loop alive: who waits for all tasks does not wait for it.
pub(crate) const BACKGROUND: u8 = 2;
/// There is more to do at its end than to drop the future: it has values, or a hook is told.
pub(crate) const ATTENDED: u8 = 8;

/// What woke a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cause {
    /// It was spawned.
    Spawn,
    /// Another task, or the task itself, in a poll.
    Task,
    /// A timer that was due.
    Timer,
    /// The selector's report.
    Event,
    /// Another thread.
    Thread,
    /// The end of a turn that it waited for.
    Turn,
    /// An abort.
    Abort,
}

impl Cause {
    const ALL: [Cause; 7] = [
        Cause::Spawn,
        Cause::Task,
        Cause::Timer,
        Cause::Event,
        Cause::Thread,
        Cause::Turn,
        Cause::Abort,
    ];
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Marks(Cell<u8>);

impl Marks {
    #[inline]
    pub(crate) fn new() -> Marks {
        Marks(Cell::new(0))
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

    /// Notes what woke the task.
    #[inline]
    pub(crate) fn set_cause(&self, cause: Cause) {
        self.0.set(self.0.get() & 0x0f | (cause as u8) << 4);
    }

    /// What woke the task last.
    pub(crate) fn cause(&self) -> Cause {
        Cause::ALL[usize::from(self.0.get() >> 4)]
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    #[test]
    fn flags_and_cause_do_not_touch_each_other() {
        let marks = Marks::new();
        assert_eq!(marks.cause(), Cause::Spawn);
        for cause in Cause::ALL {
            marks.set(SCOPED | ATTENDED);
            marks.set_cause(cause);
            assert_eq!(marks.cause(), cause);
            assert!(marks.has(SCOPED) && marks.has(ATTENDED) && !marks.has(BACKGROUND));
            marks.clear(SCOPED | ATTENDED);
            assert_eq!(marks.cause(), cause);
        }
    }
}
