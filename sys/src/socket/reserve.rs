//! A listener without descriptors: how it notices, and how it tells the peers.
//!
//! *Model.* When `accept` says EMFILE, the connection stays in the queue, and the peer, whose own `connect`
//! has succeeded, waits for an answer that may never come. A descriptor that was held back makes room for
//! exactly one: it is closed, a connection is taken, and closed at once, so that the peer reads its end; and
//! so on with the next, until the queue is empty. Then the reserve is opened again.
//!
//! ```text
//!    reserve open ── close ──► room for one ── accept, close ──► … ── WouldBlock ──► reserve open
//! ```
//!
//! *Why not always.* Who refuses at the first EMFILE refuses peers that could have been served a moment
//! later. Whether and when is decided above.

use std::io;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::{accept_any, retry};
use crate::fault::Call;
use crate::fd::Fd;

/// A descriptor to hold back, see [`refuse_waiting`]. It is open on `/dev/null`.
///
/// # Errors
/// EMFILE, ENFILE; `NotFound` in a root directory without `/dev`.
pub fn reserve_fd() -> io::Result<Fd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = retry(Call::OpenReserve, 0, |_| {
        open(c"/dev/null", flags, Mode::empty())
    })?;
    Ok(Fd::from(fd))
}

/// Closes `reserve`, and with the room that this makes takes connections off the listener's queue and closes
/// them, `most` of them at most; then opens it again. Says how many were closed.
///
/// Another thread may be quicker and take the room: then fewer are closed, maybe none, and the reserve may
/// be missing until the next call.
pub fn refuse_waiting(listener: &Fd, reserve: &mut Option<Fd>, most: usize) -> usize {
    *reserve = None;
    // Each is closed as soon as it is counted.
    let refused = (0..most).map_while(|_| accept_any(listener).ok()).count();
    *reserve = reserve_fd().ok();
    refused
}

/// Whether `error` says that the process or the system has no descriptor, or no memory for one, left:
/// an accept that met it leaves the connection in the queue, and can be made again later.
#[must_use]
pub fn is_exhausted(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    is_out_of_descriptors(error) || matches!(errno, Some(Errno::NOBUFS | Errno::NOMEM))
}

/// Whether `error` says that there is no descriptor left, which a reserve can help with.
#[must_use]
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// Whether `error` says that a listener will never accept again: it was shut down, its descriptor is no
/// listening socket, or its loop is gone.
#[must_use]
pub fn is_listener_broken(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(errno) => matches!(errno, Errno::INVAL | Errno::BADF | Errno::NOTSOCK),
        None => error.kind() == io::ErrorKind::NotConnected,
    }
}
