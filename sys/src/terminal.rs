//! Terminals: their size and their modes, read and written, made in pairs, and held in raw mode.
//!
//! *Role.* `mainspring::terminal` is made of these. [`open_pair`] makes a pseudo-terminal, [`hold`] puts a terminal into raw
//! mode until its guard goes, however the program ends.
//!
//! *What a transfer says.* In canonical mode a read gives one line, however much is there, and in packets of its own
//! otherwise; so a short one says nothing of the next (hz_c05). Who reads here goes on until `WouldBlock`.
//!
//! *The end.* When the last who has the slave open closes it, Linux gives EIO to who reads the master, macOS and the BSDs 0.
//! [`read_master`] says 0 everywhere.
//!
//! # Invariants
//!
//! - **TERM-1** A `termios` or `winsize` is handed to the system whole, by a pointer to a local that outlives the call, and
//!   read only after the call that fills it has not failed. Any bytes are a value of either.
#![expect(
    unsafe_code,
    reason = "termios and the ioctls of terminals have no safe form"
)]

mod hold;
mod pair;

use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut, IsTerminal};
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::fault::{self, Call};
use crate::fd::Fd;
use crate::pipe;
use crate::socket::{LEN_MAX, Moved, fit, retry};

pub use hold::{Hold, hold};
pub use pair::{Pair, open_pair, open_slave, slave_name};

#[cfg(test)]
mod tests;

/// How large a terminal is. All zero where nobody has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// In lines.
    pub rows: u16,
    /// In characters.
    pub columns: u16,
    /// In pixels, across; most terminals do not say.
    pub width_px: u16,
    /// In pixels, down.
    pub height_px: u16,
}

impl Size {
    /// So many lines of so many characters.
    #[must_use]
    pub const fn new(rows: u16, columns: u16) -> Size {
        Size {
            rows,
            columns,
            width_px: 0,
            height_px: 0,
        }
    }
}

/// How a terminal treats what passes through it: whether it echoes, edits lines, makes signals of keys.
#[derive(Clone, Copy)]
pub struct Modes(libc::termios);

impl Modes {
    /// The same without any treatment: bytes come as they were typed, one by one, unseen, and go as they were written.
    #[must_use]
    pub fn to_raw(&self) -> Modes {
        let mut raw = self.0;
        raw.c_iflag &= !(libc::IGNBRK
            | libc::BRKINT
            | libc::PARMRK
            | libc::ISTRIP
            | libc::INLCR
            | libc::IGNCR
            | libc::ICRNL
            | libc::IXON);
        raw.c_oflag &= !libc::OPOST;
        raw.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN);
        raw.c_cflag &= !(libc::CSIZE | libc::PARENB);
        raw.c_cflag |= libc::CS8;
        raw.c_cc[libc::VMIN] = 1;
        raw.c_cc[libc::VTIME] = 0;
        Modes(raw)
    }

    /// Whether lines are edited by the terminal: a read gives whole ones.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        self.0.c_lflag & libc::ICANON != 0
    }

    /// Whether what is typed is shown.
    #[must_use]
    pub fn echoes(&self) -> bool {
        self.0.c_lflag & libc::ECHO != 0
    }

    /// The same with the echo on, or off: for passwords.
    #[must_use]
    pub fn with_echo(&self, echoes: bool) -> Modes {
        let mut modes = self.0;
        match echoes {
            true => modes.c_lflag |= libc::ECHO,
            false => modes.c_lflag &= !libc::ECHO,
        }
        Modes(modes)
    }

    /// The character that ends the input when it begins a line: ^D, unless somebody has changed it.
    #[must_use]
    pub fn end_of_input(&self) -> u8 {
        self.0.c_cc[libc::VEOF]
    }
}

impl std::fmt::Debug for Modes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modes")
            .field("is_canonical", &self.is_canonical())
            .field("echoes", &self.echoes())
            .finish_non_exhaustive()
    }
}

/// Whether the descriptor is a terminal's.
#[must_use]
pub fn is_terminal(fd: &impl AsFd) -> bool {
    fd.as_fd().is_terminal()
}

/// As [`retry`], for a call of libc that says -1.
fn ask(mut call: impl FnMut() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        let answer = fault::check(Call::Terminal, 0).and_then(|_| match call() {
            -1 => Err(io::Error::last_os_error()),
            value => Ok(value),
        });
        match answer {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// How large it is.
///
/// # Errors
/// ENOTTY: it is no terminal.
pub fn size(fd: &impl AsFd) -> io::Result<Size> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: TERM-1.
    let mut size: libc::winsize = unsafe { zeroed() };
    // SAFETY: TERM-1.
    ask(|| unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &mut size) })?;
    Ok(Size {
        rows: size.ws_row,
        columns: size.ws_col,
        width_px: size.ws_xpixel,
        height_px: size.ws_ypixel,
    })
}

