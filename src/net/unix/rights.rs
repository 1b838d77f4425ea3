//! `SendWithFds`, `RecvWithFds`: bytes with descriptors, on any Unix socket; and the methods that all Unix
//! sockets with a peer have.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::{Fd, socket};

use super::message::{Post, check_record};
use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Reading, Wait};
use crate::pin::{pinned_beside, pinned_mut};
use crate::reactor::Direction;

pub use socket::Credentials;

/// What a receive with room for descriptors brought.
///
/// ```
/// # mainspring::run(async {
/// use mainspring::net::UnixStream;
/// use std::os::fd::AsFd;
/// let (near, far) = UnixStream::pair()?;
/// let null = std::fs::File::open("/dev/null")?;
/// far.send_with_fds(b"two", &[null.as_fd(), null.as_fd()]).await?;
/// let came = near.recv_with_fds(&mut [0; 16], 1).await?;
/// assert_eq!((came.len, came.fds.len(), came.are_fds_truncated), (3, 1, true));
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Debug)]
pub struct WithFds {
    /// How many bytes are in the buffer; 0 is the end, except for an empty datagram.
    pub len: usize,
    /// How long the datagram or record was, as [`Taken`](crate::net::Taken) says it. Of a stream, as much as `len`.
    pub whole_len: usize,
    /// The descriptors, in the order in which they were sent; close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// More descriptors were sent than there was room for, or than this process may open; they are closed.
    pub are_fds_truncated: bool,
    /// Who sent it, if the socket was told to ask: `set_pass_credentials`.
    pub credentials: Option<Credentials>,
}

impl WithFds {
    /// Whether the buffer was too small: the rest of the datagram or record is gone. Never of a stream.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.whole_len > self.len
    }
}

pub(super) fn recv_with_fds_now(fd: &Fd, buf: &mut [u8], room: usize) -> io::Result<WithFds> {
    let (taken, companions) = socket::recv_with_fds(fd, buf, room)?;
    Ok(WithFds {
        len: taken.len,
        whole_len: taken.whole_len,
        fds: companions.fds,
        are_fds_truncated: companions.are_fds_truncated,
        credentials: companions.credentials,
    })
}

/// Nothing is asked for, so nothing is taken; descriptors stay with their byte.
pub(super) fn nothing() -> WithFds {
    WithFds {
        len: 0,
        whole_len: 0,
        fds: Vec::new(),
        are_fds_truncated: false,
        credentials: None,
    }
}

/// What a socket does with the bytes of one send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carrier {
    /// Takes some of them.
    Stream,
    /// Takes all, or none.
    Messages { are_records: bool },
}

impl Carrier {
    pub(super) fn send_now(
        self,
        socket: &Endpoint,
        fd: &Fd,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        match self {
            Carrier::Stream => {
                let moved = socket::send_with_fds(fd, bytes, fds)?;
                Ok(socket.moved(Direction::Write, moved))
            }
            Carrier::Messages { are_records } => {
                check_record(bytes, are_records)?;
                socket::send_message_with_fds(fd, bytes, fds)
            }
        }
    }
}

/// Sends bytes with descriptors. Made by the `send_with_fds` of a Unix socket.
///
/// # Cancel safety
/// Safe: bytes and descriptors are given only in the poll that returns.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SendWithFds<'a> {
    post: Post<'a>,
    socket: &'a Endpoint,
    carrier: Carrier,
    bytes: &'a [u8],
    fds: &'a [BorrowedFd<'a>],
}

impl<'a> SendWithFds<'a> {
    pub(super) fn new(
        socket: &'a Endpoint,
        carrier: Carrier,
        bytes: &'a [u8],
        fds: &'a [BorrowedFd<'a>],
        here: &'static Location<'static>,
    ) -> SendWithFds<'a> {
        SendWithFds {
            post: Post::new(socket, here),
            socket,
            carrier,
            bytes,
            fds,
        }
    }
}

impl Future for SendWithFds<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (socket, carrier, bytes, fds) = (self.socket, self.carrier, self.bytes, self.fds);
        let post = pinned_mut!(self, post);
        post.poll(cx, false, |fd| carrier.send_now(socket, fd, bytes, fds))
    }
}

impl fmt::Debug for SendWithFds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendWithFds")
            .field("bytes", &self.bytes.len())
            .field("fds", &self.fds)
            .finish_non_exhaustive()
    }
}

/// Receives bytes with descriptors. Made by the `recv_with_fds` of a Unix socket.
///
/// # Cancel safety
/// Safe: bytes and descriptors are taken only in the poll that returns them.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct RecvWithFds<'a> {
    wait: Wait<'a, Reading>,
    is_stream: bool,
    buf: &'a mut [u8],
    room: usize,
}

impl<'a> RecvWithFds<'a> {
    pub(super) fn new(
        socket: &'a Endpoint,
        is_stream: bool,
        buf: &'a mut [u8],
        room: usize,
        here: &'static Location<'static>,
    ) -> RecvWithFds<'a> {
        RecvWithFds {
            wait: Wait::new(socket, Reading, here),
            is_stream,
            buf,
            room,
        }
    }
}

