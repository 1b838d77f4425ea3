//! The named futures of Unix messages, `UnixSend`, `UnixRecv` and their kin, and the methods of the sockets
//! that carry them.
//!
//! *A full queue.* A datagram to a name may find the receiver's queue full while our own side has room. No
//! selector tells when that changes: poll(2) calls the socket writable all the time, and epoll reports no
//! edge until one of *our* datagrams is taken. So whoever meets it sleeps for [`PAUSE`] and tries again: no
//! spin, and nobody waits for ever. A send to a connected peer waits for the kernel's report.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;
use mainspring_sys::socket::Taken;
use mainspring_sys::{Fd, socket};

use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::pin::{pinned, pinned_beside, pinned_mut, pinned_mut_beside};
use crate::time::Sleep;

/// How long a send waits for a receiver whose queue is full: that is many datagrams, so he needs a moment.
const PAUSE: Duration = Duration::from_millis(5);

/// A send that waits for room on our side, and again and again for room on the other.
pub(super) struct Post<'a> {
    wait: Wait<'a, Writing>,
    pause: Sleep,
    is_paused: Cell<bool>,
}

impl<'a> Post<'a> {
    pub(super) fn new(socket: &'a Endpoint, here: &'static Location<'static>) -> Post<'a> {
        Post {
            wait: Wait::new(socket, Writing, here),
            pause: Sleep::new(duration_ns(PAUSE), true, here),
            is_paused: Cell::new(false),
        }
    }

    /// Runs `operation` until it succeeds or fails for good.
    pub(super) fn poll<R>(
        mut self: Pin<&mut Self>,
        cx: &Context<'_>,
        is_addressed: bool,
        mut operation: impl FnMut(&Fd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let this = self.as_ref();
            if this.is_paused.get() {
                ready!(pinned!(this, pause).poll_elapsed(cx));
                this.is_paused.set(false);
            }
            let polled = pinned!(this, wait).poll_with(cx, |fd| match operation(fd) {
                Err(error) if socket::is_receiver_full(&error, is_addressed) => Ok(None),
                result => result.map(Some),
            });
            if let Some(value) = ready!(polled)? {
                return Poll::Ready(Ok(value));
            }
            pinned_mut!(self.as_mut(), pause).reset_after(PAUSE);
            self.is_paused.set(true);
        }
    }
}

/// An empty record can't be told from the end.
pub(super) fn check_record(bytes: &[u8], is_record: bool) -> io::Result<()> {
    if !is_record || !bytes.is_empty() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "the peer would take an empty record for the end: send at least one byte",
    ))
}

/// Sends one message. Made by the `send` and `send_to` of a Unix socket.
///
/// # Cancel safety
/// Safe: the message is given only in the poll that returns, whole.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct UnixSend<'a> {
    post: Post<'a>,
    letter: Letter<'a>,
}

/// What is sent, and where to.
struct Letter<'a> {
    bytes: &'a [u8],
    is_record: bool,
    /// Where to, if not to the peer; or what is wrong with the path.
    to: Option<io::Result<SocketAddr>>,
}

impl<'a> UnixSend<'a> {
    pub(super) fn new(
        socket: &'a Endpoint,
        bytes: &'a [u8],
        is_record: bool,
        here: &'static Location<'static>,
    ) -> UnixSend<'a> {
        UnixSend {
            post: Post::new(socket, here),
            letter: Letter {
                bytes,
                is_record,
                to: None,
            },
        }
    }

    pub(super) fn to(
        socket: &'a Endpoint,
        bytes: &'a [u8],
        to: io::Result<SocketAddr>,
        here: &'static Location<'static>,
    ) -> UnixSend<'a> {
        let mut send = UnixSend::new(socket, bytes, false, here);
        send.letter.to = Some(to);
        send
    }
}

impl Future for UnixSend<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (post, letter) = pinned_mut_beside!(self, post, letter);
        check_record(letter.bytes, letter.is_record)?;
        let bytes = letter.bytes;
        let to = match letter.to.take() {
            None => return post.poll(cx, false, |fd| socket::send_message(fd, bytes)),
            Some(to) => to?,
        };
        let polled = post.poll(cx, true, |fd| socket::send_to_unix(fd, bytes, &to));
        letter.to = Some(Ok(to));
        polled
    }
}

