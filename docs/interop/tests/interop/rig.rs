//! What the tests share: a loop with a time limit, pairs of streams, and a stream that is slow on purpose.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::net::{TcpListener, TcpStream};
use mainspring::time::timeout;

/// A test that hangs fails instead.
const TIME_MAX: Duration = Duration::from_secs(60);

/// More than any buffer on the way holds.
pub(crate) const BIG: usize = 5_000_003;

#[track_caller]
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    mainspring::run(timeout(TIME_MAX, future))
        .expect("the loop starts")
        .expect("it ends in time")
}

/// Two ends of one connection.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let address = "127.0.0.1:0".parse().expect("it is one");
    let listener = TcpListener::bind(address).expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    let near = TcpStream::connect(address).await.expect("it listens");
    let (far, _) = listener.accept().await.expect("one has come");
    (near, far)
}

/// Bytes of which no stretch is like its neighbour.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let numbers = (0..).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8);
    numbers.take(length).collect()
}

/// A stream that moves at most `step` bytes at a time, and waits at every other call.
#[derive(Debug)]
pub(crate) struct Trickle<S> {
    stream: S,
    step: usize,
    is_asleep: [bool; 2],
}

impl<S> Trickle<S> {
    pub(crate) fn new(stream: S, step: usize) -> Trickle<S> {
        Trickle {
            stream,
            step,
            is_asleep: [false; 2],
        }
    }

    /// Whether this call is one that waits; it is woken at once.
    fn sleeps(&mut self, direction: usize, cx: &mut Context<'_>) -> bool {
        self.is_asleep[direction] = !self.is_asleep[direction];
        if self.is_asleep[direction] {
            cx.waker().wake_by_ref();
        }
        self.is_asleep[direction]
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Trickle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.sleeps(0, cx) {
            return Poll::Pending;
        }
        let length = buf.len().min(self.step);
        Pin::new(&mut self.stream).poll_read(cx, &mut buf[..length])
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Trickle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.sleeps(1, cx) {
            return Poll::Pending;
        }
        let length = buf.len().min(self.step);
        Pin::new(&mut self.stream).poll_write(cx, &buf[..length])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sleeps(1, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, &bufs[..bufs.len().min(2)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
