//! `ManualClock`: the three clocks of a test, which move only when told to.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::{BootTime, Instant, WallTime, duration_ns};

/// What the wall clock shows at [`Instant::ORIGIN`]: 2001-09-09, 01:46:40 UTC.
const WALL_AT_ORIGIN: WallTime = WallTime::from_unix_ns(1_000_000_000_000_000_000);

/// Clocks for tests: they move only when told to. Clones share the one time.
///
/// Monotonic, wall and boot-time clock go together, until [`ManualClock::set_wall`] sets the one, or
/// [`ManualClock::suspend`] lets the two others run while the monotonic one stands.
#[derive(Clone, Debug)]
pub struct ManualClock(Rc<Clocks>);

struct Clocks {
    now_ns: Cell<u64>,
    /// What the wall clock shows at the origin of the monotonic one.
    wall_at_origin: Cell<WallTime>,
    suspended: Cell<Duration>,
    patience: Cell<Duration>,
    /// Who is told when a clock jumps.
    listeners: RefCell<Vec<Weak<dyn Fn()>>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: Instant) -> ManualClock {
        ManualClock(Rc::new(Clocks {
            now_ns: Cell::new(start.as_ns()),
            wall_at_origin: Cell::new(WALL_AT_ORIGIN),
            suspended: Cell::new(Duration::ZERO),
            patience: Cell::new(Duration::ZERO),
            listeners: RefCell::default(),
        }))
    }

    /// How long, in real time, a loop waits for the descriptors that its tasks wait for before it moves this clock to
    /// the next deadline; nothing at first. A signal to the loop's thread ends it early.
    ///
    /// What was written to a socket may reach its other end later: the kernel does that work on a thread of its own
    /// when the machine is busy. A test whose two ends talk over the loopback, with a limit of time in virtual time,
    /// needs patience, or the limit passes while the bytes are on their way.
    pub fn set_patience(&self, patience: Duration) {
        self.0.patience.set(patience);
    }

    /// See [`ManualClock::set_patience`].
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.0.patience.get()
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_ns(self.0.now_ns.get())
    }

    /// What the wall clock shows.
    #[must_use]
    pub fn wall_now(&self) -> WallTime {
        self.0.wall_at_origin.get() + (self.now() - Instant::ORIGIN)
    }

    /// What the boot-time clock shows.
    #[must_use]
    pub fn boot_now(&self) -> BootTime {
        BootTime::from_ns(self.0.now_ns.get()) + self.0.suspended.get()
    }

    /// Moves it by `duration`, and the two others with it.
    pub fn advance(&self, duration: Duration) {
        let now = self.now() + duration;
        self.set(now);
    }

    /// Sets it, also backwards: real clocks have done that too (hz_b12). The two others go with it.
    pub fn set(&self, instant: Instant) {
        self.0.now_ns.set(instant.as_ns());
    }

    /// Sets the wall clock, forth or back, as `clock_settime` does; whoever waits for it hears of it.
    pub fn set_wall(&self, time: WallTime) {
        let origin = time - (self.now() - Instant::ORIGIN);
        self.0.wall_at_origin.set(origin);
        self.tell();
    }

    /// The machine is suspended for so long: the monotonic clock stands, the others run. Whoever waits for one of
    /// them hears of the end.
    pub fn suspend(&self, duration: Duration) {
        let suspended = self.0.suspended.get().saturating_add(duration);
        self.0.suspended.set(suspended);
        let origin = self.0.wall_at_origin.get() + duration;
        self.0.wall_at_origin.set(origin);
        self.tell();
    }

    /// `listener` is called whenever a clock jumps, as long as it is there.
    pub(crate) fn listen(&self, listener: Weak<dyn Fn()>) {
        let mut listeners = self.0.listeners.borrow_mut();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(listener);
    }

    fn tell(&self) {
        let listeners = self.0.listeners.borrow().clone();
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener();
        }
    }
}

impl std::fmt::Debug for Clocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clocks")
            .field("now_ns", &self.now_ns.get())
            .field("wall_at_origin", &self.wall_at_origin.get())
            .field("suspended", &duration_ns(self.suspended.get()))
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
