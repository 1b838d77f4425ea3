//! The programs that are swept: what sockets are used for, each as small as it can be.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use mainspring::net::udp::{ReceiveBatch, SendBatch};
use mainspring::net::{
    Connector, DrainEnd, Resolver, Resolving, Server, ServerFailure, StreamSocket, TcpListener,
    TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, proxy,
};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::CancelToken;
use mainspring::try_join;

use crate::drive::usual;
use crate::ledger::{FlowId, Ledger};
use crate::rig::{On, file_of, pattern};

on_both! {
    tcp_with_short_writes_and_half_closes_outlasts_every_fault,
    tcp_that_connects_late_outlasts_every_fault,
    a_race_by_name_outlasts_every_fault,
    udp_outlasts_every_fault,
    batches_of_udp_outlast_every_fault,
    a_unix_stream_with_descriptors_outlasts_every_fault,
    unix_datagrams_outlast_every_fault,
    a_file_that_is_sent_outlasts_every_fault,
    a_proxy_that_splices_outlasts_every_fault,
    a_proxy_that_copies_outlasts_every_fault,
    a_server_that_drains_outlasts_every_fault,
}

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What an accept sleeps about until there is more.
const EXHAUSTED: &[i32] = &[libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];

/// A proxy believes that the connection is gone. It lives, for only the plan says so, and its peer waits on.
const SHUT_ALREADY: &[(Call, &[i32])] = &[(Call::Shutdown, &[libc::ENOTCONN])];

/// Over the loopback a connect is done at once; elsewhere it is not.
fn late(plan: Plan) -> Plan {
    plan.from(Call::Connect, 1, u64::MAX, Fault::Short(0))
}

/// Reads until the end.
async fn read_all(stream: &TcpStream, ledger: &Ledger, flow: FlowId) -> io::Result<()> {
    let mut buf = [0; 256];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            count => ledger.got(flow, &buf[..count]),
        }
    }
}

/// Two connected sockets, made by std: their making is no part of the scenario.
fn ready_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = std::net::TcpListener::bind(HERE)?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    Ok((TcpStream::from_std(near)?, TcpStream::from_std(far)?))
}

async fn tcp(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(200);
    let (up, down) = (ledger.flow("up", &data), ledger.flow("down", &data));
    let listener = TcpListener::bind(HERE)?;
    let addr = listener.local_addr()?;
    let client = async {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&data[..100]).await?;
        let mut rest = &data[100..];
        while !rest.is_empty() {
            let (one, two) = rest.split_at(rest.len() / 2);
            let slices = [IoSlice::new(one), IoSlice::new(two)];
            let count = stream.write_vectored(&slices).await?;
            rest = &rest[count..];
        }
        stream.shutdown(Shutdown::Write)?;
        read_all(&stream, ledger, down).await
    };
    let server = async {
        let (stream, _) = listener.accept().await?;
        let mut buf = [0; 128];
        loop {
            let count = stream.read(&mut buf).await?;
            ledger.got(up, &buf[..count]);
            if count == 0 {
                return stream.shutdown(Shutdown::Write);
            }
            stream.write_all(&buf[..count]).await?;
        }
    };
    try_join!(client, server).map(drop)
}

fn tcp_with_short_writes_and_half_closes_outlasts_every_fault(on: On) {
    let mut scenario = usual("tcp", tcp);
    scenario.waited_for = &[(Call::Accept, EXHAUSTED)];
    // A listener without descriptors refuses in the end, and the client's connection closes.
    scenario.consequences = &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    scenario.sweep(on);
}

fn tcp_that_connects_late_outlasts_every_fault(on: On) {
    let mut scenario = usual("late tcp", tcp);
    scenario.base = late;
    scenario.waited_for = &[(Call::Accept, EXHAUSTED)];
    scenario.consequences = &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    scenario.sweep(on);
}

/// Asks the system on this thread, where the plan is, and puts an address that refuses in front.
struct OnThisThread {
    closed: SocketAddr,
}

impl Resolver for OnThisThread {
    fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>> {
        let found = mainspring_sys::resolve::lookup(host, port);
        let closed = self.closed;
        Box::pin(async move {
            let mut addrs = found?;
            addrs.insert(0, closed);
            Ok(addrs)
        })
    }
}

async fn by_name(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(20);
    let flow = ledger.flow("to whom it was connected", &data);
    let nobody = std::net::UdpSocket::bind(HERE)?.local_addr()?;
    let listener = TcpListener::bind(HERE)?;
    let port = listener.local_addr()?.port();
    let client = async {
        let connector = Connector::new()
            .bind(HERE)
            .timeout(Duration::from_secs(4))
            .resolver(OnThisThread { closed: nobody });
        let stream = connector.connect(("127.0.0.1", port)).await?;
        stream.write_all(&data).await
    };
    let server = async {
        let (stream, _) = listener.accept().await?;
        read_all(&stream, ledger, flow).await
    };
    try_join!(client, server).map(drop)
}

