//! The files of Unix sockets: their end, their mode, and those that are there already.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use mainspring::net::{UnixBind, UnixDatagram, UnixListener, UnixSeqpacketListener, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan};

use super::Folder;
use crate::rig::On;

on_both! {
    p50_hz_d13_a_socket_s_file_goes_with_it_and_nobody_else_s,
    hz_d13_a_relative_path_is_removed_from_anywhere,
    hz_d13_a_file_goes_if_listening_fails,
    hz_d13_a_file_that_can_t_be_removed_makes_no_noise,
    p50_hz_d13_a_stale_file_makes_room_and_nothing_else,
    a_stale_file_of_each_kind_makes_room,
    what_goes_wrong_while_a_stale_file_is_looked_at_is_told,
    the_mode_of_a_file_is_what_was_asked_for,
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn p50_hz_d13_a_socket_s_file_goes_with_it_and_nobody_else_s(on: On) {
    let folder = Folder::new(on);
    let path = folder.socket();
    on.run(async {
        drop(UnixListener::bind(&path).unwrap());
        assert!(!exists(&path), "a listener's");
        drop(UnixDatagram::bind(&path).unwrap());
        assert!(!exists(&path), "a datagram socket's");
        if let Ok(listener) = UnixSeqpacketListener::bind(&path) {
            drop(listener);
            assert!(!exists(&path), "a listener's for records");
        }
        let addr = std::os::unix::net::SocketAddr::from_pathname(&path).unwrap();
        drop(UnixListener::bind_addr(&addr).unwrap());
        assert!(!exists(&path), "a listener's by its address");

        // Somebody else's file is there by now.
        let listener = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(listener);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        // Another listener's, even of this process.
        let first = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = UnixListener::bind(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).await.unwrap();
        second.accept().await.unwrap();

        // Given away, adopted, or told to stay: it stays.
        let std_listener = second.into_std();
        assert!(exists(&path));
        let mut adopted = UnixListener::from_std(std_listener).unwrap();
        adopted.keep_file();
        drop(adopted);
        assert!(exists(&path));
        fs::remove_file(&path).unwrap();
        let mut kept = UnixListener::bind(&path).unwrap();
        kept.keep_file();
        drop(kept);
        assert!(exists(&path));
        fs::remove_file(&path).unwrap();
        drop(UnixBind::new(&path).keep_file(true).datagram().unwrap());
        assert!(exists(&path));
    });
}

fn hz_d13_a_relative_path_is_removed_from_anywhere(on: On) {
    on.alone(|| {
        let folder = Folder::new(on);
        on.run(async {
            std::env::set_current_dir(&folder.0).unwrap();
            let listener = UnixListener::bind("s").unwrap();
            std::env::set_current_dir("/").unwrap();
            drop(listener);
            assert!(!exists(&folder.socket()));
        });
    });
}

fn hz_d13_a_file_goes_if_listening_fails(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let _guard = Plan::new()
            .at(Call::Listen, 1, Fault::Errno(libc::EADDRINUSE))
            .install();
        let bind = UnixBind::new(folder.socket()).keep_file(true);
        let error = bind.listen().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        assert!(!exists(&folder.socket()));
    });
}

fn hz_d13_a_file_that_can_t_be_removed_makes_no_noise(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        for nth in [1, 2] {
            let listener = UnixListener::bind(folder.socket()).unwrap();
            let guard = Plan::new()
                .at(Call::SocketFile, nth, Fault::Errno(libc::EACCES))
                .install();
            drop(listener);
            drop(guard);
            assert!(exists(&folder.socket()));
            fs::remove_file(folder.socket()).unwrap();
        }
        // An interrupted one is made again.
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let _guard = Plan::new()
            .from(Call::SocketFile, 1, 3, Fault::Errno(libc::EINTR))
            .install();
        drop(listener);
        assert!(!exists(&folder.socket()));
    });
}

