//! What a pool is told when it is made: how many threads, how long they idle, what they are called.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainspring_sys::signal::SignalSet;

use super::class::{CLASS_COUNT, Class};

/// Most threads, unless the builder says otherwise. A fixed few: a thread per waiting job costs forty
/// times as much as four threads do once a thousand wait.
const THREADS_MAX: usize = 8;
/// A thread without work ends after so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The drop of a runtime waits so long for the jobs that run; then it leaves them.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Called on a thread of the pool, at its start or its end.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) threads_max: usize,
    /// Where the builder said nothing: [`Class::default_max`].
    pub(crate) class_max: [Option<usize>; CLASS_COUNT],
    /// By the system's clock, also where the loop's is manual.
    pub(crate) idle_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// Threads are called this, a dash and a number.
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
    /// Blocked on each thread.
    pub(crate) mask: SignalSet,
    /// On which each thread may run; none: where the one that starts it may.
    pub(crate) processors: Vec<usize>,
    /// What is known of a file without a wait need not come to the pool.
    pub(crate) allows_inline_files: bool,
    pub(crate) on_thread_start: Option<Hook>,
    pub(crate) on_thread_stop: Option<Hook>,
}

impl Options {
    /// How many jobs of `class` may run at once.
    pub(super) fn class_max(&self, class: Class) -> usize {
        let told = self.class_max[class.index()];
        told.unwrap_or_else(|| class.default_max(self.threads_max))
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads_max: THREADS_MAX,
            class_max: [None; CLASS_COUNT],
            idle_timeout: IDLE_TIMEOUT,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            thread_name: String::from("mainspring"),
            stack_size: None,
            mask: SignalSet::new(),
            processors: Vec::new(),
            allows_inline_files: true,
            on_thread_start: None,
            on_thread_stop: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("threads_max", &self.threads_max)
            .field("class_max", &self.class_max)
            .field("idle_timeout", &self.idle_timeout)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("thread_name", &self.thread_name)
            .field("stack_size", &self.stack_size)
            .field("allows_inline_files", &self.allows_inline_files)
            .finish_non_exhaustive()
    }
}
