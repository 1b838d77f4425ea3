//! A writer that takes as much as the test allows, and wakes when that is more.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use mainspring::io::AsyncWrite;

/// What the test holds of a [`Gate`].
#[derive(Debug, Default)]
pub(crate) struct Inside {
    room: usize,
    waker: Option<Waker>,
    error: Option<io::ErrorKind>,
    pub(crate) taken: Vec<u8>,
    /// The lengths of the writes that took something.
    pub(crate) writes: Vec<usize>,
    pub(crate) flushes: u32,
    pub(crate) closes: u32,
}

/// The writer.
#[derive(Debug, Default)]
pub(crate) struct Gate(Rc<RefCell<Inside>>);

/// The test's side of it.
#[derive(Clone, Debug)]
pub(crate) struct Keeper(Rc<RefCell<Inside>>);

/// A writer without room, and its keeper.
pub(crate) fn gate() -> (Gate, Keeper) {
    let inside = Rc::new(RefCell::new(Inside::default()));
    (Gate(Rc::clone(&inside)), Keeper(inside))
}

impl Keeper {
    /// Allows `count` bytes more.
    pub(crate) fn allow(&self, count: usize) {
        let mut inside = self.0.borrow_mut();
        inside.room = inside.room.saturating_add(count);
        if let Some(waker) = inside.waker.take() {
            waker.wake();
        }
    }

    /// From now on each call fails with it; or none.
    pub(crate) fn fail(&self, error: Option<io::ErrorKind>) {
        self.0.borrow_mut().error = error;
    }

    pub(crate) fn inside(&self) -> std::cell::Ref<'_, Inside> {
        self.0.borrow()
    }
}

impl Inside {
    fn check(&self) -> io::Result<()> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inside = self.0.borrow_mut();
        inside.check()?;
        if inside.room == 0 {
            inside.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let asked: usize = bufs.iter().map(|buf| buf.len()).sum();
        let count = asked.min(inside.room);
        inside.room -= count;
        let bytes = bufs.iter().flat_map(|buf| buf.iter()).take(count);
        let bytes: Vec<u8> = bytes.copied().collect();
        inside.taken.extend(bytes);
        inside.writes.push(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.borrow_mut();
        inside.flushes += 1;
        Poll::Ready(inside.check())
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.borrow_mut();
        inside.closes += 1;
        Poll::Ready(inside.check())
    }
}
