//! `AsyncBufReadExt`: what every buffered reader can do: look, skip, and read up to a delimiter.
//!
//! *Model.* A buffered reader in general shows one buffer's worth, and shows more only when that was taken.
//! So these calls take bytes as they come, into what the caller owns (`read_until`) or into what lives as long
//! as the reader (`lines`, `split`): a drop loses nothing. [`BufReader`](super::BufReader) does better with
//! methods of its own, which take nothing before all is there.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::str;
use std::task::{Context, Poll, ready};

use mainspring_sys::bytes::find;

use super::limit::{LINE_LIMIT, LimitExceeded, window};
use super::lines::{Lines, Split};
use super::traits::AsyncBufRead;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;

/// The methods of every [`AsyncBufRead`].
pub trait AsyncBufReadExt: AsyncBufRead {
    /// The bytes that are there, at least one; none at the end of the stream. They stay until
    /// [`AsyncBufRead::consume`] takes them.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    ///
    /// # Errors
    /// Those of the reader.
    ///
    /// ```
    /// use mainspring::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
    /// use std::pin::Pin;
    /// # mainspring::run(async {
    /// let mut reader = BufReader::new(&b"tick"[..]);
    /// assert_eq!(reader.fill_buf().await.unwrap(), b"tick");
    /// Pin::new(&mut reader).consume(2);
    /// assert_eq!(reader.fill_buf().await.unwrap(), b"ck");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Unpin,
    {
        FillBuf {
            reader: Some(self),
            caller: Caller::here(),
        }
    }

    /// Appends to `bytes` what comes, up to and with the next `delimiter`, or the end, and says how many bytes
    /// this call appended: 0 at the end. At most 64 KiB may come before the delimiter; [`ReadUntil::limit`]
    /// changes that. What stands in `bytes` behind its last delimiter counts as the beginning, so the limit
    /// also holds for a call that is made again; each call looks through that beginning once.
    ///
    /// # Cancel safety
    /// Safe: what was taken stands in `bytes`, and a call with the same `bytes` goes on behind it. (Only
    /// then may it answer 0 while `bytes` does not end with a delimiter.)
    ///
    /// # Errors
    /// `InvalidData` with a [`LimitExceeded`](crate::io::LimitExceeded) inside; those of the reader. What was
    /// taken stands in `bytes`, the rest stays in the reader.
    ///
    /// ```
    /// use mainspring::io::AsyncBufReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"a;bc";
    /// let mut bytes = Vec::new();
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 2);
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 2);
    /// assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 0);
    /// assert_eq!(bytes, b"a;bc");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_until<'a>(&'a mut self, delimiter: u8, bytes: &'a mut Vec<u8>) -> ReadUntil<'a, Self>
    where
        Self: Unpin,
    {
        ReadUntil {
            reader: self,
            until: Until::behind(bytes, delimiter),
            already: bytes.len(),
            bytes,
            caller: Caller::here(),
        }
    }

    /// Appends the next line to `line`, with its `\n` unless the stream ends before, and says how many bytes
    /// this call appended: 0 at the end. At most 64 KiB may come before the `\n`, counted as
    /// [`read_until`](AsyncBufReadExt::read_until) counts them; [`ReadLine::limit`] changes that.
    ///
    /// # Cancel safety
    /// Not safe, because a character of which only the first bytes have come fits into no `String`: up to
    /// three bytes are lost, and of a line that is no text all from there on. What was taken before that stands
    /// in `line`. [`lines`](AsyncBufReadExt::lines) and `BufReader`'s own
    /// [`read_line`](crate::io::BufReader::read_line) are safe.
    ///
    /// # Errors
    /// `InvalidData` with a [`LimitExceeded`](crate::io::LimitExceeded) inside; those of the reader. Both leave
    /// `line` as a drop does. `InvalidData` with a [`FromUtf8Error`](std::string::FromUtf8Error) inside, which
    /// holds what this call took: the next call goes on behind that line.
    ///
    /// ```
    /// use mainspring::io::AsyncBufReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = "tick\ntock".as_bytes();
    /// let mut line = String::new();
    /// assert_eq!(reader.read_line(&mut line).await.unwrap(), 5);
    /// assert_eq!(line, "tick\n");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn read_line<'a>(&'a mut self, line: &'a mut String) -> ReadLine<'a, Self>
    where
        Self: Unpin,
    {
        ReadLine {
            reader: self,
            until: Until {
                start: 0,
                ..Until::behind(line.as_bytes(), b'\n')
            },
            line,
            taken: Vec::new(),
            caller: Caller::here(),
        }
    }

    /// Takes what comes, up to and with the next `delimiter`, or the end, keeps none of it, and says how
    /// many bytes these were. It needs no limit: no memory is used.
    ///
    /// # Cancel safety
    /// Safe: what was taken was to be skipped; a call made again goes on behind it, and counts from there.
    ///
    /// # Errors
    /// Those of the reader.
    ///
    /// ```
    /// use mainspring::io::AsyncBufReadExt;
    /// # mainspring::run(async {
    /// let mut reader: &[u8] = b"much too long\nnext";
    /// assert_eq!(reader.skip_until(b'\n').await.unwrap(), 14);
    /// assert_eq!(reader, b"next");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn skip_until(&mut self, delimiter: u8) -> SkipUntil<'_, Self>
    where
        Self: Unpin,
    {
        SkipUntil {
            reader: self,
            delimiter,
            skipped: 0,
            caller: Caller::here(),
        }
    }

    /// The lines, without their `\n` or `\r\n`, as a [`Stream`](crate::stream::Stream). At most 64 KiB may
    /// come before a `\n`; [`Lines::limit`] changes that.
    ///
    /// ```
    /// use mainspring::io::AsyncBufReadExt;
    /// # mainspring::run(async {
    /// let mut lines = "tick\r\ntock".as_bytes().lines();
    /// assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tick"));
    /// assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tock"));
    /// assert_eq!(lines.next_line().await.unwrap(), None);
    /// # }).unwrap();
    /// ```
    fn lines(self) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines::over(self)
    }

    /// What stands between the delimiters, as a [`Stream`](crate::stream::Stream). At most 64 KiB may come
    /// before one; [`Split::limit`] changes that.
    ///
    /// ```
    /// use mainspring::io::{AsyncBufReadExt, BufReader};
    /// # mainspring::run(async {
    /// let mut pieces = BufReader::new(&b"tick;tock;"[..]).split(b';');
    /// assert_eq!(pieces.next_piece().await.unwrap().unwrap(), b"tick");
    /// assert_eq!(pieces.next_piece().await.unwrap().unwrap(), b"tock");
    /// assert_eq!(pieces.next_piece().await.unwrap(), None);
    /// # }).unwrap();
    /// ```
    fn split(self, delimiter: u8) -> Split<Self>
    where
        Self: Sized,
    {
        Split::over(self, delimiter)
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufReadExt for R {}

/// How far to read: one piece, of which some may have come before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    pub(super) delimiter: u8,
    pub(super) limit: usize,
    /// Bytes of the piece that stand elsewhere, or before `start`.
    before: usize,
    /// Where the piece goes on in the vector that it is read into.
    start: usize,
}

