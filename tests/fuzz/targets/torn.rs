//! Bytes that arrive in pieces: the reader of both targets, and how an input is taken apart.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use mainspring::io::AsyncRead;
use mainspring::stream::{Stream, StreamExt};

/// Gives the bytes in pieces whose sizes a second list says, again and again; a 0 is a wait.
#[derive(Debug)]
pub(crate) struct TornReader<'a> {
    bytes: &'a [u8],
    sizes: &'a [u8],
    index: usize,
    waits: bool,
}

impl<'a> TornReader<'a> {
    pub(crate) fn new(bytes: &'a [u8], sizes: &'a [u8]) -> TornReader<'a> {
        TornReader {
            bytes,
            sizes,
            index: 0,
            waits: false,
        }
    }
}

impl AsyncRead for TornReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let size = match self.sizes.get(self.index) {
            Some(size) => usize::from(*size),
            None => buf.len(),
        };
        self.index = (self.index + 1) % self.sizes.len().max(1);
        // Never two waits in a row, or a list of zeros would never end.
        self.waits = size == 0 && !self.waits;
        if self.waits {
            return Poll::Pending;
        }
        let size = size.max(1).min(buf.len()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(size);
        buf[..size].copy_from_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(size))
    }
}

/// All items of a stream; each `next` is dropped after one poll.
pub(crate) fn drain<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
    let mut items = Vec::new();
    loop {
        let polled = {
            let next = pin!(stream.next());
            next.poll(&mut Context::from_waker(Waker::noop()))
        };
        match polled {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return items,
            Poll::Pending => {}
        }
    }
}

/// What a call makes whose future is dropped after each poll, and which is then made again.
#[allow(unused_macros, reason = "each target uses its part")]
macro_rules! drain_one {
    ($call:expr) => {
        loop {
            let future = std::pin::pin!($call);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            if let std::task::Poll::Ready(output) = std::future::Future::poll(future, &mut cx) {
                break output;
            }
        }
    };
}
#[allow(unused_imports, reason = "each target uses its part")]
pub(crate) use drain_one;

/// Takes the first `count` bytes off an input; fewer, if there are fewer.
pub(crate) fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    head
}

/// Takes one byte off an input; 0 if there is none.
pub(crate) fn take_byte(input: &mut &[u8]) -> u8 {
    take(input, 1).first().copied().unwrap_or(0)
}
