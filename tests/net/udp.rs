//! Datagrams: whole or told, in order, alone and in batches, and whatever comes beside them.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mainspring::net::option::SocketOption;
use mainspring::net::udp::{Ancillary, ErrorOrigin, ReceiveBatch, SendBatch};
use mainspring::net::{UdpSocket, option};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::timeout;

use crate::NEVER;
use crate::rig::{On, both, open_fds, pattern, turns};

on_both! {
    p49_hz_d11_a_cut_datagram_is_told_of_and_ends_nothing,
    hz_d11_an_empty_datagram_is_a_datagram,
    hz_d11_a_refusal_is_told_once_and_the_socket_works_on,
    hz_d11_a_datagram_too_long_says_so,
    hz_d10_a_length_over_two_gigabytes_is_no_datagram_and_room_for_one,
    hz_d09_an_empty_buffer_takes_a_datagram_and_says_that_it_was_cut,
    hz_d15_addresses_of_messages_are_those_of_the_kernel,
    a_waiting_receive_is_woken_and_the_budget_yields,
    a_peer_is_set_changed_and_taken_away,
    std_gives_a_socket_and_gets_it_back,
    poll_functions_wait_too,
    p49_a_batch_goes_with_one_call_each_way,
    hz_d08_a_short_batch_loses_nothing_and_sends_nothing_twice,
    a_batch_tells_what_was_cut_and_what_failed,
    every_errno_of_a_receive_is_told_and_the_socket_works_on,
    every_errno_of_a_send_is_told_and_the_socket_works_on,
    what_comes_beside_a_datagram_v4,
    what_comes_beside_a_datagram_v6,
    segments_go_with_one_call_and_come_whole,
    what_has_no_room_beside_a_datagram_is_told_and_leaks_nothing,
    the_error_queue_tells_whose_datagram_failed,
    the_error_queue_tells_whose_datagram_failed_v6,
    groups_are_joined_and_left,
    a_dropped_wait_leaks_no_descriptor,
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Two sockets connected to each other.
fn pair() -> (UdpSocket, UdpSocket) {
    let (one, other) = (
        UdpSocket::bind(loopback()).unwrap(),
        UdpSocket::bind(loopback()).unwrap(),
    );
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    (one, other)
}

/// A pair over IPv6, or nothing where the machine has none.
fn pair_v6() -> Option<(UdpSocket, UdpSocket)> {
    let addr = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let Ok(one) = UdpSocket::bind(addr) else {
        eprintln!("this machine has no IPv6: nothing was tested");
        return None;
    };
    let other = UdpSocket::bind(addr).unwrap();
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    Some((one, other))
}

/// The port of a socket that is gone, of the same host as `addr`.
fn nobody(addr: SocketAddr) -> SocketAddr {
    UdpSocket::bind(addr).unwrap().local_addr().unwrap()
}

fn p49_hz_d11_a_cut_datagram_is_told_of_and_ends_nothing(on: On) {
    on.run(async {
        let (near, far) = pair();
        for _ in 0..3 {
            far.send(b"12345678").await.unwrap();
        }
        let mut buf = [0; 5];
        let whole_len = if cfg!(target_os = "linux") { 8 } else { 6 };
        let seen = near.peek(&mut buf).await.unwrap();
        assert_eq!((seen.len, seen.whole_len), (5, whole_len));
        let (seen, _) = near.peek_from(&mut buf).await.unwrap();
        assert_eq!((seen.len, seen.whole_len), (5, whole_len));
        // The looks lost nothing.
        let taken = near.recv(&mut buf).await.unwrap();
        assert_eq!((taken.len, taken.whole_len), (5, whole_len));
        assert!(taken.is_truncated());
        assert_eq!(taken.whole().unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(&buf, b"12345");
        let (taken, from) = near.recv_from(&mut buf).await.unwrap();
        assert_eq!((taken.len, taken.whole_len), (5, whole_len));
        assert_eq!(from, far.local_addr().unwrap());
        let received = near.recv_msg(&mut buf).await.unwrap();
        assert!(received.is_truncated());
        assert_eq!(
            (received.len, received.from),
            (5, Some(far.local_addr().unwrap()))
        );
        far.send(b"12345").await.unwrap();
        assert_eq!(
            near.recv(&mut buf).await.unwrap().whole().unwrap(),
            5,
            "what just fits is whole"
        );
    });
}

fn hz_d11_an_empty_datagram_is_a_datagram(on: On) {
    on.run(async {
        let (near, far) = pair();
        for bytes in [&b""[..], b"x", b""] {
            assert_eq!(far.send(bytes).await.unwrap(), bytes.len());
        }
        let mut buf = [0; 4];
        assert_eq!(near.recv(&mut buf).await.unwrap().len, 0);
        assert_eq!(near.recv(&mut buf).await.unwrap().len, 1);
        let received = near.recv_msg(&mut buf).await.unwrap();
        assert_eq!((received.len, received.is_truncated()), (0, false));
        let error = near.try_recv(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "not an end");
    });
}

fn hz_d11_a_refusal_is_told_once_and_the_socket_works_on(on: On) {
    on.run(async {
        let socket = UdpSocket::bind(loopback()).unwrap();
        let gone = nobody(loopback());
        socket.connect(gone).unwrap();
        for _ in 0..3 {
            socket.send(b"anybody?").await.unwrap();
            let error = socket.recv(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let error = socket.try_recv(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "it is told once");
        }
        let peer = UdpSocket::bind(gone).unwrap();
        socket.send(b"now").await.unwrap();
        let mut buf = [0; 8];
        let (taken, from) = peer.recv_from(&mut buf).await.unwrap();
        let len = taken.len;
        peer.send_to(&buf[..len], from).await.unwrap();
        assert_eq!(socket.recv(&mut buf).await.unwrap().len, 3);
    });
}

fn hz_d11_a_datagram_too_long_says_so(on: On) {
    on.run(async {
        let (near, far) = pair();
        let long = vec![7; 65_508];
        for error in [
            near.send(&long).await.unwrap_err(),
            near.send_msg(&long, None, Ancillary::default())
                .await
                .unwrap_err(),
        ] {
            assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        }
        near.send(b"short").await.unwrap();
        assert_eq!(far.recv(&mut [0; 8]).await.unwrap().len, 5);
    });
}

/// Zeroed pages that nobody writes to, so they cost no memory.
fn hz_d10_a_length_over_two_gigabytes_is_no_datagram_and_room_for_one(on: On) {
    on.run(async {
        let (near, far) = pair();
        let mut huge = vec![0; (1 << 31) + 4096];
        let to = far.local_addr().unwrap();
        let one_by_one = [
            near.send(&huge).await.unwrap_err(),
            near.send_to(&huge, to).await.unwrap_err(),
            near.try_send(&huge).unwrap_err(),
            near.send_msg(&huge, None, Ancillary::default())
                .await
                .unwrap_err(),
        ];
        for error in one_by_one {
            assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE), "{error}");
        }
        // As a buffer it is large enough for any.
        for _ in 0..4 {
            far.send(b"tick").await.unwrap();
        }
        assert_eq!(near.peek(&mut huge).await.unwrap().len, 4);
        assert_eq!(near.recv(&mut huge).await.unwrap().len, 4);
        let (taken, from) = near.recv_from(&mut huge).await.unwrap();
        assert_eq!((taken.whole().unwrap(), from), (4, to));
        let received = near.recv_msg(&mut huge).await.unwrap();
        assert_eq!((received.len, received.is_truncated()), (4, false));
        assert_eq!(near.try_recv(&mut huge).unwrap().len, 4);
        assert_eq!(&huge[..5], b"tick\0");
    });
}

fn hz_d09_an_empty_buffer_takes_a_datagram_and_says_that_it_was_cut(on: On) {
    on.run(async {
        let (near, far) = pair();
        far.send(b"one").await.unwrap();
        far.send(b"").await.unwrap();
        let taken = near.recv(&mut []).await.unwrap();
        assert_eq!((taken.len, taken.is_truncated()), (0, true));
        let taken = near.recv(&mut []).await.unwrap();
        assert_eq!(taken.whole().unwrap(), 0, "an empty one is whole");
        assert_eq!(
            near.try_recv(&mut []).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

fn hz_d15_addresses_of_messages_are_those_of_the_kernel(on: On) {
    if pair_v6().is_none() {
        return;
    }
    on.run(async {
        let addr = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let (near, far) = (
            UdpSocket::bind(addr).unwrap(),
            UdpSocket::bind(addr).unwrap(),
        );
        near.send_msg(b"x", Some(far.local_addr().unwrap()), Ancillary::default())
            .await
            .unwrap();
        let received = far.recv_msg(&mut [0; 4]).await.unwrap();
        assert_eq!(received.from, Some(near.local_addr().unwrap()));
    });
}

fn a_waiting_receive_is_woken_and_the_budget_yields(on: On) {
    on.sim(async {
        let (near, far) = pair();
        let mut polls = 0;
        let receiver = async {
            for number in 0..200_u8 {
                let mut buf = [0; 4];
                assert_eq!(near.recv(&mut buf).await.unwrap().len, 1);
                assert_eq!(buf[0], number);
            }
        };
        let sender = async {
            turns(2).await;
            for number in 0..200_u8 {
                far.send(&[number]).await.unwrap();
            }
            polls += 1;
        };
        timeout(NEVER, both(receiver, sender)).await.unwrap();
        assert_eq!(polls, 1);
        // 200 that are there: a task that receives them lets others run in between.
        let others = std::rc::Rc::new(Cell::new(0));
        for _ in 0..200 {
            far.send(b"x").await.unwrap();
        }
        let seen = others.clone();
        let other = mainspring::spawn(async move {
            loop {
                seen.set(seen.get() + 1);
                mainspring::yield_now().await;
            }
        });
        let receiver = mainspring::spawn(async move {
            for _ in 0..200 {
                near.recv(&mut [0; 4]).await.unwrap();
            }
        });
        receiver.await.unwrap();
        assert!(others.get() >= 2, "{}", others.get());
        other.abort();
    });
}

fn a_peer_is_set_changed_and_taken_away(on: On) {
    on.run(async {
        let (near, far) = pair();
        let other = UdpSocket::bind(loopback()).unwrap();
        let to = near.local_addr().unwrap();
        other.send_to(b"unheard", to).await.unwrap();
        far.send(b"heard").await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(near.recv(&mut buf).await.unwrap().len, 5);
        near.connect(other.local_addr().unwrap()).unwrap();
        assert_eq!(near.peer_addr().unwrap(), other.local_addr().unwrap());
        near.disconnect().unwrap();
        assert_eq!(
            near.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert!(near.send(b"whither?").await.is_err());
        // Linux takes a port that it chose away too; the next send gets one.
        near.send_to(b"x", other.local_addr().unwrap())
            .await
            .unwrap();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, near.local_addr().unwrap().port()));
        other.send_to(b"all", to).await.unwrap();
        let (taken, from) = near.recv_from(&mut buf).await.unwrap();
        assert_eq!((taken.len, from), (3, other.local_addr().unwrap()));
    });
}

fn std_gives_a_socket_and_gets_it_back(on: On) {
    on.run(async {
        let std = std::net::UdpSocket::bind(loopback()).unwrap();
        let socket = UdpSocket::from_std(std).unwrap();
        let addr = socket.local_addr().unwrap();
        socket.send_to(b"x", addr).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 4]).await.unwrap().len, 1);
        socket.writable().await.unwrap();
        let std = socket.into_std();
        assert_eq!(
            std.recv(&mut [0; 4]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        std.send_to(b"xy", addr).unwrap();
        let again = UdpSocket::from_std(std).unwrap();
        again.readable().await.unwrap();
        let (taken, from) = again.try_recv_from(&mut [0; 4]).unwrap();
        assert_eq!((taken.len, from), (2, addr));
    });
}

fn poll_functions_wait_too(on: On) {
    on.sim(async {
        let (near, far) = pair();
        let receiver = async {
            let mut buf = [0; 4];
            let taken = std::future::poll_fn(|cx| near.poll_recv(cx, &mut buf)).await;
            assert_eq!(taken.unwrap().len, 1);
            let got = std::future::poll_fn(|cx| near.poll_recv_from(cx, &mut buf)).await;
            let (taken, from) = got.unwrap();
            assert_eq!((taken.len, from), (2, far.local_addr().unwrap()));
        };
        let sender = async {
            for bytes in [&b"x"[..], b"xy"] {
                turns(2).await;
                std::future::poll_fn(|cx| far.poll_send(cx, bytes))
                    .await
                    .unwrap();
            }
        };
        timeout(NEVER, both(receiver, sender)).await.unwrap();
    });
}

fn filled(count: usize) -> SendBatch {
    let mut batch = SendBatch::new(count, 8);
    for number in 0..count {
        batch.push(&number.to_ne_bytes(), None);
    }
    batch
}

fn numbers(batch: &ReceiveBatch) -> Vec<usize> {
    let number = |bytes: &[u8]| usize::from_ne_bytes(bytes.try_into().unwrap());
    batch.iter().map(|(_, bytes)| number(bytes)).collect()
}

fn p49_a_batch_goes_with_one_call_each_way(on: On) {
    on.run(async {
        let (near, far) = pair();
        let (mut outgoing, mut incoming) = (filled(32), ReceiveBatch::new(64, 16));
        let _plan = Plan::new().install();
        assert_eq!(far.send_many(&mut outgoing).await.unwrap(), 32);
        assert!(outgoing.is_empty());
        assert_eq!(near.recv_many(&mut incoming).await.unwrap(), 32);
        assert_eq!(numbers(&incoming), (0..32).collect::<Vec<_>>());
        let from = Some(far.local_addr().unwrap());
        assert!(incoming.iter().all(|(received, _)| received.from == from));
        if cfg!(any(target_os = "linux", target_os = "freebsd")) {
            assert_eq!((count_of(Call::SendMany), count_of(Call::RecvMany)), (1, 1));
        }
        // A batch is used again, and a wait for one is woken.
        outgoing.push(b"12345678", None);
        let (count, sent) = both(near.recv_many(&mut incoming), async {
            turns(2).await;
            far.send_many(&mut outgoing).await.unwrap()
        })
        .await;
        assert_eq!((count.unwrap(), sent, incoming.len()), (1, 1, 1));
    });
}

fn hz_d08_a_short_batch_loses_nothing_and_sends_nothing_twice(on: On) {
    on.run(async {
        let (near, far) = pair();
        for (nth, most) in [(1, 1), (1, 5), (2, 3)] {
            let _plan = Plan::new()
                .from(Call::SendMany, nth, 2, Fault::Short(most))
                .at(Call::SendMany, nth + 2, Fault::Errno(libc::EAGAIN))
                .at(Call::SendMany, nth + 3, Fault::Errno(libc::EINTR))
                .from(Call::RecvMany, nth, 2, Fault::Short(most))
                .at(Call::RecvMany, nth + 2, Fault::Errno(libc::EINTR))
                .install();
            let (mut outgoing, mut sent) = (filled(20), 0);
            while !outgoing.is_empty() {
                sent += far.send_many(&mut outgoing).await.unwrap();
            }
            assert_eq!(sent, 20);
            let (mut incoming, mut all) = (ReceiveBatch::new(7, 8), Vec::new());
            while all.len() < 20 {
                near.recv_many(&mut incoming).await.unwrap();
                all.extend(numbers(&incoming));
            }
            assert_eq!(all, (0..20).collect::<Vec<_>>());
        }
    });
}

fn a_batch_tells_what_was_cut_and_what_failed(on: On) {
    on.run(async {
        let (near, far) = pair();
        let mut outgoing = SendBatch::new(4, 8);
        outgoing.push(b"long enough", None);
        outgoing.push(&vec![0; 70_000], None);
        outgoing.push(b"", None);
        assert_eq!(
            far.send_many(&mut outgoing).await.unwrap(),
            1,
            "up to the bad one"
        );
        let error = far.send_many(&mut outgoing).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(outgoing.len(), 2, "it is still there");
        assert!(outgoing.skip());
        assert_eq!(far.send_many(&mut outgoing).await.unwrap(), 1);
        assert!(!outgoing.skip());
        assert_eq!(far.send_many(&mut outgoing).await.unwrap(), 0);
        let mut incoming = ReceiveBatch::new(4, 4);
        assert_eq!(near.recv_many(&mut incoming).await.unwrap(), 2);
        let cut: Vec<_> = incoming
            .iter()
            .map(|(got, bytes)| (got.is_truncated(), bytes))
            .collect();
        assert_eq!(cut, [(true, &b"long"[..]), (false, b"")]);
    });
}

/// The first call, the second, and each of three.
const WHICH: [(u64, u64); 3] = [(1, 1), (2, 1), (1, 3)];

fn every_errno_of_a_receive_is_told_and_the_socket_works_on(on: On) {
    let errnos = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENOMEM,
        libc::ENOBUFS,
        libc::ENETDOWN,
    ];
    on.run(async {
        let (near, far) = pair();
        for (nth, times) in WHICH {
            for errno in errnos {
                for call in [Call::Recv, Call::RecvMsg, Call::RecvMany] {
                    let _plan = Plan::new()
                        .from(call, nth, times, Fault::Errno(errno))
                        .install();
                    for _ in 0..3 {
                        far.send(b"x").await.unwrap();
                    }
                    let errors = receive_three(&near, call, errno).await;
                    // A batch brings all three with the first call.
                    let is_missed = call == Call::RecvMany && nth > 1;
                    assert_eq!(
                        errors,
                        if is_missed { 0 } else { times },
                        "{call:?} {errno}"
                    );
                }
            }
        }
    });
}

/// Receives three datagrams, and says how often that failed.
async fn receive_three(near: &UdpSocket, call: Call, errno: i32) -> u64 {
    let (mut buf, mut incoming) = ([0; 16], ReceiveBatch::new(4, 16));
    let (mut got, mut errors) = (0, 0);
    while got < 3 {
        let answer = match call {
            Call::Recv => near.recv(&mut buf).await.map(|_| 1),
            Call::RecvMsg => near.recv_msg(&mut buf).await.map(|_| 1),
            _ => near.recv_many(&mut incoming).await,
        };
        match answer {
            Ok(count) => got += count,
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(errno));
                errors += 1;
            }
        }
    }
    assert_eq!(got, 3);
    errors
}

