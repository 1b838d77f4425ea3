//! What servers answer: addresses, other names, nothing; and what needs no server.

use std::cell::Cell;
use std::io::ErrorKind;

use mainspring::net::dns::{
    Code, Data, DnsConfig, DnsResolver, Hosts, Kind, Message, Question, Reason, Record,
};
use mainspring::task::blocking::statistics;

use super::rig::{On, both};
use super::server::{Query, Say, Server, alias, config, resolver, say, v4};
use super::{inner, texts};

on_both! {
    p48_a_look_up_asks_for_both_families_at_once_and_takes_no_thread,
    one_family_is_enough,
    a_chain_of_names_is_followed_within_a_reply,
    a_chain_of_names_is_followed_by_asking_again,
    a_chain_that_ends_in_nothing_is_not_asked_for_again,
    a_chain_without_end_is_an_error_after_sixteen_links,
    hz_g10_an_empty_answer_is_not_found_and_says_that_the_name_exists,
    a_name_that_does_not_exist_is_looked_for_below_the_search_list_and_all_are_named,
    a_failure_ends_the_search,
    p48_localhost_numbers_and_hosts_are_answered_without_a_question,
    what_cannot_be_a_name_is_refused_without_a_question,
    an_address_has_a_name,
    an_address_whose_name_would_do_harm_has_none,
    questions_one_after_the_other_if_the_server_wants_it,
    no_ipv6_if_it_is_not_wanted,
    any_record_can_be_asked_for,
    a_hundred_look_ups_at_once_get_each_its_own_answer,
    the_wait_for_a_server_names_the_caller_s_line,
    a_loop_that_was_given_the_resolver_asks_it_for_every_name,
}

fn nxdomain(query: &Query) -> Message {
    let mut reply = query.reply(&[]);
    reply.code = Code::NAME_ERROR;
    reply
}

fn p48_a_look_up_asks_for_both_families_at_once_and_takes_no_thread(on: On) {
    on.sim(async {
        // Neither is answered before both have come.
        let mut held = Vec::new();
        let server = Server::start(move |query| {
            let six = Data::Aaaa("2001:db8::5".parse().unwrap());
            let reply = match query.kind() {
                Kind::A => query.reply(&[v4(2), v4(1)]),
                _ => query.reply(&[six]),
            };
            held.push(Say::To(query.from, reply.encode(512)));
            match held.len() {
                2 => held.clone(),
                _ => Vec::new(),
            }
        });
        let found = resolver(&[server.addr], "").lookup("Host.Example").await;
        // IPv6 first, and then in the order of the server.
        assert_eq!(
            texts(&found.unwrap()),
            ["2001:db8::5", "192.0.2.2", "192.0.2.1"]
        );
        assert_eq!(server.asked(), ["Host.Example A", "Host.Example AAAA"]);
        let queries = server.queries();
        assert_ne!(queries[0].from.port(), queries[1].from.port());
        for query in queries {
            assert_eq!(query.message.udp_payload, Some(1232));
            assert!(query.message.wants_recursion && !query.message.is_reply);
        }
        assert_eq!(statistics().unwrap().threads, 0);
    });
}

fn one_family_is_enough(on: On) {
    on.sim(async {
        let server = Server::start(|query| match query.kind() {
            Kind::A => say(&query.reply(&[v4(1)])),
            _ => {
                let mut reply = query.reply(&[]);
                reply.code = Code::SERVER_FAILURE;
                say(&reply)
            }
        });
        let found = resolver(&[server.addr], "").lookup("host").await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
        assert_eq!(server.asked(), ["host A", "host AAAA", "host AAAA"]);
    });
}

fn a_chain_of_names_is_followed_within_a_reply(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut reply = query.reply(&[]);
            if query.kind() == Kind::A {
                // Not in the order of the chain, with a stranger's address among them.
                reply.answers = vec![
                    Record::new("c.example".parse().unwrap(), 60, v4(3)),
                    Record::new("stranger.example".parse().unwrap(), 60, v4(66)),
                    alias("b.example", "C.example"),
                    alias("a.example", "b.example"),
                    Record::new("c.example".parse().unwrap(), 60, v4(4)),
                ];
            }
            say(&reply)
        });
        let found = resolver(&[server.addr], "").lookup("a.example").await;
        assert_eq!(texts(&found.unwrap()), ["192.0.2.3", "192.0.2.4"]);
        assert_eq!(server.asked(), ["a.example A", "a.example AAAA"]);
    });
}

