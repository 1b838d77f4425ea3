//! What a pool says of itself: threads and jobs, counted.

use super::class::{CLASS_COUNT, Class};

/// How a pool of blocking threads stands, at one moment.
///
/// `threads == started - retired` always, and `threads` is never above the builder's limit. A job that has
/// ended counts as running until its thread, a moment after it gave the result out, comes for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingStatistics {
    /// Threads that live, or are being started.
    pub threads: usize,
    /// Threads that wait for work.
    pub idle: usize,
    /// Threads that were ever started.
    pub started: u64,
    /// Threads that ended, for want of work or at the end of the loop.
    pub retired: u64,
    /// How often the system had no thread for us.
    pub start_failures: u64,
    /// Jobs that wait for a thread, of all classes.
    pub queued: usize,
    /// Jobs that run, of all classes.
    pub running: usize,
    /// Jobs that ran to their end, or panicked, of all classes.
    pub finished: u64,
    /// Jobs that were aborted before they ran, of all classes.
    pub aborted: u64,
    pub(super) classes: [ClassStatistics; CLASS_COUNT],
}

/// How the jobs of one class stand. Part of [`BlockingStatistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStatistics {
    /// How many of them may run at once.
    pub limit: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that ran to their end, or panicked.
    pub finished: u64,
    /// Jobs that were aborted before they ran.
    pub aborted: u64,
}

impl BlockingStatistics {
    /// The jobs of one class.
    #[must_use]
    pub fn class(&self, class: Class) -> ClassStatistics {
        self.classes[class.index()]
    }
}
