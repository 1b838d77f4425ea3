//! Unix datagrams: whole, in order, from whom, and what happens when there is no room.

use std::io::ErrorKind;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{Taken, UnixDatagram};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::spawn;
use mainspring::time::{now, sleep, timeout};

use super::Folder;
use crate::NEVER;
use crate::rig::{On, pattern, small_buffers, turns};

on_both! {
    a_datagram_arrives_whole_with_its_sender_s_name,
    p49_hz_d11_a_datagram_that_is_too_long_says_so,
    hz_d11_an_empty_datagram_is_one_and_a_look_takes_nothing,
    hz_d13_a_sender_without_a_name_is_unnamed,
    hz_d13_a_sender_with_a_name_of_full_length_can_be_answered,
    hz_d13_an_abstract_name_takes_datagrams,
    hz_d13_a_datagram_to_a_path_that_no_socket_can_have_is_refused,
    a_peer_is_who_was_connected_last,
    datagrams_wait_for_room_on_our_side,
    a_receiver_that_is_full_is_asked_now_and_then,
    a_peer_that_has_gone_is_an_error_and_the_socket_works_on,
    a_socket_of_std_is_adopted_and_given_back,
}

fn a_datagram_arrives_whole_with_its_sender_s_name(on: On) {
    let folder = Folder::new(on);
    let (here, there) = (folder.0.join("here"), folder.0.join("there"));
    on.sim(async {
        let server = UnixDatagram::bind(&here).unwrap();
        let client = UnixDatagram::bind(&there).unwrap();
        let answers = spawn({
            let here = here.clone();
            async move {
                let mut buf = [0; 64];
                for len in [1, 7, 64] {
                    turns(2).await;
                    let bytes = pattern(len);
                    assert_eq!(client.send_to(&bytes, &here).await.unwrap(), len);
                    let received = client.recv(&mut buf).await.unwrap().len;
                    assert_eq!((received, &buf[..len]), (len, &bytes[..]));
                }
            }
        });
        for len in [1, 7, 64] {
            let mut buf = [0; 64];
            let (taken, from) = server.recv_from(&mut buf).await.unwrap();
            let received = taken.len;
            assert_eq!(received, len);
            assert_eq!(from.as_pathname(), Some(&*there));
            server.send_to_addr(&buf[..len], &from).await.unwrap();
        }
        answers.await.unwrap();
    });
}

/// What is told of a message of which four bytes are in the buffer.
#[track_caller]
fn assert_cut(told: Taken, whole_len: usize) {
    // Elsewhere the system says only that there was more.
    let whole_len = if cfg!(target_os = "linux") {
        whole_len
    } else {
        5
    };
    assert_eq!((told.len, told.whole_len), (4, whole_len));
    assert!(told.is_truncated());
    assert_eq!(told.whole().unwrap_err().kind(), ErrorKind::InvalidData);
}

fn p49_hz_d11_a_datagram_that_is_too_long_says_so(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 4];
        far.send(b"tick-tock").await.unwrap();
        far.send(b"tock").await.unwrap();
        assert_cut(near.peek(&mut buf).await.unwrap(), 9);
        assert_cut(near.peek_from(&mut buf).await.unwrap().0, 9);
        assert_cut(near.recv(&mut buf).await.unwrap(), 9);
        assert_eq!(&buf, b"tick");
        assert_eq!(
            near.recv(&mut buf).await.unwrap().whole().unwrap(),
            4,
            "what just fits is whole"
        );
        far.send(b"tick-tock").await.unwrap();
        assert_cut(near.try_recv(&mut buf).unwrap(), 9);
        far.send(b"tick-tock").await.unwrap();
        let with = near.recv_with_fds(&mut buf, 1).await.unwrap();
        assert_eq!((with.len, with.is_truncated()), (4, true));
        assert_eq!(
            with.whole_len,
            if cfg!(target_os = "linux") { 9 } else { 5 }
        );
        let named = UnixDatagram::bind(folder.socket()).unwrap();
        let server = UnixDatagram::bind(folder.0.join("server")).unwrap();
        named
            .send_to(b"tick-tock", folder.0.join("server"))
            .await
            .unwrap();
        let (taken, from) = server.recv_from(&mut buf).await.unwrap();
        assert_cut(taken, 9);
        assert_eq!(from.as_pathname(), Some(folder.socket().as_ref()));
        let much = vec![0; 16 << 20];
        let error = far.send(&much).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    });
}

