//! A notifier over a pipe: one byte written, read off by the loop. It works on every Unix.
//!
//! *Model.* Both ends are non-blocking and close-on-exec. A full pipe refuses the byte with EAGAIN,
//! which is success: 64 KiB of unread wakes are as good as one. Both ends live in the notifier, so
//! a late wake after the selector's end neither blocks nor raises SIGPIPE.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::fault::{self, Call};
use crate::fork;

#[derive(Debug)]
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    pub(crate) fn new() -> io::Result<Pipe> {
        fault::check(Call::Open, 0)?;
        let (reader, writer) = crate::fd::pipe()?;
        Ok(Pipe { reader, writer })
    }

    /// In the child of a fork: a pipe of its own, under the same numbers.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        let Pipe { reader, writer } = Pipe::new()?;
        fork::replace(self.reader.as_fd(), reader)?;
        fork::replace(self.writer.as_fd(), writer)
    }

    /// Writes one byte. EINTR is retried: nothing was written.
    pub(crate) fn notify(&self) -> io::Result<()> {
        loop {
            match rustix::io::write(&self.writer, &[1]) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Reads until the pipe is empty.
    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        loop {
            match rustix::io::read(&self.reader, &mut bytes) {
                Ok(count) if count == bytes.len() => {}
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }
}

/// The end that a selector watches.
impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hz_a21_a_full_pipe_is_a_wake_under_way() {
        let pipe = Pipe::new().unwrap();
        while rustix::io::write(&pipe.writer, &[1; 4096]).is_ok() {}
        pipe.notify().unwrap();
        pipe.drain();
        assert_eq!(
            rustix::io::read(&pipe.reader, &mut [0; 1]),
            Err(Errno::AGAIN)
        );
    }
}
