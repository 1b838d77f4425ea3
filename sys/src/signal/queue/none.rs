//! A system without a descriptor for signals.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{Queued, SignalSet};

pub(super) const IS_INHERITED: bool = true;

pub(super) fn open(_set: SignalSet) -> io::Result<OwnedFd> {
    let text = "this system has no descriptor for signals; listen to them with `signal`";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

pub(super) fn take(_fd: BorrowedFd<'_>) -> io::Result<Queued> {
    Err(io::ErrorKind::Unsupported.into())
}
