//! Wakers of strangers: they panic, or use the primitive that clones, wakes or drops them.
#![expect(unsafe_code, reason = "only a raw waker hears of its clone")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::each::{Each, Wait, each};
use crate::rig::{Count, poll_once, poll_with};

/// The calls of a waker, of which one panics.
const CALLS_MAX: usize = 20;

thread_local! {
    /// Runs at each clone, wake and drop of a stranger's waker.
    static HOOK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

fn called() {
    let hook = HOOK.with(|hook| hook.borrow().clone());
    if let Some(hook) = hook {
        hook();
    }
}

fn set_hook(hook: Option<Rc<dyn Fn()>>) {
    HOOK.with(|slot| *slot.borrow_mut() = hook);
}

/// A waker that tells the hook of its clone, its wake and its drop.
fn stranger() -> Waker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            called();
            RawWaker::new(ptr::null(), &VTABLE)
        },
        |_| called(),
        |_| called(),
        |_| called(),
    );
    // SAFETY: the functions ignore the data, and may be called anywhere and any number of times.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}

/// Those that wake everybody at once.
const WAKE_ALL: [&str; 4] = ["Event", "Notify all", "OnceCell::wait", "Gate"];

/// Four wait with the stranger's waker, twice each, and one counts; one of the four goes; all go on. Whatever
/// panics is caught where it comes out. Gives who is left, and the counter of the one who counts.
fn scene(each: &Each) -> (Vec<Wait>, Option<Arc<Count>>) {
    let waker = stranger();
    let mut waits = Vec::new();
    for _ in 0..4 {
        let mut wait = (each.wait)();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let first = poll_with(&mut wait, &waker).is_pending();
            // Another waker, and the stranger's again: it is dropped, and cloned once more.
            first && poll_once(&mut wait).is_pending() && poll_with(&mut wait, &waker).is_pending()
        }));
        match polled {
            Ok(true) => waits.push(wait),
            Ok(false) => {}
            Err(_) => drop(catch_unwind(AssertUnwindSafe(|| drop(wait)))),
        }
    }
    let mut last = (each.wait)();
    let count = Count::new();
    let is_waiting = poll_with(&mut last, &count.waker()).is_pending();
    if is_waiting {
        waits.push(last);
    }
    if waits.len() > 1 {
        let second = waits.remove(1);
        drop(catch_unwind(AssertUnwindSafe(|| drop(second))));
    }
    drop(catch_unwind(AssertUnwindSafe(|| (each.free)())));
    drop(catch_unwind(AssertUnwindSafe(|| drop(waker))));
    (waits, is_waiting.then_some(count))
}

#[test]
fn hz_a10_a_waker_that_panics_at_any_call_leaves_every_primitive_whole() {
    for number in 1..=CALLS_MAX {
        for each in each() {
            let calls = Rc::new(Cell::new(0));
            let counted = Rc::clone(&calls);
            set_hook(Some(Rc::new(move || {
                counted.set(counted.get() + 1);
                if counted.get() == number {
                    // Without the panic hook, which would print hundreds of traces.
                    resume_unwind(Box::new("a waker's call"));
                }
            })));
            let (waits, count) = scene(&each);
            set_hook(None);
            // What lets all go on lets the others go on whose wakers do not panic.
            if WAKE_ALL.contains(&each.name) {
                assert!(count.is_none_or(|count| count.get() > 0), "{}", each.name);
            }
            each.finish(waits);
            assert_eq!((each.waiters)(), 0, "{}: call {number}", each.name);
        }
    }
}

/// What the waker does: waits and goes, frees, waits and stays, or lets all go that it kept.
fn act(each: &Each, action: usize, kept: &RefCell<Vec<Wait>>) {
    let mut wait = (each.wait)();
    match action {
        0 => {
            let _ = poll_with(&mut wait, &stranger());
            return;
        }
        1 => {
            (each.free)();
            return;
        }
        2 => {}
        _ => {
            (each.free)();
            let waits = kept.take();
            drop(waits);
        }
    }
    if poll_once(&mut wait).is_pending() {
        kept.borrow_mut().push(wait);
    }
}

#[test]
fn hz_a11_hz_a12_a_waker_may_use_the_primitive_that_clones_wakes_and_drops_it() {
    for action in 0..4 {
        for each in each() {
            let each = Rc::new(each);
            let (inner, is_inside) = (Rc::clone(&each), Cell::new(false));
            let kept: Rc<RefCell<Vec<Wait>>> = Rc::default();
            let keeps = Rc::clone(&kept);
            set_hook(Some(Rc::new(move || {
                // A waker that polls is polled by what that wakes: once is enough.
                if is_inside.replace(true) {
                    return;
                }
                act(&inner, action, &keeps);
                is_inside.set(false);
            })));
            let (mut waits, _) = scene(&each);
            set_hook(None);
            waits.extend(kept.take());
            each.finish(waits);
            assert_eq!((each.waiters)(), 0, "{}: {action}", each.name);
        }
    }
}
