//! What was told before it connects, dropped at each wait.

use mainspring::net::{TcpSocket, TcpStream};
use rustix::event::PollFlags;

use crate::everywhere::Case;
use crate::rig::On;
use crate::wire;

everywhere! {
    a_socket_that_connects_leaves_no_connection_behind,
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
