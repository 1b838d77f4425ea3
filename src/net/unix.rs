//! `UnixStream`: a connected pair, for now. Names and listeners come with the rest of the network.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring_sys::socket;

use super::socket::{Family, Socket};
use super::stream::{read_methods, socket_read, socket_write, stream_socket, write_methods};
use super::transfer::{
    Peek, Read, ReadVectored, StreamReady, Wait, Write, WriteAll, WriteVectored,
};
use crate::io::{AsyncRead, AsyncWrite};
use crate::reactor::Direction;

/// One end of a connected pair of Unix stream sockets.
///
/// ```
/// use mainspring::net::UnixStream;
/// mainspring::run(async {
///     let (left, right) = UnixStream::pair()?;
///     left.write_all(b"ping").await?;
///     let mut buf = [0; 4];
///     assert_eq!(right.read(&mut buf).await?, 4);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct UnixStream {
    socket: Socket,
}

impl UnixStream {
    /// Two ends, connected to each other.
    ///
    /// # Errors
    /// EMFILE and ENFILE when there are no descriptors left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = socket::unix_pair()?;
        Ok((
            UnixStream {
                socket: Socket::new(left, Family::Unix),
            },
            UnixStream {
                socket: Socket::new(right, Family::Unix),
            },
        ))
    }

    /// Adopts a connected socket of std; it is made non-blocking.
    ///
    /// # Errors
    /// What the kernel says of the change.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream {
            socket: Socket::adopt(OwnedFd::from(stream), Family::Unix)?,
        })
    }

    /// Gives the socket back to std; it stays non-blocking.
    #[must_use]
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.socket.into_owned().into()
    }
}

stream_socket!(UnixStream);

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnixStream")
    }
}
