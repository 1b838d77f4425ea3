//! The load of the cells over TCP: processes of their own, the same for every peer, written once.
//!
//! `peers client echo PORT CONNECTIONS MESSAGE_LEN COUNT` keeps one message under way on each connection (a
//! closed loop) until each has made its share of COUNT requests. It waits by level-triggered epoll. The other
//! loads, `peers client churn|crowd|datagrams|lines …`, are in files of their names.
//!
//! With `PEERS_PAUSE_US` in its environment it sleeps so long before it looks at answers, and takes all of
//! them then. So a server that is slowed down by strace has still gone to sleep before the next request,
//! as it has when it is faster than its load.

pub mod churn;
pub mod crowd;
pub mod datagrams;
pub mod lines;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cells::echo::Load;
use crate::epoll::Epoll;

/// Asks the client for pauses, in microseconds.
pub const PAUSE_US: &str = "PEERS_PAUSE_US";

/// A client that was started.
pub struct Client(Child);

impl Client {
    /// Waits for its end.
    pub fn finish(mut self) {
        let status = self.0.wait().expect("it is our child");
        assert!(status.success(), "the client failed: {status}");
    }
}

/// A listener with room for every connection, that does not block and whose connections do not delay.
pub fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("an option");
    let (fd, one) = (listener.as_raw_fd(), 1 as libc::c_int);
    let len = size_of_val(&one) as libc::socklen_t;
    // SAFETY: the descriptor is open; the option's value has the length that is told.
    let is_set = unsafe {
        let one = (&raw const one).cast();
        // Once more, because std's backlog of 128 is too short for us.
        libc::listen(fd, 4096) == 0
            && libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, one, len) == 0
    };
    assert!(is_set, "the listener takes its options");
    listener
}

/// So many listeners of one port, over which the kernel spreads connections.
pub fn listen_shared(count: u64) -> Vec<TcpListener> {
    let mut port = 0;
    let listeners = (0..count).map(|_| {
        let listener = listen_at(port);
        port = port_of(&listener);
        listener
    });
    listeners.collect()
}

/// One that shares its port with others, which std cannot make.
fn listen_at(port: u16) -> TcpListener {
    let addr = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be(),
        },
        sin_zero: [0; 8],
    };
    let one: libc::c_int = 1;
    let (addr_len, one_len) = (size_of_val(&addr), size_of_val(&one));
    // SAFETY: a new descriptor, which nobody else has; options and address have the lengths that are told.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let fd = libc::socket(libc::AF_INET, kind, 0);
        assert!(fd >= 0, "a socket can be made");
        let one = (&raw const one).cast();
        let options = [
            (libc::SOL_SOCKET, libc::SO_REUSEPORT),
            (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        ];
        let is_set = options.iter().all(|(level, name)| {
            libc::setsockopt(fd, *level, *name, one, one_len as libc::socklen_t) == 0
        });
        let addr = (&raw const addr).cast();
        let is_bound = libc::bind(fd, addr, addr_len as libc::socklen_t) == 0;
        assert!(is_set && is_bound, "the port can be shared");
        assert_eq!(libc::listen(fd, 4096), 0, "it listens");
        TcpListener::from_raw_fd(fd)
    }
}

/// A connection that does not block, to a port of this machine.
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream.set_nonblocking(true).expect("an option");
    stream
}

/// Starts the client of an echo cell.
pub fn start(listener: &TcpListener, load: Load, count: u64) -> Client {
    let numbers = [
        load.connections,
        load.message_len as u64,
        load.requests(count),
    ];
    start_as("echo", port_of(listener), &numbers)
}

/// Where it listens.
pub fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

/// Starts a client of this kind, with numbers after the port.
pub fn start_as(kind: &str, port: u16, numbers: &[u64]) -> Client {
    let program = std::env::current_exe().expect("this program");
    let child = Command::new(program)
        .args(["client", kind])
        .arg(port.to_string())
        .args(numbers.iter().map(u64::to_string))
        // Whose end says that the server has ended.
        .stdin(Stdio::piped())
        .spawn();
    Client(child.expect("the client starts"))
}

/// What `peers client` does with its numbers.
pub fn client(kind: &str, numbers: &[u64]) -> Result<(), String> {
    match (kind, numbers) {
        ("echo", &[port, connections, message_len, count]) => {
            echo(port as u16, connections, message_len as usize, count);
        }
        ("churn", &[port, at_once, message_len, count]) => {
            churn::client(port as u16, at_once, message_len as usize, count);
        }
        ("crowd", &[port, connections]) => crowd::client(port as u16, connections),
        ("datagrams", &[port, count]) => datagrams::client(port as u16, count),
        ("lines", &[port, count]) => lines::client(port as u16, count),
        _ => return Err("client: which, and which numbers? See load.rs".to_string()),
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the answer that are still to come.
    missing: usize,
    /// Requests still to be made, the one under way included.
    requests: u64,
}

/// The pause that `PEERS_PAUSE_US` asks for.
fn pause() -> Option<Duration> {
    let micros = std::env::var(PAUSE_US).ok()?.parse().ok()?;
    Some(Duration::from_micros(micros))
}

/// The client of an echo cell.
fn echo(port: u16, connections: u64, message_len: usize, count: u64) {
    let epoll = Epoll::new();
    let message = vec![7; message_len];
    let mut open: Vec<Connection> = (0..connections)
        .map(|_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
            stream.set_nodelay(true).expect("an option");
            Connection {
                stream,
                missing: message_len,
                requests: count / connections,
            }
        })
        .collect();
    for (index, connection) in open.iter_mut().enumerate() {
        let fd = connection.stream.as_raw_fd();
        epoll.add(fd, libc::EPOLLIN as u32, index as u64);
        connection.stream.write_all(&message).expect("it goes out");
    }
    let mut buffer = vec![0; message_len];
    let mut left = open.len();
    let pause = pause();
    while left > 0 {
        if let Some(pause) = pause {
            drop(epoll.wait());
            std::thread::sleep(pause);
        }
        for index in epoll.wait() {
            let connection = &mut open[index as usize];
            let len = match connection.stream.read(&mut buffer[..connection.missing]) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("the server broke off: {error}"),
            };
            assert!(len > 0, "the server closed");
            connection.missing -= len;
            if connection.missing > 0 {
                continue;
            }
            connection.requests -= 1;
            if connection.requests == 0 {
                left -= 1;
                epoll.remove(connection.stream.as_raw_fd());
                connection.stream.shutdown(std::net::Shutdown::Write).ok();
                continue;
            }
            connection.missing = message_len;
            connection.stream.write_all(&message).expect("it goes out");
        }
    }
}
