//! Files that are read, written or copied whole: `read`, `write`, `write_atomic`, `copy`.
//!
//! *Cost.* One job of the pool each. A small file that the kernel has in memory is read on the loop's thread, by seven system
//! calls and no trip.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mainspring_sys::file::{self as sys, Answer};

use super::op::{Op, Work};
use crate::blocking::is_aborted;

/// A file that is longer is read by the pool.
const HERE_MAX: u64 = 64 * 1024;

/// Reads a file from its start to its end.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `open` and `read` say.
///
/// ```
/// # mainspring::run(async {
/// let bytes = mainspring::fs::read("Cargo.toml").await?;
/// assert!(bytes.starts_with(b"["));
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Op<Vec<u8>> {
    Op::new(Whole::new(path.as_ref(), Ok))
}

/// Reads a file of text from its start to its end.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// `InvalidData` if it is not UTF-8; what `open` and `read` say.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Op<String> {
    Op::new(Whole::new(path.as_ref(), |bytes| {
        String::from_utf8(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }))
}

/// Reads a file, and makes of its bytes what was asked for.
struct Whole<T> {
    path: PathBuf,
    /// Open, if the loop's thread came so far.
    file: Option<File>,
    bytes: Vec<u8>,
    /// The mount is not known to the loop's thread.
    must_learn: bool,
    finish: fn(Vec<u8>) -> io::Result<T>,
}

impl<T> Whole<T> {
    fn new(path: &Path, finish: fn(Vec<u8>) -> io::Result<T>) -> Whole<T> {
        Whole {
            path: path.to_path_buf(),
            file: None,
            bytes: Vec::new(),
            must_learn: false,
            finish,
        }
    }
}

impl<T> Work<T> for Whole<T> {
    fn now(&mut self) -> Option<io::Result<T>> {
        let (file, len) = match sys::open_now(&self.path) {
            Answer::Here(Ok(opened)) => opened,
            Answer::Here(Err(error)) => return Some(Err(error)),
            Answer::Pool => return None,
            Answer::PoolLearns => {
                self.must_learn = true;
                return None;
            }
        };
        if len <= HERE_MAX {
            let mut bytes = vec![0; len as usize];
            let mut done = 0;
            while done < bytes.len() {
                match sys::read_now(&file, &mut bytes[done..]) {
                    // It was cut meanwhile.
                    Some(0) => bytes.truncate(done),
                    Some(count) => done += count,
                    None => break,
                }
            }
            if done == bytes.len() {
                return Some((self.finish)(bytes));
            }
            bytes.truncate(done);
            self.bytes = bytes;
        }
        self.file = Some(file);
        None
    }

    fn run(mut self: Box<Self>) -> io::Result<T> {
        if self.must_learn {
            sys::learn(&self.path);
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => sys::open(&self.path, OpenOptions::new().read(true))?,
        };
        sys::read_to_end(&file, &mut self.bytes)?;
        drop(file);
        (self.finish)(self.bytes)
    }
}

/// Writes a file that holds just these bytes; it is made if it is not there, and emptied first if it is. [`write_atomic`]
/// leaves no file half written.
///
/// # Cancel safety
/// Safe: the call can be made again; the file, or a part of it, may be there all the same. One that a thread has begun goes on
/// there, and with other bytes made at once may come behind those: see [the module](crate::fs).
///
/// # Errors
/// What `open` and `write` say; a part of the bytes may have been written.
///
/// ```
/// # use mainspring::fs;
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let path = folder.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// fs::append(&path, ", world").await?;
/// assert_eq!(fs::read_to_string(&path).await?, "hello, world");
/// # folder.close().await
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> Op<()> {
    let (path, contents) = (path.as_ref().to_path_buf(), contents.into());
    Op::new(move || {
        let mut options = OpenOptions::new();
        let file = sys::open(&path, options.write(true).create(true).truncate(true))?;
        sys::write_all(&file, &contents).1
    })
}

/// Writes these bytes behind what the file holds; it is made if it is not there.
///
/// # Cancel safety
/// Not safe, because the bytes may be there all the same, and would be there twice.
///
/// # Errors
/// As [`write()`].
#[track_caller]
pub fn append(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> Op<()> {
    let (path, contents) = (path.as_ref().to_path_buf(), contents.into());
    Op::new(move || {
        let file = sys::open(&path, OpenOptions::new().append(true).create(true))?;
        sys::write_all(&file, &contents).1
    })
}

/// Writes a file that holds just these bytes, in one step for everybody else, also across a crash: whoever opens `path` finds the old
/// file or the new one, whole. The bytes go to a new file beside it, then to the disk, then the file gets its name. It has the
/// permissions of the file that it replaces, but not its owner, links and locks; where they cannot be asked for, nothing is written.
///
/// # Cancel safety
/// Safe: the call can be made again; the file is the old one or the new one. One that a thread has begun goes on there, and with
/// other bytes made at once may come behind those: see [the module](crate::fs).
///
/// # Errors
/// What the calls say; the old file is untouched then, unless it is the folder's sync that failed.
///
/// ```
/// # use mainspring::fs;
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let path = folder.path().join("settings");
/// fs::write_atomic(&path, "volume = 11").await?;
/// assert_eq!(fs::read_to_string(&path).await?, "volume = 11");
/// # folder.close().await
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn write_atomic(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> Op<()> {
    let (path, contents) = (path.as_ref().to_path_buf(), contents.into());
    Op::new(move || {
        // Of a link, what it leads to is replaced.
        let path = match sys::read_link(&path) {
            Ok(_) => sys::canonicalize(&path)?,
            // It is something else, or nothing.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path,
            Err(error) => return Err(error),
        };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let old = match sys::metadata(&path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // The new file would not have its permissions: others might read it.
            Err(error) => return Err(error),
        };
        let mode = old.as_ref().map(|old| old.permissions().mode() & 0o777);
        let (file, temp) = sys::temp_file(&folder, ".", ".tmp", mode.unwrap_or(0o666))?;
        let result = (|| {
            sys::write_all(&file, &contents).1?;
            if let Some(old) = &old {
                sys::set_permissions_of(&file, &old.permissions())?;
            }
            sys::sync_all(&file)?;
            sys::rename(&temp, &path)
        })();
        if result.is_err() {
            let _ = sys::remove_file(&temp);
        }
        result?;
        let folder = sys::open(&folder, OpenOptions::new().read(true).custom_flags(0))?;
        sys::sync_all(&folder)
    })
}

/// Copies a regular file's content and permissions, and says how many bytes there are. What was there is replaced. The blocks
/// are shared where the file system can (btrfs, XFS, APFS), else the kernel copies where it can, else bytes are read and written.
///
/// # Cancel safety
/// Safe: the call can be made again, once the dropped one has left its thread: it stops soon, but what it has opened by then it
/// cuts. See [the module](crate::fs).
///
/// # Errors
/// `InvalidInput` if the source is no regular file, or both are the same; what the calls say.
///
/// ```
/// # use mainspring::fs;
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let copied = fs::copy("Cargo.toml", folder.path().join("copy")).await?;
/// assert_eq!(copied, fs::metadata("Cargo.toml").await?.len());
/// # folder.close().await
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn copy(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Op<u64> {
    let source = source.as_ref().to_path_buf();
    let target = target.as_ref().to_path_buf();
    Op::new(move || sys::copy(&source, &target, &|| !is_aborted()).map(|(count, _)| count))
}