impl fmt::Debug for UnixSend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixSend")
            .field("bytes", &self.letter.bytes.len())
            .field("to", &self.letter.to)
            .finish_non_exhaustive()
    }
}

/// Receives one message, or looks at it. Made by the `recv` and `peek` of a Unix socket.
///
/// # Cancel safety
/// Safe: a message is taken only in the poll that returns it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct UnixRecv<'a> {
    wait: Wait<'a, Reading>,
    buf: &'a mut [u8],
    is_peek: bool,
}

impl<'a> UnixRecv<'a> {
    pub(super) fn new(
        socket: &'a Endpoint,
        buf: &'a mut [u8],
        is_peek: bool,
        here: &'static Location<'static>,
    ) -> UnixRecv<'a> {
        UnixRecv {
            wait: Wait::new(socket, Reading, here),
            buf,
            is_peek,
        }
    }
}

impl Future for UnixRecv<'_> {
    type Output = io::Result<Taken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Taken>> {
        let is_peek = self.is_peek;
        let (wait, buf) = pinned_beside!(self, wait, buf);
        wait.poll_with(cx, |fd| socket::recv_message(fd, buf, is_peek))
    }
}

impl fmt::Debug for UnixRecv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixRecv")
            .field("buf", &self.buf.len())
            .field("is_peek", &self.is_peek)
            .finish_non_exhaustive()
    }
}

/// Receives one datagram with its sender's name, or looks at it. Made by [`UnixDatagram::recv_from`] and
/// [`UnixDatagram::peek_from`].
///
/// [`UnixDatagram::recv_from`]: super::UnixDatagram::recv_from
/// [`UnixDatagram::peek_from`]: super::UnixDatagram::peek_from
///
/// # Cancel safety
/// Safe: a message is taken only in the poll that returns it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct UnixRecvFrom<'a> {
    recv: UnixRecv<'a>,
}

impl<'a> UnixRecvFrom<'a> {
    pub(super) fn new(recv: UnixRecv<'a>) -> UnixRecvFrom<'a> {
        UnixRecvFrom { recv }
    }
}

impl Future for UnixRecvFrom<'_> {
    type Output = io::Result<(Taken, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let recv = pinned_mut!(self, recv);
        let is_peek = recv.is_peek;
        let (wait, buf) = pinned_beside!(recv, wait, buf);
        wait.poll_with(cx, |fd| socket::recv_message_from(fd, buf, is_peek))
    }
}

impl fmt::Debug for UnixRecvFrom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixRecvFrom")
            .field("buf", &self.recv.buf.len())
            .finish_non_exhaustive()
    }
}

