//! The limit of what is read up to a delimiter: its default, its error, and the search that keeps it.
//!
//! *Role.* Whoever reads lines from a peer holds in memory what the peer sends before a newline, so a
//! limit is on by default (hz_i01). It counts the bytes before the delimiter, not the delimiter, and a
//! piece of exactly that length passes.
//!
//! *Cost.* No byte is searched twice, and many are searched at a time. Most lines are short: the standard
//! library's search, which is better for long ones, first goes byte by byte to an aligned address.

use std::fmt;
use std::io;

/// How many bytes may stand before a delimiter unless the caller says otherwise: 64 KiB, as in asyncio.
pub const LINE_LIMIT: usize = 64 * 1024;

/// So many bytes are passed at once, if none of them is the delimiter; so many are searched at once.
const BLOCK: usize = 32;
const WORD: usize = 8;

/// In each byte of a word, the lowest bit, and the highest.
const LOWEST: u64 = u64::from_ne_bytes([0x01; WORD]);
const HIGHEST: u64 = u64::from_ne_bytes([0x80; WORD]);

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

/// Where `delimiter` stands first in `bytes`.
#[inline]
pub(super) fn find(delimiter: u8, bytes: &[u8]) -> Option<usize> {
    let mut blocks = bytes.chunks_exact(BLOCK);
    // Without an end in the middle: so the compiler compares the bytes all at once.
    let is_without = |block: &&[u8]| {
        !block
            .iter()
            .fold(false, |is, byte| is | (*byte == delimiter))
    };
    let skipped = blocks.by_ref().take_while(is_without).count() * BLOCK;
    let words = bytes[skipped..].chunks_exact(WORD);
    let rest = bytes.len() / WORD * WORD;
    for (index, word) in words.enumerate() {
        let Ok(word) = <[u8; WORD]>::try_from(word) else {
            break;
        };
        // A byte that is the delimiter is 0 now. The lowest byte whose highest bit stays is the first such;
        // above it a borrow may leave others.
        let word = u64::from_le_bytes(word) ^ u64::from_ne_bytes([delimiter; WORD]);
        let zeros = word.wrapping_sub(LOWEST) & !word & HIGHEST;
        if zeros != 0 {
            return Some(skipped + index * WORD + zeros.trailing_zeros() as usize / 8);
        }
    }
    let found = bytes[rest..].iter().position(|byte| *byte == delimiter);
    found.map(|at| rest + at)
}

/// Where a search must not look any further: one byte beyond the limit tells whether it is exceeded.
#[inline]
pub(super) fn window(available: usize, limit: usize) -> usize {
    available.min(limit.saturating_add(1))
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests;
