//! The step from a raw event, and the array's invariants under random calls.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use PollFlags as Raw;
use proptest::prelude::*;

use super::*;

const BOTH: Interest = Interest::READ.union(Interest::WRITE);
const BOTH_READY: Ready = Ready::READABLE.union(Ready::WRITABLE);

#[test]
fn b07_each_raw_report_becomes_its_event() {
    let closed = Ready::READ_CLOSED | Ready::WRITE_CLOSED;
    let rows = [
        (Raw::IN, BOTH, Ready::READABLE),
        (Raw::OUT, BOTH, Ready::WRITABLE),
        (Raw::PRI, Interest::all(), Ready::PRIORITY),
        (Raw::IN | Raw::OUT, BOTH, BOTH_READY),
        (Raw::HUP, Interest::WRITE, Ready::WRITABLE | closed),
        (Raw::HUP, Interest::READ, Ready::READABLE | closed),
        (Raw::IN | Raw::HUP, BOTH, BOTH_READY | closed),
        (Raw::ERR, Interest::WRITE, Ready::WRITABLE | Ready::ERROR),
        (Raw::OUT | Raw::ERR, BOTH, BOTH_READY | Ready::ERROR),
        (Raw::NVAL, BOTH, BOTH_READY | Ready::ERROR),
        (Raw::from_bits_retain(0x4000), BOTH, BOTH_READY),
    ];
    for (raw, armed, ready) in rows {
        assert_eq!(translate(raw, armed), ready, "{raw:?} while {armed:?}");
    }
    if !RDHUP.is_empty() {
        let ready = Ready::READABLE | Ready::READ_CLOSED;
        assert_eq!(translate(RDHUP, BOTH), ready);
        assert_eq!(translate(Raw::IN | RDHUP, BOTH), ready);
    }
}

#[test]
fn every_report_disarms_something() {
    for bits in 1..i16::MAX {
        for armed in (1..8).map(Interest::from_bits_retain) {
            let ready = translate(Raw::from_bits_retain(bits as _), armed);
            assert!(
                directions(ready).intersects(armed),
                "{bits:#x} while {armed:?}"
            );
        }
    }
}

#[test]
fn hz_c14_half_close_is_asked_about_only_beside_read() {
    assert!(!flags_of(Interest::WRITE).intersects(Raw::IN | Raw::HUP));
    if !RDHUP.is_empty() {
        assert!(!flags_of(Interest::WRITE | Interest::PRIORITY).intersects(RDHUP));
        assert!(flags_of(Interest::READ).contains(RDHUP));
    }
}

/// POLL-2 and POLL-3.
fn assert_invariants(poll: &Poll) {
    assert_eq!(poll.fds.len(), poll.slots.len());
    assert_eq!(poll.slots[0].token, Token::NOTIFY);
    for (position, slot) in poll.slots.iter().enumerate().skip(1) {
        let number = poll.fds[position].as_fd().as_raw_fd() as usize;
        assert_eq!(poll.index[number] as usize, position, "POLL-2");
        assert_eq!(position < poll.armed, !slot.armed.is_empty(), "POLL-3");
        assert!(!slot.is_reported);
    }
    let registered = poll
        .index
        .iter()
        .filter(|position| **position != UNREGISTERED)
        .count();
    assert_eq!(registered, poll.fds.len() - 1, "POLL-2");
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Add(usize, u8),
    Rearm(usize, u8),
    Remove(usize),
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..6_usize, 1..8_u8).prop_map(|(at, bits)| Op::Add(at, bits)),
        (0..6_usize, 0..8_u8).prop_map(|(at, bits)| Op::Rearm(at, bits)),
        (0..6_usize).prop_map(Op::Remove),
        Just(Op::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_array_keeps_its_invariants(
        ops in proptest::collection::vec(op(), 0..60),
        capacity in 1..4_usize,
    ) {
        let mut poll = Poll::new().unwrap();
        let pairs: Vec<_> = (0..3).map(|_| UnixStream::pair().unwrap()).collect();
        let ends: Vec<OwnedFd> =
            pairs.into_iter().flat_map(|(a, b)| [OwnedFd::from(a), OwnedFd::from(b)]).collect();
        let mut events = Events::with_capacity(capacity);
        let mut is_registered = [false; 6];
        for op in ops {
            match op {
                Op::Add(at, bits) => {
                    let interest = Interest::from_bits_retain(bits);
                    let answer = poll.add(ends[at].as_fd(), Token(at as u64), interest);
                    prop_assert_eq!(answer.is_ok(), !is_registered[at]);
                    is_registered[at] = true;
                }
                Op::Rearm(at, bits) => {
                    let interest = Interest::from_bits_retain(bits);
                    let answer = poll.rearm(ends[at].as_fd(), Token(at as u64), interest);
                    prop_assert_eq!(answer.is_ok(), is_registered[at]);
                }
                Op::Remove(at) => {
                    let answer = poll.remove(ends[at].as_fd(), Token(at as u64));
                    prop_assert_eq!(answer.is_ok(), is_registered[at]);
                    is_registered[at] = false;
                }
                Op::Wait => poll.wait(&mut events, Deadline::Now).unwrap(),
            }
            assert_invariants(&poll);
        }
    }
}
