//! What can be registered, and what is refused: B11 and B12.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use mainspring_sys::backend::Backend;
use mainspring_sys::{Interest, Ready, Token};

use crate::rig::{BOTH, READ, Rig, WRITE, drain, pair, tcp_pair};

pub(crate) fn b11_a_second_add_already_exists<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    for token in [1, 2] {
        let error = rig
            .backend
            .add(left.as_fd(), Token(token), BOTH)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    // The first registration is as it was.
    right.write_all(&[1]).unwrap();
    rig.wait_for(1, Ready::READABLE);
    assert_eq!(rig.glance(2), Ready::empty());
}

pub(crate) fn b11_remove_and_rearm_of_none_are_not_found<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    let not_found = |rig: &mut Rig<B>| {
        let error = rig.backend.remove(left.as_fd(), Token(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let error = rig.backend.rearm(left.as_fd(), Token(1), READ).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    };
    not_found(&mut rig);
    rig.add(&left, 1, READ);
    rig.remove(&left, 1);
    not_found(&mut rig);
    rig.add(&left, 1, WRITE);
    rig.wait_for(1, Ready::WRITABLE);
}

pub(crate) fn hz_c12_files_and_directories_are_unsupported<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let directory = File::open("/").unwrap();
    for object in [file, directory] {
        for _ in 0..2 {
            let error = rig.backend.add(object.as_fd(), Token(1), READ).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        let error = rig.backend.remove(object.as_fd(), Token(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    rig.assert_sleeps();
}

/// Linux's epoll refuses it, macOS has no way to watch it; so every backend there says so.
pub(crate) fn hz_c12_the_null_device_is_answered_alike<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let null = File::open("/dev/null").unwrap();
    let answer = rig.backend.add(null.as_fd(), Token(1), READ);
    if cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple"
    )) {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported);
    } else if let Err(error) = answer {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

pub(crate) fn hz_c13_over_a_dup_both_registrations_work<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    let twin = left.try_clone().unwrap();
    rig.add(&left, 1, READ);
    rig.add(&twin, 2, READ);
    right.write_all(&[1]).unwrap();
    // Both must be reported, be it in one batch or in two.
    let mut seen = [false; 2];
    while seen != [true; 2] {
        let batch = rig.wait(crate::rig::within(crate::rig::PATIENCE));
        assert!(!batch.is_empty(), "{seen:?}");
        for event in batch {
            seen[event.token.0 as usize - 1] = true;
        }
    }
    // The end of one is not the end of the other.
    assert_eq!(drain(&left), (1, false));
    rig.remove(&left, 1);
    drop(left);
    rig.rearm(&twin, 2, READ);
    right.write_all(&[1]).unwrap();
    rig.wait_for(2, Ready::READABLE);
    assert_eq!(rig.glance(1), Ready::empty());
}

pub(crate) fn b12_priority_reports_urgent_data_or_is_unsupported<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, right) = tcp_pair();
    match rig
        .backend
        .add(left.as_fd(), Token(1), READ | Interest::PRIORITY)
    {
        Ok(()) => {
            rustix::net::send(&right, b"!", rustix::net::SendFlags::OOB).unwrap();
            rig.wait_for(1, Ready::PRIORITY);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert_eq!(B::NAME, "kqueue", "epoll and poll have it everywhere");
            // Nothing is left behind.
            rig.add(&left, 1, READ);
        }
    }
}

pub(crate) fn b12_a_bad_interest_or_token_is_invalid_input<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    let error = rig
        .backend
        .add(left.as_fd(), Token(1), Interest::empty())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = rig
        .backend
        .add(left.as_fd(), Token::NOTIFY, READ)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    rig.add(&left, 1, WRITE);
    rig.wait_for(1, Ready::WRITABLE);
}

pub(crate) fn hz_c22_a_refused_add_leaves_nothing_behind<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    let mut slot = std::os::fd::OwnedFd::from(File::open("/").unwrap());
    rig.backend.add(slot.as_fd(), Token(1), READ).unwrap_err();
    crate::rig::replace(&mut slot, &left);
    rig.add(&slot, 2, WRITE);
    rig.wait_for(2, Ready::WRITABLE);
    assert_eq!(rig.glance(1), Ready::empty());
}
