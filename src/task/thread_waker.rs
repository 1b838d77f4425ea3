//! `ThreadWaker`: what wakes a thread that blocks until somebody else has done something.
//!
//! *Role.* The far halves of channels, and those who fetch a result of a loop, may stand on a thread that
//! has no loop. There they block: [`block_until`] polls on their behalf, and sleeps between the polls.
//!
//! *Cost.* One allocation per blocking call that really waits.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring_sys::Clock;

use super::core::Core;
use crate::shim::{Condvar, Mutex, lock, wait_timeout_while};

/// A limit beyond this is none.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Wakes one blocked thread.
struct ThreadWaker {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl ThreadWaker {
    fn new() -> Arc<ThreadWaker> {
        Arc::new(ThreadWaker {
            is_woken: Mutex::new(false),
            woken: Condvar::new(),
        })
    }

    /// Returns after a wake, or when `left` has passed.
    fn wait(&self, left: Option<Duration>) {
        let mut is_woken = lock(&self.is_woken);
        if let Some(left) = left {
            let is_waiting = |is_woken: &mut bool| !*is_woken;
            is_woken = wait_timeout_while(&self.is_woken, &self.woken, is_woken, left, is_waiting);
        } else {
            while !*is_woken {
                let woken = self.woken.wait(is_woken);
                is_woken = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
        *is_woken = false;
    }
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *lock(&self.is_woken) = true;
        self.woken.notify_one();
    }
}

/// Blocks this thread until `poll` is ready; `None` if it still is not when `limit` has passed.
pub(crate) fn block_until<T>(
    limit: Option<Duration>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let thread = ThreadWaker::new();
    let waker = Waker::from(Arc::clone(&thread));
    let mut cx = Context::from_waker(&waker);
    let clock = Clock::Monotonic;
    let deadline = limit
        .filter(|limit| *limit < NEVER)
        .map(|limit| clock.now() + limit);
    loop {
        if let Poll::Ready(output) = poll(&mut cx) {
            return Some(output);
        }
        let left = deadline.map(|deadline| deadline - clock.now());
        if left == Some(Duration::ZERO) {
            return None;
        }
        thread.wait(left);
    }
}

/// A thread on which a loop runs must not block.
///
/// # Panics
/// If a loop is entered here; in one sentence that names the caller's line.
#[track_caller]
pub(crate) fn refuse_in_loop(call: &str) {
    let is_entered = Core::with_current(|core| core.is_some());
    assert!(
        !is_entered,
        "{call} would block the loop that runs on this thread; there it is awaited instead"
    );
}
