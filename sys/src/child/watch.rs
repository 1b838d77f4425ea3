//! A descriptor that becomes readable when a process ends.
//!
//! | system | what it is |
//! |---|---|
//! | Linux 5.3, Android | a pidfd, which the start of the child gives |
//! | macOS, the BSDs | a kqueue of its own with `EVFILT_PROC`: a kqueue is readable in a kqueue, and in poll(2) |
//! | illumos, old kernels | none: SIGCHLD says that *some* child has ended |

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod kqueue;

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub(super) use kqueue::open;

/// Whether this system watches children by a descriptor, as a rule.
#[must_use]
pub fn watches_by_descriptor() -> bool {
    cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))
}

/// Linux gives it with the child; elsewhere there is none.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
pub(super) fn open(_pid: i32) -> Option<std::os::fd::OwnedFd> {
    None
}
