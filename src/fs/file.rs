//! `File`: an open file, read and written by the pool.

use std::fmt;
use std::fs::{FileTimes, Metadata, Permissions};
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::cursor::Cursor;
use super::op::Op;
use super::options::{Open, OpenOptions};
use super::shared::Shared;
use crate::io::{AsyncRead, AsyncSeek, AsyncWrite};
use crate::task::caller::Caller;

/// An open file. Reads, writes and seeks through the extension traits of [`io`](crate::io)
/// ([`AsyncReadExt`](crate::io::AsyncReadExt) and its siblings), and at a place by its own methods.
///
/// * **Reads.** What the page cache has is copied at once on the loop's thread, where the kernel can say so (Linux);
///   all else is read by a thread of the pool, at most as much as was asked, up to 1 MiB at once. So a large buffer
///   costs one trip, and a small one many: wrap the file into a [`BufReader`](crate::io::BufReader).
/// * **Writes** are taken at once, up to 1 MiB, and written behind, in order, by the pool; what comes while a thread writes is
///   written with one call. An error comes out of the next write, `flush` or `close`, and what could not be written is kept
///   and tried again by the call after that. **Flush at the end**, or an error of the last bytes is never heard of.
///   [`File::write_all_at`] returns when the bytes are in the kernel.
/// * **Order.** What is read, sought, synced or asked of the file after a write sees what was written. Operations at a place
///   ([`File::read_at`], [`File::write_at`]) run beside each other.
/// * **Drop.** Bytes that were taken are written, also if the loop ends: then by the thread that ends it, which waits for that.
///   A read that is dropped loses nothing: its bytes come with the next.
///
/// ```
/// use mainspring::fs::{self, File};
/// use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let folder = fs::TempDir::new().await?;
/// let mut file = File::options().read(true).write(true).create(true).open(folder.path().join("notes")).await?;
/// file.write_all(b"tick tock").await?;
/// file.flush().await?;
/// file.rewind().await?;
/// let mut text = String::new();
/// file.read_to_string(&mut text).await?;
/// assert_eq!(text, "tick tock");
/// # folder.close().await
/// # }).unwrap().unwrap();
/// ```
pub struct File {
    shared: Arc<Shared>,
    cursor: Cursor,
}

