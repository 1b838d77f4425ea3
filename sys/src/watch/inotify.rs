//! inotify: a folder's watch tells of its entries by name.
//!
//! *What the kernel gives.* A queue of records, at most `fs.inotify.max_queued_events` long; where it was full stands one that says so.
//! Neighbours that say the same are merged. A rename makes two records with the same number (cookie), which usually are neighbours; but
//! the second may be read later than the first, and does not come at all if the target is not watched.
//!
//! *Not told:* what is written through a mapping, and what other machines do to a network's file system.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::reader::{Reader, open_folder};
use super::{Entries, Mark, Object, Place, Record, What, limit};
use crate::fault::Call;
use crate::fd::Fd;
use crate::socket::retry;

#[cfg(test)]
mod tests;

/// Descriptor of a watch, mask, cookie, length of the name: 4 bytes each, in the machine's order.
const HEAD: usize = 16;

/// Of an entry and of the folder itself. An entry that nobody can reach by its name any more is none.
///
/// `MASK_ADD`: without it, to mark what is marked already replaces the mask, and the kernel has an empty one in between; what another
/// thread does in that moment is told by nobody.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::MASK_ADD);

/// An inotify instance.
#[derive(Debug)]
pub(super) struct Inotify {
    fd: Fd,
}

impl Inotify {
    pub(super) fn open() -> io::Result<Inotify> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let opened = retry(Call::WatchOpen, 0, |_| inotify::init(flags));
        let fd = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::MFILE) => limit(
                "this user has as many watchers as he may (raise fs.inotify.max_user_instances), or this process as \
                 many descriptors (raise RLIMIT_NOFILE)",
            ),
            _ => error,
        })?;
        Ok(Inotify { fd: Fd::from(fd) })
    }
}

impl Inotify {
    fn mark_path(&self, folder: &Path, follows: bool) -> io::Result<Mark> {
        let mut flags = EVENTS | WatchFlags::ONLYDIR;
        if !follows {
            flags |= WatchFlags::DONT_FOLLOW;
        }
        let add = |_| inotify::add_watch(&self.fd, folder, flags);
        let added = retry(Call::WatchAdd, 0, add);
        let number = added.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOSPC) => limit(
                "this user watches as many folders as he may: raise fs.inotify.max_user_watches",
            ),
            _ => error,
        })?;
        Ok(Mark(number))
    }

    /// By its path, which must lead to the open folder afterwards. If it led elsewhere a mark may stay that nobody knows: whose it
    /// is cannot be asked, and it may be one of ours.
    #[cold]
    fn mark_without_proc(&self, fd: &OwnedFd, place: &Place<'_>) -> io::Result<Mark> {
        let mark = self.mark_path(place.path, place.follows())?;
        let of_path = retry(Call::FileStat, 0, |_| rustix::fs::stat(place.path))?;
        let of_open = retry(Call::FileStat, 0, |_| rustix::fs::fstat(fd))?;
        match (of_path.st_dev, of_path.st_ino) == (of_open.st_dev, of_open.st_ino) {
            true => Ok(mark),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Object for Inotify {
    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn add(&self, place: Place<'_>) -> io::Result<Mark> {
        self.mark_path(place.path, place.follows())
    }

    /// The kernel takes no descriptor: it is given a path that leads to one.
    fn enter(&self, place: Place<'_>) -> io::Result<(Mark, Entries)> {
        let fd = open_folder(Call::OpenFile, None, &place)?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mark = match self.mark_path(path.as_ref(), true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.mark_without_proc(&fd, &place)?
            }
            answer => answer?,
        };
        Ok((mark, Entries(Box::new(Reader::of(fd)?))))
    }

    fn remove(&self, mark: Mark) -> io::Result<()> {
        let remove = |_| inotify::remove_watch(&self.fd, mark.0);
        match retry(Call::WatchRemove, 0, remove) {
            // It went by itself, with its folder.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(()),
            answer => answer,
        }
    }

    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Record)) -> io::Result<()> {
        let read = |most: usize| {
            // Less than a record is no short read, but an error.
            let most = most.clamp(super::BUFFER_MIN.min(buf.len()), buf.len());
            rustix::io::read(&self.fd, &mut buf[..most])
        };
        let len = retry(Call::WatchRead, usize::MAX, read)?;
        translate_all(&buf[..len], each);
        Ok(())
    }
}

