//! `Builder`: what a loop is told before it is made, and the making.
//!
//! What it is told of hooks stands in `hooks.rs`, and of the pool in `pooled.rs`.

use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "sim")]
use mainspring_sys::Selector;
use mainspring_sys::fork;
use mainspring_sys::signal::SignalSet;
use mainspring_sys::{BackendKind, Clock};

use super::Runtime;
use crate::debug;
use crate::event_loop::{EventLoop, Settings, TickHook};
use crate::pool::{self, Pool};
use crate::reactor::Reactor;
use crate::resolver::Resolver;
use crate::task::core::{Owner, POLLS_PER_TURN};
use crate::task::hooks::Hooks;

/// How many events one wait reports at most, unless the builder says otherwise.
const EVENT_CAPACITY: usize = 1024;

/// Sets up a [`Runtime`].
///
/// ```
/// use mainspring::{BackendKind, Builder};
/// let runtime = Builder::new().name("worker").backend(BackendKind::Poll).build().unwrap();
/// assert_eq!(runtime.backend_name(), "poll");
/// ```
#[must_use = "a builder makes nothing until `build`"]
pub struct Builder {
    backend: BackendKind,
    name: Option<String>,
    batch_max: u32,
    event_capacity: usize,
    seed: u64,
    clock: Clock,
    pub(super) pool: pool::Options,
    is_timed: bool,
    is_debug: bool,
    slow_poll: Option<Duration>,
    pub(super) spin: Duration,
    pub(super) reports_unfinished: bool,
    pub(super) hooks: Hooks,
    pub(super) tick_hooks: Vec<TickHook>,
    resolver: Option<Rc<dyn Resolver>>,
    ctrl_c_grace: Option<Duration>,
    wait_mask: SignalSet,
    #[cfg(feature = "sim")]
    selector: Option<Selector>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// The defaults: the target's own selector, no name, 128 polls per tick, 1024 events per wait.
    pub fn new() -> Builder {
        Builder {
            backend: BackendKind::default(),
            name: None,
            batch_max: POLLS_PER_TURN,
            event_capacity: EVENT_CAPACITY,
            seed: 0,
            clock: Clock::default(),
            pool: pool::Options::default(),
            is_timed: false,
            is_debug: debug::is_on(),
            slow_poll: None,
            spin: Duration::ZERO,
            reports_unfinished: debug::is_on(),
            hooks: Hooks::default(),
            tick_hooks: Vec::new(),
            resolver: None,
            ctrl_c_grace: None,
            wait_mask: SignalSet::new(),
            #[cfg(feature = "sim")]
            selector: None,
        }
    }

    /// Chooses the selector: the target's own, or poll(2), which every Unix has.
    pub fn backend(mut self, backend: BackendKind) -> Builder {
        self.backend = backend;
        self
    }

    /// Names the loop, for [`Runtime::name`] and reports.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Most polls per tick, 1 to 128. The selector is asked at least once per 128 polls all the same.
    ///
    /// # Panics
    /// If `batch_max` is 0 or above 128.
    #[track_caller]
    pub fn batch_max(mut self, batch_max: u32) -> Builder {
        assert!(
            (1..=POLLS_PER_TURN).contains(&batch_max),
            "batch_max must be between 1 and 128"
        );
        self.batch_max = batch_max;
        self
    }

    /// Most events per wait; the rest is reported by the next.
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn event_capacity(mut self, capacity: usize) -> Builder {
        assert!(capacity > 0, "event_capacity must be at least 1");
        self.event_capacity = capacity;
        self
    }

