//! What is done by a path: made, removed, renamed, linked, asked about.

use std::fs::{FileTimes, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use mainspring_sys::file::{self as sys, Answer};

use super::op::{Op, Work};

/// The permissions of a folder, less what the umask takes away.
const FOLDER_MODE: u32 = 0o777;

/// What a file is like, asked by its path.
struct Look {
    path: PathBuf,
    is_followed: bool,
    must_learn: bool,
}

impl Look {
    fn new(path: &Path, is_followed: bool) -> Look {
        Look {
            path: path.to_path_buf(),
            is_followed,
            must_learn: false,
        }
    }
}

impl Work<Metadata> for Look {
    fn now(&mut self) -> Option<io::Result<Metadata>> {
        match sys::metadata_now(&self.path, self.is_followed) {
            Answer::Here(answer) => Some(answer),
            Answer::Pool => None,
            Answer::PoolLearns => {
                self.must_learn = true;
                None
            }
        }
    }

    fn run(self: Box<Self>) -> io::Result<Metadata> {
        if self.must_learn {
            sys::learn(&self.path);
        }
        match self.is_followed {
            true => sys::metadata(&self.path),
            false => sys::symlink_metadata(&self.path),
        }
    }
}

/// What the file is like that `path` leads to.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `stat` says.
///
/// ```
/// # mainspring::run(async {
/// assert!(mainspring::fs::metadata("src").await?.is_dir());
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> Op<Metadata> {
    Op::new(Look::new(path.as_ref(), true))
}

/// As [`metadata`], of a symbolic link itself.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `lstat` says.
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> Op<Metadata> {
    Op::new(Look::new(path.as_ref(), false))
}

/// Whether there is something. A link that leads nowhere is nothing.
struct Exists(Look);

impl Work<bool> for Exists {
    fn now(&mut self) -> Option<io::Result<bool>> {
        self.0.now().map(found)
    }

    fn run(self: Box<Self>) -> io::Result<bool> {
        found(Box::new(self.0).run())
    }
}

fn found(answer: io::Result<Metadata>) -> io::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there is something. A link that leads nowhere is nothing.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `stat` says, but that there is nothing.
#[track_caller]
pub fn exists(path: impl AsRef<Path>) -> Op<bool> {
    Op::new(Exists(Look::new(path.as_ref(), true)))
}

/// An operation on one path.
#[track_caller]
fn on<T>(
    path: impl AsRef<Path>,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Op<T> {
    let path = path.as_ref().to_path_buf();
    Op::new(move || work(&path))
}

/// An operation on two paths.
#[track_caller]
fn on_two<T>(
    one: impl AsRef<Path>,
    other: impl AsRef<Path>,
    work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
) -> Op<T> {
    let (one, other) = (one.as_ref().to_path_buf(), other.as_ref().to_path_buf());
    Op::new(move || work(&one, &other))
}

/// Where a symbolic link leads.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `readlink` says: EINVAL if it is none.
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> Op<PathBuf> {
    on(path, sys::read_link)
}

/// The path from the root, without links and dots.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `realpath` says.
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> Op<PathBuf> {
    on(path, sys::canonicalize)
}

/// Makes a folder.
///
/// # Cancel safety
/// Not safe, because the folder may have been made all the same, and then it is there already.
///
/// # Errors
/// `AlreadyExists`; what `mkdir` says.
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> Op<()> {
    on(path, |path| sys::create_dir(path, FOLDER_MODE))
}

/// Makes a folder with these permissions, less what the umask takes away.
///
/// # Cancel safety
/// Not safe, because the folder may have been made all the same, and then it is there already.
///
/// # Errors
/// As [`create_dir`].
#[track_caller]
pub fn create_dir_with_mode(path: impl AsRef<Path>, mode: u32) -> Op<()> {
    on(path, move |path| sys::create_dir(path, mode))
}

/// Makes a folder, and those above it that are not there. One that is there is no error.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `mkdir` says.
///
/// ```
/// # use mainspring::fs;
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let deep = folder.path().join("a/b/c");
/// fs::create_dir_all(&deep).await?;
/// assert!(fs::exists(&deep).await?);
/// fs::remove_dir_all(folder.path().join("a")).await?;
/// assert!(!fs::exists(&deep).await?);
/// # folder.close().await
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> Op<()> {
    on(path, |path| sys::create_dir_all(path, FOLDER_MODE))
}

/// Removes an empty folder.
///
/// # Cancel safety
/// Not safe, because the folder may have been removed all the same, and then it is not found.
///
/// # Errors
/// `DirectoryNotEmpty`; what `rmdir` says.
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> Op<()> {
    on(path, sys::remove_dir)
}

/// Removes a folder and all that is in it. No link is followed, also if somebody puts one into the way meanwhile.
///
/// # Cancel safety
/// Not safe, because the folder may have been removed all the same, and then it is not found.
///
/// # Errors
/// What `unlinkat` says; what was removed until then is gone.
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> Op<()> {
    on(path, sys::remove_dir_all)
}

/// Removes a name of a file; the last one takes the file with it.
///
/// # Cancel safety
/// Not safe, because the name may have been removed all the same, and then it is not found.
///
/// # Errors
/// What `unlink` says.
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> Op<()> {
    on(path, sys::remove_file)
}

/// Gives a file another name, on the same file system; what had that name is replaced, in one step.
///
/// # Cancel safety
/// Not safe, because the file may have its new name all the same, and then the old one is not found.
///
/// # Errors
/// What `rename` says: `CrossesDevices`, and then [`copy`](super::copy) is the way.
#[track_caller]
pub fn rename(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Op<()> {
    on_two(source, target, sys::rename)
}

/// As [`rename`], but what has that name is left alone. In one step on Linux and macOS; elsewhere, and on file systems that
/// cannot, by a link and a removal, of files only.
///
/// # Cancel safety
/// Not safe, because the file may have its new name all the same, and then the old one is not found.
///
/// # Errors
/// `AlreadyExists`; what `rename` says.
#[track_caller]
pub fn rename_new(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Op<()> {
    on_two(source, target, sys::rename_new)
}

/// Two files exchange their names, in one step. Linux and macOS.
///
/// # Cancel safety
/// Not safe, because the names may have been exchanged all the same, and another call would exchange them back.
///
/// # Errors
/// `Unsupported` elsewhere; what `rename` says.
#[track_caller]
pub fn exchange(one: impl AsRef<Path>, other: impl AsRef<Path>) -> Op<()> {
    on_two(one, other, sys::exchange)
}

/// Gives a file another name besides.
///
/// # Cancel safety
/// Not safe, because the name may be there all the same, and then it is there already.
///
/// # Errors
/// `AlreadyExists`; what `link` says.
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Op<()> {
    on_two(original, link, sys::hard_link)
}

/// Makes a file that leads to `original`, whether there is something or not.
///
/// # Cancel safety
/// Not safe, because the link may be there all the same, and then it is there already.
///
/// # Errors
/// `AlreadyExists`; what `symlink` says.
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Op<()> {
    on_two(original, link, sys::symlink)
}

/// Changes who may do what.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `chmod` says.
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> Op<()> {
    on(path, move |path| sys::set_permissions(path, &permissions))
}

/// Changes whose the file is: a user, a group, or both.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `chown` says: `PermissionDenied`.
#[track_caller]
pub fn set_owner(path: impl AsRef<Path>, user: Option<u32>, group: Option<u32>) -> Op<()> {
    on(path, move |path| sys::set_owner(path, user, group, true))
}

/// As [`set_owner`], of a symbolic link itself.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// As [`set_owner`].
#[track_caller]
pub fn set_symlink_owner(path: impl AsRef<Path>, user: Option<u32>, group: Option<u32>) -> Op<()> {
    on(path, move |path| sys::set_owner(path, user, group, false))
}

/// Changes the times of the last access and change, of a file that may be read.
///
/// # Cancel safety
/// Safe: the call can be made again.
///
/// # Errors
/// What `open` and `futimens` say.
#[track_caller]
pub fn set_times(path: impl AsRef<Path>, times: FileTimes) -> Op<()> {
    on(path, move |path| sys::set_times(path, times))
}