impl Until {
    /// A piece that begins now.
    pub(super) fn new(delimiter: u8) -> Until {
        Until {
            delimiter,
            limit: LINE_LIMIT,
            before: 0,
            start: 0,
        }
    }

    /// A piece that begins behind the last delimiter of `bytes`, and goes on at their end.
    fn behind(bytes: &[u8], delimiter: u8) -> Until {
        let begun = bytes.iter().rev().take_while(|byte| **byte != delimiter);
        Until {
            before: begun.count(),
            start: bytes.len(),
            ..Until::new(delimiter)
        }
    }

    /// Moves the piece from `reader` to the end of `bytes`, as it comes; whether its delimiter ended it.
    pub(super) fn poll_take<R: AsyncBufRead + Unpin + ?Sized>(
        self,
        reader: &mut R,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<bool>> {
        loop {
            ready!(poll_spend(cx));
            let shown = ready!(Pin::new(&mut *reader).poll_fill_buf(cx))?;
            if shown.is_empty() {
                return Poll::Ready(Ok(false));
            }
            let length = self.before + bytes.len() - self.start;
            let available = length + shown.len();
            let room = self.limit.saturating_sub(length);
            let window = window(shown.len(), room);
            let found = match find(self.delimiter, &shown[..window]) {
                _ if length > self.limit => None,
                found => found,
            };
            if found.is_none() && available > self.limit {
                let limit = self.limit;
                return Poll::Ready(Err(LimitExceeded { limit, available }.into()));
            }
            let count = found.map_or(shown.len(), |at| at + 1);
            bytes.extend_from_slice(&shown[..count]);
            Pin::new(&mut *reader).consume(count);
            if found.is_some() {
                return Poll::Ready(Ok(true));
            }
        }
    }
}

/// Takes up to and with `delimiter`, and counts in `skipped`.
pub(super) fn poll_skip<R: AsyncBufRead + Unpin + ?Sized>(
    reader: &mut R,
    cx: &mut Context<'_>,
    delimiter: u8,
    skipped: &mut usize,
) -> Poll<io::Result<()>> {
    loop {
        ready!(poll_spend(cx));
        let shown = ready!(Pin::new(&mut *reader).poll_fill_buf(cx))?;
        let found = find(delimiter, shown);
        let count = found.map_or(shown.len(), |at| at + 1);
        Pin::new(&mut *reader).consume(count);
        *skipped = skipped.saturating_add(count);
        if found.is_some() || count == 0 {
            return Poll::Ready(Ok(()));
        }
    }
}

/// Shows what is there. Made by [`AsyncBufReadExt::fill_buf`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FillBuf<'a, R: ?Sized> {
    reader: Option<&'a mut R>,
    caller: Caller,
}

