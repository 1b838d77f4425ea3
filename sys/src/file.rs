//! Files: a small one read whole, and what it looked like, to see whether it has changed.
//!
//! *Role.* For the few files that are read before a loop runs: configuration. A disk, or a network's file
//! system, can block for as long as it likes; whoever has a loop to run reads files in the pool.
//!
//! *What is no file.* Opening a pipe waits for its other end, and a device may never end: the open here does
//! not wait, and what is not a regular file is refused.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::fault::{self, Call};

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
fn retry<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match fault::check(Call::Read, 0).and_then(|_| operation()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}
