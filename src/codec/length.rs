//! `LengthDelimitedCodec`: frames that say in a header how long they are.
//!
//! *Model.* One description of the frame serves both ways:
//!
//! ```text
//!     ├──────── header ────────┤├───────── body ─────────┤
//!     │ offset │ width │        value + adjustment bytes  │
//!     ├── skip ──┤├───────────── the item ────────────────┤
//! ```
//!
//! Decoding reads the value and gives the frame without its first `skip` bytes. Encoding is the inverse: it
//! puts `skip` zeros before the item and writes the value into its place.
//!
//! *Memory.* A header that promises much gets none: memory grows as the bytes come. All arithmetic is checked.
//!
//! *State.* None: a frame that is not all there is looked at from its header when more has come.

use std::error::Error;
use std::fmt;
use std::io;

use super::{BytesBuf, Decoder, Encoder};

/// How long a body may be unless the user says otherwise, in bytes.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// The widest length field, in bytes.
const WIDTH_MAX: usize = size_of::<u64>();

/// Frames with their length in front. By default, four bytes in network order count the bytes after
/// them, at most 8 MiB, and the item is these bytes.
///
/// *After an error* of decoding it does not know where the next frame begins, and the stream ends.
///
/// ```
/// use mainspring::codec::{FramedRead, LengthDelimitedCodec};
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let codec = LengthDelimitedCodec::new().width(1).max(16);
/// let mut frames = FramedRead::new(&b"\x04tick\x02to"[..], codec);
/// assert_eq!(frames.next().await.unwrap().unwrap(), b"tick");
/// assert_eq!(frames.next().await.unwrap().unwrap(), b"to");
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthDelimitedCodec {
    offset: usize,
    width: usize,
    adjustment: i64,
    /// `None` for the header.
    skip: Option<usize>,
    is_little_endian: bool,
    max: usize,
}

impl LengthDelimitedCodec {
    /// The defaults.
    #[must_use]
    pub fn new() -> LengthDelimitedCodec {
        LengthDelimitedCodec {
            offset: 0,
            width: 4,
            adjustment: 0,
            skip: None,
            is_little_endian: false,
            max: BODY_MAX,
        }
    }

    /// The length field is `width` bytes wide.
    ///
    /// # Panics
    /// If that is not 1 to 8.
    #[must_use]
    #[track_caller]
    pub fn width(mut self, width: usize) -> LengthDelimitedCodec {
        assert!(
            (1..=WIDTH_MAX).contains(&width),
            "a length field is 1 to 8 bytes wide, not {width}"
        );
        self.width = width;
        self
    }

    /// The length field begins after `offset` bytes of the frame. With it the header ends and the body
    /// begins.
    ///
    /// # Panics
    /// If that is more than half of what `usize` can count.
    #[must_use]
    #[track_caller]
    pub fn offset(mut self, offset: usize) -> LengthDelimitedCodec {
        assert!(
            offset <= usize::MAX / 2,
            "a length field cannot begin at {offset}"
        );
        self.offset = offset;
        self
    }

    /// The body is so many bytes longer than the field says, or shorter: `-4`, if a field of four bytes at
    /// the front counts itself.
    #[must_use]
    pub fn adjustment(mut self, adjustment: i64) -> LengthDelimitedCodec {
        self.adjustment = adjustment;
        self
    }

    /// The item is the frame without its first `count` bytes; by default, without its header. With 0 it
    /// is the whole frame, and an item that is sent needs room for the header, whose length field is
    /// written.
    #[must_use]
    pub fn skip(mut self, count: usize) -> LengthDelimitedCodec {
        self.skip = Some(count);
        self
    }

    /// The length field's first byte is the lowest.
    #[must_use]
    pub fn little_endian(mut self) -> LengthDelimitedCodec {
        self.is_little_endian = true;
        self
    }

    /// The length field's first byte is the highest: network order, the default.
    #[must_use]
    pub fn big_endian(mut self) -> LengthDelimitedCodec {
        self.is_little_endian = false;
        self
    }

    /// A body is at most `max` bytes long, both ways.
    #[must_use]
    pub fn max(mut self, max: usize) -> LengthDelimitedCodec {
        self.max = max;
        self
    }

    fn header(&self) -> usize {
        self.offset + self.width
    }