fn a_race_by_name_outlasts_every_fault(on: On) {
    let mut scenario = usual("by name", by_name);
    scenario.base = late;
    // One address fails, the other does not.
    scenario.made_up_for = &[
        Call::Socket,
        Call::Bind,
        Call::Connect,
        Call::SocketOption,
        Call::Control,
    ];
    scenario.waited_for = &[(Call::Accept, EXHAUSTED)];
    scenario.consequences = &[
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionRefused,
    ];
    scenario.sweep(on);
}

async fn udp(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(90);
    let (out, back) = (ledger.flow("out", &data), ledger.flow("back", &data));
    let one = UdpSocket::bind(HERE)?;
    let other = UdpSocket::bind(HERE)?;
    let other_addr = other.local_addr()?;
    let send = async {
        for datagram in data.chunks(30) {
            one.send_to(datagram, other_addr).await?;
        }
        one.connect(other_addr)?;
        let mut buf = [0; 64];
        for _ in 0..3 {
            let count = one.recv(&mut buf).await?.whole()?;
            ledger.got(back, &buf[..count]);
        }
        Ok(())
    };
    let answer = async {
        let mut buf = [0; 64];
        for _ in 0..3 {
            let (taken, _) = other.peek_from(&mut buf).await?;
            let seen = taken.len;
            let (taken, from) = other.recv_from(&mut buf).await?;
            let count = taken.whole()?;
            assert!(seen <= count, "a look sees no more than there is");
            ledger.got(out, &buf[..count]);
            other.send_to(&buf[..count], from).await?;
        }
        Ok::<(), io::Error>(())
    };
    try_join!(send, answer).map(drop)
}

fn udp_outlasts_every_fault(on: On) {
    let mut scenario = usual("udp", udp);
    scenario.are_datagrams = true;
    scenario.sweep(on);
}

async fn batches(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(100);
    let flow = ledger.flow("batches", &data);
    let one = UdpSocket::bind(HERE)?;
    let other = UdpSocket::bind(HERE)?;
    let addr = other.local_addr()?;
    let send = async {
        let mut batch = SendBatch::new(5, 20);
        for datagram in data.chunks(20) {
            batch.push(datagram, Some(addr));
        }
        while !batch.is_empty() {
            one.send_many(&mut batch).await?;
        }
        Ok(())
    };
    let receive = async {
        let (mut batch, mut count) = (ReceiveBatch::new(3, 64), 0);
        while count < 5 {
            count += other.recv_many(&mut batch).await?;
            for (_, bytes) in batch.iter() {
                ledger.got(flow, bytes);
            }
        }
        Ok::<(), io::Error>(())
    };
    try_join!(send, receive).map(drop)
}

fn batches_of_udp_outlast_every_fault(on: On) {
    usual("batches of udp", batches).sweep(on);
}

/// A path for one run, and its file's end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        thread_local!(static NUMBER: Cell<u32> = const { Cell::new(0) });
        let number = NUMBER.replace(NUMBER.get() + 1);
        let name = format!("mainspring-sweep-{}-{number}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn unix_stream(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(60);
    let flow = ledger.flow("beside descriptors", &data);
    let place = Place::new();
    let listener = UnixListener::bind(&place.0)?;
    let null = file_of(b"passed");
    let client = async {
        let stream = UnixStream::connect(&place.0).await?;
        for chunk in data.chunks(30) {
            let count = stream.send_with_fds(chunk, &[null.as_fd()]).await?;
            stream.write_all(&chunk[count..]).await?;
        }
        stream.shutdown(Shutdown::Write)
    };
    let server = async {
        let (stream, _) = listener.accept().await?;
        let (mut buf, mut fds) = ([0; 64], 0);
        loop {
            let with = stream.recv_with_fds(&mut buf, 2).await?;
            assert!(!with.are_fds_truncated);
            fds += with.fds.len();
            ledger.got(flow, &buf[..with.len]);
            if with.len == 0 {
                assert_eq!(fds, 2, "each once, whatever was taken of the bytes");
                return Ok(());
            }
        }
    };
    try_join!(client, server).map(drop)
}

fn a_unix_stream_with_descriptors_outlasts_every_fault(on: On) {
    let mut scenario = usual("unix stream", unix_stream);
    scenario.waited_for = &[(Call::Accept, EXHAUSTED), (Call::SendMsg, &[libc::ENOBUFS])];
    scenario.consequences = &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    scenario.sweep(on);
}

