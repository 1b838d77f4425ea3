//! Servers: a task for each connection, and the three ways to end.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{
    DrainEnd, Server, ServerFailure, ServerHandle, TcpListener, TcpStream, UnixListener,
};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::task::CancelToken;
use mainspring::time::{now, sleep, timeout};
use mainspring::{FailurePolicy, spawn};

use crate::rig::{On, listener, open_fds, turns};

on_both! {
    p45_a_server_that_stops_accepting_lets_its_connections_end,
    p45_dropping_a_server_stops_accepting_and_nothing_else,
    p45_a_drain_tells_the_connections_and_waits_for_them,
    p45_a_drain_drops_what_is_left_at_its_deadline,
    p45_a_second_drain_moves_the_deadline,
    p45_an_abort_drops_all_connections_and_not_inside_the_call,
    p45_a_server_without_connections_ends_at_once,
    a_full_server_accepts_nobody_and_its_peers_wait,
    an_error_or_a_panic_of_one_connection_ends_no_other,
    an_accept_that_fails_is_told_and_does_not_spin,
    hz_d19_a_server_whose_last_listener_breaks_ends_with_its_error,
    hz_d16_a_flood_at_one_listener_of_a_server_leaves_room_for_another_and_for_a_timer,
    one_server_serves_both_families,
    a_unix_listener_is_served_too,
    p46_hz_d01_a_server_without_descriptors_refuses_and_goes_on,
    a_server_leaves_no_descriptor_however_it_ends,
}

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);

type Client = std::net::TcpStream;

fn house() -> (TcpListener, SocketAddr) {
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Gives back what comes, until the peer ends.
async fn echo(
    (stream, _peer): (TcpStream, SocketAddr),
    _draining: CancelToken,
) -> std::io::Result<()> {
    let mut buf = [0; 64];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            count => stream.write_all(&buf[..count]).await?,
        }
    }
}

/// The same, until the server drains.
async fn polite_echo(
    connection: (TcpStream, SocketAddr),
    draining: CancelToken,
) -> std::io::Result<()> {
    let mut buf = [0; 64];
    while let Ok(read) = draining
        .run_until_cancelled(connection.0.read(&mut buf))
        .await
    {
        match read? {
            0 => break,
            count => connection.0.write_all(&buf[..count]).await?,
        }
    }
    connection.0.write_all(b"bye").await
}

/// A client of each connection, and waits until the server has it.
async fn come(server: &ServerHandle, addr: SocketAddr) -> Client {
    let before = server.accepted_count();
    let client = Client::connect(addr).unwrap();
    // In virtual time, for an accept may be in a pause.
    while server.accepted_count() == before {
        sleep(Duration::from_millis(1)).await;
    }
    client
}

/// Asks and waits for the answer, while the loop goes on.
async fn ask(client: &mut Client) {
    client.write_all(b"tick").unwrap();
    client.set_nonblocking(true).unwrap();
    let mut buf = [0; 4];
    while client.read_exact(&mut buf).is_err() {
        turns(1).await;
    }
    client.set_nonblocking(false).unwrap();
    assert_eq!(&buf, b"tick");
}

#[track_caller]
fn assert_nobody_listens(addr: SocketAddr) {
    let error = (0..1000).find_map(|_| Client::connect(addr).err());
    assert_eq!(error.unwrap().kind(), ErrorKind::ConnectionRefused);
}

/// Its end has come, orderly or not.
#[track_caller]
fn assert_gone(client: &mut Client) {
    assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
}

fn p45_a_server_that_stops_accepting_lets_its_connections_end(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let mut client = come(&server, addr).await;
        assert!(server.is_accepting());
        server.stop_accepting();
        assert!(!server.is_accepting());
        turns(2).await;
        assert_nobody_listens(addr);
        ask(&mut client).await;
        sleep(NEVER).await;
        assert_eq!(server.connection_count(), 1, "for as long as it likes");
        ask(&mut client).await;
        assert!(!server.draining().is_cancelled());
        drop(client);
        timeout(NEVER, server.closed()).await.unwrap().unwrap();
        assert_eq!((server.accepted_count(), server.cut_count()), (1, 0));
    });
}

fn p45_dropping_a_server_stops_accepting_and_nothing_else(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let handle = server.handle();
        let mut client = come(&handle, addr).await;
        drop(server);
        turns(2).await;
        assert_nobody_listens(addr);
        ask(&mut client).await;
        drop(client);
        timeout(NEVER, handle.closed()).await.unwrap().unwrap();
        assert_eq!(handle.cut_count(), 0);
    });
}

