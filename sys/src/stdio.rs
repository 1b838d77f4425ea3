//! Standard streams: how each can be waited for, without a flag that others would see.
//!
//! *Why.* Whether a descriptor blocks is a property of the *open file*, which the standard streams share with the shell, with the
//! other end of a pipeline, with whatever this process starts. Set to non-blocking, it makes their writes fail (hz_c27). And what is
//! redirected to a regular file cannot be watched at all (hz_c12). So each stream is looked at once, and goes one of these ways:
//!
//! | what it is | [`Way`] |
//! |---|---|
//! | a pipe or FIFO on Linux; a terminal | `Own`: opened again, so that we have an open file that is ours, and does not block |
//! | a socket | `Socket`: not asked to wait, call by call |
//! | what cannot be opened again: another user's, a pipe elsewhere | `Patient`: a thread waits |
//! | a file, the null device, anything else | `Patient` |
//!
//! *Never for ever.* A thread that waits in a read can't be called back, and would hold up the end of the program. So a
//! [`Patient`] waits for two things: the stream, and a pipe by which it is told to give up.
//!
//! *What remains.* Between the report that something is there and the read, another process may take it; between the report of
//! room and the write, another may fill it. Then the thread waits in the call, as in any program.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::net::{RecvFlags, SendFlags};

use crate::fault::Call;
use crate::fd::Fd;
use crate::fork;
use crate::pipe;
use crate::socket::{LEN_MAX, Moved, SEND_FLAGS, retry};
use crate::terminal;

#[cfg(test)]
mod tests;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 0, which is read.
    Input,
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

impl Stream {
    fn is_input(self) -> bool {
        self == Stream::Input
    }

    fn name(self) -> &'static str {
        match self {
            Stream::Input => "standard input",
            Stream::Output => "standard output",
            Stream::Error => "standard error",
        }
    }

    /// A descriptor for the same open file.
    fn duplicate(self) -> io::Result<OwnedFd> {
        let copy = |fd: BorrowedFd<'_>| {
            retry(Call::OpenFile, 0, |_| {
                // Not one of the three.
                rustix::io::fcntl_dupfd_cloexec(fd, 3)
            })
        };
        match self {
            Stream::Input => copy(io::stdin().as_fd()),
            Stream::Output => copy(io::stdout().as_fd()),
            Stream::Error => copy(io::stderr().as_fd()),
        }
    }
}

/// How a stream is waited for.
#[derive(Debug)]
pub enum Way {
    /// An open file of our own, non-blocking: a pipe.
    OwnPipe(Fd),
    /// The same: a terminal.
    OwnTerminal(Fd),
    /// A shared socket, for [`recv`] and [`send`].
    Socket(Fd),
    /// By a thread.
    Patient(Patient),
}

/// Looks at a standard stream, and opens the best way to wait for it. Nothing that others see is changed.
///
/// # Errors
/// EBADF: it is closed, or open the other way round; EMFILE, ENFILE.
pub fn open(stream: Stream) -> io::Result<Way> {
    let fd = stream.duplicate().map_err(|error| explain(stream, error))?;
    let stat = rustix::fs::fstat(&fd)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    check_access(stream, &fd)?;
    let is_terminal = terminal::is_terminal(&fd);
    if kind == FileType::Socket && (stream.is_input() || os::SENDS_AT_ONCE) {
        return Ok(Way::Socket(Fd::from(fd)));
    }
    if kind == FileType::Fifo || is_terminal {
        if let Some(own) = reopen(stream, &fd, &stat, is_terminal) {
            return Ok(match is_terminal {
                true => Way::OwnTerminal(Fd::from(own)),
                false => Way::OwnPipe(Fd::from(own)),
            });
        }
    }
    Patient::new(fd, kind == FileType::RegularFile).map(Way::Patient)
}

fn explain(stream: Stream, error: io::Error) -> io::Error {
    let Some(libc::EBADF) = error.raw_os_error() else {
        return error;
    };
    let text = format!(
        "{} is closed: start the program with one, or with /dev/null",
        stream.name()
    );
    io::Error::new(error.kind(), text)
}

