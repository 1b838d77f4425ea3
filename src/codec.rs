//! Codecs: items over a stream of bytes, frame by frame.
//!
//! *Role.* A [`Decoder`] finds frames in bytes, an [`Encoder`] makes bytes of items; neither knows a stream.
//! [`Framed`], [`FramedRead`] and [`FramedWrite`] join one with a reader or a writer.
//!
//! *Model.* What was read and not decoded stands in a [`BytesBuf`], and so does what was encoded and not
//! written; no byte is in a future, so a drop loses none.
//!
//! ```text
//!     reader ──read──► BytesBuf ──decode──► items     items ──encode──► BytesBuf ──write──► writer
//!                                                                        │  ▲
//!                                         full at `high`: send waits ────╯  ╰── … until `low` is left
//! ```
//!
//! *Pinning.* None: reader and writer must be `Unpin`, as all of ours are, so every method takes `&mut self`.
//!
//! *Why there is no trait of what takes items* (a sink): the methods are those of two types, and nothing
//! here is generic over them.

mod bytes;
mod bytes_buf;
mod framed;
mod frames;
mod length;
mod lines;
mod send;

use std::io;

pub use bytes::BytesCodec;
pub use bytes_buf::BytesBuf;
pub use framed::{Framed, FramedParts, FramedRead, FramedWrite};
pub use length::{LengthDelimitedCodec, LengthError};
pub use lines::{LinesCodec, LinesError};
pub use send::{Close, Feed, Flush, SendItem};

/// Finds the items in a stream of bytes.
///
/// ```
/// use mainspring::codec::{BytesBuf, Decoder, FramedRead};
/// use mainspring::stream::StreamExt;
/// use std::io;
///
/// /// Pairs of bytes.
/// struct Pairs;
///
/// impl Decoder for Pairs {
///     type Item = [u8; 2];
///     type Error = io::Error;
///
///     fn decode(&mut self, src: &mut BytesBuf) -> io::Result<Option<[u8; 2]>> {
///         let Some(pair) = src.first_chunk().copied() else {
///             return Ok(None);
///         };
///         src.advance(2);
///         Ok(Some(pair))
///     }
/// }
///
/// # mainspring::run(async {
/// let mut pairs = FramedRead::new(&b"abcde"[..], Pairs);
/// assert_eq!(pairs.next().await.unwrap().unwrap(), *b"ab");
/// assert_eq!(pairs.next().await.unwrap().unwrap(), *b"cd");
/// let error = pairs.next().await.unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "the stream ended within a frame, of which 1 byte had come");
/// # }).unwrap();
/// ```
pub trait Decoder {
    /// What it finds.
    type Item;
    /// What can be wrong with the bytes, or with their stream.
    type Error: From<io::Error>;

    /// Takes the next item out of `src`; `None` if it is not all there. It is called again when more has
    /// come, and after each item at once. It must not wait for a frame that it would refuse: a limit
    /// is checked as early as it can be told, for everything that comes meanwhile is kept.
    ///
    /// # Errors
    /// What is wrong with the bytes. Whether decoding goes on then, [`Decoder::is_in_step`] says.
    fn decode(&mut self, src: &mut BytesBuf) -> Result<Option<Self::Item>, Self::Error>;

    /// As [`Decoder::decode`], when no more will come; called until it gives `None`. By default, what is
    /// left when `decode` wants more is an error.
    ///
    /// # Errors
    /// As [`Decoder::decode`]; `UnexpectedEof` by default, saying how many bytes remained.
    fn decode_eof(&mut self, src: &mut BytesBuf) -> Result<Option<Self::Item>, Self::Error> {
        match self.decode(src)? {
            None if !src.is_empty() => Err(ended_within(src.len()).into()),
            item => Ok(item),
        }
    }

    /// Asked after an error: whether it still knows where the next frame begins. If not, as by default, the
    /// error is the last item of the stream.
    fn is_in_step(&self) -> bool {
        false
    }
}

/// Makes bytes of items.
pub trait Encoder<Item> {
    /// What can be wrong with an item, or with the stream.
    type Error: From<io::Error>;

    /// Appends `item` to `dst`. After an error, whatever it appended is taken away again, so that no part of
    /// a frame goes out.
    ///
    /// # Errors
    /// What is wrong with the item.
    fn encode(&mut self, item: Item, dst: &mut BytesBuf) -> Result<(), Self::Error>;
}

/// The end came too early: `remained` bytes belong to no whole frame.
fn ended_within(remained: usize) -> io::Error {
    let bytes = if remained == 1 { "byte" } else { "bytes" };
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("the stream ended within a frame, of which {remained} {bytes} had come"),
    )
}
