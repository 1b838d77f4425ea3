//! Whatever ends at the other side, whoever waits learns of it: every kind of endpoint, every end, every
//! wait; and who has nothing to learn goes on waiting. On both backends.
//!
//! *Model.* A row is an endpoint, what happens to its other side, and what becomes of a read and of a write
//! that wait meanwhile. Each row runs three times: with a reader, with a writer, with both.
//!
//! A file of its own, because it starts processes: between fork and exec a child holds copies of all
//! descriptors, so that a close elsewhere in the process is late, and virtual time does not wait for it.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use mainspring::JoinHandle;
use mainspring::io::AsyncFd;
use mainspring::spawn;
use mainspring::time::timeout;
use rustix::net::Shutdown;

use rig::{On, nonblocking_pipe, reset_on_close, small_buffers, turns};

on_both! {
    hz_c15_pipes_and_fifos,
    hz_c15_pairs_of_unix_sockets,
    hz_c15_tcp_connections,
    hz_c15_udp_sockets,
    hz_c15_pseudoterminals,
    hz_c15_children,
}

/// Real time: what the kernel does by itself takes a moment.
const LONG: Duration = Duration::from_secs(10);

/// What becomes of a wait.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing: it goes on.
    Waits,
    /// It ends with one of these errnos; 0 is the end of the file.
    Ends(&'static [i32]),
    /// It is no wait, or cannot be made to be one.
    Absent,
}

use Fate::{Absent, Ends, Waits};

const IS_LINUX: bool = cfg!(target_os = "linux");

const END: Fate = Ends(&[0]);
const END_OR_RESET: Fate = Ends(&[0, libc::ECONNRESET]);
const BROKEN: Fate = Ends(&[libc::EPIPE]);
const BROKEN_OR_RESET: Fate = Ends(&[libc::EPIPE, libc::ECONNRESET]);

/// The near side, and what happens to the far one, which may live on in the answer.
type Ended = Box<dyn FnOnce() -> Option<OwnedFd>>;

/// A new pair, once per run.
type Make<'a> = &'a dyn Fn() -> (OwnedFd, Ended);

fn code(result: std::io::Result<usize>) -> i32 {
    match result {
        Ok(0) => 0,
        Ok(count) => panic!("{count} bytes came from nowhere"),
        Err(error) => error.raw_os_error().expect("the kernel's errno"),
    }
}

fn reader(near: &Rc<AsyncFd<OwnedFd>>) -> JoinHandle<i32> {
    let near = Rc::clone(near);
    spawn(async move {
        let mut buf = [0; 64];
        code(
            near.read_with(|fd| Ok(rustix::io::read(fd, &mut buf[..])?))
                .await,
        )
    })
}

fn writer(near: &Rc<AsyncFd<OwnedFd>>) -> JoinHandle<i32> {
    let near = Rc::clone(near);
    spawn(async move {
        loop {
            let write = near.write_with(|fd| Ok(rustix::io::write(fd, &[b'x'; 4096])?));
            if let Err(error) = write.await {
                return code(Err(error));
            }
        }
    })
}

/// Runs one row three times.
fn row(on: On, what: &str, make: Make<'_>, read: Fate, write: Fate) {
    for (reads, writes) in [(true, false), (false, true), (true, true)] {
        let mut waits = Vec::new();
        on.run(async {
            let (near, end) = make();
            let near = Rc::new(AsyncFd::new(near).unwrap());
            if reads && !matches!(read, Absent) {
                waits.push(("the reader", read, reader(&near)));
            }
            if writes && !matches!(write, Absent) {
                waits.push(("the writer", write, writer(&near)));
            }
            turns(4).await;
            for (who, _, wait) in &waits {
                assert!(!wait.is_finished(), "{what}: {who} has not waited");
            }
            let _far = end();
            for (who, fate, wait) in waits {
                let who = format!("{what}, reads {reads}, writes {writes}: {who}");
                match fate {
                    Ends(codes) => {
                        let code = timeout(LONG, wait).await;
                        let code = code.unwrap_or_else(|_| panic!("{who} hangs")).unwrap();
                        assert!(
                            codes.contains(&code),
                            "{who} got {code}, not one of {codes:?}"
                        );
                    }
                    Waits | Absent => {
                        turns(8).await;
                        assert!(!wait.is_finished(), "{who} was told of nothing");
                        wait.abort();
                    }
                }
            }
        });
    }
}

