//! `Asking`: a look-up under way, whoever answers it.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::context;
use crate::pool::Class;
use crate::reactor;
use crate::resolver::Resolving;
use crate::task::join::AbortOnDrop;
use crate::task::record::SpawnMeta;

/// Dropping it gives up the look-up.
pub(super) enum Asking<T> {
    /// A resolver of the user's.
    Resolver(Resolving<T>),
    /// The system's, by a job of the pool. One that waits for a thread is aborted before it starts; of one that
    /// runs the answer is dropped on its thread.
    System(AbortOnDrop<io::Result<T>>),
}

impl<T: Send + 'static> Asking<T> {
    /// Has `work`, which blocks, done by the pool of the loop that is entered.
    pub(super) fn system(
        location: &'static Location<'static>,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<Asking<T>> {
        let event_loop = context::current().ok_or_else(reactor::no_loop)?;
        let meta = SpawnMeta::at(location);
        let job = event_loop.pool().spawn(work, Class::Names, meta);
        let job = job.ok_or_else(reactor::no_loop)?;
        Ok(Asking::System(job.abort_on_drop()))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self {
            Asking::Resolver(future) => future.as_mut().poll(cx),
            Asking::System(job) => Poll::Ready(ready!(Pin::new(job).poll(cx))?),
        }
    }
}