fn hz_d11_an_empty_datagram_is_one_and_a_look_takes_nothing(on: On) {
    on.run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.send(b"").await.unwrap(), 0);
        far.send(b"x").await.unwrap();
        for _ in 0..2 {
            assert_eq!(near.peek(&mut buf).await.unwrap().len, 0);
        }
        assert_eq!(near.recv(&mut buf).await.unwrap().len, 0);
        assert_eq!(near.peek_from(&mut buf).await.unwrap().0.len, 1);
        assert_eq!(near.try_recv_from(&mut buf).unwrap().0.len, 1);
        let error = near.try_recv(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // An empty buffer takes a datagram too.
        far.send(b"x").await.unwrap();
        let taken = near.recv(&mut []).await.unwrap();
        assert_eq!((taken.len, taken.whole_len), (0, 1));
    });
}

fn hz_d13_a_sender_without_a_name_is_unnamed(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let server = UnixDatagram::bind(folder.socket()).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        assert!(client.local_addr().unwrap().is_unnamed());
        client.send_to(b"x", folder.socket()).await.unwrap();
        let (_, from) = server.recv_from(&mut [0; 4]).await.unwrap();
        assert!(from.is_unnamed());
        let error = server.send_to_addr(b"x", &from).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let (near, far) = UnixDatagram::pair().unwrap();
        far.send(b"x").await.unwrap();
        let (_, from) = near.recv_from(&mut [0; 4]).await.unwrap();
        assert!(from.is_unnamed());
        assert_eq!(
            client.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert_eq!(
            client.send(b"x").await.unwrap_err().kind(),
            ErrorKind::NotConnected
        );
    });
}

/// Linux takes a path that fills its field, without a NUL at the end; std makes no address of it.
fn hz_d13_a_sender_with_a_name_of_full_length_can_be_answered(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let server = UnixDatagram::bind(folder.socket()).unwrap();
        let longest = if cfg!(target_os = "linux") { 108 } else { 103 };
        for len in [80, longest - 2, longest - 1, longest] {
            let name = "x".repeat(len - folder.0.as_os_str().len() - 1);
            let path = folder.0.join(name);
            let peer = std::os::unix::net::UnixDatagram::unbound().unwrap();
            rustix::net::bind(&peer, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
            let to = rustix::net::SocketAddrUnix::new(folder.socket()).unwrap();
            let flags = rustix::net::SendFlags::empty();
            rustix::net::sendto(&peer, b"x", flags, &to).unwrap();
            let (_, from) = server.recv_from(&mut [0; 4]).await.unwrap();
            assert_eq!(from.as_pathname(), Some(&*path), "{len} bytes");
            server.send_to_addr(b"yes", &from).await.unwrap();
            assert_eq!(peer.recv(&mut [0; 4]).unwrap(), 3);
            // Gone by the time it is asked: nobody can answer, and nobody panics.
            rustix::net::sendto(&peer, b"x", flags, &to).unwrap();
            drop(peer);
            std::fs::remove_file(&path).unwrap();
            let (_, from) = server.recv_from(&mut [0; 4]).await.unwrap();
            assert!(from.as_pathname() == Some(&*path) || from.is_unnamed());
        }
    });
}

fn hz_d13_an_abstract_name_takes_datagrams(on: On) {
    #[cfg(target_os = "linux")]
    on.run(async {
        use std::os::linux::net::SocketAddrExt as _;
        for name in [
            format!("ms-{}-{}", std::process::id(), on.test),
            "\0\0d".into(),
        ] {
            let name = format!("{name}{}", on.name());
            let addr = SocketAddr::from_abstract_name(&name).unwrap();
            let server = UnixDatagram::bind_addr(&addr).unwrap();
            let client_name = format!("{name}-client");
            let client_addr = SocketAddr::from_abstract_name(&client_name).unwrap();
            let client = UnixDatagram::bind_addr(&client_addr).unwrap();
            client.send_to_addr(b"x", &addr).await.unwrap();
            let (_, from) = server.recv_from(&mut [0; 4]).await.unwrap();
            assert_eq!(from.as_abstract_name(), Some(client_name.as_bytes()));
            client.connect_addr(&addr).unwrap();
            client.send(b"xy").await.unwrap();
            assert_eq!(server.recv(&mut [0; 4]).await.unwrap().len, 2);
            drop(server);
            let error = client.send_to_addr(b"x", &addr).await.unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::ConnectionRefused,
                "it ended with its socket"
            );
        }
    });
    #[cfg(not(target_os = "linux"))]
    let _ = on;
}

fn hz_d13_a_datagram_to_a_path_that_no_socket_can_have_is_refused(on: On) {
    use std::os::unix::ffi::OsStrExt as _;
    on.run(async {
        let socket = UnixDatagram::unbound().unwrap();
        let long = "x".repeat(500);
        for (path, complaint) in [
            (&long[..], "has 500 bytes"),
            ("", "is empty"),
            ("\0abstract", "has a NUL in it"),
        ] {
            let path = std::ffi::OsStr::from_bytes(path.as_bytes());
            for error in [
                socket.send_to(b"x", path).await.unwrap_err(),
                socket.connect(path).unwrap_err(),
                UnixDatagram::bind(path).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(complaint), "{error}");
            }
        }
        let unnamed = SocketAddr::from_pathname("").unwrap();
        let error = UnixDatagram::bind_addr(&unnamed).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    });
}

