//! Wake-ups, spawns and drops from other threads, for ThreadSanitizer: `make tsan` runs it.
//!
//! *Model.* It has no harness, and shares nothing but atomics with its threads: what std is made of is
//! not instrumented, so a lock of the harness or of ours would be reported, or would hide a race. Wakers
//! travel to a thread with its start, and every thread is joined.
#![allow(
    clippy::waker_clone_wake,
    reason = "cloning and waking is what is tested"
)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};

use mainspring::{Runtime, yield_now};

const THREADS: u32 = 4;
const TASKS: u32 = 8;
const ROUNDS: u32 = 40;
/// Tasks that one thread sends.
const SENDS: u32 = 16;

/// Counts what the threads did before each wake of a task; relaxed, so that only the wakes order it.
static WAKES: [AtomicU32; TASKS as usize] = [const { AtomicU32::new(0) }; TASKS as usize];
static RUNS: AtomicU32 = AtomicU32::new(0);

fn main() {
    let tests: [(&str, fn()); 4] = [
        (
            "hz_a05_wakers_work_on_four_threads",
            hz_a05_wakers_work_on_four_threads,
        ),
        (
            "hz_a03_wakes_race_runtime_drop",
            hz_a03_wakes_race_runtime_drop,
        ),
        (
            "handles_spawn_from_four_threads",
            handles_spawn_from_four_threads,
        ),
        (
            "hz_a13_spawns_race_runtime_drop",
            hz_a13_spawns_race_runtime_drop,
        ),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!(
        "test result: ok. {} passed; 0 failed; 0 ignored",
        tests.len()
    );
}

fn join_all(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread came to its end");
    }
}

/// Tasks that are done once their `WAKES` reached `goal`, and their wakers, cloned on this thread.
fn spawn_waiting(runtime: &Runtime, goal: u32) -> (Vec<mainspring::JoinHandle<()>>, Vec<Waker>) {
    let wakers = Rc::new(RefCell::new(Vec::new()));
    let spawn_one = |wakes: &'static AtomicU32| {
        wakes.store(0, Relaxed);
        let wakers = Rc::clone(&wakers);
        let mut is_first = true;
        runtime.spawn(poll_fn(move |cx| {
            if std::mem::take(&mut is_first) {
                wakers.borrow_mut().push(cx.waker().clone());
            }
            if wakes.load(Relaxed) == goal {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }))
    };
    let handles = WAKES.iter().map(spawn_one).collect();
    runtime.tick().expect("a tick");
    let wakers = wakers.take();
    assert_eq!(wakers.len(), TASKS as usize);
    (handles, wakers)
}

/// Threads that wake each task twice, and clone and drop its waker meanwhile.
fn start_waking(wakers: &[Waker]) -> Vec<JoinHandle<()>> {
    let start_one = |_| {
        let wakers = wakers.to_vec();
        thread::spawn(move || {
            for (waker, wakes) in wakers.into_iter().zip(&WAKES) {
                let clone = waker.clone();
                wakes.fetch_add(1, Relaxed);
                waker.wake_by_ref();
                drop(waker);
                clone.clone().wake();
                drop(clone);
            }
        })
    };
    (0..THREADS).map(start_one).collect()
}

fn hz_a05_wakers_work_on_four_threads() {
    for _ in 0..ROUNDS {
        let runtime = Runtime::new().expect("a runtime");
        let (handles, wakers) = spawn_waiting(&runtime, THREADS);
        let threads = start_waking(&wakers);
        drop(wakers);
        let all = async {
            for handle in handles {
                handle.await.expect("a task that returns");
            }
        };
        runtime.block_on(all).expect("the loop's turns");
        drop(runtime);
        join_all(threads);
    }
}

fn hz_a03_wakes_race_runtime_drop() {
    for round in 0..ROUNDS {
        let runtime = Runtime::new().expect("a runtime");
        let (handles, wakers) = spawn_waiting(&runtime, u32::MAX);
        let threads = start_waking(&wakers);
        for _ in 0..round % 8 {
            runtime.tick().expect("a tick");
        }
        if round % 2 == 0 {
            drop(handles);
            drop(runtime);
        } else {
            drop(runtime);
            drop(handles);
        }
        drop(wakers);
        join_all(threads);
    }
}

/// Threads that send tasks and fetch their results, or learn that the loop is gone.
fn start_sending(runtime: &Runtime) -> Vec<JoinHandle<()>> {
    let start_one = |_| {
        let handle = runtime.handle();
        thread::spawn(move || {
            for number in 0..SENDS {
                let handle = handle.clone();
                let future = async move {
                    yield_now().await;
                    RUNS.fetch_add(1, Relaxed);
                    number
                };
                let Ok(join) = handle.spawn(future) else {
                    break;
                };
                match join.join() {
                    Ok(result) => assert_eq!(result, number),
                    Err(error) => assert!(error.is_aborted()),
                }
            }
        })
    };
    (0..THREADS).map(start_one).collect()
}

fn handles_spawn_from_four_threads() {
    for _ in 0..ROUNDS / 4 {
        RUNS.store(0, Relaxed);
        let runtime = Runtime::new().expect("a runtime");
        let threads = start_sending(&runtime);
        while RUNS.load(Relaxed) < THREADS * SENDS {
            runtime.tick_blocking().expect("a tick");
        }
        drop(runtime);
        join_all(threads);
    }
}

fn hz_a13_spawns_race_runtime_drop() {
    for round in 0..ROUNDS {
        let runtime = Runtime::new().expect("a runtime");
        let threads = start_sending(&runtime);
        for _ in 0..round {
            runtime.tick().expect("a tick");
        }
        drop(runtime);
        join_all(threads);
    }
}
