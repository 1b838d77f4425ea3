//! FIFOs: pipes that have a name.
//!
//! *The other end.* A FIFO that nobody writes to reads as if it were at its end, and one that nobody reads cannot be
//! opened for writing. [`FifoOptions::keeps_open`] opens the other end as well, so neither happens.

use std::io;
use std::path::Path;

use mainspring_sys::pipe::{self as sys, End};

use super::{PipeReader, PipeWriter};

/// Makes a FIFO with these permissions (`0o600`, say), less those that the umask takes away.
///
/// # Errors
/// `AlreadyExists`, `NotFound`, `PermissionDenied`: what `mkfifo(3)` says.
pub fn make_fifo(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    sys::make_fifo(path.as_ref(), mode)
}

/// How a FIFO is opened.
///
/// ```
/// # mainspring::run(async {
/// use mainspring::pipe::{self, FifoOptions};
/// # let folder = std::env::temp_dir().join(format!("mainspring-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("orders");
/// # let _ = std::fs::remove_file(&path);
/// pipe::make_fifo(&path, 0o600)?;
/// let reader = FifoOptions::new().open_reader(&path)?;
/// let writer = FifoOptions::new().open_writer(&path)?;
/// writer.write_all(b"stop\n").await?;
/// let mut buf = [0; 16];
/// assert_eq!(reader.read(&mut buf).await?, 5);
/// # std::fs::remove_dir_all(&folder)?;
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FifoOptions {
    keeps_open: bool,
}

impl FifoOptions {
    /// One end is opened.
    #[must_use]
    pub fn new() -> FifoOptions {
        FifoOptions::default()
    }

    /// The other end is opened as well: a reader never comes to the end when the last writer goes, and a writer opens while
    /// nobody reads (and is told nothing when nobody does). On Linux and Android; elsewhere POSIX leaves open what
    /// becomes of it, though it works on macOS and the BSDs too.
    #[must_use]
    pub fn keeps_open(mut self, keeps_open: bool) -> FifoOptions {
        self.keeps_open = keeps_open;
        self
    }

    /// Opens the end that is read, at once. While nobody writes, reads come to the end.
    ///
    /// # Errors
    /// `InvalidInput` if it is no FIFO; what `open(2)` says.
    pub fn open_reader(self, path: impl AsRef<Path>) -> io::Result<PipeReader> {
        let end = if self.keeps_open {
            End::Both
        } else {
            End::Reader
        };
        sys::open_fifo(path.as_ref(), end).map(PipeReader::of_strangers)
    }

    /// Opens the end that is written, at once.
    ///
    /// # Errors
    /// ENXIO while nobody reads; `InvalidInput` if it is no FIFO; what `open(2)` says.
    pub fn open_writer(self, path: impl AsRef<Path>) -> io::Result<PipeWriter> {
        let end = if self.keeps_open {
            End::Both
        } else {
            End::Writer
        };
        sys::open_fifo(path.as_ref(), end).map(PipeWriter::of_strangers)
    }
}
