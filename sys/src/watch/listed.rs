//! A watch over a kernel that tells *that* a file or a folder changed, but not which entry: folders are listed, and compared.
//!
//! *Model.* Every file and every folder is open here, and marked in the kernel by its descriptor. A change of a file becomes one of an
//! entry of its folder. A change of a folder becomes [`What::Unlisted`], and [`Object::refresh`] lists it again: what went and what came are
//! told apart by inode, so that a rename is one, also from one folder to another if both are listed in one go.
//!
//! *Cost.* A descriptor for each file and folder; a list for each change of a folder.
//!
//! *Locks.* No file is opened and no folder read under the lock, for the loop's thread takes it too.
//!
//! *Why it is compiled on Linux.* For the tests: inotify can tell as little as EVFILT_VNODE does, so all but that last call is run there.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Mark, Object, Record, What, limit};
use crate::fault::Call;
use crate::socket::retry;

/// What is told of a marked descriptor: `Modified` of a folder is a change of its entries.
pub(super) trait Base: std::fmt::Debug + Send + Sync {
    fn fd(&self) -> BorrowedFd<'_>;
    fn mark(&self, fd: BorrowedFd<'_>) -> io::Result<Mark>;
    /// Called before the marked descriptor is closed.
    fn unmark(&self, mark: Mark) -> io::Result<()>;
    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Mark, What)) -> io::Result<()>;
}

/// Device and inode.
type Identity = (u64, u64);

#[derive(Debug)]
struct Entry {
    inode: u64,
    is_folder: bool,
    /// A file that could be opened.
    file: Option<Mark>,
}

#[derive(Debug)]
struct Folder {
    fd: OwnedFd,
    identity: Identity,
    entries: BTreeMap<OsString, Entry>,
}

#[derive(Debug)]
struct File {
    folder: Mark,
    name: OsString,
    /// Open as long as it is watched.
    _fd: OwnedFd,
}

#[derive(Debug, Default)]
struct Known {
    folders: HashMap<Mark, Folder>,
    files: HashMap<Mark, File>,
    by_identity: HashMap<Identity, Mark>,
    /// The number of the last rename that was found.
    cookie: u32,
}

#[derive(Debug)]
pub(super) struct Listed<B> {
    base: B,
    known: Mutex<Known>,
}

/// A name that came or went.
#[derive(Debug)]
struct Change {
    folder: Mark,
    name: OsString,
    entry: Entry,
}

impl Change {
    fn record(&self, what: What) -> Record {
        Record {
            mark: self.folder,
            what,
            name: Some(self.name.clone()),
            is_folder: self.entry.is_folder,
        }
    }
}

