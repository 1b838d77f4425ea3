//! The script is followed, an exhausted one does not hang, and a perturbed selector loses nothing.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;
use crate::clock::Instant;
use crate::fault::{Fault, Plan};
use crate::selector::BackendKind;

fn batch(events: &Events) -> Vec<Event> {
    events.iter().collect()
}

#[test]
fn each_wait_does_one_step() {
    let script = Script::new();
    let mut scripted = Scripted::with(&script).unwrap();
    let (left, right) = UnixStream::pair().unwrap();
    scripted
        .add(left.as_fd(), Token(1), Interest::READ)
        .unwrap();
    scripted
        .add(right.as_fd(), Token(2), Interest::WRITE)
        .unwrap();
    script
        .then_report(left.as_fd(), Ready::READABLE)
        .then(Step::Nothing)
        .then(Step::Error(libc::ENOMEM))
        .then(Step::Error(libc::EINTR))
        .then_report(Token(77), Ready::ERROR);
    let mut events = Events::with_capacity(8);
    scripted.wait(&mut events, Deadline::Never).unwrap();
    assert_eq!(
        batch(&events),
        [Event {
            token: Token(1),
            ready: Ready::READABLE
        }]
    );
    scripted.wait(&mut events, Deadline::Never).unwrap();
    assert!(events.is_empty());
    let error = scripted.wait(&mut events, Deadline::Never).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    scripted.wait(&mut events, Deadline::Never).unwrap();
    assert!(events.is_empty(), "EINTR is an empty return");
    scripted.wait(&mut events, Deadline::Never).unwrap();
    assert_eq!(
        batch(&events),
        [Event {
            token: Token(77),
            ready: Ready::ERROR
        }],
        "stale"
    );
    assert_eq!(script.steps_left(), 0);
}

