//! Registration, arming and reporting: B1 to B6 and B8.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use mainspring_sys::backend::{Backend, Deadline};
use mainspring_sys::{Ready, Token};

use crate::rig::{BOTH, BOTH_READY, READ, Raw, Rig, WRITE, drain, fill, pair, replace, tcp_pair};

pub(crate) fn b01_a_number_is_free_again_after_remove<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    let mut slot = OwnedFd::from(left);
    rig.add(&slot, 1, BOTH);
    rig.wait_for(1, Ready::WRITABLE);
    rig.remove(&slot, 1);
    let (other, mut peer) = pair();
    replace(&mut slot, &other);
    drop(other);
    rig.add(&slot, 2, READ);
    // The first object's peer is gone: its hang-up is nobody's business any more.
    assert!(right.write(&[1]).is_err());
    peer.write_all(&[1]).unwrap();
    let ready = rig.wait_for(2, Ready::READABLE);
    assert!(!ready.intersects(Ready::READ_CLOSED | Ready::WRITE_CLOSED));
    assert_eq!(rig.glance(1), Ready::empty());
}

pub(crate) fn b01_closing_is_enough_where_the_backend_says_so<B: Backend>() {
    if !B::FORGETS_ON_CLOSE {
        return;
    }
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    let mut slot = OwnedFd::from(left);
    rig.add(&slot, 1, BOTH);
    rig.wait_for(1, Ready::WRITABLE);
    let (other, mut peer) = pair();
    replace(&mut slot, &other);
    drop(other);
    rig.assert_sleeps();
    rig.add(&slot, 2, READ);
    // What the first registration asked for must not be taken for the second's.
    rig.rearm(&slot, 2, WRITE);
    rig.wait_for(2, Ready::WRITABLE);
    peer.write_all(&[1]).unwrap();
    rig.wait_for(2, Ready::READABLE);
    rig.remove(&slot, 2);
}

pub(crate) fn b02_add_reports_a_condition_that_already_holds<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1]).unwrap();
    rig.add(&left, 1, BOTH);
    rig.wait_for(1, BOTH_READY);
}

pub(crate) fn b02_add_arms_for_what_comes_later<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    rig.assert_sleeps();
    right.write_all(&[1]).unwrap();
    rig.wait_for(1, Ready::READABLE);
}

pub(crate) fn b03_every_message_of_many_is_reported<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = tcp_pair();
    rig.add(&left, 1, READ);
    for _ in 0..200 {
        right.write_all(&[1]).unwrap();
        rig.wait_for(1, Ready::READABLE);
        assert_eq!(drain(&left), (1, false));
        rig.rearm(&left, 1, READ);
    }
}

/// The clause says *may*; a backend of ours that repeated itself would make the loop spin.
pub(crate) fn b04_a_reported_direction_is_silent_until_rearm<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1]).unwrap();
    rig.add(&left, 1, BOTH);
    rig.wait_for(1, BOTH_READY);
    rig.assert_sleeps();
}

pub(crate) fn b04_the_other_direction_stays_armed<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, BOTH);
    let ready = rig.wait_for(1, Ready::WRITABLE);
    assert!(!ready.contains(Ready::READABLE));
    right.write_all(&[1]).unwrap();
    rig.wait_for(1, Ready::READABLE);
}

pub(crate) fn b05_rearm_reports_a_level_that_already_holds<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1]).unwrap();
    rig.add(&left, 1, READ);
    rig.wait_for(1, Ready::READABLE);
    assert_eq!(drain(&left), (1, false));
    // It comes between the WouldBlock and the rearm.
    right.write_all(&[2]).unwrap();
    rig.rearm(&left, 1, READ);
    rig.wait_for(1, Ready::READABLE);
}

pub(crate) fn b05_after_rearm_the_next_message_is_reported<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1]).unwrap();
    rig.add(&left, 1, READ);
    rig.wait_for(1, Ready::READABLE);
    assert_eq!(drain(&left), (1, false));
    rig.rearm(&left, 1, READ);
    rig.assert_sleeps();
    right.write_all(&[2]).unwrap();
    rig.wait_for(1, Ready::READABLE);
}

/// B5's second half: on a stream socket a short transfer is as good as a WouldBlock.
pub(crate) fn b05_a_short_read_then_rearm_loses_nothing<B: Backend>() {
    let mut rig = Rig::<B>::new();
    for at in 0..2 {
        let (mut left, mut right) = tcp_pair();
        rig.add(&left, at, READ);
        for _ in 0..50 {
            right.write_all(&[1, 2, 3]).unwrap();
            rig.wait_for(at, Ready::READABLE);
            assert!(left.read(&mut [0; 64]).unwrap() < 64);
            rig.rearm(&left, at, READ);
        }
        drop(right);
        rig.wait_for(at, Ready::READABLE);
        assert!(drain(&left).1, "the end of file");
        rig.remove(&left, at);
    }
}

pub(crate) fn b05_rearm_adds_a_direction_that_already_holds<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    rig.add(&left, 1, READ);
    rig.assert_sleeps();
    rig.rearm(&left, 1, WRITE);
    rig.wait_for(1, Ready::WRITABLE);
}

pub(crate) fn b05_rearm_keeps_what_is_armed<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    rig.rearm(&left, 1, WRITE);
    rig.wait_for(1, Ready::WRITABLE);
    right.write_all(&[1]).unwrap();
    rig.wait_for(1, Ready::READABLE);
}

