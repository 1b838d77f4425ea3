//! `sendfile`: a file's bytes into a stream socket, without a way through our memory.
//!
//! *Role.* `TcpStream::send_file` is made of [`sendfile`]; where the system has none, or refuses the file or
//! the socket ([`is_refused`]), of [`read_at`] on a thread of the pool.
//!
//! *Model.* One call moves what fits into the socket, like `send`, and says how much.
//!
//! | system | call | what is special |
//! |---|---|---|
//! | Linux, Android | `sendfile` | raises SIGPIPE: hold a [`Shield`] meanwhile |
//! | macOS | `sendfile(file, socket, …, &len)` | a length of 0 means all; partial progress comes with EAGAIN or EINTR |
//! | FreeBSD, DragonFly | `sendfile(file, socket, …, &sent)` | the same |
//! | the rest | | [`Unsupported`](io::ErrorKind::Unsupported) |
//!
//! *It may block.* The socket does not, but the file is read where it is called: a page that is not in
//! memory is fetched from the disk first, and the loop waits for that.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::fault::Call;
use crate::fd::Fd;
use crate::socket::retry;

pub use crate::sigpipe::Shield;

/// The most bytes that one call is asked to move (hz_d10), as for `send`.
const LEN_MAX: usize = 0x7fff_f000;

/// Moves bytes of `file`, from the one at `offset` on and at most `count`, into the socket, and says how many.
/// The file's own position is neither used nor moved. 0 is the end of the file, or a `count` of 0.
///
/// A call that moved some bytes and then met an error tells of the bytes; the next call meets the error.
///
/// # Errors
/// `WouldBlock` when nothing fits; what [`is_refused`] is true of, when this file, or this socket, or this
/// system cannot do it; EPIPE, ECONNRESET; EIO of the file.
pub fn sendfile(socket: &Fd, file: BorrowedFd<'_>, offset: u64, count: usize) -> io::Result<usize> {
    // To the BSDs a length of 0 is the whole file.
    if count == 0 {
        return Ok(0);
    }
    let offset = kernel_offset(offset)?;
    let room = usize::try_from(i64::MAX - offset).unwrap_or(LEN_MAX);
    let count = count.min(room).min(LEN_MAX);
    retry(Call::Sendfile, count, |count| {
        if count == 0 {
            return Ok(0);
        }
        os::sendfile(socket, file, offset, count)
    })
}

/// Whether `error` says that the kernel does not send this file into this socket, which another way may
/// still do.
#[must_use]
pub fn is_refused(error: &io::Error) -> bool {
    // On some systems the last two are one.
    let causes = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
    Errno::from_io_error(error).is_some_and(|errno| causes.contains(&errno))
}

/// Reads from `file`, from the byte at `offset` on, and leaves the file's own position alone. 0 is the end. It
/// may block, so it is for a thread that may.
///
/// # Errors
/// `InvalidInput` for an offset that no file reaches; ESPIPE for what has no positions (a pipe, a socket); EISDIR; EIO.
pub fn read_at(file: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    check_offset(offset)?;
    retry(Call::Read, buf.len().min(LEN_MAX), |len| {
        rustix::io::pread(file, &mut buf[..len], offset)
    })
}

/// How long a regular file is now, in bytes; `None` for what is none, and for one that says 0, as those of
/// `/proc` do whatever is in them.
///
/// # Errors
/// What `fstat` says.
pub fn file_len(file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let stat = rustix::fs::fstat(file)?;
    let is_regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    let len = u64::try_from(stat.st_size).unwrap_or(0);
    Ok((is_regular && len > 0).then_some(len))
}

/// Says whether a file can reach to `offset`.
///
/// # Errors
/// `InvalidInput` if it can't.
pub fn check_offset(offset: u64) -> io::Result<()> {
    kernel_offset(offset).map(drop)
}

/// As the kernel counts positions.
fn kernel_offset(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "no file reaches to offset {offset}; the last there can be is {}",
                i64::MAX
            ),
        )
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use super::{BorrowedFd, Fd};

    #[expect(clippy::cast_sign_loss, reason = "it came from a u64 that fits")]
    pub(super) fn sendfile(
        socket: &Fd,
        file: BorrowedFd<'_>,
        offset: i64,
        count: usize,
    ) -> rustix::io::Result<usize> {
        let mut offset = offset as u64;
        rustix::fs::sendfile(socket, file, Some(&mut offset), count)
    }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
#[path = "sendfile/bsd.rs"]
mod os;

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
)))]
mod os {
    use super::{BorrowedFd, Fd};

    pub(super) fn sendfile(
        _socket: &Fd,
        _file: BorrowedFd<'_>,
        _offset: i64,
        _count: usize,
    ) -> rustix::io::Result<usize> {
        Err(rustix::io::Errno::OPNOTSUPP)
    }
}

/// What a call of the BSDs comes to, which tells errno and count both: bytes that were sent come first, and
/// the error, if it is one that lasts, out of the next call.
#[cfg(any(
    test,
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
fn settle(errno: Option<Errno>, sent: i64) -> rustix::io::Result<usize> {
    match (errno, usize::try_from(sent).unwrap_or(0)) {
        (Some(errno), 0) => Err(errno),
        (_, sent) => Ok(sent),
    }
}

#[cfg(test)]
mod tests;
