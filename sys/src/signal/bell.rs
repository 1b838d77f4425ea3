//! `Bell`: how the handler wakes a loop.
//!
//! *Model.* A table of pipes in static memory. A loop that listens has one of them, with the signals it listens to as
//! bits beside it. The handler walks the table.
//!
//! # Invariants
//!
//! - **BELL-1** A pipe of the table is never closed: the handler may be about to write to it on another thread, and by then the
//!   number could be a stranger's file. Who needs one takes one that is free; there are as many as ever listened at once.
#![expect(unsafe_code, reason = "write(2) in a signal handler")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};

use super::{Signal, handler};
use crate::fault::{self, Call};
use crate::{fd, fork};

/// So many loops may listen at once.
const BELLS_MAX: usize = 256;

/// One place of the table.
struct Place {
    /// The ends of the pipe; -1 while there is none.
    reader: AtomicI32,
    writer: AtomicI32,
    is_taken: AtomicBool,
    /// Rung and not quieted: one byte is enough.
    is_rung: AtomicBool,
    /// The signals that ring it; bit 0 is signal 1.
    mask: AtomicU64,
}

#[expect(
    clippy::declare_interior_mutable_const,
    reason = "the seed of a static array"
)]
const PLACE: Place = Place {
    reader: AtomicI32::new(-1),
    writer: AtomicI32::new(-1),
    is_taken: AtomicBool::new(false),
    is_rung: AtomicBool::new(false),
    mask: AtomicU64::new(0),
};

static BELLS: [Place; BELLS_MAX] = [PLACE; BELLS_MAX];

/// How many places have ever been used: the handler looks no further.
static USED: AtomicUsize = AtomicUsize::new(0);

fn bit(number: i32) -> u64 {
    1 << (number - 1)
}

/// In the handler (SIG-1).
pub(super) fn ring_all(number: i32) {
    for place in &BELLS[..USED.load(Acquire)] {
        if place.mask.load(Acquire) & bit(number) != 0 && !place.is_rung.swap(true, AcqRel) {
            let writer = place.writer.load(Relaxed);
            // SAFETY: BELL-1. One byte of static memory; a full pipe is rung already.
            unsafe { libc::write(writer, b"!".as_ptr().cast(), 1) };
        }
    }
}

/// In the child of a fork, whose handler rings nobody: every pipe is another one, under the old numbers.
pub(super) fn replace_all() -> io::Result<()> {
    for place in &BELLS[..USED.load(Acquire)] {
        let (reader, writer) = fd::pipe()?;
        for (number, new) in [(&place.reader, reader), (&place.writer, writer)] {
            // SAFETY: BELL-1, it is open for ever: a place that was ever used has its pipe.
            let old = unsafe { BorrowedFd::borrow_raw(number.load(Acquire)) };
            fork::replace(old, new)?;
        }
        place.is_rung.store(false, Release);
    }
    Ok(())
}

/// A loop's bell: readable when one of its signals came. It does not block.
#[derive(Debug)]
pub struct Bell {
    index: usize,
    listened: Vec<Signal>,
}

impl Bell {
    /// A bell that no signal rings yet.
    ///
    /// # Errors
    /// EMFILE, ENFILE; `ResourceBusy` if too many loops listen at once.
    pub fn new() -> io::Result<Bell> {
        fault::check(Call::Signal, 0)?;
        handler::after_fork()?;
        for (index, place) in BELLS.iter().enumerate() {
            if place.is_taken.swap(true, AcqRel) {
                continue;
            }
            if let Err(error) = place.make_pipe() {
                place.is_taken.store(false, Release);
                return Err(error);
            }
            USED.fetch_max(index + 1, AcqRel);
            let bell = Bell {
                index,
                listened: Vec::new(),
            };
            bell.quiet();
            return Ok(bell);
        }
        let text = "too many loops listen to signals at once";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
    }

    fn place(&self) -> &'static Place {
        &BELLS[self.index]
    }

    /// From here on the signal rings it.
    ///
    /// # Errors
    /// [`Signal::check_can_be_caught`]; what `sigaction` says.
    pub fn listen(&mut self, signal: Signal) -> io::Result<()> {
        handler::begin(signal)?;
        self.place().mask.fetch_or(bit(signal.number()), AcqRel);
        self.listened.push(signal);
        Ok(())
    }

    /// One listener of the signal less; the last one's going ends the ringing.
    pub fn unlisten(&mut self, signal: Signal) {
        let Some(at) = self.listened.iter().position(|other| *other == signal) else {
            return;
        };
        self.listened.swap_remove(at);
        if !self.listened.contains(&signal) {
            self.place().mask.fetch_and(!bit(signal.number()), AcqRel);
        }
        handler::end(signal);
    }

    /// Makes it silent again; then look at the counts, which is what it rang for.
    pub fn quiet(&self) {
        let mut bytes = [0; 64];
        while let Ok(count) = rustix::io::read(self, &mut bytes) {
            if count < bytes.len() {
                break;
            }
        }
        // Then the flag: the other way round, the byte of a signal in between would be read off with the flag left up,
        // and no later one would write. A signal in between has been counted, which the swap lets the caller see.
        self.place().is_rung.swap(false, AcqRel);
    }
}

impl Bell {
    /// The descriptor that is readable while it is rung. It is never closed.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'static> {
        let reader = self.place().reader.load(Relaxed);
        // SAFETY: BELL-1, it is open for ever.
        unsafe { BorrowedFd::borrow_raw(reader) }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let place = self.place();
        place.mask.store(0, Release);
        for signal in std::mem::take(&mut self.listened) {
            handler::end(signal);
        }
        place.is_taken.store(false, Release);
    }
}

impl Place {
    /// The pipe, the first time.
    fn make_pipe(&self) -> io::Result<()> {
        if self.writer.load(Acquire) != -1 {
            return Ok(());
        }
        let (reader, writer): (OwnedFd, OwnedFd) = fd::pipe()?;
        debug_assert!(writer.as_raw_fd() >= 0);
        self.reader.store(reader.into_raw_fd(), Relaxed);
        self.writer.store(writer.into_raw_fd(), Release);
        Ok(())
    }
}
