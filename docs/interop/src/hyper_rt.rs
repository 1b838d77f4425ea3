//! hyper 1 over mainspring: its traits for bytes, tasks and time. Made to be copied, with `send_wrapper`.
//!
//! *Model.*
//!
//! | hyper | here | mainspring |
//! |---|---|---|
//! | `rt::Read`, `rt::Write` | [`ToHyper`] | `AsyncRead`, `AsyncWrite` of any stream |
//! | a stream of hyper's (`Upgraded`) | [`FromHyper`] | the same traits, the other way |
//! | `rt::Executor` | [`LoopExecutor`] | `spawn`: the tasks of HTTP/2 on this thread |
//! | `rt::Timer`, `rt::Sleep` | [`LoopTimer`] | `time::sleep` |
//! | `I: Send`, which an upgrade asks for | [`OnThread`] | a stream that stays on its thread |
//!
//! Services, bodies and streams need not be `Send`: hyper asks for that nowhere but in `Sleep` and in
//! HTTP/1's `with_upgrades`. There a value goes into a `SendWrapper`, which may be moved anywhere and panics
//! where another thread looks into it. With this executor none does.
//!
//! *Cost.* A write is the stream's own. A read goes through a buffer of the thread, which all connections
//! share, and is copied from there into hyper's: that memory is not initialised, and to fill it with zeros
//! first costs more for a small request than the copy does. No connection holds memory while it waits, and
//! nothing is unsafe. A timer is two allocations, a reset none.
//!
//! *Limits.* [`LoopTimer`] takes the system's clock for *now*, as hyper does, so virtual time does not move
//! its deadlines.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt;
use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::time;
use send_wrapper::SendWrapper;

/// What one read takes at most, in bytes.
const READ_MAX: usize = 64 * 1024;

thread_local! {
    /// Where a read puts its bytes; nothing stays in it from one poll to the next.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream of mainspring's for hyper.
#[derive(Debug)]
pub struct ToHyper<S> {
    stream: S,
    is_vectored: bool,
}

impl<S> ToHyper<S> {
    /// For a stream that writes several buffers at once, as sockets do and the streams of TLS here: a large
    /// body goes out from where it lies.
    pub fn new(stream: S) -> ToHyper<S> {
        ToHyper {
            stream,
            is_vectored: true,
        }
    }

    /// For a stream that writes one buffer at a time: hyper gathers first, head and body in one write.
    pub fn gathered(stream: S) -> ToHyper<S> {
        ToHyper {
            stream,
            is_vectored: false,
        }
    }

    /// The stream, for instance from the parts of a connection that is no HTTP any more.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> rt::Read for ToHyper<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Taken out: a stream may have such an adapter inside it, which then makes a buffer of its own.
        let mut buffer = BUFFER.take();
        if buffer.is_empty() {
            buffer = vec![0; READ_MAX];
        }
        let room = cursor.remaining().min(READ_MAX);
        let result = Pin::new(&mut self.stream).poll_read(cx, &mut buffer[..room]);
        if let Poll::Ready(Ok(count)) = &result {
            cursor.put_slice(&buffer[..*count]);
        }
        BUFFER.set(buffer);
        result.map_ok(drop)
    }
}

impl<S: AsyncWrite + Unpin> rt::Write for ToHyper<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

/// A stream of hyper's for mainspring: what an upgrade gives.
#[derive(Debug)]
pub struct FromHyper<T>(pub T);

impl<T: rt::Read + Unpin> AsyncRead for FromHyper<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = rt::ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: rt::Write + Unpin> AsyncWrite for FromHyper<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A stream that may be moved to another thread, as hyper's `with_upgrades` asks, and panics if it is used,
/// or dropped, there. Put it inside a [`ToHyper`].
#[derive(Debug)]
pub struct OnThread<S>(SendWrapper<S>);

impl<S> OnThread<S> {
    /// For this thread.
    pub fn new(stream: S) -> OnThread<S> {
        OnThread(SendWrapper::new(stream))
    }

    /// The stream.
    ///
    /// # Panics
    /// On another thread.
    pub fn into_inner(self) -> S {
        self.0.take()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OnThread<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OnThread<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_close(cx)
    }
}

/// Runs hyper's tasks on this thread's loop, by themselves: what `hyper::client` and HTTP/2 ask for. Their
/// futures need not be `Send`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopExecutor;

impl<F: Future + 'static> rt::Executor<F> for LoopExecutor {
    fn execute(&self, future: F) {
        drop(mainspring::spawn(future));
    }
}

/// hyper's time limits on the loop's timers: `Builder::timer(LoopTimer)`. Without it hyper has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopTimer;

impl rt::Timer for LoopTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        let sleep = Box::pin(time::sleep(duration));
        Box::pin(LoopSleep(SendWrapper::new(sleep)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: Instant) {
        let left = new_deadline.saturating_duration_since(self.now());
        match sleep.as_mut().downcast_mut_pin::<LoopSleep>() {
            Some(mut ours) => ours.0.as_mut().reset_after(left),
            None => *sleep = self.sleep(left),
        }
    }
}

/// A sleep of the loop that hyper may believe to be `Send`.
struct LoopSleep(SendWrapper<Pin<Box<time::Sleep>>>);

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl rt::Sleep for LoopSleep {}
