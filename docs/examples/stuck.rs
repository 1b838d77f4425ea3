//! A program that does not get on, and what it says when it is asked why.
//!
//! The jobs are done, but nobody told the workers that there are no more: the sender lives on in a task that
//! waits for the workers. The loop can't call that a deadlock, for a heartbeat goes on. A snapshot shows it.
//!
//! ```text
//! cargo run --example stuck
//! ```

use std::time::Duration;

use mainspring::channel::{self, Receiver};
use mainspring::task::{TaskBuilder, join_all};
use mainspring::time::{sleep, timeout};
use mainspring::{JoinHandle, inspect};

fn worker(number: u32, jobs: Receiver<u32>) -> JoinHandle<u32> {
    TaskBuilder::new()
        .name(format!("worker {number}"))
        .spawn(async move {
            let mut sum = 0;
            while let Some(job) = jobs.recv().await {
                sum += job;
            }
            sum
        })
}

async fn produce() -> u32 {
    let (sender, receiver) = channel::bounded(4);
    let workers = [1, 2].map(|number| worker(number, receiver.clone()));
    for job in 0..10 {
        sender.send(job).await.expect("the workers receive");
    }
    // Here `drop(sender)` is missing.
    let sums = join_all(workers).await;
    sums.into_iter()
        .map(|sum| sum.expect("no worker panics"))
        .sum()
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        let beat = async {
            loop {
                sleep(Duration::from_millis(10)).await;
            }
        };
        drop(TaskBuilder::new().name("heartbeat").spawn(beat));
        let mut producer = TaskBuilder::new().name("producer").spawn(produce());
        if timeout(Duration::from_millis(50), &mut producer)
            .await
            .is_err()
        {
            // With times there is one more column; without them the text is the same in each run.
            println!("{}\n", inspect::snapshot().without_times());
            println!("{:#}\n", inspect::snapshot().without_times());
            if let Some(why) = inspect::why(producer.id()) {
                println!("{why}");
            }
        }
    })
}
