//! `splice`: bytes from a socket into a pipe, and out of it into another socket, without a way through our memory.
//!
//! *Role.* `net::proxy` is made of it, where there is much to move. Linux and Android have it; elsewhere
//! [`Pipe::new`] says [`Unsupported`](io::ErrorKind::Unsupported), and the caller copies.
//!
//! *Model.* A [`Pipe`] stands between two sockets. It is filled only while it is empty, because EAGAIN of a
//! [`Pipe::fill`] could otherwise mean either that the socket has nothing or that the pipe is full.
//!
//! ```text
//!    socket ── fill ──► pipe ── drain ──► socket
//!                         └──── read ───► memory      when the second socket refuses
//! ```
//!
//! *Cost.* A system call for each arrow; what moves are references to pages. A pipe counts pages, not bytes: sixteen
//! of one byte fill one of 64 KiB, so neither a short fill nor a short drain says anything of the sockets.

use std::io;

use crate::fault::Call;
use crate::fd::Fd;
use crate::socket::retry;

pub use crate::sendfile::is_refused;
pub use crate::sigpipe::Shield;

/// What one call is asked to move at most. Whatever a pipe can hold is less.
const LEN_MAX: usize = 0x7fff_f000;

/// A pipe that both sockets are spliced with. Its ends do not block and are closed on exec.
#[derive(Debug)]
pub struct Pipe {
    reader: Fd,
    writer: Fd,
    size: usize,
}

impl Pipe {
    /// A pipe that has room for `size` bytes, if the system grants so much; else for what a pipe usually has.
    ///
    /// # Errors
    /// `Unsupported` where there is no splice; EMFILE, ENFILE.
    pub fn new(size: usize) -> io::Result<Pipe> {
        let (reader, writer) = retry(Call::Open, 0, |_| os::pipe())?;
        // EPERM: all pipes of this user have too much together, or one may not have so much.
        let size = os::set_size(&writer, size);
        Ok(Pipe {
            reader: Fd::from(reader),
            writer: Fd::from(writer),
            size,
        })
    }

    /// How many bytes fit, at best.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Moves what the socket has, as much as fits, into this pipe, which must be empty. 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when the socket has nothing; what [`is_refused`] is true of; ECONNRESET.
    pub fn fill(&self, socket: &Fd) -> io::Result<usize> {
        retry(Call::Splice, LEN_MAX, |len| {
            os::splice(socket, &self.writer, len)
        })
    }

    /// Moves at most `len` bytes of the pipe into the socket, as many as fit there. On Linux it raises SIGPIPE where the peer
    /// is gone: hold a [`Shield`] meanwhile.
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits; what [`is_refused`] is true of; EPIPE, ECONNRESET.
    pub fn drain(&self, socket: &Fd, len: usize) -> io::Result<usize> {
        retry(Call::Splice, len.min(LEN_MAX), |len| {
            os::splice(&self.reader, socket, len)
        })
    }

    /// Reads what is in the pipe, into memory.
    ///
    /// # Errors
    /// `WouldBlock` when it is empty.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        crate::socket::read(&self.reader, buf)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::io::Result;
    use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size};

    use super::Fd;

    /// What a pipe has room for unless it is told otherwise. In bytes.
    const USUAL_SIZE: usize = 64 << 10;

    pub(super) use crate::fd::pipe;

    pub(super) fn set_size(pipe: &OwnedFd, size: usize) -> usize {
        fcntl_setpipe_size(pipe.as_fd(), size)
            .or_else(|_| fcntl_getpipe_size(pipe.as_fd()))
            .unwrap_or(USUAL_SIZE)
    }

    pub(super) fn splice(from: &Fd, to: &Fd, len: usize) -> Result<usize> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        rustix::pipe::splice(from, None, to, None, len, flags)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    use std::os::fd::OwnedFd;

    use rustix::io::{Errno, Result};

    use super::Fd;

    pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
        Err(Errno::OPNOTSUPP)
    }

    pub(super) fn set_size(_pipe: &OwnedFd, _size: usize) -> usize {
        0
    }

    pub(super) fn splice(_from: &Fd, _to: &Fd, _len: usize) -> Result<usize> {
        Err(Errno::OPNOTSUPP)
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests;
