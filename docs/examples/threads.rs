//! Worker threads around a loop: it hands out work by one channel, and takes the results from another.
//!
//! ```text
//! cargo run --example threads
//! ```
//!
//! The loop never blocks: it awaits room in the one and items in the other. The workers, which may block,
//! do. Nobody is told to stop: a channel ends when the last half of its other side is dropped.

use std::thread;

use mainspring::channel::thread::{FarReceiver, FarSender, bounded, bounded_to_thread};
use mainspring::spawn;

const WORKERS: usize = 3;
const JOBS: u64 = 12;
/// So many jobs wait at most for a worker, and so many results for the loop.
const ROOM: usize = 4;

/// Runs on a thread of its own, until there are no more jobs.
fn work(jobs: &FarReceiver<u64>, results: &FarSender<(u64, u64)>) {
    while let Some(number) = jobs.recv_blocking() {
        let sum = (1..=number).sum();
        if results.send_blocking((number, sum)).is_err() {
            return; // nobody wants results any more
        }
    }
}

async fn conduct() -> Vec<(u64, u64)> {
    let (jobs, far_jobs) = bounded_to_thread(ROOM);
    let (far_results, mut results) = bounded(ROOM);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (jobs, results) = (far_jobs.clone(), far_results.clone());
            thread::spawn(move || work(&jobs, &results))
        })
        .collect();
    // The workers have theirs. These would keep the channels open.
    drop((far_jobs, far_results));

    // One task feeds, while this one collects: with so little room, one after the other would wait for ever.
    spawn(async move {
        for number in 1..=JOBS {
            jobs.send(number).await.expect("the workers receive");
        }
    });
    let mut sums = Vec::new();
    while let Some(result) = results.recv().await {
        sums.push(result);
    }
    for worker in workers {
        worker.join().expect("no worker panics");
    }
    sums.sort_unstable();
    sums
}

fn main() -> std::io::Result<()> {
    let sums = mainspring::run(conduct())?;
    for (number, sum) in &sums {
        println!("1 + … + {number} = {sum}");
    }
    println!("{} results of {WORKERS} threads", sums.len());
    Ok(())
}
