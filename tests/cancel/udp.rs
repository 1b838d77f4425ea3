//! UDP sockets, dropped at each of their waits.
//!
//! Loopback always has room, so that a send waits only because the plan said EAGAIN to it.

use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

use mainspring::net::udp::{Ancillary, ReceiveBatch, SendBatch};
use mainspring::net::{UdpSocket, option};
use mainspring::sim::fault::{Call, Fault, Plan, PlanGuard};

use crate::everywhere::Case;
use crate::rig::{On, pattern};

everywhere! {
    a_receive_takes_no_datagram_that_it_does_not_return,
    a_receive_with_the_sender_takes_no_datagram_that_it_does_not_return,
    a_look_takes_no_datagram,
    a_readable_socket_stays_so,
    a_send_is_one_datagram_or_none,
    a_send_to_somebody_is_one_datagram_or_none,
    a_writable_socket_stays_so,
    a_receive_of_a_message_takes_no_datagram_that_it_does_not_return,
    a_batch_that_is_received_is_counted,
    a_message_is_sent_once_or_not,
    a_batch_is_sent_once,
    an_error_is_taken_only_when_it_is_returned,
}

/// How many datagrams are received.
const COUNT: usize = 3;

struct Near {
    socket: UdpSocket,
    got: Vec<u8>,
    is_done: bool,
    _plan: Option<PlanGuard>,
}

/// The other end, which blocks.
struct Far {
    socket: StdUdpSocket,
    near: SocketAddr,
    sent: u8,
}

impl Far {
    /// One more datagram, whose bytes are its number.
    fn send(&mut self) {
        self.sent += 1;
        let bytes = vec![self.sent; usize::from(self.sent)];
        self.socket.send_to(&bytes, self.near).unwrap();
    }

    /// The datagrams that came.
    fn received(&self) -> Vec<Vec<u8>> {
        self.socket.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        let mut buf = [0; 64];
        while let Ok(len) = self.socket.recv(&mut buf) {
            all.push(buf[..len].to_vec());
        }
        all
    }
}

fn pair() -> (Near, Far) {
    let far = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    let near = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    let far = Far {
        socket: far,
        near: near.local_addr().unwrap(),
        sent: 0,
    };
    let near = Near {
        socket: UdpSocket::from_std(near).unwrap(),
        got: Vec::new(),
        is_done: false,
        _plan: None,
    };
    (near, far)
}

/// A pair whose near end finds no room for its first datagram. Only once: no edge would follow a second refusal that the
/// kernel knows nothing of.
fn crowded(call: Call) -> (Near, Far) {
    let (mut near, far) = pair();
    let plan = Plan::new().at(call, 1, Fault::Errno(libc::EAGAIN));
    near._plan = Some(plan.install());
    (near, far)
}

/// The datagrams came whole, each once, in order.
fn all_came(near: &Near) {
    assert_eq!(near.got, [1, 2, 2, 3, 3, 3]);
}

// cancels: UdpSocket::recv
fn a_receive_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                let mut buf = [0; 64];
                let len = near.socket.recv(&mut buf).await.unwrap().len;
                near.got.extend_from_slice(&buf[..len]);
            }
        },
        async |near, _| all_came(near),
    );
    assert_eq!(waits, 3);
}

// cancels: UdpSocket::recv_from
fn a_receive_with_the_sender_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                let mut buf = [0; 64];
                let (taken, from) = near.socket.recv_from(&mut buf).await.unwrap();
                assert_eq!(from, near.socket.peer_addr().unwrap());
                near.got.extend_from_slice(&buf[..taken.len]);
            }
        },
        async |near, _| all_came(near),
    );
    assert_eq!(waits, 3);
}

// cancels: UdpSocket::peek, UdpSocket::peek_from
fn a_look_takes_no_datagram(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                let mut buf = [0; 64];
                let seen = near.socket.peek(&mut buf[..1]).await.unwrap().len;
                assert_eq!(seen, 1, "the beginning of a datagram");
                let (taken, _) = near.socket.peek_from(&mut buf).await.unwrap();
                let len = taken.len;
                assert_eq!(near.socket.try_recv(&mut buf).unwrap().len, len);
                near.got.extend_from_slice(&buf[..len]);
            }
        },
        async |near, _| all_came(near),
    );
    assert_eq!(waits, 3);
}

// cancels: UdpSocket::readable
fn a_readable_socket_stays_so(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                near.socket.readable().await.unwrap();
                let mut buf = [0; 64];
                if let Ok(taken) = near.socket.try_recv(&mut buf) {
                    near.got.extend_from_slice(&buf[..taken.len]);
                }
            }
        },
        async |near, _| all_came(near),
    );
    assert!(waits >= 3, "{waits}");
}