pub(crate) fn b05_rearm_of_write_reports_room<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, right) = pair();
    rig.add(&left, 1, BOTH);
    rig.wait_for(1, Ready::WRITABLE);
    for _ in 0..3 {
        let filled = fill(&left);
        rig.rearm(&left, 1, WRITE);
        rig.assert_sleeps();
        assert_eq!(drain(&right).0, filled);
        rig.wait_for(1, Ready::WRITABLE);
    }
}

pub(crate) fn hz_c03_a_burst_is_read_whole_with_any_buffer<B: Backend>() {
    const BURST: usize = 256 * 1024;
    for size in [1, 1000, 4096, BURST] {
        let mut rig = Rig::<B>::new();
        let (mut left, mut right) = pair();
        rig.add(&left, 1, BOTH);
        rig.add(&right, 2, BOTH);
        let (mut sent, mut got) = (0, 0);
        let mut buffer = vec![0; size];
        // One-byte reads are many system calls; a smaller burst says the same.
        let burst = if size == 1 { BURST / 8 } else { BURST };
        let burst_bytes = vec![b'x'; burst];
        while got < burst {
            let batch = rig.wait(crate::rig::within(crate::rig::PATIENCE));
            assert!(
                !batch.is_empty(),
                "{got} of {burst} bytes, reading {size} at a time"
            );
            for event in batch {
                if event.token == Token(1) && event.ready.contains(Ready::READABLE) {
                    while let Ok(count) = left.read(&mut buffer) {
                        got += count;
                    }
                    rig.rearm(&left, 1, READ);
                }
                if event.token == Token(2) && event.ready.contains(Ready::WRITABLE) {
                    while sent < burst {
                        let Ok(count) = right.write(&burst_bytes[sent..]) else {
                            break;
                        };
                        sent += count;
                    }
                    if sent < burst {
                        rig.rearm(&right, 2, WRITE);
                    }
                }
            }
        }
        assert_eq!(got, burst);
    }
}

pub(crate) fn b06_wait_empties_the_batch_it_is_given<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    rig.add(&left, 1, WRITE);
    rig.wait_for(1, Ready::WRITABLE);
    rig.backend.wait(&mut rig.events, Deadline::Now).unwrap();
    assert!(rig.events.is_empty());
}

pub(crate) fn b06_a_report_that_was_ignored_loses_no_data<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    right.write_all(&[1; 10]).unwrap();
    rig.add(&left, 1, READ);
    rig.wait_for(1, Ready::READABLE);
    right.write_all(&[1; 10]).unwrap();
    rig.glance(1);
    assert_eq!(drain(&left), (20, false));
    rig.rearm(&left, 1, READ);
    right.write_all(&[1; 10]).unwrap();
    rig.wait_for(1, Ready::READABLE);
}

pub(crate) fn b08_after_remove_no_wait_reports_the_token<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    let (other, _peer) = pair();
    rig.add(&left, 1, BOTH);
    rig.add(&other, 2, BOTH);
    right.write_all(&[1]).unwrap();
    rig.remove(&left, 1);
    rig.wait_for(2, Ready::WRITABLE);
    assert_eq!(rig.glance(1), Ready::empty());
    drop(right);
    assert_eq!(rig.glance(1), Ready::empty());
}

pub(crate) fn hz_c09_a_number_reused_inside_a_batch_is_another_registration<B: Backend>() {
    for first in [0, 1] {
        let mut rig = Rig::<B>::new();
        let ((a, mut peer_a), (b, mut peer_b)) = (pair(), pair());
        let mut slots = [OwnedFd::from(a), OwnedFd::from(b)];
        rig.add(&slots[0], 0, READ);
        rig.add(&slots[1], 1, READ);
        peer_a.write_all(&[1]).unwrap();
        peer_b.write_all(&[1]).unwrap();
        rig.wait_for(first, Ready::READABLE);
        // While the one report is handled, the other's descriptor is closed and its number reused.
        let other = 1 - first;
        rig.remove(&slots[other as usize], other);
        let (heir, mut peer) = pair();
        replace(&mut slots[other as usize], &heir);
        drop(heir);
        rig.add(&slots[other as usize], 7, READ);
        assert_eq!(rig.glance(other), Ready::empty());
        assert_eq!(
            rig.glance(7),
            Ready::empty(),
            "the old object's byte is not the new one's"
        );
        peer.write_all(&[1]).unwrap();
        rig.wait_for(7, Ready::READABLE);
    }
}

pub(crate) fn hz_c10_a_dup_kept_elsewhere_reports_nothing_after_remove<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    let kept = left.try_clone().unwrap();
    rig.add(&left, 1, BOTH);
    rig.wait_for(1, Ready::WRITABLE);
    rig.remove(&left, 1);
    drop(left);
    right.write_all(&[1]).unwrap();
    rig.assert_sleeps();
    drop(right);
    rig.assert_sleeps();
    assert_eq!(drain(&kept), (1, true));
}

pub(crate) fn hz_c11_remove_and_add_take_effect_in_one_turn<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    let mut slot = OwnedFd::from(left);
    for token in 0..20 {
        rig.add(&slot, token, BOTH);
        rig.remove(&slot, token);
        let (other, peer) = pair();
        replace(&mut slot, &other);
        drop(other);
        rig.add(&slot, 100 + token, BOTH);
        Raw(peer.as_fd()).write_all(&[1]).unwrap();
        rig.wait_for(100 + token, BOTH_READY);
        rig.remove(&slot, 100 + token);
        assert_eq!(rig.glance(token), Ready::empty());
    }
}