fn a_chain_of_names_is_followed_by_asking_again(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut reply = query.reply_v4(9);
            match query.name().as_str() {
                "a" => reply.answers = vec![alias("a", "b"), alias("b", "c")],
                "c" => reply.answers = vec![alias("c", "d")],
                _ => {}
            }
            say(&reply)
        });
        let found = resolver(&[server.addr], "options no-aaaa")
            .lookup("a")
            .await;
        assert_eq!(texts(&found.unwrap()), ["192.0.2.9"]);
        assert_eq!(server.asked(), ["a A", "c A", "d A"]);
    });
}

fn a_chain_that_ends_in_nothing_is_not_asked_for_again(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut reply = query.reply(&[]);
            reply.answers = vec![alias("a", "b")];
            // This is how a server says that there is no such record.
            let soa = Data::Other(Kind::SOA, [0; 22].into());
            reply.authority = vec![Record::new("b".parse().unwrap(), 60, soa)];
            say(&reply)
        });
        let error = resolver(&[server.addr], "").lookup("a").await.unwrap_err();
        assert_eq!(inner(&error).reason(), Reason::NoRecord);
        assert_eq!(server.asked(), ["a A", "a AAAA"]);
    });
}

fn a_chain_without_end_is_an_error_after_sixteen_links(on: On) {
    on.sim(async {
        // Within one reply: a circle.
        let server = Server::start(|query| {
            let mut reply = query.reply(&[]);
            reply.answers = vec![alias("a", "b"), alias("b", "a")];
            say(&reply)
        });
        let error = resolver(&[server.addr], "").lookup("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(inner(&error).reason(), Reason::Circle);
        assert_eq!(server.asked(), ["a A", "a AAAA"]);
        // From reply to reply: another name each time.
        let count = Cell::new(0);
        let server = Server::start(move |query| {
            count.set(count.get() + 1);
            let mut reply = query.reply(&[]);
            let target = format!("n{}", count.get());
            reply.answers = vec![alias(&query.name(), &target)];
            say(&reply)
        });
        let resolver = resolver(&[server.addr], "options no-aaaa");
        let error = resolver.lookup("n0").await.unwrap_err();
        assert_eq!(inner(&error).reason(), Reason::Circle);
        assert_eq!(server.asked().len(), 17);
    });
}

fn hz_g10_an_empty_answer_is_not_found_and_says_that_the_name_exists(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply(&[])));
        let error = resolver(&[server.addr], "").lookup("host").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let asked = format!("{} asked for host", server.addr).replace(" asked", ", asked");
        let expected = format!(
            "look-up of `host`: the name has no such record: {asked} A, said NOERROR; {asked} AAAA, said NOERROR"
        );
        assert_eq!(error.to_string(), expected);
        assert!(!inner(&error).is_temporary());
        // Records of another kind, or of another name, are no answer either.
        let server = Server::start(|query| {
            let mut reply = query.reply(&[Data::Txt(vec![Box::from(*b"text")])]);
            let other = Record::new("other".parse().unwrap(), 1, v4(1));
            reply.answers.push(other);
            say(&reply)
        });
        let error = resolver(&[server.addr], "").lookup("host").await.unwrap_err();
        assert_eq!(inner(&error).reason(), Reason::NoRecord);
    });
}

fn a_name_that_does_not_exist_is_looked_for_below_the_search_list_and_all_are_named(on: On) {
    on.sim(async {
        let server = Server::start(|query| match query.name().as_str() {
            "found.b.example" => say(&query.reply_v4(1)),
            _ => say(&nxdomain(query)),
        });
        let options = "search a.example b.example\noptions no-aaaa";
        let resolver = resolver(&[server.addr], options);
        let found = resolver.lookup("found").await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
        assert_eq!(server.asked(), ["found.a.example A", "found.b.example A"]);
        // Here an NXDOMAIN is final for one name, and the last one is the name as it stands.
        let error = resolver.lookup("lost").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(inner(&error).reason(), Reason::NoName);
        let names: Vec<String> = inner(&error)
            .asked()
            .iter()
            .map(|asked| asked.name.to_string())
            .collect();
        assert_eq!(names, ["lost.a.example", "lost.b.example", "lost"]);
        assert!(error.to_string().contains("no such name"), "{error}");
        // A dot at the end: whole.
        assert!(resolver.lookup("found.").await.is_err());
        assert_eq!(server.asked().last().unwrap(), "found A");
    });
}

