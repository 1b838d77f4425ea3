//! Terminals: read and written, made in pairs, and told how large they are.
//!
//! *Model.* A [`Terminal`] is one side of a pair, as programs know it; the other is the window on a screen, a connection from
//! afar, or a [`Master`] of ours, of which [`pair`] makes both. What is written to the master was typed into the terminal; what
//! is written to the terminal comes out of the master.
//!
//! ```text
//!                 ┌────────────── the system ───────────────┐
//!   Master  write ├─► echo, line editing, signals of keys ─►│ read   Terminal,
//!           read  │◄──────── \n becomes \r\n ◄──────────────┤ write  or a program on it
//!                 └─────────────────────────────────────────┘
//! ```
//!
//! *A program on it* is started by [`Command::on_terminal`](crate::process::Command::on_terminal), with [`Master::open_slave`]. When
//! the last program that has it open is gone, the master comes to its end.
//!
//! *No half is closed.* A terminal has no end of input but a character ([`Modes::end_of_input`], ^D), which counts only
//! at the beginning of a line, and only while lines are edited.
//!
//! *Cost.* A system call for each transfer, and one more before each wait: a short read says nothing of what is left.

mod master;
mod sizes;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring_sys::{Fd, pipe, terminal as sys};

use crate::io::endpoint::methods::{read_methods, socket_read, write_methods};
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::io::endpoint::{Endpoint, Family};
use crate::io::{AsyncRead, AsyncWrite};
use crate::reactor::Direction;

pub use crate::io::endpoint::transfer::{
    Read, ReadVectored, StreamReady, Write, WriteAll, WriteVectored,
};
pub use mainspring_sys::terminal::{Hold, Modes, Size};
pub use master::Master;
pub use sizes::{Changed, Sizes, sizes};

/// A new pseudo-terminal: what types and sees, and the terminal itself.
///
/// # Errors
/// EMFILE, ENFILE; ENOSPC, EAGAIN: the system has no more of them.
///
/// ```
/// use mainspring::io::AsyncReadExt;
/// use mainspring::process::Command;
/// # mainspring::run(async {
/// let (mut master, terminal) = mainspring::terminal::pair()?;
/// let mut child = Command::shell("test -t 0 && echo a terminal")
///     .on_terminal(master.open_slave()?)
///     .spawn()?;
/// // Or the master would come to no end.
/// drop(terminal);
/// let mut said = String::new();
/// master.read_to_string(&mut said).await?;
/// assert_eq!(said, "a terminal\r\n");
/// assert!(child.wait().await?.success());
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub fn pair() -> io::Result<(Master, Terminal)> {
    let sys::Pair { master, slave } = sys::open_pair()?;
    Ok((Master::new(master), Terminal::new(slave)))
}

/// Whether the descriptor is a terminal's.
///
/// ```
/// let (_reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
/// assert!(!mainspring::terminal::is_terminal(&writer));
/// ```
#[must_use]
pub fn is_terminal(fd: &impl AsFd) -> bool {
    sys::is_terminal(fd)
}

/// How large the terminal is; all zero where nobody has said.
///
/// # Errors
/// ENOTTY: it is no terminal.
pub fn size(fd: &impl AsFd) -> io::Result<Size> {
    sys::size(fd)
}

/// Says how large the terminal is. Who runs in its foreground gets SIGWINCH if that is news.
///
/// # Errors
/// ENOTTY: it is no terminal.
///
/// ```
/// use mainspring::terminal::{self, Size};
/// let (master, terminal) = terminal::pair()?;
/// terminal::set_size(&master, Size::new(24, 80))?;
/// assert_eq!(terminal::size(&terminal)?.columns, 80);
/// # std::io::Result::Ok(())
/// ```
pub fn set_size(fd: &impl AsFd, size: Size) -> io::Result<()> {
    sys::set_size(fd, size)
}

/// How the terminal treats what passes through it.
///
/// # Errors
/// ENOTTY: it is no terminal.
pub fn modes(fd: &impl AsFd) -> io::Result<Modes> {
    sys::modes(fd)
}

/// Changes how the terminal treats what passes through it, for good.
///
/// In the background this stops the process until it is in the foreground (SIGTTOU), as the system does with every program.
///
/// # Errors
/// ENOTTY: it is no terminal. EIO: it is gone.
///
/// ```
/// use mainspring::terminal;
/// let (_master, terminal) = terminal::pair()?;
/// let before = terminal::modes(&terminal)?;
/// terminal::set_modes(&terminal, &before.with_echo(false))?;
/// assert!(before.echoes() && !terminal::modes(&terminal)?.echoes());
/// # std::io::Result::Ok(())
/// ```
pub fn set_modes(fd: &impl AsFd, modes: &Modes) -> io::Result<()> {
    sys::set_modes(fd, modes)
}