fn p45_a_drain_tells_the_connections_and_waits_for_them(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, polite_echo);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(come(&server, addr).await);
        }
        ask(&mut clients[1]).await;
        let drain = server.drain(NEVER);
        assert!(server.draining().is_cancelled(), "with the call");
        assert_eq!(drain.await, DrainEnd::Complete);
        for mut client in clients {
            let mut said = String::new();
            client.read_to_string(&mut said).unwrap();
            assert_eq!(said, "bye");
        }
        assert_nobody_listens(addr);
        assert_eq!((server.connection_count(), server.cut_count()), (0, 0));
    });
}

fn p45_a_drain_drops_what_is_left_at_its_deadline(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let mut clients = [come(&server, addr).await, come(&server, addr).await];
        let start = now();
        // Nobody has to wait for a drain.
        drop(server.drain(Duration::from_secs(5)));
        sleep(Duration::from_secs(4)).await;
        ask(&mut clients[0]).await;
        assert_eq!(server.connection_count(), 2);
        timeout(NEVER, server.closed()).await.unwrap().unwrap();
        let took = now() - start;
        assert!(took >= Duration::from_secs(5), "{took:?}");
        assert!(took < Duration::from_millis(5100), "{took:?}");
        assert_eq!(server.drain(NEVER).await, DrainEnd::Cut(2));
        clients.iter_mut().for_each(assert_gone);
    });
}

fn p45_a_second_drain_moves_the_deadline(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let _client = come(&server, addr).await;
        let start = now();
        let patient = server.drain(NEVER);
        sleep(Duration::from_secs(1)).await;
        let at_once = server.drain(Duration::ZERO);
        assert_eq!(at_once.await, DrainEnd::Cut(1));
        assert_eq!(patient.await, DrainEnd::Cut(1));
        assert!(now() - start < Duration::from_secs(2));
    });
}

fn p45_an_abort_drops_all_connections_and_not_inside_the_call(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let mut clients = [come(&server, addr).await, come(&server, addr).await];
        server.abort();
        assert_eq!(server.connection_count(), 2, "not inside the call");
        timeout(NEVER, server.closed()).await.unwrap().unwrap();
        assert_eq!((server.connection_count(), server.cut_count()), (0, 2));
        clients.iter_mut().for_each(assert_gone);
        assert_nobody_listens(addr);
        // An abort while a drain waits counts too, and an abort of what has ended nothing.
        server.abort();
        server.stop_accepting();
        let (listener, addr) = house();
        let server = Server::start(listener, echo);
        let _client = come(&server, addr).await;
        let drain = server.drain(NEVER);
        turns(2).await;
        server.abort();
        assert_eq!(timeout(NEVER / 2, drain).await, Ok(DrainEnd::Cut(1)));
    });
}

fn p45_a_server_without_connections_ends_at_once(on: On) {
    on.sim(async {
        type End = fn(&ServerHandle);
        let ends: [End; 3] = [
            |server| server.stop_accepting(),
            |server| drop(server.drain(NEVER)),
            |server| server.abort(),
        ];
        for end in ends {
            let (listener, addr) = house();
            let server = Server::start(listener, echo);
            end(&server);
            let closed = timeout(Duration::from_secs(1), server.closed());
            closed.await.unwrap().unwrap();
            assert_eq!(server.accepted_count(), 0);
            assert_nobody_listens(addr);
        }
        // One that never serves has ended with its builder.
        let builder = Server::builder([listener()]);
        let handle = builder.handle();
        drop(builder);
        handle.closed().await.unwrap();
        let nobody = Server::builder(Vec::<TcpListener>::new()).serve(echo).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

fn a_full_server_accepts_nobody_and_its_peers_wait(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let (other, other_addr) = house();
        let server = Server::builder([listener, other])
            .connection_limit(2)
            .start(echo);
        let mut first = come(&server, addr).await;
        let second = come(&server, other_addr).await;
        let mut waits = [
            Client::connect(addr).unwrap(),
            Client::connect(other_addr).unwrap(),
        ];
        sleep(Duration::from_secs(10)).await;
        assert_eq!((server.connection_count(), server.accepted_count()), (2, 2));
        ask(&mut first).await;
        drop(second);
        while server.accepted_count() == 2 {
            turns(1).await;
        }
        turns(3).await;
        assert_eq!((server.connection_count(), server.accepted_count()), (2, 3));
        drop(first);
        for client in &mut waits {
            ask(client).await;
        }
        assert_eq!(server.accepted_count(), 4);
    });
}

fn an_error_or_a_panic_of_one_connection_ends_no_other(on: On) {
    let panics = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&panics);
    let policy = FailurePolicy::Call(Box::new(move |failure| {
        log.borrow_mut().push(failure.to_string());
    }));
    let runtime = on.builder().on_failure(policy).build().unwrap();
    let body = async {
        let (listener, addr) = house();
        let errors = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&errors);
        let server = Server::builder([listener])
            .on_failure(move |failure| match failure {
                ServerFailure::Connection(error) => {
                    log.borrow_mut().push(error.to_string());
                    panic!("the reporter fails too");
                }
                other => panic!("{other:?}"),
            })
            .start(async |connection, draining| {
                let mut byte = [0; 1];
                connection.0.peek(&mut byte).await?;
                match &byte {
                    b"e" => Err(std::io::Error::other("no such thing")),
                    b"p" => panic!("a bug"),
                    _ => echo(connection, draining).await,
                }
            });
        let mut well = come(&server, addr).await;
        for sent in [b"e", b"p", b"e"] {
            let mut client = come(&server, addr).await;
            client.write_all(sent).unwrap();
            while server.connection_count() > 1 {
                turns(1).await;
            }
            assert_gone(&mut client);
        }
        ask(&mut well).await;
        assert_eq!((server.accepted_count(), server.failed_count()), (4, 3));
        assert_eq!(server.cut_count(), 0);
        assert_eq!(*errors.borrow(), ["no such thing", "no such thing"]);
        let mut late = come(&server, addr).await;
        ask(&mut late).await;
    };
    runtime.block_on(body).unwrap();
    let panics = panics.borrow();
    let of_connection = panics.iter().filter(|it| it.contains("a bug"));
    let of_connection: Vec<_> = of_connection.collect();
    assert_eq!(of_connection.len(), 1, "{panics:?}");
    assert!(of_connection[0].contains("tests/net/server.rs"));
    assert_eq!(panics.len(), 3, "{panics:?}");
}

