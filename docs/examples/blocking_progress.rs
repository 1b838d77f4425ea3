//! Work that blocks, with a progress that the loop shows, and a way to end it half-way.
//!
//! ```text
//! cargo run --example blocking_progress                 # counts primes to the end
//! cargo run --example blocking_progress -- --abort 20   # gives up after 20 per cent
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mainspring::task::blocking::{Aborted, check_aborted, statistics};
use mainspring::time::{interval, sleep};
use mainspring::{AbortOnDrop, spawn, spawn_blocking};

const LIMIT: u64 = 200_000;
/// The job looks up after so many numbers: whether it is still wanted, and to say how far it is.
const STEP: u64 = 1_000;
/// The loop looks at the progress this often.
const LOOK: Duration = Duration::from_millis(1);

/// Runs on a thread of the pool, where it may take its time.
fn count_primes(limit: u64, progress: &AtomicU64) -> Result<u64, Aborted> {
    let mut count = 0;
    for number in 2..limit {
        if number % STEP == 0 {
            check_aborted()?;
            progress.store(number, Relaxed);
        }
        let divisors = (2..).take_while(|divisor| divisor * divisor <= number);
        count += u64::from(divisors.into_iter().all(|divisor| number % divisor != 0));
    }
    progress.store(limit, Relaxed);
    Ok(count)
}

/// A task beside it, to see that the loop is free all the time.
fn start_heartbeat() -> (Rc<Cell<u32>>, AbortOnDrop<()>) {
    let beats = Rc::new(Cell::new(0));
    let heart = Rc::clone(&beats);
    let task = spawn(async move {
        let mut beat = interval(LOOK);
        loop {
            beat.tick().await;
            heart.set(heart.get() + 1);
        }
    });
    (beats, task.abort_on_drop())
}

/// `--abort PERCENT`.
fn abort_after() -> Option<u64> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next()?;
    assert_eq!(
        name, "--abort",
        "usage: blocking_progress [--abort PERCENT]"
    );
    let percent = arguments.next()?.parse();
    Some(percent.expect("a number of per cent"))
}

fn main() -> std::io::Result<()> {
    let abort_after = abort_after();
    // With an abort to come there is work for hours.
    let limit = if abort_after.is_some() {
        LIMIT * 100
    } else {
        LIMIT
    };
    mainspring::run(async {
        let (beats, _heart) = start_heartbeat();
        let progress = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&progress);
        let job = spawn_blocking(move || count_primes(limit, &shared));
        let mut shown = 0;
        while !job.is_finished() {
            sleep(LOOK).await;
            let done = progress.load(Relaxed);
            let percent = done * 100 / LIMIT;
            if percent / 10 > shown / 10 {
                println!("{} %", percent / 10 * 10);
                shown = percent;
            }
            if abort_after.is_some_and(|most| percent >= most) {
                job.abort();
                break;
            }
        }
        match job.await {
            Ok(count) => println!("{} primes below {limit}", count.expect("nobody aborted it")),
            Err(error) => println!("given up: {error}"),
        }
        // The thread sees the abort at its next step, and is free for other work.
        while statistics()?.running > 0 {
            sleep(LOOK).await;
        }
        println!("the loop was free: {}", beats.get() > 1);
        Ok(())
    })?
}
