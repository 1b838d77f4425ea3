//! Which loop is entered on this thread.
//!
//! *Role.* Leaf futures find their loop's drivers here, at their first wait; `run`, `tick`, `enter` and
//! a runtime's end enter it. The waker's own question ("is this task's loop entered here?") is
//! answered in [`crate::task::core`], by one word.
//!
//! One loop at a time: entering a second one, or the same one twice, panics in one sentence and
//! changes nothing (hz_a23). In the child of a fork that was made inside a loop, that loop does not count: it is
//! the parent's, and another may be entered over it.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::event_loop::EventLoop;
use crate::reactor::Reactor;
use crate::task::core::Core;

thread_local! {
    /// Without a destructor, so that a runtime in another thread-local can still enter its loop to end
    /// it, whichever of the two the thread's end reaches first (hz_a24). [`Entered`] empties it.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<EventLoop>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// Leaves the loop on drop.
pub(crate) struct Entered {
    /// The parent's loop, if this is the child of a fork that was made inside it.
    outer: Option<Rc<EventLoop>>,
}

/// Enters `event_loop` on this thread.
///
/// # Panics
/// If a loop is entered already.
#[track_caller]
pub(crate) fn enter(event_loop: &Rc<EventLoop>, what: &str) -> Entered {
    let outer = CURRENT.with(|current| {
        let mut current = current.borrow_mut();
        assert!(
            !is_own(&current),
            "{what} was called inside a running loop; a thread runs one loop at a time",
        );
        current.replace(Rc::clone(event_loop))
    });
    if outer.is_some() {
        Core::leave();
    }
    event_loop.core().enter();
    Entered { outer }
}

/// Whether a loop is there, and this process's own.
fn is_own(current: &Option<Rc<EventLoop>>) -> bool {
    current
        .as_ref()
        .is_some_and(|event_loop| event_loop.reactor().check_process().is_ok())
}

impl Drop for Entered {
    fn drop(&mut self) {
        Core::leave();
        let outer = self.outer.take();
        if let Some(outer) = &outer {
            outer.core().enter();
        }
        let left = CURRENT.with(|current| std::mem::replace(&mut **current.borrow_mut(), outer));
        drop(left);
    }
}

/// Whether a loop is entered on this thread. At a thread's end, when nobody can tell, it is not.
pub(crate) fn is_entered() -> bool {
    CURRENT
        .try_with(|current| is_own(&current.borrow()))
        .unwrap_or(false)
}

/// The loop that is entered, if any.
pub(crate) fn current() -> Option<Rc<EventLoop>> {
    CURRENT
        .try_with(|current| (**current.borrow()).clone())
        .unwrap_or(None)
}

/// The reactor of the loop that is entered, if any.
pub(crate) fn reactor() -> Option<Rc<Reactor>> {
    current().map(|event_loop| Rc::clone(event_loop.reactor()))
}