fn every_errno_of_a_send_is_told_and_the_socket_works_on(on: On) {
    let errnos = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EPERM,
        libc::EACCES,
        libc::ENOBUFS,
        libc::EMSGSIZE,
        libc::EPIPE,
        libc::EINVAL,
    ];
    on.run(async {
        let (near, far) = pair();
        for (nth, times) in WHICH {
            for errno in errnos {
                for call in [Call::Send, Call::SendMsg, Call::SendMany] {
                    let _plan = Plan::new()
                        .from(call, nth, times, Fault::Errno(errno))
                        .install();
                    let errors = send_three_times(&far, call, errno).await;
                    assert_eq!(errors, times, "{call:?} {errno}");
                    let mut got = 0;
                    while near.try_recv(&mut [0; 16]).is_ok() {
                        got += 1;
                    }
                    assert_eq!(got, 3 - times);
                }
            }
        }
    });
}

/// Sends three times, and says how often that failed.
async fn send_three_times(far: &UdpSocket, call: Call, errno: i32) -> u64 {
    let (mut outgoing, mut errors) = (filled(1), 0);
    for _ in 0..3 {
        let sent = match call {
            Call::Send => far.send(b"x").await,
            Call::SendMsg => far.send_msg(b"x", None, Ancillary::default()).await,
            _ => far.send_many(&mut outgoing).await,
        };
        match sent {
            Ok(_) if outgoing.is_empty() => outgoing = filled(1),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(errno));
                errors += 1;
            }
        }
    }
    errors
}

