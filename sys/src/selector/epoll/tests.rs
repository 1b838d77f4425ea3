//! The step from a raw event, the grain of time, and what the memo may not be believed about.

use std::os::unix::net::UnixStream;

use epoll::EventFlags as Raw;

use super::*;
use crate::clock::{Clock, Instant};

const ALL: Ready = Ready::READABLE
    .union(Ready::WRITABLE)
    .union(Ready::PRIORITY);

#[test]
fn b07_each_raw_report_becomes_its_event() {
    let rows = [
        (Raw::IN, Ready::READABLE),
        (Raw::OUT, Ready::WRITABLE),
        (Raw::PRI, Ready::PRIORITY),
        (Raw::IN | Raw::OUT, Ready::READABLE | Ready::WRITABLE),
        (Raw::RDHUP, Ready::READABLE | Ready::READ_CLOSED),
        (Raw::IN | Raw::RDHUP, Ready::READABLE | Ready::READ_CLOSED),
        (
            Raw::OUT | Raw::RDHUP,
            Ready::READABLE | Ready::WRITABLE | Ready::READ_CLOSED,
        ),
        (Raw::HUP, ALL | Ready::READ_CLOSED | Ready::WRITE_CLOSED),
        (
            Raw::IN | Raw::HUP,
            ALL | Ready::READ_CLOSED | Ready::WRITE_CLOSED,
        ),
        (
            Raw::OUT | Raw::HUP,
            ALL | Ready::READ_CLOSED | Ready::WRITE_CLOSED,
        ),
        (Raw::ERR, ALL | Ready::ERROR),
        (Raw::OUT | Raw::ERR, ALL | Ready::ERROR),
        (
            Raw::IN | Raw::OUT | Raw::ERR | Raw::HUP | Raw::RDHUP,
            ALL | Ready::ERROR | Ready::READ_CLOSED | Ready::WRITE_CLOSED,
        ),
        (Raw::empty(), Ready::empty()),
    ];
    for (raw, ready) in rows {
        assert_eq!(translate(raw), ready, "{raw:?}");
    }
}

#[test]
fn b12_each_interest_asks_for_its_bits_on_the_edge() {
    let edge = Raw::ET | Raw::RDHUP;
    assert_eq!(flags_of(Interest::READ), edge | Raw::IN);
    assert_eq!(flags_of(Interest::WRITE), edge | Raw::OUT);
    assert_eq!(flags_of(Interest::PRIORITY), edge | Raw::PRI);
    assert_eq!(
        flags_of(Interest::all()),
        edge | Raw::IN | Raw::OUT | Raw::PRI
    );
}

#[test]
fn b09_milliseconds_are_rounded_up() {
    let rows = [
        (1, 0, 1),
        (999_999, 0, 1),
        (1_000_000, 0, 1),
        (1_000_001, 0, 2),
    ];
    for (ns, seconds, ms) in rows {
        let time = whole_ms(ns);
        assert_eq!(
            (time.tv_sec, time.tv_nsec),
            (seconds, ms * 1_000_000),
            "{ns}"
        );
    }
    let time = whole_ms(1_999_000_001);
    assert_eq!((time.tv_sec, time.tv_nsec), (2, 0));
}

#[test]
fn b09_without_pwait2_a_wait_is_still_never_early() {
    let clock = Clock::Monotonic;
    let mut epoll = Epoll::new().unwrap();
    epoll.has_pwait2 = false;
    let mut events = Events::with_capacity(4);
    for us in [1, 300, 999, 1_001] {
        let now = clock.now();
        let at = Instant::from_ns(now.as_ns() + us * 1_000);
        epoll.wait(&mut events, Deadline::At { at, now }).unwrap();
        // A signal may end it earlier (hz_c01).
        assert!(clock.now() >= at || cfg!(mainspring_storm), "{us} us");
    }
}

#[test]
fn a_stale_memo_is_not_believed() {
    let mut epoll = Epoll::new().unwrap();
    let (heir, _peer) = UnixStream::pair().unwrap();
    // What a socket of the same number leaves behind that was closed without `remove`.
    epoll.remember(
        heir.as_fd(),
        Memo {
            token: Token(1),
            interest: Interest::all(),
        },
    );
    let error = epoll
        .rearm(heir.as_fd(), Token(2), Interest::READ)
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = epoll.remove(heir.as_fd(), Token(2)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    epoll.add(heir.as_fd(), Token(2), Interest::READ).unwrap();
}

#[test]
fn rearm_for_what_is_registered_makes_no_system_call() {
    let mut epoll = Epoll::new().unwrap();
    let (left, _peer) = UnixStream::pair().unwrap();
    epoll
        .add(left.as_fd(), Token(1), Interest::READ | Interest::WRITE)
        .unwrap();
    // Behind the backend's back the registration goes away: only a system call could notice.
    rustix::event::epoll::delete(&epoll.epoll, &left).unwrap();
    epoll.rearm(left.as_fd(), Token(1), Interest::READ).unwrap();
    epoll
        .rearm(left.as_fd(), Token(1), Interest::WRITE)
        .unwrap();
    assert!(
        epoll
            .rearm(left.as_fd(), Token(1), Interest::PRIORITY)
            .is_err()
    );
}
