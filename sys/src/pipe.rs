//! Pipes and FIFOs: made, opened, and read and written without a SIGPIPE.
//!
//! *Role.* `mainspring`'s pipes are made of these; so are the ends that a child process gets. [`read`] and [`write()`]
//! serve whatever is neither socket nor file: terminals too.
//!
//! *Model.* An end of ours does not block and is closed on exec, from birth. The end that a child gets is made
//! blocking, and handed over, by whoever starts it.
//!
//! *SIGPIPE.* A write to a pipe whose reader is gone raises it, and there is no flag against that. So [`write()`]
//! holds a [`Shield`](crate::splice::Shield), which costs a system call; where the process ignores the signal, as Rust's own `main` makes
//! it, that is all. macOS and NetBSD can be told once, by `F_SETNOSIGPIPE`.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::fault::{self, Call};
use crate::fd::{self, Fd};
use crate::socket::{LEN_MAX, Moved, fit, retry};

/// A new pipe: what is written to the second comes out of the first. Neither blocks.
///
/// # Errors
/// EMFILE, ENFILE.
pub fn pipe() -> io::Result<(Fd, Fd)> {
    let (reader, writer) = retry(Call::Pipe, 0, |_| fd::pipe())?;
    os::silence_sigpipe(&writer)?;
    Ok((Fd::from(reader), Fd::from(writer)))
}

/// Takes over an end that came from elsewhere, and makes it non-blocking: for everybody who shares it.
///
/// # Errors
/// What `fcntl` says; the descriptor is closed then.
pub fn adopt(fd: OwnedFd) -> io::Result<Fd> {
    set_nonblocking(&fd, true)?;
    os::silence_sigpipe(&fd)?;
    Ok(Fd::from(fd))
}

/// Makes a descriptor blocking, or not.
///
/// # Errors
/// What `fcntl` says.
pub fn set_nonblocking(fd: &impl AsFd, is_nonblocking: bool) -> io::Result<()> {
    fault::check(Call::Flags, 0)?;
    let flags = rustix::fs::fcntl_getfl(fd)?;
    let wanted = match is_nonblocking {
        true => flags | OFlags::NONBLOCK,
        false => flags - OFlags::NONBLOCK,
    };
    if wanted != flags {
        rustix::fs::fcntl_setfl(fd, wanted)?;
    }
    Ok(())
}

/// Whether the descriptor is that of a pipe or a FIFO.
#[must_use]
pub fn is_pipe(fd: &impl AsFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo())
}

/// Which end of a FIFO to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one that is read. Until somebody opens the other one it is at its end.
    Reader,
    /// The one that is written; ENXIO unless somebody reads.
    Writer,
    /// Both in one: for a reader that never meets the end, because it holds a writer itself, and a writer that
    /// waits for no reader. Linux; POSIX does not say what comes of it.
    Both,
}

/// Opens a FIFO that exists, without waiting for its other end.
///
/// # Errors
/// ENXIO for a writer while nobody reads; `InvalidInput` if it is no FIFO; what `open` says.
pub fn open_fifo(path: &Path, end: End) -> io::Result<Fd> {
    let access = match end {
        End::Reader => OFlags::RDONLY,
        End::Writer => OFlags::WRONLY,
        End::Both => OFlags::RDWR,
    };
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = retry(Call::OpenFile, 0, |_| {
        rustix::fs::open(path, flags, Mode::empty())
    })?;
    if !is_pipe(&fd) {
        let text = format!("{} is no FIFO: make one with mkfifo", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if end != End::Reader {
        os::silence_sigpipe(&fd)?;
    }
    Ok(Fd::from(fd))
}

/// Makes a FIFO with these permissions, less those that the umask takes away.
///
/// # Errors
/// What `mkfifo` says: EEXIST, ENOENT, EACCES.
pub fn make_fifo(path: &Path, mode: u32) -> io::Result<()> {
    fault::check(Call::FileName, 0)?;
    os::make_fifo(path, mode)
}

/// Reads what is there, at most `buf.len()` bytes. 0 is the end.
///
/// # Errors
/// `WouldBlock` when nothing is there; EIO of a terminal.
#[inline]
pub fn read(fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
    retry(Call::Read, buf.len().min(LEN_MAX), |asked| {
        let done = rustix::io::read(fd, &mut buf[..asked])?;
        Ok(Moved { done, asked })
    })
}

/// As [`read`], into several slices, one after the other.
///
/// # Errors
/// As [`read`].
pub fn read_vectored(fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    retry(Call::Read, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let done = match &mut bufs[range] {
            [] => 0,
            [one] => rustix::io::read(fd, &mut one[..asked])?,
            several => rustix::io::readv(fd, several)?,
        };
        Ok(Moved { done, asked })
    })
}

/// Writes what fits, and never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` when nothing fits; `BrokenPipe` when nobody can read it any more.
#[inline]
pub fn write(fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
    let _shield = os::shield();
    retry(Call::Write, buf.len().min(LEN_MAX), |asked| {
        let done = rustix::io::write(fd, &buf[..asked])?;
        Ok(Moved { done, asked })
    })
}

/// As [`write()`], from several slices, one after the other.
///
/// # Errors
/// As [`write()`].
pub fn write_vectored(fd: &Fd, bufs: &[IoSlice<'_>]) -> io::Result<Moved> {
    let _shield = os::shield();
    retry(Call::Write, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let done = match &bufs[range] {
            [] => 0,
            [one] => rustix::io::write(fd, &one[..asked])?,
            several => rustix::io::writev(fd, several)?,
        };
        Ok(Moved { done, asked })
    })
}

#[cfg(not(target_vendor = "apple"))]
mod os {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use crate::sigpipe::Shield;

    #[expect(clippy::unnecessary_wraps, reason = "macOS has something to say")]
    pub(super) fn silence_sigpipe(_fd: &OwnedFd) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn shield() -> Shield {
        Shield::new()
    }

    pub(super) fn make_fifo(path: &Path, mode: u32) -> io::Result<()> {
        use rustix::fs::{CWD, FileType, Mode, RawMode, mknodat};
        let mode = Mode::from_raw_mode(mode as RawMode);
        Ok(mknodat(CWD, path, FileType::Fifo, mode, 0)?)
    }
}

#[cfg(target_vendor = "apple")]
#[path = "pipe/apple.rs"]
mod os;

#[cfg(test)]
mod tests;
