//! Who is at the other end: the user, the group and the process of a Unix socket's peer.
//!
//! *Model.* A kernel notes the credentials at `connect`, `listen` and `socketpair`, and tells them ever
//! after: they say who made the connection, not who has the descriptor now.
//!
//! | system | call | process |
//! |---|---|---|
//! | Linux, Android | SO_PEERCRED | yes |
//! | OpenBSD | SO_PEERCRED, of another layout | yes |
//! | NetBSD | LOCAL_PEEREID | yes |
//! | macOS | `getpeereid`, LOCAL_PEERPID | yes |
//! | FreeBSD, DragonFly | `getpeereid` | no |
//! | illumos | `getpeerucred` | yes |
//!
//! *Why not rustix on Linux.* Its type holds a process that can't be 0. The kernel says 0 of a process in
//! a namespace that this one can't see.
//!
//! # Invariants
//!
//! - **CRED-1** What a kernel writes is a struct of integers, zeroed before: each bit pattern is a value.
//! - **CRED-2** The length passed along is the size of what the pointer points at.
#![expect(
    unsafe_code,
    reason = "getsockopt and getpeereid have no safe form for these structs"
)]

use std::io;

use super::retry;
use crate::fault::Call;
use crate::fd::Fd;

/// Who sent, or connected: as the kernel knows it, not as the peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process; `None` where the system does not tell, and if it can't be seen from here. Its number
    /// may be another process's by now.
    pub pid: Option<i32>,
}

/// The credentials of the process that made the connection, or the pair.
///
/// # Errors
/// What the kernel says: `NotConnected`; `Unsupported` where the system has no such call.
pub fn peer_credentials(fd: &Fd) -> io::Result<Credentials> {
    retry(Call::SocketOption, 0, |_| os::peer_credentials(fd))
}

/// Lets each receive on this socket tell who sent what it got (SO_PASSCRED).
///
/// # Errors
/// What `setsockopt` says; `Unsupported` on systems other than Linux.
pub fn set_pass_credentials(fd: &Fd, pass: bool) -> io::Result<()> {
    retry(Call::SocketOption, 0, |_| pass::set(fd, pass))
}

/// Number 0 stands for a process that can't be seen.
#[allow(dead_code, reason = "not every system tells")]
pub(super) fn visible(pid: libc::pid_t) -> Option<i32> {
    (pid > 0).then_some(pid)
}

/// Fills a struct of integers by `getsockopt`.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "netbsd",
    target_os = "openbsd",
    target_vendor = "apple"
))]
fn option<T: Copy>(fd: &Fd, level: libc::c_int, name: libc::c_int) -> rustix::io::Result<T> {
    use std::os::fd::AsRawFd;
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    let pointer = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `len` bytes, which `value` has (CRED-2).
    let answer = unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, pointer, &raw mut len) };
    if answer != 0 {
        return Err(last_errno());
    }
    // SAFETY: zeroed above, and each bit pattern is a value (CRED-1).
    Ok(unsafe { value.assume_init() })
}

#[cfg(not(target_os = "redox"))]
fn last_errno() -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use super::{Credentials, Fd, option, visible};

    pub(super) fn peer_credentials(fd: &Fd) -> rustix::io::Result<Credentials> {
        let known: libc::ucred = option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        // A socket without a peer is not an error to Linux: it tells of nobody.
        if known.uid == u32::MAX && known.pid == 0 {
            return Err(rustix::io::Errno::NOTCONN);
        }
        Ok(Credentials {
            uid: known.uid,
            gid: known.gid,
            pid: visible(known.pid),
        })
    }
}

#[cfg(target_os = "openbsd")]
mod os {
    use super::{Credentials, Fd, option, visible};

    pub(super) fn peer_credentials(fd: &Fd) -> rustix::io::Result<Credentials> {
        let known: libc::sockpeercred = option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        Ok(Credentials {
            uid: known.uid,
            gid: known.gid,
            pid: visible(known.pid),
        })
    }
}

#[cfg(target_os = "netbsd")]
mod os {
    use super::{Credentials, Fd, option, visible};

    /// `SOL_LOCAL`, as it is called elsewhere.
    const LEVEL: libc::c_int = 0;

    pub(super) fn peer_credentials(fd: &Fd) -> rustix::io::Result<Credentials> {
        let known: libc::unpcbid = option(fd, LEVEL, libc::LOCAL_PEEREID)?;
        Ok(Credentials {
            uid: known.unp_euid,
            gid: known.unp_egid,
            pid: visible(known.unp_pid),
        })
    }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
mod os {
    use std::os::fd::AsRawFd;

    use super::{Credentials, Fd, last_errno};

    pub(super) fn peer_credentials(fd: &Fd) -> rustix::io::Result<Credentials> {
        let (mut uid, mut gid) = (0, 0);
        // SAFETY: two pointers to locals of the types that the call writes (CRED-1).
        let answer = unsafe { libc::getpeereid(fd.as_raw_fd(), &raw mut uid, &raw mut gid) };
        if answer != 0 {
            return Err(last_errno());
        }
        Ok(Credentials {
            uid,
            gid,
            pid: pid(fd),
        })
    }

    /// The process is a gift: without it the rest is still true.
    #[cfg(target_vendor = "apple")]
    fn pid(fd: &Fd) -> Option<i32> {
        let pid: libc::pid_t = super::option(fd, libc::SOL_LOCAL, libc::LOCAL_PEERPID).ok()?;
        super::visible(pid)
    }

    #[cfg(not(target_vendor = "apple"))]
    fn pid(_fd: &Fd) -> Option<i32> {
        None
    }
}

#[cfg(target_os = "illumos")]
mod os {
    use std::os::fd::AsRawFd;

    use super::{Credentials, Fd, last_errno, visible};

    pub(super) fn peer_credentials(fd: &Fd) -> rustix::io::Result<Credentials> {
        let mut known = std::ptr::null_mut();
        // SAFETY: the call writes one pointer, to a block that is freed below, once.
        unsafe {
            if libc::getpeerucred(fd.as_raw_fd(), &raw mut known) != 0 {
                return Err(last_errno());
            }
            let credentials = Credentials {
                uid: libc::ucred_geteuid(known),
                gid: libc::ucred_getegid(known),
                pid: visible(libc::ucred_getpid(known)),
            };
            libc::ucred_free(known);
            Ok(credentials)
        }
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "openbsd",
    target_os = "netbsd",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "illumos"
)))]
mod os {
    use super::{Credentials, Fd};

    pub(super) fn peer_credentials(_fd: &Fd) -> rustix::io::Result<Credentials> {
        Err(rustix::io::Errno::OPNOTSUPP)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pass {
    use super::Fd;

    pub(super) fn set(fd: &Fd, pass: bool) -> rustix::io::Result<()> {
        rustix::net::sockopt::set_socket_passcred(fd, pass)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod pass {
    use super::Fd;

    pub(super) fn set(_fd: &Fd, _pass: bool) -> rustix::io::Result<()> {
        Err(rustix::io::Errno::OPNOTSUPP)
    }
}
