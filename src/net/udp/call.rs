//! What the operations of a UDP socket try, whether a future, a poll function or nobody waits for them.
//!
//! *Cut datagrams.* What a plain receive could not keep it does not hide: it is an error, [`Truncated`],
//! with the beginning in the buffer (hz_d11).

use std::io;
use std::net::SocketAddr;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, ReceiveBatch, SendBatch, Taken};

use crate::net::truncated::Truncated;
use crate::task::budget::spend_more;

/// The length of a datagram that is whole.
#[inline]
fn whole(taken: Taken, from: Option<SocketAddr>) -> io::Result<usize> {
    if taken.is_truncated() {
        return Err(Truncated::error(taken, from, None));
    }
    Ok(taken.len)
}

#[inline]
pub(super) fn recv(fd: &Fd, buf: &mut [u8]) -> io::Result<usize> {
    whole(socket::recv_datagram(fd, buf)?, None)
}

#[inline]
pub(super) fn recv_from(fd: &Fd, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (taken, from) = socket::recv_datagram_from(fd, buf)?;
    Ok((whole(taken, Some(from))?, from))
}

/// Nothing is lost by a look at the beginning.
#[inline]
pub(super) fn peek(fd: &Fd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(socket::peek_datagram(fd, buf)?.len)
}

#[inline]
pub(super) fn peek_from(fd: &Fd, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (taken, from) = socket::peek_datagram_from(fd, buf)?;
    Ok((taken.len, from))
}

#[inline]
pub(super) fn send(fd: &Fd, buf: &[u8]) -> io::Result<usize> {
    socket::send_datagram(fd, buf)
}

#[inline]
pub(super) fn send_to(fd: &Fd, buf: &[u8], to: SocketAddr) -> io::Result<usize> {
    socket::send_datagram_to(fd, buf, to)
}

/// Each datagram costs a unit of the budget, and the first is paid.
pub(super) fn recv_many(fd: &Fd, batch: &mut ReceiveBatch) -> io::Result<usize> {
    let count = socket::recv_batch(fd, batch)?;
    spend_more(count.saturating_sub(1));
    Ok(count)
}

pub(super) fn send_many(fd: &Fd, batch: &mut SendBatch) -> io::Result<usize> {
    let count = socket::send_batch(fd, batch)?;
    spend_more(count.saturating_sub(1));
    Ok(count)
}
