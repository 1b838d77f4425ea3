//! I/O: `AsyncFd`, for any descriptor that a selector takes.
//!
//! *Role.* Users who have a descriptor of their own (a pidfd, an inotify, a serial line) wrap it in
//! [`AsyncFd`].
//!
//! *Rule.* An operation is tried at once, and only a WouldBlock makes it wait; nothing is registered
//! with the kernel before that.

mod async_fd;

pub use async_fd::{AsyncFd, FdReady, WithFd};
