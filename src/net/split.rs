//! The halves of a stream socket: one that reads, one that writes; borrowed, or owned for two tasks.
//!
//! *Model.* The methods of a stream take `&self`, so a half is a reference, or a counted one, with half
//! of the methods. Borrowed halves are for two futures of one task, owned ones for two tasks.
//!
//! *The end.* Dropping the owned half that writes tells the peer that nothing more will come, because
//! that is what its disappearance means; the stream closes with its second half.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::io::endpoint::Endpoint;
use crate::io::endpoint::methods::{read_methods, socket_read, socket_write, write_methods};
use crate::io::endpoint::transfer::{
    Peek, Read, ReadVectored, Reading, StreamReady, Wait, Write, WriteAll, WriteVectored, Writing,
};
use crate::io::{AsyncRead, AsyncWrite, ReuniteError};
use crate::net::stream::{socket_read_methods, socket_write_methods};
use crate::reactor::Direction;

/// A stream socket of this crate: [`TcpStream`](super::TcpStream), [`UnixStream`](super::UnixStream).
/// Nobody else can implement it, because nobody else can make what it asks for.
pub trait StreamSocket {
    /// The socket.
    #[doc(hidden)]
    fn shared_socket(&self) -> SharedSocket<'_>;
}

/// A socket, in a wrapper that nobody else can open.
#[derive(Clone, Copy)]
pub struct SharedSocket<'a>(pub(super) &'a Endpoint);

impl fmt::Debug for SharedSocket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSocket")
    }
}

/// The half of a stream that reads, for as long as the stream is borrowed. Made by the `split` of a
/// stream.
pub struct ReadHalf<'s, S>(&'s S);

/// The half of a stream that writes, for as long as the stream is borrowed; its drop says nothing to
/// the peer. Made by the `split` of a stream.
pub struct WriteHalf<'s, S>(&'s S);

/// The half of a stream that reads. Made by the `into_split` of a stream.
pub struct OwnedReadHalf<S>(Rc<S>);

/// The half of a stream that writes. Its drop closes the stream for writing: the peer reads to the end.
/// Made by the `into_split` of a stream.
pub struct OwnedWriteHalf<S: StreamSocket> {
    stream: Rc<S>,
    ends_on_drop: bool,
}

pub(super) fn split<S>(stream: &mut S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split<S: StreamSocket>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Rc::new(stream);
    let write_half = OwnedWriteHalf {
        stream: Rc::clone(&stream),
        ends_on_drop: true,
    };
    (OwnedReadHalf(stream), write_half)
}

impl<S: StreamSocket> ReadHalf<'_, S> {
    read_methods!();
    socket_read_methods!();

    /// The whole stream, for what belongs to both halves.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.0
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        self.0.shared_socket().0
    }
}

impl<S: StreamSocket> WriteHalf<'_, S> {
    write_methods!();
    socket_write_methods!();

    /// The whole stream, for what belongs to both halves.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.0
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        self.0.shared_socket().0
    }
}

impl<S: StreamSocket> OwnedReadHalf<S> {
    read_methods!();
    socket_read_methods!();

    /// The whole stream, for what belongs to both halves.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.0
    }

    /// Whether the two are halves of one stream.
    #[must_use]
    pub fn is_half_of(&self, other: &OwnedWriteHalf<S>) -> bool {
        Rc::ptr_eq(&self.0, &other.stream)
    }

    /// The whole stream.
    ///
    /// # Errors
    /// Both halves back, if they are not of one stream.
    pub fn reunite(
        self,
        other: OwnedWriteHalf<S>,
    ) -> Result<S, ReuniteError<OwnedReadHalf<S>, OwnedWriteHalf<S>>> {
        if !self.is_half_of(&other) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        match Rc::try_unwrap(self.0) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("a stream has two halves, and both were here"),
        }
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        self.0.shared_socket().0
    }
}

impl<S: StreamSocket> OwnedWriteHalf<S> {
    write_methods!();
    socket_write_methods!();

    /// The whole stream, for what belongs to both halves.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Drops this half and tells the peer nothing.
    pub fn forget(mut self) {
        self.ends_on_drop = false;
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        self.stream.shared_socket().0
    }
}

impl<S: StreamSocket> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.ends_on_drop {
            // A connection that is gone already has nobody to be told.
            let _ = self.endpoint().close_write();
        }
    }
}

socket_read!([S: StreamSocket] ReadHalf<'_, S>);
socket_write!([S: StreamSocket] WriteHalf<'_, S>);
socket_read!([S: StreamSocket] OwnedReadHalf<S>);
socket_write!([S: StreamSocket] OwnedWriteHalf<S>);

macro_rules! debug {
    ($($name:literal: [$($generics:tt)*] $half:ty,)*) => {$(
        impl<$($generics)*> fmt::Debug for $half {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(self.stream()).finish()
            }
        }
    )*};
}

debug! {
    "ReadHalf": [S: StreamSocket + fmt::Debug] ReadHalf<'_, S>,
    "WriteHalf": [S: StreamSocket + fmt::Debug] WriteHalf<'_, S>,
    "OwnedReadHalf": [S: StreamSocket + fmt::Debug] OwnedReadHalf<S>,
    "OwnedWriteHalf": [S: StreamSocket + fmt::Debug] OwnedWriteHalf<S>,
}
