//! `Entries`: what is in a folder that was just marked.

use std::ffi::OsString;
use std::fmt;
use std::io;

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; never `.` nor `..`.
    pub name: OsString,
    /// Whether it is a folder; a link to one is none.
    pub is_folder: bool,
    /// As the folder says it: of what something is mounted on, what is below.
    pub inode: u64,
}

/// The entries of a folder, one after the other: read as they are asked for, or known already.
pub struct Entries(pub(super) Box<dyn Iterator<Item = io::Result<Entry>> + Send>);

impl Iterator for Entries {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        self.0.next()
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}
