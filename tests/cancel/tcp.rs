//! Sockets that were told something before, and servers, dropped at each wait.

use std::net::SocketAddr;
use std::time::Duration;

use mainspring::net::{Server, TcpListener, TcpSocket, TcpStream};
use mainspring::task::CancelToken;
use rustix::event::PollFlags;

use crate::everywhere::Case;
use crate::rig::On;
use crate::wire;

everywhere! {
    a_socket_that_connects_leaves_no_connection_behind,
    a_drain_goes_on_whoever_waits_for_it,
    a_wait_for_the_end_of_a_server_ends_nothing,
    a_server_that_is_dropped_takes_its_connections_along,
}

// cancels: TcpSocket::connect
fn a_socket_that_connects_leaves_no_connection_behind(on: On) {
    let setup = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        ((addr, None::<TcpStream>), listener)
    };
    let waits = Case::new(on, setup)
        .world(|listener| wire::settle(listener, PollFlags::IN))
        .safe(
            async |(addr, stream)| {
                let socket = TcpSocket::for_addr(*addr).unwrap();
                *stream = Some(socket.connect(*addr).await.unwrap());
            },
            async |(_, stream), listener| {
                let ours = stream.as_ref().unwrap().local_addr().unwrap();
                listener.set_nonblocking(true).unwrap();
                let mut is_there = false;
                while let Ok((server, peer)) = listener.accept() {
                    if peer == ours {
                        is_there = true;
                    } else {
                        wire::settle(&server, PollFlags::IN);
                        let got = std::io::Read::read(&mut &server, &mut [0]);
                        assert!(!matches!(got, Ok(1)), "its other end is closed");
                    }
                }
                assert!(is_there);
            },
        );
    assert_eq!(waits, 1);
}

/// A server with one connection, and whoever came.
fn house() -> (Server, (SocketAddr, Vec<std::net::TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = std::net::TcpStream::connect(addr).unwrap();
    let server = Server::start(listener, until_the_end);
    (server, (addr, vec![client]))
}

async fn until_the_end(
    (stream, _): (TcpStream, SocketAddr),
    _: CancelToken,
) -> std::io::Result<()> {
    while stream.read(&mut [0; 8]).await? > 0 {}
    Ok(())
}

/// Waits until the server has its connection.
async fn has_come(server: &Server) {
    while server.accepted_count() == 0 {
        crate::rig::turns(1).await;
    }
}

// cancels: ServerHandle::drain
fn a_drain_goes_on_whoever_waits_for_it(on: On) {
    let waits = Case::new(on, house)
        .world(|(_, clients)| clients.clear())
        .others_wait()
        .safe(
            async |server| {
                has_come(server).await;
                server.drain(Duration::from_secs(5)).await;
            },
            async |server, (addr, _)| {
                server.closed().await.unwrap();
                assert_eq!(server.connection_count(), 0);
                assert!(std::net::TcpStream::connect(*addr).is_err());
            },
        );
    assert!(waits >= 1, "{waits}");
}

// cancels: ServerHandle::closed
fn a_wait_for_the_end_of_a_server_ends_nothing(on: On) {
    let setup = || {
        let (server, far) = house();
        let handle = server.handle();
        ((Some(server), handle), far)
    };
    let waits = Case::new(on, setup)
        .world(|(_, clients)| clients.clear())
        .others_wait()
        .safe(
            async |(server, handle)| {
                if let Some(server) = server {
                    has_come(server).await;
                }
                // Its drop stops accepting, and no more.
                *server = None;
                handle.closed().await.unwrap();
            },
            async |(_, handle), _| {
                assert_eq!((handle.connection_count(), handle.cut_count()), (0, 0));
            },
        );
    assert!(waits >= 1, "{waits}");
}

// cancels: ServerBuilder::serve
fn a_server_that_is_dropped_takes_its_connections_along(on: On) {
    let setup = || {
        let listener = TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(addr).unwrap();
        let builder = Server::builder([listener]);
        let handle = builder.handle();
        ((Some(builder), handle.clone()), (handle, addr, client, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(handle, _, client, steps)| {
            *steps += 1;
            match *steps {
                3 => drop(handle.drain(Duration::ZERO)),
                _ => std::io::Write::write_all(client, b"x").unwrap_or_default(),
            }
        })
        .not_safe(
            async |(builder, _)| {
                let builder = builder.take().unwrap();
                builder.serve(until_the_end).await.unwrap();
            },
            async |(_, handle), (_, addr, client, _)| {
                handle.closed().await.unwrap();
                assert_eq!(handle.connection_count(), 0);
                assert_eq!(handle.accepted_count(), handle.cut_count());
                assert!(!matches!(std::io::Read::read(client, &mut [0]), Ok(1)));
                assert!(std::net::TcpStream::connect(*addr).is_err());
            },
        );
    assert!(waits >= 2, "{waits}");
}
