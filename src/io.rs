//! I/O: what sockets share, and `AsyncFd` for any other descriptor that a selector takes.
//!
//! *Role.* `net` is built on `socket` and `transfer`; users who have a descriptor of their own
//! (a pidfd, an inotify, a serial line) wrap it in [`AsyncFd`].
//!
//! *Rule.* An operation is tried at once, and only a WouldBlock makes it wait; nothing is registered
//! with the kernel before that.

pub(crate) mod async_fd;
pub(crate) mod socket;
pub(crate) mod transfer;

pub use async_fd::{AsyncFd, FdReady, WithFd};
pub use transfer::{Read, Write, WriteAll};
