//! `Master`: the side of a pseudo-terminal that types and sees.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring_sys::{Fd, terminal as sys};

use super::{
    Read, ReadVectored, StreamReady, Write, WriteAll, WriteVectored, side, terminal_write,
};
use crate::io::endpoint::methods::{read_methods, socket_read, write_methods};
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::io::endpoint::{Endpoint, Family};
use crate::io::{AsyncRead, AsyncWrite};
use crate::reactor::Direction;

/// The side of a pseudo-terminal that types and sees. Made by [`pair`](super::pair).
///
/// A read gives what was written to the terminal, and the echo of what was typed; 0, the end, when nobody has the
/// terminal open any more: its own [`Terminal`](super::Terminal) counts as well. Its drop hangs the terminal up: programs on it get
/// SIGHUP, and the end.
pub struct Master {
    endpoint: Endpoint,
}

impl Master {
    pub(super) fn new(fd: Fd) -> Master {
        Master {
            endpoint: Endpoint::new(fd, Family::Master),
        }
    }

    read_methods!();
    write_methods!();

    /// The terminal once more, as a file of its own that blocks: for a program that is started on it.
    ///
    /// # Errors
    /// EMFILE, ENFILE; what `open` says.
    pub fn open_slave(&self) -> io::Result<OwnedFd> {
        sys::open_slave(self.endpoint.fd(), false)
    }

    /// What the terminal is called: `/dev/pts/3`. In another mount namespace that may be another one's name.
    ///
    /// # Errors
    /// What the system says.
    pub fn slave_name(&self) -> io::Result<PathBuf> {
        sys::slave_name(self.endpoint.fd())
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

side!(Master);
