//! Moves bytes: `recv`, `peek` and `send` on sockets, also from and to several slices; `read` and
//! `write` on any descriptor.
//!
//! *Role.* The hot path: per echo round trip one [`recv`] and one [`send`], each exactly one system
//! call and no allocation.
//!
//! *Why sockets have functions of their own.* Because `write` on a socket whose peer is gone raises
//! SIGPIPE, which kills a process that did not expect it, and only `send` can be told not to. A pipe
//! has no such switch: before a [`write`] to one, SIGPIPE must be ignored or blocked (Rust's own
//! `main` ignores it; a library can't rely on that).
//!
//! *How much was asked.* A transfer that moved less than it was asked says that the socket is empty, or
//! full. But the kernel is sometimes asked for less than the caller wants: two gigabytes at most, 1024
//! slices at most, or what the fault plan lets through. So each transfer on a socket tells both numbers
//! ([`Moved`]); who compared with his own length would wait for an event that never comes (hz_d10).
//!
//! An empty buffer is not an end of file, although both give 0 (hz_d09): callers that take 0 for the
//! end must not ask with nothing.

use std::io::{self, IoSlice, IoSliceMut};
use std::ops::{Deref, Range};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use super::retry;
use crate::fault::Call;
use crate::fd::Fd;

/// The most bytes that one call is asked to move. macOS refuses more than `INT_MAX` with EINVAL
/// instead of moving fewer (hz_d10); Linux never moves more than this, whatever it is asked.
pub(crate) const LEN_MAX: usize = 0x7fff_f000;

/// The most slices that one call takes: IOV_MAX of every system here. One more is EINVAL, or EMSGSIZE.
const SLICES_MAX: usize = 1024;

/// Each send carries it. macOS does without, see `silence_sigpipe` in the parent module.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::empty();

/// What a transfer on a socket came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How many bytes were moved.
    pub done: usize,
    /// How many the kernel was asked to move: more than `done` says that the socket is empty now, or full.
    pub asked: usize,
}

/// Receives what is there, at most `buf.len()` bytes. 0 is the end of the stream.
///
/// # Errors
/// `WouldBlock` when nothing is there; `ConnectionReset`.
#[inline]
pub fn recv(fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |asked| {
        let (done, _) = rustix::net::recv(fd, &mut buf[..asked], RecvFlags::empty())?;
        Ok(Moved { done, asked })
    })
}

/// Like [`recv`], into several slices, one after the other.
///
/// # Errors
/// As [`recv`].
pub fn recv_vectored(fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    retry(Call::Recv, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let done = match &mut bufs[range] {
            [] => 0,
            [one] => rustix::net::recv(fd, &mut one[..asked], RecvFlags::empty())?.0,
            several => rustix::io::readv(fd, several)?,
        };
        Ok(Moved { done, asked })
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
pub fn send(fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
    retry(Call::Send, buf.len().min(LEN_MAX), |asked| {
        let done = rustix::net::send(fd, &buf[..asked], SEND_FLAGS).map_err(send_errno)?;
        Ok(Moved { done, asked })
    })
}

/// Like [`send`], from several slices, one after the other. By `sendmsg`, because `writev` raises
/// SIGPIPE.
///
/// # Errors
/// As [`send`].
pub fn send_vectored(fd: &Fd, bufs: &[IoSlice<'_>]) -> io::Result<Moved> {
    retry(Call::Send, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let sent = match &bufs[range] {
            [] => Ok(0),
            [one] => rustix::net::send(fd, &one[..asked], SEND_FLAGS),
            several => {
                let mut nothing = SendAncillaryBuffer::default();
                rustix::net::sendmsg(fd, several, &mut nothing, SEND_FLAGS)
            }
        };
        let done = sent.map_err(send_errno)?;
        Ok(Moved { done, asked })
    })
}

/// Which slices one call can take, whole and `most` bytes in all, and how many bytes that is. Empty ones
/// at the front are left out; the first that holds anything is taken even if it must be cut.
pub(crate) fn fit(slices: &[impl Deref<Target = [u8]>], most: usize) -> (Range<usize>, usize) {
    let first = slices.iter().take_while(|slice| slice.is_empty()).count();
    let (mut end, mut bytes) = (first, 0);
    for slice in slices[first..].iter().take(SLICES_MAX) {
        if slice.len() > most - bytes {
            if end == first {
                return (first..first + 1, most);
            }
            break;
        }
        bytes += slice.len();
        end += 1;
    }
    (first..end, bytes)
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
pub(super) fn send_errno(errno: rustix::io::Errno) -> rustix::io::Errno {
    use rustix::io::Errno;
    if cfg!(target_vendor = "apple") && errno == Errno::PROTOTYPE {
        return Errno::CONNRESET;
    }
    errno
}