/// Puts the terminal into raw mode until the guard goes: keys come one by one, unseen, ^C as a byte like any other, and what
/// is written goes out as it is (a line ends with `\r\n`).
///
/// As [`hold`] otherwise.
///
/// # Errors
/// As for [`hold`].
///
/// ```
/// use mainspring::terminal;
/// let (_master, terminal) = terminal::pair()?;
/// let raw = terminal::raw(&terminal)?;
/// assert!(!terminal::modes(&terminal)?.is_canonical());
/// raw.release()?;
/// assert!(terminal::modes(&terminal)?.is_canonical());
/// # std::io::Result::Ok(())
/// ```
pub fn raw(fd: &impl AsFd) -> io::Result<Hold> {
    hold(fd, Modes::to_raw)
}

/// Changes how the terminal treats what passes through it, until the guard goes: `change` makes the new modes of the old ones.
///
/// The old modes come back when the [`Hold`] is dropped, also by a panic; when the program exits; and when a signal ends
/// it, by its default or as a fault. Not when it is killed (SIGKILL), nor while it is stopped (SIGSTOP), nor if it leaves by
/// `_exit`. A child that is forked meanwhile, or a process that is in the background by then, changes nothing: the terminal
/// is another's.
///
/// In the background the call stops the process until it is in the foreground (SIGTTOU).
///
/// # Errors
/// ENOTTY: it is no terminal. `ResourceBusy`: it is held already, or eight others are. EMFILE.
///
/// ```
/// use mainspring::terminal;
/// let (_master, terminal) = terminal::pair()?;
/// let secret = terminal::hold(&terminal, |modes| modes.with_echo(false))?;
/// assert!(!terminal::modes(&terminal)?.echoes());
/// drop(secret);
/// assert!(terminal::modes(&terminal)?.echoes());
/// # std::io::Result::Ok(())
/// ```
pub fn hold(fd: &impl AsFd, change: impl FnOnce(&Modes) -> Modes) -> io::Result<Hold> {
    let before = sys::modes(fd)?;
    sys::hold(fd, &change(&before))
}

/// A terminal, opened by us. Made by [`pair`], and by name.
///
/// While lines are edited, a read gives a line, or a part of one, and never more. 0 is the end: ^D at the beginning of a
/// line, after which more may come, or the other side's going, after which nothing does.
///
/// Reading in the background stops the process (SIGTTIN), or is EIO. The terminal of the standard streams may be had by
/// [`Terminal::controlling`]; it is another file than theirs, so nobody sees that it does not block.
pub struct Terminal {
    endpoint: Endpoint,
}

impl Terminal {
    fn new(fd: Fd) -> Terminal {
        Terminal {
            endpoint: Endpoint::new(fd, Family::Terminal),
        }
    }

    /// Opens the terminal of this name, `/dev/pts/3`. It does not become the controlling one.
    ///
    /// # Errors
    /// `InvalidInput` if it is no terminal; what `open` says.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Terminal> {
        Ok(Terminal::new(sys::open(path.as_ref())?))
    }

    /// Opens the controlling terminal of this process, wherever its standard streams lead: to ask for a password, say.
    ///
    /// macOS cannot wait for `/dev/tty`, so reads and writes there are `Unsupported` once they have to wait; its own name, as
    /// `tty` prints it, can be waited for.
    ///
    /// # Errors
    /// ENXIO: there is none.
    pub fn controlling() -> io::Result<Terminal> {
        Terminal::open("/dev/tty")
    }

    read_methods!();
    write_methods!();

    /// The descriptor, taken out of the loop and made blocking: for a child process, or for code that blocks.
    ///
    /// # Errors
    /// What `fcntl` says; the descriptor is closed then.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let fd = self.endpoint.into_owned();
        pipe::set_nonblocking(&fd, false)?;
        Ok(fd)
    }

    #[inline]
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// What both sides have.
macro_rules! side {
    ($side:ident) => {
        impl AsFd for $side {
            /// From here on the descriptor may have duplicates, so it leaves the selector by a system call of its own
            /// before it closes.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.endpoint.show()
            }
        }

        impl AsRawFd for $side {
            fn as_raw_fd(&self) -> RawFd {
                self.endpoint.as_raw_fd()
            }
        }

        impl fmt::Debug for $side {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($side)).finish_non_exhaustive()
            }
        }

        socket_read!([] & $side);
        socket_read!([] $side);
        terminal_write!(& $side);
        terminal_write!($side);
    };
}

/// Nothing is kept, so there is nothing to flush; and there is no half to close.
macro_rules! terminal_write {
    ($type:ty) => {
        impl AsyncWrite for $type {
            #[track_caller]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.endpoint().poll_write(cx, buf)
            }

            #[track_caller]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.endpoint().poll_write_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    };
}

pub(crate) use {side, terminal_write};

side!(Terminal);
