//! The notifier: B10, and the descriptor for embedding.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainspring_sys::Ready;
use mainspring_sys::backend::{Backend, Deadline};

use crate::rig::{PATIENCE, READ, Rig, pair, within};

pub(crate) fn b10_notify_before_wait_ends_it<B: Backend>() {
    let mut rig = Rig::<B>::new();
    for _ in 0..10 {
        rig.backend.notifier().notify().unwrap();
        assert!(
            rig.wait(Deadline::Never).is_empty(),
            "a notification is no event"
        );
    }
    rig.assert_sleeps();
}

pub(crate) fn b10_notify_from_another_thread_ends_the_wait<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let notifier = rig.backend.notifier();
    let thread = std::thread::spawn(move || notifier.notify().unwrap());
    assert!(rig.wait(Deadline::Never).is_empty());
    thread.join().unwrap();
}

pub(crate) fn b10_a_thousand_notifications_are_one<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let notifier = rig.backend.notifier();
    for _ in 0..1000 {
        notifier.notify().unwrap();
    }
    assert!(rig.wait(Deadline::Never).is_empty());
    rig.assert_sleeps();
}

/// More than a pipe holds.
pub(crate) fn b10_notify_never_blocks_and_never_fails<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let notifier = rig.backend.notifier();
    for _ in 0..100_000 {
        notifier.notify().unwrap();
    }
    assert!(rig.wait(Deadline::Never).is_empty());
    rig.assert_sleeps();
    notifier.notify().unwrap();
    assert!(rig.wait(Deadline::Never).is_empty());
}

pub(crate) fn b10_a_notification_beside_an_event_hides_neither<B: Backend>() {
    let mut rig = Rig::<B>::with_capacity(1);
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    right.write_all(&[1]).unwrap();
    rig.backend.notifier().notify().unwrap();
    rig.wait_for(1, Ready::READABLE);
    rig.wait_until_quiet();
    rig.assert_sleeps();
}

pub(crate) fn b10_a_notifier_outlives_its_selector<B: Backend>() {
    let backend = B::new().unwrap();
    let notifier = backend.notifier();
    let twin = notifier.clone();
    drop(backend);
    std::thread::spawn(move || twin.notify().unwrap())
        .join()
        .unwrap();
    notifier.notify().unwrap();
}

/// A wake that was lost would leave the two waiting for each other.
pub(crate) fn b10_ping_pong_between_threads_loses_no_wake<B: Backend>() {
    const ROUNDS: usize = 2000;
    let mut ours = Rig::<B>::new();
    let ball = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = std::sync::mpsc::channel();
    let to_us = ours.backend.notifier();
    let their_ball = Arc::clone(&ball);
    let thread = std::thread::spawn(move || {
        let mut theirs = Rig::<B>::new();
        sender.send(theirs.backend.notifier()).unwrap();
        play(&mut theirs, &their_ball, 1, ROUNDS, || {
            to_us.notify().unwrap()
        });
    });
    let to_them = receiver.recv().unwrap();
    play(&mut ours, &ball, 0, ROUNDS, || to_them.notify().unwrap());
    thread.join().unwrap();
}

fn play<B: Backend>(
    rig: &mut Rig<B>,
    ball: &AtomicUsize,
    side: usize,
    rounds: usize,
    hit: impl Fn(),
) {
    loop {
        let at = ball.load(Ordering::SeqCst);
        if at >= rounds {
            return;
        }
        if at % 2 == side {
            ball.store(at + 1, Ordering::SeqCst);
            hit();
        } else {
            let deadline = within(PATIENCE);
            let Deadline::At { at: end, .. } = deadline else {
                unreachable!()
            };
            rig.wait(deadline);
            assert!(
                crate::rig::now() < end,
                "{}: a wake was lost in round {at}",
                B::NAME
            );
        }
    }
}

pub(crate) fn the_selector_descriptor_is_readable_while_there_is_a_report<B: Backend>() {
    let mut rig = Rig::<B>::new();
    if rig.backend.selector_fd().is_none() {
        assert_eq!(B::NAME, "poll", "every other backend is a kernel object");
        return;
    }
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    rig.wait(Deadline::Now);
    assert!(!is_readable(&mut rig));
    right.write_all(&[1]).unwrap();
    assert!(is_readable(&mut rig));
    rig.wait_for(1, Ready::READABLE);
    assert!(!is_readable(&mut rig));
    rig.backend.notifier().notify().unwrap();
    assert!(is_readable(&mut rig));
    rig.wait(Deadline::Now);
    assert!(!is_readable(&mut rig));
}

fn is_readable<B: Backend>(rig: &mut Rig<B>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    rig.backend.submit().unwrap();
    let fd = rig.backend.selector_fd().unwrap();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .unwrap()
        == 1
}

/// What a child does with the selector that it inherited. Here the process is the same one, so that only the promise
/// to the child shows: nothing is registered, and all else is as with a new one.
pub(crate) fn after_fork_nothing_is_registered_and_the_notifier_rings<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    let notifier = rig.backend.notifier();
    notifier.notify().unwrap();
    rig.backend.after_fork().unwrap();
    right.write_all(&[1]).unwrap();
    assert_eq!(rig.glance(1), Ready::empty());
    notifier.notify().unwrap();
    assert!(rig.wait(Deadline::Never).is_empty());
    rig.add(&left, 2, READ);
    rig.wait_for(2, Ready::READABLE);
    rig.remove(&left, 2);
    rig.assert_sleeps();
}