fn closes(far: OwnedFd) -> Ended {
    Box::new(|| {
        drop(far);
        None
    })
}

fn shuts(far: OwnedFd, how: Shutdown) -> Ended {
    Box::new(move || {
        rustix::net::shutdown(&far, how).unwrap();
        Some(far)
    })
}

fn hz_c15_pipes_and_fifos(on: On) {
    let pipe_reader = || {
        let (near, far) = nonblocking_pipe();
        (near, closes(far))
    };
    row(on, "a pipe's reader, closed", &pipe_reader, END, Absent);
    let pipe_writer = || {
        let (far, near) = nonblocking_pipe();
        (near, closes(far))
    };
    row(on, "a pipe's writer, closed", &pipe_writer, Absent, BROKEN);

    let name = format!("ms-fifo-{}-{}", std::process::id(), on.name());
    let path = std::env::temp_dir().join(name);
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let ends = || {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
        let reader = open(&path, flags | OFlags::RDONLY, Mode::empty()).unwrap();
        (
            reader,
            open(&path, flags | OFlags::WRONLY, Mode::empty()).unwrap(),
        )
    };
    let fifo_reader = || {
        let (near, far) = ends();
        (near, closes(far))
    };
    row(on, "a fifo's reader, closed", &fifo_reader, END, Absent);
    let fifo_writer = || {
        let (far, near) = ends();
        (near, closes(far))
    };
    row(on, "a fifo's writer, closed", &fifo_writer, Absent, BROKEN);
    std::fs::remove_file(&path).unwrap();
}

fn unix_pair() -> (OwnedFd, OwnedFd) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    small_buffers(&near, 4096);
    (near.into(), far.into())
}

fn hz_c15_pairs_of_unix_sockets(on: On) {
    let close = || {
        let (near, far) = unix_pair();
        (near, closes(far))
    };
    // Closed with something unread, Linux says reset.
    row(on, "a pair, closed", &close, END_OR_RESET, BROKEN_OR_RESET);
    for (how, read, write) in [
        (Shutdown::Write, END, Waits),
        // Linux reports room, and only room, to a writer; that nobody listens, his next write tells.
        (Shutdown::Read, Waits, if IS_LINUX { Waits } else { BROKEN }),
        (Shutdown::Both, END, BROKEN),
    ] {
        let shut = || {
            let (near, far) = unix_pair();
            (near, shuts(far, how))
        };
        row(on, &format!("a pair, shut {how:?}"), &shut, read, write);
    }
}

fn tcp_pair() -> (OwnedFd, OwnedFd) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    small_buffers(&listener, 4096);
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    small_buffers(&near, 4096);
    (near.into(), far.into())
}

fn hz_c15_tcp_connections(on: On) {
    let close = || {
        let (near, far) = tcp_pair();
        (near, closes(far))
    };
    // Closed with something unread is a reset.
    row(on, "tcp, closed", &close, END_OR_RESET, BROKEN_OR_RESET);
    let reset = || {
        let (near, far) = tcp_pair();
        reset_on_close(&far);
        (near, closes(far))
    };
    row(on, "tcp, reset", &reset, END_OR_RESET, BROKEN_OR_RESET);
    // TCP tells nobody that his peer has stopped to listen, and a full window stays full.
    for (how, read) in [
        (Shutdown::Write, END),
        (Shutdown::Read, Waits),
        (Shutdown::Both, END),
    ] {
        let shut = || {
            let (near, far) = tcp_pair();
            (near, shuts(far, how))
        };
        row(on, &format!("tcp, shut {how:?}"), &shut, read, Waits);
    }
}

