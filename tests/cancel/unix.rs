//! Unix datagrams, records, and descriptors that are passed along, dropped at each wait.

use std::fs::File;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};
use std::path::PathBuf;

use mainspring::net::{UnixDatagram, UnixSeqpacket, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType, recvmsg, sendmsg,
};

use crate::everywhere::Case;
use crate::rig::{On, small_buffers};
use crate::wire;

everywhere! {
    a_receive_takes_no_datagram_that_it_does_not_return,
    a_receive_from_somebody_takes_no_datagram_that_it_does_not_return,
    a_look_at_a_datagram_takes_none,
    a_receive_with_descriptors_takes_no_datagram_that_it_does_not_return,
    a_read_with_descriptors_takes_none_that_it_does_not_return,
    a_send_gives_no_datagram_that_it_does_not_count,
    a_send_with_descriptors_gives_no_datagram_that_it_does_not_count,
    a_write_with_descriptors_gives_none_that_it_does_not_count,
    a_datagram_to_a_full_receiver_is_sent_once,
    a_connect_for_records_leaves_no_connection_behind,
}

/// How many messages go.
const MANY: u8 = 20;

/// A socket of the loop, and what came or went through it: each message is its own number.
struct Near<S> {
    socket: S,
    got: Vec<u8>,
    fds: Vec<OwnedFd>,
    sent: u8,
}

/// The other end, which blocks.
struct Far {
    end: OwnedFd,
    /// A duplicate of the near end, to ask the kernel what it would report.
    probe: OwnedFd,
    got: Vec<u8>,
    fd_count: usize,
    sent: u8,
}

fn null() -> File {
    File::open("/dev/null").unwrap()
}

fn sides<S>(
    near: OwnedFd,
    far: OwnedFd,
    adopt: impl FnOnce(OwnedFd) -> std::io::Result<S>,
) -> (Near<S>, Far) {
    small_buffers(&near, 1 << 12);
    small_buffers(&far, 1 << 12);
    let far = Far {
        end: far,
        probe: near.try_clone().unwrap(),
        got: Vec::new(),
        fd_count: 0,
        sent: 0,
    };
    let near = Near {
        socket: adopt(near).unwrap(),
        got: Vec::new(),
        fds: Vec::new(),
        sent: 0,
    };
    (near, far)
}

fn datagrams() -> (Near<UnixDatagram>, Far) {
    let (near, far) = StdDatagram::pair().unwrap();
    sides(near.into(), far.into(), |near| {
        UnixDatagram::from_std(near.into())
    })
}

fn streams() -> (Near<UnixStream>, Far) {
    let (near, far) = wire::unix_ends();
    sides(near, far, |near| UnixStream::from_std(near.into()))
}

impl Far {
    /// Sends the next number with a descriptor, until the near end can receive it.
    fn send(&mut self) {
        let null = null();
        let fds = [null.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = [IoSlice::new(std::slice::from_ref(&self.sent))];
        sendmsg(&self.end, &bytes, &mut control, SendFlags::empty()).unwrap();
        self.sent += 1;
        wire::settle(&self.probe, PollFlags::IN);
    }

    /// Receives until the near end can write.
    fn make_room(&mut self) {
        loop {
            let mut ends = [
                PollFd::new(&self.probe, PollFlags::OUT),
                PollFd::new(&self.end, PollFlags::IN),
            ];
            assert_ne!(poll(&mut ends, Some(&wire::PATIENCE)).unwrap(), 0);
            if !ends[0].revents().is_empty() {
                return;
            }
            self.receive();
        }
    }

    /// Receives one message: its first byte, and how many descriptors came with it.
    fn receive(&mut self) {
        let mut buf = [0; 1000];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bufs = [IoSliceMut::new(&mut buf)];
        recvmsg(&self.end, &mut bufs, &mut control, RecvFlags::empty()).unwrap();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fd_count += fds.count();
            }
        }
        self.got.push(buf[0]);
    }

    /// Receives all that is left.
    fn drain(&mut self) {
        rustix::io::ioctl_fionbio(&self.end, true).unwrap();
        loop {
            let mut ends = [PollFd::new(&self.end, PollFlags::IN)];
            let now = rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            if poll(&mut ends, Some(&now)).unwrap() == 0 {
                return;
            }
            self.receive();
        }
    }
}

