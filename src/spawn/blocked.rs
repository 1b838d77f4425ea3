//! `wait_all_tasks_blocked`: until everybody else waits.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;

use crate::context;
use crate::event_loop::EventLoop;
use crate::pin::pinned;
use crate::task::wait::{Kind, Waiter};

/// Waits until no other task of this loop can go on by itself: nothing is ready, no other thread has woken
/// anything, the selector has nothing to report. With a `cushion` it must have stayed so for that long.
///
/// This is for tests, in place of a sleep that is long enough: what can happen without the passing of time has
/// happened when it returns. A timer that is not due yet does not count; with a manual clock time stands still until then.
/// Work in other threads is not seen, but by the cushion. Several may wait at once, and wake in order.
///
/// # Cancel safety
/// Safe.
///
/// # Panics
/// When it is polled where no loop runs.
///
/// ```
/// use mainspring::task::{spawn, wait_all_tasks_blocked};
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// mainspring::run(async {
///     let steps = Rc::new(Cell::new(0));
///     let counter = Rc::clone(&steps);
///     drop(spawn(async move {
///         for _ in 0..100 {
///             mainspring::yield_now().await;
///             counter.set(counter.get() + 1);
///         }
///     }));
///     wait_all_tasks_blocked(Duration::ZERO).await;
///     assert_eq!(steps.get(), 100);
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn wait_all_tasks_blocked(cushion: Duration) -> AllBlocked {
    let location = Location::caller();
    AllBlocked {
        quiet: Waiter::new(Kind::Quiet, location),
        timer: Waiter::new_timer(true, location),
        cushion,
        noted: Cell::new(None),
    }
}

/// Resumes when everybody else waits. Made by [`wait_all_tasks_blocked`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AllBlocked {
    quiet: Waiter,
    timer: Waiter,
    cushion: Duration,
    /// How much had gone on when the loop was quiet and the cushion began.
    noted: Cell<Option<u64>>,
}

impl AllBlocked {
    /// The loop was quiet: is it still?
    fn poll_cushion(self: Pin<&Self>, event_loop: &EventLoop, cx: &Context<'_>) -> Poll<()> {
        let timer = pinned!(self, timer);
        let activity = event_loop.quiet.activity();
        match self.noted.get() {
            _ if self.cushion.is_zero() => return Poll::Ready(()),
            None => {
                self.noted.set(Some(activity));
                timer.arm_timer(cx, duration_ns(self.cushion));
            }
            Some(_) if !timer.is_woken() => timer.arm(cx),
            Some(noted) if noted == activity => return Poll::Ready(()),
            Some(_) => {
                self.noted.set(None);
                timer.disarm();
                timer.set_kind(Kind::Delay);
                self.wait(event_loop, cx);
            }
        }
        Poll::Pending
    }

    fn wait(self: Pin<&Self>, event_loop: &EventLoop, cx: &Context<'_>) {
        let quiet = pinned!(self, quiet);
        quiet.arm(cx);
        if !quiet.is_linked() {
            event_loop.quiet.waiting().push(quiet);
        }
    }
}

impl Future for AllBlocked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let event_loop = context::current()
            .expect("wait_all_tasks_blocked must be awaited inside a running loop");
        event_loop.quiet.note_own_poll();
        let this = self.as_ref();
        if this.quiet.is_woken() {
            return this.poll_cushion(&event_loop, cx);
        }
        this.wait(&event_loop, cx);
        Poll::Pending
    }
}

impl fmt::Debug for AllBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllBlocked")
            .field("cushion", &self.cushion)
            .finish_non_exhaustive()
    }
}