impl File {
    /// Opens a file to be read.
    ///
    /// # Cancel safety
    /// Safe: a file that was opened for nobody is closed.
    ///
    /// # Errors
    /// What `open` says.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Open {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to be written, which is made if it is not there, and emptied if it is.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the file may be there, and empty, all the same.
    ///
    /// # Errors
    /// What `open` says.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Open {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file that was not there, to be read and written.
    ///
    /// # Cancel safety
    /// Not safe, because the file may be there all the same, and then it is there already.
    ///
    /// # Errors
    /// `AlreadyExists`; what `open` says.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Open {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).open(path)
    }

    /// How a file can be opened otherwise.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file that is open. It stands where it stood.
    #[track_caller]
    #[must_use]
    pub fn from_std(file: std::fs::File) -> File {
        File::at(file, Location::caller())
    }

    pub(super) fn at(file: std::fs::File, made_at: &'static Location<'static>) -> File {
        let shared = Arc::new(Shared::new(file));
        let cursor = Cursor::new(Arc::clone(&shared), made_at);
        File { shared, cursor }
    }

    /// A duplicate of the descriptor for std, when all that was written is written. Both stand at the same place.
    ///
    /// # Cancel safety
    /// Not safe, because the file goes with the future. What it took is written.
    ///
    /// # Errors
    /// That of an earlier write; EMFILE.
    #[track_caller]
    pub fn into_std(self) -> IntoStd {
        IntoStd {
            file: self,
            caller: Caller::here(),
        }
    }

    /// Another `File` for the same open file, when all that was written is written. Both stand at the same place, and move it.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write; EMFILE.
    #[track_caller]
    pub fn try_clone(&mut self) -> TryClone<'_> {
        TryClone {
            file: self,
            made_at: Location::caller(),
        }
    }

    #[track_caller]
    pub(super) fn op<T: Send + 'static>(
        &self,
        work: impl FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
    ) -> Op<T> {
        let shared = Arc::clone(&self.shared);
        Op::new(move || {
            shared.drain()?;
            work(shared.file())
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns when content and metadata are on the disk, with all that was written until now. On macOS the disk itself is told to
    /// keep nothing back.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write; EIO, ENOSPC, EDQUOT. After an error of the sync itself nobody knows what is on the disk, and a
    /// second call may say that all is well.
    ///
    /// ```
    /// # use mainspring::{fs::TempFile, io::AsyncWriteExt};
    /// # mainspring::run(async {
    /// let mut file = TempFile::new().await?;
    /// file.write_all(b"must not get lost").await?;
    /// file.sync_all().await?;
    /// assert_eq!(file.metadata().await?.len(), 17);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn sync_all(&self) -> Op<()> {
        self.op(sys::sync_all)
    }

    /// As [`File::sync_all`], but of the metadata only what it takes to read the content again.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// As [`File::sync_all`].
    #[track_caller]
    pub fn sync_data(&self) -> Op<()> {
        self.op(sys::sync_data)
    }

    /// Cuts the file, or lengthens it by zeros. Where it stands does not change.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write; what `ftruncate` says.
    #[track_caller]
    pub fn set_len(&self, len: u64) -> Op<()> {
        self.op(move |file| sys::set_len(file, len))
    }

    /// Sees to it that later writes to `len` bytes from `offset` find room on the disk, and lengthens the file to there if it is
    /// shorter.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// ENOSPC; `Unsupported` on OpenBSD, NetBSD, DragonFly and illumos, and of file systems that cannot.
    #[track_caller]
    pub fn allocate(&self, offset: u64, len: u64) -> Op<()> {
        self.op(move |file| sys::allocate(file, offset, len))
    }

    /// What the file is like, after all that was written until now.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write; what `fstat` says.
    #[track_caller]
    pub fn metadata(&self) -> Op<Metadata> {
        self.op(sys::metadata_of)
    }

    /// Changes who may do what.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// What `fchmod` says.
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> Op<()> {
        self.op(move |file| sys::set_permissions_of(file, &permissions))
    }

    /// Changes the times of the last access and change.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// What `futimens` says.
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> Op<()> {
        self.op(move |file| sys::set_times_of(file, times))
    }
}

impl From<OwnedFd> for File {
    #[track_caller]
    fn from(fd: OwnedFd) -> File {
        File::from_std(fd.into())
    }
}

impl AsFd for File {
    /// What was written may still be on its way: flush first.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.file().as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.file().as_raw_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.as_raw_fd())
            .finish_non_exhaustive()
    }
}

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().cursor.poll_read(cx, &mut [buf])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut bufs: Vec<&mut [u8]> = bufs.iter_mut().map(|buf| &mut **buf).collect();
        self.get_mut().cursor.poll_read(cx, &mut bufs)
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().cursor.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().cursor.poll_write(cx, bufs)
    }

    /// Ready when all that was taken is in the kernel; [`File::sync_all`] is for the disk.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().cursor.poll_flush(cx)
    }

    /// Flushes; a write afterwards is a `BrokenPipe`. The descriptor closes with the file's drop.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().cursor.poll_close(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.get_mut().cursor.poll_seek(cx, position)
    }
}

/// Gives a file to std. Made by [`File::into_std`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct IntoStd {
    file: File,
    caller: Caller,
}

impl Future for IntoStd {
    type Output = io::Result<std::fs::File>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<std::fs::File>> {
        let this = self.get_mut();
        let cursor = &mut this.file.cursor;
        ready!(this.caller.within(|| cursor.poll_settled(cx)))?;
        Poll::Ready(this.file.shared.file().try_clone())
    }
}

/// Makes another `File` for an open file. Made by [`File::try_clone`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryClone<'a> {
    file: &'a mut File,
    made_at: &'static Location<'static>,
}

impl Future for TryClone<'_> {
    type Output = io::Result<File>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<File>> {
        let this = self.get_mut();
        let cursor = &mut this.file.cursor;
        let caller = Caller::at(this.made_at);
        ready!(caller.within(|| cursor.poll_settled(cx)))?;
        let file = this.file.shared.file().try_clone()?;
        Poll::Ready(Ok(File::at(file, this.made_at)))
    }
}
