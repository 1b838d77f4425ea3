//! Unix sockets by name: listening, connecting, and the names themselves; and in the files beside, what else
//! they can do.

#[path = "unix/credentials.rs"]
mod credentials;
#[path = "unix/datagram.rs"]
mod datagram;
#[path = "unix/faults.rs"]
mod faults;
#[path = "unix/files.rs"]
mod files;
#[path = "unix/rights.rs"]
mod rights;
#[path = "unix/seqpacket.rs"]
mod seqpacket;

use std::io::ErrorKind;
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mainspring::net::{UnixBind, UnixListener, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::stream::Stream as _;
use mainspring::time::{now, timeout};

use crate::NEVER;
use crate::rig::{On, both, refused, turns};

on_both! {
    a_connection_by_a_path_carries_bytes_both_ways,
    connections_come_one_after_the_other_as_a_stream,
    hz_d01_a_unix_listener_outlasts_emfile_too,
    hz_d03_a_refused_or_missing_listener_says_so,
    hz_d03_a_full_queue_is_told_and_never_taken_for_a_connection,
    hz_d13_a_path_that_no_socket_can_have_is_refused,
    hz_d13_names_are_what_they_were_bound_to,
    hz_d13_a_peer_with_a_name_of_full_length_is_accepted,
    hz_d13_an_unlinked_listener_goes_on_with_whom_it_knows,
}

/// A folder of this test's own, with a short path; gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(on: On) -> Folder {
        // Short, and unlike any other test's.
        let (_, test) = on.test.rsplit_once("::").unwrap();
        let test = format!("{}-{test}", &on.name()[..2]);
        let hash = on.test.bytes().fold(7_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        let test = &test[..test.len().min(30)];
        let name = format!("ms-{}-{hash:x}-{test}", std::process::id());
        let path = PathBuf::from("/tmp").join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn a_connection_by_a_path_carries_bytes_both_ways(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        assert_eq!(
            listener.local_addr().unwrap().as_pathname().unwrap(),
            folder.socket()
        );
        let accept = async {
            let (server, from) = listener.accept().await.unwrap();
            assert!(from.is_unnamed());
            server
        };
        let connect = async {
            turns(2).await;
            UnixStream::connect(folder.socket()).await.unwrap()
        };
        let (server, client) = both(accept, connect).await;
        for (from, to) in [(&client, &server), (&server, &client)] {
            from.write_all(b"hello").await.unwrap();
            assert_eq!(to.read(&mut [0; 16]).await.unwrap(), 5);
        }
        let listener = UnixListener::from_std(listener.into_std()).unwrap();
        let _client = UnixStream::connect(folder.socket()).await.unwrap();
        listener.accept().await.unwrap();
    });
}

fn connections_come_one_after_the_other_as_a_stream(on: On) {
    let folder = Folder::new(on);
    on.sim(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let mut incoming = listener.incoming();
        let mut next = async || {
            let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut incoming).poll_next(cx));
            timeout(NEVER, next).await.expect("nobody hangs").unwrap()
        };
        let path = folder.socket();
        let clients = mainspring::spawn(async move {
            turns(2).await;
            let mut clients = Vec::new();
            for _ in 0..10 {
                clients.push(UnixStream::connect(&path).await.unwrap());
            }
            turns(2).await;
            clients.push(UnixStream::connect(&path).await.unwrap());
            clients
        });
        for _ in 0..11 {
            next().await.unwrap();
        }
        let _clients = clients.await.unwrap();
        // An error is an item, and not the last.
        let _client = UnixStream::connect(folder.socket()).await.unwrap();
        let _guard = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EPERM))
            .install();
        assert_eq!(next().await.unwrap_err().raw_os_error(), Some(libc::EPERM));
        next().await.unwrap();
    });
}

fn hz_d01_a_unix_listener_outlasts_emfile_too(on: On) {
    let folder = Folder::new(on);
    on.sim(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let _client = UnixStream::connect(folder.socket()).await.unwrap();
        let start = now();
        let _guard = Plan::new()
            .from(Call::Accept, 1, 3, Fault::Errno(libc::EMFILE))
            .install();
        listener.accept().await.unwrap();
        assert!(now() - start >= Duration::from_millis(300));
        assert_eq!((count_of(Call::Accept), listener.exhausted_count()), (4, 3));
    });
}

fn hz_d03_a_refused_or_missing_listener_says_so(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let error = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let file = UnixBind::new(folder.socket()).keep_file(true);
        drop(file.listen().unwrap());
        let connect = async || UnixStream::connect(folder.socket()).await.map(drop);
        let error = refused(connect).await;
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionRefused,
            "a file is left, and nobody listens"
        );
        let error = UnixListener::bind(folder.socket()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let _guard = Plan::new()
            .at(Call::Connect, 1, Fault::Errno(libc::EACCES))
            .install();
        let error = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    });
}

