//! Who is measured: what a peer must be able to do, and the list of them.
//!
//! *Adding a peer.* One file in `peers/` that implements the traits it can, and one line in [`PEERS`].
//! The cells are written once, against the traits; every call is resolved at compile time, so the
//! traits cost nothing.

use std::fmt::Debug;
use std::future::Future;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cells::{self, Run, workers};

pub mod libuv;
mod limit;
#[cfg(feature = "mainspring")]
mod mainspring;
#[cfg(feature = "monoio")]
mod monoio;
mod rawepoll;
#[cfg(feature = "smol-systems")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

/// Runs futures on one thread.
pub trait Tasks: 'static {
    /// Runs `future` to its end on a new runtime.
    fn run<F: Future>(future: F) -> F::Output;

    /// Spawns on the runtime that is current; the future that is returned joins.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static;

    /// Lets the others have a turn.
    fn yield_now() -> impl Future<Output = ()>;
}

/// Arms timers.
pub trait Timers: Tasks {
    /// Waits.
    fn sleep(duration: Duration) -> impl Future;

    /// Gives `future` this much time.
    fn timeout<F: Future>(
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, impl Debug>>;
}

/// Serves TCP connections, in the words that come naturally to the peer.
pub trait Net: Tasks {
    type Listener;
    type Stream: 'static;

    /// Takes over a listener, which does not block already.
    fn listener(listener: TcpListener) -> Self::Listener;

    /// The next connection. `TCP_NODELAY` is inherited from the listener.
    fn accept(listener: &Self::Listener) -> impl Future<Output = Self::Stream>;

    /// Sends back what comes, through a buffer of this length, until the end of the stream.
    fn serve(stream: Self::Stream, buffer_len: usize) -> impl Future<Output = ()> + 'static;
}

/// Has datagrams.
pub trait Datagrams: Tasks {
    /// Sends `count` datagrams back, each on its own, over a connected socket that does not block.
    fn echo(socket: UdpSocket, count: u64) -> impl Future<Output = ()>;

    /// The same with fewer system calls, if the peer can.
    fn echo_in_batches(socket: UdpSocket, count: u64) -> impl Future<Output = ()> {
        Self::echo(socket, count)
    }
}

/// Reads a socket through a buffer.
pub trait Lines: Net {
    /// How many lines come until the end of the stream, each read into one string that is used again.
    fn count_lines(stream: Self::Stream) -> impl Future<Output = u64>;
}

/// The sending end of a channel of numbers.
pub trait Sender: 'static {
    /// Waits for room.
    fn send(&mut self, value: u64) -> impl Future<Output = ()>;
}

/// The receiving end.
pub trait Receiver: 'static {
    /// Waits for a number; there is always one to come.
    fn recv(&mut self) -> impl Future<Output = u64>;
}

/// Has channels, as its users would choose them for one thread, and for two.
pub trait Channels: Tasks {
    /// With room for `capacity`.
    fn bounded(capacity: usize) -> (impl Sender, impl Receiver);

    /// Without bound.
    fn unbounded() -> (impl Sender, impl Receiver);

    /// For one number.
    fn oneshot() -> (
        impl FnOnce(u64) + 'static,
        impl Future<Output = u64> + 'static,
    );

    /// From another thread.
    fn from_thread() -> (impl Fn(u64) + Send + 'static, impl Receiver);
}

/// Has threads for work that blocks.
pub trait Blocks: Tasks {
    /// Hands `work` to one of them, at once; the future that is returned joins.
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T>;
}

/// Reads files and folders.
pub trait Files: Tasks {
    /// A whole file.
    fn read(path: &Path) -> impl Future<Output = Vec<u8>>;

    /// How many bytes are in the files of a folder and below.
    fn walk(path: &Path) -> impl Future<Output = u64>;
}

/// Starts programs.
pub trait Children: Tasks {
    /// Starts a program without arguments, and waits for its end, which is a good one.
    fn run_program(program: &Path) -> impl Future<Output = ()>;
}

/// Talks to them.
pub trait Pipes: Children {
    /// Sends `count` blocks through `cat`, one task writing while another reads; how many bytes came back.
    fn through_cat(block: Vec<u8>, count: u64) -> impl Future<Output = u64>;
}

/// Awaits signals.
pub trait Signals: Tasks {
    type Listener: 'static;

    /// From now on, for [`SIGNAL`](cells::signals::SIGNAL).
    fn listen() -> Self::Listener;

    /// Waits for one.
    fn recv(listener: &mut Self::Listener) -> impl Future<Output = ()>;
}

/// A loop's part of the work.
pub type Part = Pin<Box<dyn Future<Output = ()>>>;

/// Runs several loops, each of which is a client, too.
pub trait Workers: Net + Timers {
    /// Runs `work` on as many loops as there are listeners, each on a processor of its own, and gives one to each.
    fn work(listeners: Vec<TcpListener>, work: impl Fn(TcpListener) -> Part + Send + Sync) {
        std::thread::scope(|scope| {
            for (index, listener) in listeners.into_iter().enumerate() {
                let work = &work;
                scope.spawn(move || {
                    workers::stay_on(index);
                    Self::run(async move { Self::spawn(work(listener)).await });
                });
            }
        });
    }

