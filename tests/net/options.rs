//! Options of sockets, as their users set them, and sockets that are told before they connect or listen.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mainspring::net::option::{self, SocketOption};
use mainspring::net::{TcpListener, TcpSocket, TcpStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::timeout;

use crate::rig::{On, both, listener, open_fds, tcp_pair, turns};

on_both! {
    what_a_socket_is_told_its_stream_and_its_listener_know,
    an_option_is_set_on_a_connected_stream,
    a_client_connects_from_the_address_it_was_bound_to,
    an_address_of_the_other_family_is_refused_with_words,
    a_connect_with_a_limit_of_time_ends_and_leaves_no_descriptor,
    a_connection_closed_by_reset_is_no_orderly_end,
    several_listeners_share_one_port,
    both_families_of_the_wildcard_listen_on_one_port,
    of_several_addresses_all_listen_or_none,
    fast_open_carries_the_first_bytes,
    every_errno_of_making_a_listener_comes_out_and_leaks_nothing,
    every_errno_of_connecting_from_a_socket_comes_out_and_leaks_nothing,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn what_a_socket_is_told_its_stream_and_its_listener_know(on: On) {
    on.run(async {
        let server = TcpSocket::new_v4().unwrap();
        assert!(!server.reuseaddr().unwrap());
        server.set_reuseaddr(true).unwrap();
        assert!(server.reuseaddr().unwrap());
        server.set_keepalive(true).unwrap();
        server.set_ttl(9).unwrap();
        server.bind(loopback()).unwrap();
        let listener = server.listen(8).unwrap();
        assert!(listener.option(option::ReuseAddress).unwrap());
        assert!(listener.option(option::KeepAlive).unwrap());
        assert_eq!(listener.ttl().unwrap(), 9);
        listener.set_ttl(11).unwrap();
        assert_eq!(listener.ttl().unwrap(), 11);

        let addr = listener.local_addr().unwrap();
        let client = TcpSocket::for_addr(addr).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_tos(0x10).unwrap();
        client.set_send_buffer_size(32 << 10).unwrap();
        client.set_recv_buffer_size(32 << 10).unwrap();
        let sizes = (
            client.send_buffer_size().unwrap(),
            client.recv_buffer_size().unwrap(),
        );
        let stream = client.connect(addr).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.tos().unwrap(), 0x10);
        assert_eq!(stream.send_buffer_size().unwrap(), sizes.0);
        assert!(sizes.0 >= 32 << 10 && sizes.1 >= 32 << 10, "{sizes:?}");
        let (server, _) = listener.accept().await.unwrap();
        assert!(server.take_error().unwrap().is_none());
        // Linux lets the connection inherit it; what it does elsewhere is its own business.
        if cfg!(target_os = "linux") {
            assert!(server.keepalive().unwrap());
        }
    });
}

fn an_option_is_set_on_a_connected_stream(on: On) {
    #[track_caller]
    fn comes_back<O: SocketOption + Copy>(stream: &TcpStream, option: O, value: O::Value)
    where
        O::Value: Clone + PartialEq + std::fmt::Debug,
    {
        match stream.set_option(option, value.clone()) {
            Ok(()) => assert_eq!(stream.option(option).unwrap(), value),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert_ne!(std::env::consts::OS, "linux", "{error}");
                assert!(error.to_string().contains("no socket option"), "{error}");
            }
        }
    }
    on.run(async {
        let (near, _far) = tcp_pair().await;
        comes_back(&near, option::KeepAlive, true);
        comes_back(&near, option::KeepAliveIdle, Duration::from_secs(30));
        comes_back(&near, option::KeepAliveInterval, Duration::from_secs(5));
        comes_back(&near, option::KeepAliveCount, 3);
        comes_back(&near, option::UserTimeout, Duration::from_secs(20));
        comes_back(&near, option::Linger, Some(Duration::from_secs(2)));
        comes_back(&near, option::Linger, None);
        comes_back(&near, option::NotSentLowWater, 16 << 10);
        comes_back(&near, option::Cork, true);
        comes_back(&near, option::Cork, false);
        comes_back(&near, option::BindToDevice, None);
        assert!(near.option(option::SegmentMax).unwrap() > 0);
        match near.set_quickack(false) {
            Ok(()) => assert!(!near.quickack().unwrap()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
        let nodelay = option::Int::new(libc::IPPROTO_TCP, libc::TCP_NODELAY);
        near.set_option(nodelay, 1).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_keepalive(false).unwrap();
        assert!(!near.keepalive().unwrap());
        assert_eq!(near.linger().unwrap(), None);
        near.set_zero_linger().unwrap();
        assert_eq!(near.linger().unwrap(), Some(Duration::ZERO));
    });
}

fn a_client_connects_from_the_address_it_was_bound_to(on: On) {
    on.run(async {
        let listener = listener();
        let client = TcpSocket::new_v4().unwrap();
        client.bind(loopback()).unwrap();
        let from = client.local_addr().unwrap();
        assert_ne!(from.port(), 0);
        let stream = client.connect(listener.local_addr().unwrap()).await;
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!((peer, stream.unwrap().local_addr().unwrap()), (from, from));
        let taken = TcpSocket::new_v4().unwrap();
        let error = taken.bind(from).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

fn an_address_of_the_other_family_is_refused_with_words(on: On) {
    on.run(async {
        let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0));
        let socket = TcpSocket::new_v4().unwrap();
        let error = socket.bind(v6).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("TcpSocket::for_addr"), "{error}");
        let error = socket.connect(v6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

fn a_connect_with_a_limit_of_time_ends_and_leaves_no_descriptor(on: On) {
    on.alone(|| {
        on.sim(async {
            // A listener whose queue is full answers nobody.
            let full = TcpSocket::new_v4().unwrap();
            full.bind(loopback()).unwrap();
            let full = full.listen(0).unwrap();
            let addr = full.local_addr().unwrap();
            let fill =
                |_| std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(20)).ok();
            let _fills: Vec<_> = (0..2).map(fill).collect();
            let before = open_fds();
            let mut waited = 0;
            for _ in 0..100 {
                let connect = TcpSocket::for_addr(addr).unwrap().connect(addr);
                let limit = Duration::from_millis(1);
                waited += u32::from(timeout(limit, connect).await.is_err());
            }
            assert!(waited > 50, "only {waited} connects had to wait");
            assert_eq!(open_fds(), before);
        });
    });
}

fn a_connection_closed_by_reset_is_no_orderly_end(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        near.write_all(b"never mind").await.unwrap();
        near.close_by_reset().unwrap();
        let error = loop {
            match far.read(&mut [0; 4]).await {
                Ok(0) => panic!("the end looks orderly"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

fn several_listeners_share_one_port(on: On) {
    on.run(async {
        let shared = |addr: SocketAddr| {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            assert!(socket.reuseport()?);
            socket.bind(addr)?;
            socket.listen(64)
        };
        let first = match shared(loopback()) {
            Err(error) if error.kind() == ErrorKind::Unsupported => return,
            listener => listener.unwrap(),
        };
        let addr = first.local_addr().unwrap();
        let second = shared(addr).unwrap();
        assert_eq!(second.local_addr().unwrap(), addr);
        let alone = TcpSocket::new_v4().unwrap();
        assert!(alone.bind(addr).is_err(), "all must ask for it");
        let clients: Vec<_> = (0..64)
            .map(|_| std::net::TcpStream::connect(addr).unwrap())
            .collect();
        let mut counts = [0; 2];
        while counts[0] + counts[1] < clients.len() {
            for (listener, count) in [&first, &second].into_iter().zip(&mut counts) {
                let limit = Duration::from_millis(1);
                while let Ok(accepted) = timeout(limit, listener.accept()).await {
                    accepted.unwrap();
                    *count += 1;
                }
            }
        }
        if cfg!(target_os = "linux") {
            assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        }
    });
}

fn both_families_of_the_wildcard_listen_on_one_port(on: On) {
    on.run(async {
        let listeners = TcpListener::bind_wildcards(0).unwrap();
        let mut families = Vec::new();
        for listener in &listeners {
            let addr = listener.local_addr().unwrap();
            assert_eq!(addr.port(), listeners[0].local_addr().unwrap().port());
            let target = match addr.is_ipv6() {
                true => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], addr.port())),
                false => SocketAddr::from(([127, 0, 0, 1], addr.port())),
            };
            let (client, accepted) = both(TcpStream::connect(target), listener.accept()).await;
            let (_, peer) = accepted.unwrap();
            // Each family is its own listener's: no IPv4 address in the clothes of IPv6.
            assert_eq!(peer, client.unwrap().local_addr().unwrap());
            families.push(addr.is_ipv6());
        }
        families.dedup();
        assert_eq!(families.len(), listeners.len());
    });
}

fn of_several_addresses_all_listen_or_none(on: On) {
    on.alone(|| {
        let before = open_fds();
        let error = TcpListener::bind_all(&[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let held = listener();
        let taken = held.local_addr().unwrap();
        let error = TcpListener::bind_all(&[loopback(), taken]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(held);
        assert_eq!(open_fds(), before);
        let listeners = TcpListener::bind_all(&[taken]).unwrap();
        assert_eq!(listeners[0].local_addr().unwrap(), taken);
        // A port that the system chose for one address may be taken on another: all begin anew.
        let plan = Plan::new().at(Call::Bind, 2, Fault::Errno(libc::EADDRINUSE));
        let guard = plan.install();
        if cfg!(target_os = "linux") {
            let other = SocketAddr::from(([127, 0, 0, 2], 0));
            let listeners = TcpListener::bind_all(&[loopback(), other]).unwrap();
            assert_eq!((listeners.len(), count_of(Call::Bind)), (2, 4));
        }
        drop(guard);
        // And a machine without one family has the other.
        let plan = Plan::new().at(Call::Socket, 2, Fault::Errno(libc::EAFNOSUPPORT));
        let _guard = plan.install();
        let listeners = TcpListener::bind_wildcards(0).unwrap();
        assert_eq!(listeners.len(), 1);
        assert!(listeners[0].local_addr().unwrap().is_ipv4());
    });
}

fn fast_open_carries_the_first_bytes(on: On) {
    on.run(async {
        let server = TcpSocket::new_v4().unwrap();
        match server.set_option(option::FastOpen, 16) {
            Err(error) if error.kind() == ErrorKind::Unsupported => return,
            set => set.unwrap(),
        }
        server.bind(loopback()).unwrap();
        let listener = server.listen(16).unwrap();
        let addr = listener.local_addr().unwrap();
        // The first has no cookie and connects as ever; later ones may have one.
        for _ in 0..3 {
            let client = TcpSocket::new_v4().unwrap();
            match client.set_option(option::FastOpenConnect, true) {
                Err(error) if error.kind() == ErrorKind::Unsupported => return,
                set => set.unwrap(),
            }
            let client = client.connect(addr).await.unwrap();
            client.write_all(b"first").await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let mut buf = [0; 8];
            assert_eq!(server.read(&mut buf).await.unwrap(), 5);
            server.write_all(b"answer").await.unwrap();
            assert_eq!(client.read(&mut buf).await.unwrap(), 6);
            assert_eq!(client.peer_addr().unwrap(), addr);
        }
    });
}

/// `act` fails with each of `errnos` at its `nth` call of this kind, and leaves no descriptor; without a
/// fault it succeeds.
fn fails_with_each<T>(
    call: Call,
    calls: u64,
    errnos: &[i32],
    mut act: impl FnMut() -> std::io::Result<T>,
) {
    let before = open_fds();
    for nth in 1..=calls {
        for errno in errnos {
            for times in [1, u64::MAX] {
                let guard = Plan::new()
                    .from(call, nth, times, Fault::Errno(*errno))
                    .install();
                let error = act().err().expect("the fault comes out");
                assert_eq!(error.raw_os_error(), Some(*errno), "{call:?} {nth}");
                drop(guard);
                assert_eq!(open_fds(), before, "{call:?} {nth} {errno}");
                act().unwrap();
            }
        }
    }
}

fn every_errno_of_making_a_listener_comes_out_and_leaks_nothing(on: On) {
    on.alone(|| {
        let bind = || TcpListener::bind(loopback());
        let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        fails_with_each(Call::Socket, 1, &scarce, bind);
        fails_with_each(Call::Socket, 1, &[libc::EAFNOSUPPORT, libc::EACCES], bind);
        fails_with_each(Call::SocketOption, 1, &[libc::ENOBUFS, libc::EINVAL], bind);
        let of_bind = [libc::EADDRINUSE, libc::EACCES, libc::EADDRNOTAVAIL];
        fails_with_each(Call::Bind, 1, &of_bind, bind);
        fails_with_each(Call::Listen, 1, &[libc::EADDRINUSE], bind);
        // Without a reserve it listens all the same.
        let guard = Plan::new()
            .from(Call::OpenReserve, 1, u64::MAX, Fault::Errno(libc::EMFILE))
            .install();
        bind().unwrap();
        drop(guard);
        for call in [Call::Socket, Call::Bind, Call::Listen, Call::SocketOption] {
            let guard = Plan::new()
                .from(call, 1, 5, Fault::Errno(libc::EINTR))
                .install();
            bind().unwrap();
            assert_eq!(count_of(call), 6);
            drop(guard);
        }
    });
}

fn every_errno_of_connecting_from_a_socket_comes_out_and_leaks_nothing(on: On) {
    on.alone(|| {
        on.run(async {
            let listener = listener();
            let addr = listener.local_addr().unwrap();
            let before = open_fds();
            let of_connect = [
                libc::ECONNREFUSED,
                libc::EADDRNOTAVAIL,
                libc::ENETUNREACH,
                libc::EHOSTUNREACH,
                libc::ETIMEDOUT,
                libc::EACCES,
                libc::EADDRINUSE,
                libc::EPERM,
            ];
            for errno in of_connect {
                let _guard = Plan::new()
                    .at(Call::Connect, 1, Fault::Errno(errno))
                    .install();
                let error = TcpSocket::new_v4().unwrap().connect(addr).await;
                assert_eq!(error.unwrap_err().raw_os_error(), Some(errno));
                assert_eq!(open_fds(), before);
            }
            // What is only late, or interrupted, is no error.
            for fault in [Fault::Short(0), Fault::Errno(libc::EINTR)] {
                let guard = Plan::new().at(Call::Connect, 1, fault).install();
                let stream = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap();
                assert_eq!(stream.peer_addr().unwrap(), addr);
                listener.accept().await.unwrap();
                drop(guard);
                turns(1).await;
            }
            assert_eq!(open_fds(), before);
        });
    });
}