/// Switches everything on, sends with a class of service from a given address, and looks at what came.
async fn beside(near: &UdpSocket, far: &UdpSocket) -> Ancillary {
    near.set_option(option::ReceiveTimestamps, true).unwrap();
    let from = far.local_addr().unwrap().ip();
    let ancillary = Ancillary::default()
        .with_traffic_class(0b1010)
        .with_packet_info(from, 0);
    far.send_msg(b"beside", None, ancillary).await.unwrap();
    let mut buf = [0; 16];
    let received = near.recv_msg(&mut buf).await.unwrap();
    assert_eq!((received.len, received.is_ancillary_truncated), (6, false));
    // Batches have room for it too.
    let mut outgoing = SendBatch::new(1, 8);
    outgoing.push_with(b"beside", None, &ancillary).unwrap();
    far.send_many(&mut outgoing).await.unwrap();
    let mut incoming = ReceiveBatch::new(2, 8);
    near.recv_many(&mut incoming).await.unwrap();
    let (batched, bytes) = incoming.iter().next().unwrap();
    assert_eq!(bytes, b"beside");
    let mut same = batched.ancillary;
    assert!(same.timestamp.is_some());
    same.timestamp = received.ancillary.timestamp;
    assert_eq!(same, received.ancillary);
    received.ancillary
}

