//! The rig that every claim is tried on: a backend, a batch, and makers of descriptors.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mainspring_sys::backend::{Backend, Deadline};
use mainspring_sys::{Clock, Event, Events, Instant, Interest, Ready, Token};

/// How long something that must happen may take before the test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const READ: Interest = Interest::READ;
pub(crate) const WRITE: Interest = Interest::WRITE;
pub(crate) const BOTH: Interest = Interest::READ.union(Interest::WRITE);
pub(crate) const BOTH_READY: Ready = Ready::READABLE.union(Ready::WRITABLE);

pub(crate) fn now() -> Instant {
    Clock::Monotonic.now()
}

/// The deadline `after` from now.
pub(crate) fn within(after: Duration) -> Deadline {
    let now = now();
    Deadline::At {
        at: now + after,
        now,
    }
}

pub(crate) struct Rig<B> {
    pub(crate) backend: B,
    pub(crate) events: Events,
}

impl<B: Backend> Rig<B> {
    pub(crate) fn new() -> Rig<B> {
        Rig::with_capacity(64)
    }

    pub(crate) fn with_capacity(capacity: usize) -> Rig<B> {
        Rig {
            backend: B::new().unwrap(),
            events: Events::with_capacity(capacity),
        }
    }

    pub(crate) fn add(&mut self, fd: impl AsFd, token: u64, interest: Interest) {
        self.backend
            .add(fd.as_fd(), Token(token), interest)
            .unwrap();
    }

    pub(crate) fn rearm(&mut self, fd: impl AsFd, token: u64, interest: Interest) {
        self.backend
            .rearm(fd.as_fd(), Token(token), interest)
            .unwrap();
    }

    pub(crate) fn remove(&mut self, fd: impl AsFd, token: u64) {
        self.backend.remove(fd.as_fd(), Token(token)).unwrap();
    }

    /// One wait; the batch it gave.
    pub(crate) fn wait(&mut self, deadline: Deadline) -> Vec<Event> {
        self.backend.wait(&mut self.events, deadline).unwrap();
        self.events.iter().collect()
    }

    /// Waits until `token` was reported with all of `ready`, perhaps in several reports (B6); all
    /// that it was reported with on the way.
    pub(crate) fn wait_for(&mut self, token: u64, ready: Ready) -> Ready {
        let end = now() + PATIENCE;
        let mut seen = Ready::empty();
        while !seen.contains(ready) {
            let now = now();
            assert!(
                now < end,
                "{}: token {token}: {ready:?} wanted, {seen:?} seen",
                B::NAME
            );
            for event in self.wait(Deadline::At { at: end, now }) {
                if event.token == Token(token) {
                    seen |= event.ready;
                }
            }
        }
        seen
    }

    /// What `token` is reported with in a few waits that do not block.
    pub(crate) fn glance(&mut self, token: u64) -> Ready {
        let mut seen = Ready::empty();
        for _ in 0..4 {
            for event in self.wait(Deadline::Now) {
                if event.token == Token(token) {
                    seen |= event.ready;
                }
            }
        }
        seen
    }

    /// Takes what there still is to report, and claims that it comes to an end.
    #[track_caller]
    pub(crate) fn wait_until_quiet(&mut self) {
        for _ in 0..100 {
            if self.wait(within(Duration::from_millis(1))).is_empty() {
                return;
            }
        }
        panic!("{}: it spins", B::NAME);
    }

    /// Claims that nothing at all is reported, and that a wait sleeps until its deadline.
    #[track_caller]
    pub(crate) fn assert_sleeps(&mut self) {
        for _ in 0..4 {
            let batch = self.wait(Deadline::Now);
            assert!(batch.is_empty(), "{}: {batch:?}", B::NAME);
        }
        let deadline = within(Duration::from_millis(3));
        let batch = self.wait(deadline);
        let Deadline::At { at, .. } = deadline else {
            unreachable!()
        };
        assert!(batch.is_empty() && now() >= at, "{}: {batch:?}", B::NAME);
    }
}

/// A connected pair of non-blocking stream sockets.
pub(crate) fn pair() -> (UnixStream, UnixStream) {
    let (left, right) = UnixStream::pair().unwrap();
    left.set_nonblocking(true).unwrap();
    right.set_nonblocking(true).unwrap();
    (left, right)
}

/// A connected pair of non-blocking TCP sockets.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let right = listener.accept().unwrap().0;
    for end in [&left, &right] {
        end.set_nonblocking(true).unwrap();
        end.set_nodelay(true).unwrap();
    }
    (left, right)
}

/// A pipe, both ends non-blocking: reader, writer.
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(end, true).unwrap();
    }
    (reader, writer)
}

/// Resets the connection: the peer gets RST, not FIN.
pub(crate) fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Puts the file of `source` under the number of `slot`, whose own file is closed: reuse of a number
/// that no other test's thread can get in between of.
pub(crate) fn replace(slot: &mut OwnedFd, source: impl AsFd) {
    rustix::io::dup2(source, slot).unwrap();
    rustix::io::fcntl_setfd(slot, rustix::io::FdFlags::CLOEXEC).unwrap();
}

/// Reads until WouldBlock or end of file: how many bytes, and whether it was the end.
pub(crate) fn drain(mut stream: impl Read) -> (usize, bool) {
    let (mut total, mut bytes) = (0, [0; 4096]);
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return (total, true),
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (total, false),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Writes until WouldBlock: how many bytes.
pub(crate) fn fill(mut stream: impl Write) -> usize {
    let mut total = 0;
    loop {
        match stream.write(&[b'x'; 4096]) {
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A descriptor of any kind, read and written by its number.
pub(crate) struct Raw<'fd>(pub(crate) BorrowedFd<'fd>);

impl Read for Raw<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, bytes)?)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
