//! `BytesBuf`: bytes that come at the back and go at the front.
//!
//! *Model.* One piece of memory, all of it initialised, with two cursors:
//!
//! ```text
//!     │ taken │ the bytes │ room │
//!     0     start        end   memory.len()
//! ```
//!
//! *Cost.* Amortised O(1) per byte: bytes move to the front only when at least as many were taken
//! since they last moved, else the memory doubles; it is zeroed once, when it is allocated. Memory stays in
//! proportion to what is in it: when an `advance` leaves less than an eighth of more than 64 KiB, the rest
//! moves to a small one.
//!
//! *Why not the crate `bytes`.* Its counted slices save a copy per frame; the runtime has three dependencies.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

/// Memory up to here is kept when it empties.
const KEEP: usize = 64 * 1024;
/// Memory larger than [`KEEP`] goes when less than this part of it is left in use.
const SHRINK_BELOW: usize = 8;

/// Bytes that come at the back and go at the front. It shows them as a slice.
///
/// ```
/// use mainspring::codec::BytesBuf;
/// let mut buf = BytesBuf::from(&b"tick"[..]);
/// buf.extend(b"tock");
/// assert_eq!(buf.split_to(4), b"tick");
/// buf.advance(1);
/// assert_eq!(&buf[..], b"ock");
/// ```
#[derive(Clone, Default)]
pub struct BytesBuf {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl BytesBuf {
    /// No bytes, no memory.
    #[must_use]
    pub const fn new() -> BytesBuf {
        BytesBuf {
            memory: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// How many bytes the memory has that is held now.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Takes the first `count` bytes and drops them.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(
            count <= self.len(),
            "{count} bytes cannot be taken out of {}",
            self.len()
        );
        self.start += count;
        let left = self.len();
        if self.memory.len() > KEEP && left < self.memory.len() / SHRINK_BELOW {
            self.move_to(if left == 0 { 0 } else { KEEP.max(left * 2) });
        } else if left == 0 {
            self.clear();
        }
    }

    /// Takes the first `count` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use = "`advance` takes bytes and drops them"]
    pub fn split_to(&mut self, count: usize) -> Vec<u8> {
        let taken = self[..count].to_vec();
        self.advance(count);
        taken
    }

    /// Appends `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }

    /// Drops all bytes but the first `len`; if there are fewer, none.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
        if self.is_empty() {
            self.clear();
        }
    }

    /// Drops all bytes, and keeps the memory.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// The memory behind the bytes, at least `least` bytes of it, whatever stands there: to be written to,
    /// and then told of with [`BytesBuf::filled`].
    ///
    /// # Panics
    /// If the sum of the lengths exceeds `usize`.
    ///
    /// ```
    /// use mainspring::codec::BytesBuf;
    /// let mut buf = BytesBuf::new();
    /// buf.room(2)[..2].copy_from_slice(b"ab");
    /// buf.filled(2);
    /// assert_eq!(&buf[..], b"ab");
    /// ```
    pub fn room(&mut self, least: usize) -> &mut [u8] {
        if self.memory.len() - self.end < least {
            self.make_room(least);
        }
        &mut self.memory[self.end..]
    }

    /// The first `count` bytes of the [`room`](BytesBuf::room) are bytes of this buffer now.
    ///
    /// # Panics
    /// If the room is smaller.
    pub fn filled(&mut self, count: usize) {
        assert!(
            count <= self.memory.len() - self.end,
            "more bytes were filled than there was room for"
        );
        self.end += count;
    }

    /// Moves the bytes to the front, or all to a larger memory.
    #[cold]
    fn make_room(&mut self, least: usize) {
        let (len, capacity) = (self.len(), self.memory.len());
        let needed = len
            .checked_add(least)
            .expect("more bytes than can be counted");
        // The bytes that were taken pay for those that move.
        if needed <= capacity && self.start >= len {
            self.memory.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = len;
        } else {
            self.move_to(needed.max(capacity.saturating_mul(2)));
        }
    }

    /// Moves the bytes into a new memory.
    fn move_to(&mut self, capacity: usize) {
        let mut memory = vec![0; capacity];
        let len = self.len();
        memory[..len].copy_from_slice(self);
        *self = BytesBuf {
            memory,
            start: 0,
            end: len,
        };
    }
}

impl Deref for BytesBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}

impl DerefMut for BytesBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }
}

impl From<&[u8]> for BytesBuf {
    fn from(bytes: &[u8]) -> BytesBuf {
        BytesBuf::from(bytes.to_vec())
    }
}

impl From<Vec<u8>> for BytesBuf {
    fn from(memory: Vec<u8>) -> BytesBuf {
        let end = memory.len();
        BytesBuf {
            memory,
            start: 0,
            end,
        }
    }
}

/// What std writes, `write!` among it, is appended.
impl io::Write for BytesBuf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PartialEq for BytesBuf {
    fn eq(&self, other: &BytesBuf) -> bool {
        self[..] == other[..]
    }
}

impl Eq for BytesBuf {}

impl fmt::Debug for BytesBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}
