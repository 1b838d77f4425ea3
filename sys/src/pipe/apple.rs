//! Pipes as macOS has them: with a switch against SIGPIPE.
//!
//! # Invariants
//!
//! - **FIFO-1** A path is handed over as a C string that outlives the call.
//! - **FIFO-2** `F_SETNOSIGPIPE` takes an integer and touches no memory of ours.
#![expect(unsafe_code, reason = "fcntl and mkfifo that rustix does not have")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// From here on a write to a pipe without a reader gives EPIPE, and no signal.
pub(super) fn silence_sigpipe(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: FIFO-2.
    match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETNOSIGPIPE, 1) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The switch is at the descriptor.
pub(super) fn shield() {}

pub(super) fn make_fifo(path: &Path, mode: u32) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: FIFO-1.
    match unsafe { libc::mkfifo(path.as_ptr(), mode as libc::mode_t) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
