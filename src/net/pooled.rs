//! `ReadPooled`: a read that has a buffer only while there is something to put into it.
//!
//! *Model.* A free buffer is taken at once, and given back if the kernel has nothing. Without a free one the
//! kernel is asked first, with a look at one byte: only a socket that has something stands in the line
//! for buffers, so that a thousand idle ones never keep a busy one waiting there.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket;

use crate::io::endpoint::transfer::{Reading, Wait};
use crate::io::{BufferPool, Line, PooledBuf};
use crate::pin::pinned;
use crate::reactor::Direction;

/// Reads some bytes into a buffer of a pool. Made by the `read_pooled` of a stream.
///
/// # Cancel safety
/// Loses its place in line, if it stood in the pool's: the buffer that was handed over goes to the next. Bytes
/// are taken only in the poll that returns them.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadPooled<'a> {
    wait: Wait<'a, Reading>,
    line: Line<'a>,
}

impl<'a> ReadPooled<'a> {
    pub(super) fn new(
        wait: Wait<'a, Reading>,
        pool: &'a BufferPool,
        location: &'static Location<'static>,
    ) -> ReadPooled<'a> {
        ReadPooled {
            wait,
            line: Line::new(pool, location),
        }
    }
}

impl Future for ReadPooled<'_> {
    type Output = io::Result<PooledBuf>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        let wait = pinned!(self.as_ref(), wait);
        let line = pinned!(self.as_ref(), line);
        let family = wait.endpoint().family();
        loop {
            if !line.is_waiting() {
                if let Some(mut buf) = line.try_take() {
                    let count = ready!(wait.poll_move(cx, |fd| family.read(fd, &mut buf)))?;
                    buf.truncate(count);
                    return Poll::Ready(Ok(buf));
                }
                ready!(wait.poll_with(cx, |fd| socket::peek(fd, &mut [0])))?;
            }
            let mut buf = ready!(line.poll_wait(cx));
            // Another reader may have been here since the look; then the socket is waited for again.
            let read = |fd: &_| family.read(fd, &mut buf);
            match wait.endpoint().try_move(Direction::Read, read) {
                Ok(count) => {
                    buf.truncate(count);
                    return Poll::Ready(Ok(buf));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl fmt::Debug for ReadPooled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPooled")
            .field("waits_for_buffer", &self.line.is_waiting())
            .finish_non_exhaustive()
    }
}