impl<B: Base> Listed<B> {
    pub(super) fn over(base: B) -> Listed<B> {
        Listed {
            base,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in the folder now; `None` if the folder is not watched, or cannot be read.
    fn list(&self, folder: Mark) -> Option<BTreeMap<OsString, Entry>> {
        let fd = self.known().folders.get(&folder)?.fd.try_clone().ok()?;
        let mut dir = retry(Call::OpenFile, 0, |_| Dir::read_from(&fd)).ok()?;
        let mut entries = BTreeMap::new();
        while let Some(entry) = retry(Call::ReadFolder, 0, |_| dir.read().transpose()).ok()? {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match kind_of(&fd, name) {
                    Ok(kind) => kind,
                    // It went meanwhile.
                    Err(_) => continue,
                },
                kind => kind,
            };
            let entry = Entry {
                inode: entry.ino(),
                is_folder: kind == FileType::Directory,
                // Marked later; of what is neither file nor folder, whose opening may do things, only the name is watched.
                file: None,
            };
            entries.insert(name.to_owned(), entry);
        }
        Some(entries)
    }

    /// Opens and marks a file of a folder. What cannot be opened is watched by its name alone.
    fn mark_file(&self, folder: Mark, name: &OsStr) -> io::Result<Option<Mark>> {
        let clone = self
            .known()
            .folders
            .get(&folder)
            .map(|known| known.fd.try_clone());
        let Some(Ok(dir)) = clone else {
            return Ok(None);
        };
        if !matches!(kind_of(&dir, name), Ok(FileType::RegularFile)) {
            return Ok(None);
        }
        let flags = FLAGS | OFlags::NOFOLLOW;
        let open = |_| rustix::fs::openat(&dir, name, flags, Mode::empty());
        let fd = match retry(Call::WatchAdd, 0, open) {
            Ok(fd) => fd,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE) => return Err(too_many()),
                _ => return Ok(None),
            },
        };
        // At once, so that whatever is told of it finds it.
        let mut known = self.known();
        let mark = self.base.mark(fd.as_fd())?;
        let file = File {
            folder,
            name: name.to_owned(),
            _fd: fd,
        };
        known.files.insert(mark, file);
        Ok(Some(mark))
    }

    fn forget_file(&self, known: &mut Known, entry: &Entry) {
        if let Some(mark) = entry.file {
            let _ = self.base.unmark(mark);
            known.files.remove(&mark);
        }
    }

    /// Tells what went and what came, and keeps it.
    fn settle(
        &self,
        gone: Vec<Change>,
        come: Vec<Change>,
        records: &mut Vec<Record>,
    ) -> io::Result<()> {
        let mut gone: Vec<Option<Change>> = gone.into_iter().map(Some).collect();
        let mut pairs: Vec<(Change, Change)> = Vec::new();
        let mut new: Vec<Change> = Vec::new();
        for change in come {
            let is_same = |old: &Option<Change>| {
                old.as_ref().is_some_and(|old| {
                    old.entry.inode == change.entry.inode
                        && old.entry.is_folder == change.entry.is_folder
                })
            };
            match gone
                .iter_mut()
                .find(|old| is_same(old))
                .and_then(Option::take)
            {
                Some(old) => pairs.push((old, change)),
                None => new.push(change),
            }
        }
        let mut known = self.known();
        for change in gone.into_iter().flatten() {
            let is_replaced = pairs
                .iter()
                .any(|(_, to)| to.folder == change.folder && to.name == change.name);
            self.forget_file(&mut known, &change.entry);
            if !is_replaced {
                records.push(change.record(What::Removed));
            }
        }
        while let Some((from, mut to)) = next_rename(&mut pairs) {
            known.cookie = known.cookie.wrapping_add(1);
            records.push(from.record(What::MovedFrom(known.cookie)));
            records.push(to.record(What::MovedTo(known.cookie)));
            to.entry.file = from.entry.file;
            if let Some(file) = to.entry.file.and_then(|mark| known.files.get_mut(&mark)) {
                (file.folder, file.name) = (to.folder, to.name.clone());
            }
            if let Some(folder) = known.folders.get_mut(&to.folder) {
                folder.entries.insert(to.name, to.entry);
            }
        }
        drop(known);
        let mut result = Ok(());
        for mut change in new {
            if !change.entry.is_folder && result.is_ok() {
                match self.mark_file(change.folder, &change.name) {
                    Ok(file) => change.entry.file = file,
                    Err(error) => result = Err(error),
                }
            }
            records.push(change.record(What::Created));
            if let Some(folder) = self.known().folders.get_mut(&change.folder) {
                folder.entries.insert(change.name, change.entry);
            }
        }
        result
    }
}

/// One whose target's name is not about to be moved away itself; in a circle, any.
fn next_rename(pairs: &mut Vec<(Change, Change)>) -> Option<(Change, Change)> {
    let is_free = |(_, to): &(Change, Change)| {
        !pairs
            .iter()
            .any(|(from, _)| from.folder == to.folder && from.name == to.name)
    };
    let free = pairs.iter().position(is_free);
    (!pairs.is_empty()).then(|| pairs.swap_remove(free.unwrap_or(0)))
}

/// To be told of, and not to be read where the system knows the difference.
const FLAGS: OFlags = OFlags::from_bits_retain(EVENTS_ONLY as _)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
#[cfg(target_vendor = "apple")]
const EVENTS_ONLY: i32 = libc::O_EVTONLY;
#[cfg(not(target_vendor = "apple"))]
const EVENTS_ONLY: i32 = libc::O_RDONLY;

