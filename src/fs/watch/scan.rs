//! What threads of the pool do for a watcher: folders are watched, and looked into.
//!
//! *Model.* A scan is a list of folders that are still to be done. A job takes it, works until it has a batch, and brings back what it found and
//! the rest of the list; so a large tree comes in pieces, and so does a large folder.
//!
//! *Why watched first and listed after.* What is made in between is then in the list, or told by the kernel, or both; the table
//! knows which names came by a list, and tells them once. A folder is opened once for both, so that a rename in between loses nothing.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainspring_sys::file as sys;
use mainspring_sys::watch::{Entries, Mark, Place, Watch};

use crate::blocking::is_aborted;

/// A job ends when it has found so many things.
const BATCH: usize = 1024;

/// A folder that a scan has still to do.
pub(super) enum Branch {
    /// To be watched, and looked into.
    New {
        path: PathBuf,
        /// The folder where it was found, and its name there. A root was named, and may be a link to a folder.
        entry: Option<(Mark, OsString)>,
        /// Whether it is told itself, if it is there.
        is_news: bool,
    },
    /// Watched; the rest of its entries is still to be read.
    Open {
        path: PathBuf,
        mark: Mark,
        entries: Entries,
    },
}

/// What a job of a scan found, in this order.
pub(super) enum Found {
    /// Something is there of which nothing was told.
    Itself(Mark, OsString),
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
    let (path, mark, mut entries) = match branch {
        Branch::Open {
            path,
            mark,
            entries,
        } => (path, mark, entries),
        Branch::New {
            path,
            entry,
            is_news,
        } => {
            let place = Place {
                path: real(&path),
                entry: entry.as_ref().map(|(mark, name)| (*mark, name.as_os_str())),
            };
            let entered = watch.enter(place);
            let is_there = match &entered {
                Err(error) => error.kind() == ErrorKind::NotADirectory,
                Ok(_) => true,
            };
            if let Some((folder, name)) = entry.filter(|_| is_news && is_there) {
                found.push(Found::Itself(folder, name));
            }
            match entered {
                Ok((mark, entries)) => {
                    found.push(Found::Folder(mark, path.clone()));
                    (path, mark, entries)
                }
                Err(error) => return found.push(Found::Failed(path, error)),
            }
        }
    };
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return found.push(Found::Failed(path, error)),
        };
        if entry.is_folder {
            left.push(Branch::New {
                path: path.join(&entry.name),
                entry: Some((mark, entry.name.clone())),
                is_news: false,
            });
        }
        if wants_entries {
            found.push(Found::Entry(mark, entry.name));
        }
        if found.len() >= BATCH || is_aborted() {
            return left.push(Branch::Open {
                path,
                mark,
                entries,
            });
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
    watch.add(Place {
        path: real(path),
        entry: None,
    })
}

/// The parent of a name alone is the working directory.
fn real(path: &Path) -> &Path {
    match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    }
}