fn check(ancillary: Ancillary, to: std::net::IpAddr) {
    let since_1970 = ancillary.timestamp.unwrap();
    assert!(
        since_1970 > Duration::from_secs(1_600_000_000),
        "{since_1970:?}"
    );
    assert_eq!(
        (ancillary.traffic_class, ancillary.ecn()),
        (Some(0b1010), Some(2))
    );
    let info = ancillary.packet_info.unwrap();
    assert_eq!(info.addr, to);
    assert!(info.interface > 0 || !cfg!(target_os = "linux"));
}

fn what_comes_beside_a_datagram_v4(on: On) {
    on.run(async {
        let (near, far) = pair();
        near.set_option(option::ReceivePacketInfoV4, true).unwrap();
        assert!(near.option(option::ReceivePacketInfoV4).unwrap());
        near.set_option(option::ReceiveTos, true).unwrap();
        check(beside(&near, &far).await, Ipv4Addr::LOCALHOST.into());
    });
}

fn what_comes_beside_a_datagram_v6(on: On) {
    let Some((near, far)) = pair_v6() else { return };
    on.run(async {
        near.set_option(option::ReceivePacketInfoV6, true).unwrap();
        near.set_option(option::ReceiveTrafficClass, true).unwrap();
        check(beside(&near, &far).await, Ipv6Addr::LOCALHOST.into());
    });
}

