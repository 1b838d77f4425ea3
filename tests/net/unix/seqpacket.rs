//! Unix sockets of records: each send is one receive, and the end is told.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use mainspring::net::{UnixSeqpacket, UnixSeqpacketListener, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::spawn;

use super::Folder;
use crate::rig::{On, pattern, small_buffers, turns};

on_both! {
    records_keep_their_borders_and_the_end_is_told,
    an_empty_record_is_refused,
    a_listener_of_records_accepts_and_gives_names,
    records_wait_for_room,
    what_is_of_another_kind_is_refused,
    where_there_are_no_records_it_is_said,
}

/// Not every system has them; then there is nothing to test.
fn pair() -> Option<(UnixSeqpacket, UnixSeqpacket)> {
    match UnixSeqpacket::pair() {
        Ok(pair) => Some(pair),
        Err(error) => {
            let wanted = (ErrorKind::Unsupported, false);
            assert_eq!((error.kind(), cfg!(target_os = "linux")), wanted);
            None
        }
    }
}

fn records_keep_their_borders_and_the_end_is_told(on: On) {
    on.run(async {
        let Some((near, far)) = pair() else { return };
        for len in [3, 1, 5000] {
            assert_eq!(far.send(&pattern(len)).await.unwrap(), len);
        }
        far.shutdown(Shutdown::Write).unwrap();
        let mut buf = vec![0; 4096];
        for (len, is_truncated) in [(3, false), (1, false), (4096, true), (0, false), (0, false)] {
            let taken = near.recv(&mut buf).await.unwrap();
            assert_eq!((taken.len, taken.is_truncated()), (len, is_truncated));
            assert_eq!(buf[..len], pattern(len)[..]);
        }
        // The other direction goes on.
        near.send(b"yes").await.unwrap();
        assert_eq!(far.peek(&mut buf).await.unwrap().len, 3);
        assert_eq!(far.try_recv(&mut buf).unwrap().len, 3);
        drop(near);
        assert_eq!(far.recv(&mut buf).await.unwrap().len, 0);
        let error = far.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

fn an_empty_record_is_refused(on: On) {
    on.run(async {
        let Some((near, far)) = pair() else { return };
        for error in [
            far.send(b"").await.unwrap_err(),
            far.try_send(b"").unwrap_err(),
            far.send_with_fds(b"", &[]).await.unwrap_err(),
            far.try_send_with_fds(b"", &[]).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(
                error
                    .to_string()
                    .contains("would take an empty record for the end")
            );
        }
        let error = near.try_recv(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

fn a_listener_of_records_accepts_and_gives_names(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        if pair().is_none() {
            return;
        }
        let listener = UnixSeqpacketListener::bind(folder.socket()).unwrap();
        let listener = UnixSeqpacketListener::from_fd(listener.into_fd()).unwrap();
        let accept = spawn(async move { listener.accept().await.unwrap() });
        turns(2).await;
        let client = UnixSeqpacket::connect(folder.socket()).await.unwrap();
        let (server, from) = accept.await.unwrap();
        assert!(from.is_unnamed());
        for addr in [client.peer_addr(), server.local_addr()] {
            assert_eq!(addr.unwrap().as_pathname().unwrap(), folder.socket());
        }
        client.send(b"one").await.unwrap();
        client.send(b"two").await.unwrap();
        assert_eq!(server.recv(&mut [0; 16]).await.unwrap().len, 3);
        let error = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert!(
            [libc::EPROTOTYPE, libc::ECONNREFUSED].contains(&error.raw_os_error().unwrap()),
            "{error}"
        );
        let client = UnixSeqpacket::from_fd(client.into_fd()).unwrap();
        client.send(b"three").await.unwrap();
    });
}

fn records_wait_for_room(on: On) {
    on.sim(async {
        let Some((near, far)) = pair() else { return };
        small_buffers(&near, 1 << 14);
        small_buffers(&far, 1 << 14);
        let sender = spawn(async move {
            for number in 0..200_u8 {
                near.send(&[number; 1000]).await.unwrap();
            }
        });
        turns(3).await;
        assert!(!sender.is_finished());
        let mut buf = [0; 1024];
        for number in 0..200 {
            assert_eq!(far.recv(&mut buf).await.unwrap().len, 1000);
            assert_eq!(buf[999], number);
        }
        assert_eq!(far.recv(&mut buf).await.unwrap().len, 0);
        sender.await.unwrap();
    });
}

fn what_is_of_another_kind_is_refused(on: On) {
    on.run(async {
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let error = UnixSeqpacket::from_fd(OwnedFd::from(stream)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("not of the kind Seqpacket"),
            "{error}"
        );
    });
}

fn where_there_are_no_records_it_is_said(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let plan = || {
            let fault = Fault::Errno(libc::EPROTONOSUPPORT);
            Plan::new().at(Call::Socket, 1, fault).install()
        };
        for attempt in 0..3 {
            let _guard = plan();
            let error = match attempt {
                0 => UnixSeqpacket::pair().map(drop),
                1 => UnixSeqpacketListener::bind(folder.socket()).map(drop),
                _ => UnixSeqpacket::connect(folder.socket()).await.map(drop),
            };
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("SOCK_SEQPACKET"), "{error}");
        }
        let _guard = plan();
        let error = UnixStream::pair().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPROTONOSUPPORT));
    });
}
