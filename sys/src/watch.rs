//! Watching files: an object of the kernel that tells what happened to files, and in folders.
//!
//! *Role.* `mainspring::fs::Watcher` is made of one [`Watch`]. It is readable when something happened; threads of the pool add
//! folders to it while the loop reads.
//!
//! *Model.* What is watched has a [`Mark`]; a [`Record`] says what happened to whatever has this mark, or to an entry of it.
//!
//! | system | what it is |
//! |---|---|
//! | Linux, Android | inotify: a folder's mark tells of its entries by name |
//! | macOS, the BSDs | a kqueue of its own with EVFILT_VNODE on open files; folders are listed, and compared |
//! | elsewhere | none: `Unsupported` |
//!
//! *Why marks and no paths.* The kernel watches inodes. By which path somebody knows one is his to remember, and changes when a
//! folder above it is renamed.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inotify;
#[cfg(any(
    all(feature = "sim", any(target_os = "linux", target_os = "android")),
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod listed;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod vnode;

mod entries;
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod reader;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

pub use entries::{Entries, Entry};

/// What is watched, as the kernel numbers it. The same inode has the same mark while it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(i32);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An entry was made in the folder, or linked into it.
    Created,
    /// An entry was removed from the folder.
    Removed,
    /// An entry was moved away. Where it was moved to, if we watch that, says a record with the same number.
    MovedFrom(u32),
    /// An entry was moved in; perhaps in the place of another.
    MovedTo(u32),
    /// The bytes of an entry, or of the file itself, changed.
    Modified,
    /// Permissions, owner, times, links: of an entry, or of what is marked itself.
    Metadata,
    /// What is marked was itself removed, or its file system unmounted.
    Gone,
    /// What is marked was itself moved.
    Moved,
    /// The mark is no more, and will not come again.
    Forgotten,
    /// Records were lost: there were more than the kernel keeps. It has no mark that means something.
    Overflow,
    /// Entries of the folder changed, and the kernel does not say which: [`Watch::refresh`] finds out.
    Unlisted,
}

impl What {
    /// Whether it changed which names a folder has.
    #[must_use]
    pub fn is_of_names(self) -> bool {
        matches!(
            self,
            What::Created | What::Removed | What::MovedFrom(_) | What::MovedTo(_)
        )
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// To whom, or in which folder.
    pub mark: Mark,
    /// What.
    pub what: What,
    /// The name of the entry; `None` where it happened to what is marked itself.
    pub name: Option<OsString>,
    /// Whether the entry is a folder.
    pub is_folder: bool,
}

/// Where a folder is that is to be watched.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its path.
    pub path: &'a Path,
    /// The folder where it was found, and its name there. `None`: it was named by somebody, and may be a link to a folder. One that is
    /// found is not followed.
    pub entry: Option<(Mark, &'a OsStr)>,
}

impl Place<'_> {
    /// Whether a link in this place is followed.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.entry.is_none()
    }
}

/// What a kind of kernel can do. Threads of the pool call it, all but `read`, which is the loop's.
trait Object: fmt::Debug + Send + Sync {
    fn fd(&self) -> BorrowedFd<'_>;
    fn add(&self, place: Place<'_>) -> io::Result<Mark>;
    fn enter(&self, place: Place<'_>) -> io::Result<(Mark, Entries)>;
    fn remove(&self, mark: Mark) -> io::Result<()>;
    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Record)) -> io::Result<()>;

    fn tells_entries(&self) -> bool {
        true
    }

    fn locate(&self, record: Record) -> Option<Record> {
        Some(record)
    }

    fn folder_at(&self, _folder: Mark, _name: &OsStr) -> Option<Mark> {
        None
    }

    fn unsettled(&self) -> Option<Mark> {
        None
    }

    /// Only an object that gives [`What::Unlisted`] is asked.
    fn refresh(&self, marks: &[Mark], records: &mut Vec<Record>) -> io::Result<()> {
        let _ = (marks, records);
        Ok(())
    }
}

/// Tells what happens in folders. It does not block; its descriptor is readable when there are records.
#[derive(Debug)]
pub struct Watch(Box<dyn Object>);

/// With a shorter buffer, [`Watch::read`] may be unable to take a record: a head of 16 bytes and a name of 256.
pub const BUFFER_MIN: usize = 16 + 256;

