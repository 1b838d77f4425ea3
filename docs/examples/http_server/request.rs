//! Requests of HTTP/1.1, from bytes: pure functions, which read nothing, wait for nothing and never panic.
//!
//! *Model.* A request is a head, which [`find_end`] finds the end of and [`parse`] reads, and a body, whose bytes
//! [`Chunks`] finds where it comes in chunks.
//!
//! *Cut anywhere.* Bytes arrive in pieces of any size, and what they mean must not depend on the cuts. So `find_end`
//! and [`Chunks::next`] go from byte to byte and decide by what they have seen so far, and `parse` sees whole heads only. The
//! fuzz target `http_request` holds them to it.
//!
//! *Strict.* Where two readers of the same bytes could disagree on where a request ends, one of them can be made to take
//! for a request what the other took for a body. So all of that is refused: a length and chunks together, two lengths, a
//! length that is no plain number, another coding than `chunked`, folded headers, a space before a colon, a line feed
//! or a carriage return that stands alone, and bytes that have no business in a head.

use std::ops::Range;

/// The longest line of a chunk's size, with its extensions; and all trailers together. In bytes.
const CHUNK_LINE_MAX: usize = 256;
const TRAILERS_MAX: usize = 4096;
/// So many headers may a request have.
const HEADERS_MAX: usize = 100;

/// Why a request is refused: the status of the answer, after which the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16);

/// It makes no sense, or two senses.
pub(crate) const BAD_REQUEST: Refusal = Refusal(400);
/// The body is longer than it may be.
pub(crate) const TOO_LARGE: Refusal = Refusal(413);
/// It expects what we do not do.
pub(crate) const EXPECTATION_FAILED: Refusal = Refusal(417);
/// The head is longer than it may be.
pub(crate) const HEAD_TOO_LARGE: Refusal = Refusal(431);
/// The body is coded in a way that we do not know.
pub(crate) const NOT_IMPLEMENTED: Refusal = Refusal(501);
/// It is another HTTP.
pub(crate) const OTHER_VERSION: Refusal = Refusal(505);

/// The head of a request, as it stands in the bytes that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// The second number of the version: HTTP/1.1 or HTTP/1.0.
    pub(crate) minor: u8,
    /// Whether another request may follow on the connection.
    pub(crate) keeps_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    pub(crate) body: Body,
    /// The value of `Range`, unless an `If-Range` makes it depend on what we do not know.
    pub(crate) range: Option<&'a str>,
}

/// How a body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// There is none, or it has so many bytes.
    Length(u64),
    Chunked,
}

/// How many bytes of `bytes` the head has, with the empty line at its end; `None` if that has not come. `seen` of them
/// were looked at before, by a call that said `None`; it is 0 at first.
///
/// # Errors
/// 431 if the head is longer than `max`; 400 for a line feed without its carriage return, or the other way round.
pub(crate) fn find_end(
    bytes: &[u8],
    seen: &mut usize,
    max: usize,
) -> Result<Option<usize>, Refusal> {
    let end = bytes.len().min(max);
    while *seen < end {
        let at = *seen;
        let before = at.checked_sub(1).map(|at| bytes[at]);
        if (bytes[at] == b'\n') != (before == Some(b'\r')) {
            return Err(BAD_REQUEST);
        }
        *seen += 1;
        if bytes[..*seen].ends_with(b"\r\n\r\n") {
            // One empty line may come before a request, as some old clients send it after a body.
            return if *seen == 4 {
                Err(BAD_REQUEST)
            } else {
                Ok(Some(*seen))
            };
        }
    }
    if bytes.len() >= max {
        return Err(HEAD_TOO_LARGE);
    }
    Ok(None)
}

/// Reads a head, whose end [`find_end`] has found.
///
/// # Errors
/// What the answer's status must be.
pub(crate) fn parse(head: &[u8]) -> Result<Head<'_>, Refusal> {
    let text = std::str::from_utf8(head).map_err(|_| BAD_REQUEST)?;
    let text = text.strip_prefix("\r\n").unwrap_or(text);
    let text = text.strip_suffix("\r\n\r\n").ok_or(BAD_REQUEST)?;
    let mut lines = text.split("\r\n");
    let (method, target, minor) = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for (count, line) in lines.enumerate() {
        if count == HEADERS_MAX {
            return Err(HEAD_TOO_LARGE);
        }
        fields.add(line)?;
    }
    fields.finish(method, target, minor)
}