/// Everything that Linux can tell of a datagram is more than there is room for.
#[cfg(target_os = "linux")]
fn what_has_no_room_beside_a_datagram_is_told_and_leaks_nothing(on: On) {
    // What is asked for beside that which has a type: hop limit, original target, all of it in the old form too,
    // and timestamps of the other kind, taken by the kernel.
    const STAMPS: i32 =
        (libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE) as i32;
    const OLD_PACKET_INFO: i32 = 2;
    const OLD_HOP_LIMIT: i32 = 8;
    const ORIGINAL_TARGET: i32 = 74;
    let more = [
        (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1),
        (libc::IPPROTO_IPV6, ORIGINAL_TARGET, 1),
        (libc::IPPROTO_IPV6, OLD_PACKET_INFO, 1),
        (libc::IPPROTO_IPV6, OLD_HOP_LIMIT, 1),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPING, STAMPS),
    ];
    let Some((near, far)) = pair_v6() else { return };
    on.alone(|| {
        on.run(async {
            near.set_option(option::ReceivePacketInfoV6, true).unwrap();
            near.set_option(option::ReceiveTrafficClass, true).unwrap();
            let before = open_fds();
            let mut buf = [0; 16];
            for is_more in [false, true, false] {
                near.set_option(option::ReceiveTimestamps, is_more).unwrap();
                for (level, name, value) in more {
                    let value = if is_more { value } else { 0 };
                    near.set_option(option::Int::new(level, name), value)
                        .unwrap();
                }
                far.send(b"alone").await.unwrap();
                let received = near.recv_msg(&mut buf).await.unwrap();
                assert_eq!(received.is_ancillary_truncated, is_more);
                // The datagram is whole all the same.
                assert_eq!((received.len, received.is_truncated()), (5, false));
                assert_eq!(received.from, Some(far.local_addr().unwrap()));
                far.send(b"batch").await.unwrap();
                let mut batch = ReceiveBatch::new(2, 8);
                assert_eq!(near.recv_many(&mut batch).await.unwrap(), 1);
                let (batched, bytes) = batch.iter().next().unwrap();
                assert_eq!(
                    (batched.is_ancillary_truncated, bytes),
                    (is_more, &b"batch"[..])
                );
                // Some came whole, and nothing was made up of what was cut, or left from before.
                let told = [received.ancillary, batched.ancillary];
                for ancillary in told {
                    let info = ancillary.packet_info.map(|info| info.addr);
                    let is_ours = |addr| addr == Ipv6Addr::LOCALHOST;
                    assert!(info.is_none_or(is_ours), "{ancillary:?}");
                    assert!(is_more || info.is_some(), "{ancillary:?}");
                    let class = ancillary.traffic_class;
                    assert!(class.is_none_or(|class| class == 0), "{ancillary:?}");
                    assert!(is_more || ancillary.timestamp.is_none());
                    assert_eq!(ancillary.segment_len, None);
                }
            }
            assert_eq!(open_fds(), before);
        });
    });
}