/// Says how large it is: who runs in its foreground gets SIGWINCH if that is news.
///
/// # Errors
/// ENOTTY: it is no terminal.
pub fn set_size(fd: &impl AsFd, size: Size) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: size.width_px,
        ws_ypixel: size.height_px,
    };
    // SAFETY: TERM-1.
    ask(|| unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &size) }).map(drop)
}

/// Its modes.
///
/// # Errors
/// ENOTTY: it is no terminal.
pub fn modes(fd: &impl AsFd) -> io::Result<Modes> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: TERM-1.
    let mut modes: libc::termios = unsafe { zeroed() };
    // SAFETY: TERM-1.
    ask(|| unsafe { libc::tcgetattr(fd, &mut modes) })?;
    Ok(Modes(modes))
}

/// Changes its modes, at once. What was written before goes out under those of before as far as it was treated already. In
/// the background this stops the process until it is in the foreground (SIGTTOU), as for every program.
///
/// # Errors
/// ENOTTY: it is no terminal. EIO: it is gone.
pub fn set_modes(fd: &impl AsFd, modes: &Modes) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: TERM-1.
    ask(|| unsafe { libc::tcsetattr(fd, libc::TCSANOW, &modes.0) }).map(drop)
}

/// What it is called: `/dev/pts/3`.
///
/// # Errors
/// ENOTTY: it is no terminal; ENODEV: it has no name here.
pub fn name(fd: &impl AsFd) -> io::Result<PathBuf> {
    let fd = fd.as_fd().as_raw_fd();
    let mut bytes = [0u8; 1024];
    fault::check(Call::Terminal, 0)?;
    // SAFETY: the call writes no more than it is told there is room for, and a 0 behind it.
    match unsafe { libc::ttyname_r(fd, bytes.as_mut_ptr().cast(), bytes.len()) } {
        0 => {}
        errno => return Err(io::Error::from_raw_os_error(errno)),
    }
    let len = bytes.iter().position(|byte| *byte == 0);
    Ok(PathBuf::from(OsStr::from_bytes(&bytes[..len.unwrap_or(0)])))
}

/// Opens a terminal by its name, for reading and writing; it does not become the controlling one.
///
/// # Errors
/// `InvalidInput` if it is no terminal; ENXIO for `/dev/tty` of a process without one; what `open` says.
pub fn open(path: &Path) -> io::Result<Fd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = retry(Call::OpenFile, 0, |_| {
        rustix::fs::open(path, flags, Mode::empty())
    })?;
    if !is_terminal(&fd) {
        let text = format!("{} is no terminal", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(Fd::from(fd))
}

/// Writes what fits. Terminals raise no SIGPIPE.
///
/// # Errors
/// `WouldBlock` when nothing fits; EIO when the terminal is gone.
pub fn write(fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
    retry(Call::Write, buf.len().min(LEN_MAX), |asked| {
        let done = rustix::io::write(fd, &buf[..asked])?;
        Ok(Moved { done, asked })
    })
}

/// As [`write()`], from several slices, one after the other.
///
/// # Errors
/// As [`write()`].
pub fn write_vectored(fd: &Fd, bufs: &[IoSlice<'_>]) -> io::Result<Moved> {
    retry(Call::Write, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let done = match &bufs[range] {
            [] => 0,
            [one] => rustix::io::write(fd, &one[..asked])?,
            several => rustix::io::writev(fd, several)?,
        };
        Ok(Moved { done, asked })
    })
}

/// Reads what was written to the other side. 0: nobody has that open any more.
///
/// # Errors
/// `WouldBlock` when nothing is there.
pub fn read_master(fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
    let asked = buf.len();
    end_of_master(pipe::read(fd, buf), asked)
}

/// As [`read_master`], into several slices, one after the other.
///
/// # Errors
/// As [`read_master`].
pub fn read_master_vectored(fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    let asked = bufs.iter().map(|buf| buf.len()).sum();
    end_of_master(pipe::read_vectored(fd, bufs), asked)
}

/// Linux says EIO for the end.
fn end_of_master(answer: io::Result<Moved>, asked: usize) -> io::Result<Moved> {
    match answer {
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            Ok(Moved { done: 0, asked })
        }
        answer => answer,
    }
}