impl<'a, R: AsyncBufRead + Unpin + ?Sized> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&'a [u8]>> {
        let FillBuf { reader, caller } = self.get_mut();
        let Some(shared) = reader.as_mut() else {
            panic!("FillBuf was polled again after it was ready");
        };
        ready!(poll_spend(cx));
        let polled = caller.within(|| Pin::new(&mut **shared).poll_fill_buf(cx));
        let is_end = ready!(polled)?.is_empty();
        // What was shown borrows the reader for this poll only. It is still there, and the second look
        // borrows for as long as the caller does.
        let Some(owned) = reader.take().filter(|_| !is_end) else {
            return Poll::Ready(Ok(&[]));
        };
        match Pin::new(owned).poll_fill_buf(cx) {
            Poll::Ready(shown) => Poll::Ready(shown),
            Poll::Pending => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a reader showed bytes and then none; its implementation is wrong",
            ))),
        }
    }
}

/// Reads up to a delimiter. Made by [`AsyncBufReadExt::read_until`].
///
/// # Cancel safety
/// Safe: see there.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadUntil<'a, R: ?Sized> {
    reader: &'a mut R,
    until: Until,
    bytes: &'a mut Vec<u8>,
    already: usize,
    caller: Caller,
}

impl<R: ?Sized> ReadUntil<'_, R> {
    /// Allows `limit` bytes before the delimiter.
    pub fn limit(mut self, limit: usize) -> Self {
        self.until.limit = limit;
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this
            .caller
            .within(|| this.until.poll_take(this.reader, cx, this.bytes));
        ready!(polled)?;
        Poll::Ready(Ok(this.bytes.len() - this.already))
    }
}

/// Reads a line. Made by [`AsyncBufReadExt::read_line`].
///
/// # Cancel safety
/// Not safe, because of what is said there.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadLine<'a, R: ?Sized> {
    reader: &'a mut R,
    until: Until,
    line: &'a mut String,
    /// What was taken and is not yet known to be text.
    taken: Vec<u8>,
    caller: Caller,
}

impl<R: ?Sized> ReadLine<'_, R> {
    /// Allows `limit` bytes before the `\n`.
    pub fn limit(mut self, limit: usize) -> Self {
        self.until.limit = limit;
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (reader, taken) = (&mut *this.reader, &mut this.taken);
        let polled = this
            .caller
            .within(|| this.until.poll_take(reader, cx, taken));
        ready!(polled)?;
        Poll::Ready(match text(std::mem::take(taken)) {
            Ok(text) => {
                this.line.push_str(&text);
                Ok(text.len())
            }
            Err(error) => Err(error),
        })
    }
}

impl<R: ?Sized> Drop for ReadLine<'_, R> {
    /// What was taken goes to the caller, as far as it is text.
    fn drop(&mut self) {
        let is_text = match str::from_utf8(&self.taken) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        self.taken.truncate(is_text);
        if let Ok(text) = str::from_utf8(&self.taken) {
            self.line.push_str(text);
        }
    }
}

/// The bytes as text; an error carries them.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Skips up to a delimiter. Made by [`AsyncBufReadExt::skip_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SkipUntil<'a, R: ?Sized> {
    reader: &'a mut R,
    delimiter: u8,
    skipped: usize,
    caller: Caller,
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for SkipUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (reader, skipped) = (&mut *this.reader, &mut this.skipped);
        let polled = this
            .caller
            .within(|| poll_skip(reader, cx, this.delimiter, skipped));
        ready!(polled)?;
        Poll::Ready(Ok(this.skipped))
    }
}
