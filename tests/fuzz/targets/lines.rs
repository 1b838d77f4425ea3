//! Any bytes, cut anywhere, are the lines that a reference finds in them, by the codec and by the buffered
//! readers.
//!
//! *Input.* The limit, the number of cuts, the cuts, the bytes. The capacity of the buffer is what the limit
//! makes of it, so that the inputs that were kept stay what they are.
#![no_main]

mod torn;

use libfuzzer_sys::fuzz_target;
use std::io;
use std::string::FromUtf8Error;

use mainspring::codec::{FramedRead, LinesCodec, LinesError};
use mainspring::io::{AsyncBufReadExt, BufReader, LimitExceeded};
use torn::{TornReader, drain, drain_one, take, take_byte};

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

    let expected = reference(bytes, max);
    let reader = || BufReader::with_capacity(max % 17, TornReader::new(bytes, sizes));
    assert_eq!(by_stream(reader(), max), expected);
    assert_eq!(by_line(reader(), max), expected);
});

/// What the stream of lines finds. A line that is too long ends it, until that line is skipped, or allowed and
/// read after all: by turns.
fn by_stream(reader: BufReader<TornReader<'_>>, max: usize) -> Vec<Line> {
    let mut lines = AsyncBufReadExt::lines(reader).limit(max);
    let mut found = Vec::new();
    loop {
        let more: Vec<Line> = drain(&mut lines).into_iter().map(told).collect();
        let is_cut = more.last() == Some(&Err(None));
        found.extend(more);
        if !is_cut {
            assert!(lines.partial().is_empty() && lines.get_ref().buffer().is_empty());
            return found;
        }
        assert!(lines.partial().len() <= max);
        if found.len() % 2 == 0 {
            drain_one!(lines.skip_line()).unwrap();
            continue;
        }
        lines.set_limit(usize::MAX);
        let long = drain_one!(lines.next_line()).map(|line| line.map_or(0, |line| line.len()));
        // Its end may have been a return of which the line has lost one byte.
        assert!(long.map_or(true, |length| length + 1 > max));
        lines.set_limit(max);
    }
}

/// What one call after the other finds.
fn by_line(mut reader: BufReader<TornReader<'_>>, max: usize) -> Vec<Line> {
    let mut found = Vec::new();
    loop {
        let mut line = String::new();
        let answer = drain_one!(reader.read_line(&mut line).limit(max));
        if let Ok(0) = answer {
            assert!(reader.buffer().is_empty());
            return found;
        }
        let told = told(answer.map(|_| line));
        if told == Err(None) {
            assert!(reader.buffer().len() > max);
            drain_one!(reader.skip_until(b'\n')).unwrap();
        }
        found.push(told.map(without_end).map_err(|bytes| {
            bytes.map(|mut bytes| {
                strip(&mut bytes);
                bytes
            })
        }));
    }
}

fn without_end(line: String) -> String {
    let mut bytes = line.into_bytes();
    strip(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Takes `\n` or `\r\n` off.
fn strip(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

fn told(line: io::Result<String>) -> Line {
    line.map_err(|error| {
        let inner = error.into_inner().expect("only errors of lines come here");
        match inner.downcast::<FromUtf8Error>() {
            Ok(error) => Some(error.into_bytes()),
            Err(inner) => {
                assert!(inner.is::<LimitExceeded>(), "{inner}");
                None
            }
        }
    })
}

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
