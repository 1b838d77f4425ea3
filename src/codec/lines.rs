//! `LinesCodec`: lines of text, none longer than a limit.
//!
//! *Cost.* No byte is searched twice. At most the limit, and one read, is kept.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead};
use std::string::FromUtf8Error;

use super::{BytesBuf, Decoder, Encoder};

/// How long a line may be unless the user says otherwise: as that of a buffered reader's lines.
const LINE_MAX: usize = 64 * 1024;

/// Lines of UTF-8 text. They end with `\n`; one `\r` before it goes with it. What follows the last `\n` is a
/// line unless it is empty.
///
/// *Limit.* At most 64 KiB may come before a `\n`; [`LinesCodec::with_max`] changes that.
///
/// *After an error* it goes on with the next line. A line that is too long is told once, as soon as it
/// is; what has come of it is dropped, and what still comes of it is dropped too. A line that is not
/// UTF-8 is in its error.
///
/// ```
/// use mainspring::codec::{FramedRead, LinesCodec, LinesError};
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let mut lines = FramedRead::new(&b"tick\r\nno clock ticks so long\ntock"[..], LinesCodec::with_max(8));
/// assert_eq!(lines.next().await.unwrap().unwrap(), "tick");
/// let error = lines.next().await.unwrap().unwrap_err();
/// assert!(matches!(error, LinesError::TooLong { max: 8 }));
/// assert_eq!(lines.next().await.unwrap().unwrap(), "tock");
/// assert!(lines.next().await.is_none());
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LinesCodec {
    max: usize,
    /// How many bytes at the front are known to hold no `\n`.
    searched: usize,
    /// The line was too long, and its end has not come.
    is_skipping: bool,
}

impl LinesCodec {
    /// With the default limit.
    #[must_use]
    pub fn new() -> LinesCodec {
        LinesCodec::with_max(LINE_MAX)
    }

    /// Allows `max` bytes before a `\n`; `usize::MAX` for a peer whom one trusts with one's memory.
    #[must_use]
    pub fn with_max(max: usize) -> LinesCodec {
        LinesCodec {
            max,
            searched: 0,
            is_skipping: false,
        }
    }

    /// How many bytes may come before a `\n`.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// The end of the front line, without its `\n`. `None` if it has not come.
    fn find_end(&mut self, src: &[u8]) -> Option<usize> {
        // The bytes may be others than those of the last call, after `into_parts`.
        let begin = self.searched.min(src.len());
        let mut rest = &src[begin..];
        // The only way to the standard library's word-wise search; over memory it cannot fail.
        let skipped = rest.skip_until(b'\n').unwrap_or(0);
        let end = (begin + skipped).checked_sub(1).filter(|_| skipped > 0);
        let end = end.filter(|end| src[*end] == b'\n');
        self.searched = if end.is_some() { 0 } else { src.len() };
        end
    }

    fn drop_front(&mut self, src: &mut BytesBuf, count: usize) {
        src.advance(count);
        self.searched = 0;
    }

    fn too_long(&self) -> LinesError {
        LinesError::TooLong { max: self.max }
    }
}

impl Default for LinesCodec {
    fn default() -> LinesCodec {
        LinesCodec::new()
    }
}

impl Decoder for LinesCodec {
    type Item = String;
    type Error = LinesError;

    fn decode(&mut self, src: &mut BytesBuf) -> Result<Option<String>, LinesError> {
        loop {
            let end = self.find_end(src);
            let length = end.unwrap_or(src.len());
            if self.is_skipping {
                self.drop_front(src, length + usize::from(end.is_some()));
                if end.is_none() {
                    return Ok(None);
                }
                self.is_skipping = false;
                continue;
            }
            if length > self.max {
                self.is_skipping = end.is_none();
                self.drop_front(src, length + usize::from(end.is_some()));
                return Err(self.too_long());
            }
            if end.is_none() {
                return Ok(None);
            }
            let mut line = src.split_to(length);
            self.drop_front(src, 1);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(String::from_utf8(line)?));
        }
    }

    /// The last line may lack its `\n`; a `\r` at its end belongs to it then.
    fn decode_eof(&mut self, src: &mut BytesBuf) -> Result<Option<String>, LinesError> {
        if let Some(line) = self.decode(src)? {
            return Ok(Some(line));
        }
        if src.is_empty() {
            return Ok(None);
        }
        let line = src.split_to(src.len());
        self.searched = 0;
        Ok(Some(String::from_utf8(line)?))
    }

    fn is_in_step(&self) -> bool {
        true
    }
}

/// A text with a `\n` in it is refused: it would be two lines, of which a stranger may have written one.
impl<S: AsRef<str>> Encoder<S> for LinesCodec {
    type Error = LinesError;

    fn encode(&mut self, line: S, dst: &mut BytesBuf) -> Result<(), LinesError> {
        let line = line.as_ref().as_bytes();
        if line.contains(&b'\n') {
            return Err(LinesError::TwoLines);
        }
        dst.extend(line);
        dst.extend(b"\n");
        Ok(())
    }
}

/// What can be wrong with a line.
#[derive(Debug)]
pub enum LinesError {
    /// The stream failed, or ended.
    Io(io::Error),
    /// More than `max` bytes came before a `\n`. They are dropped.
    TooLong {
        /// How many bytes were allowed.
        max: usize,
    },
    /// A line is not UTF-8. Its bytes are in here.
    NotText(FromUtf8Error),
    /// A text that was to be sent has a `\n` in it. Nothing of it was taken.
    TwoLines,
}

impl fmt::Display for LinesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinesError::Io(error) => error.fmt(f),
            LinesError::TooLong { max } => write!(f, "a line is longer than {max} bytes"),
            LinesError::NotText(error) => write!(f, "a line is not text: {error}"),
            LinesError::TwoLines => f.write_str("a text with a line end in it is no line"),
        }
    }
}

impl Error for LinesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LinesError::Io(error) => error.source(),
            LinesError::NotText(error) => Some(error),
            LinesError::TooLong { .. } | LinesError::TwoLines => None,
        }
    }
}

impl From<io::Error> for LinesError {
    fn from(error: io::Error) -> LinesError {
        LinesError::Io(error)
    }
}

impl From<FromUtf8Error> for LinesError {
    fn from(error: FromUtf8Error) -> LinesError {
        LinesError::NotText(error)
    }
}

impl From<LinesError> for io::Error {
    /// The stream's own error, or one of kind `InvalidData` (what came) or `InvalidInput` (what was to go).
    fn from(error: LinesError) -> io::Error {
        match error {
            LinesError::Io(error) => error,
            LinesError::TwoLines => io::Error::new(io::ErrorKind::InvalidInput, error),
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}
