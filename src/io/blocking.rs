//! `Blocking`: a stream of a loop, for code that knows only std's blocking traits.
//!
//! *Model.* A runtime that is not running lends itself: each call is a `block_on` of one operation, in
//! which the tasks of the loop run on. No thread and no buffer stands between, so a call that fails or
//! is late has taken exactly what the operation below took. The other direction, a blocking reader that
//! is awaited, needs a thread that may block: `read_on_pool` and `write_on_pool` have one.

use std::fmt;
use std::future::Future;
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::pin::Pin;
use std::time::Duration;

use super::buf_read::AsyncBufReadExt;
use super::read::AsyncReadExt;
use super::seek::AsyncSeekExt;
use super::traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
use super::write::AsyncWriteExt;
use crate::runtime::Runtime;
use crate::time::timeout;

/// A stream with std's [`Read`], [`Write`], [`BufRead`] and [`Seek`], as far as it has ours. Made by
/// [`Runtime::blocking`].
///
/// # Panics
/// Each call inside a running loop, in which nothing may block; nothing is read or written by it. And as
/// [`Runtime::block_on`] does, where nothing can ever go on.
pub struct Blocking<'a, S> {
    runtime: &'a Runtime,
    stream: S,
    timeout: Option<Duration>,
}

impl Runtime {
    /// Lends this loop to `stream`, so that blocking code can read and write it: a parser that wants a
    /// [`Read`], a test, the `main` of a program that waits for one thing at a time. The tasks of the
    /// loop run on during each call, and stand still between two.
    ///
    /// ```
    /// use mainspring::Runtime;
    /// use mainspring::io::AsyncWriteExt;
    /// use std::io::Read;
    /// let runtime = Runtime::new()?;
    /// let (near, mut far) = mainspring::net::UnixStream::pair()?;
    /// runtime.spawn(async move { far.write_all(b"tick tock").await });
    /// let mut text = String::new();
    /// runtime.blocking(near).read_to_string(&mut text)?;
    /// assert_eq!(text, "tick tock");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn blocking<S>(&self, stream: S) -> Blocking<'_, S> {
        Blocking {
            runtime: self,
            stream,
            timeout: None,
        }
    }
}

impl<S> Blocking<'_, S> {
    /// Sets how long one call may wait: then it fails with `TimedOut`, and no byte was taken or given
    /// that it does not tell of. A call of std's that reads or writes several times, such as
    /// `read_exact`, waits that long for each. `None`, as at first, waits for ever.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// How long one call may wait.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Blocking<'_, S> {
    /// Flushes, then says to the other side that nothing more will come. A drop says less.
    ///
    /// # Errors
    /// Those of the stream, and `TimedOut`.
    ///
    /// # Panics
    /// As every call of a [`Blocking`].
    #[track_caller]
    pub fn close(&mut self) -> io::Result<()> {
        finish(self.runtime, self.timeout, self.stream.close())
    }
}

/// One operation on a loop that is not running.
#[track_caller]
fn finish<T>(
    runtime: &Runtime,
    limit: Option<Duration>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        None => runtime.block_on(operation)?,
        Some(limit) => runtime.block_on(async move { timeout(limit, operation).await? })?,
    }
}

/// std's calls by ours of the same names.
macro_rules! by_ours {
    ($($call:ident($($argument:ident: $Argument:ty),*) -> $Output:ty;)*) => {$(
        #[track_caller]
        fn $call(&mut self, $($argument: $Argument),*) -> io::Result<$Output> {
            finish(self.runtime, self.timeout, self.stream.$call($($argument),*))
        }
    )*};
}

impl<S: AsyncRead + Unpin> Read for Blocking<'_, S> {
    by_ours! {
        read(buf: &mut [u8]) -> usize;
        read_vectored(bufs: &mut [IoSliceMut<'_>]) -> usize;
    }
}

impl<S: AsyncWrite + Unpin> Write for Blocking<'_, S> {
    by_ours! {
        write(buf: &[u8]) -> usize;
        write_vectored(bufs: &[IoSlice<'_>]) -> usize;
        flush() -> ();
    }
}

impl<S: AsyncBufRead + Unpin> BufRead for Blocking<'_, S> {
    by_ours! {
        fill_buf() -> &[u8];
    }

    fn consume(&mut self, count: usize) {
        Pin::new(&mut self.stream).consume(count);
    }
}

impl<S: AsyncSeek + Unpin> Seek for Blocking<'_, S> {
    by_ours! {
        seek(position: SeekFrom) -> u64;
    }
}

impl<S: fmt::Debug> fmt::Debug for Blocking<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking")
            .field("stream", &self.stream)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