    /// Takes over a connection, which does not block already.
    fn stream(stream: TcpStream) -> Self::Stream;

    /// Sends a message and receives one of the same length.
    fn call(stream: &mut Self::Stream, message: &mut [u8]) -> impl Future<Output = ()>;
}

/// Has a lock that is waited for.
pub trait Locks: Tasks {
    type Lock: 'static;

    /// A lock around a number.
    fn lock() -> Self::Lock;

    /// Adds one to the number, and yields while it holds the lock.
    fn hold(lock: &Self::Lock) -> impl Future<Output = ()>;
}

/// Waits for a group of tasks together.
pub trait Groups: Tasks {
    /// Starts `count` children, each of which waits once, and waits for all.
    fn children(count: u64) -> impl Future<Output = ()>;
}

/// A join handle whose task returned.
pub struct Expect<J>(pub J);

impl<J, T, E> Future for Expect<J>
where
    J: Future<Output = Result<T, E>> + Unpin,
    E: Debug,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let joined = Pin::new(&mut self.0).poll(cx);
        joined.map(|result| result.expect("the task returns"))
    }
}

/// What a peer is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// mainspring; the first of them is the one that is compared.
    Ours,
    /// Somebody's runtime.
    Rival,
    /// What can hardly be beaten, because it does less than a runtime must.
    Floor,
}

/// One column.
pub struct Peer {
    pub name: &'static str,
    pub kind: Kind,
    /// The run of a cell, if the peer takes part in it.
    pub find: fn(&str) -> Option<Run>,
}

/// All of them, in the order of the table.
pub const PEERS: &[Peer] = &[
    #[cfg(feature = "mainspring")]
    Peer {
        name: "mainspring",
        kind: Kind::Ours,
        find: everything::<mainspring::Mainspring<false>>,
    },
    #[cfg(feature = "mainspring")]
    Peer {
        name: "mainspring-poll",
        kind: Kind::Ours,
        find: everything::<mainspring::Mainspring<true>>,
    },
    #[cfg(feature = "mainspring")]
    Peer {
        name: "mainspring-pool",
        kind: Kind::Ours,
        find: mainspring::of_the_pool,
    },
    #[cfg(feature = "tokio")]
    Peer {
        name: "tokio",
        kind: Kind::Rival,
        find: everything::<tokio::CurrentThread>,
    },
    #[cfg(feature = "tokio")]
    Peer {
        name: "tokio-local",
        kind: Kind::Rival,
        find: everything::<tokio::Local>,
    },
    #[cfg(feature = "smol-systems")]
    Peer {
        name: "smol",
        kind: Kind::Rival,
        find: everything::<smol::Smol>,
    },
    #[cfg(feature = "monoio")]
    Peer {
        name: "monoio",
        kind: Kind::Rival,
        find: all_but_groups::<monoio::Monoio>,
    },
    Peer {
        name: "libuv",
        kind: Kind::Rival,
        find: libuv::find,
    },
    Peer {
        name: "rawepoll",
        kind: Kind::Floor,
        find: rawepoll::find,
    },
    Peer {
        name: "limit",
        kind: Kind::Floor,
        find: limit::find,
    },
];

/// The cells of a peer that can do everything.
fn everything<P>(cell: &str) -> Option<Run>
where
    P: Timers + Lines + Datagrams + Channels + Blocks + Locks + Groups,
    P: Files + Pipes + Signals + Workers,
{
    all_but_groups::<P>(cell)
        .or_else(|| cells::of_lines::<P>(cell))
        .or_else(|| cells::of_datagrams::<P>(cell))
        .or_else(|| cells::of_locks::<P>(cell))
        .or_else(|| cells::of_groups::<P>(cell))
        .or_else(|| cells::of_files::<P>(cell))
        .or_else(|| cells::of_children::<P>(cell))
        .or_else(|| cells::of_pipes::<P>(cell))
        .or_else(|| cells::of_signals::<P>(cell))
        .or_else(|| cells::of_workers::<P>(cell))
}

/// The cells of a peer that has no locks and no groups.
fn all_but_groups<P: Timers + Net + Channels + Blocks>(cell: &str) -> Option<Run> {
    cells::of_tasks::<P>(cell)
        .or_else(|| cells::of_channels::<P>(cell))
        .or_else(|| cells::of_blocking::<P>(cell))
        .or_else(|| cells::of_arming::<P>(cell))
        .or_else(|| cells::of_firing::<P>(cell))
        .or_else(|| cells::of_wakes::<P>(cell))
        .or_else(|| cells::of_net::<P>(cell))
}