fn an_accept_that_fails_is_told_and_does_not_spin(on: On) {
    on.sim(async {
        for errno in [libc::ENETDOWN, libc::EPROTO, libc::EPERM] {
            let (listener, addr) = house();
            let told = Rc::new(Cell::new(0));
            let count = Rc::clone(&told);
            let server = Server::builder([listener])
                .on_failure(move |failure| match failure {
                    ServerFailure::Accept(error) => {
                        assert_eq!(error.raw_os_error(), Some(errno));
                        count.set(count.get() + 1);
                    }
                    other => panic!("{other:?}"),
                })
                .start(echo);
            turns(2).await;
            let guard = Plan::new()
                .from(Call::Accept, 1, u64::MAX, Fault::Errno(errno))
                .install();
            let mut client = Client::connect(addr).unwrap();
            sleep(Duration::from_secs(1)).await;
            assert!((8..=13).contains(&told.get()), "{}", told.get());
            assert!(count_of(Call::Wait) < 60, "{}", count_of(Call::Wait));
            drop(guard);
            ask(&mut client).await;
            assert_eq!(server.accepted_count(), 1);
            // One error alone makes nobody wait.
            turns(1).await;
            let guard = Plan::new()
                .at(Call::Accept, 1, Fault::Errno(errno))
                .install();
            let start = now();
            let _client = come(&server, addr).await;
            assert!(now() - start < Duration::from_millis(50));
            drop(guard);
        }
    });
}

fn hz_d19_a_server_whose_last_listener_breaks_ends_with_its_error(on: On) {
    on.sim(async {
        let (listener, addr) = house();
        let (other, other_addr) = house();
        let broken = Rc::new(Cell::new(0));
        let count = Rc::clone(&broken);
        let server = Server::builder([listener, other])
            .on_failure(move |failure| match failure {
                ServerFailure::Listener(_) => count.set(count.get() + 1),
                other => panic!("{other:?}"),
            })
            .start(echo);
        let mut client = come(&server, addr).await;
        // What the kernel says of a listener that was shut, or is none.
        let guard = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EINVAL))
            .install();
        let _lost = Client::connect(addr).unwrap();
        turns(3).await;
        drop(guard);
        assert_eq!((broken.get(), server.is_accepting()), (1, true));
        let second = come(&server, other_addr).await;
        let guard = Plan::new()
            .at(Call::Accept, 1, Fault::Errno(libc::EBADF))
            .install();
        let _lost = Client::connect(other_addr).unwrap();
        turns(3).await;
        drop(guard);
        assert_eq!((broken.get(), server.is_accepting()), (2, false));
        ask(&mut client).await;
        drop((client, second));
        let closed = timeout(NEVER, server.closed()).await.unwrap();
        assert_eq!(closed.unwrap_err().raw_os_error(), Some(libc::EBADF));
    });
}

