//! `spawn_blocking`: work that blocks, as a task; and what such work sees of its own abort.
//!
//! *Role.* The user's face of [`crate::pool`].

use std::fmt;
use std::io;
use std::panic::Location;

use crate::context;
use crate::handle::{Closed, Handle, RemoteJoin};
use crate::pool;
use crate::task::join::JoinHandle;
use crate::task::record::SpawnMeta;

pub use crate::pool::{BlockingStatistics, Class, ClassStatistics};

const NO_LOOP: &str =
    "spawn_blocking must be called inside a running loop; see `Handle::spawn_blocking`";

/// Runs `work`, which may block, on a thread of the loop's pool, and gives a handle like any task's.
///
/// The job is queued at once. A thread is started only if none is idle and fewer than
/// [`Builder::blocking_threads_max`](crate::Builder::blocking_threads_max) live; else the job waits for one.
/// There is no thread before the first job, and idle ones end after a while.
///
/// * **Abort** ([`JoinHandle::abort`]) takes effect in the loop's next turn. A job that has not begun never
///   runs, and its closure is dropped there, on the loop's thread. A job that runs cannot be stopped: it
///   sees the abort if it asks [`is_aborted`], nobody waits for it, and its result is dropped on whichever
///   thread finds that nobody wants it. The handle says *aborted* either way.
/// * **Dropping the handle** detaches: the job runs on, as a task would.
/// * **A panic** comes out of the handle, and the error names the line of this call.
/// * **At the end of the loop** jobs that wait are dropped, and those that run are waited for as long as
///   [`Builder::blocking_shutdown_timeout`](crate::Builder::blocking_shutdown_timeout) says; then their
///   threads are left to themselves. In a loop that is being dropped the closure is dropped at once.
/// * **If the system has no thread** for us, the job waits for one of those that live; without any, the
///   handle gives an error that says so.
///
/// # Panics
/// Where no loop runs: also on the pool's own threads, where
/// [`Handle::spawn_blocking`] works.
///
/// ```
/// mainspring::run(async {
///     let text = mainspring::spawn_blocking(|| std::fs::read_to_string("Cargo.toml"));
///     assert!(text.await.unwrap().unwrap().contains("[package]"));
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_on_current(work, Class::default(), SpawnMeta::at(Location::caller()))
}

/// For what else blocks on the pool on a user's behalf; `None` where no loop runs.
pub(crate) fn spawn_at<F, T>(work: F, location: &'static Location<'static>) -> Option<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_in_class_at(work, Class::default(), location)
}

/// As [`spawn_at`], for work of a class.
pub(crate) fn spawn_in_class_at<F, T>(
    work: F,
    class: Class,
    location: &'static Location<'static>,
) -> Option<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let meta = SpawnMeta::at(location);
    context::current()?.pool().spawn(work, class, meta)
}

#[track_caller]
fn spawn_on_current<F, T>(work: F, class: Class, meta: SpawnMeta) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let event_loop = context::current();
    match event_loop.and_then(|event_loop| event_loop.pool().spawn(work, class, meta)) {
        Some(handle) => handle,
        None => panic!("{NO_LOOP}"),
    }
}

/// A blocking job with a class, or a name.
///
/// ```
/// use mainspring::task::blocking::{Class, JobBuilder};
/// mainspring::run(async {
///     let job = JobBuilder::new().class(Class::Files).name("size");
///     let size = job.spawn(|| std::fs::metadata("Cargo.toml").map(|data| data.len()));
///     assert_eq!(size.name().as_deref(), Some("size"));
///     assert!(size.await.unwrap().unwrap() > 0);
/// })
/// .unwrap();
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder makes nothing until `spawn`"]
pub struct JobBuilder {
    class: Class,
    name: Option<Box<str>>,
}

impl JobBuilder {
    /// A job of class [`Class::User`], without a name.
    pub fn new() -> JobBuilder {
        JobBuilder::default()
    }

    /// What it is about: its class has a limit of its own.
    pub fn class(mut self, class: Class) -> JobBuilder {
        self.class = class;
        self
    }

    /// The name of the task that awaits it, for handles and reports (kept with feature `inspect` only). A
    /// job that is sent has no task.
    pub fn name(mut self, name: impl Into<String>) -> JobBuilder {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Queues the job, as [`spawn_blocking`] does.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn spawn<F, T>(self, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let meta = SpawnMeta::named(self.name, Location::caller());
        spawn_on_current(work, self.class, meta)
    }

    /// Queues the job on `handle`'s loop, as [`Handle::spawn_blocking`] does.
    ///
    /// # Errors
    /// [`Closed`] with the closure, if the loop is gone.
    #[track_caller]
    pub fn send<F, T>(self, handle: &Handle, work: F) -> Result<RemoteJoin<T>, Closed<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        handle.send_job(work, self.class, Location::caller())
    }
}

/// Whether the job that calls it was aborted, or its loop has ended: then nobody waits for its result, and
/// it does well to stop. `false` on threads that are none of a pool's.
///
/// ```
/// use mainspring::task::blocking::is_aborted;
/// use std::sync::mpsc;
/// mainspring::run(async {
///     let (sender, receiver) = mpsc::channel();
///     let job = mainspring::spawn_blocking(move || {
///         sender.send("begun").unwrap();
///         while !is_aborted() {
///             std::thread::yield_now();
///         }
///         sender.send("stopped").unwrap();
///     });
///     assert_eq!(receiver.recv().unwrap(), "begun");
///     job.abort();
///     assert!(job.await.unwrap_err().is_aborted());
///     assert_eq!(receiver.recv().unwrap(), "stopped");
/// })
/// .unwrap();
/// ```
#[must_use]
pub fn is_aborted() -> bool {
    pool::is_aborted()
}

/// As [`is_aborted`], for `?`.
///
/// # Errors
/// [`Aborted`], which becomes an `io::Error` of kind `Other`.
///
/// ```
/// use mainspring::task::blocking::check_aborted;
/// fn step() -> std::io::Result<u32> {
///     check_aborted()?;
///     Ok(1)
/// }
/// assert_eq!(step().unwrap(), 1);
/// ```
pub fn check_aborted() -> Result<(), Aborted> {
    if is_aborted() { Err(Aborted) } else { Ok(()) }
}

/// The job was aborted, or its loop has ended. Says [`check_aborted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job was aborted")
    }
}

impl std::error::Error for Aborted {}

impl From<Aborted> for io::Error {
    fn from(aborted: Aborted) -> io::Error {
        io::Error::other(aborted)
    }
}

/// How the pool of the loop that runs on this thread stands.
///
/// # Errors
/// `NotConnected` where no loop runs.
///
/// ```
/// use mainspring::task::blocking::statistics;
/// mainspring::run(async {
///     assert_eq!(statistics().unwrap().threads, 0);
///     mainspring::spawn_blocking(|| ()).await.unwrap();
///     assert_eq!(statistics().unwrap().started, 1);
/// })
/// .unwrap();
/// ```
pub fn statistics() -> io::Result<BlockingStatistics> {
    let event_loop = context::current().ok_or_else(crate::reactor::no_loop)?;
    Ok(event_loop.pool().statistics())
}
