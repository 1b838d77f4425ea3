//! Tests that own time: a manual clock under a real loop.
//!
//! *Role.* `sim::run` is the one-line way to test anything that waits: the clock stands still while
//! anything is ready and jumps to the next deadline when nothing is, so an hour's sleep takes no time
//! and the result is the same on every machine. [`Simulation`] can be told more.
//!
//! [`Sequencer`] fixes the order of steps across tasks, [`assert_waits`] and [`assert_ready`] say whether an await
//! waits, and [`wait_all_tasks_blocked`](crate::task::wait_all_tasks_blocked), which needs no feature, lets everything
//! happen that can happen by itself.
//!
//! Feature `sim` only. It holds, besides, what `mainspring_sys` offers: the scripted selector and the
//! fault plan, re-exported here.

mod sequencer;
mod simulation;
mod waits;

use std::future::Future;
use std::time::Duration;

pub use mainspring_sys::clock::{Clock, ManualClock};
pub use mainspring_sys::fault;
pub use mainspring_sys::selector::scripted;
pub use sequencer::{Sequencer, Turn, TurnWait};
pub use simulation::Simulation;
pub use waits::{Asserted, assert_ready, assert_waits};

use mainspring_sys::WallTime;

/// Runs `future` on a loop with a manual clock that advances by itself whenever nothing is ready. The
/// real selector is underneath, so sockets work: where tasks wait for one, the kernel gets five milliseconds of real
/// time to deliver before the clock jumps; [`Simulation::patience`] says another time. What depends on another thread's time does
/// not work.
///
/// The `seed` decides where the clock stands inside a wheel step at the start, and is the loop's
/// [`Builder::seed`](crate::Builder::seed): the same seed gives the same run.
///
/// # Panics
/// As [`crate::run`]; and when the selector fails.
///
/// ```
/// use mainspring::time::{now, sleep};
/// use std::time::Duration;
/// let slept = mainspring::sim::run(1, async {
///     let start = now();
///     sleep(Duration::from_secs(3600)).await;
///     now() - start
/// });
/// assert_eq!(slept, Duration::from_secs(3600));
/// ```
#[track_caller]
pub fn run<F: Future>(seed: u64, future: F) -> F::Output {
    Simulation::new(seed).run(future)
}

/// Moves the manual clock of the loop that runs on this thread.
///
/// # Panics
/// Where no loop runs, and where its clock is not manual.
pub fn advance(duration: Duration) {
    with_manual_clock("sim::advance", |clock| clock.advance(duration));
}

/// Sets the wall clock of the loop that runs on this thread, forth or back, as an administrator would: the monotonic clock stands, and
/// whoever waits in [`sleep_until_wall`](crate::time::sleep_until_wall) hears of it.
///
/// # Panics
/// Where no loop runs, and where its clock is not manual.
///
/// ```
/// use mainspring::{sim, time::{sleep_until_wall, wall_now}};
/// use std::time::Duration;
/// let day = Duration::from_secs(86_400);
/// sim::run(1, async {
///     let (start, tomorrow) = (mainspring::time::now(), wall_now() + day);
///     let sleeper = mainspring::spawn(sleep_until_wall(tomorrow));
///     mainspring::yield_to_io().await;
///     sim::set_wall(tomorrow);
///     sleeper.await.unwrap();
///     assert_eq!(mainspring::time::now(), start);
/// });
/// ```
pub fn set_wall(time: WallTime) {
    with_manual_clock("sim::set_wall", |clock| clock.set_wall(time));
}

/// Suspends the machine of the loop that runs on this thread: its monotonic clock stands, wall clock and boot-time clock run for `duration`.
///
/// # Panics
/// Where no loop runs, and where its clock is not manual.
pub fn suspend(duration: Duration) {
    with_manual_clock("sim::suspend", |clock| clock.suspend(duration));
}

fn with_manual_clock(what: &str, change: impl FnOnce(&ManualClock)) {
    let Some(event_loop) = crate::context::current() else {
        panic!("{what} needs a running loop")
    };
    match event_loop.clock().as_manual() {
        Some(clock) => change(clock),
        None => panic!("{what} needs a loop with a manual clock"),
    }
}
