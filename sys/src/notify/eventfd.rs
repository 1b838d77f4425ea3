//! A notifier over `eventfd(2)`: one descriptor, one counter.
//!
//! *Model.* `write` adds 1 to a 64-bit counter and reports the descriptor readable. Under an
//! edge-triggered epoll each write is a new edge, also while the counter is not zero, so the loop
//! need not read it: a wake then costs one system call instead of two. Under poll(2) the level
//! would stay up, so that backend drains it.
//!
//! *The one trap* (hz_a21). At its maximum of 2^64 - 2 the counter refuses the write with EAGAIN,
//! and a refused write makes no edge. Nobody gets there by counting, but anybody who has the
//! descriptor can write the maximum in one call; so EAGAIN empties the counter and writes again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::fault::{self, Call};
use crate::fork;

#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> io::Result<EventFd> {
        fault::check(Call::Open, 0)?;
        Ok(EventFd(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?))
    }

    /// In the child of a fork: a counter of its own, under the same number.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        fork::replace(self.as_fd(), EventFd::new()?.0)
    }

    /// Adds one; see the header for a full counter. EINTR is retried: the write did not happen.
    pub(crate) fn notify(&self) -> io::Result<()> {
        loop {
            match rustix::io::write(&self.0, &1u64.to_ne_bytes()) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.drain(),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sets the counter to zero.
    pub(crate) fn drain(&self) {
        let mut counter = [0; 8];
        while let Err(Errno::INTR) = rustix::io::read(&self.0, &mut counter) {}
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hz_a21_a_full_counter_still_takes_a_wake() {
        let eventfd = EventFd::new().unwrap();
        rustix::io::write(&eventfd.0, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        eventfd.notify().unwrap();
        let mut counter = [0; 8];
        rustix::io::read(&eventfd.0, &mut counter).unwrap();
        assert_eq!(u64::from_ne_bytes(counter), 1, "emptied, then rung");
    }
}
