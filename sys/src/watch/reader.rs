//! A folder that is opened once, to be marked and to be read.
//!
//! *Why once.* A path may name another folder a moment later. What is marked and what is read must be the same inode: so both are done with one
//! descriptor.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Entry, Place};
use crate::fault::Call;
use crate::socket::retry;

/// Reads the entries of a folder.
pub(super) struct Reader(Dir);

impl Reader {
    /// Reads on where the descriptor stands.
    pub(super) fn of(folder: OwnedFd) -> io::Result<Reader> {
        Ok(Reader(Dir::new(folder)?))
    }
}

impl Iterator for Reader {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        let dir = &mut self.0;
        loop {
            // The plan is asked first: an error that is injected must not eat an entry.
            let entry = match retry(Call::ReadFolder, 0, |_| dir.read().transpose()) {
                Ok(entry) => entry?,
                // So says a folder that was removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => return Some(Err(error)),
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => dir.fd().map_err(io::Error::from).and_then(|dir| {
                    let stat = |_| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
                    let stat = retry(Call::FileStat, 0, stat)?;
                    Ok(FileType::from_raw_mode(stat.st_mode as _))
                }),
                kind => Ok(kind),
            };
            match kind {
                // It went meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Some(Err(error)),
                Ok(kind) => {
                    return Some(Ok(Entry {
                        name: name.to_owned(),
                        is_folder: kind == FileType::Directory,
                        inode: entry.ino(),
                    }));
                }
            }
        }
    }
}

/// Opens the folder in this place, below `parent` if that is given.
///
/// # Errors
/// `NotADirectory` if it is none, and of a link that is not to be followed.
pub(super) fn open_folder(
    call: Call,
    parent: Option<&OwnedFd>,
    place: &Place<'_>,
) -> io::Result<OwnedFd> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::DIRECTORY;
    if !place.follows() {
        flags |= OFlags::NOFOLLOW;
    }
    let opened = retry(call, 0, |_| match (parent, place.entry) {
        (Some(parent), Some((_, name))) => {
            rustix::fs::openat(parent.as_fd(), name, flags, Mode::empty())
        }
        _ => rustix::fs::open(place.path, flags, Mode::empty()),
    });
    opened.map_err(|error| match Errno::from_io_error(&error) {
        // So says a link that is not to be followed.
        Some(Errno::LOOP | Errno::MLINK) if !place.follows() => io::ErrorKind::NotADirectory.into(),
        _ => error,
    })
}