fn kind_of(dir: &OwnedFd, name: &OsStr) -> io::Result<FileType> {
    let stat = |_| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let stat = retry(Call::FileStat, 0, stat)?;
    Ok(FileType::from_raw_mode(stat.st_mode as _))
}

#[cold]
fn too_many() -> io::Error {
    limit(
        "each file that is watched takes a descriptor here, and this process has as many as it may: raise RLIMIT_NOFILE",
    )
}

impl<B: Base> Object for Listed<B> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.base.fd()
    }

    fn tells_entries(&self) -> bool {
        false
    }

    #[allow(clippy::unnecessary_cast, reason = "the fields differ between systems")]
    fn add(&self, folder: &Path, follows: bool) -> io::Result<Mark> {
        let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::DIRECTORY;
        if !follows {
            flags |= OFlags::NOFOLLOW;
        }
        let open = |_| rustix::fs::open(folder, flags, Mode::empty());
        let fd =
            retry(Call::WatchAdd, 0, open).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE) => too_many(),
                // So says a link that is not to be followed.
                Some(Errno::LOOP | Errno::MLINK) if !follows => io::ErrorKind::NotADirectory.into(),
                _ => error,
            })?;
        let stat = retry(Call::FileStat, 0, |_| rustix::fs::fstat(&fd))?;
        let identity = (stat.st_dev as u64, stat.st_ino as u64);
        let mark = {
            let mut known = self.known();
            if let Some(mark) = known.by_identity.get(&identity) {
                return Ok(*mark);
            }
            let mark = self.base.mark(fd.as_fd())?;
            known.by_identity.insert(identity, mark);
            let folder = Folder {
                fd,
                identity,
                entries: BTreeMap::new(),
            };
            known.folders.insert(mark, folder);
            mark
        };
        for (name, mut entry) in self.list(mark).unwrap_or_default() {
            if !entry.is_folder {
                match self.mark_file(mark, &name) {
                    Ok(file) => entry.file = file,
                    Err(error) => {
                        self.remove(mark)?;
                        return Err(error);
                    }
                }
            }
            if let Some(folder) = self.known().folders.get_mut(&mark) {
                folder.entries.insert(name, entry);
            }
        }
        Ok(mark)
    }

    fn remove(&self, mark: Mark) -> io::Result<()> {
        let mut known = self.known();
        let Some(folder) = known.folders.remove(&mark) else {
            return Ok(());
        };
        known.by_identity.remove(&folder.identity);
        for entry in folder.entries.values() {
            self.forget_file(&mut known, entry);
        }
        self.base.unmark(mark)
    }

    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Record)) -> io::Result<()> {
        let known = self.known();
        self.base.read(buf, &mut |mark, what| {
            let (mark, what, name) = match (known.files.get(&mark), what) {
                // Its folder tells of these.
                (Some(_), What::Gone | What::Moved) => return,
                (Some(file), what) => (file.folder, what, Some(file.name.clone())),
                (None, What::Modified) => (mark, What::Unlisted, None),
                (None, what) => (mark, what, None),
            };
            let is_folder = name.is_none();
            each(Record {
                mark,
                what,
                name,
                is_folder,
            });
        })
    }

    fn refresh(&self, marks: &[Mark], records: &mut Vec<Record>) -> io::Result<()> {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for &folder in marks {
            let Some(mut now) = self.list(folder) else {
                continue;
            };
            let mut known = self.known();
            let Some(known) = known.folders.get_mut(&folder) else {
                continue;
            };
            for (name, entry) in std::mem::take(&mut known.entries) {
                let is_same = now.get(&name).is_some_and(|now| {
                    now.inode == entry.inode && now.is_folder == entry.is_folder
                });
                if is_same {
                    now.remove(&name);
                    known.entries.insert(name, entry);
                } else {
                    gone.push(Change {
                        folder,
                        name,
                        entry,
                    });
                }
            }
            let change = |(name, entry)| Change {
                folder,
                name,
                entry,
            };
            come.extend(now.into_iter().map(change));
        }
        self.settle(gone, come, records)
    }
}
