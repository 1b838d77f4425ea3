//! Signals: awaited like anything else.
//!
//! *Role.* [`signal`] makes a [`Listener`], a stream of a signal; [`once`] and [`ctrl_c`] await one.
//!
//! *Model.* There is one handler for the process, and a bell for each loop that listens, which is a source like any other. It
//! counts; a listener remembers up to where it has heard. So any number may listen, on any number of loops, and however many
//! signals come between two looks, none goes unnoticed. The system itself merges signals that come while one of the same
//! number is on its way: the count is of those that were delivered.
//!
//! *Other handlers.* One that was there before the first listener is called as well. When the last listener of a signal goes, what
//! was in force before is again. While somebody listens, the signal does nothing else: SIGTERM ends no program that listens
//! to it.
//!
//! *Without a handler.* [`queue()`] takes signals from the kernel's own queue, if the program blocks them on all of its threads.
//! [`SignalSet`] is how a thread's mask is said, and [`Builder::mask_while_waiting`](crate::Builder::mask_while_waiting) keeps signals
//! from waking a loop that sleeps.
//!
//! *Cost.* The first listener of a loop takes two descriptors, which are kept for the next. A signal costs its handler, one
//! byte in a pipe, and one event.

mod ear;
mod listener;
mod queue;

pub(crate) use ear::Ear;
pub use listener::{Listener, Once, Received, Recv, ctrl_c, once, signal};
pub use mainspring_sys::signal::{Blocked, Queued, Sender, Signal, SignalSet, die_of};
pub use queue::{Queue, QueueRecv, queue};