fn hz_d03_a_full_queue_is_told_and_never_taken_for_a_connection(on: On) {
    let folder = Folder::new(on);
    on.sim(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let mut clients = Vec::new();
        let error = loop {
            assert!(clients.len() < 10, "the queue is short");
            let connect = timeout(NEVER, UnixStream::connect(folder.socket()));
            match connect.await.expect("a connect by a path never waits") {
                Ok(client) => clients.push(client),
                Err(error) => break error,
            }
        };
        let full = if cfg!(target_os = "linux") {
            libc::EAGAIN
        } else {
            libc::ECONNREFUSED
        };
        assert_eq!(error.raw_os_error(), Some(full));
        // Each of the others is a connection, and there is room again.
        for client in &clients {
            client.write_all(b"x").await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 1);
        }
        UnixStream::connect(folder.socket()).await.unwrap();
    });
}

fn hz_d13_a_path_that_no_socket_can_have_is_refused(on: On) {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new(on);
    let max = if cfg!(target_os = "linux") { 107 } else { 103 };
    let long = |len: usize| {
        folder
            .0
            .join("x".repeat(len - folder.0.as_os_str().len() - 1))
    };
    let nul = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    on.run(async {
        let fits = UnixListener::bind(long(max)).unwrap();
        assert_eq!(fits.local_addr().unwrap().as_pathname().unwrap(), long(max));
        UnixStream::connect(long(max)).await.unwrap();
        for (path, complaint) in [
            (
                long(max + 1),
                format!("has {} bytes, and this system takes {max}", max + 1),
            ),
            (long(5000), "has 5000 bytes".to_string()),
            (PathBuf::new(), "is empty".to_string()),
            (nul(b"\0abstract"), "has a NUL in it".to_string()),
            (nul(b"/tmp/a\0b"), "has a NUL in it".to_string()),
        ] {
            for error in [
                UnixListener::bind(&path).unwrap_err(),
                UnixStream::connect(&path).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(&complaint), "{error}");
            }
        }
        let unnamed = SocketAddr::from_pathname("").unwrap();
        let error = UnixListener::bind_addr(&unnamed).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    });
}

fn hz_d13_names_are_what_they_were_bound_to(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let (left, right) = UnixStream::pair().unwrap();
        for end in [&left, &right] {
            assert!(end.local_addr().unwrap().is_unnamed());
            assert!(end.peer_addr().unwrap().is_unnamed());
        }
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let client = UnixStream::connect(folder.socket()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        for addr in [client.peer_addr(), server.local_addr()] {
            assert_eq!(addr.unwrap().as_pathname().unwrap(), folder.socket());
        }
        assert!(server.peer_addr().unwrap().is_unnamed());
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            for name in [
                format!("ms-{}-{}", std::process::id(), on.test),
                "\0odd\0".into(),
            ] {
                let name = format!("{name}{}", on.name());
                let addr = SocketAddr::from_abstract_name(&name).unwrap();
                let listener = UnixListener::bind_addr(&addr).unwrap();
                let client = UnixStream::connect_addr(&addr).await.unwrap();
                listener.accept().await.unwrap();
                for told in [listener.local_addr(), client.peer_addr()] {
                    assert_eq!(told.unwrap().as_abstract_name(), Some(name.as_bytes()));
                }
            }
        }
    });
}

/// Linux takes a path that fills its field, without a NUL at the end.
fn hz_d13_a_peer_with_a_name_of_full_length_is_accepted(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let longest = if cfg!(target_os = "linux") { 108 } else { 103 };
        for len in [80, longest - 2, longest - 1, longest] {
            let name = "x".repeat(len - folder.0.as_os_str().len() - 1);
            let path = folder.0.join(name);
            let peer = rustix::net::socket(
                rustix::net::AddressFamily::UNIX,
                rustix::net::SocketType::STREAM,
                None,
            );
            let peer = peer.unwrap();
            rustix::net::bind(&peer, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
            let addr = rustix::net::SocketAddrUnix::new(folder.socket()).unwrap();
            rustix::net::connect(&peer, &addr).unwrap();
            let (server, from) = listener.accept().await.unwrap();
            assert_eq!(from.as_pathname(), Some(&*path), "{len} bytes");
            assert_eq!(server.peer_addr().unwrap().as_pathname(), Some(&*path));
        }
    });
}

fn hz_d13_an_unlinked_listener_goes_on_with_whom_it_knows(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let early = UnixStream::connect(folder.socket()).await.unwrap();
        std::fs::remove_file(folder.socket()).unwrap();
        let error = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let (server, _) = listener.accept().await.unwrap();
        early.write_all(b"x").await.unwrap();
        assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 1);
        // Another one takes the name, and the first is not in its way.
        let _second = UnixListener::bind(folder.socket()).unwrap();
        assert_eq!(
            listener.local_addr().unwrap().as_pathname().unwrap(),
            folder.socket()
        );
    });
}
