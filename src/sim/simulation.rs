//! `Simulation`: a run on a manual clock, and what it is told before.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::clock::{Clock, ManualClock};

use crate::runtime::Builder;

/// Where the manual clock starts: not at zero, so that deadlines before the start can be told.
const START: Instant = Instant::from_ns(1_000_000_000);

/// What the kernel gets to carry bytes from one end of a socket to the other.
const PATIENCE: Duration = Duration::from_millis(5);

/// Sets up a run as [`sim::run`](super::run) makes it.
///
/// ```
/// use mainspring::sim::Simulation;
/// use mainspring::time::{now, sleep, timeout};
/// use std::time::Duration;
/// // The far end is another thread, and this machine is busy: a second of real time, if nothing comes.
/// let patient = Simulation::new(1).patience(Duration::from_secs(1));
/// let read = patient.run(async {
///     let (near, far) = std::os::unix::net::UnixStream::pair()?;
///     let near = mainspring::net::UnixStream::from_std(near)?;
///     std::thread::spawn(move || std::io::Write::write_all(&mut &far, b"!"));
///     let limit = Duration::from_millis(1);
///     timeout(limit, near.read(&mut [0; 4])).await?
/// });
/// assert_eq!(read.unwrap(), 1);
/// ```
#[must_use = "nothing runs before `run`"]
pub struct Simulation {
    seed: u64,
    patience: Duration,
    builder: Builder,
}

impl Simulation {
    /// A run of this seed, which decides where the clock stands inside a wheel step at the start, and is the loop's
    /// [`Builder::seed`]: the same seed gives the same run.
    pub fn new(seed: u64) -> Simulation {
        Simulation {
            seed,
            patience: PATIENCE,
            builder: Builder::new().seed(seed),
        }
    }

    /// How long, in real time, the kernel gets to deliver where tasks wait for descriptors, before the clock jumps; five
    /// milliseconds unless told otherwise. With none at all the clock jumps at once: for what waits for no kernel. See
    /// [`ManualClock::set_patience`].
    pub fn patience(mut self, patience: Duration) -> Simulation {
        self.patience = patience;
        self
    }

    /// Tells the loop's builder more: its backend, its hooks. The clock is the simulation's.
    ///
    /// ```
    /// use mainspring::{BackendKind, sim::Simulation};
    /// let on_poll = Simulation::new(1).builder(|builder| builder.backend(BackendKind::Poll));
    /// on_poll.run(async {});
    /// ```
    pub fn builder(mut self, change: impl FnOnce(Builder) -> Builder) -> Simulation {
        self.builder = change(self.builder);
        self
    }

    /// Runs `future` to its end.
    ///
    /// # Panics
    /// As [`sim::run`](super::run).
    #[track_caller]
    pub fn run<F: Future>(self, future: F) -> F::Output {
        let clock = ManualClock::starting_at(start_of(self.seed));
        clock.set_patience(self.patience);
        let runtime = self.builder.clock(Clock::Manual(clock)).build();
        let runtime = runtime.expect("the selector of a simulated run could not be made");
        runtime
            .block_on(future)
            .expect("the selector of a simulated run failed")
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Spreads seeds over the clock's first five hours (2^44 ns), so that runs begin at any place of the
/// wheel's lower levels.
fn start_of(seed: u64) -> Instant {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Instant::from_ns(START.as_ns() + (mixed >> 20))
}
