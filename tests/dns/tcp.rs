//! TCP: for what was truncated, and for whom wants it from the beginning.

use std::io::ErrorKind;
use std::time::Duration;

use mainspring::net::dns::{DnsResolver, MESSAGE_MAX, Said};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::time::now;

use super::rig::{On, turns};
use super::server::{Query, Say, Server, resolver, say, v4};
use super::{inner, texts};

on_both! {
    p48_what_was_truncated_is_asked_for_again_over_tcp,
    a_truncated_reply_may_end_anywhere,
    a_reply_that_is_larger_than_it_may_be_is_still_read,
    a_reply_that_fills_the_buffer_is_asked_for_again_over_tcp,
    tcp_from_the_beginning_if_that_is_wanted,
    a_reply_over_tcp_may_come_byte_by_byte,
    the_longest_reply_there_is,
    p48_a_connection_that_ends_early_passes_the_question_on,
    a_connection_that_says_nothing_ends_with_the_time,
    another_question_s_answer_over_tcp_passes_the_question_on,
    nobody_listens_where_the_truncated_reply_came_from,
    every_wait_over_tcp_names_the_caller_s_line,
}

/// Many addresses.
fn big(query: &Query, count: u8) -> Vec<u8> {
    let all: Vec<_> = (0..count).map(v4).collect();
    query.reply(&all).encode(MESSAGE_MAX)
}

/// Nothing but that there is more.
fn truncated(query: &Query) -> Vec<Say> {
    let mut reply = query.reply(&[]);
    reply.is_truncated = true;
    say(&reply)
}

const ONE: &str = "options no-aaaa";

fn p48_what_was_truncated_is_asked_for_again_over_tcp(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            if query.over_tcp {
                vec![Say::Bytes(big(query, 200))]
            } else {
                let all: Vec<_> = (0..200).map(v4).collect();
                vec![Say::Bytes(query.reply(&all).encode(512))]
            }
        });
        let found = resolver(&[server.addr], ONE).lookup("host").await.unwrap();
        assert_eq!(found.len(), 200);
        assert_eq!(server.asked(), ["host A", "host A tcp"]);
        let queries = server.queries();
        assert_ne!(queries[0].message.id, queries[1].message.id);
    });
}

fn a_truncated_reply_may_end_anywhere(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            if query.over_tcp {
                return say(&query.reply_v4(1));
            }
            let mut reply = query.reply_v4(66);
            reply.is_truncated = true;
            let mut bytes = reply.encode(512);
            bytes.truncate(bytes.len() - 2);
            vec![Say::Bytes(bytes)]
        });
        let found = resolver(&[server.addr], ONE).lookup("host").await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
    });
}

fn a_reply_that_is_larger_than_it_may_be_is_still_read(on: On) {
    on.sim(async {
        let server = Server::start(|query| vec![Say::Bytes(big(query, 200))]);
        let found = resolver(&[server.addr], ONE).lookup("host").await.unwrap();
        assert_eq!(found.len(), 200);
        assert_eq!(server.asked(), ["host A"]);
    });
}

fn a_reply_that_fills_the_buffer_is_asked_for_again_over_tcp(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let count = if query.over_tcp { 100 } else { 255 };
            let mut reply = query.reply(&(0..count).map(v4).collect::<Vec<_>>());
            let text = vec![Box::from([7; 255]); 8];
            let extra = mainspring::net::dns::Data::Txt(text);
            let owner = "text".parse().unwrap();
            reply.additional = vec![mainspring::net::dns::Record::new(owner, 1, extra)];
            say(&reply)
        });
        let found = resolver(&[server.addr], ONE).lookup("host").await.unwrap();
        assert_eq!(found.len(), 100);
        assert_eq!(server.asked(), ["host A", "host A tcp"]);
    });
}

fn tcp_from_the_beginning_if_that_is_wanted(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[server.addr], "options use-vc");
        assert_eq!(
            texts(&resolver.lookup("host").await.unwrap()),
            ["192.0.2.1"]
        );
        assert!(server.queries().iter().all(|query| query.over_tcp));
        assert_eq!(server.queries().len(), 2);
    });
}

fn a_reply_over_tcp_may_come_byte_by_byte(on: On) {
    on.sim(async {
        let server = Server::start(|query| vec![Say::Slowly(big(query, 20))]);
        let resolver = resolver(&[server.addr], "options use-vc no-aaaa");
        assert_eq!(resolver.lookup("host").await.unwrap().len(), 20);
    });
}

fn the_longest_reply_there_is(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let all: Vec<_> = (0..4094).map(|number| v4(number as u8)).collect();
            let mut bytes = query.reply(&all).encode(MESSAGE_MAX);
            bytes.resize(MESSAGE_MAX, 0);
            vec![Say::Bytes(bytes)]
        });
        let resolver = resolver(&[server.addr], "options use-vc no-aaaa");
        assert_eq!(resolver.lookup("host").await.unwrap().len(), 4094);
    });
}

