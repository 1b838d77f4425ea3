//! Workers: one loop per processor, each on a thread of its own; started together, ended together.
//!
//! *Role.* A loop is for one thread. What one processor cannot carry is spread over several loops that share nothing but
//! what they send each other: connections, by the kernel or by hand; items, by [`HandOver`]; work, by a `Handle`.
//!
//! *Model.*
//!
//! ```text
//!   your thread                       worker 0 .. n-1, a thread each, pinned to a processor
//!   Workers::run ── start all ──────► Runtime ── ready ──┐
//!        │  ◄── ready, or an error ─────────────────────┘
//!        ├── go: who the others are ─► block_on(your function) ◄── HandOver ──► the others
//!        │                                 │ error, panic: the others are told, and cut
//!        └── joins all ◄───────────────────┘
//!   outputs by index, or all that failed, the cause first
//! ```
//!
//! Nobody's function is called before all threads and loops are there: a thread or a selector that is not to be had is
//! one error, and nothing ran.
//!
//! *The end.* Each worker ends by itself; the end of one with `Ok` says nothing to the others. One that fails (an error,
//! a panic, a selector that cannot be asked) stops all: their token is cancelled, and their futures are dropped, which
//! is how everything is cancelled here. [`Worker::stop_all`] asks for an end in order: tokens first, the drop after a
//! time. All threads have ended when [`Workers::run`] returns.
//!
//! *Cost.* Per worker a thread, a loop and two channels. Nothing that one worker does by itself touches another.
//!
//! *Why no work-stealing.* A task here need not be `Send`, so it can't move. What can is what has not begun: hand it over.

mod error;
mod hand_over;
mod listen;
mod run;
mod worker;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::runtime::Builder;
use crate::task::thread_waker::refuse_in_loop;

pub use error::{WorkerFailure, WorkersError};
pub use hand_over::HandOver;
use listen::SharedListener;
pub use worker::Worker;

/// Runs `work` on `count` loops, each on a thread of its own that is pinned to a processor, and blocks until all have
/// ended. What they returned comes in the order of their indices. [`Workers`] can be told more.
///
/// # Errors
/// All that failed, the cause first; see [`Workers::run`].
///
/// # Panics
/// If `count` is 0; and on a thread on which a loop runs, which must not block.
///
/// ```
/// let squares = mainspring::workers(3, |worker| async move {
///     mainspring::time::sleep(std::time::Duration::from_millis(1)).await;
///     std::io::Result::Ok(worker.index() * worker.index())
/// });
/// assert_eq!(squares.unwrap(), [0, 1, 4]);
/// ```
#[track_caller]
pub fn workers<F, R, T, E>(count: usize, work: F) -> Result<Vec<T>, WorkersError<T, E>>
where
    F: Fn(Worker) -> R + Sync,
    R: Future<Output = Result<T, E>>,
    T: Send,
    E: Send,
{
    Workers::new(count).run(work)
}

/// Called on a worker's thread, with its index, before its loop is made.
type BuilderHook = Box<dyn Fn(usize, Builder) -> Builder + Send + Sync>;

/// Sets up several loops that are started and ended together.
///
/// ```
/// use mainspring::workers::Workers;
/// let mut workers = Workers::new(2);
/// let addr = workers.listen("127.0.0.1:0".parse().unwrap())?;
/// let accepted = workers.run(move |worker| async move {
///     let listener = worker.take_listeners().remove(0);
///     if worker.index() == 0 {
///         // One connection, which some worker gets; that one ends all.
///         std::thread::spawn(move || std::net::TcpStream::connect(addr));
///     }
///     let stopping = worker.stopping();
///     let accepted = stopping.run_until_cancelled(listener.accept()).await;
///     worker.stop_all(std::time::Duration::from_secs(1));
///     std::io::Result::Ok(usize::from(accepted.is_ok()))
/// });
/// assert_eq!(accepted.unwrap().iter().sum::<usize>(), 1);
/// # std::io::Result::Ok(())
/// ```
#[must_use = "no worker starts before `run`"]
pub struct Workers {
    count: usize,
    is_pinned: bool,
    name: String,
    stack_size: Option<usize>,
    builder: Option<BuilderHook>,
    listeners: Vec<SharedListener>,
}

