//! One value that goes from one thread to another, once: a promise that is kept elsewhere.
//!
//! *Model.* One block, which both ends hold, under a lock that runs no user code.
//!
//! ```text
//!     open ── send ──► sent ── received ──► taken
//!      │
//!      ├── the sender is dropped ──► broken: the receiver is told
//!      └── closed by the receiver, or the receiver is dropped: a value that is sent comes back
//! ```
//!
//! *Cost.* One allocation for both ends; one wake, and one system call only if the loop sleeps.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::error::RecvTimeoutError;
use super::seat::Seat;
use super::wakes::{drop_waker, wake};
use crate::channel::error::{RecvError, SendError, TryRecvError};
use crate::shim::{self, Mutex, MutexGuard};
use crate::task::caller::Caller;
use crate::task::thread_waker::{block_until, refuse_in_loop};
use crate::task::wait::Kind;

/// One value from any thread to a task of this one's loop.
///
/// ```
/// use mainspring::channel::thread;
/// # mainspring::run(async {
/// let (sender, receiver) = thread::oneshot();
/// std::thread::spawn(move || sender.send(6 * 7));
/// assert_eq!(receiver.await, Ok(42));
/// # }).unwrap();
/// ```
#[track_caller]
pub fn oneshot<T>() -> (OneSender<T>, NearOneReceiver<T>) {
    let slot = Arc::new(Slot::new());
    let receiver = NearOneReceiver {
        slot: Arc::clone(&slot),
        seat: Seat::new(Kind::Oneshot, Location::caller()),
        is_waiting: false,
        _local: PhantomData,
    };
    (OneSender(Some(slot)), receiver)
}

/// One value from a task to any other thread, which may block for it.
///
/// ```
/// use mainspring::channel::thread;
/// # mainspring::run(async {
/// let (sender, receiver) = thread::oneshot_to_thread();
/// let thread = std::thread::spawn(move || receiver.recv_blocking());
/// sender.send("go").unwrap();
/// assert_eq!(thread.join().unwrap(), Ok("go"));
/// # }).unwrap();
/// ```
pub fn oneshot_to_thread<T>() -> (OneSender<T>, FarOneReceiver<T>) {
    let slot = Arc::new(Slot::new());
    (OneSender(Some(Arc::clone(&slot))), FarOneReceiver(slot))
}

/// What both ends hold.
struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<T>,
    /// Who waits for it.
    waker: Option<Waker>,
    /// It was sent, or never will be.
    is_settled: bool,
    /// The receiver takes none any more.
    is_closed: bool,
}

impl<T> Slot<T> {
    fn new() -> Slot<T> {
        Slot(Mutex::new(State {
            value: None,
            waker: None,
            is_settled: false,
            is_closed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        shim::lock(&self.0)
    }

    /// Nothing more is to come; with `None`, nothing came.
    fn settle(&self, value: Option<T>) -> Result<(), SendError<T>> {
        let mut state = self.lock();
        state.is_settled = true;
        let waker = state.waker.take();
        let refused = if state.is_closed {
            value
        } else {
            state.value = value;
            None
        };
        drop(state);
        wake(waker);
        refused.map_or(Ok(()), |value| Err(SendError(value)))
    }

    fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.lock();
        match state.value.take() {
            Some(value) => Ok(value),
            None if state.is_settled || state.is_closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut clone = None;
        loop {
            let mut state = self.lock();
            if let Some(value) = state.value.take() {
                drop(state);
                return Poll::Ready(Ok(value));
            }
            if state.is_settled || state.is_closed {
                return Poll::Ready(Err(RecvError));
            }
            let Some(waker) = clone.take() else {
                // User code, so without the lock; then look again.
                drop(state);
                clone = Some(cx.waker().clone());
                continue;
            };
            let earlier = state.waker.replace(waker);
            drop(state);
            drop_waker(earlier);
            return Poll::Pending;
        }
    }

    fn stop_waiting(&self) {
        let waker = self.lock().waker.take();
        drop_waker(waker);
    }

    /// No value is taken any more, but for one that was sent before.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// The receiver is dropped, and what it did not take.
    fn abandon(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let (value, waker) = (state.value.take(), state.waker.take());
        drop(state);
        drop_waker(waker);
        drop(value);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let state = self.lock();
        let (has_value, is_settled) = (state.value.is_some(), state.is_settled);
        let is_closed = state.is_closed;
        drop(state);
        f.debug_struct(name)
            .field("has_value", &has_value)
            .field("is_settled", &is_settled)
            .field("is_closed", &is_closed)
            .finish()
    }
}

/// Sends the one value, from any thread. Its drop without a value is told to the receiver.
pub struct OneSender<T>(Option<Arc<Slot<T>>>);

impl<T> OneSender<T> {
    /// Sends the value. Never waits.
    ///
    /// # Errors
    /// [`SendError`] with the value, if the receiver takes none any more.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        match self.0.take() {
            Some(slot) => slot.settle(Some(value)),
            None => Err(SendError(value)),
        }
    }

    /// Whether the receiver takes no value any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| slot.lock().is_closed)
    }
}

