//! What all listeners have in common: they accept, and survive the want of descriptors.
//!
//! *EMFILE, ENFILE.* When the process or the system has no descriptor left, `accept` fails and leaves
//! the connection in the queue; the selector will not report it again (edge-triggered), or will report
//! it without end (level-triggered). So an accept that meets it sleeps for [`PAUSE`] and tries again:
//! no spin, no error for what passes by itself, and no connection lost that the peer keeps open. How
//! often it happened, the listener's `exhausted_count` tells.
//!
//! *Patience.* A want that lasts is another thing: the peers' connects have succeeded, and they wait for
//! answers that nobody will give. So when nothing could be accepted for [`PATIENCE`], what stands in the
//! queue is taken and closed, by means of a descriptor that each listener holds back for this, and again
//! at each pause until there are descriptors. The peers read their end and can go elsewhere. How many,
//! `refused_count` tells.
//!
//! ```text
//!    accept: EMFILE ── pause 100 ms ──► again …   for 2 s: nobody is lost
//!                                         └────►  then, at each pause: reserve closed,
//!                                                 queue accepted and closed, reserve opened
//! ```
//!
//! ENOBUFS and ENOMEM pause only: a descriptor is not what is missing.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;
use mainspring_sys::{Fd, socket};

use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Reading, Wait};
use crate::pin::{pinned, pinned_mut};
use crate::stream::Stream;
use crate::time::{Instant, Sleep, now};

/// How long an accept waits when there are no descriptors left: rare enough to cost nothing, often
/// enough to go on soon after some are closed.
const PAUSE: Duration = Duration::from_millis(100);

/// How long peers are kept waiting while there are no descriptors, before they are refused.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many are refused in one go, so that a flood does not hold the thread.
const REFUSED_AT_ONCE_MAX: usize = 64;

/// How many connections may wait to be accepted; the kernel cuts it to its own limit.
pub(super) const BACKLOG: i32 = 1024;

/// A listener of this crate: [`TcpListener`](super::TcpListener), [`UnixListener`](super::UnixListener).
/// Nobody else can implement it, because nobody else can make what it asks for.
pub trait Listener {
    /// What an accept gives: a stream, and where it comes from.
    type Connection;

    /// The listening socket.
    #[doc(hidden)]
    fn shared_acceptor(&self) -> SharedAcceptor<'_>;

    /// One connection, without waiting.
    #[doc(hidden)]
    fn accept_now(fd: &Fd) -> io::Result<Self::Connection>;
}

/// A listening socket, and how it fares for want of descriptors.
pub(super) struct Acceptor {
    pub(super) socket: Endpoint,
    exhausted: Cell<u64>,
    refused: Cell<u64>,
    /// Since when nothing could be accepted for want of descriptors.
    short_since: Cell<Option<Instant>>,
    /// The descriptor that is held back; none where the system would not give one.
    reserve: RefCell<Option<Fd>>,
}

impl Acceptor {
    pub(super) fn new(socket: Endpoint) -> Acceptor {
        Acceptor {
            socket,
            exhausted: Cell::new(0),
            refused: Cell::new(0),
            short_since: Cell::new(None),
            reserve: RefCell::new(socket::reserve_fd().ok()),
        }
    }

    pub(super) fn exhausted_count(&self) -> u64 {
        self.exhausted.get()
    }

    pub(super) fn refused_count(&self) -> u64 {
        self.refused.get()
    }

    /// An accept met a want that may pass: after a while the peers are told.
    #[cold]
    fn is_short(&self, error: &io::Error) {
        self.exhausted.set(self.exhausted.get() + 1);
        if !socket::is_out_of_descriptors(error) {
            return;
        }
        let now = now();
        let since = self.short_since.get().unwrap_or(now);
        self.short_since.set(Some(since));
        if now.saturating_duration_since(since) >= PATIENCE {
            let mut reserve = self.reserve.borrow_mut();
            let refused =
                socket::refuse_waiting(self.socket.fd(), &mut reserve, REFUSED_AT_ONCE_MAX);
            self.refused.set(self.refused.get() + refused as u64);
        }
    }
}

/// A listening socket, in a wrapper that nobody else can open.
pub struct SharedAcceptor<'a>(pub(super) &'a Acceptor);

impl fmt::Debug for SharedAcceptor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAcceptor")
    }
}

