//! `Event` and `WatchError`: what a watcher tells.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Something that happened to a file or a folder.
///
/// Paths begin as that by which it is watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// It was made, linked or moved here, maybe in the place of another. Of what a new folder has, that it is there.
    Created(PathBuf),
    /// Its bytes changed; also its length alone.
    Modified(PathBuf),
    /// It was removed, or moved to where nobody watches.
    Removed(PathBuf),
    /// It was renamed, or moved from one watched folder to another, maybe in the place of another file.
    Renamed {
        /// Its path before.
        from: PathBuf,
        /// Its path now.
        to: PathBuf,
    },
    /// Its permissions, owner or times changed; on Linux, also the number of its links.
    Metadata(PathBuf),
    /// More happened than the kernel keeps, and some of it is not told: look at everything again. What was made, of folders, is watched
    /// all the same.
    Overflow,
}

impl Event {
    /// What it happened to, by its path now; nothing of an overflow.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Event::Created(path)
            | Event::Modified(path)
            | Event::Removed(path)
            | Event::Metadata(path)
            | Event::Renamed { to: path, .. } => Some(path),
            Event::Overflow => None,
        }
    }
}

/// What kept something from being watched. The watcher goes on with the rest.
#[derive(Debug)]
pub struct WatchError {
    path: PathBuf,
    error: io::Error,
}

impl WatchError {
    pub(super) fn new(path: PathBuf, error: io::Error) -> WatchError {
        WatchError { path, error }
    }

    /// What is not watched; empty where it was the watcher itself that failed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl Error for WatchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<WatchError> for io::Error {
    fn from(error: WatchError) -> io::Error {
        error.error
    }
}
