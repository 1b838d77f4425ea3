//! `Lines` and `Split`: the pieces between delimiters, as streams that may be left at any time.
//!
//! *Model.* What was taken of a piece that is not complete stands in the stream, not in the future that
//! waits for it, so a drop of that future loses nothing.
//!
//! *Errors* must not make a loop that only logs them spin. A line that is not text is given with its error,
//! and the next one follows. A line over the limit is told once; then the stream has ended, unless one of
//! `set_limit` and `skip` takes it further.

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buf_read::{Until, poll_skip, text};
use super::limit::LimitExceeded;
use super::traits::AsyncBufRead;
use crate::stream::Stream;
use crate::task::caller::Caller;

/// The pieces between delimiters. Made by [`AsyncBufReadExt::split`](super::AsyncBufReadExt::split).
///
/// The delimiters are not part of them. What follows the last delimiter is a piece unless it is empty. At the
/// end of the stream each further question is answered with `None` (or with what the reader has by then).
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct Split<R> {
    reader: R,
    until: Until,
    partial: Vec<u8>,
    /// The limit was exceeded, the caller knows, and has done nothing about it.
    is_over: bool,
}

impl<R> Split<R> {
    pub(super) fn over(reader: R, delimiter: u8) -> Split<R> {
        Split {
            reader,
            until: Until::new(delimiter),
            partial: Vec::new(),
            is_over: false,
        }
    }

    /// Allows `limit` bytes between delimiters.
    pub fn limit(mut self, limit: usize) -> Self {
        self.set_limit(limit);
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }

    /// Changes the limit on the way. After a [`LimitExceeded`], the piece that was too long is tried again.
    pub fn set_limit(&mut self, limit: usize) {
        self.until.limit = limit;
        self.is_over = false;
    }

    /// What was taken from the reader of the piece that is not complete.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// The reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader. What is taken from it directly comes from behind [`partial`](Split::partial).
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader, and what was taken from it of a piece that is not complete.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.reader, self.partial)
    }
}

impl<R: AsyncBufRead + Unpin> Split<R> {
    /// The next piece; `None` at the end.
    ///
    /// # Cancel safety
    /// Safe: what was taken stays in the stream.
    ///
    /// # Errors
    /// `InvalidData` with a [`LimitExceeded`] inside, and then `None`, until [`set_limit`](Split::set_limit)
    /// allows more or [`skip_piece`](Split::skip_piece) has passed the piece; those of the reader.
    #[track_caller]
    pub fn next_piece(&mut self) -> NextPiece<'_, R> {
        NextPiece {
            pieces: self,
            caller: Caller::here(),
        }
    }

    /// Skips one piece, however long it is, with its delimiter: the one of which some was taken, or the next.
    ///
    /// # Cancel safety
    /// Safe: the skipping goes on where it was when the call is made again.
    ///
    /// # Errors
    /// Those of the reader.
    #[track_caller]
    pub fn skip_piece(&mut self) -> SkipPiece<'_, R> {
        SkipPiece {
            pieces: self,
            caller: Caller::here(),
        }
    }

    /// The next piece, with the delimiter that ended it, if one did.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        if self.is_over {
            return Poll::Ready(Ok(None));
        }
        let reader = &mut self.reader;
        let taken = ready!(self.until.poll_take(reader, cx, &mut self.partial));
        if let Err(error) = &taken {
            let inner = error.get_ref();
            self.is_over = inner.is_some_and(|inner| inner.is::<LimitExceeded>());
        }
        let is_ended = taken?;
        let is_piece = is_ended || !self.partial.is_empty();
        Poll::Ready(Ok(is_piece.then(|| mem::take(&mut self.partial))))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        let mut piece = ready!(self.poll_ended(cx))?;
        if let Some(bytes) = &mut piece {
            strip(bytes, self.until.delimiter);
        }
        Poll::Ready(Ok(piece))
    }

    fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.partial = Vec::new();
        let delimiter = self.until.delimiter;
        ready!(poll_skip(&mut self.reader, cx, delimiter, &mut 0))?;
        self.is_over = false;
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead + Unpin> Stream for Split<R> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(cx).map(Result::transpose)
    }
}

/// The lines. Made by [`AsyncBufReadExt::lines`](super::AsyncBufReadExt::lines).
///
/// They come without their `\n` or `\r\n`; a `\r` elsewhere is part of the line. The last line need not end
/// with `\n`. The limit counts what stands before the `\n`, a `\r` included. At the end of the stream each
/// further question is answered with `None` (or with what the reader has by then).
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct Lines<R> {
    pieces: Split<R>,
}