async fn unix_datagrams(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(90);
    let flow = ledger.flow("datagrams", &data);
    let place = Place::new();
    let one = UnixDatagram::unbound()?;
    let other = UnixDatagram::bind(&place.0)?;
    let null = file_of(b"passed");
    let send = async {
        one.send_to(&data[..30], &place.0).await?;
        one.connect(&place.0)?;
        one.send(&data[30..60]).await?;
        let count = one.send_with_fds(&data[60..], &[null.as_fd()]).await?;
        assert_eq!(count, 30);
        Ok(())
    };
    let receive = async {
        let mut buf = [0; 64];
        for _ in 0..2 {
            let (taken, _) = other.recv_from(&mut buf).await?;
            let len = taken.whole()?;
            ledger.got(flow, &buf[..len]);
        }
        let with = other.recv_with_fds(&mut buf, 2).await?;
        ledger.got(flow, &buf[..with.len]);
        assert_eq!(with.fds.len(), 1);
        if with.is_truncated() {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok::<(), io::Error>(())
    };
    try_join!(send, receive).map(drop)
}

fn unix_datagrams_outlast_every_fault(on: On) {
    let mut scenario = usual("unix datagrams", unix_datagrams);
    scenario.are_datagrams = true;
    // The receiver's queue is full, says the plan, of which no selector tells: so it is asked again later.
    scenario.waited_for = &[
        (Call::Send, &[libc::ENOBUFS]),
        (Call::SendMsg, &[libc::ENOBUFS]),
    ];
    scenario.sweep(on);
}

async fn send_file(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(150);
    let flow = ledger.flow("a file", &data);
    let file = file_of(&data);
    let (near, far) = ready_pair()?;
    let send = async move {
        let sent = near.send_file(&file, 0, None).await?;
        assert_eq!(sent.bytes, 150);
        near.shutdown(Shutdown::Write)
    };
    try_join!(send, read_all(&far, ledger, flow)).map(drop)
}

fn a_file_that_is_sent_outlasts_every_fault(on: On) {
    let mut scenario = usual("send_file", send_file);
    scenario.has_threads = true;
    // What the kernel does not send, the pool reads.
    scenario.made_up_for = &[Call::Sendfile];
    scenario.sweep(on);
}

async fn through_proxy(ledger: &Ledger, splice_from: usize) -> io::Result<()> {
    let data = pattern(120);
    let (up, down) = (ledger.flow("up", &data), ledger.flow("down", &data));
    let (client, front) = ready_pair()?;
    let (back, server) = ready_pair()?;
    let relay = async {
        relay(&front, &back, splice_from).await?;
        drop((front, back));
        Ok(())
    };
    let ask = async {
        client.write_all(&data).await?;
        client.shutdown(Shutdown::Write)?;
        read_all(&client, ledger, down).await
    };
    let answer = async {
        read_all(&server, ledger, up).await?;
        server.write_all(&data).await?;
        server.shutdown(Shutdown::Write)
    };
    try_join!(relay, ask, answer).map(drop)
}

async fn relay(a: &impl StreamSocket, b: &impl StreamSocket, splice_from: usize) -> io::Result<()> {
    proxy(a, b).splice_from(splice_from).await.map(drop)
}

fn a_proxy_that_splices_outlasts_every_fault(on: On) {
    let mut scenario = usual("splicing proxy", async |ledger: &Ledger| {
        through_proxy(ledger, 0).await
    });
    // It copies instead.
    scenario.made_up_for = &[Call::Open, Call::Splice];
    scenario.waited_for = SHUT_ALREADY;
    scenario.sweep(on);
}

fn a_proxy_that_copies_outlasts_every_fault(on: On) {
    let program = async |ledger: &Ledger| through_proxy(ledger, usize::MAX).await;
    let mut scenario = usual("copying proxy", program);
    scenario.waited_for = SHUT_ALREADY;
    scenario.sweep(on);
}

async fn server(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(60);
    let (up, down) = (ledger.flow("up", &data), ledger.flow("down", &data));
    let listener = TcpListener::bind(HERE)?;
    let addr = listener.local_addr()?;
    let (books, failures) = (ledger.clone(), ledger.clone());
    let serve = async move |(stream, _): (TcpStream, SocketAddr), _: CancelToken| {
        let mut buf = [0; 64];
        loop {
            let count = stream.read(&mut buf).await?;
            books.got(up, &buf[..count]);
            if count == 0 {
                return Ok(());
            }
            stream.write_all(&buf[..count]).await?;
        }
    };
    let server = Server::builder([listener])
        .on_failure(move |failure| match failure {
            ServerFailure::Connection(error)
            | ServerFailure::Accept(error)
            | ServerFailure::Listener(error) => failures.tell(error),
            _ => {}
        })
        .start(serve);
    let client = async {
        let stream = TcpStream::connect(addr).await?;
        stream.write_all(&data).await?;
        stream.shutdown(Shutdown::Write)?;
        read_all(&stream, ledger, down).await?;
        drop(stream);
        let end = server.drain(Duration::from_secs(5)).await;
        assert_eq!(end, DrainEnd::Complete);
        Ok(())
    };
    let result = client.await;
    server.abort();
    // Its error, if any, was told already.
    let _ = server.closed().await;
    result
}

fn a_server_that_drains_outlasts_every_fault(on: On) {
    let mut scenario = usual("server", server);
    scenario.waited_for = &[(Call::Accept, EXHAUSTED)];
    scenario.consequences = &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    scenario.sweep(on);
}
