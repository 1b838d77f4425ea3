//! `join`: a reader and a writer, two one-way streams, as one stream of both ways.
//!
//! *Role.* The two pipes of a child process, or a decoder in front of one half of a socket, where
//! something is asked for that both reads and writes.

use std::pin::Pin;

use super::forward::{buf_read_by, read_by, write_by};
use super::traits::{AsyncBufRead, AsyncRead, AsyncWrite};

/// A reader and a writer as one stream. Made by [`join()`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Join<R, W> {
    reader: R,
    writer: W,
}

/// One stream that reads from `reader` and writes to `writer`.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let (mut there, pings) = io::simplex(64);
/// let (pongs, mut back) = io::simplex(64);
/// let mut stream = io::join(pongs, pings);
/// stream.write(b"ping").await.unwrap();
/// back.write(b"pong").await.unwrap();
/// let mut buf = [0; 4];
/// assert_eq!(there.read(&mut buf).await.unwrap(), 4);
/// assert_eq!(stream.read(&mut buf).await.unwrap(), 4);
/// assert_eq!(&buf, b"pong");
/// # }).unwrap();
/// ```
pub fn join<R, W>(reader: R, writer: W) -> Join<R, W> {
    Join { reader, writer }
}

impl<R, W> Join<R, W> {
    /// The reader.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// The reader, for change.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The writer.
    pub fn writer(&self) -> &W {
        &self.writer
    }

    /// The writer, for change.
    pub fn writer_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// The reader and the writer.
    #[must_use]
    pub fn into_parts(self) -> (R, W) {
        (self.reader, self.writer)
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Join<R, W> {
    read_by!(this => Pin::new(&mut this.get_mut().reader));
}

impl<R: AsyncBufRead + Unpin, W: Unpin> AsyncBufRead for Join<R, W> {
    buf_read_by!(this => Pin::new(&mut this.get_mut().reader));
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Join<R, W> {
    write_by!(this => Pin::new(&mut this.get_mut().writer));
}
