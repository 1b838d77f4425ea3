//! `Shared`: an open file and the bytes that it took and that are still to be written, for the loop and the pool.
//!
//! *Role.* [`File`](super::File) holds one, and so does every job that is about the file.
//!
//! *Model.* A write puts its bytes into the *lane*, and sends a writer unless one is coming. Whoever touches the file on a
//! thread of the pool empties the lane first, in order, one thread at a time. So a sync, or a look at the length, sees
//! what was written before it; and many small writes are one call of the kernel.
//!
//! ```text
//!   write, write, write ──► kept ──► drain: writer, or whoever comes first ──► the kernel
//!                             ▲              │ an error: what was not written goes back to the front,
//!                             └──────────────┘ and the error comes out of the next call
//! ```
//!
//! *End.* Whoever drops the last reference writes what is left, wherever that is: bytes that were taken are not lost because
//! a loop ends (hz_g09).
//!
//! *Fork.* What was taken before a fork the parent writes, and so must not be written by its child as well; and the thread
//! that wrote it is not there. So in the child the lane is found empty and free.

use std::fs::File;
use std::io;
use std::mem;

use mainspring_sys::{file as sys, fork};

use crate::shim::{Condvar, Mutex, MutexGuard, lock};

/// So many bytes are taken before they are written; then a write waits.
pub(super) const KEPT_MAX: usize = 1024 * 1024;
/// A buffer that is larger is given back when it is empty.
const SPARE_MAX: usize = 64 * 1024;

pub(super) struct Shared {
    file: File,
    lane: Mutex<Lane>,
    /// Who wants to drain waits here for who does.
    drained: Condvar,
}

struct Lane {
    /// Taken, not written.
    kept: Vec<u8>,
    /// A thread has taken some out and writes them.
    is_busy: bool,
    /// A writer was sent that has not looked for the last time.
    is_writer_coming: bool,
    /// Why bytes went back.
    error: Option<io::Error>,
    /// In which the bytes were taken.
    generation: u32,
}

impl Lane {
    fn new() -> Lane {
        Lane {
            kept: Vec::new(),
            is_busy: false,
            is_writer_coming: false,
            error: None,
            generation: fork::generation(),
        }
    }
}

/// What became of bytes that were given to [`Shared::take`].
pub(super) enum Taken {
    /// So many were taken, and a writer is coming.
    Some(usize),
    /// So many were taken: send a writer.
    SendWriter(usize),
    /// There is no room.
    Full,
}

/// How the lane stands.
pub(super) enum Standing {
    Empty,
    /// A writer comes, or somebody drains.
    Busy,
    /// Bytes are left, and nobody comes for them.
    Left,
}

impl Shared {
    pub(super) fn new(file: File) -> Shared {
        Shared {
            file,
            lane: Mutex::new(Lane::new()),
            drained: Condvar::new(),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        let mut lane = lock(&self.lane);
        if fork::is_inherited(lane.generation) {
            *lane = Lane::new();
        }
        lane
    }

    /// Takes what there is room for.
    ///
    /// # Errors
    /// That of an earlier write, once; nothing is taken then.
    pub(super) fn take<'a>(&self, bufs: impl Iterator<Item = &'a [u8]>) -> io::Result<Taken> {
        let mut lane = self.lane();
        if let Some(error) = lane.error.take() {
            return Err(error);
        }
        let mut taken = 0;
        for buf in bufs {
            let room = KEPT_MAX.saturating_sub(lane.kept.len());
            let count = room.min(buf.len());
            lane.kept.extend_from_slice(&buf[..count]);
            taken += count;
        }
        Ok(match (taken, lane.is_writer_coming) {
            (0, true) => Taken::Full,
            (_, true) => Taken::Some(taken),
            // Also if nothing was taken: a full lane that nobody comes for.
            (_, false) => {
                lane.is_writer_coming = true;
                Taken::SendWriter(taken)
            }
        })
    }

    /// The error of an earlier write, once.
    pub(super) fn take_error(&self) -> io::Result<()> {
        self.lane().error.take().map_or(Ok(()), Err)
    }

    pub(super) fn standing(&self) -> Standing {
        let lane = self.lane();
        match (lane.is_busy || lane.is_writer_coming, lane.kept.is_empty()) {
            (true, _) => Standing::Busy,
            (false, true) => Standing::Empty,
            (false, false) => Standing::Left,
        }
    }

    /// Somebody goes to send a writer; or the one that was sent will not come.
    pub(super) fn set_writer_coming(&self, is_coming: bool) {
        self.lane().is_writer_coming = is_coming;
    }

    /// As the writer that was sent: drains, and leaves an error to be told.
    pub(super) fn write(&self) {
        loop {
            let result = self.drain();
            let mut lane = self.lane();
            // What came since then finds that a writer is coming.
            if result.is_err() || lane.kept.is_empty() {
                lane.is_writer_coming = false;
                lane.error = result.err();
                return;
            }
        }
    }

    /// Writes what was taken. May wait.
    ///
    /// # Errors
    /// What `write` says; what could not be written is kept, in front of what came meanwhile.
    pub(super) fn drain(&self) -> io::Result<()> {
        let mut lane = self.lane();
        while lane.is_busy {
            lane = self
                .drained
                .wait(lane)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        lane.is_busy = true;
        let mut result = Ok(());
        while result.is_ok() && !lane.kept.is_empty() {
            let mut bytes = mem::take(&mut lane.kept);
            drop(lane);
            let (done, written) = sys::write_all(&self.file, &bytes);
            result = written;
            lane = self.lane();
            bytes.drain(..done);
            if bytes.is_empty() && lane.kept.is_empty() && bytes.capacity() <= SPARE_MAX {
                lane.kept = bytes;
            } else if !bytes.is_empty() {
                bytes.append(&mut lane.kept);
                lane.kept = bytes;
            }
        }
        lane.is_busy = false;
        drop(lane);
        self.drained.notify_one();
        result
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Standing::Empty = self.standing() {
            return;
        }
        // Nobody is left who could be told of an error: `flush` is there for who wants to know.
        let _ = self.drain();
    }
}