/// Method, target, and the second number of the version.
fn request_line(line: &str) -> Result<(&str, &str, u8), Refusal> {
    let mut parts = line.split(' ');
    let (method, target, version) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some(version), None) => (method, target, version),
        _ => return Err(BAD_REQUEST),
    };
    let is_target = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token(method) || !is_target {
        return Err(BAD_REQUEST);
    }
    match version.as_bytes() {
        b"HTTP/1.1" => Ok((method, target, 1)),
        b"HTTP/1.0" => Ok((method, target, 0)),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(OTHER_VERSION)
        }
        _ => Err(BAD_REQUEST),
    }
}

/// What the headers say, as far as it matters here.
#[derive(Default)]
struct Fields<'a> {
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps_alive: bool,
    expects_continue: bool,
    range: Option<&'a str>,
    has_if_range: bool,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a str) -> Result<(), Refusal> {
        // A line that begins with a space would go on with the one before: it has no name, and is refused.
        let (name, value) = line.split_once(':').ok_or(BAD_REQUEST)?;
        if !is_token(name) || !value.bytes().all(is_field_byte) {
            return Err(BAD_REQUEST);
        }
        let value = value.trim_matches([' ', '\t']);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("host") {
            if self.has_host || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(BAD_REQUEST);
            }
            self.has_host = true;
        } else if is("content-length") {
            if self.length.is_some() {
                return Err(BAD_REQUEST);
            }
            self.length = Some(number(value).ok_or(BAD_REQUEST)?);
        } else if is("transfer-encoding") {
            self.coding(value)?;
        } else if is("connection") {
            for option in value
                .split(',')
                .map(|option| option.trim_matches([' ', '\t']))
            {
                self.closes |= option.eq_ignore_ascii_case("close");
                self.keeps_alive |= option.eq_ignore_ascii_case("keep-alive");
            }
        } else if is("expect") {
            if !value.eq_ignore_ascii_case("100-continue") {
                return Err(EXPECTATION_FAILED);
            }
            self.expects_continue = true;
        } else if is("range") {
            if self.range.is_some() {
                return Err(BAD_REQUEST);
            }
            self.range = Some(value);
        } else if is("if-range") {
            self.has_if_range = true;
        }
        Ok(())
    }

    fn coding(&mut self, value: &str) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(BAD_REQUEST);
        }
        if !value.eq_ignore_ascii_case("chunked") {
            // A body whose last coding is another has no end that could be found.
            let last = value.rsplit(',').next().unwrap_or_default();
            let is_last = last
                .trim_matches([' ', '\t'])
                .eq_ignore_ascii_case("chunked");
            return Err(if is_last {
                NOT_IMPLEMENTED
            } else {
                BAD_REQUEST
            });
        }
        self.is_chunked = true;
        Ok(())
    }

    fn finish(self, method: &'a str, target: &'a str, minor: u8) -> Result<Head<'a>, Refusal> {
        let is_ambiguous = self.is_chunked && (self.length.is_some() || minor == 0);
        if is_ambiguous || (minor == 1 && !self.has_host) {
            return Err(BAD_REQUEST);
        }
        Ok(Head {
            method,
            target,
            minor,
            keeps_alive: !self.closes && (minor == 1 || self.keeps_alive),
            expects_continue: self.expects_continue && minor == 1,
            body: match self.is_chunked {
                true => Body::Chunked,
                false => Body::Length(self.length.unwrap_or(0)),
            },
            range: self.range.filter(|_| !self.has_if_range),
        })
    }
}

/// What names and methods are made of.
fn is_token(text: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_one)
}

fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Digits alone: no sign, no space, no comma.
fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Finds the bytes of a body in its chunks.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    state: State,
    /// Of the body, so far. In bytes.
    len: u64,
    /// It may have so many.
    max: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The size of a chunk: so much, in so many digits.
    Size(u64, usize),
    /// The rest of the line, of which so many bytes were seen.
    Extension(u64, usize),
    SizeLineFeed(u64),
    Data(u64),
    DataReturn,
    DataLineFeed,
    /// Trailers, of which so many bytes were seen; whether the line has any.
    Trailer(usize, bool),
    TrailerLineFeed(usize, bool),
    End,
}