/// The methods and traits of a socket of messages with a peer: `$socket` has a field `socket`.
macro_rules! message_socket {
    ($socket:ident, $is_record:literal) => {
        impl $socket {
            /// Sends one message to the peer, whole; waits while there is no room for it.
            ///
            /// # Cancel safety
            /// Safe: the message is given only in the poll that returns, whole.
            ///
            /// # Errors
            /// EMSGSIZE if it is longer than the system takes; `NotConnected` without a peer; `ConnectionRefused`
            /// or `BrokenPipe` if the peer is gone; `InvalidInput` for an empty record.
            #[track_caller]
            pub fn send<'a>(&'a self, bytes: &'a [u8]) -> UnixSend<'a> {
                UnixSend::new(&self.socket, bytes, $is_record, Location::caller())
            }

            /// Receives one message; the answer is its length, and how much of it is in `buf`: what did not fit is
            /// gone. A length of 0 is an empty datagram; or, if these are records, the end.
            ///
            /// # Cancel safety
            /// Safe: a message is taken only in the poll that returns it.
            ///
            /// # Errors
            /// What the kernel says, `ConnectionReset` among it. The socket can be used after each.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::UnixDatagram;
            /// let (near, far) = UnixDatagram::pair()?;
            /// far.send(b"tick-tock").await?;
            /// let mut buf = [0; 16];
            /// let taken = near.recv(&mut buf).await?;
            /// assert_eq!(&buf[..taken.len], b"tick-tock");
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            #[track_caller]
            pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> UnixRecv<'a> {
                UnixRecv::new(&self.socket, buf, false, Location::caller())
            }

            /// As `recv`, but the message stays where it is; what does not fit is left out, and nothing is lost by
            /// that.
            ///
            /// # Cancel safety
            /// Safe: nothing is taken.
            ///
            /// # Errors
            /// As for `recv`.
            #[track_caller]
            pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> UnixRecv<'a> {
                UnixRecv::new(&self.socket, buf, true, Location::caller())
            }

            /// As `send`, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if it does not fit now; as for `send` otherwise.
            pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
                check_record(bytes, $is_record)?;
                self.socket
                    .try_with(Direction::Write, |fd| socket::send_message(fd, bytes))
            }

            /// As `recv`, without waiting. The kernel is asked each time.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; as for `recv` otherwise.
            pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Taken> {
                self.socket
                    .try_with(Direction::Read, |fd| socket::recv_message(fd, buf, false))
            }

            /// Sends one message to the peer, whole, and with it duplicates of `fds`, at most 253.
            ///
            /// # Cancel safety
            /// Safe: message and descriptors are given only in the poll that returns.
            ///
            /// # Errors
            /// As for `send`; `InvalidInput`, and nothing is sent, if there are too many; ETOOMANYREFS (Linux) if more
            /// descriptors are under way, received by nobody, than a process may open.
            #[track_caller]
            pub fn send_with_fds<'a>(
                &'a self,
                bytes: &'a [u8],
                fds: &'a [BorrowedFd<'a>],
            ) -> SendWithFds<'a> {
                let carrier = Carrier::Messages {
                    are_records: $is_record,
                };
                SendWithFds::new(&self.socket, carrier, bytes, fds, Location::caller())
            }

            /// As `send_with_fds`, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if it does not fit now; as for `send_with_fds` otherwise.
            pub fn try_send_with_fds(
                &self,
                bytes: &[u8],
                fds: &[BorrowedFd<'_>],
            ) -> io::Result<usize> {
                check_record(bytes, $is_record)?;
                self.socket.try_with(Direction::Write, |fd| {
                    socket::send_message_with_fds(fd, bytes, fds)
                })
            }

            /// Receives one message with the descriptors that came along, at most `room` of them. They are
            /// close-on-exec, and yours; those beyond are closed, and the answer says so.
            ///
            /// # Cancel safety
            /// Safe: a message is taken only in the poll that returns it.
            ///
            /// # Errors
            /// As for `recv`.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::UnixDatagram;
            /// use std::os::fd::AsFd;
            /// let (near, far) = UnixDatagram::pair()?;
            /// let null = std::fs::File::open("/dev/null")?;
            /// far.send_with_fds(b"take it", &[null.as_fd()]).await?;
            /// let mut buf = [0; 16];
            /// let came = near.recv_with_fds(&mut buf, 1).await?;
            /// assert_eq!((&buf[..came.len], came.fds.len()), (&b"take it"[..], 1));
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            #[track_caller]
            pub fn recv_with_fds<'a>(&'a self, buf: &'a mut [u8], room: usize) -> RecvWithFds<'a> {
                RecvWithFds::new(&self.socket, false, buf, room, Location::caller())
            }

            /// As `recv_with_fds`, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; as for `recv_with_fds` otherwise.
            pub fn try_recv_with_fds(&self, buf: &mut [u8], room: usize) -> io::Result<WithFds> {
                self.socket
                    .try_with(Direction::Read, |fd| recv_with_fds_now(fd, buf, room))
            }

            /// Waits until a message can be received, or the peer has gone. A report may be spurious: go on with
            /// `try_recv`, and wait again if it says WouldBlock.
            ///
            /// # Cancel safety
            /// Safe.
            ///
            /// # Errors
            /// `NotConnected` if the loop is gone.
            #[track_caller]
            pub fn readable(&self) -> StreamReady<'_> {
                StreamReady::new(&self.socket, Direction::Read, Location::caller())
            }

            /// Waits until there is room for a message on our side. A report may be spurious, and says nothing of
            /// another's queue: go on with `try_send`, and wait again if it says WouldBlock.
            ///
            /// # Cancel safety
            /// Safe.
            ///
            /// # Errors
            /// `NotConnected` if the loop is gone.
            #[track_caller]
            pub fn writable(&self) -> StreamReady<'_> {
                StreamReady::new(&self.socket, Direction::Write, Location::caller())
            }
        }

        unix_socket!($socket);

        impl AsFd for $socket {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.show()
            }
        }

        impl AsRawFd for $socket {
            fn as_raw_fd(&self) -> RawFd {
                self.socket.as_raw_fd()
            }
        }
    };
}

pub(super) use message_socket;
