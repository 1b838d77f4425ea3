//! Which loop is entered on this thread.
//!
//! *Role.* Leaf futures find their loop's drivers here, at their first wait; `run`, `tick`, `enter` and
//! a runtime's end enter it. The waker's own question ("is this task's loop entered here?") is
//! answered in [`crate::task::core`], by one word.
//!
//! One loop at a time: entering a second one, or the same one twice, panics in one sentence and
//! changes nothing (hz_a23).

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
pub(crate) struct Entered(());

/// Enters `event_loop` on this thread.
///
/// # Panics
/// If a loop is entered already.
#[track_caller]
pub(crate) fn enter(event_loop: &Rc<EventLoop>, what: &str) -> Entered {
    CURRENT.with(|current| {
        let mut current = current.borrow_mut();
        assert!(
            current.is_none(),
            "{what} was called inside a running loop; a thread runs one loop at a time",
        );
        **current = Some(Rc::clone(event_loop));
    });
    event_loop.core().enter();
    Entered(())
}

impl Drop for Entered {
    fn drop(&mut self) {
        Core::leave();
        let left = CURRENT.with(|current| current.borrow_mut().take());
        drop(left);
    }
}

/// Whether a loop is entered on this thread. At a thread's end, when nobody can tell, it is not.
pub(crate) fn is_entered() -> bool {
    CURRENT
        .try_with(|current| current.borrow().is_some())
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
