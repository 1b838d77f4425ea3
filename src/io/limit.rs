//! The limit of what is read up to a delimiter: its default, its error, and where a search ends.
//!
//! *Role.* Whoever reads lines from a peer holds in memory what the peer sends before a newline, so a
//! limit is on by default (hz_i01). It counts the bytes before the delimiter, not the delimiter, and a
//! piece of exactly that length passes.
//!
//! *Cost.* No byte is searched twice, and many are searched at a time: by the C library.

use std::fmt;
use std::io;

/// How many bytes may stand before a delimiter unless the caller says otherwise: 64 KiB, as in asyncio.
pub const LINE_LIMIT: usize = 64 * 1024;

/// More bytes than the limit came, and no delimiter among them. It stands inside an [`io::Error`] of kind
/// `InvalidData`. Nothing is lost: the bytes stay where each function says, to be read with a larger
/// limit or to be skipped.
///
/// ```
/// use mainspring::io::{BufReader, LimitExceeded};
/// # mainspring::run(async {
/// let mut reader = BufReader::new(&b"too long\n"[..]);
/// let mut line = String::new();
/// let error = reader.read_line(&mut line).limit(3).await.unwrap_err();
/// let exceeded: &LimitExceeded = error.get_ref().unwrap().downcast_ref().unwrap();
/// assert_eq!(exceeded.limit, 3);
/// assert_eq!(reader.read_line(&mut line).limit(8).await.unwrap(), 9);
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// How many bytes were allowed.
    pub limit: usize,
    /// How many are there, read or ready to be read.
    pub available: usize,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitExceeded { limit, available } = self;
        write!(
            f,
            "no delimiter within {limit} bytes ({available} are there)"
        )
    }
}

impl std::error::Error for LimitExceeded {}

impl From<LimitExceeded> for io::Error {
    /// An error of kind `InvalidData`.
    fn from(exceeded: LimitExceeded) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, exceeded)
    }
}

/// Where a search must not look any further: one byte beyond the limit tells whether it is exceeded.
#[inline]
pub(super) fn window(available: usize, limit: usize) -> usize {
    available.min(limit.saturating_add(1))
}
