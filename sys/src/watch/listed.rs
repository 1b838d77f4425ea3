//! A watch over a kernel that tells *that* a file or a folder changed, but not which entry: folders are listed, and compared.
//!
//! *Model.* Every file and every folder is open here, and marked in the kernel by its descriptor. A change of a file becomes one of an
//! entry of its folder. A change of a folder becomes [`What::Unlisted`], and [`Object::refresh`] lists it again. What was told of each
//! folder stands in a [`Picture`]; what differs from it is told, and then stands there. So whatever happens between two lists, in the end
//! what was told is what is there.
//!
//! *Renames.* A folder that is open keeps its inode, so that one that is found somewhere is known again for sure, and was renamed if the
//! picture has it elsewhere. Of files, and of folders that are not watched, that is so if they went in the same refresh.
//!
//! *Files*, by idea: `picture` is what was told; `settle` brings it up to date, in an order in which each step is one that a user can follow.
//!
//! *Cost.* A descriptor for each file and folder; a list for each change of a folder; a `stat` for each folder that is new in one.
//!
//! *Locks.* No file is opened and no folder read under the lock, for the loop's thread takes it too.
//!
//! *Why it is compiled on Linux.* For the tests: inotify can tell as little as EVFILT_VNODE does, so all but that last call is run there.

mod picture;
mod settle;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::reader::{Reader, open_folder};
use super::{Entries, Entry, Mark, Object, Place, Record, What, limit};
use crate::fault::Call;
use crate::socket::retry;
use picture::{At, File, Folder, IN_DOUBT, Identity, Kind, Picture, Standing, Told};
use settle::Changes;

/// What is told of a marked descriptor: `Modified` of a folder is a change of its entries.
pub(super) trait Base: std::fmt::Debug + Send + Sync {
    fn fd(&self) -> BorrowedFd<'_>;
    fn mark(&self, fd: BorrowedFd<'_>) -> io::Result<Mark>;
    /// Called before the marked descriptor is closed.
    fn unmark(&self, mark: Mark) -> io::Result<()>;
    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Mark, What)) -> io::Result<()>;
}

#[derive(Debug)]
pub(super) struct Listed<B> {
    base: B,
    picture: Mutex<Picture>,
}

