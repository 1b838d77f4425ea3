//! Channels: items that go from task to task, in order, without a lock.
//!
//! *Role.* The tasks of one thread give each other work and results. Everything here stays on its thread
//! and has no atomics.
//!
//! *Why not std's.* `std::sync::mpsc` blocks the thread, and with it every task.

mod error;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