    fn skipped(&self) -> usize {
        self.skip.unwrap_or(self.header())
    }

    fn value(&self, field: &[u8]) -> u64 {
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.is_little_endian {
            field.iter().rev().fold(0, add)
        } else {
            field.iter().fold(0, add)
        }
    }

    /// How long the frame is, header and all, if its body is `body` bytes long.
    fn frame(&self, body: i128) -> Result<usize, LengthError> {
        let body = usize::try_from(body).map_err(|_| match body {
            ..0 => LengthError::TooShort,
            0.. => LengthError::TooLong { max: self.max },
        })?;
        let frame = self.header().checked_add(body);
        let frame = frame.filter(|_| body <= self.max);
        let frame = frame.ok_or(LengthError::TooLong { max: self.max })?;
        if frame < self.skipped() {
            return Err(LengthError::TooShort);
        }
        Ok(frame)
    }

    /// The length field for a body of `body` bytes.
    fn field(&self, body: usize) -> Result<[u8; WIDTH_MAX], LengthError> {
        let value = body as i128 - i128::from(self.adjustment);
        let value = u64::try_from(value).map_err(|_| LengthError::NoField)?;
        let bits = 8 * self.width;
        if bits < 64 && value >> bits != 0 {
            return Err(LengthError::NoField);
        }
        Ok(if self.is_little_endian {
            value.to_le_bytes()
        } else {
            (value << (64 - bits)).to_be_bytes()
        })
    }
}

impl Default for LengthDelimitedCodec {
    fn default() -> LengthDelimitedCodec {
        LengthDelimitedCodec::new()
    }
}

impl Decoder for LengthDelimitedCodec {
    type Item = Vec<u8>;
    type Error = LengthError;

    fn decode(&mut self, src: &mut BytesBuf) -> Result<Option<Vec<u8>>, LengthError> {
        let Some(field) = src.get(self.offset..self.header()) else {
            return Ok(None);
        };
        let body = i128::from(self.value(field)) + i128::from(self.adjustment);
        let frame = self.frame(body)?;
        if src.len() < frame {
            return Ok(None);
        }
        let skipped = self.skipped();
        let item = src[skipped..frame].to_vec();
        src.advance(frame);
        Ok(Some(item))
    }
}

impl<B: AsRef<[u8]>> Encoder<B> for LengthDelimitedCodec {
    type Error = LengthError;

    fn encode(&mut self, item: B, dst: &mut BytesBuf) -> Result<(), LengthError> {
        let (item, skipped) = (item.as_ref(), self.skipped());
        let frame = skipped as i128 + item.len() as i128;
        let body = frame - self.header() as i128;
        let frame = self.frame(body)?;
        let field = self.field(frame - self.header())?;
        let begin = dst.len();
        dst.room(frame)[..skipped].fill(0);
        dst.filled(skipped);
        dst.extend(item);
        dst[begin..][self.offset..self.header()].copy_from_slice(&field[..self.width]);
        Ok(())
    }
}

/// What can be wrong with a frame.
#[derive(Debug)]
pub enum LengthError {
    /// The stream failed, or ended within a frame.
    Io(io::Error),
    /// A body is longer than `max` bytes.
    TooLong {
        /// How many bytes were allowed.
        max: usize,
    },
    /// A frame is shorter than its header, or than what is skipped of it.
    TooShort,
    /// The length of an item that was to be sent does not fit the length field.
    NoField,
}

impl fmt::Display for LengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LengthError::Io(error) => error.fmt(f),
            LengthError::TooLong { max } => write!(f, "a frame's body is longer than {max} bytes"),
            LengthError::TooShort => {
                f.write_str("a frame is shorter than its header, or than what is skipped of it")
            }
            LengthError::NoField => f.write_str("the length field cannot say how long this is"),
        }
    }
}

impl Error for LengthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LengthError::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for LengthError {
    fn from(error: io::Error) -> LengthError {
        LengthError::Io(error)
    }
}

impl From<LengthError> for io::Error {
    /// The stream's own error, or one of kind `InvalidData` or, for what cannot be sent, `InvalidInput`.
    fn from(error: LengthError) -> io::Error {
        match error {
            LengthError::Io(error) => error,
            LengthError::NoField => io::Error::new(io::ErrorKind::InvalidInput, error),
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}
