//! Channels and oneshots between threads, and the pool, for ThreadSanitizer: `make tsan` runs it.
//!
//! *Model.* As in `tests/tsan_wakes.rs`: without the harness, and every thread is joined. What travels is a box, so
//! that a hand-over without an order would be a race on what is in it.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mainspring::channel::thread as channel;
use mainspring::task::{join_all, spawn_blocking};
use mainspring::{Builder, Runtime};

const THREADS: u32 = 4;
const ITEMS: u32 = 200;
const ROUNDS: u32 = 20;

fn main() {
    let tests: [(&str, fn()); 8] = [
        ("threads_send_to_a_loop", threads_send_to_a_loop),
        ("a_loop_sends_to_threads", a_loop_sends_to_threads),
        (
            "hz_h07_either_end_goes_while_items_are_under_way",
            hz_h07_either_end_goes_while_items_are_under_way,
        ),
        ("oneshots_go_both_ways", oneshots_go_both_ways),
        (
            "hz_h07_either_end_of_a_oneshot_goes_first",
            hz_h07_either_end_of_a_oneshot_goes_first,
        ),
        ("jobs_give_their_results", jobs_give_their_results),
        (
            "hz_g04_threads_that_idle_out_meet_new_jobs",
            hz_g04_threads_that_idle_out_meet_new_jobs,
        ),
        (
            "a_pool_ends_while_jobs_run_and_wait",
            a_pool_ends_while_jobs_run_and_wait,
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

fn end(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread came to its end");
    }
}

fn threads_send_to_a_loop() {
    for capacity in [1, 7, 1000] {
        let (sender, mut receiver) = channel::bounded::<Box<u32>>(capacity);
        let runtime = Runtime::new().expect("a runtime");
        let threads = (0..THREADS)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for number in 0..ITEMS {
                        sender.send_blocking(Box::new(number)).expect("it receives");
                    }
                })
            })
            .collect();
        drop(sender);
        let sum = runtime.block_on(async {
            let mut sum = 0;
            while let Some(number) = receiver.recv().await {
                sum += *number;
            }
            sum
        });
        assert_eq!(sum.expect("a run"), THREADS * ITEMS * (ITEMS - 1) / 2);
        end(threads);
    }
}

fn a_loop_sends_to_threads() {
    for capacity in [1, 7, 1000] {
        let (sender, receiver) = channel::bounded_to_thread::<Box<u32>>(capacity);
        let runtime = Runtime::new().expect("a runtime");
        let sum = Arc::new(AtomicU32::new(0));
        let threads = (0..THREADS)
            .map(|_| {
                let (receiver, sum) = (receiver.clone(), Arc::clone(&sum));
                thread::spawn(move || {
                    while let Some(number) = receiver.recv_blocking() {
                        sum.fetch_add(*number, Relaxed);
                    }
                })
            })
            .collect();
        drop(receiver);
        runtime
            .block_on(async {
                for number in 0..ITEMS {
                    sender.send(Box::new(number)).await.expect("they receive");
                }
            })
            .expect("a run");
        drop(sender);
        end(threads);
        assert_eq!(sum.load(Relaxed), ITEMS * (ITEMS - 1) / 2);
    }
}

fn hz_h07_either_end_goes_while_items_are_under_way() {
    for round in 0..ROUNDS {
        let (sender, mut receiver) = channel::bounded::<Box<u32>>(2);
        let runtime = Runtime::new().expect("a runtime");
        let threads = (0..THREADS)
            .map(|number| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for _ in 0..round {
                        if sender.send_blocking(Box::new(number)).is_err() {
                            break;
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        runtime
            .block_on(async {
                for _ in 0..round {
                    drop(receiver.recv().await);
                }
            })
            .expect("a run");
        if round % 2 == 0 {
            drop(receiver);
            drop(runtime);
        } else {
            drop(runtime);
            drop(receiver);
        }
        end(threads);
    }
}

fn oneshots_go_both_ways() {
    let runtime = Runtime::new().expect("a runtime");
    for _ in 0..ROUNDS {
        let (ask, question) = channel::oneshot_to_thread::<Box<u32>>();
        let (reply, answer) = channel::oneshot::<Box<u32>>();
        let thread = thread::spawn(move || {
            let question = question.recv_blocking().expect("it asks");
            reply.send(Box::new(*question + 1)).expect("it listens");
        });
        let answer = runtime.block_on(async {
            ask.send(Box::new(41)).expect("it listens");
            answer.await
        });
        assert_eq!(*answer.expect("a run").expect("it replies"), 42);
        end(vec![thread]);
    }
}

fn hz_h07_either_end_of_a_oneshot_goes_first() {
    for round in 0..ROUNDS {
        let runtime = Runtime::new().expect("a runtime");
        let (sender, receiver) = channel::oneshot::<Box<u32>>();
        let thread = thread::spawn(move || {
            if round % 3 == 0 {
                drop(sender);
            } else {
                drop(sender.send(Box::new(round)));
            }
        });
        if round % 2 == 0 {
            drop(receiver);
        } else {
            let got = runtime.block_on(receiver).expect("a run");
            assert_eq!(got.ok().map(|got| *got), (round % 3 != 0).then_some(round));
        }
        end(vec![thread]);
    }
}

fn jobs_give_their_results() {
    let runtime = Builder::new().blocking_threads_max(THREADS as usize);
    let runtime = runtime.build().expect("a runtime");
    let sum = runtime.block_on(async {
        let jobs = (0..ITEMS).map(|number| {
            let number = Box::new(number);
            spawn_blocking(move || Box::new(*number + 1))
        });
        let results = join_all(jobs.collect::<Vec<_>>()).await;
        results
            .into_iter()
            .map(|n| *n.expect("it ran"))
            .sum::<u32>()
    });
    assert_eq!(sum.expect("a run"), ITEMS * (ITEMS + 1) / 2);
}

fn hz_g04_threads_that_idle_out_meet_new_jobs() {
    let runtime = Builder::new().blocking_idle_timeout(Duration::ZERO);
    let runtime = runtime.build().expect("a runtime");
    let last = runtime.block_on(async {
        let mut last = Box::new(0);
        for _ in 0..ITEMS {
            last = spawn_blocking(move || Box::new(*last + 1))
                .await
                .expect("it ran");
        }
        *last
    });
    assert_eq!(last.expect("a run"), ITEMS);
}

fn a_pool_ends_while_jobs_run_and_wait() {
    for round in 0..ROUNDS {
        let ran = Arc::new(AtomicU32::new(0));
        let runtime = Builder::new().blocking_threads_max(2);
        let runtime = runtime.build().expect("a runtime");
        let ended = runtime.block_on(async {
            let jobs: Vec<_> = (0..16)
                .map(|_| {
                    let ran = Arc::clone(&ran);
                    spawn_blocking(move || ran.fetch_add(1, Relaxed))
                })
                .collect();
            for job in jobs.into_iter().take(round as usize % 8) {
                job.await.expect("it ran");
            }
        });
        ended.expect("a run");
        drop(runtime);
        assert!(ran.load(Relaxed) <= 16);
    }
}
