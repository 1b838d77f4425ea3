//! Byte streams: their traits, what is built on them, and `AsyncFd` for descriptors of one's own.
//!
//! *Role.* `net` implements the traits; users call the extension methods, which are in scope with
//! `use mainspring::io::{AsyncReadExt, AsyncWriteExt}`.
//!
//! *Rule.* An operation is tried at once, and only a WouldBlock makes it wait; nothing is registered
//! with the kernel before that.

mod async_fd;
mod blocking;
mod buf;
mod buf_read;
mod buf_reader;
mod buf_stream;
mod buf_writer;
mod buffer_pool;
mod chain;
mod copy;
mod duplex;
pub(crate) mod endpoint;
mod ends;
pub(crate) mod forward;
mod incomplete;
mod inspect;
mod join;
mod limit;
mod lines;
mod numbers;
mod on_pool;
mod protocol;
mod read;
mod read_exact;
mod read_to_end;
mod seek;
mod split;
mod take;
#[cfg(all(test, feature = "inspect"))]
mod tests;
mod traits;
mod write;
mod write_all;

pub(crate) use crate::task::caller;
pub use async_fd::{AsyncFd, FdReady, WithFd};
pub use blocking::Blocking;
pub use buf::Buf;
pub use buf_read::{AsyncBufReadExt, FillBuf, ReadLine, ReadUntil, SkipUntil};
pub use buf_reader::{BufReadExact, BufReadLine, BufReadNumber, BufReadUntil, BufReader};
pub use buf_stream::BufStream;
pub use buf_writer::{BufWriteAll, BufWriter};
pub(crate) use buffer_pool::Line;
pub use buffer_pool::{BufferPool, PooledBuf, TakeBuf};
pub use chain::Chain;
pub use copy::{Copy, CopyBidirectional, CopyBuf, copy, copy_bidirectional, copy_buf};
pub use duplex::{DuplexStream, SimplexReader, SimplexWriter, duplex, simplex};
pub use ends::{Empty, Repeat, Sink, empty, repeat, sink};
pub use incomplete::Incomplete;
pub use inspect::{Inspect, InspectWrites};
pub use join::{Join, join};
pub use limit::{LINE_LIMIT, LimitExceeded};
pub use lines::{Lines, NextLine, NextPiece, SkipPiece, Split};
pub use numbers::{ReadNumber, WriteNumber};
pub use on_pool::{ReadOnPool, WriteOnPool, read_on_pool, write_on_pool};
pub use protocol::{Protocol, Serve, Transport, serve};
pub use read::{AsyncReadExt, Read, ReadVectored};
pub use read_exact::{ReadCursor, ReadExact, ReadExactBuf};
pub use read_to_end::{ReadToEnd, ReadToString};
pub use seek::{AsyncSeekExt, Rewind, Seek};
pub use split::{ReadHalf, ReuniteError, WriteHalf, split};
pub use take::Take;
pub(crate) use traits::checked;
pub use traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
pub use write::{AsyncWriteExt, Close, Flush, Write, WriteVectored};
pub use write_all::{WriteAll, WriteAllBuf, WriteAllVectored};
