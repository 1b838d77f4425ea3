//! Locks, events, conditions, barriers, queues: notes 17 to 23.

use std::rc::Rc;

use mainspring::channel;
use mainspring::sync::{Barrier, Condvar, Event, Mutex, Semaphore};
use mainspring::task::{Until, join_all, wait};
use mainspring::time::sleep;
use mainspring::{JoinHandle, spawn, yield_now};

use crate::rig::{Log, MS};

async fn all(tasks: Vec<JoinHandle<()>>) {
    for result in join_all(tasks).await {
        result.unwrap();
    }
}

pub(crate) async fn lock_fifo(log: Log) {
    let lock = Rc::new(Mutex::new(()));
    let held = lock.lock().await;
    let uses = |name: &'static str| {
        let (log, lock) = (log.clone(), Rc::clone(&lock));
        spawn(async move {
            let _held = lock.lock().await;
            log.push(format!("{name}-in"));
            yield_now().await;
            log.push(format!("{name}-out"));
        })
    };
    let mut tasks: Vec<_> = ["a", "b", "c"].into_iter().map(uses).collect();
    sleep(MS).await;
    drop(held);
    log.push("released");
    tasks.push(uses("late"));
    all(tasks).await;
}

pub(crate) async fn lock_cancelled_waiter(log: Log) {
    let lock = Rc::new(Mutex::new(()));
    let held = lock.lock().await;
    let mut tasks = ["a", "b", "c"].map(|name| {
        let (log, lock) = (log.clone(), Rc::clone(&lock));
        spawn(async move {
            let _held = lock.lock().await;
            log.push(format!("{name}-in"));
        })
    });
    sleep(MS).await;
    drop(held);
    tasks[0].abort();
    wait(&mut tasks, Until::All).await;
    log.push(if lock.is_locked() { "locked" } else { "free" });
}

pub(crate) async fn semaphore_fifo(log: Log) {
    let permits = Rc::new(Semaphore::new(2));
    let works = [("a", 3), ("b", 1), ("c", 5), ("d", 1)];
    let uses = |(name, ms)| {
        let (log, permits) = (log.clone(), Rc::clone(&permits));
        spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            log.push(format!("{name}-in"));
            sleep(ms * MS).await;
            log.push(format!("{name}-out"));
        })
    };
    all(works.into_iter().map(uses).collect()).await;
}

pub(crate) async fn semaphore_cancelled(log: Log) {
    let permits = Rc::new(Semaphore::new(1));
    let held = permits.acquire().await.unwrap();
    let mut tasks = ["a", "b"].map(|name| {
        let (log, permits) = (log.clone(), Rc::clone(&permits));
        spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            log.push(format!("{name}-in"));
        })
    });
    sleep(MS).await;
    drop(held);
    tasks[0].abort();
    wait(&mut tasks, Until::All).await;
    let is_free = permits.available_permits() == 1;
    log.push(if is_free { "free" } else { "locked" });
}

pub(crate) async fn event_set_clear(log: Log) {
    let event = Rc::new(Event::new());
    let waits = |name: &'static str| {
        let (log, event) = (log.clone(), Rc::clone(&event));
        spawn(async move {
            event.wait().await;
            log.push(name);
        })
    };
    let tasks = ["a", "b", "c"].into_iter().map(waits).collect();
    sleep(MS).await;
    event.set();
    event.clear();
    log.push("cleared");
    all(tasks).await;
    let late = waits("late");
    sleep(MS).await;
    log.push("late-waits");
    event.set();
    late.await.unwrap();
}

pub(crate) async fn condition_notify(log: Log) {
    let shared = Rc::new((Mutex::new(()), Condvar::new()));
    let waits = |name: &'static str| {
        let (log, shared) = (log.clone(), Rc::clone(&shared));
        spawn(async move {
            let (lock, condition) = &*shared;
            let _held = condition.wait(lock.lock().await).await;
            log.push(name);
        })
    };
    let tasks = ["a", "b", "c", "d"].into_iter().map(waits).collect();
    let (lock, condition) = &*shared;
    sleep(MS).await;
    let held = lock.lock().await;
    condition.notify_one();
    log.push("one");
    drop(held);
    sleep(MS).await;
    let held = lock.lock().await;
    condition.notify_all();
    log.push("all");
    drop(held);
    all(tasks).await;
}

