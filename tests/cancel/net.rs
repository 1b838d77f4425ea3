//! Sockets, dropped at each of their waits.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;

use mainspring::net::{TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, PlanGuard};
use rustix::event::PollFlags;

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::wire::{self, Far, Near};

everywhere! {
    a_tcp_read_takes_no_bytes_that_it_does_not_return,
    a_unix_read_takes_no_bytes_that_it_does_not_return,
    a_read_that_spends_the_budget_takes_no_bytes,
    a_tcp_write_gives_no_bytes_that_it_does_not_count,
    a_unix_write_gives_no_bytes_that_it_does_not_count,
    a_tcp_write_all_leaves_a_beginning_and_a_stream_that_works,
    a_unix_write_all_leaves_a_beginning_and_a_stream_that_works,
    an_accept_swallows_no_connection,
    an_accept_without_descriptors_swallows_no_connection,
    a_connect_leaves_no_connection_behind,
}

/// The two streams have the same functions, without a trait that says so.
macro_rules! stream_operations {
    ($module:ident, $Stream:ty, $much:expr) => {
        mod $module {
            use super::*;

            /// How much is written.
            pub(super) const MUCH: usize = $much;

            /// Reads until `total` bytes are here, `step` at most at a time.
            pub(super) async fn read(near: &mut Near<$Stream>, total: usize, step: usize) {
                while near.got.len() < total {
                    let mut buf = vec![0; step];
                    let count = near.stream.read(&mut buf).await.unwrap();
                    near.got.extend_from_slice(&buf[..count]);
                }
            }

            /// Writes what is left of [`MUCH`].
            pub(super) async fn write(near: &mut Near<$Stream>) {
                let bytes = pattern(MUCH);
                while near.sent < MUCH {
                    near.sent += near.stream.write(&bytes[near.sent..]).await.unwrap();
                }
            }

            pub(super) async fn write_all(near: &mut Near<$Stream>) {
                near.stream.write_all(&pattern(MUCH)).await.unwrap();
                near.is_done = true;
            }

            /// What arrived is a beginning of what was to be written, all of it if that was done, and
            /// the stream works on.
            pub(super) async fn left_a_beginning(near: &mut Near<$Stream>, far: &mut Far) {
                far.make_room();
                assert_eq!(near.stream.write(&[255]).await.unwrap(), 1);
                near.stream.shutdown(Shutdown::Write).unwrap();
                far.receive_all(usize::MAX);
                assert_eq!(far.got.pop(), Some(255));
                assert!(pattern(MUCH).starts_with(&far.got));
                assert!(!near.is_done || far.got.len() == MUCH);
                assert!(!far.got.is_empty());
            }
        }
    };
}

stream_operations!(tcp, TcpStream, wire::MUCH_FOR_TCP);
stream_operations!(unix, UnixStream, wire::MUCH_FOR_UNIX);