/// All numbers came, once and in order.
fn numbers(count: u8) -> Vec<u8> {
    (0..count).collect()
}

// cancels: UnixDatagram::recv
fn a_receive_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, datagrams).world(Far::send).safe(
        async |near| {
            while near.got.len() < 4 {
                let mut buf = [0; 8];
                let len = near.socket.recv(&mut buf).await.unwrap().len;
                near.got.extend_from_slice(&buf[..len]);
            }
        },
        async |near, _| assert_eq!(near.got, numbers(4)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixDatagram::recv_from
fn a_receive_from_somebody_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, datagrams).world(Far::send).safe(
        async |near| {
            while near.got.len() < 4 {
                let mut buf = [0; 8];
                let (taken, from) = near.socket.recv_from(&mut buf).await.unwrap();
                assert!(from.is_unnamed());
                near.got.extend_from_slice(&buf[..taken.len]);
            }
        },
        async |near, _| assert_eq!(near.got, numbers(4)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixDatagram::peek, UnixDatagram::peek_from
fn a_look_at_a_datagram_takes_none(on: On) {
    let waits = Case::new(on, datagrams).world(Far::send).safe(
        async |near| {
            while near.got.len() < 4 {
                let mut buf = [0; 8];
                let first = if near.got.len() % 2 == 0 {
                    near.socket.peek(&mut buf).await.unwrap();
                    buf[0]
                } else {
                    near.socket.peek_from(&mut buf).await.unwrap();
                    buf[0]
                };
                let len = near.socket.try_recv(&mut buf).unwrap().len;
                assert_eq!((len, buf[0]), (1, first));
                near.got.push(first);
            }
        },
        async |near, _| assert_eq!(near.got, numbers(4)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixDatagram::recv_with_fds
fn a_receive_with_descriptors_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, datagrams).world(Far::send).safe(
        async |near| {
            while near.got.len() < 4 {
                let mut buf = [0; 8];
                let with = near.socket.recv_with_fds(&mut buf, 2).await.unwrap();
                near.got.extend_from_slice(&buf[..with.len]);
                near.fds.extend(with.fds);
            }
        },
        async |near, _| assert_eq!((&near.got, near.fds.len()), (&numbers(4), 4)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixStream::recv_with_fds
fn a_read_with_descriptors_takes_none_that_it_does_not_return(on: On) {
    let waits = Case::new(on, streams).world(Far::send).safe(
        async |near| {
            while near.got.len() < 4 {
                let mut buf = [0; 8];
                let with = near.socket.recv_with_fds(&mut buf, 2).await.unwrap();
                near.got.extend_from_slice(&buf[..with.len]);
                near.fds.extend(with.fds);
            }
        },
        async |near, _| assert_eq!((&near.got, near.fds.len()), (&numbers(4), 4)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixDatagram::send
fn a_send_gives_no_datagram_that_it_does_not_count(on: On) {
    Case::new(on, datagrams).world(Far::make_room).safe(
        async |near| {
            while near.sent < MANY {
                let bytes = [near.sent; 1000];
                assert_eq!(near.socket.send(&bytes).await.unwrap(), 1000);
                near.sent += 1;
            }
        },
        async |_, far| {
            far.drain();
            assert_eq!(far.got, numbers(MANY));
        },
    );
}

// cancels: UnixDatagram::send_with_fds
fn a_send_with_descriptors_gives_no_datagram_that_it_does_not_count(on: On) {
    Case::new(on, datagrams).world(Far::make_room).safe(
        async |near| {
            let null = null();
            while near.sent < MANY {
                let bytes = [near.sent; 1000];
                let fds = [null.as_fd()];
                let count = near.socket.send_with_fds(&bytes, &fds).await.unwrap();
                assert_eq!(count, 1000);
                near.sent += 1;
            }
        },
        async |_, far| {
            far.drain();
            assert_eq!((&far.got, far.fd_count), (&numbers(MANY), MANY.into()));
        },
    );
}

// cancels: UnixStream::send_with_fds
fn a_write_with_descriptors_gives_none_that_it_does_not_count(on: On) {
    Case::new(on, streams).world(Far::make_room).safe(
        async |near| {
            let null = null();
            while near.sent < MANY {
                let bytes = [near.sent; 100];
                let fds = [null.as_fd()];
                let count = near.socket.send_with_fds(&bytes, &fds).await.unwrap();
                assert_eq!(count, 100);
                near.sent += 1;
            }
        },
        async |_, far| {
            far.drain();
            assert_eq!((&far.got, far.fd_count), (&numbers(MANY), MANY.into()));
        },
    );
}

/// A name in the file system.
struct Path(PathBuf);

impl Path {
    fn new(on: On, what: &str) -> Path {
        let name = format!("ms-cancel-{what}-{}-{}", std::process::id(), on.name());
        let path = Path(std::env::temp_dir().join(name));
        let _gone = std::fs::remove_file(&path.0);
        path
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

// cancels: UnixDatagram::send_to, UnixDatagram::send_to_addr
fn a_datagram_to_a_full_receiver_is_sent_once(on: On) {
    // More than fit three times.
    let room = {
        let path = Path::new(on, "room");
        let _server = StdDatagram::bind(&path.0).unwrap();
        let client = StdDatagram::unbound().unwrap();
        client.set_nonblocking(true).unwrap();
        (0..100_000)
            .take_while(|_| client.send_to(b"xx", &path.0).is_ok())
            .count()
    };
    let total = u32::try_from(room).unwrap() * 3;
    let setup = move || {
        let path = Path::new(on, "full");
        let server = StdDatagram::bind(&path.0).unwrap();
        server.set_nonblocking(true).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        ((client, path, 0_u32), (server, Vec::new()))
    };
    fn receive((server, got): &mut (StdDatagram, Vec<u32>)) {
        let mut buf = [0; 8];
        while let Ok(len) = server.recv(&mut buf) {
            assert_eq!(len, 4);
            got.push(u32::from_ne_bytes([buf[0], buf[1], buf[2], buf[3]]));
        }
    }
    // Only time wakes it, so what it waits for comes by itself.
    let waits = Case::new(on, setup).world(receive).safe(
        async |(client, path, sent)| {
            let addr = SocketAddr::from_pathname(&path.0).unwrap();
            while *sent < total {
                let bytes = sent.to_ne_bytes();
                let send = if *sent % 2 == 0 {
                    client.send_to(&bytes, &path.0)
                } else {
                    client.send_to_addr(&bytes, &addr)
                };
                assert_eq!(send.await.unwrap(), 4);
                *sent += 1;
            }
        },
        async move |_, far| {
            receive(far);
            assert!(far.1.iter().copied().eq(0..total));
        },
    );
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixSeqpacket::connect, UnixSeqpacket::connect_addr
fn a_connect_for_records_leaves_no_connection_behind(on: On) {
    if UnixSeqpacket::pair().is_err() {
        return;
    }
    let setup = move || {
        let path = Path::new(on, "seq");
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None);
        let listener = listener.unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path.0).unwrap()).unwrap();
        rustix::net::listen(&listener, 8).unwrap();
        // The kernel connects at once, so only a plan makes it wait.
        let plan = Plan::new().from(Call::Connect, 1, 2, Fault::Short(0));
        ((path, Vec::new()), (listener, plan.install()))
    };
    let waits = Case::new(on, setup)
        .world(|(listener, _)| wire::settle(listener, PollFlags::IN))
        .safe(
            async |(path, sockets)| {
                if sockets.is_empty() {
                    sockets.push(UnixSeqpacket::connect(&path.0).await.unwrap());
                }
                let addr = SocketAddr::from_pathname(&path.0).unwrap();
                sockets.push(UnixSeqpacket::connect_addr(&addr).await.unwrap());
            },
            async |(_, sockets), (listener, _)| {
                // Of all that came, those that nobody holds have ended.
                rustix::io::ioctl_fionbio(&*listener, true).unwrap();
                let mut alive = 0;
                while let Ok(server) = rustix::net::accept(&*listener) {
                    rustix::io::ioctl_fionbio(&server, true).unwrap();
                    alive += usize::from(rustix::io::read(&server, &mut [0; 4]).is_err());
                }
                assert_eq!((alive, sockets.len()), (2, 2));
            },
        );
    assert_eq!(waits, 2);
}
