//! How long a wait sleeps: B9.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainspring_sys::backend::{Backend, Deadline};
use mainspring_sys::{Instant, Ready};

use crate::rig::{PATIENCE, READ, Rig, now, pair, within};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn b09_an_empty_wait_returns_at_once<B: Backend>() {
    let mut rig = Rig::<B>::new();
    for _ in 0..100 {
        assert!(rig.wait(Deadline::Now).is_empty());
    }
}

pub(crate) fn b09_a_deadline_that_has_passed_does_not_sleep<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let now = now();
    let past = Instant::from_ns(now.as_ns() - 1);
    for at in [Instant::ORIGIN, past, now] {
        assert!(rig.wait(Deadline::At { at, now }).is_empty());
    }
    rig.wait(Deadline::At {
        at: Instant::ORIGIN,
        now: Instant::FAR_FUTURE,
    });
}

/// Over lengths below, at and above a millisecond: one wait is enough, and it is not early.
pub(crate) fn b09_no_wait_is_early_and_none_spins<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let lengths_us = [1, 10, 250, 500, 999, 1000, 1001, 1300, 1999, 2500];
    let odd_ns = (0..40).map(|step| 1 + step * 77_777);
    for ns in lengths_us.into_iter().map(|us| us * 1000).chain(odd_ns) {
        let deadline = within(Duration::from_nanos(ns));
        let Deadline::At { at, .. } = deadline else {
            unreachable!()
        };
        let batch = rig.wait(deadline);
        assert!(
            now() >= at,
            "{}: a wait of {ns} ns came back early, with {batch:?}",
            B::NAME
        );
    }
}

/// The kernel's own longest waits are 2^31 ms, 2^31 s, or a day: what is longer is cut, and neither
/// refused nor taken for zero. Another thread's selector is the clock that ends the wait.
pub(crate) fn b09_enormous_deadlines_sleep_until_notified<B: Backend>() {
    let now = now();
    let deadlines = [
        now + 25 * DAY,
        now + 50 * DAY,
        now + 300 * 365 * DAY,
        Instant::from_ns(u64::MAX - 1),
        Instant::FAR_FUTURE,
    ];
    for at in deadlines {
        let mut rig = Rig::<B>::new();
        let is_over = Arc::new(AtomicBool::new(false));
        let (notifier, set_over) = (rig.backend.notifier(), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            Rig::<B>::new().wait(within(Duration::from_millis(5)));
            set_over.store(true, Ordering::SeqCst);
            notifier.notify().unwrap();
        });
        let batch = rig.wait(Deadline::At { at, now });
        assert!(batch.is_empty());
        assert!(
            is_over.load(Ordering::SeqCst),
            "{}: {at:?} came back by itself",
            B::NAME
        );
        thread.join().unwrap();
    }
}

pub(crate) fn an_event_ends_a_wait_before_its_deadline<B: Backend>() {
    let mut rig = Rig::<B>::new();
    let (left, mut right) = pair();
    rig.add(&left, 1, READ);
    let thread = std::thread::spawn(move || {
        right.write_all(&[1]).unwrap();
        right
    });
    let deadline = within(PATIENCE);
    let Deadline::At { at, .. } = deadline else {
        unreachable!()
    };
    let batch = rig.wait(deadline);
    assert!(now() < at && batch.len() == 1 && batch[0].ready.contains(Ready::READABLE));
    drop(thread.join().unwrap());
}
