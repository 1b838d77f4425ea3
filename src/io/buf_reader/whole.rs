//! The calls of `BufReader` that take bytes only when all are there: `read_exact`, `read_until`, `read_line`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::bytes::text;

use super::super::incomplete::Incomplete;
use super::super::limit::LINE_LIMIT;
use super::super::traits::AsyncRead;
use super::BufReader;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Fills all of `buf`. A `buf` larger than the buffer makes the buffer grow while the bytes come,
    /// never beyond the length of `buf`.
    ///
    /// # Cancel safety
    /// Safe: the bytes are taken in the poll that finds all of them.
    ///
    /// # Errors
    /// `UnexpectedEof` with an [`Incomplete`] inside, if the stream ends before; those of the reader.
    /// The bytes that came stay in the buffer, after every error.
    ///
    /// ```
    /// use mainspring::io::BufReader;
    /// # mainspring::run(async {
    /// let mut reader = BufReader::new(&b"tick"[..]);
    /// let mut buf = [0; 3];
    /// reader.read_exact(&mut buf).await.unwrap();
    /// assert_eq!(&buf, b"tic");
    /// assert!(reader.read_exact(&mut buf).await.is_err());
    /// assert_eq!(reader.buffer(), b"k");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> BufReadExact<'a, R> {
        BufReadExact {
            reader: self,
            buf,
            caller: Caller::here(),
        }
    }

    /// Appends to `bytes` what comes, up to and with the next `delimiter`, or the end, and says how many bytes
    /// these are: 0 at the end. At most 64 KiB may come before the delimiter; [`BufReadUntil::limit`] changes
    /// that.
    ///
    /// # Cancel safety
    /// Safe: the bytes are taken in the poll that finds all of them.
    ///
    /// # Errors
    /// `InvalidData` with a [`LimitExceeded`](crate::io::LimitExceeded) inside; those of the reader. The
    /// bytes that came stay in the buffer, after every error.
    ///
    /// ```
    /// use mainspring::io::BufReader;
    /// # mainspring::run(async {
    /// let mut reader = BufReader::new(&b"a;bc"[..]);
    /// let mut bytes = Vec::new();
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 2);
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 2);
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 0);
    /// assert_eq!(bytes, b"a;bc");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn read_until<'a>(
        &'a mut self,
        delimiter: u8,
        bytes: &'a mut Vec<u8>,
    ) -> BufReadUntil<'a, R> {
        BufReadUntil {
            reader: self,
            delimiter,
            bytes,
            limit: LINE_LIMIT,
            caller: Caller::here(),
        }
    }

    /// Appends the next line to `line`, with its `\n` unless the stream ends before, and says how many bytes
    /// these are: 0 at the end. At most 64 KiB may come before the `\n`; [`BufReadLine::limit`] changes that.
    ///
    /// # Cancel safety
    /// Safe: the bytes are taken in the poll that finds all of them.
    ///
    /// # Errors
    /// `InvalidData` with a [`LimitExceeded`](crate::io::LimitExceeded) inside; those of the reader. The
    /// bytes that came stay in the buffer. `InvalidData` with a [`FromUtf8Error`](std::string::FromUtf8Error)
    /// inside, which holds the bytes of the whole line: that line is taken, `line` is as before, and the
    /// next call goes on behind it.
    ///
    /// ```
    /// use mainspring::io::BufReader;
    /// use std::string::FromUtf8Error;
    /// # mainspring::run(async {
    /// let mut reader = BufReader::new(&b"caf\xe9\ncaf\xc3\xa9\n"[..]);
    /// let mut line = String::new();
    /// let error = reader.read_line(&mut line).await.unwrap_err();
    /// let latin1 = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>().unwrap();
    /// assert_eq!(latin1.as_bytes(), b"caf\xe9\n");
    /// reader.read_line(&mut line).await.unwrap();
    /// assert_eq!(line, "café\n");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn read_line<'a>(&'a mut self, line: &'a mut String) -> BufReadLine<'a, R> {
        BufReadLine {
            reader: self,
            line,
            limit: LINE_LIMIT,
            caller: Caller::here(),
        }
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// As [`BufReader::poll_until`], on behalf of `caller`, of whom nobody need know if the piece is there.
    #[inline]
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        delimiter: u8,
        limit: usize,
        caller: Caller,
    ) -> Poll<io::Result<usize>> {
        match self.look_for(delimiter, limit) {
            Some(count) => Poll::Ready(Ok(count)),
            None => caller.within(|| self.poll_until(cx, delimiter, limit)),
        }
    }
}

/// Fills a buffer. Made by [`BufReader::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BufReadExact<'a, R> {
    reader: &'a mut BufReader<R>,
    buf: &'a mut [u8],
    caller: Caller,
}

impl<R: AsyncRead + Unpin> Future for BufReadExact<'_, R> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let BufReadExact {
            reader,
            buf,
            caller,
        } = self.get_mut();
        ready!(poll_spend(cx));
        let expected = buf.len();
        let partial = ready!(caller.within(|| reader.poll_available(cx, expected)))?;
        if partial < expected {
            return Poll::Ready(Err(Incomplete::read(partial, expected)));
        }
        buf.copy_from_slice(&reader.buffer()[..expected]);
        reader.advance(expected);
        Poll::Ready(Ok(()))
    }
}

/// Reads up to a delimiter. Made by [`BufReader::read_until`].
///
/// # Cancel safety
/// Safe: the bytes are taken in the poll that finds all of them.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BufReadUntil<'a, R> {
    reader: &'a mut BufReader<R>,
    delimiter: u8,
    bytes: &'a mut Vec<u8>,
    limit: usize,
    caller: Caller,
}

impl<R> BufReadUntil<'_, R> {
    /// Allows `limit` bytes before the delimiter.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }
}

impl<R: AsyncRead + Unpin> Future for BufReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(poll_spend(cx));
        let reader = &mut *this.reader;
        let count = ready!(reader.poll_piece(cx, this.delimiter, this.limit, this.caller))?;
        this.bytes.extend_from_slice(&reader.buffer()[..count]);
        reader.advance(count);
        Poll::Ready(Ok(count))
    }
}

/// Reads a line. Made by [`BufReader::read_line`].
///
/// # Cancel safety
/// Safe: the bytes are taken in the poll that finds all of them.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BufReadLine<'a, R> {
    reader: &'a mut BufReader<R>,
    line: &'a mut String,
    limit: usize,
    caller: Caller,
}

impl<R> BufReadLine<'_, R> {
    /// Allows `limit` bytes before the `\n`.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }
}

impl<R: AsyncRead + Unpin> Future for BufReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(poll_spend(cx));
        let reader = &mut *this.reader;
        let count = ready!(reader.poll_piece(cx, b'\n', this.limit, this.caller))?;
        let bytes = &reader.buffer()[..count];
        let result = match text(bytes) {
            Ok(text) => {
                this.line.push_str(text);
                Ok(count)
            }
            Err(_) => String::from_utf8(bytes.to_vec())
                .map(|_| count)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        reader.advance(count);
        Poll::Ready(result)
    }
}