impl<T> Drop for OneSender<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            // There is no value that could come back.
            let _ = slot.settle(None);
        }
    }
}

impl<T> fmt::Debug for OneSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(slot) => slot.show(f, "OneSender"),
            None => f.write_str("OneSender"),
        }
    }
}

/// Waits, on the loop's thread, for the value. It is awaited itself, or by reference. Made by [`oneshot()`].
///
/// # Cancel safety
/// Safe: the value is taken only when it is returned. A wait by reference that is dropped can be made again.
///
/// # Errors
/// [`RecvError`], if there will be no value: the sender is gone, or it was taken before.
///
/// ```compile_fail,E0277
/// let (_sender, receiver) = mainspring::channel::thread::oneshot::<u32>();
/// std::thread::spawn(move || drop(receiver)); // it belongs to the thread of the loop
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NearOneReceiver<T> {
    slot: Arc<Slot<T>>,
    seat: Seat,
    is_waiting: bool,
    _local: PhantomData<Rc<T>>,
}

impl<T> NearOneReceiver<T> {
    /// Takes the value, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`]; [`TryRecvError::Closed`], if there will be none.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.slot.try_recv()
    }

    /// Lets no value be sent any more; one that was sent can be received.
    pub fn close(&mut self) {
        self.slot.close();
    }
}

impl<T> Future for NearOneReceiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let polled = this.slot.poll(cx);
        this.is_waiting = polled.is_pending();
        if this.is_waiting {
            let location = Caller::current().unwrap_or(this.seat.made_at());
            this.seat.wait(cx, location);
        } else {
            this.seat.leave();
        }
        polled
    }
}

/// Nobody pins the value.
impl<T> Unpin for NearOneReceiver<T> {}

impl<T> Drop for NearOneReceiver<T> {
    fn drop(&mut self) {
        self.seat.leave();
        self.slot.abandon();
    }
}

impl<T> fmt::Debug for NearOneReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot.show(f, "NearOneReceiver")
    }
}

/// Waits, on any thread, for the value: blocks for it, or is awaited in any executor. Made by [`oneshot_to_thread`].
///
/// # Cancel safety
/// Safe: the value is taken only when it is returned. A wait by reference that is dropped can be made again.
///
/// # Errors
/// [`RecvError`], if there will be no value: the sender is gone, or it was taken before.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FarOneReceiver<T>(Arc<Slot<T>>);

impl<T> FarOneReceiver<T> {
    /// Blocks this thread until the value is there.
    ///
    /// # Errors
    /// [`RecvError`], if there will be none.
    ///
    /// # Panics
    /// On a thread on which a loop runs: a loop must not block. There one awaits it.
    #[track_caller]
    pub fn recv_blocking(self) -> Result<T, RecvError> {
        refuse_in_loop("FarOneReceiver::recv_blocking");
        block_until(None, |cx| self.0.poll(cx)).unwrap_or(Err(RecvError))
    }

    /// As [`FarOneReceiver::recv_blocking`], for no longer than `limit`; then it can be asked again.
    ///
    /// # Errors
    /// [`RecvTimeoutError`]: the value did not come in time, or there will be none.
    ///
    /// # Panics
    /// On a thread on which a loop runs.
    #[track_caller]
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<T, RecvTimeoutError> {
        refuse_in_loop("FarOneReceiver::recv_timeout");
        match block_until(Some(limit), |cx| self.0.poll(cx)) {
            Some(Ok(value)) => Ok(value),
            Some(Err(RecvError)) => Err(RecvTimeoutError::Closed),
            None => {
                self.0.stop_waiting();
                Err(RecvTimeoutError::Timeout)
            }
        }
    }

    /// Takes the value, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`]; [`TryRecvError::Closed`], if there will be none.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Lets no value be sent any more; one that was sent can be received.
    pub fn close(&mut self) {
        self.0.close();
    }
}

impl<T> Future for FarOneReceiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<T> Drop for FarOneReceiver<T> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<T> fmt::Debug for FarOneReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "FarOneReceiver")
    }
}