/// Elsewhere a socket can't be asked for so much.
#[cfg(not(target_os = "linux"))]
fn what_has_no_room_beside_a_datagram_is_told_and_leaks_nothing(_on: On) {}

fn segments_go_with_one_call_and_come_whole(on: On) {
    on.run(async {
        let (near, far) = pair();
        let bytes = pattern(250);
        let segments = Ancillary::default().with_segment_len(100);
        let sent = far.send_msg(&bytes, None, segments).await;
        match sent {
            Err(error) if error.kind() == ErrorKind::Unsupported => return,
            // A kernel that lacks it (before Linux 4.18) takes it for one datagram, or for nonsense.
            Err(error) => panic!("{error}"),
            Ok(count) => assert_eq!(count, 250),
        }
        let mut buf = [0; 1000];
        for piece in bytes.chunks(100) {
            let len = near.recv(&mut buf).await.unwrap().len;
            assert_eq!(&buf[..len], piece);
        }
        let zero = Ancillary::default().with_segment_len(0);
        let error = far.send_msg(&bytes, None, zero).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        near.set_option(option::ReceiveSegments, true).unwrap();
        far.send_msg(&bytes[..200], None, segments).await.unwrap();
        let received = near.recv_msg(&mut buf).await.unwrap();
        assert_eq!(
            (received.len, received.ancillary.segment_len),
            (200, Some(100))
        );
    });
}

