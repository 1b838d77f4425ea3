//! Standard input, output and error, whatever they are.
//!
//! *Model.* A standard stream is a pipe, a terminal, a socket, a file or the null device, and who started the program decides. It is
//! shared with others: with the shell, with the rest of a pipeline, with what this program starts. So nothing is changed that they
//! would see, least of all whether it blocks. Each stream is looked at once and goes the best way there is:
//!
//! | what it is | how it is awaited |
//! |---|---|
//! | a pipe (Linux), a terminal | by the selector, as an open file of our own |
//! | a socket | by the selector; each call is told not to wait |
//! | a file, the null device, and what cannot be opened again | by a thread of the pool, which is called back when nobody waits any more |
//!
//! *The end.* A read that nobody waits for holds nothing up: not the end of the loop, and not that of the program.
//!
//! *With std's own.* `println!` writes to the same place, through a buffer of its own: lines of both come in the order in which they
//! are flushed. `std::io::stdin()` has a buffer too, and what is in it does not come here.
//!
//! *Cost.* On the selector's ways a system call for each transfer, and one more before each wait. On the pool's way a trip to a
//! thread and back.

mod pool;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Release};
use std::task::{Context, Poll};

use mainspring_sys::stdio::{self as sys, Stream, Way};

use self::pool::{PoolReader, PoolWriter};
use crate::io::endpoint::{Endpoint, Family};
use crate::io::{AsyncRead, AsyncWrite};

/// Somebody has standard input.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Standard input, for whoever is the first to ask: until it is dropped nobody else gets it.
///
/// # Errors
/// `ResourceBusy` if another [`Stdin`] lives; `PermissionDenied` if it is not open for reading; EBADF if it is closed, with a
/// text that says so; EMFILE.
///
/// ```no_run
/// use mainspring::io::{AsyncBufReadExt, BufReader};
/// # mainspring::run(async {
/// let mut input = BufReader::new(mainspring::stdio::stdin()?);
/// let mut line = String::new();
/// while input.read_line(&mut line).await? > 0 {
///     print!("you said {line}");
///     line.clear();
/// }
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn stdin() -> io::Result<Stdin> {
    if IS_TAKEN.swap(true, AcqRel) {
        let text = "standard input is read by somebody else here; one `Stdin` may live at a time";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    match sys::open(Stream::Input) {
        Ok(way) => Ok(Stdin {
            side: match endpoint(way) {
                Ok(endpoint) => Input::Selector(endpoint),
                Err(patient) => Input::Pool(PoolReader::new(patient, Location::caller())),
            },
        }),
        Err(error) => {
            IS_TAKEN.store(false, Release);
            Err(error)
        }
    }
}

/// Standard output.
///
/// # Errors
/// `PermissionDenied` if it is not open for writing; EBADF if it is closed, with a text that says so; EMFILE.
///
/// ```
/// use mainspring::io::AsyncWriteExt;
/// # mainspring::run(async {
/// let mut out = mainspring::stdio::stdout()?;
/// out.write_all(b"tick\n").await?;
/// out.flush().await?;
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn stdout() -> io::Result<Stdout> {
    Output::open(Stream::Output, Location::caller()).map(|side| Stdout { side })
}

/// Standard error.
///
/// # Errors
/// As [`stdout`].
#[track_caller]
pub fn stderr() -> io::Result<Stderr> {
    Output::open(Stream::Error, Location::caller()).map(|side| Stderr { side })
}

/// What the selector waits for, or what a thread does.
fn endpoint(way: Way) -> Result<Endpoint, sys::Patient> {
    match way {
        Way::OwnPipe(fd) => Ok(Endpoint::new(fd, Family::StrangePipe)),
        Way::OwnTerminal(fd) => Ok(Endpoint::new(fd, Family::Terminal)),
        Way::Socket(fd) => Ok(Endpoint::adopted(fd, Family::SharedSocket)),
        Way::Patient(patient) => Err(patient),
    }
}

/// Standard input. Made by [`stdin`].
///
/// A read that is dropped loses no byte: where a thread was sent for them, they are there for the next, also for that of the next
/// `Stdin`. A terminal may come to its end (^D) and go on.
pub struct Stdin {
    side: Input,
}

enum Input {
    Selector(Endpoint),
    Pool(PoolReader),
}

/// Standard output. Made by [`stdout`].
///
/// Where a thread writes, a write takes its bytes at once, and an error of them comes out of the next call: flush at the
/// end. What was taken and not flushed is written at the end of the loop as far as nobody has to be waited for. Closing it
/// flushes; descriptor 1 itself stays open.
pub struct Stdout {
    side: Output,
}

/// Standard error. Made by [`stderr`]; as [`Stdout`] otherwise.
pub struct Stderr {
    side: Output,
}

enum Output {
    Selector(Endpoint),
    Pool(PoolWriter),
}

impl Output {
    fn open(stream: Stream, made_at: &'static Location<'static>) -> io::Result<Output> {
        Ok(match endpoint(sys::open(stream)?) {
            Ok(endpoint) => Output::Selector(endpoint),
            Err(patient) => Output::Pool(PoolWriter::new(patient, made_at)),
        })
    }
}

impl AsyncRead for Stdin {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().side {
            Input::Selector(endpoint) => endpoint.poll_read(cx, buf),
            Input::Pool(reader) => reader.poll_read(cx, buf),
        }
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().side {
            Input::Selector(endpoint) => endpoint.poll_read_vectored(cx, bufs),
            Input::Pool(reader) => match bufs.iter_mut().find(|buf| !buf.is_empty()) {
                Some(buf) => reader.poll_read(cx, buf),
                None => Poll::Ready(Ok(0)),
            },
        }
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if let Input::Pool(reader) = &mut self.side {
            reader.give_up();
        }
        IS_TAKEN.store(false, Release);
    }
}