impl Future for RecvWithFds<'_> {
    type Output = io::Result<WithFds>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<WithFds>> {
        // hz_d09: of a stream an empty buffer asks for nothing, and the answer 0 would look like the end.
        if self.is_stream && self.buf.is_empty() {
            return Poll::Ready(Ok(nothing()));
        }
        let room = self.room;
        let (wait, buf) = pinned_beside!(self, wait, buf);
        Poll::Ready(ready!(
            wait.poll_with(cx, |fd| recv_with_fds_now(fd, buf, room))
        ))
    }
}

impl fmt::Debug for RecvWithFds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvWithFds")
            .field("buf", &self.buf.len())
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}

/// The methods of bytes with descriptors of a stream: `$stream` has a field `socket`.
macro_rules! stream_with_fds {
    ($stream:ident) => {
        impl $stream {
            /// Writes some bytes, at least one, and with the first of them duplicates of `fds`, at most 253. The
            /// answer is how many bytes were taken: the descriptors have gone with them, so write the rest with
            /// `write_all`.
            ///
            /// The peer gets them with the read that takes the first of these bytes, if it has room for them
            /// (`recv_with_fds`); a plain read closes them.
            ///
            /// # Cancel safety
            /// Safe: bytes and descriptors are given only in the poll that returns.
            ///
            /// # Errors
            /// `InvalidInput`, and nothing is sent: too many descriptors, or descriptors without a byte. ETOOMANYREFS
            /// (Linux): more are under way, received by nobody, than a process may open. As for `write` otherwise.
            #[track_caller]
            pub fn send_with_fds<'a>(
                &'a self,
                bytes: &'a [u8],
                fds: &'a [BorrowedFd<'a>],
            ) -> SendWithFds<'a> {
                SendWithFds::new(
                    &self.socket,
                    Carrier::Stream,
                    bytes,
                    fds,
                    Location::caller(),
                )
            }

            /// As `send_with_fds`, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing fits; as for `send_with_fds` otherwise.
            pub fn try_send_with_fds(
                &self,
                bytes: &[u8],
                fds: &[BorrowedFd<'_>],
            ) -> io::Result<usize> {
                self.socket
                    .try_move(Direction::Write, |fd| socket::send_with_fds(fd, bytes, fds))
            }

            /// Reads some bytes with the descriptors that came along, at most `room` of them. They are close-on-exec,
            /// and yours; those beyond are closed, and the answer says so. A read ends with the bytes that
            /// descriptors were sent with, so no two sends' descriptors are mixed.
            ///
            /// # Cancel safety
            /// Safe: bytes and descriptors are taken only in the poll that returns them.
            ///
            /// # Errors
            /// As for `read`.
            #[track_caller]
            pub fn recv_with_fds<'a>(&'a self, buf: &'a mut [u8], room: usize) -> RecvWithFds<'a> {
                RecvWithFds::new(&self.socket, true, buf, room, Location::caller())
            }

            /// As `recv_with_fds`, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; as for `recv_with_fds` otherwise.
            pub fn try_recv_with_fds(&self, buf: &mut [u8], room: usize) -> io::Result<WithFds> {
                if buf.is_empty() {
                    return Ok(nothing());
                }
                self.socket
                    .try_with(Direction::Read, |fd| recv_with_fds_now(fd, buf, room))
            }
        }
    };
}

/// The methods of every Unix socket with a peer: `$socket` has a field `socket`.
macro_rules! unix_socket {
    ($socket:ident) => {
        impl $socket {
            /// The name of this end; mostly it has none.
            ///
            /// # Errors
            /// What the kernel says.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                socket::local_addr_unix(self.socket.fd())
            }

            /// The name of the other end.
            ///
            /// # Errors
            /// ENOTCONN, if there is none, or the connection is gone.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                socket::peer_addr_unix(self.socket.fd())
            }

            /// Who made the connection, or the pair: user, group, and process where the system tells.
            ///
            /// # Errors
            /// ENOTCONN if there is no peer; `Unsupported` where the system does not tell.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::UnixStream;
            /// let (near, _far) = UnixStream::pair()?;
            /// let peer = near.peer_cred()?;
            /// assert!(peer.pid.is_none_or(|pid| pid as u32 == std::process::id()));
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            pub fn peer_cred(&self) -> io::Result<Credentials> {
                socket::peer_credentials(self.socket.fd())
            }

            /// Lets each `recv_with_fds` tell who sent what it got ([`WithFds::credentials`]): the kernel's
            /// word, not the sender's. For what is sent from now on. Linux gives such a socket an abstract name
            /// when it connects or sends and has none.
            ///
            /// # Errors
            /// `Unsupported` on systems other than Linux.
            pub fn set_pass_credentials(&self, pass: bool) -> io::Result<()> {
                socket::set_pass_credentials(self.socket.fd(), pass)
            }
        }

        impl fmt::Debug for $socket {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($socket))
                    .field("local", &self.local_addr().ok())
                    .field("peer", &self.peer_addr().ok())
                    .finish()
            }
        }
    };
}

pub(super) use {stream_with_fds, unix_socket};
