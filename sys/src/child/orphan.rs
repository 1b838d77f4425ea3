//! Orphans: processes that become children of this one when their parents end.
//!
//! # Invariants
//!
//! - **ORPHAN-1** Structs that the system fills are made zeroed, and read only after the call has said that it filled them.
#![expect(unsafe_code, reason = "waitid, prctl, procctl")]

use std::io;
use std::process::ExitStatus;

use super::table;
use crate::fault::{self, Call};

/// Reaps a child that has ended, and was neither started here nor is one of those of which `is_ours` says so: one that came to
/// us when its parent died ([`become_subreaper`]), as a rule. `None`: none has ended, or the first that has is one that `is_ours`
/// wants to keep; those behind it are found when that one is reaped.
///
/// # Errors
/// What `waitid` and `wait4` say; that there are no children at all is none.
pub fn try_wait_orphan(is_ours: impl Fn(i32) -> bool) -> io::Result<Option<(i32, ExitStatus)>> {
    loop {
        let Some(pid) = table::first_stranger()? else {
            return Ok(None);
        };
        // No lock is held while it thinks.
        if is_ours(pid) {
            return Ok(None);
        }
        if let Some(status) = table::reap_stranger(pid)? {
            return Ok(Some((pid, status)));
        }
    }
}

/// Any child that has ended, which stays a zombie: a look takes nobody from anybody.
pub(super) fn first_ended() -> io::Result<Option<i32>> {
    match look(libc::P_ALL, 0) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        answer => answer,
    }
}

/// Whether this child has ended; it stays what it is.
pub(super) fn has_ended(pid: i32) -> io::Result<bool> {
    // Of as many widths as there are systems, with a sign and without; no pid is below 0.
    Ok(look(libc::P_PID, pid as libc::id_t)?.is_some())
}

fn look(which: libc::idtype_t, id: libc::id_t) -> io::Result<Option<i32>> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let once = || {
        // SAFETY: ORPHAN-1. Where no child has ended, the number stays 0.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            match libc::waitid(which, id, &mut info, flags) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(info.si_pid()),
            }
        }
    };
    loop {
        match fault::check(Call::WaitChild, 0).and_then(|_| once()) {
            Ok(pid) => return Ok((pid != 0).then_some(pid)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// From here on, processes whose parents die become children of this process, not of process 1: Linux, and FreeBSD.
///
/// # Errors
/// `Unsupported` elsewhere.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: the request takes integers.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// From here on, processes whose parents die become children of this process, not of process 1: Linux, and FreeBSD.
///
/// # Errors
/// `Unsupported` elsewhere.
#[cfg(target_os = "freebsd")]
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: the request takes no argument.
    match unsafe {
        libc::procctl(
            libc::P_PID,
            0,
            libc::PROC_REAP_ACQUIRE,
            std::ptr::null_mut(),
        )
    } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// From here on, processes whose parents die become children of this process, not of process 1: Linux, and FreeBSD.
///
/// # Errors
/// `Unsupported` elsewhere.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub fn become_subreaper() -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
