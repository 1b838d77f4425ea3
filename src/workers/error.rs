//! What went wrong among workers, and with which of them.

use std::error::Error;
use std::fmt;
use std::io;

use crate::task::join::JoinError;

/// Why a worker did not return.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerFailure<E> {
    /// Its function returned this error.
    Error(E),
    /// Its function panicked.
    Panicked(JoinError),
    /// Its thread or its loop could not be made: EAGAIN, ENOMEM, EMFILE. No worker ran.
    Start(io::Error),
    /// Its selector could not be asked any more.
    Loop(io::Error),
    /// Its future was dropped: another worker failed, or the time was up that
    /// [`Worker::stop_all`](super::Worker::stop_all) gave it.
    Cut,
}

/// Workers that failed, and what the others returned. It shows the first failure, which is the cause.
pub struct WorkersError<T, E> {
    /// With the workers' indices, in the order in which they failed; never empty.
    pub failures: Vec<(usize, WorkerFailure<E>)>,
    /// By index: what those returned that did not fail.
    pub outputs: Vec<Option<T>>,
}

impl<T, E> WorkersError<T, E> {
    /// The first failure, with the worker's index.
    pub(super) fn first(&self) -> Option<&(usize, WorkerFailure<E>)> {
        self.failures.first()
    }
}

impl<E: fmt::Display> fmt::Display for WorkerFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerFailure::Error(error) => write!(f, "failed: {error}"),
            WorkerFailure::Panicked(error) => write!(f, "failed: {error}"),
            WorkerFailure::Start(error) => write!(f, "could not be started: {error}"),
            WorkerFailure::Loop(error) => write!(f, "could not ask its selector: {error}"),
            WorkerFailure::Cut => f.write_str("was cut"),
        }
    }
}

impl<T, E: fmt::Display> fmt::Display for WorkersError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((index, failure)) = self.first() else {
            return f.write_str("no worker failed");
        };
        write!(f, "worker {index} {failure}")?;
        match self.failures.len() {
            1 => Ok(()),
            count => write!(f, " ({} more did not return)", count - 1),
        }
    }
}

impl<T, E: fmt::Debug> fmt::Debug for WorkersError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersError")
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl<T, E: Error + 'static> Error for WorkersError<T, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.first()?.1 {
            WorkerFailure::Error(error) => Some(error),
            WorkerFailure::Panicked(error) => Some(error),
            WorkerFailure::Start(error) | WorkerFailure::Loop(error) => Some(error),
            WorkerFailure::Cut => None,
        }
    }
}
