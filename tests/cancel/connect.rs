//! How connections come about and end, dropped at each wait.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::path::PathBuf;
use std::time::Duration;

use mainspring::net::{CloseEnd, TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, PlanGuard};
use mainspring::stream::StreamExt;
use rustix::event::PollFlags;

use crate::everywhere::Case;
use crate::rig::On;
use crate::wire;

everywhere! {
    an_accept_swallows_no_connection,
    an_accept_without_descriptors_swallows_no_connection,
    all_that_come_in_are_accepted_once,
    a_connect_leaves_no_connection_behind,
    a_unix_connect_leaves_no_connection_behind,
    a_graceful_close_closes_the_stream_wherever_it_is_dropped,
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

// cancels: TcpListener::incoming
fn all_that_come_in_are_accepted_once(on: On) {
    let waits = Case::new(on, open_house).world(Guests::come).safe(
        async |host| {
            let mut incoming = host.listener.incoming();
            while host.peers.len() < 3 {
                let (_, peer) = incoming.next().await.unwrap().unwrap();
                host.peers.push(peer);
            }
        },
        all_were_accepted_in_order,
    );
    assert_eq!(waits, 3);
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

/// A name in the file system, and the streams that were connected to it.
struct UnixCaller {
    path: PathBuf,
    streams: Vec<UnixStream>,
}

impl Drop for UnixCaller {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

// cancels: UnixStream::connect, UnixStream::connect_addr
fn a_unix_connect_leaves_no_connection_behind(on: On) {
    let setup = move || {
        let name = format!("mainspring-cancel-{}-{}", std::process::id(), on.name());
        let path = std::env::temp_dir().join(name);
        let _gone = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        // The kernel connects at once, so only a plan makes it wait.
        let plan = Plan::new().from(Call::Connect, 1, 2, Fault::Short(0));
        let caller = UnixCaller {
            path,
            streams: Vec::new(),
        };
        (caller, (listener, plan.install()))
    };
    let waits = Case::new(on, setup)
        .world(|(listener, _)| wire::settle(listener, PollFlags::IN))
        .safe(
            async |UnixCaller { path, streams }| {
                if streams.is_empty() {
                    streams.push(UnixStream::connect(&*path).await.unwrap());
                }
                let addr = UnixAddr::from_pathname(&path).unwrap();
                streams.push(UnixStream::connect_addr(&addr).await.unwrap());
            },
            async |caller, (listener, _)| {
                // Of all that came, those that nobody holds have ended.
                listener.set_nonblocking(true).unwrap();
                let mut alive = 0;
                while let Ok((server, _)) = listener.accept() {
                    server.set_nonblocking(true).unwrap();
                    alive += usize::from((&server).read(&mut [0]).is_err());
                }
                assert_eq!((alive, caller.streams.len()), (2, 2));
            },
        );
    assert_eq!(waits, 2);
}

// cancels: UnixStream::close_gracefully
fn a_graceful_close_closes_the_stream_wherever_it_is_dropped(on: On) {
    let setup = || {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let near = UnixStream::from_std(near).unwrap();
        assert_eq!(near.try_write(b"answer").unwrap(), 6);
        ((Some(near), None), (far, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(far, steps)| {
            match *steps {
                0..3 => far.write_all(b"more").unwrap(),
                _ => far.shutdown(Shutdown::Write).unwrap(),
            }
            *steps += 1;
        })
        .not_safe(
            async |(stream, end)| {
                let stream = stream.take().unwrap();
                let close = stream.close_gracefully(100, Duration::from_secs(5));
                *end = Some(close.await.unwrap());
            },
            async |(stream, end), (far, steps)| {
                assert!(stream.is_none());
                // It closed with the operation: nobody takes what is written now.
                let written = far.write(b"more").map_err(|error| error.kind());
                assert_eq!(written, Err(std::io::ErrorKind::BrokenPipe));
                let mut got = Vec::new();
                let read = far.read_to_end(&mut got);
                match end {
                    Some(end) => {
                        read.unwrap();
                        assert_eq!(
                            (*end, &got[..], *steps),
                            (CloseEnd::PeerClosed, &b"answer"[..], 4)
                        );
                    }
                    // Unread bytes may have cost the answer.
                    None => assert!(read.is_err() || got == b"answer"),
                }
            },
        );
    assert_eq!(waits, 4);
}