    /// Who is asked for names, by [`lookup`](crate::net::lookup) and whoever connects to a name. Without this
    /// the system is asked, on a thread of the pool. [`Runtime::set_resolver`] changes it later.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Builder {
        self.resolver = Some(Rc::new(resolver));
        self
    }

    /// Where the loop's random numbers begin, by which [`select!`](crate::select) is fair. It is 0 unless it is
    /// said, so that one program makes the same choices each time it runs.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Whether the loop measures from the start; see [`inspect::set_timing`](crate::inspect::set_timing).
    pub fn timing(mut self, is_on: bool) -> Builder {
        self.is_timed = is_on;
        self
    }

    /// Reports each poll that takes `most` or longer: one line on standard error with the task's name and the line
    /// that spawned it, or a call of the hook of [`inspect::on_report`](crate::inspect::on_report). It turns timing on.
    ///
    /// ```
    /// use std::time::Duration;
    /// let runtime = mainspring::Builder::new().slow_poll(Duration::from_millis(20)).build().unwrap();
    /// # drop(runtime);
    /// ```
    pub fn slow_poll(mut self, most: Duration) -> Builder {
        self.slow_poll = Some(most);
        self
    }

    /// Debug mode: the loop measures, and reports polls that take 100 ms or longer (or what
    /// [`Builder::slow_poll`] says) and tasks that can never run again, for which it looks before it sleeps for
    /// a second or longer. Unless this says otherwise it is on if the environment has `MAINSPRING_DEBUG` with
    /// anything but `0` in it.
    pub fn debug(mut self, is_on: bool) -> Builder {
        self.is_debug = is_on;
        self
    }

    /// ^C (SIGINT) ends what [`Runtime::block_on`], [`Runtime::run_forever`] and [`Runtime::run_until_idle`] run; outside of
    /// them it does what it did before.
    ///
    /// The first one tells whoever watches the [`shutdown_token`](crate::task::shutdown_token). Main and the tasks that
    /// keep the loop alive have `grace` to end by themselves. Main is dropped then, or at once if there is no grace, and
    /// the call gives an error of the kind `Interrupted`; a main that has ended in time is as good as ever. Tasks that are
    /// left stay for the next call, or for the runtime's end.
    ///
    /// The second ^C ends the process, by the default of the signal, also while the loop is stuck in a function that
    /// never returns. Who listens to the signal beside this hears the first one as ever.
    ///
    /// A program that was started with SIGINT ignored goes on ignoring it: so do those that a shell runs in the
    /// background. A handler that was there before is called as well. While a ^C may come a deadlock can't be proved.
    ///
    /// ```
    /// use mainspring::{Builder, task};
    /// use std::time::Duration;
    /// # mainspring_sys::signal::set_default(mainspring::signal::Signal::INT).unwrap();
    /// let runtime = Builder::new().ends_on_ctrl_c(Duration::from_secs(5)).build().unwrap();
    /// # let type_ctrl_c = || mainspring_sys::signal::raise(mainspring::signal::Signal::INT).unwrap();
    /// let farewell = runtime.block_on(async {
    ///     type_ctrl_c();
    ///     let why = task::shutdown_token().cancelled().await;
    ///     format!("goodbye: {why}")
    /// });
    /// assert_eq!(farewell.unwrap(), "goodbye: ^C");
    ///
    /// let runtime = Builder::new().ends_on_ctrl_c(Duration::ZERO).build().unwrap();
    /// let interrupted = runtime.block_on(async {
    ///     type_ctrl_c();
    ///     std::future::pending::<()>().await
    /// });
    /// assert_eq!(interrupted.unwrap_err().kind(), std::io::ErrorKind::Interrupted);
    /// ```
    pub fn ends_on_ctrl_c(mut self, grace: Duration) -> Builder {
        self.ctrl_c_grace = Some(grace);
        self
    }

    /// Blocks the signals of `set` on the loop's thread while it sleeps in its selector: they come when it wakes up for another
    /// reason. A profiler's SIGPROF then wakes no loop that has nothing to do. In no other thread is anything blocked, and not
    /// what somebody listens to on this loop: that would never be heard. Costs two system calls for each sleep.
    ///
    /// ```
    /// use mainspring::{Builder, signal::Signal};
    /// let runtime = Builder::new().mask_while_waiting(Signal::PROF).build().unwrap();
    /// # drop(runtime);
    /// ```
    pub fn mask_while_waiting(mut self, set: impl Into<SignalSet>) -> Builder {
        self.wait_mask = set.into();
        self
    }

    /// The clock the loop lives by.
    #[cfg(feature = "sim")]
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// A selector made by hand, in place of a backend.
    #[cfg(feature = "sim")]
    pub fn selector(mut self, selector: Selector) -> Builder {
        self.selector = Some(selector);
        self
    }

    /// Opens the selector and makes the loop.
    ///
    /// # Errors
    /// That the selector could not be opened, with the kernel's errno.
    pub fn build(mut self) -> io::Result<Runtime> {
        let reactor = self.reactor();
        reactor.open()?;
        Ok(self.build_over(reactor))
    }

    /// Leaves the selector to be opened by whoever first waits for it.
    pub(super) fn build_unopened(mut self) -> Runtime {
        let reactor = self.reactor();
        self.build_over(reactor)
    }

    #[cfg(not(feature = "sim"))]
    fn reactor(&mut self) -> Reactor {
        Reactor::new(self.backend, self.event_capacity)
    }

    #[cfg(feature = "sim")]
    fn reactor(&mut self) -> Reactor {
        match self.selector.take() {
            Some(selector) => Reactor::over(selector, self.event_capacity),
            None => Reactor::new(self.backend, self.event_capacity),
        }
    }

    fn build_over(self, reactor: Reactor) -> Runtime {
        fork::watch();
        let settings = Settings {
            name: self.name,
            spin: self.spin,
            reports_unfinished: self.reports_unfinished,
            wait_mask: self.wait_mask,
            hooks: self.hooks,
            tick_hooks: self.tick_hooks,
        };
        let core = Owner::new();
        core.set_seed(self.seed);
        core.set_batch_max(self.batch_max);
        let pool = Pool::new(self.pool);
        let event_loop = EventLoop::new(core, reactor, pool, self.clock, settings);
        event_loop.resolver.set(self.resolver);
        event_loop.timing.slow_poll.set(self.slow_poll);
        if self.is_debug {
            event_loop.set_debug();
        }
        if self.is_timed || self.slow_poll.is_some() {
            event_loop.set_timing(true);
        }
        Runtime {
            event_loop: Rc::new(event_loop),
            selector_fd: OnceCell::new(),
            ctrl_c_grace: self.ctrl_c_grace,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("backend", &self.backend)
            .field("name", &self.name)
            .field("batch_max", &self.batch_max)
            .field("event_capacity", &self.event_capacity)
            .field("spin", &self.spin)
            .field("on_failure", &self.hooks.policy)
            .finish_non_exhaustive()
    }
}
