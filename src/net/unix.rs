//! `UnixStream`: a connected pair, for now. Names and listeners come with the rest of the network.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;

use mainspring_sys::socket;

use super::socket::{Family, Socket};
use super::transfer::{Read, Write, WriteAll};

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

    /// Reads some bytes into `buf`, at least one; 0 means the peer has closed its side, or that `buf` is
    /// empty.
    ///
    /// # Cancel safety
    /// Safe: bytes are taken only in the poll that returns them.
    ///
    /// # Errors
    /// What the kernel says; `NotConnected` if the loop is gone.
    #[track_caller]
    #[inline]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read::new(&self.socket, buf, Location::caller())
    }

    /// Writes some of `buf`, at least one byte, and says how many.
    ///
    /// # Cancel safety
    /// Safe: bytes are given only in the poll that returns their number.
    ///
    /// # Errors
    /// What the kernel says, EPIPE among them, never with SIGPIPE; `NotConnected` if the loop is gone.
    #[track_caller]
    #[inline]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write::new(&self.socket, buf, Location::caller())
    }

    /// Writes all of `buf`.
    ///
    /// # Cancel safety
    /// Not safe, because nobody keeps how far it came: some of the bytes may be written.
    ///
    /// # Errors
    /// As for [`UnixStream::write`].
    #[track_caller]
    #[inline]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(&self.socket, buf, Location::caller())
    }

    /// Closes one side, or both, at once; what was written before is still delivered.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        socket::shutdown(self.socket.fd(), how)
    }
}

impl AsFd for UnixStream {
    /// From here on the descriptor may have duplicates, so it leaves the selector by a system call of
    /// its own before it closes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.show()
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnixStream")
    }
}
