//! Moves bytes: `recv`, `peek` and `send` on sockets, `read` and `write` on any descriptor.
//!
//! *Role.* The hot path: per echo round trip one [`recv`] and one [`send`], each exactly one system
//! call and no allocation.
//!
//! *Why sockets have functions of their own.* Because `write` on a socket whose peer is gone raises
//! SIGPIPE, which kills a process that did not expect it, and only `send` can be told not to. A pipe
//! has no such switch: before a [`write`] to one, SIGPIPE must be ignored or blocked (Rust's own
//! `main` ignores it; a library can't rely on that).
//!
//! An empty buffer is not an end of file, although both give 0 (hz_d09): callers that take 0 for the
//! end must not ask with nothing.

use std::io;

use rustix::net::{RecvFlags, SendFlags};

use super::retry;
use crate::fault::Call;
use crate::fd::Fd;

/// The most bytes that one call is asked to move. macOS refuses more than `INT_MAX` with EINVAL
/// instead of moving fewer (hz_d10); Linux never moves more than this, whatever it is asked.
const LEN_MAX: usize = 0x7fff_f000;

/// Each send carries it. macOS does without, see `silence_sigpipe` in the parent module.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// Receives what is there, at most `buf.len()` bytes. 0 is the end of the stream.
///
/// # Errors
/// `WouldBlock` when nothing is there; `ConnectionReset`.
#[inline]
pub fn recv(fd: &Fd, buf: &mut [u8]) -> io::Result<usize> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |len| {
        rustix::net::recv(fd, &mut buf[..len], RecvFlags::empty()).map(|(count, _)| count)
    })
}

/// Like [`recv`], but what was received stays in the socket.
///
/// # Errors
/// As [`recv`].
#[inline]
pub fn peek(fd: &Fd, buf: &mut [u8]) -> io::Result<usize> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |len| {
        rustix::net::recv(fd, &mut buf[..len], RecvFlags::PEEK).map(|(count, _)| count)
    })
}

/// Sends what fits, and never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` when nothing fits; `BrokenPipe` after a shutdown; `ConnectionReset`.
#[inline]
pub fn send(fd: &Fd, buf: &[u8]) -> io::Result<usize> {
    retry(Call::Send, buf.len().min(LEN_MAX), |len| {
        rustix::net::send(fd, &buf[..len], SEND_FLAGS).map_err(send_errno)
    })
}

/// Reads from any descriptor. 0 is the end of the file.
///
/// # Errors
/// `WouldBlock`, if the descriptor is non-blocking, when nothing is there; what the device says.
#[inline]
pub fn read(fd: &Fd, buf: &mut [u8]) -> io::Result<usize> {
    retry(Call::Read, buf.len().min(LEN_MAX), |len| {
        rustix::io::read(fd, &mut buf[..len])
    })
}

/// Writes to any descriptor; see this module's header about SIGPIPE.
///
/// # Errors
/// `WouldBlock`, if the descriptor is non-blocking, when nothing fits; `BrokenPipe`; what the device
/// says.
#[inline]
pub fn write(fd: &Fd, buf: &[u8]) -> io::Result<usize> {
    retry(Call::Write, buf.len().min(LEN_MAX), |len| {
        rustix::io::write(fd, &buf[..len])
    })
}

/// macOS says EPROTOTYPE to a send that meets a socket in the middle of its teardown. What it means
/// is a reset.
#[inline(always)]
fn send_errno(errno: rustix::io::Errno) -> rustix::io::Errno {
    use rustix::io::Errno;
    if cfg!(target_vendor = "apple") && errno == Errno::PROTOTYPE {
        return Errno::CONNRESET;
    }
    errno
}
