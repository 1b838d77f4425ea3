//! Look-ups of the resolver without a thread, dropped at each wait: for a datagram, a connection, a reply in pieces.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use mainspring::net::dns::{Data, DnsConfig, DnsResolver, Hosts, Kind, Message, Question, Record};

use crate::everywhere::Case;
use crate::rig::On;
use crate::server::sockets;

everywhere! {
    a_look_up_over_both_transports_begins_anew,
    a_reverse_look_up_begins_anew,
    a_question_to_a_silent_server_begins_anew,
}

/// Who asks, and what it was told.
struct Near {
    resolver: DnsResolver,
    got: Vec<String>,
}

/// A server in the test's hand.
struct Far {
    udp: std::net::UdpSocket,
    tcp: std::net::TcpListener,
    connections: Vec<(TcpStream, Vec<u8>)>,
    /// Datagrams that it pretends not to have seen.
    deaf: u32,
}

fn ends() -> (Near, Far) {
    let (udp, tcp) = sockets((Ipv4Addr::LOCALHOST, 0).into());
    let mut config = DnsConfig::default();
    config.servers = vec![udp.local_addr().unwrap()];
    let near = Near {
        resolver: DnsResolver::new(config, Hosts::default()),
        got: Vec::new(),
    };
    let far = Far {
        udp,
        tcp,
        connections: Vec::new(),
        deaf: 0,
    };
    (near, far)
}

/// The address of a host is too long for a datagram.
fn reply(query: &Message, over_tcp: bool) -> Vec<u8> {
    let mut reply = Message::reply_to(query);
    let question = &query.questions[0];
    let data = match question.kind {
        Kind::A => Data::A([192, 0, 2, 1].into()),
        Kind::PTR => Data::Ptr("host.example".parse().unwrap()),
        _ => return reply.encode(512),
    };
    reply.is_truncated = question.kind == Kind::A && !over_tcp;
    reply
        .answers
        .push(Record::new(question.name.clone(), 1, data));
    reply.encode(512)
}

impl Far {
    /// Does what can be done at once; over TCP one byte at a time.
    fn answer(&mut self) {
        let mut buf = [0; 512];
        while let Ok((len, from)) = self.udp.recv_from(&mut buf) {
            if self.deaf > 0 {
                self.deaf -= 1;
                continue;
            }
            let query = Message::parse(&buf[..len]).unwrap();
            // Whoever asked may be gone.
            let _ = self.udp.send_to(&reply(&query, false), from);
        }
        while let Ok((stream, _)) = self.tcp.accept() {
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            self.connections.push((stream, Vec::new()));
        }
        for (stream, left) in &mut self.connections {
            if let Ok(len @ 3..) = stream.read(&mut buf) {
                let query = Message::parse(&buf[2..len]).unwrap();
                let reply = reply(&query, true);
                left.extend_from_slice(&(reply.len() as u16).to_be_bytes());
                left.extend_from_slice(&reply);
            }
            // The length in two pieces, the message in some.
            let step = left.len().min(if left.len() > 40 { 1 } else { 15 });
            if stream.write(&left[..step]).is_ok() {
                left.drain(..step);
            }
        }
    }
}

// cancels: DnsResolver::lookup
fn a_look_up_over_both_transports_begins_anew(on: On) {
    let waits = Case::new(on, ends).world(Far::answer).safe(
        async |near| {
            let found = near.resolver.lookup("host.example").await.unwrap();
            near.got = found.iter().map(ToString::to_string).collect();
        },
        async |near, _| assert_eq!(near.got, ["192.0.2.1"]),
    );
    // For the datagrams, the first byte of the length, the second, the message.
    assert!(waits >= 4, "{waits}");
}

// cancels: DnsResolver::reverse
fn a_reverse_look_up_begins_anew(on: On) {
    let waits = Case::new(on, ends).world(Far::answer).safe(
        async |near| {
            let name = near.resolver.reverse("192.0.2.1".parse().unwrap()).await;
            near.got = vec![name.unwrap()];
        },
        async |near, _| assert_eq!(near.got, ["host.example"]),
    );
    assert_eq!(waits, 1);
}

// cancels: DnsResolver::query
fn a_question_to_a_silent_server_begins_anew(on: On) {
    let setup = || {
        let (near, mut far) = ends();
        far.deaf = 1;
        (near, far)
    };
    let waits = Case::new(on, setup).world(Far::answer).safe(
        async |near| {
            let question = Question::new("host.example".parse().unwrap(), Kind::TXT);
            let reply = near.resolver.query(question).await.unwrap();
            near.got = vec![reply.questions[0].name.to_string()];
        },
        async |near, _| assert_eq!(near.got, ["host.example"]),
    );
    // For the first attempt and its time, and for the second.
    assert!(waits >= 2, "{waits}");
}