/// The methods and traits of a listener: `$listener` has a field `acceptor`.
macro_rules! listener {
    ($listener:ident) => {
        impl $listener {
            /// Waits for the next connection. A connection that died while it was queued is skipped;
            /// while there are no descriptors left, this waits (see `exhausted_count`). Several tasks may
            /// accept: each gets some, in the order in which they asked.
            ///
            /// # Cancel safety
            /// Safe: a connection is taken only in the poll that returns it.
            ///
            /// # Errors
            /// What the kernel says; after an error the listener can be asked again. `NotConnected` if
            /// the loop is gone.
            #[track_caller]
            pub fn accept(&self) -> Accept<'_, $listener> {
                Accept::new(self, Location::caller())
            }

            /// All connections, one after the other, without end: a [`Stream`](crate::stream::Stream). An
            /// error is an item too; the next one may be a connection again.
            ///
            /// # Cancel safety
            /// Safe: a connection is taken only in the poll that returns it.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::{TcpListener, TcpStream};
            /// use mainspring::stream::Stream;
            /// use std::{future::poll_fn, pin::Pin};
            /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
            /// let _client = TcpStream::connect(listener.local_addr()?).await?;
            /// let mut incoming = listener.incoming();
            /// let next = poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await;
            /// let (_server, _from) = next.unwrap()?;
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            #[track_caller]
            pub fn incoming(&self) -> Incoming<'_, $listener> {
                Incoming::new(self, Location::caller())
            }

            /// How often an accept found no descriptor left (EMFILE, ENFILE), or no memory for one, and
            /// waited 100 ms.
            #[must_use]
            pub fn exhausted_count(&self) -> u64 {
                self.acceptor.exhausted_count()
            }

            /// How many connections were taken and closed at once, so that their peers hear of it, because
            /// no descriptor was left for two seconds.
            #[must_use]
            pub fn refused_count(&self) -> u64 {
                self.acceptor.refused_count()
            }
        }

        impl AsFd for $listener {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.acceptor.socket.show()
            }
        }

        impl AsRawFd for $listener {
            fn as_raw_fd(&self) -> RawFd {
                self.acceptor.socket.as_raw_fd()
            }
        }

        impl fmt::Debug for $listener {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($listener))
                    .field("local", &self.local_addr().ok())
                    .finish()
            }
        }
    };
}

pub(super) use listener;

/// Accepts one connection. Made by the `accept` of a listener.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Accept<'a, L: Listener> {
    listener: &'a L,
    wait: Wait<'a, Reading>,
    pause: Sleep,
    is_paused: Cell<bool>,
}

impl<'a, L: Listener> Accept<'a, L> {
    pub(super) fn new(listener: &'a L, location: &'static Location<'static>) -> Accept<'a, L> {
        let socket = &listener.shared_acceptor().0.socket;
        Accept {
            listener,
            wait: Wait::new(socket, Reading, location),
            pause: Sleep::new(duration_ns(PAUSE), true, location),
            is_paused: Cell::new(false),
        }
    }
}

impl<L: Listener> Future for Accept<'_, L> {
    type Output = io::Result<L::Connection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = self.as_ref();
            if this.is_paused.get() {
                ready!(pinned!(this, pause).poll_elapsed(cx));
                this.is_paused.set(false);
            }
            match ready!(pinned!(this, wait).poll_with(cx, L::accept_now)) {
                Err(error) if socket::is_exhausted(&error) => {
                    this.listener.shared_acceptor().0.is_short(&error);
                    pinned_mut!(self.as_mut(), pause).reset_after(PAUSE);
                    self.is_paused.set(true);
                }
                result => {
                    this.listener.shared_acceptor().0.short_since.set(None);
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl<L: Listener + fmt::Debug> fmt::Debug for Accept<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("listener", self.listener)
            .finish_non_exhaustive()
    }
}

/// All connections of a listener. Made by its `incoming`; it waits in line with whoever else accepts.
#[must_use = "streams do nothing unless they are polled"]
pub struct Incoming<'a, L: Listener> {
    /// The one accept, made again and again; boxed, so that this moves freely.
    accept: Pin<Box<Accept<'a, L>>>,
}

impl<'a, L: Listener> Incoming<'a, L> {
    pub(super) fn new(listener: &'a L, location: &'static Location<'static>) -> Incoming<'a, L> {
        Incoming {
            accept: Box::pin(Accept::new(listener, location)),
        }
    }
}

impl<L: Listener> Stream for Incoming<'_, L> {
    type Item = io::Result<L::Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accept.as_mut().poll(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl<L: Listener + fmt::Debug> fmt::Debug for Incoming<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming")
            .field(self.accept.listener)
            .finish()
    }
}
