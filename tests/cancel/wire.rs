//! A stream with its far end in the test's hand: what a kernel would report is there when a step returns.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use mainspring::net;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::rig::{pattern, small_buffers};

/// Loopback delivers at once; who waits longer than this waits for a mistake.
pub(crate) const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// More than a narrow TCP connection holds, several times.
pub(crate) const MUCH_FOR_TCP: usize = 3 << 16;
/// More than a narrow pair of Unix sockets holds, several times.
pub(crate) const MUCH_FOR_UNIX: usize = 1 << 15;

/// The end that is of the loop, and what came and went through it.
pub(crate) struct Near<S> {
    pub(crate) stream: S,
    pub(crate) got: Vec<u8>,
    pub(crate) sent: usize,
    pub(crate) is_done: bool,
}

/// The other end, which blocks, and what came and went through that.
pub(crate) struct Far {
    end: OwnedFd,
    /// A duplicate of the near end, to ask the kernel what it would report.
    probe: OwnedFd,
    pub(crate) got: Vec<u8>,
    pub(crate) sent: usize,
}

/// A TCP connection.
pub(crate) fn tcp() -> (Near<net::TcpStream>, Far) {
    let (near, far) = tcp_ends();
    wire(near, far, |near| net::TcpStream::from_std(near.into()))
}

/// A TCP connection whose kernel holds little.
pub(crate) fn narrow_tcp() -> (Near<net::TcpStream>, Far) {
    let (near, far) = tcp_ends();
    small_buffers(&near, 1 << 14);
    // Not less than two segments of loopback, or their sender waits for its timer.
    small_buffers(&far, 1 << 17);
    wire(near, far, |near| net::TcpStream::from_std(near.into()))
}

/// A pair of Unix sockets.
pub(crate) fn unix() -> (Near<net::UnixStream>, Far) {
    let (near, far) = unix_ends();
    wire(near, far, |near| net::UnixStream::from_std(near.into()))
}

/// A pair of Unix sockets whose kernel holds little.
pub(crate) fn narrow_unix() -> (Near<net::UnixStream>, Far) {
    let (near, far) = unix_ends();
    small_buffers(&near, 1 << 12);
    small_buffers(&far, 1 << 12);
    wire(near, far, |near| net::UnixStream::from_std(near.into()))
}

/// A connection with whatever `adopt` makes of its near end, which does not block.
pub(crate) fn wire<S>(
    near: OwnedFd,
    far: OwnedFd,
    adopt: impl FnOnce(OwnedFd) -> std::io::Result<S>,
) -> (Near<S>, Far) {
    rustix::io::ioctl_fionbio(&near, true).unwrap();
    let far = Far {
        end: far,
        probe: near.try_clone().unwrap(),
        got: Vec::new(),
        sent: 0,
    };
    let near = Near {
        stream: adopt(near).unwrap(),
        got: Vec::new(),
        sent: 0,
        is_done: false,
    };
    (near, far)
}

/// The two ends of a TCP connection.
pub(crate) fn tcp_ends() -> (OwnedFd, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    near.set_nodelay(true).unwrap();
    (near.into(), far.into())
}

/// The two ends of a pair of Unix sockets.
pub(crate) fn unix_ends() -> (OwnedFd, OwnedFd) {
    let (near, far) = UnixStream::pair().unwrap();
    (near.into(), far.into())
}

impl Far {
    /// Sends the next `count` bytes of the pattern, until the near end can read them.
    pub(crate) fn send(&mut self, count: usize) {
        let bytes = pattern(self.sent + count);
        self.send_bytes(&bytes[self.sent..]);
    }

    /// Sends `bytes`, until the near end can read them.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let sent = rustix::io::write(&self.end, bytes).unwrap();
        assert_eq!(sent, bytes.len(), "the far end sends little at a time");
        self.sent += sent;
        settle(&self.probe, PollFlags::IN);
    }

    /// Sends the next `count` bytes of the pattern, or the end when `total` are sent.
    pub(crate) fn send_or_end(&mut self, count: usize, total: usize) {
        if self.sent < total {
            self.send(count);
        } else {
            self.end();
        }
    }

    /// Says that no more will come.
    pub(crate) fn end(&self) {
        rustix::net::shutdown(&self.end, rustix::net::Shutdown::Write).unwrap();
        settle(&self.probe, PollFlags::IN);
    }

    /// Sends one byte out of band.
    pub(crate) fn send_urgent(&mut self) {
        rustix::net::send(&self.end, b"!", rustix::net::SendFlags::OOB).unwrap();
        settle(&self.probe, PollFlags::PRI);
    }

    /// Receives until the near end can write.
    pub(crate) fn make_room(&mut self) {
        loop {
            let mut ends = [
                PollFd::new(&self.probe, PollFlags::OUT),
                PollFd::new(&self.end, PollFlags::IN),
            ];
            let looked = rustix::io::retry_on_intr(|| poll(&mut ends, Some(&PATIENCE)));
            assert_ne!(looked.unwrap(), 0);
            if !ends[0].revents().is_empty() {
                return;
            }
            self.receive();
        }
    }

    /// Receives until `count` bytes are here.
    pub(crate) fn receive_all(&mut self, count: usize) {
        while self.got.len() < count && self.receive() > 0 {}
    }

    /// Receives what is there; bytes that were lost make it fail, not hang.
    fn receive(&mut self) -> usize {
        settle(&self.end, PollFlags::IN);
        let mut buf = [0; 1 << 16];
        let count = rustix::io::read(&self.end, &mut buf[..]).unwrap();
        self.got.extend_from_slice(&buf[..count]);
        count
    }
}

/// Waits until the kernel would report `flags` of `fd`.
pub(crate) fn settle(fd: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&fd, flags)];
    let count = poll(&mut fds, Some(&PATIENCE)).unwrap();
    assert!(count == 1 && fds[0].revents().contains(flags));
}
