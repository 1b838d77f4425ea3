//! A small DNS server: one fixed zone, over UDP and TCP on one port.
//!
//! ```text
//! cargo run --example dns_server                                        serves, asks itself, and ends
//! cargo run --example dns_server -- --listen 127.0.0.1:5300             serves until it is killed:
//!     dig @127.0.0.1 -p 5300 www.mainspring.test                            another name of host
//!     dig @127.0.0.1 -p 5300 big.mainspring.test                            truncated, and again over TCP
//! cargo run --example dns_server -- --ask 127.0.0.1:5300 NAME ADDRESS   asks any server by the stub resolver
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mainspring::net::dns::{
    Code, Data, DnsConfig, DnsResolver, Hosts, Kind, MESSAGE_MAX, Message, Name, Question, Record,
};
use mainspring::net::{TcpListener, TcpStream, UdpSocket};
use mainspring::time::timeout;

/// What a client without EDNS takes over UDP.
const UDP_MIN: u16 = 512;
/// What we take, and send at most: it passes every path in one piece.
const UDP_MAX: u16 = 1232;
/// For how many seconds an answer may be kept.
const TTL: u32 = 60;
/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(10);

/// What this server is responsible for.
const ZONES: [&str; 3] = [
    "mainspring.test",
    "2.0.192.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];

/// The table: every name, and what it has.
fn zone(name: &str) -> Option<Vec<Data>> {
    let host = || "host.mainspring.test".parse().expect("it is a name");
    let v4 = |octet| Data::A(Ipv4Addr::new(192, 0, 2, octet));
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    Some(match name {
        "mainspring.test" => vec![Data::Other(Kind::SOA, soa())],
        "host.mainspring.test" => vec![v4(1), Data::Aaaa(v6)],
        "www.mainspring.test" => vec![Data::Cname(host())],
        "web.mainspring.test" => vec![Data::Cname("www.mainspring.test".parse().ok()?)],
        "big.mainspring.test" => (0..=255).map(v4).collect(),
        "text.mainspring.test" => vec![Data::Txt(vec![Box::from(*b"tick"), Box::from(*b"tock")])],
        "1.2.0.192.in-addr.arpa" => vec![Data::Ptr(host())],
        name if name == Name::reverse(v6.into()).to_string() => vec![Data::Ptr(host())],
        _ => return None,
    })
}

/// Where the zone starts, as the end of an empty answer: who is responsible, and five numbers.
fn soa() -> Box<[u8]> {
    let mut soa = b"\x02ns\x0amainspring\x04test\x00\x05admin\x0amainspring\x04test\x00".to_vec();
    for number in [1, 3600, 600, 86400, TTL] {
        soa.extend_from_slice(&number.to_be_bytes());
    }
    soa.into()
}

/// The reply to a message, at most `max` bytes long; none to what is no query.
fn answer(bytes: &[u8], max: Option<usize>) -> Option<Vec<u8>> {
    let Ok(query) = Message::parse(bytes) else {
        // Whoever sent that may at least learn that it was not understood.
        let head = Message::parse_head(bytes).ok()?;
        return (!head.is_reply).then(|| refuse(&head, Code::FORMAT_ERROR).encode(MESSAGE_MAX));
    };
    if query.is_reply {
        return None;
    }
    let payload = query.udp_payload.unwrap_or(0).clamp(UDP_MIN, UDP_MAX);
    let max = max.unwrap_or(usize::from(payload));
    let mut reply = match query.questions.as_slice() {
        _ if query.opcode != 0 => refuse(&query, Code::NOT_IMPLEMENTED),
        [question] => look_up(&query, question),
        _ => refuse(&query, Code::FORMAT_ERROR),
    };
    reply.udp_payload = query.udp_payload.map(|_| UDP_MAX);
    Some(reply.encode(max))
}

fn refuse(query: &Message, code: Code) -> Message {
    let mut reply = Message::reply_to(query);
    reply.code = code;
    reply
}

fn look_up(query: &Message, question: &Question) -> Message {
    let is_ours = |zone: &str| {
        zone.parse()
            .is_ok_and(|zone| question.name.is_within(&zone))
    };
    if !ZONES.into_iter().any(is_ours) || question.class != 1 {
        return refuse(query, Code::REFUSED);
    }
    let mut reply = Message::reply_to(query);
    reply.is_authoritative = true;
    let mut name = question.name.clone();
    // The table has no circle: each name that stands for another is a step nearer to its host.
    loop {
        let Some(data) = zone(&name.to_string().to_lowercase()) else {
            reply.code = Code::NAME_ERROR;
            break;
        };
        let is_wanted = |data: &Data| question.kind == Kind::ANY || data.kind() == question.kind;
        let mut next = None;
        for data in data {
            match &data {
                Data::Cname(target) if question.kind != Kind::CNAME => next = Some(target.clone()),
                data if !is_wanted(data) => continue,
                _ => {}
            }
            reply.answers.push(Record::new(name.clone(), TTL, data));
        }
        match next {
            Some(target) => name = target,
            None => break,
        }
    }
    if reply
        .answers
        .iter()
        .all(|record| record.data.kind() == Kind::CNAME)
    {
        let owner = ZONES[0].parse().expect("it is a name");
        let end = Data::Other(Kind::SOA, soa());
        reply.authority.push(Record::new(owner, TTL, end));
    }
    reply
}

async fn serve_udp(socket: UdpSocket) -> io::Result<()> {
    let mut buf = vec![0; usize::from(UDP_MAX)];
    loop {
        let (taken, from) = socket.recv_from(&mut buf).await?;
        // One that is longer than we say we take is nobody's question; nor does it end the server.
        if taken.is_truncated() {
            continue;
        }
        if let Some(reply) = answer(&buf[..taken.len], None) {
            // A client who is gone is no reason to stop; and one who gets nothing asks again.
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        drop(mainspring::spawn(async move {
            // One client's trouble is not the server's.
            let _ = serve_connection(&stream).await;
        }));
    }
}

/// Any number of queries, each with its length before it.
async fn serve_connection(stream: &TcpStream) -> io::Result<()> {
    let mut input = Vec::new();
    let mut buf = [0; 2048];
    loop {
        let count = timeout(IDLE, stream.read(&mut buf)).await??;
        if count == 0 {
            return Ok(());
        }
        input.extend_from_slice(&buf[..count]);
        while let [high, low, rest @ ..] = input.as_slice() {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(query) = rest.get(..len) else {
                break;
            };
            let reply = answer(query, Some(MESSAGE_MAX)).ok_or(io::ErrorKind::InvalidData)?;
            let framed = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
            timeout(IDLE, stream.write_all(&framed)).await??;
            input.drain(..2 + len);
        }
    }
}

/// Both sockets on one port, which may be taken for one of them if the kernel chose it for the other.
fn bind(addr: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = if addr.port() == 0 { 100 } else { 1 };
    loop {
        let listener = TcpListener::bind(addr)?;
        match UdpSocket::bind(listener.local_addr()?) {
            Ok(socket) => return Ok((socket, listener)),
            Err(error) if attempts == 1 => return Err(error),
            Err(_) => attempts -= 1,
        }
    }
}

/// Looks names and addresses up at one server, and prints what came of it.
async fn ask(server: SocketAddr, what: &[String]) {
    let mut config = DnsConfig::default();
    config.servers = vec![server];
    let resolver = DnsResolver::new(config, Hosts::default());
    for what in what {
        let found = match what.parse::<IpAddr>() {
            Ok(addr) => resolver.reverse(addr).await,
            Err(_) => resolver.lookup(what).await.map(|found| {
                let texts: Vec<String> = found.iter().take(3).map(ToString::to_string).collect();
                format!("{} ({} in all)", texts.join(" "), found.len())
            }),
        };
        match found {
            Ok(found) => println!("{what}: {found}"),
            Err(error) => println!("{}", error.to_string().replace(&server.to_string(), "it")),
        }
    }
}

async fn run(arguments: Vec<String>) -> io::Result<()> {
    let parse = |addr: &str| addr.parse().map_err(io::Error::other);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (addr, is_alone) = match words[..] {
        [] => (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), true),
        ["--listen", addr] => (parse(addr)?, false),
        ["--ask", server, ..] => {
            ask(parse(server)?, &arguments[2..]).await;
            return Ok(());
        }
        _ => {
            return Err(io::Error::other(
                "usage: [--listen ADDR | --ask SERVER NAME...]",
            ));
        }
    };
    let (socket, listener) = bind(addr)?;
    let addr = listener.local_addr()?;
    println!("listening on {addr}");
    let tcp = mainspring::spawn(serve_tcp(listener));
    let udp = mainspring::spawn(serve_udp(socket));
    if !is_alone {
        udp.await??;
        return tcp.await?;
    }
    let names =
        ["host", "WEB", "big", "text", "lost"].map(|name| format!("{name}.mainspring.test"));
    let addrs = ["192.0.2.1", "2001:db8::1"].map(String::from);
    ask(addr, &[&names[..], &addrs].concat()).await;
    Ok(())
}

fn main() -> io::Result<()> {
    mainspring::run(run(std::env::args().skip(1).collect()))?
}
