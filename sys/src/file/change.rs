//! A file that is open: where it stands, how long it is, what it is like, and that it is on the disk.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::{self, Seek, SeekFrom};

use super::retry_as;
use crate::fault::Call;

/// Goes to a place in the file and says which it is, counted in bytes from the start.
///
/// # Errors
/// `InvalidInput` for a place before the start; ESPIPE for what has no places.
pub fn seek(file: &File, position: SeekFrom) -> io::Result<u64> {
    let mut file = file;
    retry_as(Call::Seek, 0, |_| file.seek(position))
}

/// Where the file ends, for a seek from there; where it stands does not change.
///
/// # Errors
/// As [`seek`].
pub fn len_to_seek(file: &File) -> io::Result<u64> {
    let metadata = metadata_of(file)?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    // Only a seek knows how long a disk is.
    let place = seek(file, SeekFrom::Current(0))?;
    let end = seek(file, SeekFrom::End(0))?;
    seek(file, SeekFrom::Start(place))?;
    Ok(end)
}

/// Returns when content and metadata are on the disk. macOS: also in the disk's own cache no more (F_FULLFSYNC).
///
/// # Errors
/// EIO, ENOSPC, EDQUOT. What failed to be written is forgotten by the kernel: another sync may say that all is well.
pub fn sync_all(file: &File) -> io::Result<()> {
    retry_as(Call::FileSync, 0, |_| file.sync_all())
}

/// As [`sync_all`], but of the metadata only what it takes to find the content again.
///
/// # Errors
/// As [`sync_all`].
pub fn sync_data(file: &File) -> io::Result<()> {
    retry_as(Call::FileSync, 0, |_| file.sync_data())
}

/// Cuts the file, or lengthens it by zeros.
///
/// # Errors
/// What `ftruncate` says: EINVAL if it was not opened to be written.
pub fn set_len(file: &File, len: u64) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| file.set_len(len))
}

/// What the file is like.
///
/// # Errors
/// What `fstat` says.
pub fn metadata_of(file: &File) -> io::Result<Metadata> {
    retry_as(Call::FileStat, 0, |_| file.metadata())
}

/// Changes who may do what.
///
/// # Errors
/// What `fchmod` says.
pub fn set_permissions_of(file: &File, permissions: &Permissions) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| {
        file.set_permissions(permissions.clone())
    })
}

/// Changes the times of the last access and change.
///
/// # Errors
/// What `futimens` says.
pub fn set_times_of(file: &File, times: FileTimes) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| file.set_times(times))
}

/// Sees to it that later writes to this range find room, and lengthens the file to its end if it is shorter.
///
/// # Errors
/// ENOSPC; `Unsupported` where neither system nor file system can.
pub fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| os::allocate(file, offset, len))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple",
))]
mod os {
    use std::fs::File;
    use std::io;

    use rustix::fs::FallocateFlags;

    pub(super) fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(
            file,
            FallocateFlags::empty(),
            offset,
            len,
        )?)
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple",
)))]
mod os {
    use std::fs::File;
    use std::io;

    pub(super) fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        let text = "this system cannot set room aside for a file; `set_len` lengthens it";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }
}
