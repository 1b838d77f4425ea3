//! Copies of files: a clone that shares the blocks, a copy by the kernel, or bytes read and written.
//!
//! *Model.* The cheapest way that works, and from where one gave up the next goes on.
//!
//! ```text
//!    clone (FICLONE, clonefile) ──► copy_file_range ──► read and write
//! ```
//!
//! *What the kernel says of its own files.* A file of `/proc` says that it has no bytes, and `copy_file_range` copies none of
//! them, without an error: so a first answer of 0 is not believed, and a read decides.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{metadata_of, open, read_some, retry_as, set_len, set_permissions_of, write_all};
use crate::fault::Call;

/// How much is copied with one call, and between two looks at whether anybody waits.
const STEP: usize = 1024 * 1024;

/// How a copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The blocks are shared until either file changes.
    Cloned,
    /// By the kernel, from file to file.
    ByKernel,
    /// Read and written.
    ByBytes,
}

/// Copies the content of a file and its permissions to another path, and says how many bytes and how. What was there is
/// replaced; it is cut first. `is_wanted` is asked now and then: the copy stops with `Interrupted` if nobody wants it.
///
/// # Errors
/// `InvalidInput` if the source is no regular file, or both are the same; what the calls say. What was written until then
/// stays.
pub fn copy(
    source: &Path,
    target: &Path,
    is_wanted: &dyn Fn() -> bool,
) -> io::Result<(u64, Copied)> {
    let mut options = OpenOptions::new();
    // A pipe's other end is not waited for.
    options
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let reader = open(source, &options)?;
    let from = metadata_of(&reader)?;
    if !from.is_file() {
        return Err(invalid("the source of a copy must be a regular file"));
    }
    if let Some(done) = clone_to_path(&reader, target, from.len())? {
        return Ok((done, Copied::Cloned));
    }
    let mode = from.permissions().mode() & 0o777;
    let mut options = OpenOptions::new();
    let writer = open(target, options.write(true).create(true).mode(mode))?;
    let to = metadata_of(&writer)?;
    if (to.dev(), to.ino()) == (from.dev(), from.ino()) {
        return Err(invalid("source and target of a copy are the same file"));
    }
    // Another copy may be there already, whose maker dropped this one.
    check_wanted(is_wanted)?;
    if to.is_file() {
        set_len(&writer, 0)?;
        set_permissions_of(&writer, &from.permissions())?;
    }
    if to.is_file() && clone(&reader, &writer)? {
        return Ok((from.len(), Copied::Cloned));
    }
    copy_bytes(&reader, &writer, is_wanted)
}

/// Copies what is left of one file to where the other stands.
///
/// # Errors
/// As [`copy`].
pub fn copy_bytes(
    source: &File,
    target: &File,
    is_wanted: &dyn Fn() -> bool,
) -> io::Result<(u64, Copied)> {
    let mut done = 0;
    loop {
        check_wanted(is_wanted)?;
        let step = retry_as(Call::FileCopy, STEP, |len| {
            os::copy_range(source, target, len)
        });
        match step {
            Ok(0) if done > 0 => return Ok((done, Copied::ByKernel)),
            Ok(0) => break,
            Ok(count) => done += count as u64,
            Err(error) if is_refusal(&error) => break,
            Err(error) => return Err(error),
        }
    }
    let mut buf = vec![0; STEP.min(256 * 1024)];
    loop {
        check_wanted(is_wanted)?;
        let count = read_some(source, &mut buf)?;
        if count == 0 {
            return Ok((done, Copied::ByBytes));
        }
        let (written, result) = write_all(target, &buf[..count]);
        done += written as u64;
        result?;
    }
}

fn check_wanted(is_wanted: &dyn Fn() -> bool) -> io::Result<()> {
    if is_wanted() {
        return Ok(());
    }
    let text = "nobody waits for the copy any more";
    Err(io::Error::new(ErrorKind::Interrupted, text))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}

/// Whether this way does not lead from this file to that one, and another may.
fn is_refusal(error: &io::Error) -> bool {
    let errnos = [
        libc::EXDEV,
        libc::EINVAL,
        libc::ENOSYS,
        libc::EOPNOTSUPP,
        libc::ENOTSUP,
        libc::EPERM,
        libc::EBADF,
        libc::EACCES,
        libc::ENOTTY,
        libc::ETXTBSY,
    ];
    error.kind() == ErrorKind::Unsupported || errnos.map(Some).contains(&error.raw_os_error())
}

/// Whether the target shares the source's blocks now.
fn clone(source: &File, target: &File) -> io::Result<bool> {
    match retry_as(Call::FileCopy, 0, |_| os::clone(source, target)) {
        Ok(()) => Ok(true),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// As [`clone`], where the system makes the target itself; it must be new. The length if it is done.
fn clone_to_path(source: &File, target: &Path, len: u64) -> io::Result<Option<u64>> {
    match retry_as(Call::FileCopy, 0, |_| os::clone_to_path(source, target)) {
        Ok(()) => Ok(Some(len)),
        Err(error) if is_refusal(&error) || error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::path::Path;

    pub(super) fn copy_range(source: &File, target: &File, len: usize) -> io::Result<usize> {
        Ok(rustix::fs::copy_file_range(
            source, None, target, None, len,
        )?)
    }

    pub(super) fn clone(source: &File, target: &File) -> io::Result<()> {
        Ok(rustix::fs::ioctl_ficlone(target, source)?)
    }

    pub(super) fn clone_to_path(_source: &File, _target: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(target_vendor = "apple")]
mod os {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use rustix::fs::{CWD, CloneFlags};

    pub(super) fn copy_range(_source: &File, _target: &File, _len: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn clone(_source: &File, _target: &File) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn clone_to_path(source: &File, target: &Path) -> io::Result<()> {
        Ok(rustix::fs::fclonefileat(
            source,
            CWD,
            target,
            CloneFlags::NOFOLLOW,
        )?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod os {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::path::Path;

    pub(super) fn copy_range(_source: &File, _target: &File, _len: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn clone(_source: &File, _target: &File) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn clone_to_path(_source: &File, _target: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}