fn a_peer_is_who_was_connected_last(on: On) {
    let folder = Folder::new(on);
    let [one, other] = ["one", "other"].map(|name| folder.0.join(name));
    on.run(async {
        let client = UnixDatagram::unbound().unwrap();
        let error = client.connect(&one).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        for path in [&one, &other] {
            let server = UnixDatagram::bind(path).unwrap();
            client.connect(path).unwrap();
            assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&**path));
            client.send(b"x").await.unwrap();
            assert_eq!(server.recv(&mut [0; 4]).await.unwrap().len, 1);
        }
        let error = client.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

/// Fills the pair; how many went in.
fn fill(socket: &UnixDatagram, bytes: &[u8]) -> usize {
    let mut count = 0;
    while socket.try_send(bytes).is_ok() {
        count += 1;
        assert!(count < 100_000);
    }
    count
}

fn datagrams_wait_for_room_on_our_side(on: On) {
    on.sim(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        small_buffers(&near, 1 << 14);
        small_buffers(&far, 1 << 14);
        let near = Rc::new(near);
        let filled = fill(&near, &[0; 1000]);
        let start = now();
        let sender = spawn({
            let near = Rc::clone(&near);
            async move {
                for number in 1..=50_u8 {
                    assert_eq!(near.send(&[number; 1000]).await.unwrap(), 1000);
                }
            }
        });
        turns(3).await;
        let mut buf = [0; 1024];
        for _ in 0..filled {
            assert_eq!(far.recv(&mut buf).await.unwrap().len, 1000);
        }
        for number in 1..=50 {
            assert_eq!(far.recv(&mut buf).await.unwrap().len, 1000);
            assert_eq!(buf[999], number, "in order");
        }
        sender.await.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(now(), start, "the kernel told, no timer was needed");
        }
    });
}

/// Filled by others: no datagram of ours is taken, so no edge comes, and poll(2) always says writable.
fn a_receiver_that_is_full_is_asked_now_and_then(on: On) {
    let folder = Folder::new(on);
    on.sim(async {
        let server = UnixDatagram::bind(folder.socket()).unwrap();
        let addr = server.local_addr().unwrap();
        let other = UnixDatagram::unbound().unwrap();
        let mut filled = 0;
        while other.try_send_to_addr(b"other", &addr).is_ok() {
            filled += 1;
            assert!(filled < 100_000);
        }
        let _guard = Plan::new().install();
        let path = folder.socket();
        let sender = spawn(async move {
            let ours = UnixDatagram::unbound().unwrap();
            ours.send_to(b"ours", path).await.unwrap();
        });
        sleep(Duration::from_secs(1)).await;
        assert!(!sender.is_finished());
        let tries = count_of(Call::Send);
        assert!(
            (100..=250).contains(&tries),
            "{tries} sends in a second: no spin"
        );
        for _ in 0..filled {
            server.recv(&mut [0; 8]).await.unwrap();
        }
        let ours = timeout(NEVER, server.recv(&mut [0; 8])).await;
        assert_eq!(ours.expect("it is not forgotten").unwrap().len, 4);
        sender.await.unwrap();
    });
}

fn a_peer_that_has_gone_is_an_error_and_the_socket_works_on(on: On) {
    let folder = Folder::new(on);
    on.sim(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        drop(far);
        let error = near.send(b"x").await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::NotConnected
                    | ErrorKind::BrokenPipe
                    | ErrorKind::ConnectionReset
            ),
            "{error}"
        );
        let server = UnixDatagram::bind(folder.socket()).unwrap();
        near.connect(folder.socket()).unwrap();
        near.send(b"x").await.unwrap();
        assert_eq!(server.recv(&mut [0; 4]).await.unwrap().len, 1);
        // Who receives goes on waiting for whoever comes, and does not spin.
        let waited = timeout(Duration::from_secs(5), near.recv(&mut [0; 4])).await;
        assert!(waited.is_err());
    });
}

fn a_socket_of_std_is_adopted_and_given_back(on: On) {
    on.run(async {
        let (near, far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let near = UnixDatagram::from_std(near).unwrap();
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 4]).await.unwrap().len, 1);
        near.writable().await.unwrap();
        far.send(b"x").unwrap();
        near.readable().await.unwrap();
        assert_eq!(near.try_recv(&mut [0; 4]).unwrap().len, 1);
        let near = near.into_std();
        near.send(b"xy").unwrap();
        assert_eq!(far.recv(&mut [0; 4]).unwrap(), 2);
    });
}
