//! `Server`: accepts connections, runs a task for each, and ends as it is told.
//!
//! *Role.* What every server writes by hand, and gets wrong at the end: who waits for whom, and for how
//! long. Three verbs say it.
//!
//! | | listeners | connections | ends |
//! |---|---|---|---|
//! | `stop_accepting` | close | go on, and know nothing of it | with the last connection |
//! | `drain` | close | are told by their token, and go on | with the last connection, or at the deadline |
//! | `abort` | close | are dropped | at once |
//!
//! *Model.* The server is one future, with a scope in it. The scope's body accepts; each connection is a
//! child. So a connection is a task that can be named and seen, may borrow what outlives the server, and
//! never outlives it.
//!
//! ```text
//!   Serve ──► scope ──► body: listeners, in turn ── accept ──► child: your function
//!     ▲         │                 ▲     │ full?                  │ ends, fails, panics
//!     │         │ deadline, abort │     └── waits for ◄──────────┘
//!     │         └── drops the children  news
//!   Server, ServerHandle: the verbs, and the counts
//! ```
//!
//! *Fairness.* Each listener is asked for one connection, then the next listener, and so on, up to 32 in
//! one poll; then others have their turn (hz_d16). While the server is full nobody is accepted, and the
//! peers wait in the kernel's queues.
//!
//! *Why a deadline for each drain.* A connection that waits for a request that never comes would keep the
//! server for ever; other runtimes' users have waited that long. A connection that looks at its token
//! between requests ends at once.
//!
//! *Cost.* Per connection a task, and what an accept costs. A poll of the body asks each listener.

mod builder;
mod serving;
mod shared;
mod wait;

use std::fmt;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use super::accept::Listener;
use crate::cancel::CancelToken;
use crate::task::join::JoinHandle;
use shared::Shared;

pub use builder::{Serve, ServerBuilder};
pub use wait::{Drain, DrainEnd, ServerClosed};

/// What went wrong in a server, which goes on all the same.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerFailure {
    /// A connection ended with this error, which its function returned.
    Connection(io::Error),
    /// An accept failed; the listener is asked again.
    Accept(io::Error),
    /// A listener is of no use any more, and was closed. When it was the last, the server ends with this
    /// error after its connections.
    Listener(io::Error),
}

/// A server that runs as a task of its own. Dropping it stops accepting: the connections that are there go
/// on to their ends.
///
/// ```
/// use mainspring::net::{DrainEnd, Server, TcpListener, TcpStream};
/// use std::time::Duration;
/// mainspring::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let addr = listener.local_addr()?;
///     let server = Server::start(listener, async |(stream, _peer), draining| {
///         let mut buf = [0; 64];
///         // Until the peer ends, or the server wants to, in between two reads.
///         while let Ok(read) = draining.run_until_cancelled(stream.read(&mut buf)).await {
///             match read? {
///                 0 => break,
///                 count => stream.write_all(&buf[..count]).await?,
///             }
///         }
///         Ok(())
///     });
///     let client = TcpStream::connect(addr).await?;
///     client.write_all(b"tick").await?;
///     let mut buf = [0; 8];
///     assert_eq!(client.read(&mut buf).await?, 4);
///     assert_eq!(server.connection_count(), 1);
///     assert_eq!(server.drain(Duration::from_secs(5)).await, DrainEnd::Complete);
///     assert_eq!(client.read(&mut buf).await?, 0);
///     std::io::Result::Ok(())
/// })
/// .unwrap()
/// .unwrap();
/// ```
pub struct Server {
    handle: ServerHandle,
    /// The task goes on when the handle is dropped.
    _task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Serves one listener with `handler`, in a task of its own: the builder's
    /// [`start`](ServerBuilder::start), without anything said before.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn start<L, F>(listener: L, handler: F) -> Server
    where
        L: Listener + 'static,
        F: AsyncFn(L::Connection, CancelToken) -> io::Result<()> + 'static,
    {
        Server::builder([listener]).start(handler)
    }

    /// A server of several listeners of one kind, to be told more.
    #[track_caller]
    pub fn builder<'env, L: Listener>(
        listeners: impl IntoIterator<Item = L>,
    ) -> ServerBuilder<'env, L> {
        ServerBuilder::new(listeners.into_iter().collect())
    }

    /// A handle that does not stop the server when it is dropped.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }
}

impl Deref for Server {
    type Target = ServerHandle;

    fn deref(&self) -> &ServerHandle {
        &self.handle
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop_accepting();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.handle).finish()
    }
}

/// A server as it is told to end, and asked how it fares. A clone is of the same server; dropping it changes
/// nothing.
#[derive(Clone)]
pub struct ServerHandle(Rc<Shared>);

impl ServerHandle {
    /// Accepts nobody any more. The listeners close in the server's next poll, and the kernel refuses
    /// further peers, those too that stand in its queues. The connections go on; the server ends with the
    /// last.
    pub fn stop_accepting(&self) {
        self.0.stop();
    }

    /// Stops accepting, tells the connections by their tokens, and drops those that are left after `limit`.
    /// All that begins with the call; the future waits for the end of it. A second drain moves the deadline:
    /// zero is now.
    ///
    /// # Cancel safety
    /// Safe: the drain goes on, with its deadline.
    #[track_caller]
    pub fn drain(&self, limit: Duration) -> Drain {
        self.0.drain(limit);
        Drain::new(Rc::clone(&self.0))
    }

    /// Stops accepting, and drops all connections in the server's next poll; never inside this call.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Waits until the server has ended: it accepts no more, and no connection is left. This ends nothing by
    /// itself.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// That of the last listener, if the server ended because none was of use any more.
    #[track_caller]
    pub fn closed(&self) -> ServerClosed {
        ServerClosed::new(Rc::clone(&self.0))
    }

    /// Whether it accepts connections, or would if it were not full.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.0.is_accepting()
    }

    /// How many connections are there.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.0.counts.connections.get()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.0.counts.accepted.get()
    }

    /// How many connections were closed at once, for want of descriptors.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.0.counts.refused.get()
    }

    /// How many connections ended with an error, or with a panic.
    #[must_use]
    pub fn failed_count(&self) -> u64 {
        self.0.counts.failed.get()
    }

    /// How many connections were dropped before their end.
    #[must_use]
    pub fn cut_count(&self) -> u64 {
        self.0.counts.cut.get()
    }

    /// The token that each connection gets, which a drain cancels.
    #[must_use]
    pub fn draining(&self) -> CancelToken {
        self.0.draining.clone()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("is_accepting", &self.is_accepting())
            .field("connection_count", &self.connection_count())
            .field("accepted_count", &self.accepted_count())
            .finish_non_exhaustive()
    }
}
