//! `Fd`: an owned descriptor, the one through which every I/O function of this crate goes.
//!
//! *Model.* A closed enum. Today it has one variant, the kernel's descriptor; the simulated kernel
//! adds its own at this seam, under feature `sim` only, and every function over `&Fd` then decides
//! by a `match`. Without the feature the enum costs nothing: 4 bytes, with `OwnedFd`'s niche, so
//! that `Option<Fd>` is 4 bytes too (pinned by a test below).
//!
//! *Invariants.* Closing happens once, in `Drop`, and is never retried: after an interrupted
//! `close` the number may already belong to somebody else (`close(2)`, hz_c02).
//!
//! *Why not `OwnedFd` itself.* Because then there would be no place to put a simulated descriptor,
//! and the tests of order, loss and failure would need a real kernel to misbehave on demand.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An owned descriptor, closed on drop.
#[derive(Debug)]
pub enum Fd {
    /// A descriptor of the running kernel.
    Os(OwnedFd),
}

impl Fd {
    /// The kernel's descriptor, taken out; nothing is closed.
    #[must_use]
    pub fn into_owned(self) -> OwnedFd {
        match self {
            Fd::Os(fd) => fd,
        }
    }
}

impl From<OwnedFd> for Fd {
    fn from(fd: OwnedFd) -> Fd {
        Fd::Os(fd)
    }
}

impl From<Fd> for OwnedFd {
    fn from(fd: Fd) -> OwnedFd {
        fd.into_owned()
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Fd::Os(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The ends of a pipe, the one that is read first. They do not block, and are closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
}

/// macOS has no `pipe2`: the flags come after, and a fork in between leaks two descriptors.
#[cfg(target_vendor = "apple")]
pub(crate) fn pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    for end in [&reader, &writer] {
        rustix::io::ioctl_fioclex(end)?;
        rustix::io::ioctl_fionbio(end, true)?;
    }
    Ok((reader, writer))
}

#[cfg(test)]
mod tests {
    use super::Fd;

    #[test]
    fn an_fd_is_four_bytes_and_keeps_its_niche() {
        assert_eq!(size_of::<Fd>(), 4);
        assert_eq!(size_of::<Option<Fd>>(), 4);
    }
}