fn p48_a_connection_that_ends_early_passes_the_question_on(on: On) {
    on.sim(async {
        let ends: [fn(&Query) -> Vec<u8>; 4] = [
            |_| Vec::new(),
            |_| vec![0],
            |_| vec![0, 99],
            |query| [&[1, 0][..], &query.reply_v4(66).encode(512)].concat(),
        ];
        for end in ends {
            let early = Server::start(move |query| {
                if query.over_tcp {
                    vec![Say::Raw(end(query))]
                } else {
                    truncated(query)
                }
            });
            let other = Server::start(|query| say(&query.reply_v4(1)));
            let both = resolver(&[early.addr, other.addr], ONE);
            assert_eq!(texts(&both.lookup("host").await.unwrap()), ["192.0.2.1"]);
            let alone = resolver(&[early.addr], ONE).lookup("host").await;
            let error = alone.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert!(inner(&error).asked()[0].over_tcp);
            assert!(
                error
                    .to_string()
                    .contains(" over TCP, asked for host A, failed: "),
                "{error}"
            );
        }
    });
}

fn a_connection_that_says_nothing_ends_with_the_time(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            if query.over_tcp {
                Vec::new()
            } else {
                truncated(query)
            }
        });
        let resolver = resolver(&[server.addr], "options no-aaaa attempts:1");
        let begin = now();
        let error = resolver.lookup("host").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let took = now() - begin;
        assert!(
            took >= Duration::from_secs(5) && took < Duration::from_secs(6),
            "{took:?}"
        );
    });
}

fn another_question_s_answer_over_tcp_passes_the_question_on(on: On) {
    on.sim(async {
        let wrong = Server::start(|query| {
            let mut reply = query.reply_v4(66);
            reply.id ^= 1;
            say(&reply)
        });
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let options = "options use-vc no-aaaa";
        let both = resolver(&[wrong.addr, other.addr], options);
        assert_eq!(texts(&both.lookup("host").await.unwrap()), ["192.0.2.1"]);
        let error = resolver(&[wrong.addr], options).lookup("host").await;
        let error = error.unwrap_err();
        assert!(
            matches!(inner(&error).asked()[0].said, Said::Other),
            "{error}"
        );
    });
}

fn nobody_listens_where_the_truncated_reply_came_from(on: On) {
    on.sim(async {
        let udp_only = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = udp_only.local_addr().unwrap();
        udp_only.set_nonblocking(true).unwrap();
        let udp_only = mainspring::io::AsyncFd::new(udp_only).unwrap();
        let answer = mainspring::spawn(async move {
            for _ in 0..2 {
                let mut buf = [0; 512];
                let (len, from) = udp_only
                    .read_with(|socket| socket.recv_from(&mut buf))
                    .await
                    .unwrap();
                // The flags: a reply, truncated.
                (buf[2], buf[3]) = (0x83, 0x80);
                buf[11] = 0;
                udp_only.get_ref().send_to(&buf[..len], from).unwrap();
            }
        });
        let error = resolver(&[addr], ONE).lookup("host").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(inner(&error).asked().len(), 2);
        answer.await.unwrap();
    });
}

/// A listener that lets nobody in, one that reads nothing, one that answers half: the connect waits, then the read of the
/// length, then the read of the rest.
fn every_wait_over_tcp_names_the_caller_s_line(on: On) {
    on.sim(async {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = silent.local_addr().unwrap();
        let line = line!() + 2;
        let look_up = |resolver: DnsResolver| {
            let asking = async move { resolver.lookup("host").await };
            mainspring::spawn(asking)
        };
        let check = |wait: &str| {
            let snapshot = mainspring::inspect::snapshot().to_string();
            let row = snapshot.lines().find(|row| row.contains(wait));
            let row = row.unwrap_or_else(|| panic!("nobody waits for {wait}: {snapshot}"));
            let here = format!("tests/dns/tcp.rs:{line}");
            assert!(row.contains(&here), "{wait}: {snapshot}");
            assert!(!snapshot.contains("src/net/dns"), "{snapshot}");
        };
        let unseen = Plan::new().from(Call::SocketOption, 1, u64::MAX, Fault::Errno(libc::EAGAIN));
        let unseen = unseen
            .from(Call::Connect, 1, u64::MAX, Fault::Short(0))
            .install();
        let connecting = look_up(resolver(&[addr], "options no-aaaa use-vc"));
        mainspring::yield_now().await;
        check("to become writable");
        connecting.abort();
        drop((connecting.await, unseen));
        for answer in [&b""[..], b"\0\x20half of it"] {
            let reading = look_up(resolver(&[addr], "options no-aaaa use-vc"));
            turns(4).await;
            let (far, _) = silent.accept().unwrap();
            std::io::Write::write_all(&mut &far, answer).unwrap();
            turns(4).await;
            check("to become readable");
            reading.abort();
            assert!(reading.await.is_err());
            drop(far);
        }
    });
}
