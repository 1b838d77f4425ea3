//! A rate limiter: a burst of three requests at once, then one per 20 ms, and at most two under way.
//!
//! A semaphore is the bucket: whoever is let through takes a permit and forgets it, and a task puts one back
//! in each period. Who waits stands in line, so the requests are let through in the order in which they came.
//!
//! ```text
//! cargo run --example rate_limiter
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mainspring::AbortOnDrop;
use mainspring::sync::{CapacityLimiter, Semaphore};
use mainspring::time::{interval, now, sleep};

const BURST: usize = 3;
const PERIOD: Duration = Duration::from_millis(20);
const UNDER_WAY_MAX: usize = 2;
const REQUESTS: u64 = 7;

/// Lets `burst` through at once, and then one per period.
struct RateLimiter {
    bucket: Rc<Semaphore>,
    /// How many periods have begun.
    periods: Rc<Cell<u32>>,
    _refill: AbortOnDrop<()>,
}

impl RateLimiter {
    fn new(burst: usize, period: Duration) -> RateLimiter {
        let (bucket, periods) = (Rc::new(Semaphore::new(burst)), Rc::new(Cell::new(0)));
        let (refilled, counted) = (Rc::clone(&bucket), Rc::clone(&periods));
        let refill = mainspring::spawn(async move {
            let mut ticks = interval(period);
            // The first tick comes at once, and the bucket is full.
            ticks.tick().await;
            loop {
                ticks.tick().await;
                counted.set(counted.get() + 1);
                if refilled.available_permits() < burst {
                    refilled.add_permits(1);
                }
            }
        });
        RateLimiter {
            bucket,
            periods,
            _refill: refill.abort_on_drop(),
        }
    }

    /// Waits until the caller is let through; says in which period that was.
    async fn admit(&self) -> u32 {
        let permit = self.bucket.acquire().await;
        permit.expect("nobody closes the bucket").forget();
        self.periods.get()
    }
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        let start = now();
        let rate = Rc::new(RateLimiter::new(BURST, PERIOD));
        let under_way = Rc::new(CapacityLimiter::new(UNDER_WAY_MAX));
        let requests: Vec<_> = (0..REQUESTS)
            .map(|number| {
                let (rate, under_way) = (Rc::clone(&rate), Rc::clone(&under_way));
                mainspring::spawn(async move {
                    let period = rate.admit().await;
                    println!("request {number}: let through in period {period}");
                    // In the request's name: a task may have one token at a time.
                    let _token = under_way.acquire_on_behalf_of(number).await;
                    sleep(PERIOD / 10).await;
                })
            })
            .collect();
        for request in requests {
            request.await.expect("it neither panics nor is aborted");
        }
        let periods = u32::try_from(REQUESTS).expect("it is small") - BURST as u32;
        assert!(now() - start >= periods * PERIOD, "never early");
        let most = under_way.statistics().borrowed_peak;
        println!("at most {most} were under way at a time");
    })
}
