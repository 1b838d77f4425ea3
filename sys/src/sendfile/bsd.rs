//! `sendfile(2)` of macOS, FreeBSD and DragonFly, which tells a count beside its error.
//!
//! # Invariants
//!
//! - **FILE-1** Both descriptors are borrowed, so they are open during the call; the count goes to a local.
#![expect(unsafe_code, reason = "sendfile(2) of the BSDs, which rustix lacks")]

use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use rustix::io::{Errno, Result};

use super::{BorrowedFd, Fd, settle};

pub(super) fn sendfile(
    socket: &Fd,
    file: BorrowedFd<'_>,
    offset: i64,
    count: usize,
) -> Result<usize> {
    let (answer, sent) = call(file.as_raw_fd(), socket.as_raw_fd(), offset, count);
    let errno = (answer != 0).then(|| Errno::from_io_error(&std::io::Error::last_os_error()));
    settle(errno.map(|errno| errno.unwrap_or(Errno::IO)), sent)
}

#[cfg(target_vendor = "apple")]
fn call(file: i32, socket: i32, offset: i64, count: usize) -> (i32, i64) {
    // In: how many to send; out: how many were sent, also if the call fails.
    let mut len = i64::try_from(count).unwrap_or(i64::MAX);
    // SAFETY: FILE-1; no headers and trailers, so that pointer may be null.
    let answer = unsafe { libc::sendfile(file, socket, offset, &mut len, null_mut(), 0) };
    (answer, len)
}

#[cfg(not(target_vendor = "apple"))]
fn call(file: i32, socket: i32, offset: i64, count: usize) -> (i32, i64) {
    let mut sent = 0;
    // SAFETY: FILE-1; no headers and trailers, so that pointer may be null.
    let answer = unsafe { libc::sendfile(file, socket, offset, count, null_mut(), &mut sent, 0) };
    (answer, sent)
}
