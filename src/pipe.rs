//! Pipes and FIFOs: bytes in one direction, between two tasks, threads or processes.
//!
//! *Model.* A pipe has an end that is read and an end that is written. When the last writer is gone, reads come to the
//! end; when the last reader is gone, writes are a `BrokenPipe`, never a signal. An end closes with its drop.
//!
//! *Between processes.* An end goes to a child by [`PipeReader::into_blocking_fd`] and its twin: a program that did not
//! ask for it must not find its standard input non-blocking. What comes from elsewhere is made non-blocking *for
//! everybody who shares it*; `stdio` has streams for descriptors that others share.
//!
//! *Cost.* A system call for each transfer. A write asks first whether the process ignores SIGPIPE, which is one more.

mod fifo;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring_sys::{Fd, pipe as sys};

use crate::io::endpoint::methods::{read_methods, socket_read, write_methods};
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::io::endpoint::{Endpoint, Family};
use crate::io::{AsyncRead, AsyncWrite};
use crate::reactor::Direction;

pub use crate::io::endpoint::transfer::{
    Read, ReadVectored, StreamReady, Write, WriteAll, WriteVectored,
};
pub use fifo::{FifoOptions, make_fifo};

/// A new pipe: what is written to the second comes out of the first.
///
/// # Errors
/// EMFILE, ENFILE: there are no descriptors left.
///
/// ```
/// # mainspring::run(async {
/// let (reader, writer) = mainspring::pipe::pipe()?;
/// writer.write_all(b"tick").await?;
/// drop(writer);
/// let mut buf = [0; 16];
/// assert_eq!(reader.read(&mut buf).await?, 4);
/// assert_eq!(reader.read(&mut buf).await?, 0, "the end");
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = sys::pipe()?;
    Ok((PipeReader::new(reader), PipeWriter::new(writer)))
}

/// The end of a pipe that is read. Made by [`pipe`], by [`FifoOptions`], and from a descriptor.
pub struct PipeReader {
    endpoint: Endpoint,
}

/// The end of a pipe that is written. Made by [`pipe`], by [`FifoOptions`], and from a descriptor.
///
/// [`AsyncWriteExt::close`](crate::io::AsyncWriteExt::close) closes it, as its drop does; a write afterwards is a
/// `BrokenPipe`.
pub struct PipeWriter {
    endpoint: Endpoint,
}

impl PipeReader {
    pub(crate) fn new(fd: Fd) -> PipeReader {
        let endpoint = Endpoint::new(fd, Family::Pipe);
        PipeReader { endpoint }
    }

    /// A FIFO's end.
    fn of_strangers(fd: Fd) -> PipeReader {
        let endpoint = Endpoint::new(fd, Family::StrangePipe);
        PipeReader { endpoint }
    }

    read_methods!();

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl PipeWriter {
    pub(crate) fn new(fd: Fd) -> PipeWriter {
        let endpoint = Endpoint::new(fd, Family::Pipe);
        PipeWriter { endpoint }
    }

    /// A FIFO's end.
    fn of_strangers(fd: Fd) -> PipeWriter {
        let endpoint = Endpoint::new(fd, Family::StrangePipe);
        PipeWriter { endpoint }
    }

    write_methods!();

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// What both ends have.
macro_rules! end {
    ($end:ident) => {
        impl $end {
            /// Takes over an end that came from elsewhere, and makes it non-blocking: for everybody who shares it.
            ///
            /// # Errors
            /// `InvalidInput` if it is no pipe; what `fcntl` says. The descriptor is closed then.
            pub fn from_fd(fd: OwnedFd) -> io::Result<$end> {
                if !sys::is_pipe(&fd) {
                    let text =
                        "the descriptor is no pipe; `AsyncFd` takes any that can be waited for";
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                let endpoint = Endpoint::adopted(sys::adopt(fd)?, Family::StrangePipe);
                Ok($end { endpoint })
            }

            /// The descriptor, taken out of the loop and made blocking: for a child process, or for code that blocks.
            ///
            /// # Errors
            /// What `fcntl` says; the descriptor is closed then.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let fd = self.endpoint.into_owned();
                sys::set_nonblocking(&fd, false)?;
                Ok(fd)
            }

            /// As [`Self::into_blocking_fd`]; but should the system refuse, it goes as it is.
            pub(crate) fn into_fd_for_a_child(self) -> OwnedFd {
                let fd = self.endpoint.into_owned();
                // Only a number that is no descriptor's can be refused, and this one is ours.
                let _ = sys::set_nonblocking(&fd, false);
                fd
            }

            /// The descriptor, taken out of the loop as it is.
            #[must_use]
            pub fn into_nonblocking_fd(self) -> OwnedFd {
                self.endpoint.into_owned()
            }
        }

        impl AsFd for $end {
            /// From here on the descriptor may have duplicates, so it leaves the selector by a system call of its own
            /// before it closes.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.endpoint.show()
            }
        }

        impl AsRawFd for $end {
            fn as_raw_fd(&self) -> RawFd {
                self.endpoint.as_raw_fd()
            }
        }

        impl fmt::Debug for $end {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($end)).finish_non_exhaustive()
            }
        }
    };
}

end!(PipeReader);
end!(PipeWriter);

socket_read!([] & PipeReader);
socket_read!([] PipeReader);

impl AsyncWrite for PipeWriter {
    #[track_caller]
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.endpoint.poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.endpoint.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.endpoint.close();
        Poll::Ready(Ok(()))
    }
}
