//! `Runtime`: one event loop as a value; `run`: one event loop as a function.
//!
//! *Role.* The door. A thread runs one loop at a time; a second `run`, `tick` or a runtime's drop while
//! one is entered is a panic in one sentence that changes nothing.
//!
//! *End.* When its main future ends, [`run`] aborts the rest, and [`Runtime::block_on`] leaves them for
//! the next call. Dropping a [`Runtime`] refuses further spawns, drops the futures in spawn order with
//! the loop still current, closes the inbox, detaches timers and sources, and closes the selector last.
//! What is used afterwards answers `NotConnected: the loop is gone`.

mod after_fork;
mod builder;
mod hooks;
mod interrupt;
mod pooled;
mod shutdown;

pub use self::builder::Builder;
pub use self::shutdown::{ShutdownReport, shutdown_token};

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use mainspring_sys::Instant;
use mainspring_sys::fork::LocalFd;

use crate::context::{self, Entered};
use crate::event_loop::{EventLoop, TickStats};
use crate::handle::Handle;
use crate::inspect::{self, Metrics, Snapshot, Why};
use crate::pool::BlockingStatistics;
use crate::resolver::Resolver;
use crate::task::info::TaskInfo;
use crate::task::join::{self, JoinHandle, TaskId};
use crate::task::record::SpawnMeta;

/// Runs `future` to its end on a new event loop, then aborts what it left behind.
///
/// The future may borrow, and need not be `Send`; it is dropped before this returns or unwinds.
///
/// # Errors
/// That the selector could not be opened (EMFILE, ENFILE, ENOMEM) or that its wait failed, with the
/// kernel's errno. It is opened when something first waits for it, not before: a future that never
/// waits makes no system call. [`Builder::build`] opens it at once.
///
/// # Panics
/// When the future panics; when a loop runs on this thread already; and when the loop can provably
/// never go on, with the list of who waits for what.
///
/// ```
/// let answer = mainspring::run(async { 6 * 7 }).unwrap();
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F: Future>(future: F) -> io::Result<F::Output> {
    assert!(
        !context::is_entered(),
        "mainspring::run was called inside a running loop; a thread runs one loop at a time",
    );
    Builder::new().build_unopened().block_on(future)
}

/// One event loop with its tasks, for one thread.
///
/// It is `!Send`: it stays on the thread that made it. [`Runtime::handle`] gives other threads access.
///
/// # Panics
/// [`block_on`](Runtime::block_on), [`tick`](Runtime::tick), [`enter`](Runtime::enter) and dropping a
/// runtime panic while a loop is entered on this thread; nothing is changed by it, and a runtime that
/// was to be dropped is leaked.
///
/// ```
/// use mainspring::Runtime;
/// let runtime = Runtime::new().unwrap();
/// let handle = runtime.spawn(async { 1 });
/// let two = runtime.block_on(async { handle.await.unwrap() + 1 }).unwrap();
/// assert_eq!(two, 2);
/// ```
pub struct Runtime {
    event_loop: Rc<EventLoop>,
    /// A duplicate of the selector's descriptor, made when somebody asks.
    selector_fd: OnceCell<Option<LocalFd>>,
    /// Whether ^C ends what runs here, and how long those may take who are told.
    ctrl_c_grace: Option<Duration>,
}