// cancels: TcpStream::read
fn a_tcp_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::tcp).world(|far| far.send(3)).safe(
        async |near| tcp::read(near, 12, 5).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: UnixStream::read
fn a_unix_read_takes_no_bytes_that_it_does_not_return(on: On) {
    let waits = Case::new(on, wire::unix).world(|far| far.send(3)).safe(
        async |near| unix::read(near, 12, 5).await,
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: TcpStream::read, UnixStream::read
fn a_read_that_spends_the_budget_takes_no_bytes(on: On) {
    let setup = || {
        let ((tcp, mut tcp_far), (unix, mut unix_far)) = (wire::tcp(), wire::unix());
        tcp_far.send(300);
        unix_far.send(300);
        ((tcp, unix), (tcp_far, unix_far))
    };
    let waits = Case::new(on, setup).safe(
        async |(tcp, unix)| {
            tcp::read(tcp, 300, 1).await;
            unix::read(unix, 300, 1).await;
        },
        async |(tcp, unix), _| assert!(tcp.got == pattern(300) && unix.got == pattern(300)),
    );
    assert_eq!(waits, 600 / 128);
}

// cancels: TcpStream::write
fn a_tcp_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits =
        Case::new(on, wire::narrow_tcp)
            .world(Far::make_room)
            .safe(tcp::write, async |_, far| {
                far.receive_all(tcp::MUCH);
                assert!(far.got == pattern(tcp::MUCH));
            });
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::write
fn a_unix_write_gives_no_bytes_that_it_does_not_count(on: On) {
    let waits =
        Case::new(on, wire::narrow_unix)
            .world(Far::make_room)
            .safe(unix::write, async |_, far| {
                far.receive_all(unix::MUCH);
                assert!(far.got == pattern(unix::MUCH));
            });
    assert!(waits >= 2, "{waits}");
}

// cancels: TcpStream::write_all
fn a_tcp_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_tcp)
        .world(Far::make_room)
        .not_safe(tcp::write_all, tcp::left_a_beginning);
    assert!(waits >= 2, "{waits}");
}

// cancels: UnixStream::write_all
fn a_unix_write_all_leaves_a_beginning_and_a_stream_that_works(on: On) {
    let waits = Case::new(on, wire::narrow_unix)
        .world(Far::make_room)
        .not_safe(unix::write_all, unix::left_a_beginning);
    assert!(waits >= 2, "{waits}");
}

/// A listener and the peers that it accepted.
struct Host {
    listener: TcpListener,
    peers: Vec<SocketAddr>,
}

/// Those who connect, and how.
struct Guests {
    addr: SocketAddr,
    /// A duplicate of the listener, to ask the kernel whether a connection is there.
    probe: OwnedFd,
    clients: Vec<std::net::TcpStream>,
    plan: Option<PlanGuard>,
}

impl Guests {
    fn come(&mut self) {
        self.clients
            .push(std::net::TcpStream::connect(self.addr).unwrap());
        wire::settle(&self.probe, PollFlags::IN);
    }
}

fn open_house() -> (Host, Guests) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let guests = Guests {
        addr: listener.local_addr().unwrap(),
        probe: listener.try_clone().unwrap().into(),
        clients: Vec::new(),
        plan: None,
    };
    let host = Host {
        listener: TcpListener::from_std(listener).unwrap(),
        peers: Vec::new(),
    };
    (host, guests)
}

async fn accept_three(host: &mut Host) {
    while host.peers.len() < 3 {
        let (_, peer) = host.listener.accept().await.unwrap();
        host.peers.push(peer);
    }
}

async fn all_were_accepted_in_order(host: &mut Host, guests: &mut Guests) {
    let clients = guests.clients.iter();
    let came: Vec<SocketAddr> = clients.map(|it| it.local_addr().unwrap()).collect();
    assert_eq!(host.peers, came);
}

// cancels: TcpListener::accept
fn an_accept_swallows_no_connection(on: On) {
    let waits = Case::new(on, open_house)
        .world(Guests::come)
        .safe(accept_three, all_were_accepted_in_order);
    assert_eq!(waits, 3);
}

// cancels: TcpListener::accept
fn an_accept_without_descriptors_swallows_no_connection(on: On) {
    let setup = || {
        let (host, mut guests) = open_house();
        (0..3).for_each(|_| guests.come());
        // The descriptor limit is reached at the first accept, and again at the third.
        let plan = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EMFILE))
            .at(Call::Accept, 3, Fault::Errno(libc::ENFILE));
        guests.plan = Some(plan.install());
        (host, guests)
    };
    let waits = Case::new(on, setup).safe(accept_three, all_were_accepted_in_order);
    assert_eq!(waits, 2);
}

/// Where connections go, and those that came to their end.
struct Caller {
    addr: SocketAddr,
    stream: Option<TcpStream>,
}

// cancels: TcpStream::connect
fn a_connect_leaves_no_connection_behind(on: On) {
    let setup = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        (Caller { addr, stream: None }, listener)
    };
    let waits = Case::new(on, setup)
        .world(|listener| wire::settle(listener, PollFlags::IN))
        .safe(
            async |caller| caller.stream = Some(TcpStream::connect(caller.addr).await.unwrap()),
            async |caller, listener| {
                let stream = caller.stream.as_ref().unwrap();
                listener.set_nonblocking(true).unwrap();
                let mut is_there = false;
                while let Ok((mut server, peer)) = listener.accept() {
                    if peer == stream.local_addr().unwrap() {
                        is_there = true;
                    } else {
                        assert_ends(&mut server);
                    }
                }
                assert!(is_there);
            },
        );
    assert_eq!(waits, 1);
}

/// The peer has closed, or reset, the connection.
#[track_caller]
fn assert_ends(server: &mut std::net::TcpStream) {
    wire::settle(&*server, PollFlags::IN);
    assert!(!matches!(server.read(&mut [0]), Ok(1)));
}
