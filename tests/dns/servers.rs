//! Several servers: silent, failing, unreachable, rotated; and the time that is given them.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use mainspring::net::dns::{Code, Kind, Said};
use mainspring::time::now;

use super::rig::On;
use super::server::{Query, Say, Server, resolver, say};
use super::{inner, texts};

on_both! {
    p48_the_second_server_answers_when_the_first_is_silent,
    p48_hz_g10_silence_ends_after_the_attempts_and_says_who_was_asked,
    a_server_that_fails_is_passed_over_at_once,
    a_server_that_is_not_there_is_passed_over_at_once,
    a_name_that_does_not_exist_is_final_at_the_first_server,
    a_server_that_knows_nothing_and_asks_nobody_is_passed_over,
    an_old_server_is_asked_again_without_the_new_record,
    the_servers_take_turns_if_that_is_wanted,
    the_second_attempt_may_succeed,
    a_server_with_ipv6_is_asked_too,
}

fn with_code(query: &Query, code: Code) -> Vec<Say> {
    let mut reply = query.reply(&[]);
    reply.code = code;
    say(&reply)
}

/// A port where nobody listens, with its holder, who never reads or has gone.
fn nobody() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

fn p48_the_second_server_answers_when_the_first_is_silent(on: On) {
    on.sim(async {
        let silent = Server::start(|_| Vec::new());
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[silent.addr, other.addr], "");
        let begin = now();
        let found = resolver.lookup("host").await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
        let took = now() - begin;
        assert!(
            took >= Duration::from_secs(5) && took < Duration::from_millis(5100),
            "{took:?}"
        );
        assert_eq!(silent.asked(), other.asked());
        // A question that is asked again has another id.
        let ids = |server: &Server| -> Vec<u16> {
            server
                .queries()
                .iter()
                .map(|query| query.message.id)
                .collect()
        };
        assert_ne!(ids(&silent), ids(&other));
    });
}

fn p48_hz_g10_silence_ends_after_the_attempts_and_says_who_was_asked(on: On) {
    on.sim(async {
        let (one, other) = (Server::start(|_| Vec::new()), Server::start(|_| Vec::new()));
        let options = "options timeout:2 attempts:3 no-aaaa";
        let resolver = resolver(&[one.addr, other.addr], options);
        let begin = now();
        let error = resolver.lookup("host").await.unwrap_err();
        let took = now() - begin;
        assert!(
            took >= Duration::from_secs(12) && took < Duration::from_millis(12_100),
            "{took:?}"
        );
        assert_eq!((one.asked().len(), other.asked().len()), (3, 3));
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(inner(&error).is_temporary());
        let servers: Vec<SocketAddr> = inner(&error)
            .asked()
            .iter()
            .map(|asked| asked.server)
            .collect();
        assert_eq!(servers, [one.addr, other.addr].repeat(3));
        let said = format!("{}, asked for host A, said nothing for 2s", other.addr);
        assert!(
            error
                .to_string()
                .starts_with("look-up of `host`: no answer: "),
            "{error}"
        );
        assert!(error.to_string().ends_with(&said), "{error}");
    });
}

fn a_server_that_fails_is_passed_over_at_once(on: On) {
    on.sim(async {
        for code in [
            Code::SERVER_FAILURE,
            Code::REFUSED,
            Code::FORMAT_ERROR,
            Code(9),
        ] {
            let failing = Server::start(move |query| with_code(query, code));
            let other = Server::start(|query| say(&query.reply_v4(1)));
            let resolver = resolver(&[failing.addr, other.addr], "options no-aaaa");
            let begin = now();
            assert_eq!(
                texts(&resolver.lookup("host").await.unwrap()),
                ["192.0.2.1"]
            );
            assert!(now() - begin < Duration::from_secs(1));
            // Who does not understand is asked once more, in old words.
            let times = if code == Code::FORMAT_ERROR { 2 } else { 1 };
            assert_eq!(failing.asked().len(), times);
        }
        let failing = Server::start(|query| with_code(query, Code::SERVER_FAILURE));
        let resolver = resolver(&[failing.addr], "options no-aaaa");
        let error = resolver.lookup("host").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("said SERVFAIL; "), "{error}");
        assert_eq!(failing.asked().len(), 2);
    });
}