impl<R> Lines<R> {
    pub(super) fn over(reader: R) -> Lines<R> {
        Lines {
            pieces: Split::over(reader, b'\n'),
        }
    }

    /// Allows `limit` bytes before a `\n`.
    pub fn limit(mut self, limit: usize) -> Self {
        self.set_limit(limit);
        self
    }

    /// Allows any number of bytes: for a peer whom one trusts with one's memory.
    pub fn unlimited(self) -> Self {
        self.limit(usize::MAX)
    }

    /// Changes the limit on the way. After a [`LimitExceeded`], the line that was too long is tried again.
    pub fn set_limit(&mut self, limit: usize) {
        self.pieces.set_limit(limit);
    }

    /// What was taken from the reader of the line that is not complete.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        self.pieces.partial()
    }

    /// The reader.
    pub fn get_ref(&self) -> &R {
        self.pieces.get_ref()
    }

    /// The reader. What is taken from it directly comes from behind [`partial`](Lines::partial).
    pub fn get_mut(&mut self) -> &mut R {
        self.pieces.get_mut()
    }

    /// The reader, and what was taken from it of a line that is not complete.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        self.pieces.into_parts()
    }
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// The next line; `None` at the end.
    ///
    /// # Cancel safety
    /// Safe: what was taken stays in the stream.
    ///
    /// # Errors
    /// `InvalidData` with a [`FromUtf8Error`](std::string::FromUtf8Error) inside, which holds the line that is
    /// not text; the next one follows. `InvalidData` with a [`LimitExceeded`] inside, and then `None`, until
    /// [`set_limit`](Lines::set_limit) allows more or [`skip_line`](Lines::skip_line) has passed the line.
    /// Those of the reader.
    ///
    /// ```
    /// use mainspring::io::AsyncBufReadExt;
    /// # mainspring::run(async {
    /// let mut lines = "far too long\nok\n".as_bytes().lines().limit(4);
    /// assert!(lines.next_line().await.is_err());
    /// lines.skip_line().await.unwrap();
    /// assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ok"));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn next_line(&mut self) -> NextLine<'_, R> {
        NextLine {
            lines: self,
            caller: Caller::here(),
        }
    }

    /// Skips one line, however long it is, with its `\n`: the one of which some was taken, or the next.
    ///
    /// # Cancel safety
    /// Safe: the skipping goes on where it was when the call is made again.
    ///
    /// # Errors
    /// Those of the reader.
    #[track_caller]
    pub fn skip_line(&mut self) -> SkipPiece<'_, R> {
        self.pieces.skip_piece()
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        let Some(mut line) = ready!(self.pieces.poll_ended(cx))? else {
            return Poll::Ready(Ok(None));
        };
        // A `\r` belongs to a `\n` only: a last line without one keeps it, as in the standard library.
        if strip(&mut line, b'\n') {
            strip(&mut line, b'\r');
        }
        Poll::Ready(text(line).map(Some))
    }
}

impl<R: AsyncBufRead + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_line(cx).map(Result::transpose)
    }
}

/// Takes `end` off `bytes`, if that is how they end.
fn strip(bytes: &mut Vec<u8>, end: u8) -> bool {
    let is_there = bytes.last() == Some(&end);
    if is_there {
        bytes.pop();
    }
    is_there
}

/// Waits for a piece. Made by [`Split::next_piece`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextPiece<'a, R> {
    pieces: &'a mut Split<R>,
    caller: Caller,
}

impl<R: AsyncBufRead + Unpin> Future for NextPiece<'_, R> {
    type Output = io::Result<Option<Vec<u8>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let NextPiece { pieces, caller } = self.get_mut();
        caller.within(|| pieces.poll_piece(cx))
    }
}

/// Skips a piece. Made by [`Split::skip_piece`] and [`Lines::skip_line`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SkipPiece<'a, R> {
    pieces: &'a mut Split<R>,
    caller: Caller,
}

impl<R: AsyncBufRead + Unpin> Future for SkipPiece<'_, R> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SkipPiece { pieces, caller } = self.get_mut();
        caller.within(|| pieces.poll_skip(cx))
    }
}

/// Waits for a line. Made by [`Lines::next_line`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextLine<'a, R> {
    lines: &'a mut Lines<R>,
    caller: Caller,
}

impl<R: AsyncBufRead + Unpin> Future for NextLine<'_, R> {
    type Output = io::Result<Option<String>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let NextLine { lines, caller } = self.get_mut();
        caller.within(|| lines.poll_line(cx))
    }
}
