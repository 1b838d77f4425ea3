//! A folder that is read: its entries, one after the other.

use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata, ReadDir};
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use super::retry_as;
use crate::fault::Call;

/// A folder, open to be read.
#[derive(Debug)]
pub struct Folder {
    entries: ReadDir,
}

/// What a folder says of one entry.
#[derive(Debug)]
pub struct Entry {
    /// The folder's path, and the name.
    pub path: PathBuf,
    /// What it is; of a link, that it is one. Asks the file where the folder does not say.
    pub kind: FileType,
    /// The inode.
    pub inode: u64,
    /// What the file is like (of a link: the link), if that was asked for.
    pub metadata: Option<io::Result<Metadata>>,
}

impl Entry {
    /// The name alone. Each has one: an entry is never `..`.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

impl Folder {
    /// Opens the folder.
    ///
    /// # Errors
    /// What `opendir` says.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let entries = retry_as(Call::OpenFile, 0, |_| fs::read_dir(path))?;
        Ok(Folder { entries })
    }

    /// The next entry; `None` after the last. After an error the folder goes on with the entry behind it, if it can. With
    /// `has_metadata`, what each file is like is asked as well.
    pub fn next_entry(&mut self, has_metadata: bool) -> Option<io::Result<Entry>> {
        // The plan is asked first: an error that is injected must not eat an entry.
        let next = retry_as(Call::ReadFolder, 0, |_| self.entries.next().transpose());
        let entry = match next {
            Ok(entry) => entry?,
            Err(error) => return Some(Err(error)),
        };
        let kind = match retry_as(Call::FileStat, 0, |_| entry.file_type()) {
            Ok(kind) => kind,
            Err(error) => return Some(Err(error)),
        };
        let metadata = has_metadata.then(|| retry_as(Call::FileStat, 0, |_| entry.metadata()));
        Some(Ok(Entry {
            path: entry.path(),
            kind,
            inode: entry.ino(),
            metadata,
        }))
    }
}