fn a_failure_ends_the_search(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut reply = query.reply_v4(1);
            if query.name() == "host.a.example" {
                reply.code = Code::REFUSED;
            }
            say(&reply)
        });
        let resolver = resolver(&[server.addr], "search a.example b.example");
        let error = resolver.lookup("host").await.unwrap_err();
        assert!(inner(&error).is_temporary());
        let is_first = |asked: &String| asked.starts_with("host.a.example ");
        assert!(server.asked().iter().all(is_first), "{:?}", server.asked());
    });
}

fn p48_localhost_numbers_and_hosts_are_answered_without_a_question(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(66)));
        let file = b"192.0.2.7 printer\n2001:db8::7 printer\n10.0.0.1 localhost\n";
        let hosts = Hosts::parse(file);
        let resolver = DnsResolver::new(config(&[server.addr], ""), hosts);
        let rows: [(&str, &[&str]); 7] = [
            ("localhost", &["::1", "127.0.0.1"]),
            ("LOCALHOST.", &["::1", "127.0.0.1"]),
            ("any.thing.localhost", &["::1", "127.0.0.1"]),
            ("192.0.2.1", &["192.0.2.1"]),
            ("2001:db8::1", &["2001:db8::1"]),
            ("Printer", &["2001:db8::7", "192.0.2.7"]),
            ("printer.", &["2001:db8::7", "192.0.2.7"]),
        ];
        for (host, expected) in rows {
            assert_eq!(
                texts(&resolver.lookup(host).await.unwrap()),
                expected,
                "{host}"
            );
        }
        assert_eq!(
            resolver
                .reverse("192.0.2.7".parse().unwrap())
                .await
                .unwrap(),
            "printer"
        );
        assert_eq!(
            resolver
                .reverse("127.0.0.9".parse().unwrap())
                .await
                .unwrap(),
            "localhost"
        );
        assert!(server.asked().is_empty());
        // And a name that only looks like one of these is asked for.
        resolver.lookup("notlocalhost").await.unwrap();
        assert_eq!(server.asked().len(), 2);
    });
}

fn what_cannot_be_a_name_is_refused_without_a_question(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(66)));
        let resolver = resolver(&[server.addr], "");
        let long = "a".repeat(64);
        for host in ["", ".a", "a..b", "a b", "a\0b", "münchen.example", &long] {
            let error = resolver.lookup(host).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}");
        }
        assert!(server.asked().is_empty());
        let none = DnsResolver::new(config(&[], ""), Hosts::default());
        let error = none.lookup("host").await.unwrap_err();
        assert_eq!(error.to_string(), "look-up of `host`: no server to ask");
    });
}

fn an_address_has_a_name(on: On) {
    on.sim(async {
        let server = Server::start(|query| match query.name().as_str() {
            // As where a part of a network is delegated by other names.
            "7.2.0.192.in-addr.arpa" => {
                let target = "7.rev.example";
                let mut reply = query.reply(&[Data::Cname(target.parse().unwrap())]);
                let name = Data::Ptr("seven.example".parse().unwrap());
                reply
                    .answers
                    .push(Record::new(target.parse().unwrap(), 1, name));
                say(&reply)
            }
            name if name.ends_with("8.b.d.0.1.0.0.2.ip6.arpa") => {
                say(&query.reply(&[Data::Ptr("six.example".parse().unwrap())]))
            }
            _ => say(&nxdomain(query)),
        });
        let resolver = resolver(&[server.addr], "search a.example");
        let reverse = async |addr: &str| resolver.reverse(addr.parse().unwrap()).await;
        assert_eq!(reverse("192.0.2.7").await.unwrap(), "seven.example");
        assert_eq!(reverse("::ffff:192.0.2.7").await.unwrap(), "seven.example");
        assert_eq!(reverse("2001:db8::1").await.unwrap(), "six.example");
        let error = reverse("192.0.2.8").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(inner(&error).host(), "192.0.2.8");
        assert!(
            server
                .asked()
                .iter()
                .all(|asked| asked.ends_with(".arpa PTR"))
        );
    });
}

fn an_address_whose_name_would_do_harm_has_none(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let mut reply = query
                .reply(&[Data::Ptr("xxxxx.example".parse().unwrap())])
                .encode(512);
            let at = reply
                .windows(5)
                .position(|bytes| bytes == b"xxxxx")
                .unwrap();
            reply[at..at + 5].copy_from_slice(b"x\n;rm");
            vec![Say::Bytes(reply)]
        });
        let resolver = resolver(&[server.addr], "");
        let error = resolver
            .reverse("192.0.2.7".parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(inner(&error).reason(), Reason::NotHost);
    });
}

