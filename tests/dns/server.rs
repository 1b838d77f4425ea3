//! A scripted DNS server in the loop of the test, over UDP and TCP on one port.
//!
//! *Role.* What it receives it shows to the test's script, and does what that says. Its sockets are the
//! standard library's, so that no fault plan meets them.

#![allow(dead_code, reason = "each suite uses its part")]

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use mainspring::io::AsyncFd;
use mainspring::net::dns::{
    Data, DnsConfig, DnsResolver, Hosts, Kind, MESSAGE_MAX, Message, Record,
};
use mainspring::task::TaskBuilder;

/// A query that came.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) message: Message,
    pub(crate) over_tcp: bool,
    pub(crate) from: SocketAddr,
}

/// What the server does about it.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// Sends this.
    Bytes(Vec<u8>),
    /// Sends this to somebody else.
    To(SocketAddr, Vec<u8>),
    /// Sends this from another port.
    Elsewhere(Vec<u8>),
    /// Over TCP: sends this without a length before it, and hangs up.
    Raw(Vec<u8>),
    /// Over TCP: sends this byte by byte.
    Slowly(Vec<u8>),
}

type Script = dyn FnMut(&Query) -> Vec<Say>;

/// The server, as the test sees it.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    queries: Rc<RefCell<Vec<Query>>>,
}

impl Query {
    pub(crate) fn name(&self) -> String {
        self.message.questions[0].name.to_string()
    }

    pub(crate) fn kind(&self) -> Kind {
        self.message.questions[0].kind
    }

    /// A reply with these records of the name that was asked for.
    pub(crate) fn reply(&self, answers: &[Data]) -> Message {
        let owner = &self.message.questions[0].name;
        let mut reply = Message::reply_to(&self.message);
        reply.offers_recursion = true;
        let records = answers.iter();
        reply.answers = records
            .map(|data| Record::new(owner.clone(), 60, data.clone()))
            .collect();
        reply
    }

    /// This address for an A question, nothing for any other.
    pub(crate) fn reply_v4(&self, octet: u8) -> Message {
        match self.kind() {
            Kind::A => self.reply(&[v4(octet)]),
            _ => self.reply(&[]),
        }
    }
}

/// An address as data.
pub(crate) fn v4(octet: u8) -> Data {
    Data::A(Ipv4Addr::new(192, 0, 2, octet))
}

/// `name` stands for `target`.
pub(crate) fn alias(name: &str, target: &str) -> Record {
    let target = Data::Cname(target.parse().unwrap());
    Record::new(name.parse().unwrap(), 60, target)
}

/// Sends one message.
pub(crate) fn say(message: &Message) -> Vec<Say> {
    vec![Say::Bytes(message.encode(MESSAGE_MAX))]
}

/// A configuration with these servers and options.
pub(crate) fn config(servers: &[SocketAddr], options: &str) -> DnsConfig {
    let mut config = DnsConfig::parse(options.as_bytes());
    config.servers = servers.to_vec();
    config
}

/// A resolver that asks these servers, and knows no host.
pub(crate) fn resolver(servers: &[SocketAddr], options: &str) -> DnsResolver {
    DnsResolver::new(config(servers, options), Hosts::default())
}

impl Server {
    /// Begins to serve.
    pub(crate) fn start(script: impl FnMut(&Query) -> Vec<Say> + 'static) -> Server {
        Server::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script)
    }

    pub(crate) fn at(addr: SocketAddr, script: impl FnMut(&Query) -> Vec<Say> + 'static) -> Server {
        let (udp, tcp) = sockets(addr);
        let addr = udp.local_addr().unwrap();
        let queries = Rc::new(RefCell::new(Vec::new()));
        let script: Rc<RefCell<Script>> = Rc::new(RefCell::new(script));
        let answer = {
            let queries = Rc::clone(&queries);
            move |query: Query| {
                queries.borrow_mut().push(query.clone());
                (script.borrow_mut())(&query)
            }
        };
        background(serve_udp(udp, answer.clone()));
        background(serve_tcp(tcp, answer));
        Server { addr, queries }
    }

    /// All queries that came, in order.
    pub(crate) fn queries(&self) -> Vec<Query> {
        self.queries.borrow().clone()
    }

    /// `name KIND` of each query, with ` tcp` behind those over TCP.
    pub(crate) fn asked(&self) -> Vec<String> {
        let queries = self.queries.borrow();
        let text = |query: &Query| {
            let over = if query.over_tcp { " tcp" } else { "" };
            format!("{} {}{over}", query.name(), query.kind())
        };
        queries.iter().map(text).collect()
    }
}

