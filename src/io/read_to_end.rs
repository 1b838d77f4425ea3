//! `read_to_end` and `read_to_string`: everything that comes until the stream ends.
//!
//! *Model.* Each reads into a buffer of its own, and appends what came in the same poll. So the caller's
//! vector holds nothing but bytes that came, at every moment, and grows by no more.
//!
//! *Cost.* One allocation, and one copy. Reading straight into the vector would need its spare room zeroed
//! first, for a reader is given initialised bytes, and zeroed again in each poll: a pass over memory too, and
//! over colder memory than a buffer that is used again and again.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::str;
use std::string::FromUtf8Error;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::traits::{AsyncRead, checked};

/// What is asked of the reader at first, in bytes.
const STEP_BYTES_MIN: usize = 8 << 10;
/// What is asked at most, reached by a reader that fills the steps before: it still fits into the second
/// cache, from which it is copied.
const STEP_BYTES_MAX: usize = 64 << 10;

/// The buffer in which bytes arrive.
struct Step {
    bytes: Box<[u8]>,
    /// The bytes at its head that came before and are not used yet.
    held: usize,
}

impl Step {
    fn new() -> Step {
        Step {
            bytes: vec![0; STEP_BYTES_MIN].into_boxed_slice(),
            held: 0,
        }
    }

    /// Reads some bytes behind those that are held and says how many came; 0 at the end.
    fn poll_more<R: AsyncRead + Unpin + ?Sized>(
        &mut self,
        reader: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let room = &mut self.bytes[self.held..];
        let moved = ready!(Pin::new(reader).poll_read(cx, room))?;
        let moved = checked(moved, room.len())?;
        self.held += moved;
        Poll::Ready(Ok(moved))
    }

    fn held(&self) -> &[u8] {
        &self.bytes[..self.held]
    }

    /// Keeps the last `count` bytes of those that are held, and makes larger steps if this one was filled.
    fn keep(&mut self, count: usize) {
        let last = self.held - count..self.held;
        let len = self.bytes.len();
        if self.held == len && len < STEP_BYTES_MAX {
            let mut larger = vec![0; 2 * len].into_boxed_slice();
            larger[..count].copy_from_slice(&self.bytes[last]);
            self.bytes = larger;
        } else {
            self.bytes.copy_within(last, 0);
        }
        self.held = count;
    }
}

/// Reads everything into a vector. Made by [`AsyncReadExt::read_to_end`](super::AsyncReadExt::read_to_end).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadToEnd<'a, R: ?Sized> {
    reader: &'a mut R,
    buf: &'a mut Vec<u8>,
    step: Step,
    done: usize,
    caller: Caller,
}

impl<'a, R: ?Sized> ReadToEnd<'a, R> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut Vec<u8>, caller: Caller) -> Self {
        ReadToEnd {
            reader,
            buf,
            step: Step::new(),
            done: 0,
            caller,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.caller.within(|| {
            while ready!(this.step.poll_more(this.reader, cx))? != 0 {
                this.buf.extend_from_slice(this.step.held());
                this.done += this.step.held;
                this.step.keep(0);
            }
            Poll::Ready(Ok(this.done))
        })
    }
}

impl<R: ?Sized> fmt::Debug for ReadToEnd<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadToEnd")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// Reads everything into a string. Made by
/// [`AsyncReadExt::read_to_string`](super::AsyncReadExt::read_to_string).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadToString<'a, R: ?Sized> {
    reader: &'a mut R,
    buf: &'a mut String,
    /// Holds, between polls, the bytes of a character that came in part: three at most.
    step: Step,
    done: usize,
    caller: Caller,
}

impl<'a, R: ?Sized> ReadToString<'a, R> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut String, caller: Caller) -> Self {
        ReadToString {
            reader,
            buf,
            step: Step::new(),
            done: 0,
            caller,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.caller.within(|| {
            loop {
                let is_end = ready!(this.step.poll_more(this.reader, cx))? == 0;
                let held = this.step.held();
                let text = held.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                this.buf.push_str(text);
                this.done += text.len();
                let rest = undecoded(&held[text.len()..], is_end);
                this.step.keep(rest.as_ref().map_or(0, |rest| *rest));
                rest.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                if is_end {
                    return Poll::Ready(Ok(this.done));
                }
            }
        })
    }
}

/// How many of the bytes behind the text wait for the rest of their character; all or none.
///
/// # Errors
/// If no more bytes could make a character of them.
fn undecoded(bytes: &[u8], is_end: bool) -> Result<usize, FromUtf8Error> {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && !is_end => Ok(bytes.len()),
        _ => String::from_utf8(bytes.to_vec()).map(|_| 0),
    }
}

impl<R: ?Sized> fmt::Debug for ReadToString<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadToString")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