impl<B: Base> Listed<B> {
    pub(super) fn over(base: B) -> Listed<B> {
        Listed {
            base,
            picture: Mutex::default(),
        }
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in the folder now; `None` if it is not watched.
    fn list(&self, folder: Mark) -> io::Result<Option<Vec<Entry>>> {
        let Some(fd) = self.picture().fd(folder) else {
            return Ok(None);
        };
        // One more descriptor for the same open folder, which may stand anywhere; and to read on needs no permission.
        let duplicate = |_| rustix::io::fcntl_dupfd_cloexec(&fd, 0);
        let duplicate = retry(Call::OpenFile, 0, duplicate)?;
        let rewind = |_| rustix::fs::seek(&duplicate, SeekFrom::Start(0));
        retry(Call::Seek, 0, rewind)?;
        Reader::of(duplicate)?.collect::<io::Result<_>>().map(Some)
    }

    /// Which folder has this place.
    fn identity_at(&self, at: &At) -> io::Result<Identity> {
        let folder = self.picture().fd(at.0).ok_or(io::ErrorKind::NotFound)?;
        let stat = stat_at(&folder, &at.1)?;
        match is_kind(&stat, FileType::Directory) {
            true => Ok(identity(&stat)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Which folder an entry is, as far as anybody may know, and the inode by which it is to be known: none, if it went or another came to
    /// its place since it was listed.
    fn look_at(&self, at: &At, inode: u64) -> (u64, Option<Identity>) {
        let device = self.picture().device(at.0);
        match self.identity_at(at) {
            // Of what something is mounted on, the folder says another.
            Ok(identity) if Some(identity.0) == device && identity.1 != inode => {
                (IN_DOUBT, Some(identity))
            }
            Ok(identity) => (inode, Some(identity)),
            Err(error) if is_gone(&error) => (IN_DOUBT, None),
            Err(_) => (inode, None),
        }
    }

    /// What is to be told of an entry that is no folder. A file is opened and marked; what cannot be opened is watched by its name alone.
    fn tell_file(&self, at: &At, inode: u64) -> io::Result<Told> {
        let (inode, kind) = match self.open_file(at) {
            Ok(Some(fd)) => (inode, Kind::Other(Some(self.mark_file(at, fd)?))),
            Ok(None) => (inode, Kind::Other(None)),
            // The next of this name may have its inode.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (IN_DOUBT, Kind::Other(None)),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE) => return Err(too_many()),
                _ => (inode, Kind::Other(None)),
            },
        };
        Ok(Told { inode, kind })
    }

    /// Of what is neither file nor folder, whose opening may do things, only the name is watched: `None`.
    fn open_file(&self, at: &At) -> io::Result<Option<OwnedFd>> {
        let (folder, name) = at;
        let Some(folder) = self.picture().fd(*folder) else {
            return Ok(None);
        };
        if !is_kind(&stat_at(&folder, name)?, FileType::RegularFile) {
            return Ok(None);
        }
        let flags = FLAGS | OFlags::NOFOLLOW;
        let open = |_| rustix::fs::openat(&folder, name, flags, Mode::empty());
        retry(Call::WatchAdd, 0, open).map(Some)
    }

    fn mark_file(&self, at: &At, fd: OwnedFd) -> io::Result<Mark> {
        // At once, so that whatever is told of it finds it.
        let mut picture = self.picture();
        let mark = self.base.mark(fd.as_fd())?;
        let file = File {
            at: at.clone(),
            _fd: fd,
        };
        picture.files.insert(mark, file);
        Ok(mark)
    }

    fn close_file(&self, picture: &mut Picture, told: &Told) {
        if let Kind::Other(Some(mark)) = told.kind {
            let _ = self.base.unmark(mark);
            picture.files.remove(&mark);
        }
    }

    fn close_folder(&self, picture: &mut Picture, mark: Mark) -> io::Result<()> {
        let Some(folder) = picture.remove_folder(mark) else {
            return Ok(());
        };
        for told in folder.entries.values() {
            self.close_file(picture, told);
        }
        self.base.unmark(mark)
    }

    /// Opens and marks a folder; `true` if it was not marked before.
    fn mark_folder(&self, place: &Place<'_>) -> io::Result<(Mark, bool)> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let parent = match place.entry {
            Some((folder, _)) => Some(self.picture().fd(folder).ok_or_else(gone)?),
            None => None,
        };
        let here = place.entry.map(|(folder, name)| (folder, name.to_owned()));
        let opened = open_folder(Call::WatchAdd, parent.as_deref(), place);
        let fd = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::MFILE | Errno::NFILE) => too_many(),
            _ => error,
        })?;
        let identity = identity(&retry(Call::FileStat, 0, |_| rustix::fs::fstat(&fd))?);
        let mut picture = self.picture();
        if let Some(here) = &here {
            // Or else another is there by now.
            if !picture.claim(here, identity) {
                return Err(gone());
            }
        }
        if let Some(mark) = picture.mark_of(identity) {
            match (picture.standing(mark), &here) {
                (_, None) => return Ok((mark, false)),
                (Standing::At(at), Some(here)) if at == *here => return Ok((mark, false)),
                (Standing::At(_), Some(here)) => {
                    picture.unsettled.insert(here.0);
                    return Err(gone());
                }
                (Standing::Nowhere, Some(here)) => {
                    picture.put_folder(mark, here.clone());
                    return Ok((mark, false));
                }
                // What was told of it went with the folder where it was.
                (Standing::Lost, Some(_)) => self.close_folder(&mut picture, mark)?,
            }
        }
        let mark = self.base.mark(fd.as_fd())?;
        picture.add_folder(mark, Folder::new(fd, identity, here));
        Ok((mark, true))
    }

    /// Puts into the picture what is in a folder that is new.
    fn fill(&self, folder: Mark) -> io::Result<()> {
        for entry in self.list(folder)?.unwrap_or_default() {
            let (at, inode) = ((folder, entry.name), entry.inode);
            let told = match entry.is_folder {
                true => {
                    let (inode, identity) = self.look_at(&at, inode);
                    let kind = Kind::Folder(identity);
                    Told { inode, kind }
                }
                false => self.tell_file(&at, inode)?,
            };
            let mut picture = self.picture();
            if let Kind::Folder(Some(identity)) = told.kind {
                let known = picture.mark_of(identity);
                if known.is_some_and(|mark| matches!(picture.standing(mark), Standing::At(_))) {
                    // It was moved here, and the picture has it elsewhere: a refresh tells of it as such.
                    picture.unsettled.insert(folder);
                    continue;
                }
            }
            picture.put(at, told);
        }
        Ok(())
    }
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