// cancels: UdpSocket::send
fn a_send_is_one_datagram_or_none(on: On) {
    let waits = Case::new(on, || crowded(Call::Send)).safe(
        async |near| {
            if !near.is_done {
                assert_eq!(near.socket.send(&pattern(7)).await.unwrap(), 7);
                near.is_done = true;
            }
        },
        async |_, far| assert_eq!(far.received(), [pattern(7)]),
    );
    assert_eq!(waits, 1);
}

// cancels: UdpSocket::send_to
fn a_send_to_somebody_is_one_datagram_or_none(on: On) {
    let waits = Case::new(on, || crowded(Call::Send)).safe(
        async |near| {
            if !near.is_done {
                let to = near.socket.peer_addr().unwrap();
                assert_eq!(near.socket.send_to(&pattern(7), to).await.unwrap(), 7);
                near.is_done = true;
            }
        },
        async |_, far| assert_eq!(far.received(), [pattern(7)]),
    );
    assert_eq!(waits, 1);
}

// cancels: UdpSocket::writable
fn a_writable_socket_stays_so(on: On) {
    let waits = Case::new(on, pair).safe(
        async |near| {
            if !near.is_done {
                near.socket.writable().await.unwrap();
                near.socket.try_send(&pattern(7)).unwrap();
                near.is_done = true;
            }
        },
        async |_, far| assert_eq!(far.received(), [pattern(7)]),
    );
    assert_eq!(waits, 1);
}

// cancels: UdpSocket::recv_msg
fn a_receive_of_a_message_takes_no_datagram_that_it_does_not_return(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                let mut buf = [0; 64];
                let received = near.socket.recv_msg(&mut buf).await.unwrap();
                near.got.extend_from_slice(&buf[..received.len]);
            }
        },
        async |near, _| all_came(near),
    );
    assert_eq!(waits, 3);
}

// cancels: UdpSocket::recv_many
fn a_batch_that_is_received_is_counted(on: On) {
    let waits = Case::new(on, pair).world(Far::send).safe(
        async |near| {
            let mut batch = ReceiveBatch::new(2, 64);
            while near.got.len() < COUNT * (COUNT + 1) / 2 {
                near.socket.recv_many(&mut batch).await.unwrap();
                for (_, bytes) in batch.iter() {
                    near.got.extend_from_slice(bytes);
                }
            }
        },
        async |near, _| all_came(near),
    );
    assert_eq!(waits, 3);
}

// cancels: UdpSocket::send_msg
fn a_message_is_sent_once_or_not(on: On) {
    let waits = Case::new(on, || crowded(Call::SendMsg)).safe(
        async |near| {
            if !near.is_done {
                let bytes = pattern(7);
                let sent = near.socket.send_msg(&bytes, None, Ancillary::default());
                assert_eq!(sent.await.unwrap(), 7);
                near.is_done = true;
            }
        },
        async |_, far| assert_eq!(far.received(), [pattern(7)]),
    );
    assert_eq!(waits, 1);
}

// cancels: UdpSocket::send_many
fn a_batch_is_sent_once(on: On) {
    let setup = || {
        let (near, far) = crowded(Call::SendMany);
        let mut batch = SendBatch::new(2, 4);
        batch.push(&pattern(3), None);
        batch.push(&pattern(4), None);
        ((near, batch), far)
    };
    let waits = Case::new(on, setup).safe(
        async |(near, batch)| {
            while !batch.is_empty() {
                near.socket.send_many(batch).await.unwrap();
            }
        },
        async |_, far| assert_eq!(far.received(), [pattern(3), pattern(4)]),
    );
    assert_eq!(waits, 1);
}

// cancels: UdpSocket::recv_error
fn an_error_is_taken_only_when_it_is_returned(on: On) {
    let setup = || {
        let (near, far) = pair();
        let nobody = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        let gone = nobody.local_addr().unwrap();
        let is_kept = near
            .socket
            .set_option(option::ReceiveErrorsV4, true)
            .is_ok();
        let again = StdUdpSocket::from(
            std::os::fd::AsFd::as_fd(&near.socket)
                .try_clone_to_owned()
                .unwrap(),
        );
        again.connect(gone).unwrap();
        (near, (far, again, is_kept))
    };
    let waits = Case::new(on, setup)
        .world(|(_, again, _)| {
            // Its own first error may be told here.
            let _ = again.send(b"anybody?").or_else(|_| again.send(b"anybody?"));
        })
        .safe(
            async |near| {
                if !near.is_done {
                    match near.socket.recv_error().await {
                        Ok(error) => assert_eq!(error.errno, libc::ECONNREFUSED),
                        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
                    }
                    near.is_done = true;
                }
            },
            async |near, _| assert!(near.is_done),
        );
    assert_eq!(waits, 1);
}