/// What the kernel wrote, record by record.
pub(super) fn translate_all(bytes: &[u8], each: &mut dyn FnMut(Record)) {
    for raw in RawRecords(bytes) {
        raw.translate(each);
    }
}

/// The records in what the kernel wrote. Bytes that are no whole record are the end.
struct RawRecords<'a>(&'a [u8]);

/// One of them, as it stands there.
#[derive(Debug, PartialEq, Eq)]
struct RawRecord<'a> {
    number: i32,
    mask: u32,
    cookie: u32,
    /// Without the zeroes behind it; empty where there is none.
    name: &'a [u8],
}

impl<'a> Iterator for RawRecords<'a> {
    type Item = RawRecord<'a>;

    fn next(&mut self) -> Option<RawRecord<'a>> {
        let (head, rest) = self.0.split_first_chunk::<HEAD>()?;
        let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let len = u32::from_ne_bytes(word(12)) as usize;
        let padded = rest.get(..len)?;
        self.0 = &rest[len..];
        let name = padded.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(RawRecord {
            number: i32::from_ne_bytes(word(0)),
            mask: u32::from_ne_bytes(word(4)),
            cookie: u32::from_ne_bytes(word(8)),
            name,
        })
    }
}

impl RawRecord<'_> {
    /// Usually a mask says one thing; the order of several is that in which they can happen.
    fn translate(&self, each: &mut dyn FnMut(Record)) {
        let table = [
            (ReadFlags::QUEUE_OVERFLOW, What::Overflow),
            (ReadFlags::CREATE, What::Created),
            (ReadFlags::MOVED_TO, What::MovedTo(self.cookie)),
            (ReadFlags::MODIFY, What::Modified),
            (ReadFlags::ATTRIB, What::Metadata),
            (ReadFlags::MOVED_FROM, What::MovedFrom(self.cookie)),
            (ReadFlags::DELETE, What::Removed),
            (ReadFlags::MOVE_SELF, What::Moved),
            (ReadFlags::DELETE_SELF, What::Gone),
            (ReadFlags::UNMOUNT, What::Gone),
            (ReadFlags::IGNORED, What::Forgotten),
        ];
        let mask = ReadFlags::from_bits_retain(self.mask);
        for (flag, what) in table {
            if mask.contains(flag) {
                let name = (!self.name.is_empty()).then(|| OsStr::from_bytes(self.name).into());
                each(Record {
                    mark: Mark(self.number),
                    what,
                    name,
                    is_folder: mask.contains(ReadFlags::ISDIR),
                });
            }
        }
    }
}

/// As little as EVFILT_VNODE tells: that an open file or folder changed.
#[cfg(feature = "sim")]
impl super::listed::Base for Inotify {
    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn mark(&self, fd: BorrowedFd<'_>) -> io::Result<Mark> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let add = |_| inotify::add_watch(&self.fd, &path, EVENTS);
        retry(Call::WatchAdd, 0, add).map(Mark)
    }

    fn unmark(&self, mark: Mark) -> io::Result<()> {
        Object::remove(self, mark)
    }

    fn read(&self, buf: &mut [u8], each: &mut dyn FnMut(Mark, What)) -> io::Result<()> {
        Object::read(self, buf, &mut |record| match (&record.name, record.what) {
            (None, what) => each(record.mark, what),
            (Some(_), what) if what.is_of_names() => each(record.mark, What::Modified),
            // Its file is marked itself.
            (Some(_), _) => {}
        })
    }
}
