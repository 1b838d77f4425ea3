//! What threads of the pool do for a watcher: folders are watched, and looked into.
//!
//! *Model.* A scan is a list of folders that are still to be done. A job takes it, works until it has a batch, and brings back what it found and
//! the rest of the list; so a large tree comes in pieces, and so does a large folder.
//!
//! *Why watched first and listed after.* What is made in between is then in the list, or told by the kernel, or both; the table
//! knows which names came by a list, and tells them once.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainspring_sys::file::{self as sys, Folder};
use mainspring_sys::watch::{Mark, Watch};

use crate::blocking::is_aborted;

/// A job ends when it has found so many things.
const BATCH: usize = 1024;

/// A folder that a scan has still to do.
pub(super) enum Branch {
    /// To be watched, and looked into.
    New {
        path: PathBuf,
        /// Whether a symbolic link in this place is followed.
        follows: bool,
    },
    /// Watched; the rest of its entries is still to be read.
    Open {
        path: PathBuf,
        mark: Mark,
        folder: Folder,
    },
}

/// What a job of a scan found, in this order.
pub(super) enum Found {
    /// A folder is watched.
    Folder(Mark, PathBuf),
    /// An entry of a folder that was found before.
    Entry(Mark, OsString),
    /// A folder could not be watched, or not be read.
    Failed(PathBuf, io::Error),
}

/// Watches folders and looks into them, those that were found last first. `wants_entries`: or else only folders are told.
pub(super) fn scan(watch: &Watch, left: &mut Vec<Branch>, wants_entries: bool) -> Vec<Found> {
    let mut found = Vec::new();
    while found.len() < BATCH && !is_aborted() {
        let Some(branch) = left.pop() else { break };
        scan_branch(watch, branch, left, wants_entries, &mut found);
    }
    found
}

fn scan_branch(
    watch: &Watch,
    branch: Branch,
    left: &mut Vec<Branch>,
    wants_entries: bool,
    found: &mut Vec<Found>,
) {
    let (path, mark, mut folder) = match branch {
        Branch::Open { path, mark, folder } => (path, mark, folder),
        Branch::New { path, follows } => {
            let mark = match watch.add(real(&path), follows) {
                Ok(mark) => mark,
                Err(error) => return found.push(Found::Failed(path, error)),
            };
            found.push(Found::Folder(mark, path.clone()));
            match Folder::open(real(&path)) {
                Ok(folder) => (path, mark, folder),
                Err(error) => return found.push(Found::Failed(path, error)),
            }
        }
    };
    while let Some(entry) = folder.next_entry(false) {
        let entry = match entry {
            Ok(entry) => entry,
            // Of an entry that went meanwhile, whose kind is asked.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return found.push(Found::Failed(path, error)),
        };
        if entry.kind.is_dir() {
            left.push(Branch::New {
                path: path.join(entry.name()),
                follows: false,
            });
        }
        if wants_entries {
            found.push(Found::Entry(mark, entry.name().to_owned()));
        }
        if found.len() >= BATCH || is_aborted() {
            return left.push(Branch::Open { path, mark, folder });
        }
    }
}

/// What a path that is added turns out to be, and the mark of the folder that was watched for it.
pub(super) enum Kind {
    /// A folder.
    Folder(Mark),
    /// Anything else, or nothing: it is watched by its name, in its folder.
    Name(Mark),
}

/// Watches what is at `path`. `must_exist`: a name that is not there is an error.
pub(super) fn add(watch: &Watch, path: &Path, must_exist: bool) -> io::Result<Kind> {
    let is_folder = match sys::metadata(real(path)) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => false,
        Err(error) => return Err(error),
    };
    if is_folder {
        return add_folder(watch, path).map(Kind::Folder);
    }
    match (path.file_name(), path.parent()) {
        (Some(_), Some(parent)) => add_folder(watch, parent).map(Kind::Name),
        _ => Err(ErrorKind::NotFound.into()),
    }
}

/// Watches a folder that the user named.
pub(super) fn add_folder(watch: &Watch, path: &Path) -> io::Result<Mark> {
    watch.add(real(path), true)
}

/// The parent of a name alone is the working directory.
fn real(path: &Path) -> &Path {
    match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    }
}
