//! `Watcher`: what happens to files and in folders, as a stream.
//!
//! *Model.* The kernel tells of inodes, and people know paths. Between the two stands a table; threads of the pool add folders to the
//! kernel's watch, and look into them, while the loop reads what the kernel tells.
//!
//! ```text
//!    kernel ── records ──► raw ── one after the other, through the table ──► events ──► next()
//!                                         │ a new folder
//!                                         ▼
//!                              a job: watch it, look into it, deeper and deeper
//! ```
//!
//! *Where the kernel has no names*, `sys` lists folders, and makes records of what changed: each says what is to be done to the table, which is
//! at every record what `sys` took it for. So there every path is exact. Where it has names, a name may be another folder's by the time when it is
//! looked into: whatever may have been told of the wrong one is told once more.
//!
//! *Order.* While a job is under way no record is looked at. So the table always tells of the time of the record at hand, and a job's
//! findings come before all that happened after it.
//!
//! *Names, not inodes.* A file is watched by watching its folder for its name. So a file that is replaced, as editors and rotated
//! logs do it, goes on being watched, and one that is not there yet can be.
//!
//! *Files*, by idea: `event` is what users are told; `table` knows which mark is which path; `state` what a record
//! means; `scan` looks into folders, by jobs that `land`; `work` polls them; `wait` has the futures.
//!
//! *Cost.* A read of the kernel brings some hundred events. A watched folder takes an inode and a mark of the kernel, and two copies of its path
//! here. What was not read yet is bounded: beyond that the kernel's queue overflows, which is told.

mod event;
mod land;
mod scan;
mod state;
mod table;
#[cfg(all(test, feature = "sim"))]
mod tests;
mod wait;
mod work;

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::Path;

use mainspring_sys::watch::Watch;

pub use event::{Event, WatchError};
pub use wait::{Add, Next};

use land::Asked;
use work::Work;

/// Watches files and folders, and tells what happens to them. It is a [`Stream`](crate::stream::Stream) too, without an end.
///
/// What happens after [`add`](Watcher::add) has returned is told at least once, in the order of the folder where it happened; or
/// [`Event::Overflow`] is. An event tells what happened then: by now the file may be another, or gone.
///
/// Files are known by the paths that were given here. A path that is relative is looked up from the working directory when it is
/// added.
///
/// *Not seen:* what is written through a mapping; what other machines do to a network's file system; that a folder above a watched
/// one was renamed; that a watched folder was removed, as long as somebody has it open.
///
/// On macOS and the BSDs the kernel has no names: there a job lists a folder when it changed, so a file that came and went at once is
/// not told of, and every file takes a descriptor. illumos has no such thing: `Unsupported`.
///
/// ```
/// use mainspring::fs::{self, Watcher, watch::Event};
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let mut watcher = Watcher::new()?;
/// watcher.add_recursive(folder.path()).await?;
/// fs::create_dir(folder.path().join("deep")).await?;
/// fs::write(folder.path().join("deep/file"), "tick").await?;
/// loop {
///     match watcher.next().await? {
///         Event::Created(path) if path.ends_with("deep/file") => break,
///         event => println!("{event:?}"),
///     }
/// }
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub struct Watcher {
    work: Work,
}

impl Watcher {
    /// A watcher that watches nothing yet.
    ///
    /// # Errors
    /// `QuotaExceeded` if there are too many watchers or descriptors, and which limit to raise; `Unsupported`.
    #[track_caller]
    pub fn new() -> io::Result<Watcher> {
        Ok(Watcher::over(Watch::open()?))
    }

    /// A watcher as it is where the kernel has no names, on every system that can watch; for tests.
    ///
    /// # Errors
    /// As [`Watcher::new`].
    #[cfg(feature = "sim")]
    #[track_caller]
    pub fn new_listed() -> io::Result<Watcher> {
        Ok(Watcher::over(Watch::open_listed()?))
    }

    #[track_caller]
    fn over(watch: Watch) -> Watcher {
        Watcher {
            work: Work::new(watch, Location::caller()),
        }
    }

    /// Watches a file, or a folder and what is in it, but not below.
    ///
    /// Of a folder it is told what happens to its entries; and that it was itself removed or moved away, with
    /// [`Event::Removed`], after which it is watched no more. Anything else is watched by its name: it may be replaced, or not be there
    /// yet, but its folder must. A symbolic link to a folder is followed; one to a file is what is watched, and not the file.
    ///
    /// What is added again stays as it is.
    ///
    /// # Cancel safety
    /// Safe: once polled, it goes on with the other waits of this watcher, and the call can be made again.
    ///
    /// # Errors
    /// `QuotaExceeded` if no more can be watched, and which limit to raise; `NotFound`; `AlreadyExists` if the folder is watched by another path;
    /// what `stat` and `open` say.
    #[track_caller]
    pub fn add(&mut self, path: impl AsRef<Path>) -> Add<'_> {
        Add::new(&mut self.work, path.as_ref(), Asked::Entries)
    }

    /// As [`Watcher::add`], with all that is below the folder.
    ///
    /// A folder that is made in it, or moved into it, is watched as well, and what is in it by then is told as
    /// [`Event::Created`]: nothing that is made in between is lost. Symbolic links are not followed.
    ///
    /// What cannot be watched on the way, because this user may not read it, comes out of [`Watcher::next`] as an error.
    ///
    /// # Cancel safety
    /// Safe: once polled, it goes on with the other waits of this watcher, and the call can be made again.
    ///
    /// # Errors
    /// As for [`Watcher::add`]; with `QuotaExceeded` nothing of it is watched.
    #[track_caller]
    pub fn add_recursive(&mut self, path: impl AsRef<Path>) -> Add<'_> {
        Add::new(&mut self.work, path.as_ref(), Asked::Tree)
    }

    /// Watches it no more. What the kernel told before may still come.
    ///
    /// Takes a system call for each folder that was watched for its sake.
    ///
    /// # Errors
    /// `NotFound` if nothing was added by this path.
    pub fn remove(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        self.work.remove(path.as_ref())
    }

    /// Waits for the next thing that happens.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// What kept a folder from being watched. The watcher goes on with the others.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "what a stream calls it, too")]
    pub fn next(&mut self) -> Next<'_> {
        Next::new(&mut self.work)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.work.fmt(f)
    }
}