/// What [`Chunks::next`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Bytes of the body, where they stand in what was given; whatever is before their end is done with.
    Data(Range<usize>),
    /// The body's end: so many bytes of what was given were its.
    End(usize),
    /// All is done with, and there must be more.
    More,
}

impl Chunks {
    /// A body of at most `max` bytes, of which none has come.
    pub(crate) fn new(max: u64) -> Chunks {
        Chunks {
            state: State::Size(0, 0),
            len: 0,
            max,
        }
    }

    /// What is first in `bytes`, which begin where the last call's find has ended.
    ///
    /// # Errors
    /// 400 for what is no chunk; 413 for a body that is longer than it may be, 431 for trailers that are.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Found, Refusal> {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data(left) = self.state {
                let here = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len() - at);
                let rest = left - here as u64;
                self.state = if rest == 0 {
                    State::DataReturn
                } else {
                    State::Data(rest)
                };
                return Ok(Found::Data(at..at + here));
            }
            self.state = self.step(bytes[at])?;
            at += 1;
            if self.state == State::End {
                return Ok(Found::End(at));
            }
        }
        Ok(Found::More)
    }

    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        Ok(match (self.state, byte) {
            (State::Size(size, digits), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                // Fifteen digits more than anybody needs, and none that could be lost.
                if digits == 16 {
                    return Err(BAD_REQUEST);
                }
                State::Size(size << 4 | u64::from(digit), digits + 1)
            }
            (State::Size(_, 0), _) => return Err(BAD_REQUEST),
            (State::Size(size, _) | State::Extension(size, _), b'\r') => State::SizeLineFeed(size),
            (State::Size(size, _), b';') => State::Extension(size, 0),
            (State::Extension(size, seen), _) if is_field_byte(byte) && seen < CHUNK_LINE_MAX => {
                State::Extension(size, seen + 1)
            }
            (State::SizeLineFeed(0), b'\n') => State::Trailer(0, false),
            (State::SizeLineFeed(size), b'\n') => {
                let len = self.len.checked_add(size).filter(|len| *len <= self.max);
                self.len = len.ok_or(TOO_LARGE)?;
                State::Data(size)
            }
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size(0, 0),
            (State::Trailer(seen, has_any), b'\r') => State::TrailerLineFeed(seen, has_any),
            (State::TrailerLineFeed(_, false), b'\n') => State::End,
            (State::TrailerLineFeed(seen, true), b'\n') => State::Trailer(seen, false),
            (State::Trailer(seen, _), _) if is_field_byte(byte) => {
                if seen == TRAILERS_MAX {
                    return Err(HEAD_TOO_LARGE);
                }
                State::Trailer(seen + 1, true)
            }
            _ => return Err(BAD_REQUEST),
        })
    }
}

/// What of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Bytes(Range<u64>),
    /// Nothing that it has.
    None,
}

/// What `range`, the value of the header, asks for of a file of `len` bytes. What makes no sense, or asks for several parts at
/// once, asks for the whole, as the standard wants or allows.
pub(crate) fn part(range: &str, len: u64) -> Part {
    let Some(spec) = range.strip_prefix("bytes=") else {
        return Part::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() => from(first, len, len),
        (Some(first), Some(last)) if first <= last => from(first, last.saturating_add(1), len),
        (None, Some(0)) if first.is_empty() => Part::None,
        (None, Some(count)) if first.is_empty() => from(len.saturating_sub(count), len, len),
        _ => Part::Whole,
    }
}

fn from(first: u64, end: u64, len: u64) -> Part {
    if first >= len {
        return Part::None;
    }
    Part::Bytes(first..end.min(len))
}

/// The path of a file below the root, from a request's target: without its query, with its escapes resolved, and with no way out of the
/// root. `None` if it has one, or is no path.
pub(crate) fn path(target: &str) -> Option<String> {
    // `GET http://host/path` is for proxies, but a server must know it.
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let escaped = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return None;
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
        rest = after;
    }
    let path = String::from_utf8(bytes).ok()?;
    // One that begins with a slash is no path below anything.
    let is_within = path.split('/').all(|name| name != "..") && !path.contains('\0');
    (is_within && !path.starts_with('/')).then_some(path)
}
