//! Files and folders: opened, read and written, changed, copied, listed.
//!
//! *Role.* A disk, or a network's file system, can block for as long as it likes. So all of this is called by
//! threads of the pool, but for what ends in `_now`, which asks only for what is in memory, and for [`stamp`] and
//! [`read`], for the few files that are read before a loop runs: configuration.
//!
//! *Why std's `File` and not [`Fd`](crate::Fd).* Because std's calls on it are as good as ours would be, on every system, and
//! its `Metadata` is what users know. What std lacks is here, and in front of all of it stands the fault plan.
//!
//! *EINTR.* Regular files do not give it, but FIFOs, network file systems and FUSE do. Each call is made again.
//!
//! *What is no file.* Opening a pipe waits for its other end, and a device may never end: [`read`] does
//! not wait, and what is not a regular file is refused.

mod change;
mod copy;
mod folder;
mod lock;
mod name;
mod now;
mod temp;
mod transfer;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::fault::{self, Call};

pub use change::{
    allocate, len_to_seek, metadata_of, seek, set_len, set_permissions_of, set_times_of, sync_all,
    sync_data,
};
pub use copy::{Copied, copy, copy_bytes};
pub use folder::{Entry, Folder};
pub use lock::{Lock, try_lock, unlock};
pub use name::{
    canonicalize, create_dir, create_dir_all, exchange, exists, hard_link, metadata, open,
    read_link, remove_dir, remove_dir_all, remove_file, rename, rename_new, set_owner,
    set_permissions, set_times, symlink, symlink_metadata,
};
pub use now::{Answer, learn, metadata_now, open_now, read_at_now, read_now};
pub use temp::{open_nameless, temp_dir, temp_file};
pub use transfer::{
    read_at, read_some, read_to_end, read_vectored_at, write_all, write_all_at, write_at,
    write_some, write_vectored_at,
};

#[cfg(test)]
mod tests;

/// How much is read with one call.
const STEP: usize = 64 * 1024;

/// What a file looks like from outside: another stamp, another content. A change that leaves length, inode
/// and the time of the last change as they were is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    changed_s: i64,
    changed_ns: i64,
}

/// What the file at `path` looks like; `None` if there is none.
///
/// # Errors
/// What `stat` says otherwise.
pub fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    let metadata = retry(|| fs::metadata(path));
    found(metadata).map(|metadata| metadata.map(|metadata| stamp_of(&metadata)))
}

/// The bytes of the file at `path`, and what it looked like before they were read; `None` if there is none.
///
/// # Errors
/// `InvalidInput` if it is no regular file; `InvalidData` if it is longer than `max`; what `open` and
/// `read` say.
pub fn read(path: &Path, max: usize) -> io::Result<Option<(Vec<u8>, Stamp)>> {
    let flags = OFlags::NONBLOCK.bits() as i32;
    let open = || OpenOptions::new().read(true).custom_flags(flags).open(path);
    let Some(mut file) = found(retry(open))? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let text = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let bytes = read_all(&mut file, max)?;
    Ok(Some((bytes, stamp_of(&metadata))))
}

fn read_all(file: &mut File, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        bytes.resize(before + STEP, 0);
        let count = retry(|| file.read(&mut bytes[before..]))?;
        bytes.truncate(before + count);
        if bytes.len() > max {
            let text = format!("it has more than {max} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if count == 0 {
            return Ok(bytes);
        }
    }
}

/// That there is no such file is an answer.
fn found<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        len: metadata.size(),
        changed_s: metadata.mtime(),
        changed_ns: metadata.mtime_nsec(),
    }
}

/// Asks the plan, then the kernel, again and again while either says EINTR.
fn retry<T>(operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut operation = operation;
    retry_as(Call::Read, 0, |_| operation())
}

/// As [`retry`], for any kind of call; `operation` is told how many bytes it may move.
fn retry_as<T, E: Into<io::Error>>(
    call: Call,
    len: usize,
    mut operation: impl FnMut(usize) -> Result<T, E>,
) -> io::Result<T> {
    loop {
        match fault::check(call, len).and_then(|len| operation(len).map_err(Into::into)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}
