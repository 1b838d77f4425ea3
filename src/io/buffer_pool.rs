//! `BufferPool`: so many buffers and no more, for whoever needs one for a moment.
//!
//! *Why.* Ten thousand connections that each wait with a buffer of their own hold ten thousand buffers,
//! nearly all of them empty. With a pool, `read_pooled` of a stream waits without one, and takes one when
//! there is something to put into it.
//!
//! *Model.* A buffer is free, or out in a [`PooledBuf`], or under way to who waits longest.
//!
//! ```text
//!     free ──► take ──► PooledBuf ──► dropped ──► first in the line, if anybody waits
//!       ▲                                  │          │ dropped before it fetched it: the next one
//!       └──────────────────────────────────┴──────────┘ nobody waits
//! ```
//!
//! Nobody waits while a buffer is free, so whoever finds one free passes nobody by.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::pin::{pinned, pinned_in_drop};
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// So many buffers of one size, which are lent and come back. A clone is the same pool.
///
/// All are allocated at once, and none later. A buffer comes with the bytes that its last user left in it.
///
/// ```
/// use mainspring::io::BufferPool;
/// # mainspring::run(async {
/// let pool = BufferPool::new(2, 4096);
/// let mut first = pool.take().await;
/// let second = pool.take().await;
/// assert!(pool.try_take().is_none());
/// first[..4].copy_from_slice(b"tick");
/// first.truncate(4);
/// assert_eq!(&*first, b"tick");
/// drop(second);
/// assert_eq!(pool.available(), 1);
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct BufferPool(Rc<Shared>);

/// What the clones of a pool and its buffers share.
struct Shared {
    free: RefCell<Vec<Box<[u8]>>>,
    waiters: WaitQueue<Box<[u8]>>,
    count: usize,
    /// Of each buffer, in bytes.
    size: usize,
}

impl Shared {
    fn take_free(&self) -> Option<Box<[u8]>> {
        self.free.borrow_mut().pop()
    }

    /// A buffer is back: for who waits longest, or for later.
    fn put(&self, bytes: Box<[u8]>) {
        if let Err(bytes) = self.waiters.give_awake(bytes, || {}) {
            self.free.borrow_mut().push(bytes);
        }
    }
}

impl BufferPool {
    /// A pool of `count` buffers of `size` bytes each.
    ///
    /// # Panics
    /// If either is 0: nobody could ever take a buffer, or read into one.
    #[must_use]
    #[track_caller]
    pub fn new(count: usize, size: usize) -> BufferPool {
        assert!(
            count > 0,
            "a pool of no buffers would be waited for for ever"
        );
        assert!(size > 0, "a read into no room would look like the end");
        let free = (0..count).map(|_| vec![0; size].into_boxed_slice());
        BufferPool(Rc::new(Shared {
            free: RefCell::new(free.collect()),
            waiters: WaitQueue::new(),
            count,
            size,
        }))
    }

    /// Waits for a free buffer, and takes it. Who waits longest gets the next one that comes back.
    ///
    /// A task that holds a buffer while it waits for another can wait for itself.
    ///
    /// # Cancel safety
    /// Loses its place in line: the call made again stands at its end. No buffer is lost; one that was handed
    /// over and not fetched goes to the next.
    ///
    /// ```
    /// use mainspring::io::BufferPool;
    /// # mainspring::run(async {
    /// let pool = BufferPool::new(1, 512);
    /// let held = pool.take().await;
    /// let other = pool.clone();
    /// let waiter = mainspring::spawn(async move { other.take().await.len() });
    /// drop(held);
    /// assert_eq!(waiter.await.unwrap(), 512);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn take(&self) -> TakeBuf<'_> {
        TakeBuf {
            line: Line::new(self, Location::caller()),
        }
    }

    /// Takes a buffer, if one is free.
    #[must_use]
    pub fn try_take(&self) -> Option<PooledBuf> {
        self.0.take_free().map(|bytes| self.lend(bytes))
    }

    /// How many buffers are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0.free.borrow().len()
    }

    fn lend(&self, bytes: Box<[u8]>) -> PooledBuf {
        PooledBuf {
            len: bytes.len(),
            bytes,
            pool: Rc::clone(&self.0),
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("count", &self.0.count)
            .field("size", &self.0.size)
            .field("available", &self.available())
            .finish()
    }
}

/// A buffer that goes back to its [`BufferPool`] when it is dropped. It is the bytes that are in it: those
/// that a `read_pooled` has put there; all it has room for, when it comes from [`BufferPool::take`].
pub struct PooledBuf {
    bytes: Box<[u8]>,
    len: usize,
    pool: Rc<Shared>,
}

impl PooledBuf {
    /// Keeps the first `len` bytes, as those that are in it; nothing happens if it has no more.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// How much it has room for: the size of the buffers of its pool.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        self.pool.put(mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// A place in the line for a buffer: what the futures that take one embed.
pub(crate) struct Line<'a> {
    pool: &'a BufferPool,
    /// Whether it stands in the line, or stood there and has not fetched what it was handed.
    is_waiting: Cell<bool>,
    node: WaitNode<Box<[u8]>>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(pool: &'a BufferPool, location: &'static Location<'static>) -> Line<'a> {
        Line {
            pool,
            is_waiting: Cell::new(false),
            node: WaitNode::new(Kind::Buffer, location),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.get()
    }

    /// A buffer, if one is free: nobody stands in the line then.
    pub(crate) fn try_take(&self) -> Option<PooledBuf> {
        self.pool.try_take()
    }

    /// Ready with the buffer that was handed over; until then it stands in the line.
    pub(crate) fn poll_wait(self: Pin<&Self>, cx: &Context<'_>) -> Poll<PooledBuf> {
        self.is_waiting.set(true);
        let shared = &self.pool.0;
        loop {
            if let Poll::Ready(bytes) = shared.waiters.poll(pinned!(self, node), cx, 0) {
                self.is_waiting.set(false);
                return Poll::Ready(self.pool.lend(bytes));
            }
            // A foreign waker's clone may have dropped a buffer before we stood in the line.
            match shared.take_free() {
                Some(bytes) => shared.put(bytes),
                None => return Poll::Pending,
            }
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.is_waiting.get() {
            let shared = &self.pool.0;
            if let Some(bytes) = shared.waiters.cancel(pinned_in_drop!(self, node)) {
                shared.put(bytes);
            }
        }
    }
}

/// Waits for a buffer. Made by [`BufferPool::take`].
///
/// # Cancel safety
/// Loses its place in line: the call made again stands at its end. No buffer is lost; one that was handed over
/// and not fetched goes to the next.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeBuf<'a> {
    line: Line<'a>,
}

impl Future for TakeBuf<'_> {
    type Output = PooledBuf;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<PooledBuf> {
        let line = pinned!(self.as_ref(), line);
        if !line.is_waiting() && line.pool.available() > 0 {
            ready!(poll_spend(cx));
            if let Some(buf) = line.try_take() {
                return Poll::Ready(buf);
            }
        }
        line.poll_wait(cx)
    }
}

impl fmt::Debug for TakeBuf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeBuf")
            .field("is_waiting", &self.line.is_waiting())
            .finish_non_exhaustive()
    }
}
