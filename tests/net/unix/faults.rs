//! Every system call of Unix sockets, made to fail at the first, the third and every time: each error is told
//! once, nothing is lost, and no descriptor leaks.

use std::io;
use std::os::fd::AsFd as _;

use mainspring::net::{
    UnixBind, UnixDatagram, UnixListener, UnixSeqpacket, UnixSeqpacketListener, UnixStream,
};
use mainspring::sim::fault::{Call, Fault, Plan};

use super::Folder;
use crate::rig::{On, open_fds};

on_both! {
    hz_d14_each_error_of_a_message_is_told_and_loses_nothing,
    each_error_of_a_socket_that_is_made_leaks_nothing,
    an_interrupted_call_is_made_again,
}

/// How often a message goes to and fro.
const ROUNDS: usize = 6;

const OF_SENDS: &[i32] = &[
    libc::EACCES,
    libc::EBADF,
    libc::ECONNREFUSED,
    libc::ECONNRESET,
    libc::EDESTADDRREQ,
    libc::EFAULT,
    libc::EINVAL,
    libc::EISCONN,
    libc::EMSGSIZE,
    libc::ENOMEM,
    libc::ENOTCONN,
    libc::ENOTSOCK,
    libc::EOPNOTSUPP,
    libc::EPERM,
    libc::EPIPE,
    libc::ETOOMANYREFS,
];
const OF_RECEIVES: &[i32] = &[
    libc::EBADF,
    libc::ECONNREFUSED,
    libc::ECONNRESET,
    libc::EFAULT,
    libc::EINVAL,
    libc::EMSGSIZE,
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::ENOTCONN,
    libc::ENOTSOCK,
];

/// Errors that came, each of which must be the one of the plan.
struct Told {
    errno: i32,
    count: u64,
}

impl Told {
    /// Makes the call until it succeeds, or for good fails every time.
    async fn until_done<T>(&mut self, call: impl AsyncFn() -> io::Result<T>) -> Option<T> {
        for _ in 0..4 {
            match call().await {
                Ok(value) => return Some(value),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(self.errno));
                    self.count += 1;
                }
            }
        }
        None
    }
}

/// Passes messages of all kinds, on a plan in which `call` fails.
async fn pass(call: Call, errno: i32, first: u64, times: u64) {
    let null = std::fs::File::open("/dev/null").unwrap();
    let (near, far) = UnixDatagram::pair().unwrap();
    let (left, right) = UnixStream::pair().unwrap();
    let fds = [null.as_fd()];
    let fault = Fault::Errno(errno);
    let guard = Plan::new().from(call, first, times, fault).install();
    let mut told = Told { errno, count: 0 };
    let is_for_ever = times > 100;
    for round in 0..ROUNDS {
        let bytes = [u8::try_from(round).unwrap(); 9];
        let sent = told.until_done(async || far.send(&bytes).await).await;
        let passed = told
            .until_done(async || right.send_with_fds(&bytes, &fds).await)
            .await;
        let with = told
            .until_done(async || far.send_with_fds(&bytes, &fds).await)
            .await;
        if is_for_ever && matches!(call, Call::Send | Call::SendMsg) {
            let failed = if call == Call::Send {
                sent
            } else {
                passed.or(with)
            };
            assert_eq!(failed, None);
            continue;
        }
        assert_eq!((sent, passed, with), (Some(9), Some(9), Some(9)));
        let receive = async || {
            let mut buf = [0; 16];
            let len = near.recv(&mut buf).await?.len;
            Ok((len, buf[0]))
        };
        let receive_with = async || {
            let mut buf = [0; 16];
            let with = left.recv_with_fds(&mut buf, 2).await?;
            assert_eq!((with.fds.len(), with.are_fds_truncated), (1, false));
            Ok((with.len, buf[0]))
        };
        let received = told.until_done(receive).await;
        let again = told.until_done(receive).await;
        let passed = told.until_done(receive_with).await;
        if is_for_ever {
            assert_eq!((received, again, passed), (None, None, None));
            continue;
        }
        let whole = Some((9, bytes[0]));
        assert_eq!((received, again, passed), (whole, whole, whole));
    }
    drop(guard);
    if is_for_ever {
        assert!(told.count >= 4);
    } else {
        assert_eq!(told.count, times, "each error is told once");
    }
}

fn hz_d14_each_error_of_a_message_is_told_and_loses_nothing(on: On) {
    on.alone(|| {
        let before = open_fds();
        on.run(async {
            let table = [
                (Call::Send, OF_SENDS),
                (Call::SendMsg, OF_SENDS),
                (Call::RecvMsg, OF_RECEIVES),
            ];
            for (call, errnos) in table {
                for errno in errnos {
                    for (first, times) in [(1, 1), (3, 1), (2, 3), (1, u64::MAX)] {
                        pass(call, *errno, first, times).await;
                    }
                }
            }
        });
        assert_eq!(open_fds(), before);
    });
}