/// An open file that we open again could give us more than the one we were given.
fn check_access(stream: Stream, fd: &OwnedFd) -> io::Result<()> {
    let access = rustix::fs::fcntl_getfl(fd)? & OFlags::ACCMODE;
    let (wrong, verb) = match stream.is_input() {
        true => (OFlags::WRONLY, "reading"),
        false => (OFlags::RDONLY, "writing"),
    };
    if access == wrong {
        let text = format!("{} is not open for {verb}", stream.name());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

/// The same file, opened again; `None` if that cannot be.
fn reopen(stream: Stream, fd: &OwnedFd, stat: &Stat, is_terminal: bool) -> Option<OwnedFd> {
    // A master opened again is another terminal.
    if is_terminal && terminal::slave_name(fd).is_ok() {
        return None;
    }
    let access = match stream.is_input() {
        true => OFlags::RDONLY,
        false => OFlags::WRONLY,
    };
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | os::kept(fd);
    let names = [
        os::PROC.map(|folder| PathBuf::from(format!("{folder}/{}", fd.as_raw_fd()))),
        is_terminal.then(|| terminal::name(fd).ok()).flatten(),
    ];
    names.into_iter().flatten().find_map(|path| {
        let open = |_| rustix::fs::open(&path, flags, Mode::empty());
        let own = retry(Call::OpenFile, 0, open).ok()?;
        let other = rustix::fs::fstat(&own).ok()?;
        let is_same = (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino);
        is_same.then_some(own)
    })
}

/// Receives what is there, from a socket that may be blocking for others.
///
/// # Errors
/// As `recv`.
pub fn recv(fd: &Fd, buf: &mut [u8]) -> io::Result<Moved> {
    retry(Call::Recv, buf.len().min(LEN_MAX), |asked| {
        let (done, _) = rustix::net::recv(fd, &mut buf[..asked], RecvFlags::DONTWAIT)?;
        Ok(Moved { done, asked })
    })
}

/// As [`recv`], into the first slice that has room.
///
/// # Errors
/// As [`recv`].
pub fn recv_vectored(fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    match bufs.iter_mut().find(|buf| !buf.is_empty()) {
        Some(buf) => recv(fd, buf),
        None => Ok(Moved { done: 0, asked: 0 }),
    }
}

/// Sends what fits, into a socket that may be blocking for others; never raises SIGPIPE.
///
/// # Errors
/// As `send`.
pub fn send(fd: &Fd, buf: &[u8]) -> io::Result<Moved> {
    retry(Call::Send, buf.len().min(LEN_MAX), |asked| {
        let flags = SEND_FLAGS | SendFlags::DONTWAIT;
        let done = rustix::net::send(fd, &buf[..asked], flags)?;
        Ok(Moved { done, asked })
    })
}

/// As [`send`], from the first slice that holds anything.
///
/// # Errors
/// As [`send`].
pub fn send_vectored(fd: &Fd, bufs: &[IoSlice<'_>]) -> io::Result<Moved> {
    match bufs.iter().find(|buf| !buf.is_empty()) {
        Some(buf) => send(fd, buf),
        None => Ok(Moved { done: 0, asked: 0 }),
    }
}

/// What a write is cut to where more might wait: a pipe that has room for anything has it for so much.
const STEP: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    4096
} else {
    512
};

/// A stream that a thread waits for, until it is told to give up.
#[derive(Debug)]
pub struct Patient {
    fd: Fd,
    /// Readable when it is to give up.
    stop: (Fd, Fd),
    /// What a write is cut to.
    step: usize,
    /// In which it was made: the child of a fork shares `stop` with its parent.
    generation: u32,
}

impl Patient {
    fn new(fd: OwnedFd, is_file: bool) -> io::Result<Patient> {
        Ok(Patient {
            fd: Fd::from(fd),
            stop: pipe::pipe()?,
            step: if is_file { LEN_MAX } else { STEP },
            generation: fork::generation(),
        })
    }

    /// Reads some bytes, as soon as there are any; 0 is the end. `None`: it gave up.
    ///
    /// # Errors
    /// What `read` says.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.until_done(PollFlags::IN, || Ok(pipe::read(&self.fd, buf)?.done))
    }

    /// Writes some bytes, as soon as there is room. `None`: it gave up.
    ///
    /// # Errors
    /// What `write` says.
    pub fn write(&self, buf: &[u8]) -> io::Result<Option<usize>> {
        let buf = &buf[..buf.len().min(self.step)];
        self.until_done(PollFlags::OUT, || Ok(pipe::write(&self.fd, buf)?.done))
    }

    /// Writes what there is room for, without a wait; how much that was.
    ///
    /// # Errors
    /// What `write` says.
    pub fn write_now(&self, buf: &[u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
            let now = rustix::event::Timespec::default();
            retry(Call::Wait, 0, |_| poll(&mut fds, Some(&now)))?;
            if fds[0].revents().is_empty() {
                break;
            }
            let rest = &buf[done..];
            match pipe::write(&self.fd, &rest[..rest.len().min(self.step)]) {
                Ok(moved) => done += moved.done,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn until_done(
        &self,
        event: PollFlags,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        loop {
            let mut fds = [
                PollFd::new(&self.stop.0, PollFlags::IN),
                PollFd::new(&self.fd, event),
            ];
            retry(Call::Wait, 0, |_| poll(&mut fds, None))?;
            if !fds[0].revents().is_empty() {
                return Ok(None);
            }
            // Whatever was reported, an error of `poll` on a device of macOS too: the call finds out.
            if fds[1].revents().is_empty() {
                continue;
            }
            match operation() {
                // It does not block after all, and somebody was quicker.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                answer => return answer.map(Some),
            }
        }
    }

    /// Whoever waits gives up, now or as soon as it begins. In the child of a fork nothing happens: it is the parent's
    /// thread that waits.
    pub fn give_up(&self) {
        if fork::is_inherited(self.generation) {
            return;
        }
        // A pipe that is full says it already.
        let _ = rustix::io::write(&self.stop.1, b"!");
    }

    /// Takes back what [`Patient::give_up`] said.
    pub fn go_on(&self) {
        let mut bytes = [0; 64];
        while rustix::io::read(&self.stop.0, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

impl AsFd for Patient {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::os::fd::OwnedFd;

    use rustix::fs::OFlags;

    /// A folder that has a name for each descriptor, by which its file can be opened again.
    pub(super) const PROC: Option<&str> = Some("/proc/self/fd");
    pub(super) const SENDS_AT_ONCE: bool = true;

    /// A pipe of packets stays one.
    pub(super) fn kept(fd: &OwnedFd) -> OFlags {
        let flags = rustix::fs::fcntl_getfl(fd).unwrap_or(OFlags::empty());
        flags & OFlags::DIRECT
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    use std::os::fd::OwnedFd;

    use rustix::fs::OFlags;

    /// `/dev/fd` gives a duplicate here, not another open file.
    pub(super) const PROC: Option<&str> = None;
    /// macOS has MSG_DONTWAIT for what is received; that it heeds it for what is sent, it does not say.
    pub(super) const SENDS_AT_ONCE: bool = !cfg!(target_vendor = "apple");

    pub(super) fn kept(_fd: &OwnedFd) -> OFlags {
        OFlags::empty()
    }
}
