//! Locks of files: `lock`, `try_lock` and their siblings.
//!
//! *Why a wait asks again and again.* The system tells nobody that a lock is free but who blocks for it, and a thread that
//! blocks for a lock that never comes is one thread less for all files. So the wait is a timer's: it asks after 1 ms, and then
//! less and less often, up to every 64 ms. Waiters have no order.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::file as sys;

use super::file::File;
use super::op::Op;
use crate::task::caller::Caller;
use crate::time::{Sleep, sleep};

/// After so long a lock is asked for once more, and then after twice as long ...
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// ... up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(64);

impl File {
    /// Waits until nobody else has a lock of this file, and takes it: for this open file and its duplicates alone. It is that of
    /// `flock`, the one that std takes, and advisory: reads and writes do not ask for it. It ends with [`File::unlock`], or with the
    /// last duplicate.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the lock may have been taken all the same, and [`File::unlock`] gives it back.
    ///
    /// # Errors
    /// What `flock` says.
    ///
    /// ```
    /// # use mainspring::fs::{File, TempFile};
    /// # mainspring::run(async {
    /// let one = TempFile::new().await?;
    /// let other = File::open(one.path()).await?;
    /// one.lock().await?;
    /// assert!(!other.try_lock().await?);
    /// one.unlock().await?;
    /// assert!(other.try_lock().await?);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn lock(&self) -> LockFile<'_> {
        LockFile::new(self, sys::Lock::Exclusive)
    }

    /// As [`File::lock`], beside others who take it so.
    ///
    /// # Cancel safety
    /// Safe: as [`File::lock`].
    ///
    /// # Errors
    /// What `flock` says.
    #[track_caller]
    pub fn lock_shared(&self) -> LockFile<'_> {
        LockFile::new(self, sys::Lock::Shared)
    }

    /// Takes the lock if nobody else has one; says whether it did.
    ///
    /// # Cancel safety
    /// Safe: as [`File::lock`].
    ///
    /// # Errors
    /// What `flock` says.
    #[track_caller]
    pub fn try_lock(&self) -> Op<bool> {
        self.op(|file| sys::try_lock(file, sys::Lock::Exclusive))
    }

    /// As [`File::try_lock`], beside others who take it so.
    ///
    /// # Cancel safety
    /// Safe: as [`File::lock`].
    ///
    /// # Errors
    /// What `flock` says.
    #[track_caller]
    pub fn try_lock_shared(&self) -> Op<bool> {
        self.op(|file| sys::try_lock(file, sys::Lock::Shared))
    }

    /// Gives the lock back, when all that was written is written. Nothing if there is none.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write, the lock is kept then; what `flock` says.
    #[track_caller]
    pub fn unlock(&self) -> Op<()> {
        self.op(sys::unlock)
    }
}

/// Waits for the lock of a file. Made by [`File::lock`] and [`File::lock_shared`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LockFile<'a> {
    file: &'a File,
    lock: sys::Lock,
    stage: Stage,
    wait: Duration,
    caller: Caller,
}

enum Stage {
    Asking(Op<bool>),
    Waiting(Pin<Box<Sleep>>),
}

impl<'a> LockFile<'a> {
    #[track_caller]
    fn new(file: &'a File, lock: sys::Lock) -> LockFile<'a> {
        LockFile {
            file,
            lock,
            stage: Stage::Asking(file.op(move |file| sys::try_lock(file, lock))),
            wait: FIRST_WAIT,
            caller: Caller::here(),
        }
    }
}

impl Future for LockFile<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.stage = match &mut this.stage {
                Stage::Asking(ask) => {
                    let is_taken = ready!(this.caller.within(|| Pin::new(ask).poll(cx)))?;
                    if is_taken {
                        return Poll::Ready(Ok(()));
                    }
                    let wait = this.wait;
                    this.wait = (wait * 2).min(LONGEST_WAIT);
                    Stage::Waiting(Box::pin(sleep(wait)))
                }
                Stage::Waiting(wait) => {
                    ready!(this.caller.within(|| wait.as_mut().poll(cx)));
                    let lock = this.lock;
                    Stage::Asking(this.file.op(move |file| sys::try_lock(file, lock)))
                }
            };
        }
    }
}

impl fmt::Debug for LockFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockFile")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}
