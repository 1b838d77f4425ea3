//! Who is at the other end.

use std::io::ErrorKind;

use mainspring::net::{Credentials, UnixDatagram, UnixListener, UnixSeqpacket, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan};

use super::Folder;
use crate::rig::On;

on_both! {
    the_peer_of_each_kind_of_socket_is_this_process,
    who_sent_each_message_is_told_if_asked_for,
    who_can_t_be_told_of_is_an_error,
}

fn is_me(known: Credentials) {
    assert_eq!(known.uid, rustix::process::geteuid().as_raw());
    assert_eq!(known.gid, rustix::process::getegid().as_raw());
    let me = i32::try_from(std::process::id()).unwrap();
    assert!(known.pid == Some(me) || known.pid.is_none() && !cfg!(target_os = "linux"));
}

fn the_peer_of_each_kind_of_socket_is_this_process(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        is_me(near.peer_cred().unwrap());
        is_me(far.peer_cred().unwrap());
        if let Ok((near, _far)) = UnixSeqpacket::pair() {
            is_me(near.peer_cred().unwrap());
        }
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let client = UnixStream::connect(folder.socket()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        is_me(client.peer_cred().unwrap());
        is_me(server.peer_cred().unwrap());
        drop(client);
        is_me(server.peer_cred().unwrap());
    });
}

fn who_sent_each_message_is_told_if_asked_for(on: On) {
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        if let Err(error) = near.set_pass_credentials(true) {
            let wanted = (ErrorKind::Unsupported, false);
            assert_eq!((error.kind(), cfg!(target_os = "linux")), wanted);
            return;
        }
        let mut buf = [0; 16];
        far.write_all(b"x").await.unwrap();
        let with = near.recv_with_fds(&mut buf, 0).await.unwrap();
        is_me(with.credentials.unwrap());
        // Beside descriptors, whose room is not taken by them.
        let fds = [rustix::fd::AsFd::as_fd(&near); 3];
        far.send_with_fds(b"x", &fds).await.unwrap();
        let with = near.recv_with_fds(&mut buf, 3).await.unwrap();
        is_me(with.credentials.unwrap());
        assert_eq!((with.fds.len(), with.are_fds_truncated), (3, false));
        // A plain read goes on working.
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read(&mut buf).await.unwrap(), 1);
        near.set_pass_credentials(false).unwrap();
        far.write_all(b"x").await.unwrap();
        let with = near.recv_with_fds(&mut buf, 1).await.unwrap();
        assert_eq!(with.credentials, None);

        let (near, far) = UnixDatagram::pair().unwrap();
        near.set_pass_credentials(true).unwrap();
        far.send(b"x").await.unwrap();
        let with = near.recv_with_fds(&mut buf, 1).await.unwrap();
        is_me(with.credentials.unwrap());
        assert!(!with.are_fds_truncated);
    });
}

fn who_can_t_be_told_of_is_an_error(on: On) {
    on.run(async {
        let alone = UnixDatagram::unbound().unwrap();
        let error = alone.peer_cred().unwrap_err();
        assert!(
            [ErrorKind::NotConnected, ErrorKind::InvalidInput].contains(&error.kind()),
            "{error}"
        );
        let (near, _far) = UnixStream::pair().unwrap();
        let _guard = Plan::new()
            .at(Call::SocketOption, 1, Fault::Errno(libc::EINTR))
            .at(Call::SocketOption, 3, Fault::Errno(libc::ENOPROTOOPT))
            .install();
        is_me(near.peer_cred().unwrap());
        let error = near.peer_cred().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOPROTOOPT));
    });
}
