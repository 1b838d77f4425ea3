//! `Queue`: signals from the kernel's own queue, awaited.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::signal::{Queued, SignalQueue, SignalSet};
use std::os::fd::AsFd;

use crate::context;
use crate::pin::{pinned, pinned_in_drop};
use crate::reactor::{Direction, Source};
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode};

/// Blocks the signals of `set` on this thread, and takes them from the kernel's own queue instead: a signalfd on Linux,
/// EVFILT_SIGNAL on macOS and the BSDs.
///
/// Against [`signal()`](super::signal()) it has no handler, so no call of any thread is interrupted; on Linux real-time signals are
/// not merged, and bring the value that `sigqueue(3)` sent. In return the signals must be blocked on **every** thread: one
/// that lets them come takes them, and their default ends the process. So make it before the first thread (threads inherit the
/// mask), or tell the pool by [`Builder::blocking_mask`](crate::Builder::blocking_mask). Who listens to one of them by
/// [`signal()`](super::signal()) hears nothing meanwhile.
///
/// # Errors
/// `InvalidInput` for a signal that cannot be taken so, and for an empty set; `Unsupported` where the system has no such queue
/// (illumos); EMFILE, ENFILE, ENOMEM.
///
/// ```
/// use mainspring::signal::{self, Signal, SignalSet};
/// let set = SignalSet::from(Signal::USR1);
/// # set.block_for_good();
/// # let main = std::thread::spawn(move ||
/// mainspring::run(async move {
/// # // What does not come is an error, and no hang; and it comes to this thread alone, which blocks it.
/// # mainspring::time::timeout(std::time::Duration::from_secs(20), async move {
///     let mut queue = signal::queue(set)?;
/// #   mainspring_sys::signal::raise_here(Signal::USR1)?;
///     let queued = queue.recv().await?;
///     println!("{} of {:?}", queued.signal, queued.sender);
/// #   std::io::Result::Ok(())
/// # }).await?
/// })
/// # .unwrap().unwrap()); main.join().unwrap();
/// ```
pub fn queue(set: SignalSet) -> io::Result<Queue> {
    if set.is_empty() {
        let text = "a queue of no signals would never have any";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(Queue {
        source: Source::new(),
        queue: SignalQueue::new(set)?,
    })
}

/// Signals that are blocked on this thread, and taken from the kernel's own queue. Made by [`queue()`]. When it is dropped, they
/// are let through again: those that nobody took do what they do by default, or by their handler.
pub struct Queue {
    source: Rc<Source>,
    queue: SignalQueue,
}

impl Queue {
    /// Waits for the next signal, and takes it.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// `NotConnected` if the loop is gone, or none runs.
    #[track_caller]
    pub fn recv(&mut self) -> QueueRecv<'_> {
        QueueRecv {
            queue: self,
            node: WaitNode::new(Kind::Read, Location::caller()),
        }
    }

    /// The next signal, if one is there.
    ///
    /// # Errors
    /// What the system says of it.
    pub fn try_recv(&mut self) -> io::Result<Option<Queued>> {
        match self.queue.take() {
            Ok(queued) => Ok(Some(queued)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its signals.
    #[must_use]
    pub fn set(&self) -> SignalSet {
        self.queue.set()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.source.close(Some(self.queue.as_fd()), false);
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("set", &self.set())
            .finish_non_exhaustive()
    }
}

/// Waits for a signal of a queue. Made by [`Queue::recv`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct QueueRecv<'a> {
    queue: &'a Queue,
    node: WaitNode<()>,
}

impl Future for QueueRecv<'_> {
    type Output = io::Result<Queued>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Queued>> {
        ready!(poll_spend(cx));
        let Queue { source, queue } = self.queue;
        loop {
            let node = pinned!(self.as_ref(), node);
            let fd = queue.as_fd();
            ready!(source.poll_ready(Direction::Read, fd, node, cx, context::reactor))?;
            match queue.take() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source.clear(Direction::Read);
                }
                taken => {
                    source.cancel(Direction::Read, node);
                    return Poll::Ready(taken);
                }
            }
        }
    }
}

impl Drop for QueueRecv<'_> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        self.queue.source.cancel(Direction::Read, node);
    }
}

impl fmt::Debug for QueueRecv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueRecv")
            .field("set", &self.queue.set())
            .finish_non_exhaustive()
    }
}