fn p50_hz_d13_a_stale_file_makes_room_and_nothing_else(on: On) {
    let folder = Folder::new(on);
    let path = folder.socket();
    let bind = || UnixBind::new(&path).replace_stale(true).listen();
    on.run(async {
        // There is none.
        drop(bind().unwrap());
        // There is one, and nobody listens.
        drop(UnixBind::new(&path).keep_file(true).listen().unwrap());
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE), "not asked to");
        let listener = bind().unwrap();
        UnixStream::connect(&path).await.unwrap();
        listener.accept().await.unwrap();

        // Somebody listens: this process, and then with a queue that is full.
        let refused = |result: io::Result<UnixListener>, complaint: &str| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
            assert!(error.to_string().contains(complaint), "{error}");
            assert!(exists(&path));
        };
        refused(bind(), "somebody listens there");
        listener.accept().await.unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut clients = Vec::new();
        while let Ok(client) = UnixStream::connect(&path).await {
            clients.push(client);
            assert!(clients.len() < 10);
        }
        if cfg!(target_os = "linux") {
            refused(bind(), "somebody listens there");
        }
        drop(listener);

        // Somebody of another kind.
        let datagram = UnixDatagram::bind(&path).unwrap();
        refused(bind(), "somebody listens there");
        drop(datagram);

        // What is no socket, or only leads to one.
        fs::write(&path, "precious").unwrap();
        refused(bind(), "this is not a socket, so it was left alone");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let target = folder.0.join("target");
        drop(UnixBind::new(&target).keep_file(true).listen().unwrap());
        symlink(&target, &path).unwrap();
        refused(bind(), "this is not a socket, so it was left alone");
        assert!(exists(&target));
    });
}

fn a_stale_file_of_each_kind_makes_room(on: On) {
    let folder = Folder::new(on);
    let path = folder.socket();
    on.run(async {
        let stale = |path: &Path| drop(UnixBind::new(path).keep_file(true).listen().unwrap());
        stale(&path);
        let bind = || UnixBind::new(&path).replace_stale(true);
        let server = bind().datagram().unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"x", &path).await.unwrap();
        assert_eq!(server.recv(&mut [0; 4]).await.unwrap().len, 1);
        drop(server);
        stale(&path);
        match bind().listen_seqpacket() {
            Ok(listener) => drop(listener),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
    });
}

fn what_goes_wrong_while_a_stale_file_is_looked_at_is_told(on: On) {
    let folder = Folder::new(on);
    let path = folder.socket();
    on.run(async {
        let bind = || UnixBind::new(&path).replace_stale(true).listen();
        // In the order of the calls: lstat, socket, connect, lstat, unlink, bind.
        for (call, nth, errno) in [
            (Call::SocketFile, 1, libc::EACCES),
            (Call::Socket, 2, libc::EMFILE),
            (Call::Connect, 1, libc::EACCES),
            (Call::SocketFile, 2, libc::EACCES),
            (Call::SocketFile, 3, libc::EPERM),
        ] {
            let _ = fs::remove_file(&path);
            drop(UnixBind::new(&path).keep_file(true).listen().unwrap());
            let _guard = Plan::new().at(call, nth, Fault::Errno(errno)).install();
            let error = bind().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno), "{call:?} {nth}");
            assert!(exists(&path), "{call:?} {nth}");
        }
        // Somebody was faster.
        let _guard = Plan::new()
            .from(Call::Bind, 1, 2, Fault::Errno(libc::EADDRINUSE))
            .install();
        let error = bind().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        // It has gone just now.
        for call in [Call::SocketFile, Call::Connect] {
            let _ = fs::remove_file(&path);
            drop(UnixBind::new(&path).keep_file(true).listen().unwrap());
            let _guard = Plan::new()
                .at(call, 1, Fault::Errno(libc::ENOENT))
                .install();
            // The kernel's own bind finds it there all the same.
            let error = bind().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE), "{call:?}");
        }
    });
}

fn the_mode_of_a_file_is_what_was_asked_for(on: On) {
    let folder = Folder::new(on);
    let path = folder.socket();
    let mode = || fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
    on.run(async {
        // Below any umask, and above.
        for wanted in [0o600, 0o666, 0o777, 0o640] {
            let _listener = UnixBind::new(&path).mode(wanted).listen().unwrap();
            assert_eq!(mode(), wanted);
        }
        let _socket = UnixBind::new(&path).mode(0o622).datagram().unwrap();
        assert_eq!(mode(), 0o622);
        drop(_socket);
        let _guard = Plan::new()
            .at(Call::SocketFile, 2, Fault::Errno(libc::EPERM))
            .install();
        let error = UnixBind::new(&path).mode(0o600).listen().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(
            !exists(&path),
            "nobody listens with a mode that was not asked for"
        );
    });
}