#[test]
fn reports_that_do_not_fit_come_with_the_next_wait() {
    let script = Script::new();
    let mut scripted = Scripted::with(&script).unwrap();
    let report = |at| (Target::Token(Token(at)), Ready::READABLE);
    script.then(Step::Report((0..5).map(report).collect()));
    let mut events = Events::with_capacity(2);
    let mut seen = Vec::new();
    for _ in 0..3 {
        scripted.wait(&mut events, Deadline::Never).unwrap();
        seen.extend(events.iter().map(|event| event.token.0));
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn an_exhausted_script_does_not_hang() {
    let mut scripted = Scripted::new().unwrap();
    let mut events = Events::with_capacity(1);
    scripted.wait(&mut events, Deadline::Now).unwrap();
    let at = Deadline::At {
        at: Instant::from_ns(u64::MAX - 1),
        now: Instant::ORIGIN,
    };
    scripted.wait(&mut events, at).unwrap();
    let error = scripted.wait(&mut events, Deadline::Never).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    scripted.notifier().notify().unwrap();
    scripted.wait(&mut events, Deadline::Never).unwrap();
    assert!(
        scripted.wait(&mut events, Deadline::Never).is_err(),
        "swallowed"
    );
}

#[test]
fn patience_waits_for_another_thread() {
    let script = Script::new();
    script.set_patience(Duration::from_secs(30));
    let mut scripted = Scripted::with(&script).unwrap();
    let notifier = scripted.notifier();
    let thread = std::thread::spawn(move || notifier.notify().unwrap());
    scripted
        .wait(&mut Events::with_capacity(1), Deadline::Never)
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn the_calls_are_logged_and_the_table_is_kept() {
    let script = Script::new();
    let mut scripted = Scripted::with(&script).unwrap();
    let (left, _right) = UnixStream::pair().unwrap();
    let (fd, number) = (left.as_fd(), left.as_raw_fd());
    scripted.add(fd, Token(1), Interest::READ).unwrap();
    let error = scripted.add(fd, Token(2), Interest::READ).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    scripted.rearm(fd, Token(1), Interest::WRITE).unwrap();
    assert_eq!(
        script.registration(fd),
        Some((Token(1), Interest::READ | Interest::WRITE))
    );
    scripted.remove(fd, Token(1)).unwrap();
    assert_eq!(
        scripted.remove(fd, Token(1)).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        script.take_received(),
        [
            Received::Add {
                fd: number,
                token: Token(1),
                interest: Interest::READ
            },
            Received::Add {
                fd: number,
                token: Token(2),
                interest: Interest::READ
            },
            Received::Rearm {
                fd: number,
                token: Token(1),
                interest: Interest::WRITE
            },
            Received::Remove {
                fd: number,
                token: Token(1)
            },
            Received::Remove {
                fd: number,
                token: Token(1)
            },
        ]
    );
}

#[test]
fn hz_c22_a_fault_in_add_leaves_nothing_behind() {
    for mut selector in [
        Selector::Scripted(Scripted::new().unwrap()),
        Selector::new(BackendKind::Native).unwrap(),
    ] {
        if selector.name() == "poll" {
            continue;
        }
        let (left, _right) = UnixStream::pair().unwrap();
        let guard = Plan::new()
            .at(Call::Control, 1, Fault::Errno(libc::ENOSPC))
            .install();
        let error = selector
            .add(left.as_fd(), Token(1), Interest::READ)
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        drop(guard);
        selector
            .add(left.as_fd(), Token(1), Interest::READ)
            .unwrap();
    }
}

#[test]
fn hz_c28_a_fault_in_wait_is_told_and_an_interrupted_wait_is_empty() {
    for mut selector in [
        Selector::Scripted(Scripted::new().unwrap()),
        Selector::new(BackendKind::Native).unwrap(),
        Selector::new(BackendKind::Poll).unwrap(),
    ] {
        let mut events = Events::with_capacity(1);
        let _guard = Plan::new()
            .at(Call::Wait, 1, Fault::Errno(libc::EINTR))
            .at(Call::Wait, 2, Fault::Errno(libc::EBADF))
            .install();
        selector.wait(&mut events, Deadline::Never).unwrap();
        assert!(events.is_empty());
        let error = selector.wait(&mut events, Deadline::Never).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }
}

#[test]
fn hz_c08_a_perturbed_selector_loses_nothing() {
    for (seed, kind) in
        (0..32).flat_map(|seed| [BackendKind::Native, BackendKind::Poll].map(|kind| (seed, kind)))
    {
        let script = Script::new();
        script.perturb(seed);
        let mut scripted = Scripted::over(Selector::new(kind).unwrap(), &script);
        let mut pairs: Vec<_> = (0..6).map(|_| UnixStream::pair().unwrap()).collect();
        for (at, (left, right)) in pairs.iter_mut().enumerate() {
            left.set_nonblocking(true).unwrap();
            scripted
                .add(left.as_fd(), Token(at as u64), Interest::READ)
                .unwrap();
            right.write_all(&[7]).unwrap();
        }
        let mut events = Events::with_capacity(2);
        let (mut got, mut empty_reads) = ([0; 6], 0);
        while got.iter().sum::<usize>() < 6 {
            scripted.wait(&mut events, Deadline::Never).unwrap();
            for event in events.iter() {
                let at = event.token.0 as usize;
                match pairs[at].0.read(&mut [0; 8]) {
                    Ok(count) => got[at] += count,
                    Err(_) => {
                        empty_reads += 1;
                        scripted
                            .rearm(pairs[at].0.as_fd(), event.token, Interest::READ)
                            .unwrap();
                    }
                }
            }
        }
        assert_eq!(got, [1; 6], "seed {seed}, {empty_reads} spurious reports");
        // All ready again, two reported: the other reports are held back, and one is withdrawn.
        for (left, right) in &mut pairs {
            while left.read(&mut [0; 8]).is_ok() {}
            right.write_all(&[7]).unwrap();
        }
        for (at, (left, _)) in pairs.iter().enumerate() {
            scripted
                .rearm(left.as_fd(), Token(at as u64), Interest::READ)
                .unwrap();
        }
        scripted.wait(&mut events, Deadline::Now).unwrap();
        let (left, _right) = &pairs[0];
        scripted.remove(left.as_fd(), Token(0)).unwrap();
        for _ in 0..50 {
            scripted.wait(&mut events, Deadline::Now).unwrap();
            assert!(
                events.iter().all(|event| event.token != Token(0)),
                "B8, seed {seed}"
            );
        }
    }
}

#[test]
fn perturbation_does_report_what_is_not_there() {
    let script = Script::new();
    script.perturb(1);
    let mut scripted = Scripted::with(&script).unwrap();
    let (left, _right) = UnixStream::pair().unwrap();
    scripted
        .add(left.as_fd(), Token(1), Interest::READ)
        .unwrap();
    let mut events = Events::with_capacity(4);
    let mut count = 0;
    for _ in 0..100 {
        scripted.wait(&mut events, Deadline::Now).unwrap();
        count += events.len();
    }
    assert!(count > 20, "{count} spurious reports in 100 waits");
}
