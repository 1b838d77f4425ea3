//! Batches of datagrams: many with one system call, and with memory that is used again.
//!
//! *Model.* A batch owns its bytes, one piece per datagram, and what the kernel wants to know of each. The headers,
//! which are pointers to these, are made anew before each call, so that a batch can be moved in between.
//!
//! ```text
//!    ReceiveBatch   [ piece ][ piece ][ piece ] …        filled from the front, by each receive anew
//!    SendBatch      ···sent···│ front … │ room           push at the back, a send takes from the front
//! ```
//!
//! *Partial batches.* The kernel takes some and says how many; it tells an error only of the first. So what was
//! not sent stays in the batch, and the one that failed is its front.
//!
//! *Where there is no such call* (all but Linux and FreeBSD) each datagram costs its own.
//!
//! *Cost.* No allocation after the first use, one system call per batch.
//!
//! # Invariants
//!
//! PKT-1 and PKT-2 of `packet.rs`.
#![expect(unsafe_code, reason = "batches that rustix does not have")]

use std::io;
use std::net::SocketAddr;

use super::{Name, Received, Space};
use crate::fd::Fd;
use crate::socket::control::Ancillary;

/// What a batch keeps of a datagram beside its bytes.
#[derive(Clone, Copy)]
struct Slot {
    name: Name,
    name_len: libc::socklen_t,
    space: Space,
    control_len: usize,
    /// Where its bytes are.
    start: usize,
    len: usize,
}

const EMPTY: Slot = Slot {
    name: Name::new(),
    name_len: 0,
    space: Space::new(),
    control_len: 0,
    start: 0,
    len: 0,
};

/// Room for many datagrams that are received at once, used again and again.
pub struct ReceiveBatch {
    bytes: Vec<u8>,
    piece_len: usize,
    slots: Vec<Slot>,
    #[allow(dead_code, reason = "where there is no call for a batch")]
    headers: os::Headers,
    received: Vec<Received>,
}

impl ReceiveBatch {
    /// Room for `count` datagrams of at most `len` bytes each, both at least 1.
    #[must_use]
    pub fn new(count: usize, len: usize) -> ReceiveBatch {
        let (count, piece_len) = (count.max(1), len.max(1));
        ReceiveBatch {
            bytes: vec![0; count * piece_len],
            piece_len,
            slots: vec![EMPTY; count],
            headers: os::Headers::new(count),
            received: Vec::with_capacity(count),
        }
    }

    /// How many datagrams it takes at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many datagrams are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// The datagrams: what is known of each, and its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Received, &[u8])> {
        let pieces = self.bytes.chunks_exact(self.piece_len);
        let pairs = self.received.iter().zip(pieces);
        pairs.map(|(received, piece)| (received, &piece[..received.len]))
    }
}

impl std::fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiveBatch")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// Receives as many datagrams as are there and fit into `batch`, in place of those that were in it. Says how many.
///
/// # Errors
/// As [`recv_packet`](super::recv_packet); with an error the batch is empty.
pub fn recv_batch(fd: &Fd, batch: &mut ReceiveBatch) -> io::Result<usize> {
    batch.received.clear();
    os::receive(fd, batch)?;
    Ok(batch.received.len())
}

/// Datagrams to be sent with few system calls.
pub struct SendBatch {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// How many of the slots are sent.
    sent: usize,
    #[allow(dead_code, reason = "where there is no call for a batch")]
    headers: os::Headers,
}

impl SendBatch {
    /// Room for `count` datagrams of `len` bytes on average; it grows if there are more.
    #[must_use]
    pub fn new(count: usize, len: usize) -> SendBatch {
        SendBatch {
            bytes: Vec::with_capacity(count.saturating_mul(len)),
            slots: Vec::with_capacity(count),
            sent: 0,
            headers: os::Headers::new(count),
        }
    }

    /// Appends a datagram to the peer, or, if `to` is given, to that address.
    pub fn push(&mut self, bytes: &[u8], to: Option<SocketAddr>) {
        self.append(bytes, to, EMPTY);
    }

    /// Appends a datagram with `ancillary` beside it.
    ///
    /// # Errors
    /// `Unsupported` for what this system can't send; nothing is appended then.
    pub fn push_with(
        &mut self,
        bytes: &[u8],
        to: Option<SocketAddr>,
        ancillary: &Ancillary,
    ) -> io::Result<()> {
        let mut slot = EMPTY;
        slot.control_len = slot.space.encode(ancillary)?;
        self.append(bytes, to, slot);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], to: Option<SocketAddr>, mut slot: Slot) {
        if self.sent == self.slots.len() {
            self.clear();
        }
        slot.name_len = to.map_or(0, |to| slot.name.set(to));
        (slot.start, slot.len) = (self.bytes.len(), bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.slots.push(slot);
    }

    /// How many datagrams are still to be sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.sent
    }

    /// Whether all are sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the front away without sending it: the one that an error was about. Says whether there was one.
    pub fn skip(&mut self) -> bool {
        let has_front = !self.is_empty();
        self.sent += usize::from(has_front);
        has_front
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        self.sent = 0;
    }
}

