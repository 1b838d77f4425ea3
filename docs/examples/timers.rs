//! Time: a sleep, an interval, a timeout that is kept, one that is not, and one around a task.
//!
//! ```text
//! cargo run --example timers
//! ```

use std::time::Duration;

use mainspring::time::{MissedTick, interval, now, sleep, timeout};

const STEP: Duration = Duration::from_millis(20);

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        // A sleep is never early.
        let start = now();
        sleep(STEP).await;
        assert!(now() - start >= STEP);
        println!("slept at least {} ms", STEP.as_millis());

        // An interval ticks at once, and then every period. It says when a tick was *due*, so the
        // distances are exact however late the task ran.
        let mut ticks = interval(STEP).missed_tick(MissedTick::Skip);
        let first = ticks.tick().await;
        for _ in 0..3 {
            let due = ticks.tick().await;
            assert_eq!((due - first).as_nanos() % STEP.as_nanos(), 0);
        }
        println!("three ticks, in step with the first");

        // A future that is done in time, and one that is not. Its drop is its cancellation.
        let kept = timeout(STEP, async { "in time" }).await;
        println!("timeout 1: {}", kept.unwrap_or("too late"));
        let missed = timeout(STEP, std::future::pending::<&str>()).await;
        println!("timeout 2: {}", missed.unwrap_or("too late"));

        // By `&mut` only the waiting is given up: the task goes on, and its handle still works.
        let mut handle = mainspring::spawn(async {
            sleep(3 * STEP).await;
            "the task's end"
        });
        let missed = timeout(STEP, &mut handle).await;
        println!(
            "timeout 3: {}",
            if missed.is_err() {
                "too late"
            } else {
                "in time"
            }
        );
        println!(
            "awaited once more: {}",
            handle.await.expect("it neither panics nor is aborted")
        );
    })
}