fn a_server_that_is_not_there_is_passed_over_at_once(on: On) {
    on.sim(async {
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let nobody = nobody();
        let found = resolver(&[nobody, other.addr], "").lookup("host").await;
        assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
        let begin = now();
        let error = resolver(&[nobody], "").lookup("host").await.unwrap_err();
        assert!(now() - begin < Duration::from_secs(1));
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(matches!(inner(&error).asked()[0].said, Said::Failed(_)));
    });
}

fn a_name_that_does_not_exist_is_final_at_the_first_server(on: On) {
    on.sim(async {
        let first = Server::start(|query| with_code(query, Code::NAME_ERROR));
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[first.addr, other.addr], "");
        let error = resolver.lookup("host").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(other.asked().is_empty());
    });
}

fn a_server_that_knows_nothing_and_asks_nobody_is_passed_over(on: On) {
    on.sim(async {
        let lame = Server::start(|query| {
            let mut reply = query.reply(&[]);
            reply.offers_recursion = false;
            let root = mainspring::net::dns::Data::Other(Kind::NS, [0].into());
            let owner = mainspring::net::dns::Name::root();
            reply.authority = vec![mainspring::net::dns::Record::new(owner, 1, root)];
            say(&reply)
        });
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let found = resolver(&[lame.addr, other.addr], "").lookup("host").await;
        assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
        let error = resolver(&[lame.addr], "").lookup("host").await.unwrap_err();
        assert!(
            error.to_string().contains("does not know, and asks nobody"),
            "{error}"
        );
    });
}

fn an_old_server_is_asked_again_without_the_new_record(on: On) {
    on.sim(async {
        for code in [Code::FORMAT_ERROR, Code::NOT_IMPLEMENTED] {
            let old = Server::start(move |query| {
                if query.message.udp_payload.is_none() {
                    return say(&query.reply_v4(1));
                }
                // It has not even read the question.
                let mut reply = query.reply(&[]);
                (reply.code, reply.questions) = (code, Vec::new());
                say(&reply)
            });
            let resolver = resolver(&[old.addr], "options no-aaaa");
            assert_eq!(
                texts(&resolver.lookup("host").await.unwrap()),
                ["192.0.2.1"]
            );
            assert_eq!(old.asked(), ["host A", "host A"]);
        }
    });
}

fn the_servers_take_turns_if_that_is_wanted(on: On) {
    on.sim(async {
        let servers = [(); 3].map(|()| Server::start(|query| say(&query.reply_v4(1))));
        let addrs = [servers[0].addr, servers[1].addr, servers[2].addr];
        for (options, expected) in [("options rotate", [4, 4, 4]), ("", [12, 0, 0])] {
            let before = servers.each_ref().map(|server| server.asked().len());
            let resolver = resolver(&addrs, options);
            for _ in 0..6 {
                resolver.lookup("host").await.unwrap();
            }
            let mut counts = servers.each_ref().map(|server| server.asked().len());
            counts
                .iter_mut()
                .zip(before)
                .for_each(|(count, before)| *count -= before);
            assert_eq!(counts, expected);
        }
    });
}

fn the_second_attempt_may_succeed(on: On) {
    on.sim(async {
        let mut count = 0;
        let server = Server::start(move |query| {
            count += 1;
            if count < 3 {
                Vec::new()
            } else {
                say(&query.reply_v4(1))
            }
        });
        let resolver = resolver(&[server.addr], "");
        let begin = now();
        assert_eq!(
            texts(&resolver.lookup("host").await.unwrap()),
            ["192.0.2.1"]
        );
        assert!(now() - begin >= Duration::from_secs(5));
        assert_eq!(server.asked().len(), 4);
    });
}

fn a_server_with_ipv6_is_asked_too(on: On) {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6: nothing tested");
        return;
    }
    on.sim(async {
        let server = Server::at("[::1]:0".parse().unwrap(), |query| say(&query.reply_v4(1)));
        let found = resolver(&[server.addr], "").lookup("host").await;
        assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
    });
}
