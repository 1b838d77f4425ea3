//! What the operations of a UDP socket try, whether a future, a poll function or nobody waits for them.
//!
//! *Cut datagrams.* What a plain receive could not keep it does not hide: it is an error, [`Truncated`],
//! with the beginning in the buffer (hz_d11).

use std::fmt;
use std::io;
use std::net::SocketAddr;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, ReceiveBatch, SendBatch, Taken};

use crate::task::budget::spend_more;

/// The error of a receive whose buffer was too small: the datagram's beginning is in the buffer, the rest is
/// gone.
///
/// It is inside the [`io::Error`] that `recv` and `recv_from` return, whose kind is `InvalidData`; who wants
/// truncation as part of the answer instead of an error calls `recv_msg`.
///
/// ```
/// # mainspring::run(async {
/// use mainspring::net::{UdpSocket, udp::Truncated};
/// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// socket.send_to(b"too long", socket.local_addr()?).await?;
/// let mut buf = [0; 3];
/// let error = socket.recv_from(&mut buf).await.unwrap_err();
/// let truncated = Truncated::of(&error).unwrap();
/// assert_eq!(truncated.len, 3);
/// assert_eq!(&buf, b"too");
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truncated {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// How long the datagram was at least: on Linux exactly so long, elsewhere one byte more than the buffer.
    pub whole_len: usize,
    /// Who sent it, as far as the call asked.
    pub from: Option<SocketAddr>,
}

impl Truncated {
    /// The truncation that `error` tells of, if it does.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Truncated> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a datagram of at least {} bytes was cut to the buffer's {}; give `recv` a larger buffer, or call \
             `recv_msg`, which tells of it",
            self.whole_len, self.len
        )
    }
}

impl std::error::Error for Truncated {}

/// The length of a datagram that is whole.
#[inline]
fn whole(taken: Taken, from: Option<SocketAddr>) -> io::Result<usize> {
    if taken.is_truncated() {
        return Err(truncated(taken, from));
    }
    Ok(taken.len)
}

#[cold]
fn truncated(taken: Taken, from: Option<SocketAddr>) -> io::Error {
    let truncated = Truncated {
        len: taken.len,
        whole_len: taken.whole_len,
        from,
    };
    io::Error::new(io::ErrorKind::InvalidData, truncated)
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
