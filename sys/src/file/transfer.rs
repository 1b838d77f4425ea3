//! Bytes of files: read and written where the file stands, or at a place; by threads that may block.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::unix::fs::FileExt;

use super::retry_as;
use crate::fault::Call;
use crate::socket::{LEN_MAX, fit};

/// How much is read at once of a file that says nothing of its length.
const STEP: usize = 64 * 1024;

/// Reads some bytes from where the file stands. 0 is the end.
///
/// # Errors
/// What `read` says.
pub fn read_some(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut file = file;
    retry_as(Call::Read, buf.len().min(LEN_MAX), |len| {
        file.read(&mut buf[..len])
    })
}

/// Reads all that is left of a file behind what `bytes` holds; at one go, if the file knows its length.
///
/// # Errors
/// What `read` says; what came before that is in `bytes`.
pub fn read_to_end(file: &File, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let start = bytes.len();
    let told = file.metadata().map_or(0, |metadata| metadata.len());
    // One byte more, so that the end shows in a read of its own but needs no growth.
    let mut room = usize::try_from(told).unwrap_or(0).min(LEN_MAX) + 1;
    loop {
        let before = bytes.len();
        bytes.try_reserve(room).map_err(io::Error::from)?;
        bytes.resize(before + room, 0);
        let read = read_some(file, &mut bytes[before..]);
        bytes.truncate(before + read.as_ref().map_or(0, |count| *count));
        match read? {
            0 => return Ok(bytes.len() - start),
            count => room = (room - count).max(1),
        }
        if room == 1 {
            room = STEP.max(bytes.len() - start);
        }
    }
}

/// Writes some bytes where the file stands.
///
/// # Errors
/// What `write` says.
pub fn write_some(file: &File, buf: &[u8]) -> io::Result<usize> {
    let mut file = file;
    retry_as(Call::Write, buf.len().min(LEN_MAX), |len| {
        file.write(&buf[..len])
    })
}

/// Writes all bytes where the file stands, and says how many were written, also if not all of them could be.
pub fn write_all(file: &File, buf: &[u8]) -> (usize, io::Result<()>) {
    all(buf, |rest, _| write_some(file, rest))
}

/// Writes all bytes at a place; as [`write_all`].
pub fn write_all_at(file: &File, buf: &[u8], offset: u64) -> (usize, io::Result<()>) {
    all(buf, |rest, done| write_at(file, rest, offset + done))
}

fn all(
    buf: &[u8],
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < buf.len() {
        match write(&buf[done..], done as u64) {
            Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// Reads some bytes at a place; where the file stands does not change.
///
/// # Errors
/// What `pread` says.
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    retry_as(Call::Read, buf.len().min(LEN_MAX), |len| {
        file.read_at(&mut buf[..len], offset)
    })
}

/// Writes some bytes at a place; where the file stands does not change. On Linux, a file that was opened to append
/// appends all the same.
///
/// # Errors
/// What `pwrite` says.
pub fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    retry_as(Call::Write, buf.len().min(LEN_MAX), |len| {
        file.write_at(&buf[..len], offset)
    })
}

/// As [`read_at`], into several slices, one after the other.
///
/// # Errors
/// What `preadv` says.
pub fn read_vectored_at(
    file: &File,
    bufs: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    retry_as(Call::Read, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        match &mut bufs[range] {
            [] => Ok(0),
            [one] => file.read_at(&mut one[..asked], offset),
            several => os::preadv(file, several, offset),
        }
    })
}

/// As [`write_at`], from several slices, one after the other.
///
/// # Errors
/// What `pwritev` says.
pub fn write_vectored_at(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    retry_as(Call::Write, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        match &bufs[range] {
            [] => Ok(0),
            [one] => file.write_at(&one[..asked], offset),
            several => os::pwritev(file, several, offset),
        }
    })
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
mod os {
    use std::fs::File;
    use std::io::{self, IoSlice, IoSliceMut};

    pub(super) fn preadv(
        file: &File,
        bufs: &mut [IoSliceMut<'_>],
        offset: u64,
    ) -> io::Result<usize> {
        Ok(rustix::io::preadv(file, bufs, offset)?)
    }

    pub(super) fn pwritev(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(file, bufs, offset)?)
    }
}

/// One slice per call where several cannot be given, or not on every version.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
)))]
mod os {
    use std::fs::File;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::os::unix::fs::FileExt;

    pub(super) fn preadv(
        file: &File,
        bufs: &mut [IoSliceMut<'_>],
        offset: u64,
    ) -> io::Result<usize> {
        file.read_at(&mut bufs[0], offset)
    }

    pub(super) fn pwritev(file: &File, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        file.write_at(&bufs[0], offset)
    }
}