/// What [`Watch::read`] makes of what inotify wrote: the fuzz target `inotify` gives it any bytes.
#[cfg(all(fuzzing, any(target_os = "linux", target_os = "android")))]
#[doc(hidden)]
pub fn fuzz_inotify(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    inotify::translate_all(bytes, &mut |record| records.push(record));
    records
}

impl Watch {
    /// A watch that watches nothing yet.
    ///
    /// # Errors
    /// `QuotaExceeded` if there are too many of them, or too many descriptors: the text names the limit. `Unsupported` where
    /// the system has nothing of the kind.
    pub fn open() -> io::Result<Watch> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(Watch(Box::new(inotify::Inotify::open()?)));
        #[cfg(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly"
        ))]
        return Ok(Watch(Box::new(listed::Listed::over(vnode::Vnode::open()?))));
        #[cfg(not(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly"
        )))]
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has neither inotify nor EVFILT_VNODE: look at the files every now and then instead",
        ));
    }

    /// A watch that knows as little of entries as EVFILT_VNODE does, on every system that can watch; for tests.
    ///
    /// # Errors
    /// As [`Watch::open`].
    #[cfg(feature = "sim")]
    pub fn open_listed() -> io::Result<Watch> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(Watch(Box::new(listed::Listed::over(
            inotify::Inotify::open()?,
        ))));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Watch::open();
    }

    /// Whether what happens to an entry is told of its folder alone. Or else a folder that is marked tells of itself.
    #[must_use]
    pub fn tells_entries(&self) -> bool {
        self.0.tells_entries()
    }

    /// Watches the folder, from now on. One that is watched already keeps its mark. May block, as any look at a file.
    ///
    /// # Errors
    /// `QuotaExceeded` if no more can be watched: the text names the limit. `NotADirectory` if it is no folder, and also if it is a
    /// link that was found; what `open` says otherwise.
    pub fn add(&self, place: Place<'_>) -> io::Result<Mark> {
        self.0.add(place)
    }

    /// Watches the folder as [`Watch::add`] does, and tells what is in it. Whatever happens to these entries after that is told.
    ///
    /// # Errors
    /// As for [`Watch::add`]. `NotFound` also if the folder in this place is not the one that was found there: then records
    /// say so.
    pub fn enter(&self, place: Place<'_>) -> io::Result<(Mark, Entries)> {
        self.0.enter(place)
    }

    /// Watches it no more. Records that the kernel has already may still come.
    ///
    /// # Errors
    /// None for a mark that is gone.
    pub fn remove(&self, mark: Mark) -> io::Result<()> {
        self.0.remove(mark)
    }

    /// Takes as many records as fit into `buf`, and gives them to `each` in the order in which things happened. Each goes through
    /// [`Watch::locate`] when its turn comes.
    ///
    /// # Errors
    /// `WouldBlock` if nothing happened.
    pub fn read(&self, buf: &mut [u8], mut each: impl FnMut(Record)) -> io::Result<()> {
        self.0.read(buf, &mut each)
    }

    /// What the record says of an entry of a folder, by what was told before; `None` if that is nothing.
    #[must_use]
    pub fn locate(&self, record: Record) -> Option<Record> {
        self.0.locate(record)
    }

    /// The mark of the folder that is this entry, where the kernel does not [tell of entries](Watch::tells_entries); by what was told, or
    /// is about to be.
    #[must_use]
    pub fn folder_at(&self, folder: Mark, name: &OsStr) -> Option<Mark> {
        self.0.folder_at(folder, name)
    }

    /// A folder that is to be refreshed, though no record may say so.
    #[must_use]
    pub fn unsettled(&self) -> Option<Mark> {
        self.0.unsettled()
    }

    /// Puts into `records` what happened in folders whose record was [`What::Unlisted`], since they were added or refreshed last. Blocks.
    ///
    /// # Errors
    /// `QuotaExceeded`, as for [`Watch::add`]: some of what is new is watched by name alone. What kept a folder from being read: then
    /// it is [unsettled](Watch::unsettled).
    pub fn refresh(&self, marks: &[Mark], records: &mut Vec<Record>) -> io::Result<()> {
        self.0.refresh(marks, records)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }
}

/// A limit of the system was met.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
#[cold]
fn limit(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, text)
}
