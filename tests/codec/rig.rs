//! What the tests of codecs share: readers and writers that halt, and references written without haste.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use mainspring::codec::LengthDelimitedCodec;
use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::stream::{Stream, StreamExt};
use proptest::prelude::*;

/// Sizes of pieces; 0 is a wait.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(0), 1usize..4, 1usize..40], 0..40)
}

/// Gives its bytes in pieces, with waits between them; what is left after the last size, byte by byte.
#[derive(Debug)]
pub(crate) struct TornReader {
    bytes: VecDeque<u8>,
    sizes: VecDeque<usize>,
    failure: Option<io::ErrorKind>,
}

impl TornReader {
    pub(crate) fn new(bytes: &[u8], sizes: Vec<usize>) -> TornReader {
        TornReader {
            bytes: bytes.to_vec().into(),
            sizes: sizes.into(),
            failure: None,
        }
    }

    /// Fails where it would end.
    pub(crate) fn failing(mut self, kind: io::ErrorKind) -> TornReader {
        self.failure = Some(kind);
        self
    }
}

impl AsyncRead for TornReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let size = self.sizes.pop_front().unwrap_or(1);
        if size == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.bytes.is_empty() {
            if let Some(kind) = self.failure.take() {
                return Poll::Ready(Err(kind.into()));
            }
        }
        let size = size.min(buf.len()).min(self.bytes.len());
        for (to, from) in buf.iter_mut().zip(self.bytes.drain(..size)) {
            *to = from;
        }
        Poll::Ready(Ok(size))
    }
}

/// Takes bytes in pieces; 0 is a wait, and so is the end of the list.
#[derive(Debug)]
pub(crate) struct TornWriter {
    sizes: VecDeque<usize>,
    failure: Option<io::ErrorKind>,
    pub(crate) taken: Vec<u8>,
    pub(crate) closes: u32,
}

impl TornWriter {
    pub(crate) fn new(sizes: Vec<usize>) -> TornWriter {
        TornWriter {
            sizes: sizes.into(),
            failure: None,
            taken: Vec::new(),
            closes: 0,
        }
    }

    /// Fails at the end of the list.
    pub(crate) fn failing(mut self, kind: io::ErrorKind) -> TornWriter {
        self.failure = Some(kind);
        self
    }

    /// Takes one more piece.
    pub(crate) fn accept(&mut self, size: usize) {
        self.sizes.push_back(size);
    }
}

impl AsyncWrite for TornWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.sizes.pop_front() {
            Some(0) => Poll::Pending,
            Some(size) => {
                let size = size.min(buf.len());
                self.taken.extend_from_slice(&buf[..size]);
                Poll::Ready(Ok(size))
            }
            None => match self.failure.take() {
                Some(kind) => Poll::Ready(Err(kind.into())),
                None => Poll::Pending,
            },
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closes += 1;
        Poll::Ready(Ok(()))
    }
}

/// A reader and a writer.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) reader: TornReader,
    pub(crate) writer: TornWriter,
}

impl AsyncRead for Both {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for Both {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}

/// All items; each `next` is dropped after one poll.
pub(crate) fn drain<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
    let mut items = Vec::new();
    for _ in 0..100_000 {
        let polled = {
            let next = pin!(stream.next());
            std::future::Future::poll(next, &mut Context::from_waker(Waker::noop()))
        };
        match polled {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return items,
            Poll::Pending => {}
        }
    }
    panic!("the stream does not end")
}

/// The lines of all the bytes; an error is what is not text, or `None` for what is too long.
pub(crate) fn lines_by_hand(bytes: &[u8], max: usize) -> Vec<Result<String, Option<Vec<u8>>>> {
    let mut pieces: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let last = pieces.pop().filter(|last| !last.is_empty());
    let is_last_whole = last.is_none();
    let count = pieces.len();
    pieces.extend(last);
    let lines = pieces.into_iter().enumerate().map(|(index, mut piece)| {
        if piece.len() > max {
            return Err(None);
        }
        let is_whole = index < count || is_last_whole;
        if is_whole && piece.last() == Some(&b'\r') {
            piece.pop();
        }
        String::from_utf8(piece).map_err(|error| Some(error.into_bytes()))
    });
    lines.collect()
}

/// How a frame looks.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    offset: usize,
    width: usize,
    adjustment: i64,
    skip: Option<usize>,
    is_little: bool,
    max: usize,
}

/// A codec, and what it was made of.
pub(crate) fn length_codec() -> impl Strategy<Value = (LengthDelimitedCodec, Shape)> {
    let skip = prop_oneof![Just(None), (0usize..12).prop_map(Some)];
    let parts = (
        0usize..4,
        1usize..=8,
        -9i64..9,
        skip,
        any::<bool>(),
        0usize..40,
    );
    parts.prop_map(|(offset, width, adjustment, skip, is_little, max)| {
        let codec = LengthDelimitedCodec::new()
            .offset(offset)
            .width(width)
            .adjustment(adjustment)
            .max(max);
        let codec = if is_little {
            codec.little_endian()
        } else {
            codec.big_endian()
        };
        let codec = match skip {
            Some(skip) => codec.skip(skip),
            None => codec,
        };
        let shape = Shape {
            offset,
            width,
            adjustment,
            skip,
            is_little,
            max,
        };
        (codec, shape)
    })
}

/// The frames of all the bytes, and the error that ends them: what ends too early, or what it is than it
/// should be.
pub(crate) fn lengths_by_hand(bytes: &[u8], shape: &Shape) -> Vec<Result<Vec<u8>, String>> {
    let (mut rest, mut found) = (bytes, Vec::new());
    let header = shape.offset + shape.width;
    while !rest.is_empty() {
        let early = format!(
            "the stream ended within a frame, of which {} {} had come",
            rest.len(),
            if rest.len() == 1 { "byte" } else { "bytes" }
        );
        if rest.len() < header {
            found.push(Err(early));
            break;
        }
        let mut field = rest[shape.offset..header].to_vec();
        if shape.is_little {
            field.reverse();
        }
        let value = field
            .iter()
            .fold(0i128, |value, byte| value * 256 + i128::from(*byte));
        let body = value + i128::from(shape.adjustment);
        let skip = shape.skip.unwrap_or(header);
        if body > shape.max as i128 {
            found.push(Err("body".to_string()));
            break;
        }
        if body < 0 || header as i128 + body < skip as i128 {
            found.push(Err("is".to_string()));
            break;
        }
        let frame = header + body as usize;
        if rest.len() < frame {
            found.push(Err(early));
            break;
        }
        found.push(Ok(rest[skip..frame].to_vec()));
        rest = &rest[frame..];
    }
    found
}