impl Runtime {
    /// A runtime with the defaults of [`Builder::new`].
    ///
    /// # Errors
    /// As for [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// Runs `future` to its end. Other tasks run meanwhile, and stay for the next call.
    ///
    /// # Errors
    /// That the selector's wait failed; the future is dropped then. `Interrupted`, after a ^C
    /// ([`Builder::ends_on_ctrl_c`]); the future has been dropped, too.
    ///
    /// # Panics
    /// When the future panics, when a loop is entered on this thread, and when nothing can ever go on:
    /// nothing is ready, no timer is finite, nobody waits for a source, and no handle and no unknown
    /// waker exists. Any doubt means that it sleeps.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let event_loop = &self.event_loop;
        event_loop.reactor().check_process()?;
        let meta = SpawnMeta::at(Location::caller());
        let entered = context::enter(event_loop, "Runtime::block_on");
        let interrupt = self.watch_ctrl_c()?;
        let _main = event_loop.begin_main();
        let pass = |is_wanted: &dyn Fn() -> bool| interrupt.pass(is_wanted);
        let result = join::run_main(event_loop.core(), future, meta, pass);
        interrupt.wait_for_tasks()?;
        drop((interrupt, entered));
        result
    }

    /// Runs the loop until something calls [`task::stop`](crate::task::stop) or [`Handle::stop`]; tasks that
    /// are left stay for the next call. A stop that came before ends it after one tick.
    ///
    /// # Errors
    /// That the selector's wait failed. `Interrupted`, after a ^C ([`Builder::ends_on_ctrl_c`]).
    ///
    /// # Panics
    /// As [`Runtime::block_on`], for the failure that the run is to end with and for a loop that can never go on.
    ///
    /// ```
    /// use std::time::Duration;
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// drop(runtime.spawn(async {
    ///     mainspring::time::sleep(Duration::from_millis(1)).await;
    ///     mainspring::task::stop();
    /// }));
    /// runtime.run_forever().unwrap();
    /// ```
    #[track_caller]
    pub fn run_forever(&self) -> io::Result<()> {
        self.run_while("Runtime::run_forever", |_| true)
    }

    /// Runs the loop until no task is left that keeps it alive, or until it is stopped as in
    /// [`Runtime::run_forever`]. Callbacks are tasks; those of the background do not count
    /// ([`JoinHandle::set_background`]), and stay for the next call.
    ///
    /// # Errors
    /// As for [`Runtime::run_forever`].
    ///
    /// # Panics
    /// As [`Runtime::run_forever`].
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// let runtime = mainspring::Runtime::new().unwrap();
    /// let has_run = Rc::new(Cell::new(false));
    /// let flag = Rc::clone(&has_run);
    /// drop(runtime.spawn(async move {
    ///     drop(mainspring::call_later(Duration::from_millis(1), move || flag.set(true)));
    /// }));
    /// runtime.run_until_idle().unwrap();
    /// assert!(has_run.get());
    /// ```
    #[track_caller]
    #[doc(alias = "uv_run")]
    pub fn run_until_idle(&self) -> io::Result<()> {
        self.run_while("Runtime::run_until_idle", |event_loop| {
            event_loop.core().has_counted_tasks()
        })
    }

    /// Ticks as long as it is wanted and nobody stops it. Looks at the tasks once per turn: there may be many
    /// that do not count.
    #[track_caller]
    fn run_while(&self, what: &str, is_wanted: impl Fn(&EventLoop) -> bool) -> io::Result<()> {
        let event_loop = &*self.event_loop;
        event_loop.reactor().check_process()?;
        let _entered = context::enter(&self.event_loop, what);
        let interrupt = self.watch_ctrl_c()?;
        let is_interrupted = || interrupt.has_ended_run() && is_wanted(event_loop);
        let _main = event_loop.begin_main();
        let core = event_loop.core();
        while is_wanted(event_loop) {
            loop {
                if is_interrupted() {
                    return Err(interrupt::error());
                }
                let may_block =
                    || !core.is_stopping() && is_wanted(event_loop) && !is_interrupted();
                let stats = event_loop.pass(|_| may_block())?;
                if core.take_stop() {
                    return Ok(());
                }
                if stats.is_turn {
                    break;
                }
            }
        }
        Ok(())
    }

    /// One pass of the loop that makes a turn and does not block: remote wakes, the ready batch, due
    /// timers, and what the selector has to report.
    ///
    /// With [`Runtime::selector_fd`] and [`Runtime::next_deadline`] this embeds the loop in another:
    /// wait there until the descriptor is readable or the deadline comes, then tick. Whenever it returns
    /// the loop counts as asleep, so that a wake from another thread makes the descriptor readable.
    ///
    /// # Errors
    /// What the selector says of its wait.
    ///
    /// # Panics
    /// While a loop is entered on this thread; and with the failure that the run is to end with. It never panics
    /// for a deadlock.
    ///
    /// ```
    /// use mainspring::Runtime;
    /// let runtime = Runtime::new().unwrap();
    /// let handle = runtime.spawn(async { mainspring::yield_now().await });
    /// while !handle.is_finished() {
    ///     runtime.tick().unwrap();
    /// }
    /// ```
    #[track_caller]
    pub fn tick(&self) -> io::Result<TickStats> {
        self.tick_by(false)
    }

    /// As [`Runtime::tick`], but if there was no task to poll it sleeps until something happens: for
    /// ever, if nothing ever does. After a tick that polled, look whether to go on before the next.
    ///
    /// # Errors
    /// What the selector says of its wait.
    ///
    /// # Panics
    /// While a loop is entered on this thread.
    #[track_caller]
    pub fn tick_blocking(&self) -> io::Result<TickStats> {
        self.tick_by(true)
    }

    #[track_caller]
    fn tick_by(&self, may_block: bool) -> io::Result<TickStats> {
        self.event_loop.reactor().check_process()?;
        let _entered = context::enter(&self.event_loop, "Runtime::tick");
        self.event_loop.end_rest();
        let stats = self
            .event_loop
            .tick(|stats| may_block && stats.polls == 0)?;
        self.event_loop.rest()?;
        self.event_loop.after_tick(&stats);
        Ok(stats)
    }

    /// Spawns a task from outside, between ticks; it runs when the loop next does.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        join::spawn_on(
            self.event_loop.core(),
            future,
            SpawnMeta::at(Location::caller()),
        )
    }

    /// Makes this the thread's current loop until the guard is dropped, so that [`spawn`](crate::spawn)
    /// and leaf futures find it. Nothing is polled by it.
    ///
    /// # Panics
    /// While a loop is entered on this thread.
    #[must_use = "the loop is left when the guard is dropped"]
    #[track_caller]
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _entered: context::enter(&self.event_loop, "Runtime::enter"),
            _runtime: PhantomData,
        }
    }

    /// A handle for other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(&self.event_loop)
    }

    /// A descriptor that is readable while the loop has something to do that no task or timer here
    /// knows of: to be waited for by a foreign loop. `None` with poll(2), which has none, and where no
    /// further descriptor can be opened.
    #[must_use]
    pub fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        let duplicate = || self.event_loop.reactor().duplicate_fd();
        let duplicate = self.selector_fd.get_or_init(duplicate);
        duplicate.as_ref().map(AsFd::as_fd)
    }

    /// Until when the loop has nothing to do by itself: now, while anything is ready; `None`, if only
    /// an event or another thread can make it so.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.event_loop.next_deadline()
    }

    /// The unfinished tasks, in the order in which they were spawned. [`task::all`](crate::task::all) lists
    /// them from inside.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.event_loop.core().infos()
    }

    /// Reads the loop's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.event_loop.clock().now()
    }

    /// The selector in use: "epoll", "kqueue", "poll".
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        self.event_loop.reactor().backend_name()
    }

    /// Every unfinished task as it stands now; see [`inspect::snapshot`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.event_loop)
    }

    /// Why the task waits; see [`inspect::why`].
    #[must_use]
    pub fn why(&self, task: TaskId) -> Option<Why> {
        inspect::why_on(&self.event_loop, task)
    }

    /// What the loop has done so far; see [`inspect::metrics`].
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.event_loop.metrics()
    }

    /// Turns measuring on or off; see [`inspect::set_timing`].
    pub fn set_timing(&self, is_on: bool) {
        self.event_loop.set_timing(is_on);
    }

    /// The name the builder gave.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.event_loop.name()
    }

    /// Asks `resolver` for names from now on, as [`Builder::resolver`] does; `None` is the system. Look-ups
    /// that are under way are not touched.
    pub fn set_resolver(&self, resolver: Option<Rc<dyn Resolver>>) {
        self.event_loop.resolver.set(resolver);
    }

    /// How the pool of blocking threads stands.
    #[must_use]
    pub fn blocking_statistics(&self) -> BlockingStatistics {
        self.event_loop.pool().statistics()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("name", &self.name())
            .field("backend", &self.backend_name())
            .finish_non_exhaustive()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if context::is_entered() {
            // Leaked, so that the state of both loops stays whole.
            std::mem::forget(Rc::clone(&self.event_loop));
            assert!(
                std::thread::panicking(),
                "a Runtime was dropped inside a running loop; drop it after `block_on` returned",
            );
            return;
        }
        let entered = context::enter(&self.event_loop, "dropping a Runtime");
        self.event_loop.report_unfinished();
        self.event_loop.close();
        drop(entered);
    }
}

/// Leaves the loop when it is dropped. Made by [`Runtime::enter`].
pub struct EnterGuard<'a> {
    _entered: Entered,
    _runtime: PhantomData<&'a Runtime>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterGuard")
    }
}
