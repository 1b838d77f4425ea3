//! The fault plan over every system call of a look-up: an answer, or an error that says why; nothing left open.

use std::io::ErrorKind;
use std::time::Duration;

use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::now;

use super::rig::{On, open_fds, turns};
use super::server::{Server, resolver, say};
use super::{inner, texts};

on_both! {
    each_call_may_fail_once_anywhere_and_the_next_try_succeeds,
    each_call_may_fail_for_ever_and_the_error_says_so,
    interrupted_calls_are_made_again,
    short_transfers_over_tcp_lose_nothing,
    a_send_that_cannot_go_yet_waits,
    p48_hz_g10_a_look_up_dropped_half_way_leaves_no_descriptor,
}

const ERRNOS: [(Call, &[i32]); 4] = [
    (
        Call::Socket,
        &[
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::EACCES,
            libc::EAFNOSUPPORT,
        ],
    ),
    (
        Call::Connect,
        &[
            libc::ENETUNREACH,
            libc::EADDRNOTAVAIL,
            libc::EPERM,
            libc::ECONNREFUSED,
        ],
    ),
    (
        Call::Send,
        &[
            libc::ECONNREFUSED,
            libc::ENOBUFS,
            libc::EPERM,
            libc::EHOSTUNREACH,
            libc::EPIPE,
        ],
    ),
    (
        Call::Recv,
        &[
            libc::ECONNREFUSED,
            libc::EHOSTUNREACH,
            libc::ENOMEM,
            libc::ECONNRESET,
        ],
    ),
];

/// Over UDP, and over TCP.
const WAYS: [&str; 2] = [
    "options no-aaaa attempts:5",
    "options no-aaaa attempts:5 use-vc",
];

fn each_call_may_fail_once_anywhere_and_the_next_try_succeeds(on: On) {
    on.alone(|| {
        let fds = open_fds();
        on.sim(async {
            for way in WAYS {
                for (call, errnos) in ERRNOS {
                    for errno in errnos {
                        for nth in 1..=4 {
                            let server = Server::start(|query| say(&query.reply_v4(1)));
                            let resolver = resolver(&[server.addr], way);
                            let plan = Plan::new().at(call, nth, Fault::Errno(*errno)).install();
                            let found = resolver.lookup("host").await;
                            drop(plan);
                            let what = format!("{way} {call:?} {errno} {nth}");
                            assert_eq!(texts(&found.expect(&what)), ["192.0.2.1"], "{what}");
                        }
                    }
                }
            }
        });
        assert_eq!(open_fds(), fds);
    });
}

fn each_call_may_fail_for_ever_and_the_error_says_so(on: On) {
    on.alone(|| {
        let fds = open_fds();
        on.sim(async {
            for way in WAYS {
                for (call, errnos) in ERRNOS {
                    for errno in errnos {
                        let server = Server::start(|query| say(&query.reply_v4(1)));
                        let resolver = resolver(&[server.addr], way);
                        let fault = Fault::Errno(*errno);
                        let plan = Plan::new().from(call, 1, u64::MAX, fault).install();
                        let error = resolver.lookup("host").await.unwrap_err();
                        let calls = count_of(call);
                        drop(plan);
                        let expected = std::io::Error::from_raw_os_error(*errno);
                        assert_eq!(error.kind(), expected.kind(), "{error}");
                        assert!(error.to_string().contains(&expected.to_string()), "{error}");
                        // One per attempt, and no spin.
                        assert_eq!(inner(&error).asked().len(), 5);
                        assert_eq!(calls, 5, "{way} {call:?}");
                    }
                }
            }
        });
        assert_eq!(open_fds(), fds);
    });
}

fn interrupted_calls_are_made_again(on: On) {
    on.sim(async {
        for way in WAYS {
            for (call, _) in ERRNOS {
                let server = Server::start(|query| say(&query.reply_v4(1)));
                let resolver = resolver(&[server.addr], way);
                let plan = Plan::new().at(call, 1, Fault::Errno(libc::EINTR)).install();
                let begin = now();
                let found = resolver.lookup("host").await.unwrap();
                drop(plan);
                assert_eq!(texts(&found), ["192.0.2.1"]);
                assert!(now() - begin < Duration::from_secs(1), "{call:?}");
            }
        }
    });
}

fn short_transfers_over_tcp_lose_nothing(on: On) {
    on.sim(async {
        for call in [Call::Send, Call::Recv] {
            for len in [1, 3] {
                let server = Server::start(|query| say(&query.reply_v4(1)));
                let resolver = resolver(&[server.addr], WAYS[1]);
                let plan = Plan::new()
                    .from(call, 1, u64::MAX, Fault::Short(len))
                    .install();
                let found = resolver.lookup("host.example").await;
                drop(plan);
                assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
                assert_eq!(server.asked(), ["host.example A tcp"]);
            }
        }
    });
}

fn a_send_that_cannot_go_yet_waits(on: On) {
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(1)));
        let resolver = resolver(&[server.addr], "options no-aaaa");
        let plan = Plan::new()
            .at(Call::Send, 1, Fault::Errno(libc::EAGAIN))
            .install();
        let found = resolver.lookup("host").await;
        drop(plan);
        assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
        assert_eq!(server.asked(), ["host A"]);
    });
}

fn p48_hz_g10_a_look_up_dropped_half_way_leaves_no_descriptor(on: On) {
    on.alone(|| {
        let fds = open_fds();
        on.sim(async {
            // Over UDP it says that there is more, over TCP nothing.
            let server = Server::start(|query| {
                let mut reply = query.reply(&[]);
                reply.is_truncated = true;
                if query.over_tcp {
                    Vec::new()
                } else {
                    say(&reply)
                }
            });
            let before = open_fds();
            for polls in 0..8 {
                let resolver = resolver(&[server.addr], "");
                let task = mainspring::spawn(async move { resolver.lookup("host").await });
                turns(polls).await;
                task.abort();
                assert!(task.await.is_err());
            }
            // The other ends of the connections close when they see the end.
            turns(5).await;
            assert_eq!(open_fds(), before);
            // And the resolver works on.
            let server = Server::start(|query| say(&query.reply_v4(1)));
            let found = resolver(&[server.addr], "").lookup("host").await;
            assert_eq!(texts(&found.unwrap()), ["192.0.2.1"]);
            let error = resolver(&[], "").lookup("host").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other);
        });
        assert_eq!(open_fds(), fds);
    });
}