/// Two sockets with one port, if need be after some attempts.
pub(crate) fn sockets(addr: SocketAddr) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind(addr).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            udp.set_nonblocking(true).unwrap();
            tcp.set_nonblocking(true).unwrap();
            return (udp, tcp);
        }
    }
    panic!("no port is free for both");
}

fn background(task: impl Future<Output = ()> + 'static) {
    drop(TaskBuilder::new().background(true).spawn(task));
}

async fn serve_udp(socket: UdpSocket, mut answer: impl FnMut(Query) -> Vec<Say>) {
    let socket = AsyncFd::new(socket).unwrap();
    let mut buf = vec![0; 4096];
    loop {
        let received = socket.read_with(|socket| socket.recv_from(&mut buf)).await;
        let (len, from) = received.unwrap();
        let Ok(message) = Message::parse(&buf[..len]) else {
            panic!("the resolver sends no garbage");
        };
        let query = Query {
            message,
            over_tcp: false,
            from,
        };
        for say in answer(query) {
            // Whoever asked may be gone.
            let _ = match say {
                Say::To(other, bytes) => socket.get_ref().send_to(&bytes, other),
                Say::Elsewhere(bytes) => {
                    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
                    other.send_to(&bytes, from)
                }
                Say::Bytes(bytes) | Say::Raw(bytes) | Say::Slowly(bytes) => {
                    socket.get_ref().send_to(&bytes, from)
                }
            };
        }
    }
}

async fn serve_tcp(listener: TcpListener, answer: impl FnMut(Query) -> Vec<Say> + Clone + 'static) {
    let listener = AsyncFd::new(listener).unwrap();
    loop {
        let accepted = listener.read_with(TcpListener::accept).await;
        let (stream, from) = accepted.unwrap();
        let answer = answer.clone();
        background(async move {
            // Whoever asked may be gone.
            let _ = serve_connection(stream, from, answer).await;
        });
    }
}

async fn serve_connection(
    stream: TcpStream,
    from: SocketAddr,
    mut answer: impl FnMut(Query) -> Vec<Say>,
) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let stream = AsyncFd::new(stream)?;
    let mut input = Vec::new();
    loop {
        let mut buf = [0; 512];
        let len = stream
            .read_with(|mut stream| (&mut stream).read(&mut buf))
            .await?;
        input.extend_from_slice(&buf[..len]);
        let whole = input
            .get(..2)
            .map(|len| usize::from(u16::from_be_bytes([len[0], len[1]])) + 2);
        let Some(whole) = whole.filter(|whole| *whole <= input.len()) else {
            if len == 0 {
                return Ok(());
            }
            continue;
        };
        let message = Message::parse(&input[2..whole]).expect("the resolver sends no garbage");
        input.drain(..whole);
        let query = Query {
            message,
            over_tcp: true,
            from,
        };
        for say in answer(query) {
            let framed = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
            match say {
                Say::Bytes(bytes) | Say::Elsewhere(bytes) | Say::To(_, bytes) => {
                    send(&stream, &framed(&bytes)).await?
                }
                Say::Raw(bytes) => {
                    send(&stream, &bytes).await?;
                    return Ok(());
                }
                Say::Slowly(bytes) => {
                    for byte in framed(&bytes) {
                        send(&stream, &[byte]).await?;
                        mainspring::yield_to_io().await;
                    }
                }
            }
        }
    }
}

async fn send(stream: &AsyncFd<TcpStream>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let len = stream
            .write_with(|mut stream| (&mut stream).write(bytes))
            .await?;
        bytes = &bytes[len..];
    }
    Ok(())
}
