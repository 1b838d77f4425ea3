//! What the operations of a UDP socket try where one call brings, or takes, several datagrams: whether a future
//! or nobody waits for them.

use std::io;

use mainspring_sys::Fd;
use mainspring_sys::socket::{self, ReceiveBatch, SendBatch};

use crate::task::budget::spend_more;

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
