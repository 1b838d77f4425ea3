//! What a `BufWriter` keeps: bytes on their way to the writer below.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::super::traits::{AsyncWrite, checked};

/// Bytes that were taken and not yet given on.
pub(super) struct Unsent {
    bytes: VecDeque<u8>,
    /// How many bytes there usually are at most.
    usual: usize,
    /// The writer below said an error, and has taken nothing since.
    pub(super) has_failed: bool,
    made_at: &'static Location<'static>,
}

impl Unsent {
    #[track_caller]
    pub(super) fn new(usual: usize) -> Unsent {
        Unsent {
            bytes: VecDeque::new(),
            usual,
            has_failed: false,
            made_at: Location::caller(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn keep(&mut self, piece: &[u8]) {
        self.bytes.extend(piece);
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes).into()
    }

    /// Gives what is kept, and then `piece`, to `writer`, by one write: how much of `piece` it took.
    pub(super) fn poll_give<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        cx: &mut Context<'_>,
        piece: &[u8],
    ) -> Poll<io::Result<usize>> {
        let kept = self.bytes.len();
        let asked = kept + piece.len();
        let (front, back) = self.bytes.as_slices();
        let parts = [front, back, piece].map(IoSlice::new);
        let writer = Pin::new(writer);
        let polled = match parts.iter().find(|part| part.len() == asked) {
            Some(only) => writer.poll_write(cx, only),
            None => writer.poll_write_vectored(cx, &parts),
        };
        let result = ready!(polled).and_then(|moved| match checked(moved, asked)? {
            0 if asked > 0 => Err(io::ErrorKind::WriteZero.into()),
            moved => Ok(moved),
        });
        self.has_failed = result.is_err();
        let moved = result?;
        self.gone(moved.min(kept));
        Poll::Ready(Ok(moved - moved.min(kept)))
    }

    /// The first `count` bytes are gone. The memory of a burst goes with the last of them (hz_h11).
    fn gone(&mut self, count: usize) {
        self.bytes.drain(..count);
        if self.bytes.is_empty() && self.bytes.capacity() / 2 > self.usual {
            self.bytes.shrink_to(self.usual);
        }
    }
}

impl Drop for Unsent {
    /// A drop cannot wait; it can only say so.
    fn drop(&mut self) {
        let is_told = self.has_failed || std::thread::panicking();
        if cfg!(debug_assertions) && !self.bytes.is_empty() && !is_told {
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(
                io::stderr(),
                "mainspring: the BufWriter made at {} was dropped with {} bytes that were never flushed",
                self.made_at,
                self.bytes.len()
            );
        }
    }
}