pub(crate) async fn condition_wait_for(log: Log) {
    let shared = Rc::new((Mutex::new(Vec::new()), Condvar::new()));
    let (of_task, waited) = (log.clone(), Rc::clone(&shared));
    let task = spawn(async move {
        let (items, condition) = &*waited;
        let held = items.lock().await;
        let held = condition.wait_until(held, |items| items.len() >= 2).await;
        of_task.push(format!("took-{}", held.len()));
    });
    let (items, condition) = &*shared;
    for n in 0..2 {
        sleep(MS).await;
        items.lock().await.push(n);
        log.push("put");
        condition.notify_one();
    }
    task.await.unwrap();
}

pub(crate) async fn barrier(log: Log) {
    let barrier = Rc::new(Barrier::new(3));
    let meets = |name| {
        let (log, barrier) = (log.clone(), Rc::clone(&barrier));
        spawn(async move {
            log.push(format!("{name}-comes"));
            barrier.wait().await.unwrap();
            log.push(format!("{name}-goes"));
        })
    };
    all(["a", "b", "c"].into_iter().map(meets).collect()).await;
}

pub(crate) async fn barrier_broken(log: Log) {
    let barrier = Rc::new(Barrier::new(3));
    let meets = |name| {
        let (log, barrier) = (log.clone(), Rc::clone(&barrier));
        spawn(async move {
            match barrier.wait().await {
                Ok(_) => log.push(format!("{name}-goes")),
                Err(_) => log.push(format!("{name}-broken")),
            }
        })
    };
    let tasks = ["a", "b"].into_iter().map(meets).collect();
    sleep(MS).await;
    barrier.abort();
    all(tasks).await;
}

pub(crate) async fn queue_bounded(log: Log) {
    let (sender, receiver) = channel::bounded(1);
    let of_task = log.clone();
    let producer = spawn(async move {
        for n in 0..4 {
            sender.send(n).await.unwrap();
            of_task.push(format!("put-{n}"));
        }
    });
    for _ in 0..4 {
        sleep(MS).await;
        log.push(format!("got-{}", receiver.recv().await.unwrap()));
    }
    producer.await.unwrap();
}

pub(crate) async fn queue_waiting_consumers(log: Log) {
    let (sender, receiver) = channel::unbounded();
    let consumes = |name| {
        let (log, receiver) = (log.clone(), receiver.clone());
        spawn(async move {
            for _ in 0..2 {
                log.push(format!("{name}-got-{}", receiver.recv().await.unwrap()));
            }
        })
    };
    let tasks = ["a", "b"].into_iter().map(consumes).collect();
    sleep(MS).await;
    for n in 0..4 {
        sender.try_send(n).unwrap();
        sleep(MS).await;
    }
    all(tasks).await;
}

pub(crate) async fn queue_join(log: Log) {
    let (sender, receiver) = channel::unbounded();
    for n in 0..3 {
        sender.try_send(n).unwrap();
    }
    let of_task = log.clone();
    let worker = spawn(async move {
        while let Some(item) = receiver.recv().await {
            sleep(MS).await;
            of_task.push(format!("done-{item}"));
            receiver.task_done();
        }
    });
    sender.join().await.unwrap();
    log.push("all-done");
    worker.abort();
}

pub(crate) async fn queue_shutdown(log: Log) {
    let (sender, receiver) = channel::unbounded();
    for n in 0..2 {
        sender.try_send(n).unwrap();
    }
    sender.close();
    if sender.try_send(9).is_err() {
        log.push("put-refused");
    }
    while let Some(item) = receiver.recv().await {
        log.push(format!("got-{item}"));
    }
    log.push("end");
}
