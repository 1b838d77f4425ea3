//! Files and folders that go away by themselves: `TempFile`, `TempDir`, `temp_file`.
//!
//! *Model.* What is to be removed stands in a [`Removal`], and goes as that is dropped. `TempFile` and `TempDir` have theirs
//! dropped by a thread of the pool; where there is no loop, or it ends first, it is dropped where it is, and waits for
//! the disk. In the child of a fork it is left alone: the parent made it, and has it still.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::{file as sys, fork};

use super::file::File;
use super::op::{Op, send};
use super::options::Open;

/// What names in the common folder begin with.
const PREFIX: &str = "mainspring-";

const OPEN: &str = "the file is there until `keep` takes it, which takes all of this";

/// What is removed on drop.
struct Removal {
    path: PathBuf,
    remove: fn(&Path) -> io::Result<()>,
    is_on: bool,
    /// In which it was made.
    generation: u32,
}

impl Removal {
    fn new(path: PathBuf, remove: fn(&Path) -> io::Result<()>) -> Removal {
        Removal {
            path,
            remove,
            is_on: true,
            generation: fork::generation(),
        }
    }

    /// Removes it here and now.
    fn remove(mut self) -> io::Result<()> {
        self.is_on = false;
        (self.remove)(&self.path)
    }

    fn keep(mut self) -> PathBuf {
        self.is_on = false;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.is_on && !fork::is_inherited(self.generation) {
            // Who wants to hear of an error has `close`.
            let _ = (self.remove)(&self.path);
        }
    }
}

/// Has it dropped by the pool, or here.
fn send_away(removal: Option<Removal>, made_at: &'static Location<'static>) {
    if let Some(removal) = removal {
        drop(send(move || drop(removal), made_at));
    }
}

/// An open file without a name, to be read and written, in the system's folder for such files: gone with its last descriptor,
/// also if the process is killed.
///
/// # Cancel safety
/// Safe: a file that was made for nobody is gone.
///
/// # Errors
/// What `open` says.
#[track_caller]
pub fn temp_file() -> Open {
    Open::new(|| sys::open_nameless(&std::env::temp_dir()))
}

/// An open file with a name that nobody else had, for its owner alone, removed on drop.
///
/// The drop hands the removal to the pool; [`TempFile::close`] waits for it.
///
/// ```
/// use mainspring::{fs::{self, TempFile}, io::AsyncWriteExt};
/// # mainspring::run(async {
/// let mut file = TempFile::new().await?;
/// file.write_all(b"for a while").await?;
/// file.flush().await?;
/// assert_eq!(fs::read(file.path()).await?, b"for a while");
/// let path = file.path().to_path_buf();
/// file.close().await?;
/// assert!(!fs::exists(path).await?);
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub struct TempFile {
    /// There until it is kept.
    file: Option<File>,
    removal: Option<Removal>,
    path: PathBuf,
    made_at: &'static Location<'static>,
}

impl TempFile {
    /// Makes one in the system's folder for such files.
    ///
    /// # Cancel safety
    /// Safe: a file that was made for nobody is removed.
    ///
    /// # Errors
    /// What `open` says.
    #[expect(clippy::new_ret_no_self, reason = "the future has it")]
    #[track_caller]
    pub fn new() -> MakeTempFile {
        TempFile::new_in(std::env::temp_dir())
    }