fn hz_d16_a_flood_at_one_listener_of_a_server_leaves_room_for_another_and_for_a_timer(on: On) {
    const FLOOD: usize = 300;
    on.sim(async {
        let (busy, addr) = house();
        let (quiet, quiet_addr) = house();
        let clients: Vec<_> = (0..FLOOD).map(|_| Client::connect(addr).unwrap()).collect();
        let _quiet_client = Client::connect(quiet_addr).unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        let builder = Server::builder([busy, quiet]);
        let handle = builder.handle();
        let timer = spawn(async move {
            sleep(Duration::from_micros(100)).await;
            handle.accepted_count()
        });
        // It stands in the wheel before the flood begins.
        turns(2).await;
        let server = builder.start(async move |connection: (TcpStream, _), _| {
            mainspring::sim::advance(Duration::from_micros(10));
            let is_quiet = connection.0.local_addr()? == quiet_addr;
            log.borrow_mut().push(is_quiet);
            std::future::pending().await
        });
        while server.accepted_count() <= FLOOD as u64 {
            turns(1).await;
        }
        turns(3).await;
        let place = seen.borrow().iter().position(|is_quiet| *is_quiet);
        assert!(place.unwrap() < 2, "the listeners take turns: {place:?}");
        let at_timer = timer.await.unwrap();
        assert!(at_timer < FLOOD as u64, "{at_timer} were accepted before");
        assert_eq!(server.connection_count(), clients.len() + 1);
        server.abort();
        server.closed().await.unwrap();
    });
}

fn one_server_serves_both_families(on: On) {
    on.run(async {
        let listeners = TcpListener::bind_wildcards(0).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        let families = listeners.len();
        let server = Server::builder(listeners).start(echo);
        let mut client = come(&server, SocketAddr::from(([127, 0, 0, 1], port))).await;
        ask(&mut client).await;
        if families == 2 {
            let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
            let mut client = come(&server, v6).await;
            ask(&mut client).await;
        }
    });
}

fn a_unix_listener_is_served_too(on: On) {
    let name = format!("mainspring-served-{}-{}", std::process::id(), on.name());
    let path = std::env::temp_dir().join(name);
    let _gone = std::fs::remove_file(&path);
    on.run(async {
        let listener = UnixListener::bind(&path).unwrap();
        let server = Server::start(listener, async |(stream, from), _| {
            assert!(from.is_unnamed());
            stream.write_all(b"hello").await
        });
        let client = mainspring::net::UnixStream::connect(&path).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(client.read(&mut buf).await.unwrap(), 5);
        assert_eq!(client.read(&mut buf).await.unwrap(), 0);
        assert_eq!(server.drain(NEVER).await, DrainEnd::Complete);
    });
    let _gone = std::fs::remove_file(&path);
}

fn p46_hz_d01_a_server_without_descriptors_refuses_and_goes_on(on: On) {
    on.alone(|| {
        on.sim(async {
            let (listener, addr) = house();
            let server = Server::start(listener, echo);
            let mut well = come(&server, addr).await;
            let mut clients = [(); 3].map(|()| Client::connect(addr).unwrap());
            let limit = crate::shortage::Limit::reached();
            sleep(Duration::from_secs(4)).await;
            ask(&mut well).await;
            drop(limit);
            assert_eq!(server.refused_count(), 3);
            clients.iter_mut().for_each(assert_gone);
            let mut late = come(&server, addr).await;
            ask(&mut late).await;
            assert_eq!((server.accepted_count(), server.refused_count()), (2, 3));
        });
    });
}

fn a_server_leaves_no_descriptor_however_it_ends(on: On) {
    on.alone(|| {
        on.sim(async {
            let before = open_fds();
            for end in 0..4 {
                let (listener, addr) = house();
                let builder = Server::builder([listener]);
                let handle = builder.handle();
                let served = spawn(builder.serve(echo));
                let clients = [come(&handle, addr).await, come(&handle, addr).await];
                match end {
                    0 => handle.abort(),
                    1 => drop(handle.drain(Duration::from_secs(1))),
                    2 => served.abort(),
                    _ => handle.stop_accepting(),
                }
                if end == 3 {
                    drop(clients);
                    timeout(NEVER, handle.closed()).await.unwrap().unwrap();
                } else {
                    timeout(NEVER, handle.closed()).await.unwrap().unwrap();
                    assert_eq!(handle.cut_count(), 2, "{end}");
                    drop(clients);
                }
                turns(2).await;
                assert_eq!(open_fds(), before, "{end}");
            }
        });
    });
}