fn questions_one_after_the_other_if_the_server_wants_it(on: On) {
    on.sim(async {
        let server = Server::start(move |query| say(&query.reply_v4(1)));
        let resolver = resolver(&[server.addr], "options single-request");
        let lookup = async {
            let found = resolver.lookup("host").await.unwrap();
            assert_eq!(texts(&found), ["192.0.2.1"]);
        };
        let watch = async {
            while server.asked().is_empty() {
                mainspring::yield_now().await;
            }
            // The first was answered in the same poll, and the second has not been sent.
            assert_eq!(server.asked(), ["host A"]);
        };
        both(lookup, watch).await;
        assert_eq!(server.asked(), ["host A", "host AAAA"]);
    });
}

fn no_ipv6_if_it_is_not_wanted(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[server.addr], "options no-aaaa");
        resolver.lookup("host").await.unwrap();
        assert_eq!(server.asked(), ["host A"]);
    });
}

fn any_record_can_be_asked_for(on: On) {
    on.sim(async {
        let server = Server::start(|query| match query.name().as_str() {
            "text.example" => {
                say(&query.reply(&[Data::Txt(vec![Box::from(*b"v=1"), Box::from(*b"")])]))
            }
            _ => say(&nxdomain(query)),
        });
        let resolver = resolver(&[server.addr], "search a.example");
        let ask = async |name: &str| {
            let question = Question::new(name.parse().unwrap(), Kind::TXT);
            resolver.query(question).await.unwrap()
        };
        let reply = ask("text.example").await;
        let expected = Data::Txt(vec![Box::from(*b"v=1"), Box::from(*b"")]);
        assert_eq!(reply.answers[0].data, expected);
        assert_eq!(ask("lost.example").await.code, Code::NAME_ERROR);
        assert_eq!(server.asked(), ["text.example TXT", "lost.example TXT"]);
    });
}

fn a_hundred_look_ups_at_once_get_each_its_own_answer(on: On) {
    on.sim(async {
        let server = Server::start(|query| {
            let number = query.name().trim_start_matches("host").parse().unwrap();
            say(&query.reply_v4(number))
        });
        let resolver = resolver(&[server.addr], "");
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let resolver = resolver.clone();
                mainspring::spawn(async move {
                    let found = resolver.lookup(&format!("host{number}")).await.unwrap();
                    assert_eq!(texts(&found), [format!("192.0.2.{number}")]);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(server.asked().len(), 200);
        assert_eq!(statistics().unwrap().threads, 0);
    });
}

fn the_wait_for_a_server_names_the_caller_s_line(on: On) {
    on.sim(async {
        let server = Server::start(|_| Vec::new());
        let resolver = resolver(&[server.addr], "");
        let line = line!() + 1;
        let asking = async move { resolver.lookup("host").await };
        let task = mainspring::spawn(asking);
        while server.asked().len() < 2 {
            mainspring::yield_now().await;
        }
        let snapshot = mainspring::inspect::snapshot().to_string();
        assert!(
            snapshot.contains(&format!("tests/dns/answers.rs:{line}")),
            "{snapshot}"
        );
        task.abort();
        assert!(task.await.is_err());
    });
}

fn a_loop_that_was_given_the_resolver_asks_it_for_every_name(on: On) {
    let hosts = Hosts::parse(b"127.0.0.1 here.example\n");
    let mut config = DnsConfig::default();
    config.servers.clear();
    let resolver = DnsResolver::new(config, hosts);
    let runtime = on.builder().resolver(resolver).build().unwrap();
    let ran = runtime.block_on(async {
        let found = mainspring::net::lookup("here.example", 80).await.unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
        let name = mainspring::net::lookup_addr("127.0.0.1:80".parse().unwrap()).await;
        let name = name.unwrap();
        assert_eq!((&*name.host, &*name.service), ("here.example", "80"));
        let error = mainspring::net::lookup("elsewhere.example", 80).await;
        let error = error.unwrap_err();
        assert_eq!(
            error.to_string(),
            "look-up of `elsewhere.example`: no server to ask"
        );
        assert_eq!(statistics().unwrap().threads, 0);
    });
    ran.unwrap();
}
