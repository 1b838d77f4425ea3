//! The budget of a poll: how much of what is ready at once it may take before the others have their turn.
//!
//! *Role.* Whatever may be ready for ever spends one unit per operation: a socket per system call, and
//! what is served from memory per item, for one system call may bring thousands of short lines (P6). A future that
//! is not ours joins in by [`consume_budget`]; one that must not yield is exempt by [`unconstrained`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::core::{Core, POLLS_PER_CLOCK_LOOK};
use crate::pin::pinned_mut;

/// What a poll without a limit has: it lasts for years.
const NO_LIMIT: u32 = u32::MAX;

impl Core {
    /// Takes one unit of the poll's budget; `false`: there is none left, yield.
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        let left = self.budget.get();
        if left == 0 {
            // Whoever polls by hand, in an entered loop but in none of its tasks, has no budget.
            return self.current.get().is_null();
        }
        self.budget.set(left - 1);
        true
    }

    /// Whether [`Core::spend`] would find a unit.
    pub(super) fn has_budget(&self) -> bool {
        self.budget.get() > 0 || self.current.get().is_null()
    }

    /// Whether the polls since there were `before` of them make it time to look at the clock. One that has
    /// spent its budget was as long as many (hz_b14).
    #[inline]
    pub(crate) fn is_look_due(&self, before: u32) -> bool {
        (self.polls.get() ^ before) >= POLLS_PER_CLOCK_LOOK || self.budget.get() == 0
    }
}

/// Ready, if the current poll may complete one more operation; else it is polled again when the others
/// have had their turn. Who polls by hand, outside every task, has no budget.
#[inline]
pub(crate) fn poll_spend(cx: &Context<'_>) -> Poll<()> {
    if Core::with_current(|core| core.is_none_or(Core::spend)) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Spends `count` units, or what is left: for what came at once with an operation that was paid already.
pub(crate) fn spend_more(count: usize) {
    let mut spends = (0..count).map(|_| Core::with_current(|core| core.is_some_and(Core::spend)));
    while spends.next() == Some(true) {}
}

/// Whether the current poll may complete one more operation before it must yield. Always, outside of
/// tasks.
///
/// ```
/// use mainspring::task::has_budget_remaining;
/// mainspring::run(async { assert!(has_budget_remaining()) }).unwrap();
/// ```
#[must_use]
pub fn has_budget_remaining() -> bool {
    Core::with_current(|core| core.is_none_or(Core::has_budget))
}

/// Spends one unit of the current poll's budget, and yields once there is none left: for a long
/// computation, or a resource of one's own that may always be ready.
///
/// # Cancel safety
/// Safe.
///
/// ```
/// use mainspring::task::consume_budget;
/// mainspring::run(async {
///     let mut sum = 0;
///     for number in 0..1000 {
///         sum += number;
///         consume_budget().await; // lets the others run after every 128
///     }
///     assert_eq!(sum, 499_500);
/// })
/// .unwrap();
/// ```
pub fn consume_budget() -> ConsumeBudget {
    ConsumeBudget { _private: () }
}

/// Yields, if the poll's budget is spent. Made by [`consume_budget`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct ConsumeBudget {
    _private: (),
}

impl Future for ConsumeBudget {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_spend(cx)
    }
}

/// Runs `future` without a budget: however much it completes in one poll, it never has to yield. What the rest of
/// the task has left is as it was. The loop's other tasks, and its I/O, wait for as long as the future goes on.
///
/// # Cancel safety
/// Not safe, because its drop drops the future.
///
/// ```
/// use mainspring::task::{consume_budget, unconstrained};
/// mainspring::run(unconstrained(async {
///     for _ in 0..1000 {
///         consume_budget().await; // never yields here
///     }
/// }))
/// .unwrap();
/// ```
pub fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

/// Runs a future without a budget. Made by [`unconstrained`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Unconstrained<F> {
    future: F,
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _limit = replace(NO_LIMIT).map(Limit);
        pinned_mut!(self, future).poll(cx)
    }
}

impl<F> fmt::Debug for Unconstrained<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unconstrained").finish_non_exhaustive()
    }
}

/// What the poll had left before. Its drop gives it back.
struct Limit(u32);

impl Drop for Limit {
    fn drop(&mut self) {
        replace(self.0);
    }
}

fn replace(budget: u32) -> Option<u32> {
    Core::with_current(|core| core.map(|core| core.budget.replace(budget)))
}
