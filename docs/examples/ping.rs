//! ICMP echo over a raw socket: `AsyncFd` awaits any descriptor, of whatever family (netlink and vsock alike).
//!
//! Raw sockets are for the superuser on most systems; without the right to have one, the program says so.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use mainspring::io::AsyncFd;
use mainspring::time::timeout;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// Long for this machine, whose own kernel answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// One's complement of the one's complement sum (RFC 1071).
fn checksum(packet: &[u8]) -> u16 {
    let words = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let sum = words.sum::<u32>();
    let sum = (sum >> 16) + (sum & 0xffff);
    !((sum >> 16) + (sum & 0xffff)) as u16
}

fn request(id: u16) -> Vec<u8> {
    let mut packet = vec![ECHO_REQUEST, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(b"mainspring");
    let sum = checksum(&packet).to_be_bytes();
    packet[2..4].copy_from_slice(&sum);
    packet
}

/// Whether a packet of the socket, which begins with the header of IP, answers the request of this id.
fn answers(packet: &[u8], id: u16) -> bool {
    let header_len = usize::from(packet.first().copied().unwrap_or(0) & 0x0f) * 4;
    let message = packet.get(header_len..).unwrap_or_default();
    message.len() >= 8 && message[0] == ECHO_REPLY && message[4..6] == id.to_be_bytes()
}

async fn ping(to: Ipv4Addr) -> io::Result<&'static str> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP));
    let socket = match socket {
        Err(Errno::PERM | Errno::ACCESS) => return Ok("this user may have no raw socket"),
        socket => socket?,
    };
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = AsyncFd::new(socket)?;
    let id = std::process::id() as u16;
    let (request, to) = (request(id), SocketAddrV4::new(to, 0));
    socket
        .write_with(|socket| {
            Ok(rustix::net::sendto(
                socket,
                &request,
                SendFlags::empty(),
                &to,
            )?)
        })
        .await?;
    let mut buf = [0; 256];
    loop {
        // The socket gets every ICMP packet of this machine: also our own request.
        let (len, _) = socket
            .read_with(|socket| Ok(rustix::net::recv(socket, &mut buf[..], RecvFlags::empty())?))
            .await?;
        if answers(&buf[..len], id) {
            return Ok("the answer came");
        }
    }
}

fn main() -> io::Result<()> {
    mainspring::run(async {
        match timeout(PATIENCE, ping(Ipv4Addr::LOCALHOST)).await {
            Ok(news) => println!("127.0.0.1: {}", news?),
            Err(_) => println!("127.0.0.1: no answer within {PATIENCE:?}"),
        }
        Ok(())
    })?
}
