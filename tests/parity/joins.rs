//! Several tasks: notes 9 to 12.

use mainspring::spawn;
use mainspring::stream::StreamExt;
use mainspring::task::{self, Until, gather, scope, try_scope, wait};
use mainspring::time::{sleep, timeout};

use crate::rig::{Log, MS, broken, nap};

pub(crate) async fn gather_order(log: Log) {
    let tasks = [3, 1, 2].map(|ms| spawn(nap(log.clone(), ms)));
    for result in gather(tasks).await.unwrap() {
        log.push(result.to_string());
    }
}

pub(crate) async fn gather_first_error(log: Log) {
    let tasks = [
        spawn(nap(log.clone(), 1)),
        spawn(broken()),
        spawn(nap(log.clone(), 4)),
    ];
    if gather(tasks).await.is_err() {
        log.push("error");
    }
    sleep(9 * MS).await;
    log.push("end");
}

pub(crate) async fn gather_cancelled(log: Log) {
    let tasks = [1, 4, 5].map(|ms| {
        let log = log.clone();
        spawn(async move {
            let _cleanup = log.finally(format!("cleanup-{ms}"));
            nap(log.clone(), ms).await;
        })
    });
    if timeout(2 * MS, gather(tasks)).await.is_err() {
        log.push("timeout");
    }
    sleep(9 * MS).await;
    log.push("end");
}

/// Logs of each of so many whether it has ended.
fn push_waited(log: &Log, waited: &task::Waited, count: usize) {
    for place in 0..count {
        let is_done = waited.done.contains(&place);
        log.push(format!(
            "{place}-{}",
            if is_done { "done" } else { "pending" }
        ));
    }
}

pub(crate) async fn wait_first(log: Log) {
    let mut tasks = [3, 1, 2].map(|ms| {
        spawn(async move {
            sleep(ms * MS).await;
            ms
        })
    });
    push_waited(&log, &wait(&mut tasks, Until::First).await, 3);
    for task in tasks {
        log.push(task.await.unwrap().to_string());
    }
}

pub(crate) async fn wait_first_error(log: Log) {
    let mut tasks = [spawn(sleep(MS)), spawn(broken()), spawn(sleep(5 * MS))];
    push_waited(&log, &wait(&mut tasks, Until::FirstError).await, 3);
    let rest = wait(&mut tasks[2..], Until::FirstError).await;
    log.push(format!("{}-{}", rest.done.len(), rest.pending.len()));
    let _ = gather(tasks).await;
}

pub(crate) async fn wait_timeout(log: Log) {
    let mut tasks = [1, 4].map(|ms| spawn(nap(log.clone(), ms)));
    let waited = timeout(2 * MS, wait(&mut tasks, Until::All)).await;
    assert!(waited.is_err(), "the time was over");
    let done = tasks.iter().filter(|task| task.is_finished()).count();
    log.push(format!("{done}-{}", tasks.len() - done));
    wait(&mut tasks, Until::All).await;
    log.push("end");
}

pub(crate) async fn as_completed(log: Log) {
    let naps = [4, 1, 3].map(|ms| sleep(ms * MS));
    let mut coming = task::as_completed(naps);
    while let Some((place, ())) = coming.next().await {
        log.push(place.to_string());
    }
    log.push("end");
}

pub(crate) async fn group_waits(log: Log) {
    let group = scope(async |s| {
        for ms in [3, 1] {
            let log = log.clone();
            s.spawn(async move {
                sleep(ms * MS).await;
                log.push(format!("child-{ms}"));
            });
        }
        log.push("body-ends");
    });
    group.await.unwrap();
    log.push("after");
}

pub(crate) async fn group_first_error(log: Log) {
    let child = |name, ms| {
        let log = log.clone();
        async move {
            let _cleanup = log.finally(format!("{name}-cleanup"));
            sleep(ms * MS).await;
            log.push(format!("{name}-end"));
        }
    };
    let raises = async {
        sleep(2 * MS).await;
        log.push("raise");
        Err::<(), _>("broken")
    };
    let group = try_scope(async |s| {
        s.spawn(child("a", 1));
        s.spawn_fallible(raises);
        s.spawn(child("b", 9));
        let _cleanup = log.finally("body-cleanup");
        sleep(9 * MS).await;
        Ok(())
    });
    if let Err(error) = group.await {
        log.push(format!("errors-{}", error.errors().len()));
    }
}
