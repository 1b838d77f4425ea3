//! Any shape of frame and any bytes, cut anywhere: the frames that a reference finds, and encoding is the
//! inverse of decoding.
//!
//! *Input.* The shape, the number of cuts, the cuts, the bytes.
#![no_main]

mod torn;

use libfuzzer_sys::fuzz_target;
use mainspring::codec::{BytesBuf, Encoder, FramedRead, LengthDelimitedCodec, LengthError};
use torn::{TornReader, drain, take, take_byte};

/// How a frame looks.
#[derive(Debug)]
struct Shape {
    offset: usize,
    width: usize,
    adjustment: i64,
    skip: Option<usize>,
    is_little: bool,
    max: usize,
}

/// How the frames end.
#[derive(Debug, PartialEq)]
enum End {
    Clean,
    Within(usize),
    TooLong,
    TooShort,
}

/// So much more than the bytes that came may the buffer have room for.
const SPARE: usize = 16 * 1024;

fuzz_target!(|input: &[u8]| {
    let mut bytes = input;
    let shape = shape(&mut bytes);
    let count = usize::from(take_byte(&mut bytes) % 16);
    let sizes = take(&mut bytes, count);

    let mut framed = FramedRead::new(TornReader::new(bytes, sizes), shape.codec());
    let (mut found, mut end) = (Vec::new(), End::Clean);
    for frame in drain(&mut framed) {
        assert_eq!(end, End::Clean, "something comes after an error");
        match frame {
            Ok(frame) => found.push(frame),
            Err(LengthError::TooLong { .. }) => end = End::TooLong,
            Err(LengthError::TooShort) => end = End::TooShort,
            Err(LengthError::Io(_)) => end = End::Within(framed_left(&framed)),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(framed.read_buffer().capacity() <= 4 * bytes.len() + SPARE);
    let expected = reference(bytes, &shape);
    assert_eq!((&found, &end), (&expected.0, &expected.1));
    for frame in &found {
        inverse(frame, &shape);
    }
});

fn framed_left<T, C>(framed: &FramedRead<T, C>) -> usize {
    framed.read_buffer().len()
}

fn shape(bytes: &mut &[u8]) -> Shape {
    let flags = take_byte(bytes);
    let mut wide = [0; 8];
    let (offset, width) = (take_byte(bytes) % 8, take_byte(bytes) % 8 + 1);
    let adjustment = if flags & 1 == 0 {
        i64::from(take_byte(bytes) as i8)
    } else {
        let given = take(bytes, 8);
        wide[..given.len()].copy_from_slice(given);
        i64::from_le_bytes(wide)
    };
    Shape {
        offset: usize::from(offset),
        width: usize::from(width),
        adjustment,
        skip: (flags & 2 != 0).then(|| usize::from(take_byte(bytes))),
        is_little: flags & 4 != 0,
        max: if flags & 8 == 0 {
            usize::from(take_byte(bytes))
        } else {
            usize::MAX
        },
    }
}

impl Shape {
    fn codec(&self) -> LengthDelimitedCodec {
        let codec = LengthDelimitedCodec::new()
            .offset(self.offset)
            .width(self.width)
            .adjustment(self.adjustment)
            .max(self.max);
        let codec = if self.is_little {
            codec.little_endian()
        } else {
            codec
        };
        match self.skip {
            Some(skip) => codec.skip(skip),
            None => codec,
        }
    }

    /// The value of a length field.
    fn value(&self, frame: &[u8]) -> i128 {
        let mut field = frame[self.offset..self.offset + self.width].to_vec();
        if self.is_little {
            field.reverse();
        }
        field
            .iter()
            .fold(0, |value, byte| value * 256 + i128::from(*byte))
    }
}

/// Whole numbers without an end to them, and one frame after the other.
fn reference(bytes: &[u8], shape: &Shape) -> (Vec<Vec<u8>>, End) {
    let (mut rest, mut found) = (bytes, Vec::new());
    let header = shape.offset + shape.width;
    let skip = shape.skip.unwrap_or(header);
    while rest.len() >= header {
        let body = shape.value(rest) + i128::from(shape.adjustment);
        // More than can be counted is more than is allowed.
        if body > shape.max as i128 || header as i128 + body > usize::MAX as i128 {
            return (found, End::TooLong);
        }
        let frame = header as i128 + body;
        if body < 0 || frame < skip as i128 {
            return (found, End::TooShort);
        }
        if frame > rest.len() as i128 {
            break;
        }
        let (frame, after) = rest.split_at(frame as usize);
        found.push(frame[skip..].to_vec());
        rest = after;
    }
    let end = if rest.is_empty() {
        End::Clean
    } else {
        End::Within(rest.len())
    };
    (found, end)
}

/// What was decoded is encoded to a frame that is decoded to it again.
fn inverse(item: &[u8], shape: &Shape) {
    let mut buf = BytesBuf::new();
    shape
        .codec()
        .encode(item, &mut buf)
        .expect("it was a frame");
    let (items, end) = reference(&buf, shape);
    // An item that holds some of its header holds the length as it was.
    assert_eq!((items, end), (vec![item.to_vec()], End::Clean));
}
