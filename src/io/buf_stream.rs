//! `BufStream`: a connection with both buffers, one to read from and one to write to.

use super::buf_reader::BufReader;
use super::buf_writer::{BufWriteAll, BufWriter};
use super::traits::AsyncWrite;

/// A stream that is buffered in both directions.
///
/// Reading does not flush: whoever asks a question flushes it before waiting for the answer.
///
/// ```
/// use mainspring::io::{AsyncWriteExt, BufStream};
/// use mainspring::net::UnixStream;
/// # mainspring::run(async {
/// let (near, far) = UnixStream::pair().unwrap();
/// let (mut near, mut far) = (BufStream::over(near), BufStream::over(far));
/// near.write_all(b"question\n").await.unwrap();
/// near.flush().await.unwrap();
/// let mut line = String::new();
/// far.read_line(&mut line).await.unwrap();
/// assert_eq!(line, "question\n");
/// # }).unwrap();
/// ```
pub type BufStream<S> = BufReader<BufWriter<S>>;

impl<S> BufReader<BufWriter<S>> {
    /// Both buffers around `stream`, each of its usual size.
    #[track_caller]
    pub fn over(stream: S) -> BufStream<S> {
        BufReader::new(BufWriter::new(stream))
    }
}

impl<S: AsyncWrite + Unpin> BufReader<BufWriter<S>> {
    /// As [`BufWriter::write_all`]: waits for room, then takes all of `piece` or nothing.
    ///
    /// # Cancel safety
    /// Safe: `piece` is taken as a whole, in the poll that says so, or not at all.
    ///
    /// # Errors
    /// As [`BufWriter::write_all`].
    #[track_caller]
    pub fn write_all<'a>(&'a mut self, piece: &'a [u8]) -> BufWriteAll<'a, S> {
        self.get_mut().write_all(piece)
    }
}