    /// Makes one in this folder: for a file that gets its name when it is whole.
    ///
    /// # Cancel safety
    /// Safe: a file that was made for nobody is removed.
    ///
    /// # Errors
    /// What `open` says.
    #[track_caller]
    pub fn new_in(folder: impl AsRef<Path>) -> MakeTempFile {
        let folder = folder.as_ref().to_path_buf();
        MakeTempFile {
            op: Op::new(move || {
                let (file, path) = sys::temp_file(&folder, PREFIX, "", 0o600)?;
                Ok((file, Removal::new(path, sys::remove_file)))
            }),
            made_at: Location::caller(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file's name. Its bytes go with its last descriptor.
    ///
    /// # Cancel safety
    /// Safe: the name is removed all the same.
    ///
    /// # Errors
    /// What `unlink` says.
    #[track_caller]
    pub fn close(mut self) -> Op<()> {
        let removal = self.removal.take();
        Op::new(move || removal.map_or(Ok(()), Removal::remove))
    }

    /// The file is not removed: it is an open file like any other.
    #[must_use = "the file has a name; `drop` it if it shall be left as it is"]
    pub fn keep(mut self) -> (File, PathBuf) {
        let path = std::mem::take(&mut self.path);
        self.removal.take().map(Removal::keep);
        let file = self.file.take().expect(OPEN);
        (file, path)
    }

    /// Gives the file another name, on the same file system, for good; what had that name is replaced. What was written must be
    /// flushed before.
    ///
    /// # Cancel safety
    /// Safe: the file has its new name, or none.
    ///
    /// # Errors
    /// What `rename` says; the file is removed then.
    #[track_caller]
    pub fn persist(mut self, target: impl AsRef<Path>) -> Op<()> {
        let (removal, target) = (self.removal.take(), target.as_ref().to_path_buf());
        Op::new(move || {
            let Some(removal) = removal else {
                return Ok(());
            };
            sys::rename(&removal.path, &target)?;
            removal.keep();
            Ok(())
        })
    }
}

impl Deref for TempFile {
    type Target = File;

    fn deref(&self) -> &File {
        self.file.as_ref().expect(OPEN)
    }
}

impl DerefMut for TempFile {
    fn deref_mut(&mut self) -> &mut File {
        self.file.as_mut().expect(OPEN)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        send_away(self.removal.take(), self.made_at);
    }
}

impl fmt::Debug for TempFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TempFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Makes a temporary file. Made by [`TempFile::new`] and [`TempFile::new_in`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct MakeTempFile {
    op: Op<(std::fs::File, Removal)>,
    made_at: &'static Location<'static>,
}

impl Future for MakeTempFile {
    type Output = io::Result<TempFile>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TempFile>> {
        let this = self.get_mut();
        let (file, removal) = ready!(Pin::new(&mut this.op).poll(cx))?;
        Poll::Ready(Ok(TempFile {
            file: Some(File::at(file, this.made_at)),
            path: removal.path.clone(),
            removal: Some(removal),
            made_at: this.made_at,
        }))
    }
}

impl fmt::Debug for MakeTempFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.op.fmt(f)
    }
}

/// A folder with a name that nobody else had, for its owner alone, removed on drop with all that is in it.
///
/// The drop hands the removal to the pool; [`TempDir::close`] waits for it. See [`fs::write`](super::write) for an example.
pub struct TempDir {
    removal: Option<Removal>,
    path: PathBuf,
    made_at: &'static Location<'static>,
}

impl TempDir {
    /// Makes one in the system's folder for such things.
    ///
    /// # Cancel safety
    /// Safe: a folder that was made for nobody is removed.
    ///
    /// # Errors
    /// What `mkdir` says.
    #[track_caller]
    pub fn new() -> Op<TempDir> {
        TempDir::new_in(std::env::temp_dir())
    }

    /// Makes one in this folder.
    ///
    /// # Cancel safety
    /// Safe: a folder that was made for nobody is removed.
    ///
    /// # Errors
    /// What `mkdir` says.
    #[track_caller]
    pub fn new_in(folder: impl AsRef<Path>) -> Op<TempDir> {
        let (folder, made_at) = (folder.as_ref().to_path_buf(), Location::caller());
        Op::new(move || {
            let path = sys::temp_dir(&folder, PREFIX)?;
            Ok(TempDir {
                removal: Some(Removal::new(path.clone(), sys::remove_dir_all)),
                path,
                made_at,
            })
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder and all that is in it.
    ///
    /// # Cancel safety
    /// Safe: the folder is removed all the same.
    ///
    /// # Errors
    /// As [`remove_dir_all`](super::remove_dir_all).
    #[track_caller]
    pub fn close(mut self) -> Op<()> {
        let removal = self.removal.take();
        Op::new(move || removal.map_or(Ok(()), Removal::remove))
    }

    /// The folder is not removed.
    #[must_use = "only the path is left of it"]
    pub fn keep(mut self) -> PathBuf {
        self.removal.take().map(Removal::keep);
        std::mem::take(&mut self.path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        send_away(self.removal.take(), self.made_at);
    }
}

impl fmt::Debug for TempDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TempDir")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
