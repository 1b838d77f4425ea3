//! Descriptors on their way to another process: `sendmsg` with SCM_RIGHTS.
//!
//! *Model.* A message carries descriptors beside its bytes; the kernel holds duplicates until somebody
//! receives them, or the message is thrown away. What comes in is in `socket/message.rs`.
//!
//! *A stream has no messages.* There the descriptors go with the first byte of the call that sent them, and
//! with no other, however many of the bytes are taken: who goes on after a short count sends the rest with
//! [`send`](super::send), or they would arrive twice (hz_d08). Without a byte they can't go at all.
//!
//! *Limits.* Linux takes 253 with one message (SCM_MAX_FD), other systems as many as fit into a buffer of
//! theirs; here it is 253 everywhere. Linux also says ETOOMANYREFS, when a user has more descriptors
//! under way than a process of his may open.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage};

use super::retry;
use super::transfer::{LEN_MAX, Moved, SEND_FLAGS, send_errno};
use crate::fault::Call;
use crate::fd::Fd;

/// The most descriptors that one message carries.
pub const FDS_MAX: usize = 253;

/// Sends what fits of `bytes` on a stream, and all of `fds` with the first of them. Never raises SIGPIPE.
///
/// # Errors
/// `InvalidInput`, and nothing is sent: more than [`FDS_MAX`] descriptors, or descriptors without a byte.
/// `WouldBlock` when nothing fits, ETOOMANYREFS; otherwise as [`send`](super::send).
pub fn send_with_fds(fd: &Fd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<Moved> {
    check_count(fds)?;
    if bytes.is_empty() {
        if fds.is_empty() {
            return Ok(Moved { done: 0, asked: 0 });
        }
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "on a stream descriptors go with a byte: send at least one",
        ));
    }
    retry(Call::SendMsg, bytes.len().min(LEN_MAX), |most| {
        let asked = most.max(1);
        let done = sendmsg(fd, &bytes[..asked], fds)?;
        Ok(Moved { done, asked })
    })
}

/// Sends one datagram, or one record, with `fds`: all of it, or nothing.
///
/// # Errors
/// `InvalidInput`, and nothing is sent: more than [`FDS_MAX`] descriptors. EMSGSIZE: it is longer than the
/// system takes. `WouldBlock` when it does not fit now, ETOOMANYREFS; otherwise as [`send`](super::send).
pub fn send_message_with_fds(fd: &Fd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    check_count(fds)?;
    retry(Call::SendMsg, 0, |_| sendmsg(fd, bytes, fds))
}

fn check_count(fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if fds.len() <= FDS_MAX {
        return Ok(());
    }
    let complaint = format!(
        "one message carries {FDS_MAX} descriptors at most, not {}: send them in several",
        fds.len()
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, complaint))
}

fn sendmsg(fd: &Fd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        let has_room = control.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(has_room, "the space is for FDS_MAX");
    }
    rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut control, SEND_FLAGS).map_err(send_errno)
}
