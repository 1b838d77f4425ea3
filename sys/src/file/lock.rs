//! Locks of files: `flock`, as std's own `File::lock` takes them.
//!
//! *Model.* A lock belongs to the open file, not to the process: two opens of one file exclude each other, also within a
//! process, and duplicates share it. It goes with the last of them. It is advisory: reads and writes do not ask it.
//!
//! *Why not `fcntl`'s.* Those of POSIX belong to the process and go when *any* descriptor of the file is closed, by whomever;
//! those of open files (OFD) are as `flock`'s, but not everywhere. On NFS, Linux makes the one out of the other.

use std::fs::File;
use std::io;

use rustix::fs::FlockOperation;

use super::retry_as;
use crate::fault::Call;

/// Whom a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Everybody else.
    Exclusive,
    /// Those who want it for themselves alone.
    Shared,
}

/// Takes the lock, in place of one that the file has; `false` if somebody else's is in the way.
///
/// # Errors
/// What `flock` says.
pub fn try_lock(file: &File, lock: Lock) -> io::Result<bool> {
    let operation = match lock {
        Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
        Lock::Shared => FlockOperation::NonBlockingLockShared,
    };
    match retry_as(Call::FileChange, 0, |_| rustix::fs::flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the lock back. Nothing if there is none.
///
/// # Errors
/// What `flock` says.
pub fn unlock(file: &File) -> io::Result<()> {
    retry_as(Call::FileChange, 0, |_| {
        rustix::fs::flock(file, FlockOperation::Unlock)
    })
}
