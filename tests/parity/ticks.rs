//! Callbacks, timers, ticks: notes 1 to 4.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mainspring::sync::Event;
use mainspring::task::{call_at, call_later, call_soon, gather, scope};
use mainspring::time::{now, sleep};
use mainspring::{spawn, yield_now};

use crate::rig::{Log, MS};

pub(crate) async fn tick_order(log: Log) {
    let [first, nested, second, later] = [(); 4].map(|()| log.clone());
    call_soon(move || {
        first.push("soon-a");
        call_soon(move || nested.push("nested"));
    });
    call_soon(move || second.push("soon-b"));
    call_later(Duration::ZERO, move || later.push("later-0"));
    sleep(5 * MS).await;
}

pub(crate) async fn call_soon_cancelled(log: Log) {
    let handles = [0, 1, 2, 3].map(|n| {
        let log = log.clone();
        call_soon(move || log.push(n.to_string()))
    });
    handles[1].cancel();
    yield_now().await;
    log.push("end");
}

pub(crate) async fn call_later_order(log: Log) {
    for ms in [5, 1, 3, 2, 4] {
        let log = log.clone();
        call_later(ms * MS, move || log.push(ms.to_string()));
    }
    call_later(7 * MS / 2, || unreachable!()).cancel();
    sleep(10 * MS).await;
}

pub(crate) async fn call_at_ties(log: Log) {
    let when = now() + 3 * MS;
    for n in 0..4 {
        let log = log.clone();
        call_at(when, move || log.push(n.to_string()));
    }
    sleep(10 * MS).await;
}

pub(crate) async fn sleep_zero(log: Log) {
    let work = |name| {
        let log = log.clone();
        spawn(async move {
            for n in 0..3 {
                log.push(format!("{name}{n}"));
                yield_now().await;
            }
        })
    };
    gather([work("a"), work("b")]).await.unwrap();
}

pub(crate) async fn await_ready(log: Log) {
    let of_task = log.clone();
    let task = spawn(async move { of_task.push("other") });
    async { log.push("ready") }.await;
    log.push("no-tick-passed");
    task.await.unwrap();
    log.push("end");
}

pub(crate) async fn wake_is_no_poll(log: Log) {
    let event = Rc::new(Event::new());
    let (waited, of_task) = (Rc::clone(&event), log.clone());
    let task = spawn(async move {
        waited.wait().await;
        of_task.push("got");
    });
    yield_now().await;
    event.set();
    log.push("set");
    task.await.unwrap();
}

pub(crate) async fn join_ticks(log: Log) {
    let ticks: Rc<Cell<u32>> = Rc::default();
    let counts = Rc::clone(&ticks);
    let counter = spawn(async move {
        loop {
            counts.set(counts.get() + 1);
            yield_now().await;
        }
    });
    yield_now().await;
    let start = ticks.get();
    spawn(async {}).await.unwrap();
    log.push(format!("join-{}", ticks.get() - start));
    let start = ticks.get();
    gather([spawn(async {}), spawn(async {})]).await.unwrap();
    log.push(format!("gather-{}", ticks.get() - start));
    let start = ticks.get();
    scope(async |s| drop(s.spawn(async {}))).await.unwrap();
    log.push(format!("group-{}", ticks.get() - start));
    counter.abort();
}