fn stat_at(dir: &OwnedFd, name: &OsStr) -> io::Result<rustix::fs::Stat> {
    let stat = |_| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    retry(Call::FileStat, 0, stat)
}

fn is_kind(stat: &rustix::fs::Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode as _) == kind
}

#[allow(clippy::unnecessary_cast, reason = "the fields differ between systems")]
fn identity(stat: &rustix::fs::Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Whether what was looked for is not there, or something else is.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
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

    fn add(&self, place: Place<'_>) -> io::Result<Mark> {
        let added = self.mark_folder(&place).and_then(|(mark, is_new)| {
            if is_new {
                self.fill(mark).inspect_err(|_| {
                    let _ = self.remove(mark);
                })?;
            }
            Ok(mark)
        });
        if let (true, Some((folder, name))) = (added.as_ref().is_err_and(is_gone), place.entry) {
            // Its folder changed since it was listed, and will be listed again. By then the next of this name may have its inode, or
            // the first be back.
            self.picture().doubt(&(folder, name.to_owned()));
        }
        added
    }

    fn enter(&self, place: Place<'_>) -> io::Result<(Mark, Entries)> {
        let mark = self.add(place)?;
        let entries = self.picture().entries(mark);
        Ok((mark, Entries(Box::new(entries.into_iter().map(Ok)))))
    }

    fn remove(&self, mark: Mark) -> io::Result<()> {
        self.close_folder(&mut self.picture(), mark)
    }

    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Record)) -> io::Result<()> {
        let picture = self.picture();
        self.base.read(buf, &mut |mark, what| {
            let is_folder = picture.has_folder(mark);
            let what = match what {
                What::Modified if is_folder => What::Unlisted,
                what => what,
            };
            each(Record {
                mark,
                what,
                name: None,
                is_folder,
            });
        })
    }

    /// A file is known by the name that was told last.
    fn locate(&self, record: Record) -> Option<Record> {
        let picture = self.picture();
        match (picture.files.get(&record.mark), record.what) {
            // Its folder tells of these.
            (Some(_), What::Gone | What::Moved | What::Forgotten) => None,
            (Some(file), what) => Some(Record {
                mark: file.at.0,
                what,
                name: Some(file.at.1.clone()),
                is_folder: false,
            }),
            // Of a file that is watched no more.
            (None, What::Modified) => None,
            (None, _) => Some(record),
        }
    }

    fn folder_at(&self, folder: Mark, name: &OsStr) -> Option<Mark> {
        self.picture().folder_at(&(folder, name.to_owned()))
    }

    fn unsettled(&self) -> Option<Mark> {
        self.picture().unsettled.iter().next().copied()
    }

    fn refresh(&self, marks: &[Mark], records: &mut Vec<Record>) -> io::Result<()> {
        let mut result = Ok(());
        let mut changes = Changes::default();
        let mut left = std::mem::take(&mut self.picture().unsettled);
        left.retain(|mark| !marks.contains(mark));
        for folder in marks.iter().copied().chain(left) {
            match self.list(folder) {
                Ok(Some(entries)) => changes.compare(self, folder, entries),
                Ok(None) => {}
                Err(error) => {
                    self.picture().unsettled.insert(folder);
                    result = Err(error);
                }
            }
        }
        result.and(self.settle(changes, records))
    }
}
