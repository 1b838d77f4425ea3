//! The budget of a poll: how much of what is ready at once it may take before the others have their turn.
//!
//! *Role.* Whatever may be ready for ever spends one unit per operation: a socket per system call, and
//! what is served from memory per item, for one system call may bring thousands of short lines (P6).

use std::task::{Context, Poll};

use super::core::Core;

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
