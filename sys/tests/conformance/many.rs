//! More descriptors than room: fairness, and numbers over 1024.

use std::io::Write;
use std::os::fd::AsFd;

use mainspring_sys::backend::{Backend, Deadline};
use mainspring_sys::{Ready, Token};

use crate::rig::{BOTH, PATIENCE, READ, Raw, Rig, drain, fill, now, pair, pipe, within};

/// Everybody is always ready again; nobody may be served much more often than another.
pub(crate) fn hz_c21_a_small_batch_serves_everybody_in_turn<B: Backend>() {
    for (count, capacity) in [(48, 4), (3, 1), (5, 2), (7, 7)] {
        let mut rig = Rig::<B>::with_capacity(capacity);
        let pairs: Vec<_> = (0..count).map(|_| pair()).collect();
        for (at, (left, mut right)) in pairs.iter().map(|(l, r)| (l, r)).enumerate() {
            rig.add(left, at as u64, READ);
            right.write_all(&[1]).unwrap();
        }
        let mut served = vec![0; count];
        let mut waits = 0;
        while *served.iter().max().unwrap() < 10 {
            let batch = rig.wait(within(PATIENCE));
            assert!(!batch.is_empty() && batch.len() <= capacity);
            waits += 1;
            for event in batch {
                let (left, mut right) = (
                    &pairs[event.token.0 as usize].0,
                    &pairs[event.token.0 as usize].1,
                );
                drain(left);
                rig.rearm(left, event.token.0, READ);
                right.write_all(&[1]).unwrap();
                served[event.token.0 as usize] += 1;
            }
        }
        let least = *served.iter().min().unwrap();
        assert!(least >= 8, "{}: {served:?} after {waits} waits", B::NAME);
    }
}

/// Each waits for room too, which never comes: such a registration stays armed when it is reported.
pub(crate) fn hz_c21_half_armed_registrations_do_not_starve_the_rest<B: Backend>() {
    let mut rig = Rig::<B>::with_capacity(1);
    let pairs: Vec<_> = (0..5).map(|_| pair()).collect();
    for (at, (left, mut right)) in pairs.iter().map(|(l, r)| (l, r)).enumerate() {
        fill(left);
        rig.add(left, at as u64, BOTH);
        right.write_all(&[1]).unwrap();
    }
    let mut served = [0; 5];
    while *served.iter().max().unwrap() < 10 {
        let batch = rig.wait(within(PATIENCE));
        assert!(!batch.is_empty());
        let at = batch[0].token.0 as usize;
        let (left, mut right) = (&pairs[at].0, &pairs[at].1);
        drain(left);
        rig.rearm(left, at as u64, READ);
        right.write_all(&[1]).unwrap();
        served[at] += 1;
    }
    assert!(
        *served.iter().min().unwrap() >= 8,
        "{}: {served:?}",
        B::NAME
    );
}

pub(crate) fn hz_c21_what_does_not_fit_comes_later<B: Backend>() {
    let mut rig = Rig::<B>::with_capacity(3);
    let pairs: Vec<_> = (0..20).map(|_| pair()).collect();
    for (at, (left, mut right)) in pairs.iter().map(|(l, r)| (l, r)).enumerate() {
        rig.add(left, at as u64, READ);
        right.write_all(&[1]).unwrap();
    }
    let mut seen = std::collections::BTreeSet::new();
    let end = now() + PATIENCE;
    while seen.len() < 20 {
        assert!(now() < end, "{seen:?}");
        seen.extend(rig.wait(Deadline::Now).iter().map(|event| event.token.0));
    }
    rig.assert_sleeps();
}

pub(crate) fn more_than_1024_descriptors_are_watched<B: Backend>() {
    const COUNT: usize = 1200;
    let limit = crate::process::raise_descriptor_limit();
    if limit < 2 * COUNT + 1000 {
        println!("skipped: the limit of open files is {limit}");
        return;
    }
    // The suites run side by side: each takes its descriptors only while the others do not.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poison| poison.into_inner());
    let mut rig = Rig::<B>::with_capacity(256);
    let pipes: Vec<_> = (0..COUNT).map(|_| pipe()).collect();
    for (at, (reader, _)) in pipes.iter().enumerate() {
        rig.add(reader, at as u64, READ);
    }
    rig.assert_sleeps();
    for (_, writer) in &pipes {
        Raw(writer.as_fd()).write_all(&[1]).unwrap();
    }
    let mut seen = vec![false; COUNT];
    while seen.contains(&false) {
        let batch = rig.wait(within(PATIENCE));
        assert!(!batch.is_empty());
        for event in batch {
            assert!(event.ready.contains(Ready::READABLE));
            seen[event.token.0 as usize] = true;
        }
    }
    for (at, (reader, _)) in pipes.iter().enumerate() {
        rig.backend
            .remove(reader.as_fd(), Token(at as u64))
            .unwrap();
    }
    rig.assert_sleeps();
}
