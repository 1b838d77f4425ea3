//! Who waits for a clock that may jump, and the one descriptor per loop that tells of it.
//!
//! *Role.* The sleeps of `time` by the wall clock and by boot time queue at the loop's [`ClockWatch`], beside their timer in the wheel.
//!
//! *Model.* The watch is a source like any other. It is opened by the first that waits, and closed with the last: a loop without
//! such timers has none.
//!
//! ```text
//!   sleep ─┬─► timer in the wheel: when the other clock gets there, unless it jumps
//!          └─► ClockWatch ◄── the clock was set, or the machine was suspended: all are woken, and compute anew
//! ```
//!
//! *Cost.* A jump costs a poll for each that waits; between jumps nothing happens.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use mainspring_sys::Clock;
use mainspring_sys::clock_watch as sys;

use crate::reactor::{Direction, Reactor, Source};
use crate::task::wait::WaitNode;

/// Tells those who wait that a clock has jumped.
pub(crate) struct ClockWatch {
    watch: sys::ClockWatch,
    source: Rc<Source>,
}

impl ClockWatch {
    fn open(clock: &Clock) -> Option<Rc<ClockWatch>> {
        let watch = sys::ClockWatch::open(clock)?;
        let source = Source::new();
        // Nothing to read as yet: only the selector knows.
        source.clear(Direction::Read);
        Some(Rc::new(ClockWatch { watch, source }))
    }

    /// Ready when a clock has jumped since somebody last looked; it has been looked at then. Else `node` waits.
    ///
    /// # Errors
    /// That the loop is gone, that there is none, or what the selector says.
    pub(crate) fn poll_jump(
        &self,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> Poll<io::Result<()>> {
        let fd = self.watch.as_fd();
        let polled = (self.source).poll_ready(Direction::Read, fd, node, cx, find);
        ready!(polled)?;
        self.watch.quiet();
        self.source.clear(Direction::Read);
        Poll::Ready(Ok(()))
    }

    /// The future that waits with `node` is dropped, or has what it wants.
    pub(crate) fn cancel(&self, node: Pin<&WaitNode<()>>) {
        self.source.cancel(Direction::Read, node);
    }

    /// Whether it is the parent's, in the child of a fork.
    pub(crate) fn is_inherited(&self) -> bool {
        self.watch.is_inherited()
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        self.source.close(Some(self.watch.as_fd()), true);
    }
}

/// Where a loop finds its watch, while anybody has it.
#[derive(Default)]
pub(crate) struct ClockWatchSlot(RefCell<Weak<ClockWatch>>);

impl ClockWatchSlot {
    /// The loop's watch. `None` where there is no such thing: then the clock is to be looked at now and then.
    pub(crate) fn watch(&self, clock: &Clock) -> Option<Rc<ClockWatch>> {
        let current = self.0.borrow().upgrade();
        let usable = current.filter(|watch| !watch.is_inherited());
        if usable.is_some() {
            return usable;
        }
        let opened = ClockWatch::open(clock)?;
        *self.0.borrow_mut() = Rc::downgrade(&opened);
        Some(opened)
    }
}
