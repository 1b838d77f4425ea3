//! `ServerBuilder`: what a server is told before it serves; `Serve`, its future.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::serving::{Orders, serve};
use super::shared::{Alive, Shared};
use super::{Server, ServerFailure, ServerHandle};
use crate::cancel::CancelToken;
use crate::net::accept::Listener;
use crate::task::join;
use crate::task::record::SpawnMeta;

/// A server that does not serve yet. Made by [`Server::builder`].
///
/// `'env` is what its functions may borrow, if it is awaited where it stands ([`ServerBuilder::serve`]).
///
/// ```
/// use mainspring::net::{Server, TcpListener};
/// use std::time::Duration;
/// mainspring::run(async {
///     let listeners = TcpListener::bind_wildcards(0)?;
///     let server = Server::builder(listeners)
///         .connection_limit(1000)
///         .on_failure(|failure| eprintln!("{failure:?}"))
///         .start(async |(stream, _peer), _draining| stream.write_all(b"hello\n").await);
///     server.abort();
///     server.closed().await
/// })
/// .unwrap()
/// .unwrap();
/// ```
#[must_use = "a builder does nothing until it serves"]
pub struct ServerBuilder<'env, L> {
    orders: Orders<'env, L>,
    alive: Alive,
}

impl<'env, L: Listener> ServerBuilder<'env, L> {
    #[track_caller]
    pub(super) fn new(listeners: Vec<L>) -> ServerBuilder<'env, L> {
        ServerBuilder {
            orders: Orders {
                listeners,
                connection_limit: usize::MAX,
                on_failure: Box::new(drop),
                location: Location::caller(),
            },
            alive: Alive(Shared::new()),
        }
    }

    /// Accepts nobody while so many connections are there; peers wait in the kernel's queue. Without it
    /// there is no limit but that of descriptors.
    ///
    /// # Panics
    /// If the limit is 0.
    #[track_caller]
    pub fn connection_limit(mut self, limit: usize) -> Self {
        assert!(limit > 0, "a server with no room would never serve anybody");
        self.orders.connection_limit = limit;
        self
    }

    /// Calls this with each error of a connection, an accept or a listener; without it they are counted
    /// only. A panic of a connection goes to the loop's failure policy
    /// ([`Builder::on_failure`](crate::Builder::on_failure)), as every panic that nobody can fetch.
    pub fn on_failure(mut self, report: impl Fn(ServerFailure) + 'env) -> Self {
        self.orders.on_failure = Box::new(report);
        self
    }

    /// A handle of the server to be.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(Rc::clone(&self.alive.0))
    }

    /// Serves in a task of its own. `handler` gets each connection, and a token that is cancelled when the
    /// server drains; what it returns is the connection's end.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn start<F>(self, handler: F) -> Server
    where
        L: 'static,
        F: AsyncFn(L::Connection, CancelToken) -> io::Result<()> + 'static,
        'env: 'static,
    {
        let handle = self.handle();
        let meta = SpawnMeta::at(Location::caller());
        match join::spawn_current(self.serve(handler), meta) {
            Some(task) => Server {
                handle,
                _task: task,
            },
            None => panic!("a server must be started inside a running loop"),
        }
    }

    /// Serves where it is awaited, until a [handle](ServerBuilder::handle) says to stop and the last
    /// connection has ended. `handler` may borrow what outlives the future.
    ///
    /// # Cancel safety
    /// Not safe, because the connections are dropped with it.
    ///
    /// # Errors
    /// That of the last listener, if none was of use any more.
    ///
    /// ```
    /// use mainspring::net::{Server, TcpListener, TcpStream};
    /// use std::cell::Cell;
    /// mainspring::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let _client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let greeted = Cell::new(0);
    ///     let builder = Server::builder([listener]);
    ///     let handle = builder.handle();
    ///     builder
    ///         .serve(async |(stream, _peer), _draining| {
    ///             greeted.set(greeted.get() + 1);
    ///             handle.stop_accepting();
    ///             stream.write_all(b"hello").await
    ///         })
    ///         .await?;
    ///     assert_eq!(greeted.get(), 1);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap()
    /// .unwrap();
    /// ```
    pub fn serve<F>(self, handler: F) -> Serve<'env>
    where
        L: 'env,
        F: AsyncFn(L::Connection, CancelToken) -> io::Result<()> + 'env,
    {
        Serve {
            handle: self.handle(),
            future: Box::pin(serve(self.orders, self.alive, handler)),
        }
    }
}

impl<L> fmt::Debug for ServerBuilder<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("listeners", &self.orders.listeners.len())
            .field("connection_limit", &self.orders.connection_limit)
            .finish_non_exhaustive()
    }
}

/// A server that serves while it is polled. Made by [`ServerBuilder::serve`].
///
/// # Cancel safety
/// Not safe, because the connections are dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Serve<'env> {
    handle: ServerHandle,
    /// Boxed once per server: what it is made of has no name.
    future: Pin<Box<dyn Future<Output = io::Result<()>> + 'env>>,
}

impl Future for Serve<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Serve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Serve").field(&self.handle).finish()
    }
}