/// Two sockets, connected to each other. The port of the second is none that a system gives out by itself (Linux from
/// 32768, others mostly from 49152), or a stranger might have it as soon as it is closed.
fn udp_pair() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let first = (std::process::id() % 10_000) as u16;
    let ports = (first..10_000).chain(0..first).map(|port| 20_000 + port);
    let far = ports.filter_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
    let far = { far }.next().expect("one of ten thousand ports is free");
    near.connect(far.local_addr().unwrap()).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

/// There is no end in UDP; what there is, is that nobody is there any more.
fn hz_c15_udp_sockets(on: On) {
    const REFUSED: Fate = Ends(&[libc::ECONNREFUSED]);
    let close = || {
        let (near, far) = udp_pair();
        let sender = near.try_clone().unwrap();
        let end: Ended = Box::new(move || {
            drop(far);
            sender.send(b"anybody?").unwrap();
            None
        });
        (OwnedFd::from(near), end)
    };
    row(on, "udp, closed and asked", &close, REFUSED, Absent);
    let silent = || {
        let (near, far) = udp_pair();
        (OwnedFd::from(near), closes(far.into()))
    };
    row(on, "udp, closed in silence", &silent, Waits, Absent);
    // On Linux a read that must not wait says EAGAIN all the same.
    let shut_read = if IS_LINUX { Waits } else { END };
    for how in [Shutdown::Read, Shutdown::Both] {
        let shut = || {
            let (near, _far) = udp_pair();
            let same = OwnedFd::from(near.try_clone().unwrap());
            (OwnedFd::from(near), shuts(same, how))
        };
        row(on, &format!("udp, shut {how:?}"), &shut, shut_read, Absent);
    }
}

/// The side that makes a terminal, and the side that a program sees.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
fn pseudoterminal() -> (OwnedFd, OwnedFd) {
    use std::os::fd::AsFd;

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let maker = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&maker).unwrap();
    unlockpt(&maker).unwrap();
    let name = ptsname(&maker, Vec::new()).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    for end in [maker.as_fd(), terminal.as_fd()] {
        rustix::io::ioctl_fionbio(end, true).unwrap();
    }
    (maker, terminal)
}

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
fn hz_c15_pseudoterminals(on: On) {
    const GONE: Fate = Ends(&[0, libc::EIO]);
    let program_ends = || {
        let (near, far) = pseudoterminal();
        (near, closes(far))
    };
    row(
        on,
        "a terminal's maker, closed",
        &program_ends,
        GONE,
        Absent,
    );
    let maker_ends = || {
        let (far, near) = pseudoterminal();
        (near, closes(far))
    };
    row(
        on,
        "a terminal, closed",
        &maker_ends,
        GONE,
        Ends(&[libc::EIO]),
    );
}

/// Elsewhere there is no safe `ptsname`.
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
fn hz_c15_pseudoterminals(_on: On) {}

/// The descriptor of a child is readable when the child has ended; it is never read.
#[cfg(target_os = "linux")]
fn hz_c15_children(on: On) {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    on.run(async {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let fd = Rc::new(AsyncFd::new(pidfd_open(pid, PidfdFlags::empty()).unwrap()).unwrap());
        let waits =
            [Rc::clone(&fd), fd].map(|fd| spawn(async move { fd.readable().await.map(drop) }));
        turns(4).await;
        assert!(waits.iter().all(|wait| !wait.is_finished()), "it lives");
        child.kill().unwrap();
        for wait in waits {
            timeout(LONG, wait)
                .await
                .expect("nobody hangs")
                .unwrap()
                .unwrap();
        }
        child.wait().unwrap();
    });
}

#[cfg(not(target_os = "linux"))]
fn hz_c15_children(_on: On) {}
