//! Listeners without descriptors: nobody is lost in a short want, and everybody is told in a long one.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use mainspring::net::{TcpListener, TcpStream, UnixListener};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::spawn;
use mainspring::time::{now, sleep, timeout};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::rig::{On, both, listener, open_fds};

on_both! {
    p46_hz_d01_who_waits_longer_than_two_seconds_without_a_descriptor_is_told,
    p46_hz_d01_a_want_that_passes_within_two_seconds_loses_nobody,
    p46_hz_d01_a_flood_that_is_refused_leaves_room_for_others,
    p46_hz_d01_a_unix_listener_tells_its_peers_too,
    p46_hz_d01_accept_outlasts_whatever_else_fails_meanwhile,
    hz_d19_a_listener_that_was_shut_ends_its_accepts_with_an_error,
    hz_d19_an_accept_outlives_no_listener_that_left_its_loop,
}

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);

/// Lets no descriptor be opened while it lives.
pub(crate) struct Limit(rustix::process::Rlimit);

impl Limit {
    pub(crate) fn reached() -> Limit {
        let before = getrlimit(Resource::Nofile);
        // The next descriptor would have the lowest number that is free.
        let probe = std::fs::File::open("/dev/null").unwrap();
        let lowest = std::os::fd::AsRawFd::as_raw_fd(&probe) as u64;
        drop(probe);
        let mut lowered = before;
        lowered.current = Some(lowest);
        setrlimit(Resource::Nofile, lowered).unwrap();
        Limit(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

fn p46_hz_d01_who_waits_longer_than_two_seconds_without_a_descriptor_is_told(on: On) {
    on.alone(|| {
        on.sim(async {
            let listener = listener();
            let addr = listener.local_addr().unwrap();
            let mut clients: Vec<_> = (0..3)
                .map(|_| std::net::TcpStream::connect(addr).unwrap())
                .collect();
            let limit = Limit::reached();
            let _guard = Plan::new().install();
            let start = now();
            let accept = timeout(Duration::from_millis(1950), listener.accept());
            assert!(accept.await.is_err());
            assert_eq!(listener.refused_count(), 0, "a short want refuses nobody");
            clients[0].set_nonblocking(true).unwrap();
            assert!(clients[0].read(&mut [0; 1]).is_err(), "and closes nothing");
            clients[0].set_nonblocking(false).unwrap();
            let accept = timeout(Duration::from_millis(1000), listener.accept());
            assert!(accept.await.is_err());
            assert!(now() - start < Duration::from_secs(4));
            assert_eq!(listener.refused_count(), 3);
            for client in &mut clients {
                assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "it is told");
            }
            let (waits, accepts) = (count_of(Call::Wait), count_of(Call::Accept));
            assert!(waits < 100 && accepts < 60, "no spin: {waits}, {accepts}");
            drop(limit);
            let client = std::net::TcpStream::connect(addr).unwrap();
            let (_server, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert_eq!(listener.refused_count(), 3);
        });
    });
}

fn p46_hz_d01_a_want_that_passes_within_two_seconds_loses_nobody(on: On) {
    on.alone(|| {
        on.sim(async {
            let listener = listener();
            let addr = listener.local_addr().unwrap();
            // Three wants of 1.8 seconds, with a success in between: none of them is a long one.
            for _ in 0..3 {
                let mut client = std::net::TcpStream::connect(addr).unwrap();
                let limit = Limit::reached();
                let lift = async {
                    sleep(Duration::from_millis(1800)).await;
                    drop(limit);
                };
                let (accepted, ()) = both(listener.accept(), lift).await;
                accepted.unwrap().0.write_all(b"hello").await.unwrap();
                client.read_exact(&mut [0; 5]).unwrap();
            }
            assert_eq!(listener.refused_count(), 0);
            assert!(listener.exhausted_count() >= 3 * 18);
        });
    });
}

fn p46_hz_d01_a_flood_that_is_refused_leaves_room_for_others(on: On) {
    const FLOOD: usize = 200;
    on.alone(|| {
        on.sim(async {
            let (listener, other) = (listener(), listener());
            let addr = listener.local_addr().unwrap();
            let (near, mut far) = crate::rig::std_tcp_pair();
            let clients: Vec<_> = (0..FLOOD)
                .map(|_| std::net::TcpStream::connect(addr).unwrap())
                .collect();
            let accept = spawn(async move {
                let accepted = timeout(Duration::from_secs(4), listener.accept()).await;
                assert!(accepted.is_err());
                listener.refused_count()
            });
            let limit = Limit::reached();
            // A connection that is there is served, and a timer ticks, while others are refused.
            let mut buf = [0; 1];
            for _ in 0..30 {
                far.write_all(b"x").unwrap();
                let read = timeout(NEVER, near.read(&mut buf)).await;
                assert_eq!(read.unwrap().unwrap(), 1);
                sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(accept.await.unwrap(), FLOOD as u64);
            drop(limit);
            for mut client in clients {
                assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            }
            drop(other);
        });
    });
}

fn p46_hz_d01_a_unix_listener_tells_its_peers_too(on: On) {
    on.alone(|| {
        let name = format!("mainspring-short-{}-{}", std::process::id(), on.name());
        let path = std::env::temp_dir().join(name);
        let _gone = std::fs::remove_file(&path);
        on.sim(async {
            let listener = UnixListener::bind(&path).unwrap();
            let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
            let limit = Limit::reached();
            let accept = timeout(Duration::from_secs(3), listener.accept());
            assert!(accept.await.is_err());
            assert_eq!(listener.refused_count(), 1);
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            drop(limit);
            let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
            listener.accept().await.unwrap();
        });
    });
}

/// Whichever call of the refusal fails, whenever: no spin, no leak, and the next accept works.
fn p46_hz_d01_accept_outlasts_whatever_else_fails_meanwhile(on: On) {
    on.alone(|| {
        on.sim(async {
            let listener = listener();
            let addr = listener.local_addr().unwrap();
            let before = open_fds();
            for errno in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
                let client = std::net::TcpStream::connect(addr).unwrap();
                let _guard = Plan::new()
                    .from(Call::Accept, 1, u64::MAX, Fault::Errno(errno))
                    .from(Call::OpenReserve, 1, 7, Fault::Errno(errno))
                    .install();
                let accept = timeout(Duration::from_secs(10), listener.accept());
                assert!(accept.await.is_err());
                let (waits, accepts) = (count_of(Call::Wait), count_of(Call::Accept));
                assert!(waits < 400 && accepts < 220, "{waits}, {accepts}");
                let opens = count_of(Call::OpenReserve);
                // Memory is not what a descriptor can help with.
                let is_reserve_used = [libc::EMFILE, libc::ENFILE].contains(&errno);
                assert_eq!(opens > 7, is_reserve_used, "{opens}");
                assert_eq!(listener.refused_count(), 0, "nobody could be taken");
                let _guard = Plan::new().install();
                let (server, _) = listener.accept().await.unwrap();
                drop((server, client));
                assert_eq!(open_fds(), before);
            }
        });
    });
}

fn shut(listener: &TcpListener) {
    rustix::net::shutdown(listener, rustix::net::Shutdown::Both).unwrap();
}

fn hz_d19_a_listener_that_was_shut_ends_its_accepts_with_an_error(on: On) {
    if !cfg!(target_os = "linux") {
        return; // Elsewhere a listener can't be shut, ENOTCONN.
    }
    on.sim(async {
        let listener = std::rc::Rc::new(listener());
        let accepts = [0; 2].map(|_| {
            let listener = std::rc::Rc::clone(&listener);
            spawn(async move { listener.accept().await.map(drop) })
        });
        crate::rig::turns(2).await;
        shut(&listener);
        for accept in accepts {
            let accepted = timeout(NEVER, accept).await.expect("no accept hangs");
            let error = accepted.unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        }
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "again and again");
    });
}

fn hz_d19_an_accept_outlives_no_listener_that_left_its_loop(on: On) {
    // The loop goes while the listener stays: an accept says so, and hangs nowhere.
    let listener = listener();
    let accept = async {
        let accept = timeout(Duration::from_millis(1), listener.accept());
        assert!(accept.await.is_err());
    };
    on.sim(accept);
    let error = on.sim(async { listener.accept().await }).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "{error}");
    // Given back and adopted again it accepts, in a loop that was made since.
    let listener = TcpListener::from_std(listener.into_std()).unwrap();
    let addr = listener.local_addr().unwrap();
    on.sim(async {
        let (client, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
    });
    // And a port that was let go can be bound anew at once, while an address that is held can't.
    let held = TcpListener::bind(addr).unwrap_err();
    assert_eq!(held.kind(), std::io::ErrorKind::AddrInUse);
    drop(listener);
    // Unless a stranger took it in between: then another one can.
    let bound = TcpListener::bind(addr);
    let is_free = bound.is_ok() || (0..20).any(|_| is_free_when_let_go(on));
    assert!(is_free, "{bound:?}");
}

/// Whether a port that had a connection can be bound as soon as its listener is gone.
fn is_free_when_let_go(on: On) -> bool {
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    on.sim(async {
        let (client, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
        drop((client.unwrap(), accepted.unwrap()));
    });
    drop(listener);
    TcpListener::bind(addr).is_ok()
}
