//! Sleeps, timeouts and intervals, dropped at each of their waits.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use mainspring::time::{
    Instant, Interval, boot_now, interval, interval_at, now, sleep, sleep_boot, sleep_until,
    sleep_until_boot, sleep_until_wall, timeout, timeout_at, timeout_boot, wall_now,
};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::wire;

const MS: Duration = Duration::from_millis(1);

everywhere! {
    a_sleep_that_is_made_again_starts_anew,
    a_deadline_stays_where_it_is,
    a_timeout_returns_what_its_body_got,
    a_timeout_that_ends_without_its_body_drops_it,
    no_tick_is_lost_or_doubled,
    a_time_of_day_stays_where_it_is,
    a_boot_time_stays_where_it_is,
    a_sleep_by_boot_time_that_is_made_again_starts_anew,
    a_timeout_by_boot_time_drops_its_body,
}

// cancels: time::sleep
fn a_sleep_that_is_made_again_starts_anew(on: On) {
    let waits = Case::new(on, || (Duration::ZERO, ())).safe(
        async |slept| {
            let start = now();
            sleep(7 * MS).await;
            *slept = now() - start;
        },
        async |slept, ()| assert_eq!(*slept, 7 * MS),
    );
    assert_eq!(waits, 1);
}

// cancels: time::sleep_until
fn a_deadline_stays_where_it_is(on: On) {
    let waits = Case::new(on, || (now() + 7 * MS, ())).safe(
        async |deadline| sleep_until(*deadline).await,
        async |deadline, ()| assert_eq!(now(), *deadline),
    );
    assert_eq!(waits, 1);
}

// cancels: time::timeout, time::timeout_at
fn a_timeout_returns_what_its_body_got(on: On) {
    let waits = Case::new(on, wire::unix).world(|far| far.send(3)).safe(
        async |near| {
            while near.got.len() < 12 {
                let (mut one, mut other) = ([0; 2], [0; 2]);
                let read = timeout(MS, near.stream.read(&mut one));
                let count = read.await.expect("the bytes come before the time ends");
                near.got.extend_from_slice(&one[..count.unwrap()]);
                let read = timeout_at(now() + MS, near.stream.read(&mut other));
                let count = read.await.expect("the bytes come before the time ends");
                near.got.extend_from_slice(&other[..count.unwrap()]);
            }
        },
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: time::timeout, time::timeout_at
fn a_timeout_that_ends_without_its_body_drops_it(on: On) {
    let waits = Case::new(on, || (Rc::new(Cell::new(0)), ())).safe(
        async |drops| {
            let counted = || CountsDrop(Rc::clone(drops));
            let body = async |_counted| pending::<()>().await;
            assert!(timeout(MS, body(counted())).await.is_err());
            assert!(timeout_at(now() + MS, body(counted())).await.is_err());
        },
        async |drops, ()| assert_eq!(Rc::strong_count(drops), 1, "each body was dropped"),
    );
    assert_eq!(waits, 2);
}

// cancels: time::sleep_until_wall
fn a_time_of_day_stays_where_it_is(on: On) {
    let waits = Case::new(on, || (wall_now() + 7 * MS, ())).safe(
        async |deadline| sleep_until_wall(*deadline).await,
        async |deadline, ()| assert_eq!(wall_now(), *deadline),
    );
    assert_eq!(waits, 1);
}

// cancels: time::sleep_until_boot
fn a_boot_time_stays_where_it_is(on: On) {
    let waits = Case::new(on, || (boot_now() + 7 * MS, ())).safe(
        async |deadline| sleep_until_boot(*deadline).await,
        async |deadline, ()| assert_eq!(boot_now(), *deadline),
    );
    assert_eq!(waits, 1);
}

// cancels: time::sleep_boot
fn a_sleep_by_boot_time_that_is_made_again_starts_anew(on: On) {
    let waits = Case::new(on, || (Duration::ZERO, ())).safe(
        async |slept| {
            let start = boot_now();
            sleep_boot(7 * MS).await;
            *slept = boot_now() - start;
        },
        async |slept, ()| assert_eq!(*slept, 7 * MS),
    );
    assert_eq!(waits, 1);
}

// cancels: time::timeout_boot
fn a_timeout_by_boot_time_drops_its_body(on: On) {
    let waits = Case::new(on, || (Rc::new(Cell::new(0)), ())).safe(
        async |drops| {
            let counted = CountsDrop(Rc::clone(drops));
            let body = async |_counted| pending::<()>().await;
            assert!(timeout_boot(MS, body(counted)).await.is_err());
        },
        async |drops, ()| assert_eq!(Rc::strong_count(drops), 1, "the body was dropped"),
    );
    assert_eq!(waits, 1);
}

/// Whatever holds it is there, as the count of the `Rc` says.
struct CountsDrop(#[expect(dead_code, reason = "held for its count")] Rc<Cell<u32>>);

// cancels: Interval::tick
fn no_tick_is_lost_or_doubled(on: On) {
    let setup = || {
        let start = now();
        let intervals = [interval(2 * MS), interval_at(start + MS, 3 * MS)];
        (
            (intervals.map(|interval| (interval, Vec::new())), start),
            (),
        )
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |(intervals, _): &mut ([(Interval, Vec<Instant>); 2], Instant)| {
            for (interval, ticks) in intervals {
                while ticks.len() < 4 {
                    ticks.push(interval.tick().await);
                }
            }
        },
        async |([(_, two), (_, three)], start), ()| {
            assert_eq!(*two, [0, 2, 4, 6].map(|ms| *start + ms * MS));
            assert_eq!(*three, [1, 4, 7, 10].map(|ms| *start + ms * MS));
        },
    );
    // The first tick of the first is at once; a tick that is past waits for one turn.
    assert_eq!(waits, 3 + 4);
}
