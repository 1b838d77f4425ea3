//! Signals: their numbers and names; a handler for the whole process, and the bells that it rings.
//!
//! *Role.* `mainspring::signal` listens through it, `mainspring::process` sends, and learns of a child's end by SIGCHLD
//! where nothing better exists.
//!
//! *Model.* A signal may be delivered on any thread, so there is one handler for the process. It counts, keeps who sent
//! it, rings the [`Bell`] of each loop that listens, and calls the handler that was there before.
//!
//! ```text
//!   kernel ─► handler ─┬─► count of the signal, its last senders      (atomics in static memory)
//!                      ├─► bells of the loops that listen ─► their selectors
//!                      └─► the handler before ours, if it was one
//!   loop: bell is readable ─► quiet it ─► has the count grown?
//! ```
//!
//! Counts never fall, so what a loop has not looked at is not lost, however many signals come (hz_f02).

mod bell;
mod handler;
mod mask;
mod number;
mod queue;
mod second;

pub use bell::Bell;
pub use handler::{
    Sender, after_fork, count, die_of, is_ignored, is_listened_to, raise, raise_here, sender,
    set_default, was_replaced,
};
pub(crate) use handler::{guard, set_last_words, unguard};
pub use mask::{Blocked, SignalSet};
pub use number::Signal;
pub use queue::{Queued, SignalQueue};
pub use second::SecondEnds;

#[cfg(test)]
mod tests;
