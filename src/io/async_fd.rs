//! `AsyncFd`: readiness of any descriptor that the selector takes.
//!
//! *Model.* The descriptor's number is taken once, when it is wrapped, and compared at each use. If
//! the inner object shows another number by then, the registration is somebody else's: the use is an
//! error, and the kernel is not asked about it.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::{Interest, Ready};

use crate::context;
use crate::pin::{pinned, pinned_in_drop};
use crate::reactor::{Direction, Source};
use crate::task::budget::poll_spend;
use crate::task::wait::WaitNode;

/// An object with a descriptor, awaited through the loop's selector.
///
/// The descriptor should be non-blocking; this type does not change its flags, which it may share with
/// other processes. Any number of tasks may wait in either direction: all of them wake, and those that
/// come too late wait again, at the back.
///
/// It is registered at the first wait, and leaves the selector on drop, before the inner object closes.
/// An operation is tried before that; a question ([`readable`](AsyncFd::readable)) is always the
/// selector's to answer.
///
/// # Errors
/// Every use answers `InvalidInput` if the inner object's descriptor is not the one it had when it was
/// wrapped; every use that has to wait, `Unsupported` if the selector does not take such a descriptor (a
/// regular file, a directory); `AlreadyExists` if its number is registered with this loop already;
/// `NotConnected` if the loop is gone; `ResourceBusy` if tasks of another loop wait for it.
///
/// ```
/// use mainspring::io::AsyncFd;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// mainspring::run(async {
///     let (left, mut right) = UnixStream::pair()?;
///     left.set_nonblocking(true)?;
///     let left = AsyncFd::new(left)?;
///     right.write_all(b"tick")?;
///     let mut buf = [0; 8];
///     let count = left.read_with(|mut inner| inner.read(&mut buf)).await?;
///     assert_eq!(&buf[..count], b"tick");
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct AsyncFd<T: AsFd> {
    inner: Option<T>,
    fd: RawFd,
    source: Rc<Source>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Wraps `inner`. The kernel is not asked before the first wait.
    ///
    /// # Errors
    /// None today; a system whose selector must be asked at once may give some.
    pub fn new(inner: T) -> io::Result<AsyncFd<T>> {
        let fd = inner.as_fd().as_raw_fd();
        Ok(AsyncFd {
            inner: Some(inner),
            fd,
            source: Source::new(),
        })
    }

    /// The inner object.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("only `into_inner` takes it, and `self` with it"),
        }
    }

    /// The inner object, for change. Putting another descriptor in its place makes every further use an
    /// error; therefore it leaves the selector here, and the next wait registers it again.
    pub fn get_mut(&mut self) -> &mut T {
        self.deregister();
        match &mut self.inner {
            Some(inner) => inner,
            None => unreachable!("only `into_inner` takes it, and `self` with it"),
        }
    }

    /// The inner object, taken out of the selector.
    #[must_use]
    pub fn into_inner(mut self) -> T {
        self.deregister();
        match self.inner.take() {
            Some(inner) => inner,
            None => unreachable!("only this function takes it"),
        }
    }

    /// Waits until the descriptor is readable, or its peer has closed.
    ///
    /// What it says stands until an operation under [`AsyncFd::try_io`] or [`AsyncFd::read_with`] meets
    /// WouldBlock: who reads past them and awaits `readable` again gets it at once.
    ///
    /// # Cancel safety
    /// Safe.
    #[track_caller]
    pub fn readable(&self) -> FdReady<'_, T> {
        FdReady::new(self, Direction::Read, Location::caller())
    }

    /// Waits until the descriptor is writable, or nobody will read what is written. As
    /// [`AsyncFd::readable`] otherwise.
    ///
    /// # Cancel safety
    /// Safe.
    #[track_caller]
    pub fn writable(&self) -> FdReady<'_, T> {
        FdReady::new(self, Direction::Write, Location::caller())
    }

    /// Waits for exceptional data, such as TCP's out-of-band byte; `Unsupported` where the selector
    /// lacks it.
    ///
    /// # Cancel safety
    /// Safe.
    #[track_caller]
    pub fn priority(&self) -> FdReady<'_, T> {
        FdReady::new(self, Direction::Priority, Location::caller())
    }

    /// Runs `operation` if it may succeed, without waiting. `interest` says which direction it needs.
    ///
    /// # Errors
    /// WouldBlock, without a call, if the selector has not reported the direction since the last
    /// WouldBlock; else what the operation says. If that is WouldBlock, the direction is not ready from
    /// here on.
    ///
    /// # Panics
    /// If `interest` is not exactly one direction.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let direction = if interest == Interest::READ {
            Direction::Read
        } else if interest == Interest::WRITE {
            Direction::Write
        } else if interest == Interest::PRIORITY {
            Direction::Priority
        } else {
            panic!("try_io needs exactly one of READ, WRITE and PRIORITY");
        };
        self.check()?;
        if !self.source.is_ready(direction) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = operation(self.get_ref());
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.source.clear(direction);
        }
        result
    }

    /// Runs `operation`, which reads, as soon as it may succeed, and again while it says WouldBlock.
    ///
    /// # Cancel safety
    /// Safe, if the operation takes nothing when it says WouldBlock.
    ///
    /// # Errors
    /// Those of this type, and what the operation says but WouldBlock.
    #[track_caller]
    pub fn read_with<R, O>(&self, operation: O) -> WithFd<'_, T, O>
    where
        O: FnMut(&T) -> io::Result<R>,
    {
        WithFd {
            ready: FdReady::new(self, Direction::Read, Location::caller()),
            operation,
        }
    }

    /// Runs `operation`, which writes, as soon as it may succeed, and again while it says WouldBlock.
    ///
    /// # Cancel safety
    /// Safe, if the operation gives nothing when it says WouldBlock.
    ///
    /// # Errors
    /// Those of this type, and what the operation says but WouldBlock.
    #[track_caller]
    pub fn write_with<R, O>(&self, operation: O) -> WithFd<'_, T, O>
    where
        O: FnMut(&T) -> io::Result<R>,
    {
        WithFd {
            ready: FdReady::new(self, Direction::Write, Location::caller()),
            operation,
        }
    }

    /// The descriptor, if it still is the one that was wrapped.
    fn check(&self) -> io::Result<BorrowedFd<'_>> {
        let fd = self.get_ref().as_fd();
        if fd.as_raw_fd() == self.fd {
            return Ok(fd);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the object in this AsyncFd shows descriptor {} and was wrapped with {}; wrap it anew",
                fd.as_raw_fd(),
                self.fd
            ),
        ))
    }

    fn deregister(&self) {
        if self.inner.is_some() {
            self.source.close(self.check().ok(), false);
        }
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        self.deregister();
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("fd", &self.fd)
            .field("inner", &self.inner)
            .finish()
    }
}

