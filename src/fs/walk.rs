//! `walk`: all that is in a folder and below it, as a stream, read by several threads.
//!
//! *Model.* Folders that are still to be read stand in a list. A job takes some of them and reads, deeper and deeper, until it has
//! a batch; it brings back what it found and the folders that it did not come to. So the trips to the pool are few, and several
//! threads are busy as soon as there are several folders.
//!
//! ```text
//!    todo: folders ──► jobs, at most so many ──► entries, errors ──► the stream
//!      ▲                    │ folders left
//!      └────────────────────┘
//! ```
//!
//! *Order.* A folder comes before what is in it. Otherwise there is none.
//!
//! *Links* are entries like others, and not followed: there are no circles.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::folder::DirEntry;
use super::op::send;
use crate::blocking::is_aborted;
use crate::stream::Stream;
use crate::task::budget::poll_spend;
use crate::task::join::AbortOnDrop;

/// A job ends when it has so many entries, at the end of a folder.
const BATCH: usize = 1024;
/// How many jobs are under way at once, unless told otherwise.
const JOBS_MAX: usize = 4;
/// No more jobs are sent while so many entries wait to be taken.
const WAITING_MAX: usize = 16 * BATCH;

/// All that is in a folder and below it; not the folder itself.
///
/// ```
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let mut bytes = 0;
/// let mut entries = mainspring::fs::walk("src").with_metadata();
/// while let Some(entry) = entries.next().await {
///     bytes += entry?.known_metadata().map_or(0, |metadata| metadata.len());
/// }
/// assert!(bytes > 100_000);
/// # Ok::<_, mainspring::fs::WalkError>(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn walk(path: impl AsRef<Path>) -> Walk {
    Walk {
        todo: VecDeque::from([Branch {
            path: path.as_ref().to_path_buf(),
            depth: 0,
        }]),
        found: VecDeque::new(),
        jobs: Vec::new(),
        jobs_max: JOBS_MAX,
        how: How {
            has_metadata: false,
            depth_max: usize::MAX,
        },
        made_at: Location::caller(),
    }
}

/// A folder that is still to be read.
struct Branch {
    path: PathBuf,
    /// How many folders lie between it and the one where the walk began.
    depth: usize,
}

#[derive(Clone, Copy)]
struct How {
    has_metadata: bool,
    depth_max: usize,
}

#[derive(Default)]
struct Found {
    entries: VecDeque<Result<DirEntry, WalkError>>,
    branches: Vec<Branch>,
}

/// What is in a folder and below it, as a stream. Made by [`walk`].
#[must_use = "streams do nothing unless polled"]
pub struct Walk {
    todo: VecDeque<Branch>,
    found: VecDeque<Result<DirEntry, WalkError>>,
    jobs: Vec<AbortOnDrop<Found>>,
    jobs_max: usize,
    how: How,
    made_at: &'static Location<'static>,
}

impl Walk {
    /// Asks for each entry's metadata, too, in the job that finds it.
    pub fn with_metadata(mut self) -> Walk {
        self.how.has_metadata = true;
        self
    }

    /// How many folders are read at once, at most; 4 unless told otherwise.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn jobs_max(mut self, jobs_max: usize) -> Walk {
        assert!(jobs_max > 0, "a walk needs at least one job at a time");
        self.jobs_max = jobs_max;
        self
    }

    /// Goes only so deep: 1 is what is in the folder itself.
    pub fn depth_max(mut self, depth_max: usize) -> Walk {
        self.how.depth_max = depth_max;
        self
    }

    fn send_jobs(&mut self) -> io::Result<()> {
        while self.jobs.len() < self.jobs_max
            && self.found.len() < WAITING_MAX
            && !self.todo.is_empty()
        {
            let free = self.jobs_max - self.jobs.len();
            let share = self.todo.len().div_ceil(free);
            let branches: Vec<Branch> = self.todo.drain(..share).collect();
            let how = self.how;
            let job = send(move || read_branches(branches, how), self.made_at)?;
            self.jobs.push(job.abort_on_drop());
        }
        Ok(())
    }
}

/// Reads folders and those below them, until there is a batch. The ones that were found last are read first, so that few are left.
fn read_branches(branches: Vec<Branch>, how: How) -> Found {
    let mut found = Found {
        entries: VecDeque::new(),
        branches,
    };
    while found.entries.len() < BATCH && !is_aborted() {
        let Some(branch) = found.branches.pop() else {
            break;
        };
        read_branch(&branch, how, &mut found);
    }
    found
}

fn read_branch(branch: &Branch, how: How, found: &mut Found) {
    let failed = |error| {
        Err(WalkError {
            path: branch.path.clone(),
            error,
        })
    };
    let mut folder = match sys::Folder::open(&branch.path) {
        Ok(folder) => folder,
        Err(error) => return found.entries.push_back(failed(error)),
    };
    while let Some(entry) = folder.next_entry(how.has_metadata) {
        match entry {
            Ok(entry) => {
                if entry.kind.is_dir() && branch.depth + 1 < how.depth_max {
                    found.branches.push(Branch {
                        path: entry.path.clone(),
                        depth: branch.depth + 1,
                    });
                }
                found.entries.push_back(Ok(DirEntry::from(entry)));
            }
            // A folder that cannot be read on says so for ever.
            Err(error) => return found.entries.push_back(failed(error)),
        }
    }
}

impl Stream for Walk {
    type Item = Result<DirEntry, WalkError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Err(error) = this.send_jobs() {
                let path = this.todo.drain(..).next().map(|branch| branch.path);
                let path = path.unwrap_or_default();
                return Poll::Ready(Some(Err(WalkError { path, error })));
            }
            if !this.found.is_empty() {
                ready!(poll_spend(cx));
                return Poll::Ready(this.found.pop_front());
            }
            if this.jobs.is_empty() {
                return Poll::Ready(None);
            }
            let mut has_landed = false;
            let mut index = 0;
            while index < this.jobs.len() {
                let Poll::Ready(landed) = Pin::new(&mut this.jobs[index]).poll(cx) else {
                    index += 1;
                    continue;
                };
                drop(this.jobs.swap_remove(index));
                has_landed = true;
                match landed {
                    Ok(mut found) => {
                        this.found.append(&mut found.entries);
                        this.todo.extend(found.branches);
                    }
                    Err(error) => this.found.push_back(Err(WalkError {
                        path: PathBuf::new(),
                        error: error.into(),
                    })),
                }
            }
            if !has_landed {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("found", &self.found.len())
            .field("folders", &self.todo.len())
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

/// A folder that could not be read, and why. The walk goes on with the others.
#[derive(Debug)]
pub struct WalkError {
    path: PathBuf,
    error: io::Error,
}

impl WalkError {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it could not be read.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl Error for WalkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<WalkError> for io::Error {
    fn from(error: WalkError) -> io::Error {
        error.error
    }
}
