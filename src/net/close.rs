//! `CloseGracefully`: the end of a connection whose peer may still be sending.
//!
//! *Why.* A socket that is closed while input lies unread, or arrives later, answers with a reset; and a
//! reset makes the peer's kernel throw away what it received and its program has not read yet: our last
//! answer (hz_d06). So a server that answers before it has read the whole request ends its own side
//! first, and then reads on, into nothing, until the peer ends its own. A peer that sends for ever must
//! not keep us: both the bytes and the time have a limit.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;

use super::split::StreamSocket;
use crate::pin::{pinned, pinned_mut};
use crate::time::Sleep;

/// How much is read into nothing with one system call. In bytes, on the stack.
const DISCARD_LEN: usize = 8 << 10;

/// How a graceful close came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseEnd {
    /// The peer has read all, or at least closed its side: nothing is lost.
    PeerClosed,
    /// The peer sent more than it was allowed to.
    TooMuch,
    /// The peer took longer than it was allowed to.
    TooLate,
}

/// Ends a stream and waits for the peer to do the same. Made by the `close_gracefully` of a stream.
///
/// # Cancel safety
/// Not safe, because the stream goes with it: closed at once, with whatever that destroys.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CloseGracefully<S> {
    stream: S,
    bytes_left: u64,
    has_begun: bool,
    limit: Sleep,
}

impl<S: StreamSocket> CloseGracefully<S> {
    pub(super) fn new(
        stream: S,
        bytes_max: u64,
        time_max: Duration,
        location: &'static Location<'static>,
    ) -> CloseGracefully<S> {
        CloseGracefully {
            stream,
            bytes_left: bytes_max,
            has_begun: false,
            limit: Sleep::new(duration_ns(time_max), true, location),
        }
    }
}

impl<S: StreamSocket + Unpin> Future for CloseGracefully<S> {
    type Output = io::Result<CloseEnd>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<CloseEnd>> {
        if !self.has_begun {
            self.stream.shared_socket().0.close_write()?;
            *pinned_mut!(self.as_mut(), has_begun).get_mut() = true;
        }
        // The limit comes first: a peer that always has more to say would else never meet it.
        if pinned!(self.as_ref(), limit).poll_elapsed(cx).is_ready() {
            return Poll::Ready(Ok(CloseEnd::TooLate));
        }
        let mut nothing = [0; DISCARD_LEN];
        loop {
            let polled = self.stream.shared_socket().0.poll_read(cx, &mut nothing);
            let count = match ready!(polled)? {
                0 => return Poll::Ready(Ok(CloseEnd::PeerClosed)),
                count => count as u64,
            };
            let Some(left) = self.bytes_left.checked_sub(count) else {
                return Poll::Ready(Ok(CloseEnd::TooMuch));
            };
            *pinned_mut!(self.as_mut(), bytes_left).get_mut() = left;
        }
    }
}

impl<S> fmt::Debug for CloseGracefully<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseGracefully")
            .field("bytes_left", &self.bytes_left)
            .field("has_begun", &self.has_begun)
            .finish_non_exhaustive()
    }
}
