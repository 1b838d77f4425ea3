//! `BytesCodec`: no frames at all, bytes as they come.

use std::io;

use super::{BytesBuf, Decoder, Encoder};

/// Gives the bytes as they come, cut wherever the reader cut them, and writes bytes as they are.
///
/// ```
/// use mainspring::codec::{BytesCodec, FramedRead};
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let mut pieces = FramedRead::new(&b"tick"[..], BytesCodec);
/// assert_eq!(pieces.next().await.unwrap().unwrap(), b"tick");
/// assert!(pieces.next().await.is_none());
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesCodec;

impl Decoder for BytesCodec {
    type Item = Vec<u8>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesBuf) -> io::Result<Option<Vec<u8>>> {
        Ok((!src.is_empty()).then(|| src.split_to(src.len())))
    }
}

impl<B: AsRef<[u8]>> Encoder<B> for BytesCodec {
    type Error = io::Error;

    fn encode(&mut self, bytes: B, dst: &mut BytesBuf) -> io::Result<()> {
        dst.extend(bytes.as_ref());
        Ok(())
    }
}
