//! What is done by a path: opened, made, removed, renamed, linked, asked about.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::retry_as;
use crate::fault::Call;

/// Opens a file. It is closed on exec from birth.
///
/// # Errors
/// What `open` says.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    retry_as(Call::OpenFile, 0, |_| options.open(path))
}

/// What the file is like that `path` leads to.
///
/// # Errors
/// What `stat` says.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    retry_as(Call::FileStat, 0, |_| fs::metadata(path))
}

/// As [`metadata`], of a symbolic link itself.
///
/// # Errors
/// What `lstat` says.
pub fn symlink_metadata(path: &Path) -> io::Result<Metadata> {
    retry_as(Call::FileStat, 0, |_| fs::symlink_metadata(path))
}

/// Whether there is something.
///
/// # Errors
/// What `stat` says, but that there is nothing.
pub fn exists(path: &Path) -> io::Result<bool> {
    retry_as(Call::FileStat, 0, |_| path.try_exists())
}

/// Where a symbolic link leads.
///
/// # Errors
/// What `readlink` says: EINVAL if it is none.
pub fn read_link(path: &Path) -> io::Result<PathBuf> {
    retry_as(Call::FileStat, 0, |_| fs::read_link(path))
}

/// The path from the root, without links and dots.
///
/// # Errors
/// What `realpath` says.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    retry_as(Call::FileStat, 0, |_| fs::canonicalize(path))
}

/// Makes a folder, with this mode less what the umask takes away.
///
/// # Errors
/// What `mkdir` says: EEXIST, ENOENT.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| {
        fs::DirBuilder::new().mode(mode).create(path)
    })
}

/// Makes a folder and those above it that are not there. One that is there is no error.
///
/// # Errors
/// As [`create_dir`]; ENOTDIR.
pub fn create_dir_all(path: &Path, mode: u32) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
    })
}

/// Removes an empty folder.
///
/// # Errors
/// What `rmdir` says: ENOTEMPTY.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| fs::remove_dir(path))
}

/// Removes a folder and all that is in it, and follows no link on the way, also if somebody changes a folder into one meanwhile.
///
/// # Errors
/// What `unlinkat` says; what was removed until then is gone.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| fs::remove_dir_all(path))
}

/// Removes a name of a file; the last one takes the file with it, when nobody has it open any more.
///
/// # Errors
/// What `unlink` says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| fs::remove_file(path))
}

/// Gives a file another name, on the same file system; what had that name is replaced, in one step.
///
/// # Errors
/// What `rename` says: EXDEV.
pub fn rename(source: &Path, target: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| fs::rename(source, target))
}

/// As [`rename`], but what has that name is left alone. Where the system, or the file system, cannot do that in one
/// step, a file is given its new name by a link, and then the old one is removed; a folder cannot be renamed so.
///
/// # Errors
/// `AlreadyExists`.
pub fn rename_new(source: &Path, target: &Path) -> io::Result<()> {
    let renamed = retry_as(Call::FileName, 0, |_| os::rename_new(source, target));
    match renamed {
        Err(error) if is_unknown(&error) => {
            retry_as(Call::FileName, 0, |_| fs::hard_link(source, target))?;
            match retry_as(Call::FileName, 0, |_| fs::remove_file(source)) {
                // Somebody else has removed it: the new name is the only one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => {
                    // One that failed leaves nothing; of this error nobody could make anything.
                    let _ = fs::remove_file(target);
                    Err(error)
                }
                removed => removed,
            }
        }
        renamed => renamed,
    }
}

/// The two files exchange their names, in one step.
///
/// # Errors
/// `Unsupported` where the system cannot, or the file system says EINVAL.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| os::exchange(one, other))
}

/// What a system says to a call, or a flag, that it does not know.
fn is_unknown(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    error.kind() == io::ErrorKind::Unsupported
        || [libc::ENOSYS, libc::EINVAL, libc::ENOTSUP, libc::EOPNOTSUPP]
            .map(Some)
            .contains(&errno)
}

/// Another name for the same file.
///
/// # Errors
/// What `link` says.
pub fn hard_link(original: &Path, link: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| fs::hard_link(original, link))
}

/// A file that leads to a path, whether there is something or not.
///
/// # Errors
/// What `symlink` says.
pub fn symlink(original: &Path, link: &Path) -> io::Result<()> {
    retry_as(Call::FileName, 0, |_| {
        std::os::unix::fs::symlink(original, link)
    })
}

/// Changes who may do what.
///
/// # Errors
/// What `chmod` says.
pub fn set_permissions(path: &Path, permissions: &Permissions) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| {
        fs::set_permissions(path, permissions.clone())
    })
}

/// Changes whose the file is; of a link itself unless `is_followed`.
///
/// # Errors
/// What `chown` says: EPERM.
pub fn set_owner(
    path: &Path,
    user: Option<u32>,
    group: Option<u32>,
    is_followed: bool,
) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| match is_followed {
        true => std::os::unix::fs::chown(path, user, group),
        false => std::os::unix::fs::lchown(path, user, group),
    })
}

/// Changes the times of the last access and change.
///
/// # Errors
/// What `open` and `futimens` say: the file must be one that may be read.
pub fn set_times(path: &Path, times: FileTimes) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), flags);
    let file = open(path, &options)?;
    retry_as(Call::FileChange, 0, |_| file.set_times(times))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod os {
    use std::io;
    use std::path::Path;

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    pub(super) fn rename_new(source: &Path, target: &Path) -> io::Result<()> {
        Ok(renameat_with(
            CWD,
            source,
            CWD,
            target,
            RenameFlags::NOREPLACE,
        )?)
    }

    pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod os {
    use std::io;
    use std::path::Path;

    pub(super) fn rename_new(_source: &Path, _target: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
        let text = "this system cannot exchange two names in one step";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }
}
