//! A stream in memory that does what a script says: gives a little, waits, fails, lies.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use mainspring::io::{AsyncRead, AsyncWrite};
use proptest::prelude::{Just, Strategy, prop_oneof};

/// What the stream does when it is asked next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Moves so many bytes, if there are and room is.
    Move(usize),
    /// Is not ready; the waker is called at once.
    Wait,
    /// Fails with this errno.
    Fail(i32),
    /// Says that it moved one byte more than it was asked for.
    Lie,
}

/// Reads from `data`, or writes to it, as the steps say; when they are used up, all at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    pub(crate) data: Vec<u8>,
    at: usize,
    steps: VecDeque<Step>,
    room: Option<usize>,
}

impl Slow {
    pub(crate) fn reader(data: &[u8], steps: impl IntoIterator<Item = Step>) -> Slow {
        Slow {
            data: data.to_vec(),
            steps: steps.into_iter().collect(),
            ..Slow::default()
        }
    }

    pub(crate) fn writer(steps: impl IntoIterator<Item = Step>) -> Slow {
        Slow::reader(&[], steps)
    }

    /// Takes so many bytes altogether, and 0 after that.
    pub(crate) fn with_room_for(self, count: usize) -> Slow {
        Slow {
            room: Some(count),
            ..self
        }
    }

    /// How many of `asked` bytes move now.
    fn step(&mut self, cx: &Context<'_>, asked: usize) -> Poll<io::Result<usize>> {
        match self.steps.pop_front() {
            None => Poll::Ready(Ok(asked)),
            Some(Step::Move(count)) => Poll::Ready(Ok(asked.min(count.max(1)))),
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Fail(errno)) => Poll::Ready(Err(io::Error::from_raw_os_error(errno))),
            Some(Step::Lie) => Poll::Ready(Ok(asked + 1)),
        }
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = std::task::ready!(this.step(cx, buf.len()))?;
        if count > buf.len() {
            return Poll::Ready(Ok(count));
        }
        let rest = &this.data[this.at..];
        let count = count.min(rest.len());
        buf[..count].copy_from_slice(&rest[..count]);
        this.at += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = std::task::ready!(this.step(cx, buf.len()))?;
        if count > buf.len() {
            return Poll::Ready(Ok(count));
        }
        let count = count.min(this.room.map_or(count, |room| room - this.data.len()));
        this.data.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().step(cx, 0).map_ok(|_| ())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A stream that nobody may ask.
#[derive(Debug)]
pub(crate) struct Untouched;

impl AsyncRead for Untouched {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        panic!("asked to read")
    }
}

impl AsyncWrite for Untouched {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        panic!("asked to write")
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("asked to flush")
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("asked to close")
    }
}

/// Steps that move a little or wait.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![Just(Step::Wait), (1..20usize).prop_map(Step::Move)];
    proptest::collection::vec(step, 0..24)
}

/// One poll of a future that is dropped afterwards.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future that nothing stops makes, polled by hand as often as it needs.
#[track_caller]
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..10_000 {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("it is not ready after ten thousand polls");
}
