//! The protocol (RESP2): requests out of bytes, however they come, and answers into bytes.
//!
//! *Model.* [`Input`] holds what came and was not used. A request is an array of strings, or one line of words; it
//! lies in the input as ranges, and nothing is copied or allocated for it. What was understood of a request that is
//! not whole stays understood, so a long one that comes in pieces is not read again from its beginning.
//!
//! *Limits.* Every length that a client may name is bounded here.

use std::fmt::Display;
use std::io::Write as _;
use std::ops::Range;

/// How long one argument may be, in bytes.
const ARGUMENT_MAX: usize = 8 * 1024 * 1024;
/// How many arguments a request may have.
const ARGUMENTS_MAX: usize = 64 * 1024;
/// How long a request may be, in bytes.
const REQUEST_MAX: usize = 32 * 1024 * 1024;
/// How long a line may be, in bytes: a length, or a request of words.
const LINE_MAX: usize = 64 * 1024;
/// What is read at once, in bytes, and what an idle connection keeps.
const CHUNK: usize = 16 * 1024;

/// What came and was not used.
pub(crate) struct Input {
    bytes: Vec<u8>,
    /// How many of `bytes` came; behind them is room.
    filled: usize,
    /// Where the request begins that is being read.
    start: usize,
    /// How far that one is understood, counted from `start`, as its arguments are.
    at: usize,
    arguments: Vec<Range<usize>>,
    /// How many arguments it will have, once that is known.
    wanted: Option<usize>,
}

/// A request, in the input.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    bytes: &'a [u8],
    arguments: &'a [Range<usize>],
}

impl<'a> Request<'a> {
    /// How many arguments there are, the command's name among them.
    pub(crate) fn len(self) -> usize {
        self.arguments.len()
    }

    pub(crate) fn argument(self, index: usize) -> &'a [u8] {
        &self.bytes[self.arguments[index].clone()]
    }

    /// The arguments from `index` on.
    pub(crate) fn from(self, index: usize) -> impl Iterator<Item = &'a [u8]> + Clone {
        let ranges = self.arguments.get(index..).unwrap_or(&[]);
        let bytes = self.bytes;
        ranges.iter().map(move |range| &bytes[range.clone()])
    }
}

/// Why nobody knows where the next request would begin.
pub(crate) type Broken = String;

impl Input {
    pub(crate) fn new() -> Input {
        Input {
            bytes: vec![0; CHUNK],
            filled: 0,
            start: 0,
            at: 0,
            arguments: Vec::new(),
            wanted: None,
        }
    }

    /// Where the next bytes go.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        let is_empty = self.filled == 0;
        if is_empty || self.bytes.len() - self.filled < CHUNK / 2 {
            // Twice as much for what goes on, and no more than a chunk for who is idle.
            let twice = (2 * self.filled).min(REQUEST_MAX);
            let length = twice.max(self.filled + CHUNK);
            self.bytes.resize(length, 0);
            self.bytes.shrink_to(length);
        }
        &mut self.bytes[self.filled..]
    }

    /// Whether enough waits here for a client that waits itself.
    pub(crate) fn is_ahead(&self) -> bool {
        self.filled - self.start >= CHUNK
    }

    /// So many bytes came into the room.
    pub(crate) fn came(&mut self, count: usize) {
        self.filled += count;
    }

    /// The next request, if it is there whole.
    pub(crate) fn next(&mut self) -> Result<Option<Request<'_>>, Broken> {
        if self.wanted == Some(self.arguments.len()) {
            self.forget();
        }
        loop {
            if self.wanted.is_none() && !self.begin()? {
                return Ok(None);
            }
            while self.wanted > Some(self.arguments.len()) {
                if !self.take_argument()? {
                    return Ok(None);
                }
            }
            if !self.arguments.is_empty() {
                break;
            }
            // An empty line asks for nothing.
            self.forget();
        }
        Ok(Some(Request {
            bytes: &self.bytes[self.start..self.filled],
            arguments: &self.arguments,
        }))
    }

    /// Goes behind the request that was read.
    fn forget(&mut self) {
        self.start += self.at;
        self.at = 0;
        self.arguments.clear();
        self.wanted = None;
    }

    /// Learns how many arguments come, or takes them all from a line of words.
    fn begin(&mut self) -> Result<bool, Broken> {
        let Some((line, after)) = self.line()? else {
            return Ok(false);
        };
        let bytes = &self.bytes[self.start..self.filled];
        if bytes[line.start] == b'*' {
            let count = number(&bytes[line.start + 1..line.end]);
            let count = count.filter(|count| *count <= ARGUMENTS_MAX as i64);
            let count = count.ok_or("invalid multibulk length")?;
            self.wanted = Some(usize::try_from(count).unwrap_or(0));
        } else {
            let mut place = line.start;
            for word in bytes[line].split(|byte| *byte == b' ') {
                if !word.is_empty() {
                    self.arguments.push(place..place + word.len());
                }
                place += word.len() + 1;
            }
            self.wanted = Some(self.arguments.len());
        }
        self.at = after;
        Ok(true)
    }

    fn take_argument(&mut self) -> Result<bool, Broken> {
        let Some((line, after)) = self.line()? else {
            return Ok(false);
        };
        let bytes = &self.bytes[self.start..self.filled];
        if bytes[line.start] != b'$' {
            let found = char::from(bytes[line.start]);
            return Err(format!("expected '$', got {found:?}"));
        }
        let length = number(&bytes[line.start + 1..line.end]);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= ARGUMENT_MAX);
        let length = length.ok_or("invalid bulk length")?;
        let range = after..after + length;
        if range.end > REQUEST_MAX {
            return Err("the request is too long".to_string());
        }
        match bytes.get(range.end..range.end + 2) {
            None => return Ok(false),
            Some(b"\r\n") => {}
            Some(_) => return Err("expected CRLF behind a bulk string".to_string()),
        }
        self.at = range.end + 2;
        self.arguments.push(range);
        Ok(true)
    }

    /// The next line without its end, and where the one after it begins.
    fn line(&self) -> Result<Option<(Range<usize>, usize)>, Broken> {
        let rest = &self.bytes[self.start + self.at..self.filled];
        let Some(length) = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
            if rest.len() < LINE_MAX {
                return Ok(None);
            }
            return Err("too big inline request".to_string());
        };
        let text = rest[..length]
            .strip_suffix(b"\r")
            .map_or(length, <[u8]>::len);
        Ok(Some((self.at..self.at + text, self.at + length + 1)))
    }
}

/// A whole number, as the protocol writes it.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Answers, one behind the other, in the protocol's form.
#[derive(Default)]
pub(crate) struct Answers(pub(crate) Vec<u8>);

impl Answers {
    fn line(&mut self, sign: char, text: impl Display) {
        // A vector takes everything.
        let _ = write!(self.0, "{sign}{text}\r\n");
    }

    /// A word such as OK.
    pub(crate) fn word(&mut self, word: &str) {
        self.line('+', word);
    }

    pub(crate) fn error(&mut self, text: impl Display) {
        self.line('-', text);
    }

    pub(crate) fn integer(&mut self, number: i64) {
        self.line(':', number);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.line(':', count);
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.line('$', bytes.len());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    /// There is no such string.
    pub(crate) fn nothing(&mut self) {
        self.line('$', -1);
    }

    /// So many answers follow, and are one.
    pub(crate) fn array(&mut self, length: usize) {
        self.line('*', length);
    }

    /// There is no such array.
    pub(crate) fn no_array(&mut self) {
        self.line('*', -1);
    }
}
