//! `open_pair`: a pseudo-terminal, of which a program has the one side and we the other.
//!
//! *Model.* The *slave* is a terminal as programs know it. What is typed into it is written to the *master*, and what programs
//! print comes out there. Each open of the slave is a file of its own, so that ours may be non-blocking and a child's not.
//!
//! # Invariants
//!
//! - **PAIR-1** A descriptor that a call has just made is nobody else's: it is taken into an `OwnedFd` at once.
//! - **PAIR-2** What `ptsname` returns is memory of libc, which the next call overwrites: it is copied under `NAMES`, a lock
//!   around all such calls of ours.

#![expect(unsafe_code, reason = "the calls that make pseudo-terminals")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags};

use super::ask;
use crate::fault::Call;
use crate::fd::Fd;
use crate::fork::PerProcess;
use crate::pipe;
use crate::socket::retry;

/// Both sides of a pseudo-terminal. Neither blocks.
#[derive(Debug)]
pub struct Pair {
    /// The side that types and sees.
    pub master: Fd,
    /// The side that is a terminal.
    pub slave: Fd,
}

/// Makes a pseudo-terminal.
///
/// # Errors
/// EMFILE, ENFILE; ENOSPC, EAGAIN: the system has no more of them; what else `posix_openpt` says.
pub fn open_pair() -> io::Result<Pair> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | AT_BIRTH;
    let open = || retry_open(|| posix_openpt(flags));
    let master = open()?;
    // SAFETY: both only look at the descriptor, which lives.
    ask(|| unsafe { libc::grantpt(master.as_raw_fd()) })?;
    // SAFETY: it only looks at the descriptor, which lives.
    ask(|| unsafe { libc::unlockpt(master.as_raw_fd()) })?;
    let slave = open_slave(&master, true)?;
    // macOS takes the flag only once the other side is open.
    if AT_BIRTH == 0 {
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
    }
    pipe::set_nonblocking(&master, true)?;
    Ok(Pair {
        master: Fd::from(master),
        slave: Fd::from(slave),
    })
}

/// What `posix_openpt` takes beside POSIX's flags.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const AT_BIRTH: libc::c_int = libc::O_CLOEXEC;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const AT_BIRTH: libc::c_int = 0;

fn posix_openpt(flags: libc::c_int) -> libc::c_int {
    // SAFETY: it touches no memory.
    unsafe { libc::posix_openpt(flags) }
}

fn retry_open(call: impl Fn() -> libc::c_int) -> io::Result<OwnedFd> {
    let fd = retry(Call::OpenFile, 0, |_| match call() {
        -1 => Err(
            rustix::io::Errno::from_io_error(&io::Error::last_os_error())
                .unwrap_or(rustix::io::Errno::IO),
        ),
        fd => Ok(fd),
    })?;
    // SAFETY: PAIR-1.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens the other side of `master` once more.
///
/// # Errors
/// ENOTTY: it is no master; what `open` says.
pub fn open_slave(master: &impl AsFd, is_nonblocking: bool) -> io::Result<OwnedFd> {
    let mut flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    if is_nonblocking {
        flags |= OFlags::NONBLOCK;
    }
    if let Some(slave) = open_peer(master.as_fd(), flags)? {
        return Ok(slave);
    }
    let path = slave_name(master)?;
    let slave = retry(Call::OpenFile, 0, |_| {
        rustix::fs::open(&path, flags, Mode::empty())
    })?;
    make_terminal(&slave)?;
    Ok(slave)
}

/// By the master alone (Linux 4.13; `libc` has no number for Android): the name may mean another file here, or none, where `/dev/pts` is another's.
#[cfg(target_os = "linux")]
fn open_peer(master: BorrowedFd<'_>, flags: OFlags) -> io::Result<Option<OwnedFd>> {
    let (fd, flags) = (master.as_raw_fd(), flags.bits() as libc::c_int);
    // SAFETY: the call takes an integer and touches no memory.
    match retry_open(|| unsafe { libc::ioctl(fd, libc::TIOCGPTPEER, flags) }) {
        Ok(slave) => Ok(Some(slave)),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOTTY | libc::ENOSYS | libc::EIO) => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "Linux has something to say")]
fn open_peer(_master: BorrowedFd<'_>, _flags: OFlags) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Only illumos has a terminal made of parts.
#[cfg(target_os = "illumos")]
fn make_terminal(slave: &OwnedFd) -> io::Result<()> {
    for part in [c"ptem", c"ldterm"] {
        // SAFETY: a string that ends, which the call reads.
        ask(|| unsafe { libc::ioctl(slave.as_raw_fd(), libc::I_PUSH, part.as_ptr()) })?;
    }
    Ok(())
}

#[cfg(not(target_os = "illumos"))]
#[expect(clippy::unnecessary_wraps, reason = "illumos has something to do")]
fn make_terminal(_slave: &OwnedFd) -> io::Result<()> {
    Ok(())
}

/// PAIR-2.
static NAMES: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));

/// As if this thread asked for a name.
#[cfg(test)]
pub(super) fn hold_names() -> std::sync::MutexGuard<'static, ()> {
    NAMES.lock()
}

/// What the other side of `master` is called: `/dev/pts/3`.
///
/// # Errors
/// ENOTTY: it is no master.
pub fn slave_name(master: &impl AsFd) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;

    let fd = master.as_fd().as_raw_fd();
    let _names = NAMES.lock();
    crate::fault::check(Call::Terminal, 0)?;
    // SAFETY: the descriptor lives.
    let name = unsafe { libc::ptsname(fd) };
    if name.is_null() {
        let error = io::Error::last_os_error();
        // Some systems leave the errno of somebody else's failure.
        return Err(match error.raw_os_error() {
            Some(0) => io::Error::from_raw_os_error(libc::ENOTTY),
            _ => error,
        });
    }
    // SAFETY: PAIR-2; it ends with a 0.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes().to_vec();
    Ok(PathBuf::from(std::ffi::OsString::from_vec(name)))
}