/// What can go wrong before the first message.
const OF_MAKING: [(Call, &[i32]); 6] = [
    (
        Call::Socket,
        &[
            libc::EACCES,
            libc::EAFNOSUPPORT,
            libc::EINVAL,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
        ],
    ),
    (
        Call::Bind,
        &[
            libc::EACCES,
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::EINVAL,
            libc::ELOOP,
            libc::ENAMETOOLONG,
            libc::ENOENT,
            libc::ENOMEM,
            libc::ENOTDIR,
            libc::EROFS,
        ],
    ),
    (
        Call::Listen,
        &[libc::EADDRINUSE, libc::EINVAL, libc::EOPNOTSUPP],
    ),
    (
        Call::Connect,
        &[
            libc::EACCES,
            libc::EAGAIN,
            libc::ECONNREFUSED,
            libc::ENOENT,
            libc::EPERM,
            libc::EPROTOTYPE,
        ],
    ),
    (Call::Accept, &[libc::EPERM, libc::EPROTO, libc::EINVAL]),
    (
        Call::SocketFile,
        &[
            libc::EACCES,
            libc::ENOENT,
            libc::EPERM,
            libc::EROFS,
            libc::EIO,
        ],
    ),
];

/// Makes one socket of each kind, as far as it comes; says what failed.
async fn make(folder: &Folder) -> Vec<io::Error> {
    let path = folder.socket();
    let addr = std::os::unix::net::SocketAddr::from_pathname(&path).unwrap();
    let mut errors = Vec::new();
    let mut note = |result: io::Result<()>| errors.extend(result.err());
    note(UnixStream::pair().map(drop));
    note(UnixDatagram::pair().map(drop));
    note(UnixSeqpacket::pair().map(drop));
    note(UnixDatagram::unbound().map(drop));
    note(UnixDatagram::bind(&path).map(drop));
    let _ = std::fs::remove_file(&path);
    note(UnixSeqpacketListener::bind(&path).map(drop));
    let _ = std::fs::remove_file(&path);
    note(UnixBind::new(&path).mode(0o600).datagram().map(drop));
    let _ = std::fs::remove_file(&path);
    match UnixListener::bind_addr(&addr) {
        Ok(listener) => {
            note(UnixStream::connect(&path).await.map(drop));
            note(UnixSeqpacket::connect(&path).await.map(drop));
            let client = std::os::unix::net::UnixStream::connect(&path);
            note(listener.accept().await.map(drop));
            drop(client);
        }
        Err(error) => note(Err(error)),
    }
    let _ = std::fs::remove_file(&path);
    errors
}

fn each_error_of_a_socket_that_is_made_leaks_nothing(on: On) {
    on.alone(|| {
        let folder = Folder::new(on);
        let before = open_fds();
        on.run(async {
            for (call, errnos) in OF_MAKING {
                for errno in errnos {
                    for (first, times) in [(1, 1), (2, 1), (3, 1), (1, u64::MAX)] {
                        let fault = Fault::Errno(*errno);
                        let guard = Plan::new().from(call, first, times, fault).install();
                        let errors = make(&folder).await;
                        drop(guard);
                        let is_told = errors
                            .iter()
                            .any(|error| error.raw_os_error() == Some(*errno));
                        // A drop has nobody to tell; one accept has no third.
                        let is_silent = call == Call::SocketFile
                            || call == Call::Accept && first > 1
                            || matches!(call, Call::Connect | Call::Listen) && first > 2;
                        assert!(is_told || is_silent, "{call:?} {errno} {first}: {errors:?}");
                    }
                }
            }
        });
        drop(folder);
        assert_eq!(open_fds(), before);
    });
}

fn an_interrupted_call_is_made_again(on: On) {
    let folder = Folder::new(on);
    on.run(async {
        let calls = [
            Call::Socket,
            Call::Bind,
            Call::Listen,
            Call::Accept,
            Call::SocketFile,
            Call::Send,
            Call::SendMsg,
            Call::RecvMsg,
        ];
        for call in calls {
            let fault = Fault::Errno(libc::EINTR);
            let guard = Plan::new().from(call, 1, 5, fault).install();
            let errors = make(&folder).await;
            // It connects to a listener of another kind, once.
            assert_eq!(errors.len(), 1, "{call:?}: {errors:?}");
            drop(guard);
            pass(call, libc::EINTR, 1, 0).await;
            let (near, far) = UnixDatagram::pair().unwrap();
            let _guard = Plan::new().from(call, 1, 5, fault).install();
            far.send(b"x").await.unwrap();
            far.send_with_fds(b"xy", &[]).await.unwrap();
            let mut buf = [0; 4];
            assert_eq!(near.recv(&mut buf).await.unwrap().len, 1);
            assert_eq!(near.recv_with_fds(&mut buf, 1).await.unwrap().len, 2);
        }
    });
}