/// Waits for a direction of an [`AsyncFd`], and says what the selector reported of it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FdReady<'a, T: AsFd> {
    fd: &'a AsyncFd<T>,
    direction: Direction,
    node: WaitNode<()>,
}

impl<'a, T: AsFd> FdReady<'a, T> {
    fn new(
        fd: &'a AsyncFd<T>,
        direction: Direction,
        location: &'static Location<'static>,
    ) -> FdReady<'a, T> {
        FdReady {
            fd,
            direction,
            node: WaitNode::new(direction.kind(), location),
        }
    }

    fn poll_ready(self: Pin<&Self>, cx: &Context<'_>) -> Poll<io::Result<Ready>> {
        let (source, direction) = (&self.get_ref().fd.source, self.direction);
        let fd = self.get_ref().fd.check()?;
        let node = pinned!(self, node);
        ready!(source.poll_ready(direction, fd, node, cx, context::reactor))?;
        let is_closed = source.is_closed(direction);
        Poll::Ready(Ok(match direction {
            Direction::Read if is_closed => Ready::READABLE | Ready::READ_CLOSED,
            Direction::Read => Ready::READABLE,
            Direction::Write if is_closed => Ready::WRITABLE | Ready::WRITE_CLOSED,
            Direction::Write => Ready::WRITABLE,
            Direction::Priority => Ready::PRIORITY,
        }))
    }
}

impl<T: AsFd> Future for FdReady<'_, T> {
    type Output = io::Result<Ready>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.fd.source.doubt(self.direction);
        let ready = ready!(self.as_ref().poll_ready(cx));
        // Who asks again and again without an operation in between must not starve the others.
        ready!(poll_spend(cx));
        Poll::Ready(ready)
    }
}

impl<T: AsFd> Drop for FdReady<'_, T> {
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.fd
                .source
                .cancel(self.direction, pinned_in_drop!(self, node));
        }
    }
}

impl<T: AsFd> fmt::Debug for FdReady<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdReady")
            .field("fd", &self.fd.fd)
            .field("for", &self.direction)
            .finish()
    }
}

/// Runs an operation on an [`AsyncFd`] as soon as it may succeed.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WithFd<'a, T: AsFd, O> {
    ready: FdReady<'a, T>,
    operation: O,
}

// The operation is called through `&mut`, never pinned.
impl<R, T: AsFd, O: FnMut(&T) -> io::Result<R> + Unpin> Future for WithFd<'_, T, O> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        loop {
            ready!(pinned!(self.as_ref(), ready).poll_ready(cx))?;
            ready!(poll_spend(cx));
            let (fd, direction) = (self.ready.fd, self.ready.direction);
            let operation = crate::pin::pinned_mut!(self.as_mut(), operation).get_mut();
            match operation(fd.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    fd.source.clear(direction);
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<T: AsFd, O> fmt::Debug for WithFd<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithFd")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}
