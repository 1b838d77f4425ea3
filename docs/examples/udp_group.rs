//! A multicast group: who sends numbers to it, and who hears them, in batches of datagrams.
//!
//! ```text
//! cargo run --example udp_group                                          two members and a sender of its own
//! cargo run --example udp_group -- listen 239.255.7.7:7007               tells what it hears, until ^C
//! cargo run --example udp_group -- send 239.255.7.7:7007 1000            sends so many numbers
//! cargo run --example udp_group -- send 239.255.7.7:7007 1000 10.0.0.5   by the interface with this address; 127.0.0.1 otherwise
//! ```
//!
//! A datagram may get lost, so each has its number and how many there are: a member can tell what it has missed.
//!
//! Look at [`join`], for the order of things: an address is shared (`ReuseAddress`) before it is bound, and the group is joined after.
//! And at [`send`] and [`Member::listen`]: one system call moves a whole batch, on Linux and FreeBSD, and what did not find room
//! stays in it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::ExitCode;

use mainspring::net::udp::{ReceiveBatch, SendBatch};
use mainspring::net::{UdpSocket, option};
use mainspring::{select, signal};

const USAGE: &str =
    "usage: udp_group [listen GROUP:PORT [INTERFACE] | send GROUP:PORT COUNT [INTERFACE]]";
/// So many datagrams are moved by one system call, at most.
const BATCH: usize = 32;
/// A number, and how many there are: 8 bytes each, the most significant first.
const LEN: usize = 16;

/// A socket that hears what is sent to the group, beside others on this machine.
fn join(group: SocketAddrV4, interface: Ipv4Addr) -> io::Result<UdpSocket> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, group.port()));
    let socket = UdpSocket::unbound(address)?;
    socket.set_option(option::ReuseAddress, true)?;
    // The BSDs and macOS share a port only so.
    match socket.set_option(option::ReusePort, true) {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    socket.bind_to(address)?;
    socket.join_multicast_v4(*group.ip(), interface)?;
    Ok(socket)
}

/// Sends the numbers below `count` to the group.
async fn send(group: SocketAddrV4, interface: Ipv4Addr, count: u64) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::from((interface, 0)))?;
    socket.set_option(option::MulticastInterfaceV4, interface)?;
    // Not over a router, but to this machine's members too.
    socket.set_option(option::MulticastTtl, 1)?;
    socket.set_option(option::MulticastLoopV4, true)?;
    let mut batch = SendBatch::new(BATCH, LEN);
    for number in 0..count {
        let datagram = [number.to_be_bytes(), count.to_be_bytes()].concat();
        batch.push(&datagram, Some(group.into()));
        while batch.len() == BATCH || number + 1 == count && !batch.is_empty() {
            socket.send_many(&mut batch).await?;
        }
    }
    Ok(())
}

/// Somebody who listens.
struct Member {
    socket: UdpSocket,
    batch: ReceiveBatch,
    /// How many came from each who has not sent its last yet.
    heard: BTreeMap<SocketAddr, u64>,
}

impl Member {
    fn new(socket: UdpSocket) -> Member {
        Member {
            socket,
            batch: ReceiveBatch::new(BATCH, LEN),
            heard: BTreeMap::new(),
        }
    }

    /// Listens until somebody has sent the last number; who, and how many of how many came.
    async fn listen(&mut self) -> io::Result<(SocketAddr, u64, u64)> {
        loop {
            self.socket.recv_many(&mut self.batch).await?;
            let mut ended = None;
            for (received, bytes) in self.batch.iter() {
                // Anybody may send to a group.
                let (Some(from), Some((number, count))) = (received.from, parse(bytes)) else {
                    eprintln!("something else came from {:?}", received.from);
                    continue;
                };
                let heard = self.heard.entry(from).or_default();
                *heard += 1;
                if number + 1 == count {
                    ended = self.heard.remove(&from).map(|heard| (from, heard, count));
                }
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }
}

/// A number, and how many there are.
fn parse(bytes: &[u8]) -> Option<(u64, u64)> {
    let (number, count) = bytes.split_first_chunk()?;
    let count = u64::from_be_bytes(count.try_into().ok()?);
    let number = u64::from_be_bytes(*number);
    (number < count).then_some((number, count))
}

/// Tells of each sender, until ^C.
async fn tell(group: SocketAddrV4, interface: Ipv4Addr) -> io::Result<()> {
    let mut member = Member::new(join(group, interface)?);
    let mut end = signal::signal(signal::Signal::INT)?;
    println!("listening to {group}");
    loop {
        select! {
            ended = member.listen() => {
                let (from, heard, count) = ended?;
                println!("{from}: {heard} of {count}");
            }
            received = end.recv() => return received.map(drop),
        }
    }
}

/// Two members, of one port and one group, and a sender.
async fn demonstrate() -> io::Result<()> {
    let here = Ipv4Addr::LOCALHOST;
    let first = join(SocketAddrV4::new(Ipv4Addr::new(239, 255, 7, 7), 0), here)?;
    let group = SocketAddrV4::new(Ipv4Addr::new(239, 255, 7, 7), first.local_addr()?.port());
    let second = join(group, here)?;
    let (mut first, mut second) = (Member::new(first), Member::new(second));
    let (sent, first, second) =
        mainspring::join!(send(group, here, 100), first.listen(), second.listen());
    sent?;
    for (_, heard, count) in [first?, second?] {
        println!("heard {heard} of {count}");
    }
    Ok(())
}

async fn run(arguments: Vec<String>) -> Result<io::Result<()>, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let group = |text: &str| match text.parse::<SocketAddrV4>() {
        Ok(group) if group.ip().is_multicast() => Ok(group),
        _ => Err(format!("{text} is no group of IPv4 with a port")),
    };
    let interface = |rest: &[&str]| match rest {
        [] => Ok(Ipv4Addr::LOCALHOST),
        [text] => text.parse().map_err(|error| format!("{text}: {error}")),
        _ => Err("there are too many words".to_owned()),
    };
    match words[..] {
        [] => Ok(demonstrate().await),
        ["listen", to, ref rest @ ..] => Ok(tell(group(to)?, interface(rest)?).await),
        ["send", to, count, ref rest @ ..] => match count.parse() {
            Ok(count) => Ok(send(group(to)?, interface(rest)?, count).await),
            Err(error) => Err(format!("{count}: {error}")),
        },
        _ => Err("that is no order".to_owned()),
    }
}

fn main() -> io::Result<ExitCode> {
    let arguments = std::env::args().skip(1).collect();
    match mainspring::run(run(arguments))? {
        Ok(result) => result.map(|()| ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("udp_group: {error}\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
