//! `ReadDir`: the entries of a folder, as a stream.
//!
//! *Cost.* A job of the pool brings up to [`BATCH`] entries, and reads on when they are taken.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{FileType, Metadata};
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::name::symlink_metadata;
use super::op::{Op, send};
use crate::stream::Stream;
use crate::task::budget::poll_spend;
use crate::task::join::AbortOnDrop;

/// How many entries a job brings.
const BATCH: usize = 512;

/// The entries of a folder but `.` and `..`, in the order in which the file system has them. An error of the folder itself comes
/// as an item, and is the last.
///
/// ```
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let mut entries = mainspring::fs::read_dir("src");
/// let mut files = 0;
/// while let Some(entry) = entries.next().await {
///     files += usize::from(entry?.file_type().is_file());
/// }
/// assert!(files > 10);
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> ReadDir {
    ReadDir {
        path: path.as_ref().to_path_buf(),
        has_metadata: false,
        folder: None,
        entries: VecDeque::new(),
        away: None,
        is_done: false,
        made_at: Location::caller(),
    }
}

type Batch = (Option<sys::Folder>, VecDeque<io::Result<DirEntry>>);

/// The entries of a folder, as a stream. Made by [`read_dir`].
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir {
    path: PathBuf,
    has_metadata: bool,
    /// Open, between two jobs.
    folder: Option<sys::Folder>,
    entries: VecDeque<io::Result<DirEntry>>,
    away: Option<AbortOnDrop<Batch>>,
    is_done: bool,
    made_at: &'static Location<'static>,
}

impl ReadDir {
    /// Asks for each entry's metadata, too, in the job that reads the folder.
    pub fn with_metadata(mut self) -> ReadDir {
        self.has_metadata = true;
        self
    }
}

/// Reads a batch of a folder, which is opened first if it is not. The folder comes back if there is more.
fn read_batch(path: &Path, folder: Option<sys::Folder>, has_metadata: bool) -> Batch {
    let mut entries = VecDeque::new();
    let mut folder = match folder.map_or_else(|| sys::Folder::open(path), Ok) {
        Ok(folder) => folder,
        Err(error) => {
            entries.push_back(Err(error));
            return (None, entries);
        }
    };
    while entries.len() < BATCH {
        match folder.next_entry(has_metadata) {
            Some(Ok(entry)) => entries.push_back(Ok(DirEntry::from(entry))),
            Some(Err(error)) => {
                entries.push_back(Err(error));
                return (None, entries);
            }
            None => return (None, entries),
        }
    }
    (Some(folder), entries)
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if !this.entries.is_empty() {
                ready!(poll_spend(cx));
                return Poll::Ready(this.entries.pop_front());
            }
            if this.is_done {
                return Poll::Ready(None);
            }
            if this.away.is_none() {
                let (path, folder) = (this.path.clone(), this.folder.take());
                let has_metadata = this.has_metadata;
                let work = move || read_batch(&path, folder, has_metadata);
                match send(work, this.made_at) {
                    Ok(job) => this.away = Some(job.abort_on_drop()),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            let Some(away) = &mut this.away else { continue };
            let batch = ready!(Pin::new(away).poll(cx));
            this.away = None;
            match batch {
                Ok((folder, entries)) => {
                    this.is_done = folder.is_none();
                    (this.folder, this.entries) = (folder, entries);
                }
                Err(error) => {
                    this.is_done = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a folder has: a name, and what is behind it.
#[derive(Clone, Debug)]
pub struct DirEntry {
    path: PathBuf,
    kind: FileType,
    inode: u64,
    metadata: Option<Metadata>,
}

impl From<sys::Entry> for DirEntry {
    fn from(entry: sys::Entry) -> DirEntry {
        DirEntry {
            path: entry.path,
            kind: entry.kind,
            inode: entry.inode,
            // What could not be said then is asked again by who wants to know.
            metadata: entry.metadata.and_then(Result::ok),
        }
    }
}

impl DirEntry {
    /// The folder's path, and the name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path, taken out.
    #[must_use]
    pub fn into_path(self) -> PathBuf {
        self.path
    }

    /// The name alone.
    #[must_use]
    pub fn file_name(&self) -> &OsStr {
        // An entry has one: it is never `..`.
        self.path.file_name().unwrap_or_default()
    }

    /// What it is; of a symbolic link, that it is one.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        self.kind
    }

    /// The number of the file in its file system.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// What the file was like (of a symbolic link: the link) when the folder was read, if that was asked
    /// for ([`ReadDir::with_metadata`]) and could be said.
    #[must_use]
    pub fn known_metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// What the file is like now; of a symbolic link, the link.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// What `lstat` says: `NotFound` if it was removed meanwhile.
    #[track_caller]
    pub fn metadata(&self) -> Op<Metadata> {
        symlink_metadata(&self.path)
    }
}
