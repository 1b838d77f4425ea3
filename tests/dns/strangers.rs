//! Replies that are not the server's, or not to this question, or no replies: ignored, and the right one
//! still counts.

use std::time::Duration;

use mainspring::net::dns::{Kind, Message, Question, Said};
use mainspring::time::now;

use super::rig::On;
use super::server::{Query, Say, Server, resolver, say};
use super::{inner, texts};

on_both! {
    p48_what_does_not_match_is_ignored_and_the_right_reply_still_counts,
    p48_only_what_does_not_match_is_as_good_as_silence,
    what_matches_and_is_garbage_behind_its_head_ends_the_wait,
    a_reply_that_comes_too_late_meets_nobody,
    a_flood_of_wrong_replies_ends_with_the_time,
    ids_and_ports_are_spread,
}

/// A false reply with a false address, made by `change` from the right one.
fn false_reply(query: &Query, change: impl FnOnce(&mut Message)) -> Say {
    let mut reply = query.reply_v4(66);
    change(&mut reply);
    Say::Bytes(reply.encode(512))
}

/// All that a resolver must not believe.
fn strange(query: &Query) -> Vec<Say> {
    let other_name = Question::new("other.example".parse().unwrap(), Kind::A);
    let other_kind = Question::new("host".parse().unwrap(), Kind::TXT);
    let mut other_class = query.message.questions[0].clone();
    other_class.class = 3;
    vec![
        Say::Bytes(Vec::new()),
        Say::Bytes(b"garbage".to_vec()),
        Say::Bytes(vec![0xc0; 512]),
        false_reply(query, |reply| reply.id ^= 1),
        false_reply(query, |reply| reply.id = reply.id.wrapping_add(0x5555)),
        false_reply(query, |reply| reply.is_reply = false),
        false_reply(query, |reply| reply.opcode = 4),
        false_reply(query, |reply| reply.questions[0] = other_name),
        false_reply(query, |reply| reply.questions[0] = other_kind),
        false_reply(query, |reply| reply.questions[0] = other_class),
        false_reply(query, |reply| reply.questions.clear()),
        false_reply(query, |reply| {
            reply.questions.push(reply.questions[0].clone())
        }),
        // Everything is right but where it comes from.
        Say::Elsewhere(query.reply_v4(66).encode(512)),
        // The query itself, sent back.
        Say::Bytes(query.message.encode(512)),
    ]
}

fn p48_what_does_not_match_is_ignored_and_the_right_reply_still_counts(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut all = strange(query);
            // The case of letters is no difference.
            let mut reply = query.reply_v4(1);
            reply.questions[0].name = query.name().to_uppercase().parse().unwrap();
            all.extend(say(&reply));
            all
        });
        let begin = now();
        let found = resolver(&[server.addr], "").lookup("host").await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
        assert!(now() - begin < Duration::from_secs(1));
        assert_eq!(server.asked().len(), 2);
    });
}

fn p48_only_what_does_not_match_is_as_good_as_silence(on: On) {
    on.sim(async {
        let server = Server::start(strange);
        let resolver = resolver(&[server.addr], "options attempts:1 timeout:3 no-aaaa");
        let begin = now();
        let error = resolver.lookup("host").await.unwrap_err();
        assert!(
            matches!(inner(&error).asked()[0].said, Said::Nothing(_)),
            "{error}"
        );
        assert!(now() - begin >= Duration::from_secs(3));
    });
}

fn what_matches_and_is_garbage_behind_its_head_ends_the_wait(on: On) {
    on.sim(async {
        let broken = Server::start(|query| {
            let mut reply = query.reply_v4(66).encode(512);
            reply.truncate(reply.len() - 1);
            vec![Say::Bytes(reply)]
        });
        let other = Server::start(|query| say(&query.reply_v4(1)));
        let resolver_of_both = resolver(&[broken.addr, other.addr], "options no-aaaa");
        let begin = now();
        assert_eq!(
            texts(&resolver_of_both.lookup("host").await.unwrap()),
            ["192.0.2.1"]
        );
        assert!(now() - begin < Duration::from_secs(1));
        let alone = resolver(&[broken.addr], "options no-aaaa");
        let error = alone.lookup("host").await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("sent no message: it ends too early"),
            "{error}"
        );
    });
}

fn a_reply_that_comes_too_late_meets_nobody(on: On) {
    on.sim(async {
        // The first question is answered together with the second, which has another socket.
        let mut late: Option<Say> = None;
        let server = Server::start(move |query| match late.take() {
            None => {
                late = Some(Say::To(query.from, query.reply_v4(66).encode(512)));
                Vec::new()
            }
            Some(first) => {
                let mut all = vec![first];
                all.extend(say(&query.reply_v4(1)));
                all
            }
        });
        let resolver = resolver(&[server.addr], "options no-aaaa");
        assert_eq!(
            texts(&resolver.lookup("host").await.unwrap()),
            ["192.0.2.1"]
        );
    });
}

fn a_flood_of_wrong_replies_ends_with_the_time(on: On) {
    on.run(async {
        let server = Server::start(|query| {
            let wrong = false_reply(query, |reply| reply.id ^= 1);
            vec![wrong; 5000]
        });
        let resolver = resolver(&[server.addr], "options attempts:1 timeout:1 no-aaaa");
        let mut config = resolver.config();
        config.timeout = Duration::from_millis(50);
        let resolver = mainspring::net::dns::DnsResolver::new(config, Default::default());
        let error = resolver.lookup("host").await.unwrap_err();
        assert!(inner(&error).is_temporary());
    });
}

fn ids_and_ports_are_spread(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[server.addr], "");
        for _ in 0..100 {
            resolver.lookup("host").await.unwrap();
        }
        let queries = server.queries();
        let distinct = |of: &dyn Fn(&Query) -> u16| {
            let values: std::collections::HashSet<u16> = queries.iter().map(of).collect();
            values.len()
        };
        // 200 of 65536, and of at least 16384 ports: some may coincide, few do.
        assert!(distinct(&|query| query.message.id) > 190);
        if cfg!(target_os = "linux") {
            assert!(distinct(&|query| query.from.port()) > 180);
        }
        let steps: std::collections::HashSet<u16> = queries
            .windows(2)
            .map(|two| two[1].message.id.wrapping_sub(two[0].message.id))
            .collect();
        assert!(steps.len() > 180, "ids that can be counted on");
    });
}