/// What output and error have.
macro_rules! output {
    ($output:ident) => {
        impl AsyncWrite for $output {
            #[track_caller]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                match &mut self.get_mut().side {
                    Output::Selector(endpoint) => endpoint.poll_write(cx, buf),
                    Output::Pool(writer) => writer.poll_write(cx, buf),
                }
            }

            #[track_caller]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match &mut self.get_mut().side {
                    Output::Selector(endpoint) => endpoint.poll_write_vectored(cx, bufs),
                    Output::Pool(writer) => match bufs.iter().find(|buf| !buf.is_empty()) {
                        Some(buf) => writer.poll_write(cx, buf),
                        None => Poll::Ready(Ok(0)),
                    },
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match &mut self.get_mut().side {
                    Output::Selector(_) => Poll::Ready(Ok(())),
                    Output::Pool(writer) => writer.poll_flush(cx),
                }
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match &mut self.get_mut().side {
                    Output::Selector(_) => Poll::Ready(Ok(())),
                    Output::Pool(writer) => writer.poll_flush(cx),
                }
            }
        }
    };
}

output!(Stdout);
output!(Stderr);

/// What all three have.
macro_rules! stream {
    ($stream:ident, $side:ident) => {
        impl $stream {
            /// Whether it is a terminal.
            #[must_use]
            pub fn is_terminal(&self) -> bool {
                mainspring_sys::terminal::is_terminal(self)
            }

            /// Whether it takes a thread to wait for it.
            #[must_use]
            pub fn uses_pool(&self) -> bool {
                matches!(self.side, $side::Pool(_))
            }
        }

        impl AsFd for $stream {
            /// For questions to it, and its modes. It is a duplicate, or another open file of the same terminal or pipe,
            /// which then does not block.
            fn as_fd(&self) -> BorrowedFd<'_> {
                match &self.side {
                    $side::Selector(endpoint) => endpoint.show(),
                    $side::Pool(side) => side.as_fd(),
                }
            }
        }

        impl AsRawFd for $stream {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl fmt::Debug for $stream {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($stream))
                    .field("uses_pool", &self.uses_pool())
                    .finish_non_exhaustive()
            }
        }
    };
}

stream!(Stdin, Input);
stream!(Stdout, Output);
stream!(Stderr, Output);
