//! Tasks from their start to their end, timeouts, shields: notes 5 to 8, 13 to 15.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mainspring::task::spawn_eager;
use mainspring::time::{now, sleep, timeout};
use mainspring::{spawn, yield_now};

use crate::rig::{Log, MS};

pub(crate) async fn create_task(log: Log) {
    log.push("before");
    let tasks = ["a", "b", "c"].map(|name| {
        let log = log.clone();
        spawn(async move { log.push(name) })
    });
    log.push("after");
    for task in tasks {
        task.await.unwrap();
    }
    log.push("end");
}

pub(crate) async fn cancel_before_start(log: Log) {
    let of_task = log.clone();
    let task = spawn(async move {
        let _cleanup = of_task.finally("cleanup");
        of_task.push("body");
    });
    task.abort();
    if task.await.is_err_and(|error| error.is_aborted()) {
        log.push("cancelled");
    }
}

pub(crate) async fn cancel_running(log: Log) {
    let of_task = log.clone();
    let task = spawn(async move {
        let _cleanup = of_task.finally("cleanup");
        of_task.push("begin");
        sleep(9 * MS).await;
        of_task.push("never");
    });
    sleep(MS).await;
    task.abort();
    log.push("asked");
    if task.await.is_err_and(|error| error.is_aborted()) {
        log.push("cancelled");
    }
}

pub(crate) async fn cancel_done(log: Log) {
    let task = spawn(async { "output" });
    sleep(MS).await;
    task.abort();
    // What asyncio's `cancel` returns: whether the task will be cancelled.
    log.push((!task.is_finished()).to_string());
    log.push(task.await.unwrap());
}

pub(crate) async fn eager_start(log: Log) {
    let said = |is_done| if is_done { "done" } else { "running" };
    log.push("before");
    let of_task = log.clone();
    let task = spawn_eager(async move { of_task.push("body") });
    log.push(said(task.is_finished()));
    let of_task = log.clone();
    let task = spawn_eager(async move {
        of_task.push("begins");
        yield_now().await;
        of_task.push("ends");
    });
    log.push(said(task.is_finished()));
    task.await.unwrap();
}

pub(crate) async fn shield(log: Log) {
    let save = async |log: Log| {
        sleep(4 * MS).await;
        log.push("saved");
    };
    if timeout(MS, spawn(save(log.clone()))).await.is_err() {
        log.push("timeout");
    }
    sleep(9 * MS).await;
    log.push("end");
}

pub(crate) async fn timeout_body_first(log: Log) {
    let body = async { log.push("body") };
    timeout(Duration::ZERO, body).await.unwrap();
    log.push("in-time");
}

pub(crate) async fn timeout_expires(log: Log) {
    let body = async {
        let _cleanup = log.finally("cleanup");
        sleep(9 * MS).await;
        log.push("never");
    };
    if timeout(2 * MS, body).await.is_err() {
        log.push("timeout");
    }
}

pub(crate) async fn timeout_nested(log: Log) {
    let body = async {
        if timeout(2 * MS, sleep(9 * MS)).await.is_err() {
            log.push("inner");
        }
        sleep(MS).await;
        log.push("body-goes-on");
        sleep(9 * MS).await;
    };
    if timeout(5 * MS, body).await.is_err() {
        log.push("outer");
    }
}

pub(crate) async fn timeout_rescheduled(log: Log) {
    let start = now();
    let body = async {
        sleep(4 * MS).await;
        log.push("moved");
        sleep(9 * MS).await;
    };
    let mut limited = pin!(timeout(2 * MS, body));
    let mut first = pin!(sleep(MS));
    let mut is_moved = false;
    let ended = poll_fn(|cx| {
        if !is_moved && first.as_mut().poll(cx).is_ready() {
            is_moved = true;
            limited.as_mut().reschedule(start + 6 * MS);
        }
        match limited.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => Poll::Pending,
        }
    });
    if ended.await.is_err() {
        log.push(format!("timeout-{}", (now() - start).as_millis()));
    }
}

pub(crate) async fn wait_for_zero(log: Log) {
    let ready = async {
        log.push("body");
        "output"
    };
    match timeout(Duration::ZERO, ready).await {
        Ok(output) => log.push(output),
        Err(_) => log.push("timeout"),
    }
}
