//! `OpenOptions`: how a file is opened.

use std::future::Future;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::file::File;
use super::op::Op;

/// How a file is opened: to be read, to be written, made if it is not there. As std's.
///
/// ```
/// use mainspring::fs::OpenOptions;
/// # mainspring::run(async {
/// let missing = OpenOptions::new().read(true).open("no/such/file").await;
/// assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptions {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    /// To be read.
    pub fn read(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.read(is_on);
        self
    }

    /// To be written.
    pub fn write(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.write(is_on);
        self
    }

    /// To be written at its end, wherever that is by then.
    pub fn append(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.append(is_on);
        self
    }

    /// Emptied if it is there.
    pub fn truncate(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.truncate(is_on);
        self
    }

    /// Made if it is not there.
    pub fn create(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.create(is_on);
        self
    }

    /// Made; it must not be there.
    pub fn create_new(&mut self, is_on: bool) -> &mut OpenOptions {
        self.0.create_new(is_on);
        self
    }

    /// The permissions of a file that is made, less what the umask takes away; 0o666 unless told.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    /// Flags of the system's `open` besides.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }

    /// Opens the file, by the pool. Of a FIFO, a thread waits there for its other end: [`pipe`](crate::pipe) opens those.
    ///
    /// # Cancel safety
    /// Safe: a file that was opened for nobody is closed; what the options say of an existing file (`create_new`,
    /// `truncate`) may have happened.
    ///
    /// # Errors
    /// What `open` says; `InvalidInput` for options that contradict each other.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Open {
        let (options, path) = (self.0.clone(), path.as_ref().to_path_buf());
        Open::new(move || sys::open(&path, &options))
    }
}

/// Opens a file. Made by [`OpenOptions::open`], [`File::open`] and their siblings.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Open {
    op: Op<std::fs::File>,
    made_at: &'static Location<'static>,
}

impl Open {
    #[track_caller]
    pub(super) fn new(work: impl FnOnce() -> io::Result<std::fs::File> + Send + 'static) -> Open {
        Open {
            op: Op::new(work),
            made_at: Location::caller(),
        }
    }
}

impl Future for Open {
    type Output = io::Result<File>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<File>> {
        let this = self.get_mut();
        let file = ready!(Pin::new(&mut this.op).poll(cx))?;
        Poll::Ready(Ok(File::at(file, this.made_at)))
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
