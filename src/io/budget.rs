//! The budget of a poll, as streams in memory spend it: they never wait for the kernel, so nothing else
//! makes them yield.

use std::task::{Context, Poll};

use crate::task::core::Core;

/// One unit of the poll's budget; `Pending`, with a wake, if none is left.
#[inline]
pub(crate) fn poll_budget(cx: &Context<'_>) -> Poll<()> {
    if Core::with_current(|core| core.is_none_or(Core::spend)) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
