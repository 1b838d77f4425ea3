//! Any bytes, cut anywhere, are the lines that a reference finds in them.
//!
//! *Input.* The limit, the number of cuts, the cuts, the bytes.
#![no_main]

mod torn;

use libfuzzer_sys::fuzz_target;
use mainspring::codec::{FramedRead, LinesCodec, LinesError};
use torn::{TornReader, drain, take, take_byte};

/// A line, or the bytes of what is not text, or `None` for what was too long.
type Line = Result<String, Option<Vec<u8>>>;

fuzz_target!(|input: &[u8]| {
    let mut bytes = input;
    let max = usize::from(take_byte(&mut bytes));
    let count = usize::from(take_byte(&mut bytes) % 16);
    let sizes = take(&mut bytes, count);

    let mut framed = FramedRead::new(TornReader::new(bytes, sizes), LinesCodec::with_max(max));
    let found: Vec<Line> = drain(&mut framed).into_iter().map(seen).collect();
    assert_eq!(found, reference(bytes, max));
    assert!(framed.read_buffer().is_empty());
});

fn seen(line: Result<String, LinesError>) -> Line {
    line.map_err(|error| match error {
        LinesError::NotText(error) => Some(error.into_bytes()),
        LinesError::TooLong { .. } => None,
        error => panic!("{error}"),
    })
}

/// Looks at one byte after the other.
fn reference(bytes: &[u8], max: usize) -> Vec<Line> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for byte in bytes {
        if *byte != b'\n' {
            line.push(*byte);
            continue;
        }
        let is_long = line.len() > max;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        lines.push(end(std::mem::take(&mut line), is_long));
    }
    if !line.is_empty() {
        let is_long = line.len() > max;
        lines.push(end(line, is_long));
    }
    lines
}

fn end(line: Vec<u8>, is_long: bool) -> Line {
    if is_long {
        return Err(None);
    }
    String::from_utf8(line).map_err(|error| Some(error.into_bytes()))
}