impl std::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendBatch")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Sends as many of `batch` as there is room for, takes them off its front, and says how many.
///
/// # Errors
/// As [`send_packet`](super::send_packet), of the datagram at the front, which stays there; `WouldBlock` when
/// there is no room for it.
pub fn send_batch(fd: &Fd, batch: &mut SendBatch) -> io::Result<usize> {
    if batch.is_empty() {
        return Ok(0);
    }
    let sent = os::send(fd, batch)?;
    batch.sent += sent;
    Ok(sent)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod os {
    use std::io;
    use std::os::fd::AsRawFd;

    use super::{ReceiveBatch, Received, SendBatch};
    use crate::fault::Call;
    use crate::fd::Fd;
    use crate::socket::control::SPACE_LEN;
    use crate::socket::packet::{SEND_FLAGS, WHOLE_LEN_FLAG, header, last_error, slice_of};
    use crate::socket::retry;

    /// The most datagrams that one call takes; Linux cuts at this number too.
    const COUNT_MAX: usize = 1024;

    /// What the kernel is given. Between calls nothing in it is looked at.
    pub(super) struct Headers {
        slices: Vec<libc::iovec>,
        headers: Vec<libc::mmsghdr>,
    }

    impl Headers {
        pub(super) fn new(count: usize) -> Headers {
            Headers {
                slices: Vec::with_capacity(count),
                headers: Vec::with_capacity(count),
            }
        }
    }

    pub(super) fn receive(fd: &Fd, batch: &mut ReceiveBatch) -> io::Result<()> {
        let count = batch.slots.len().min(COUNT_MAX);
        let (slices, headers) = (&mut batch.headers.slices, &mut batch.headers.headers);
        retry(Call::RecvMany, count, |count| {
            slices.clear();
            headers.clear();
            slices.extend(
                batch
                    .bytes
                    .chunks_exact_mut(batch.piece_len)
                    .take(count)
                    .map(slice_of),
            );
            for (slot, slice) in batch.slots.iter_mut().zip(slices.iter_mut()) {
                let mut header = header(&mut slot.name, slice);
                header.msg_control = slot.space.as_mut_ptr().cast();
                header.msg_controllen = SPACE_LEN as _;
                headers.push(libc::mmsghdr {
                    msg_hdr: header,
                    msg_len: 0,
                });
            }
            // SAFETY: PKT-1, the headers point into the batch, which is borrowed, each to a slot of its own.
            let done = unsafe {
                libc::recvmmsg(
                    fd.as_raw_fd(),
                    headers.as_mut_ptr(),
                    count as _,
                    WHOLE_LEN_FLAG as _,
                    std::ptr::null_mut(),
                )
            };
            let done = usize::try_from(done).map_err(|_| last_error())?;
            let taken = headers[..done].iter().zip(&batch.slots);
            batch.received.extend(taken.map(|(taken, slot)| {
                let (header, done) = (&taken.msg_hdr, taken.msg_len as usize);
                Received::of(header, &slot.name, &slot.space, done, batch.piece_len)
            }));
            Ok(())
        })
    }

    pub(super) fn send(fd: &Fd, batch: &mut SendBatch) -> io::Result<usize> {
        let waiting = &mut batch.slots[batch.sent..];
        let count = waiting.len().min(COUNT_MAX);
        let (slices, headers) = (&mut batch.headers.slices, &mut batch.headers.headers);
        retry(Call::SendMany, count, |count| {
            slices.clear();
            headers.clear();
            for slot in waiting.iter().take(count) {
                slices.push(slice_of(
                    &mut batch.bytes[slot.start..slot.start + slot.len],
                ));
            }
            for (slot, slice) in waiting.iter_mut().zip(slices.iter_mut()) {
                let mut header = header(&mut slot.name, slice);
                header.msg_namelen = slot.name_len;
                if slot.control_len > 0 {
                    header.msg_control = slot.space.as_mut_ptr().cast();
                    header.msg_controllen = slot.control_len as _;
                }
                headers.push(libc::mmsghdr {
                    msg_hdr: header,
                    msg_len: 0,
                });
            }
            // SAFETY: PKT-1, as in `receive`.
            let done = unsafe {
                libc::sendmmsg(
                    fd.as_raw_fd(),
                    headers.as_mut_ptr(),
                    count as _,
                    SEND_FLAGS.bits() as _,
                )
            };
            usize::try_from(done).map_err(|_| last_error())
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod os {
    use std::io;
    use std::os::fd::AsRawFd;

    use super::{ReceiveBatch, SendBatch};
    use crate::fault::Call;
    use crate::fd::Fd;
    use crate::socket::packet::{SEND_FLAGS, header, last_error, recv_packet, slice_of};
    use crate::socket::retry;

    pub(super) struct Headers;

    impl Headers {
        pub(super) fn new(_count: usize) -> Headers {
            Headers
        }
    }

    /// An error after the first datagram is left for the next call: the kernel tells it again, or there was none.
    pub(super) fn receive(fd: &Fd, batch: &mut ReceiveBatch) -> io::Result<()> {
        for piece in batch.bytes.chunks_exact_mut(batch.piece_len) {
            match recv_packet(fd, piece) {
                Ok(received) => batch.received.push(received),
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && !batch.received.is_empty() =>
                {
                    break;
                }
                Err(error) if batch.received.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(())
    }

    pub(super) fn send(fd: &Fd, batch: &mut SendBatch) -> io::Result<usize> {
        let mut sent = 0;
        for slot in &mut batch.slots[batch.sent..] {
            let bytes = &mut batch.bytes[slot.start..slot.start + slot.len];
            let answer = retry(Call::SendMany, 1, |_| {
                let mut slice = slice_of(bytes);
                let mut header = header(&mut slot.name, &mut slice);
                header.msg_namelen = slot.name_len;
                if slot.control_len > 0 {
                    header.msg_control = slot.space.as_mut_ptr().cast();
                    header.msg_controllen = slot.control_len as _;
                }
                // SAFETY: PKT-1, the header points into the batch, which is borrowed.
                let done = unsafe {
                    libc::sendmsg(
                        fd.as_raw_fd(),
                        &raw const header,
                        SEND_FLAGS.bits() as libc::c_int,
                    )
                };
                usize::try_from(done).map_err(|_| last_error())
            });
            match answer {
                Ok(_) => sent += 1,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}