impl Workers {
    /// So many workers, pinned, with loops as [`Builder::new`] makes them.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn new(count: usize) -> Workers {
        assert!(count > 0, "without a worker nobody would do anything");
        Workers {
            count,
            is_pinned: true,
            name: String::from("worker"),
            stack_size: None,
            builder: None,
            listeners: Vec::new(),
        }
    }

    /// As many as there are processors for this program, by its mask and its share (cgroups) of them; at least one.
    pub fn per_processor() -> Workers {
        let count = std::thread::available_parallelism();
        Workers::new(count.map_or(1, std::num::NonZero::get))
    }

    /// How many there will be.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether each thread is held on one processor, so that its caches stay warm; so it is, unless told otherwise.
    /// Worker *i* gets the *i*-th of those that the program may use, beginning again where there are more workers.
    ///
    /// Linux, Android and FreeBSD can; elsewhere, or where it is forbidden, threads run where the system likes
    /// ([`Worker::processor`] says). A child that a worker starts inherits its processor; a thread of its loop's pool
    /// does not.
    pub fn pinned(mut self, is_pinned: bool) -> Workers {
        self.is_pinned = is_pinned;
        self
    }

    /// What the threads are called, followed by a dash and the index; "worker", unless told otherwise.
    ///
    /// # Panics
    /// If there is a zero byte in it.
    #[track_caller]
    pub fn thread_name(mut self, name: impl Into<String>) -> Workers {
        self.name = name.into();
        assert!(
            !self.name.contains('\0'),
            "a thread's name has no zero bytes"
        );
        self
    }

    /// How much stack each thread has, in bytes; std's default, unless told otherwise.
    pub fn stack_size(mut self, stack_size: usize) -> Workers {
        self.stack_size = Some(stack_size);
        self
    }

    /// Called on each worker's thread, with its index and the builder of its loop, to be told more.
    pub fn builder(
        mut self,
        hook: impl Fn(usize, Builder) -> Builder + Send + Sync + 'static,
    ) -> Workers {
        self.builder = Some(Box::new(hook));
        self
    }

    /// Binds `addr` for all workers, here and now; each gets a listener of it ([`Worker::take_listeners`]). Says what was
    /// bound: with port 0 the system chooses.
    ///
    /// On Linux, FreeBSD and DragonFly each has a socket of its own under one port (SO_REUSEPORT, SO_REUSEPORT_LB), and
    /// the kernel spreads connections over them, by their addresses: what waits at a socket that closes is
    /// lost. Elsewhere all accept from one socket, and who comes first gets the connection. Where that is not even enough,
    /// let one accept and [hand over](Workers::run_with_hand_over).
    ///
    /// # Errors
    /// What the kernel says: EADDRINUSE, EACCES, …; then nobody listens.
    pub fn listen(&mut self, addr: SocketAddr) -> io::Result<SocketAddr> {
        let listener = SharedListener::bind(addr, self.count)?;
        let addr = listener.addr;
        self.listeners.push(listener);
        Ok(addr)
    }

    /// Starts all workers and blocks until all have ended. `work` is called once on each thread, within its loop; it may
    /// borrow, and what it makes need not be `Send`. Tasks that a worker leaves are aborted, as by
    /// [`run`](crate::run).
    ///
    /// # Errors
    /// All that failed, the cause first, with what the others returned: an error of `work`, a panic, a loop whose selector
    /// can't be asked; a worker that was cut because another failed, or because its time was up
    /// ([`Worker::stop_all`]); and that a thread or a loop can't be made, and then nothing ran.
    ///
    /// # Panics
    /// On a thread on which a loop runs, which must not block.
    #[track_caller]
    pub fn run<F, R, T, E>(self, work: F) -> Result<Vec<T>, WorkersError<T, E>>
    where
        F: Fn(Worker) -> R + Sync,
        R: Future<Output = Result<T, E>>,
        T: Send,
        E: Send,
    {
        self.run_with_hand_over(1, |worker, _: HandOver<Infallible>| work(worker))
    }

    /// As [`Workers::run`], and each can hand items over to each other one: a connection that was accepted here and is
    /// to be served there, say. So many wait at a worker at most; whoever hands over one more waits.
    ///
    /// # Errors
    /// As for [`Workers::run`].
    ///
    /// # Panics
    /// As for [`Workers::run`]; and if `capacity` is 0.
    ///
    /// ```
    /// use mainspring::workers::Workers;
    /// let sums = Workers::new(2).run_with_hand_over(8, |worker, mut items| async move {
    ///     let mut sum = 0;
    ///     if worker.index() == 0 {
    ///         for item in 1..=10 {
    ///             items.send_to(1, item).await.unwrap();
    ///         }
    ///     } else {
    ///         // Until all the others have ended.
    ///         while let Some(item) = items.recv().await {
    ///             sum += item;
    ///         }
    ///     }
    ///     std::io::Result::Ok(sum)
    /// });
    /// assert_eq!(sums.unwrap(), [0, 55]);
    /// ```
    #[track_caller]
    pub fn run_with_hand_over<M, F, R, T, E>(
        self,
        capacity: usize,
        work: F,
    ) -> Result<Vec<T>, WorkersError<T, E>>
    where
        M: Send,
        F: Fn(Worker, HandOver<M>) -> R + Sync,
        R: Future<Output = Result<T, E>>,
        T: Send,
        E: Send,
    {
        refuse_in_loop("workers");
        assert!(capacity > 0, "nothing could ever be handed over");
        run::run(self, capacity, &work)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("count", &self.count)
            .field("is_pinned", &self.is_pinned)
            .field("name", &self.name)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
