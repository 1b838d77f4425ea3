//! Byte streams: their traits, what is built on them, and `AsyncFd` for descriptors of one's own.
//!
//! *Role.* `net` implements the traits; users call the extension methods, which are in scope with
//! `use mainspring::io::{AsyncReadExt, AsyncWriteExt}`.
//!
//! *Rule.* An operation is tried at once, and only a WouldBlock makes it wait; nothing is registered
//! with the kernel before that.

mod async_fd;
pub(crate) mod caller;
pub(crate) mod forward;
mod read;
mod traits;
mod write;

pub use async_fd::{AsyncFd, FdReady, WithFd};
pub use read::{AsyncReadExt, Read};
pub use traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
pub use write::{AsyncWriteExt, Write};