fn the_error_queue_tells_whose_datagram_failed(on: On) {
    let unreachable = (ErrorOrigin::Icmp, 3, 3);
    error_queue(on, loopback(), option::ReceiveErrorsV4, unreachable);
}

fn the_error_queue_tells_whose_datagram_failed_v6(on: On) {
    if pair_v6().is_none() {
        return;
    }
    let addr = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let unreachable = (ErrorOrigin::Icmp6, 1, 4);
    error_queue(on, addr, option::ReceiveErrorsV6, unreachable);
}

/// `unreachable` is what ICMP says of a port at which nobody is.
fn error_queue(
    on: On,
    addr: SocketAddr,
    errors: impl SocketOption<Value = bool>,
    unreachable: (ErrorOrigin, u8, u8),
) {
    on.sim(async {
        let socket = UdpSocket::bind(addr).unwrap();
        let set = socket.set_option(errors, true);
        if let Err(error) = set {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(
                socket.try_recv_error().unwrap_err().kind(),
                ErrorKind::Unsupported
            );
            return;
        }
        assert_eq!(
            socket.try_recv_error().unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let gone = nobody(addr);
        let taking = async { socket.recv_error().await.unwrap() };
        let sending = async {
            turns(2).await;
            socket.send_to(b"anybody?", gone).await.unwrap();
        };
        let (error, ()) = timeout(NEVER, both(taking, sending)).await.unwrap();
        assert_eq!(error.errno, libc::ECONNREFUSED);
        assert_eq!(error.error().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            (error.origin, error.icmp_type, error.icmp_code),
            unreachable
        );
        assert_eq!(error.to, Some(gone));
        assert!(error.offender.unwrap().ip().is_loopback());
        // The queue is not the input: who waits for an error, and is asked first, takes no report of data away.
        let is_received = Cell::new(false);
        let waiting = both(socket.recv_error(), async {
            let len = receive_whatever(&socket).await;
            is_received.set(true);
            len
        });
        let sending = async {
            turns(2).await;
            let to = socket.local_addr().unwrap();
            socket.send_to(b"data", to).await.unwrap();
            turns(2).await;
            assert!(is_received.get(), "the data was there");
            socket.send_to(b"anybody?", gone).await.unwrap();
        };
        let ((error, len), ()) = timeout(NEVER, both(waiting, sending)).await.unwrap();
        assert_eq!((error.unwrap().to, len), (Some(gone), 4));
    });
}

/// The length of the next datagram, whatever became of others.
async fn receive_whatever(socket: &UdpSocket) -> usize {
    loop {
        if let Ok(taken) = socket.recv(&mut [0; 8]).await {
            return taken.len;
        }
    }
}

fn groups_are_joined_and_left(on: On) {
    on.run(async {
        let (group, here) = (Ipv4Addr::new(239, 255, 77, 77), Ipv4Addr::LOCALHOST);
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let member = UdpSocket::unbound(any).unwrap();
        member.set_option(option::ReuseAddress, true).unwrap();
        member.bind_to(any).unwrap();
        member.join_multicast_v4(group, here).unwrap();
        let error = member.join_multicast_v4(group, here).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let sender = UdpSocket::bind(loopback()).unwrap();
        sender
            .set_option(option::MulticastInterfaceV4, here)
            .unwrap();
        sender.set_option(option::MulticastTtl, 1).unwrap();
        sender.set_option(option::MulticastLoopV4, true).unwrap();
        assert_eq!(sender.option(option::MulticastTtl).unwrap(), 1);
        let to = SocketAddr::from((group, member.local_addr().unwrap().port()));
        sender.send_to(b"all", to).await.unwrap();
        let mut buf = [0; 8];
        let (taken, from) = member.recv_from(&mut buf).await.unwrap();
        let len = taken.len;
        assert_eq!((len, from), (3, sender.local_addr().unwrap()));
        member.leave_multicast_v4(group, here).unwrap();
        let error = member.leave_multicast_v4(group, here).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        match member.join_source_v4(here, group, here) {
            Ok(()) => {
                sender.send_to(b"some", to).await.unwrap();
                assert_eq!(member.recv(&mut buf).await.unwrap().len, 4);
                member.leave_source_v4(here, group, here).unwrap();
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
        if let Ok(member) = UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))) {
            let group = "ff01::77".parse().unwrap();
            member.join_multicast_v6(group, 1).unwrap();
            member.leave_multicast_v6(group, 1).unwrap();
            assert!(member.leave_multicast_v6(group, 1).is_err());
        }
    });
}

fn a_dropped_wait_leaks_no_descriptor(on: On) {
    on.alone(|| {
        let before = open_fds();
        on.run(async {
            for _ in 0..10 {
                let (near, _far) = pair();
                let mut batch = ReceiveBatch::new(2, 2);
                let wait = near.recv_many(&mut batch);
                let dropped = timeout(Duration::ZERO, wait).await;
                assert!(dropped.is_err());
            }
            let _plan = Plan::new()
                .at(Call::Bind, 1, Fault::Errno(libc::EADDRINUSE))
                .install();
            assert!(UdpSocket::bind(loopback()).is_err());
        });
        assert_eq!(open_fds(), before);
    });
}
