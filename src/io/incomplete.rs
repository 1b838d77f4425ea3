//! `Incomplete`: how far a transfer came that had to move a given number of bytes and could not.

use std::error::Error;
use std::fmt;
use std::io;

/// How far a transfer came before the stream ended: the source of an `UnexpectedEof` from a read of a given
/// length, and of a `WriteZero` from a write.
///
/// ```
/// use mainspring::io::{AsyncReadExt, Incomplete};
/// # mainspring::run(async {
/// let mut reader: &[u8] = b"tick";
/// let mut buf = [0; 8];
/// let error = reader.read_exact(&mut buf).await.unwrap_err();
/// let incomplete = Incomplete::of(&error).unwrap();
/// assert_eq!(&buf[..incomplete.done()], b"tick");
/// assert_eq!(error.to_string(), "the stream ended after 4 of 8 bytes");
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete {
    done: usize,
    asked: usize,
    is_write: bool,
}

impl Incomplete {
    /// What `error` carries, if it is of this sort.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Incomplete> {
        error
            .get_ref()
            .and_then(|source| source.downcast_ref())
            .copied()
    }

    /// The number of bytes that were moved.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// The number of bytes that should have been.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// The error of a reader that ended.
    #[cold]
    pub(crate) fn read(done: usize, asked: usize) -> io::Error {
        let incomplete = Incomplete {
            done,
            asked,
            is_write: false,
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, incomplete)
    }

    /// The error of a writer that takes nothing any more.
    #[cold]
    pub(crate) fn write(done: usize, asked: usize) -> io::Error {
        let incomplete = Incomplete {
            done,
            asked,
            is_write: true,
        };
        io::Error::new(io::ErrorKind::WriteZero, incomplete)
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_write {
            "the writer takes no more"
        } else {
            "the stream ended"
        };
        write!(f, "{what} after {} of {} bytes", self.done, self.asked)
    }
}

impl Error for Incomplete {}
