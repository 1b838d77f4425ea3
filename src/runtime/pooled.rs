//! What a builder says of the pool: how many threads, how long they idle, what they are called, and what need not go there.

use std::sync::Arc;
use std::time::Duration;

use mainspring_sys::signal::SignalSet;

use super::Builder;
use crate::pool::Class;

impl Builder {
    /// Most threads of the pool for work that blocks; 8, unless told otherwise. None is started before the
    /// first job, and none while one is idle.
    ///
    /// # Panics
    /// If `threads_max` is 0.
    #[track_caller]
    pub fn blocking_threads_max(mut self, threads_max: usize) -> Builder {
        assert!(threads_max > 0, "jobs would wait for ever for no threads");
        self.pool.threads_max = threads_max;
        self
    }

    /// Most jobs of `class` that run at once: for [`Class::Names`] half of the threads, for the others all
    /// of them, unless told otherwise.
    ///
    /// # Panics
    /// If `jobs_max` is 0.
    #[track_caller]
    pub fn blocking_class_max(mut self, class: Class, jobs_max: usize) -> Builder {
        assert!(jobs_max > 0, "jobs would wait for ever for their turn");
        self.pool.class_max[class.index()] = Some(jobs_max);
        self
    }

    /// How long a thread of the pool waits for work before it ends; 10 seconds, unless told otherwise. By
    /// the system's clock, also where the loop's is manual.
    pub fn blocking_idle_timeout(mut self, timeout: Duration) -> Builder {
        self.pool.idle_timeout = timeout;
        self
    }

    /// How long the drop of the runtime waits for jobs that still run, before it leaves their threads to
    /// themselves; 1 second, unless told otherwise. [`Runtime::shutdown`](crate::Runtime::shutdown) has its own limit.
    pub fn blocking_shutdown_timeout(mut self, timeout: Duration) -> Builder {
        self.pool.shutdown_timeout = timeout;
        self
    }

    /// What the threads of the pool are called, followed by a dash and a number; "mainspring", unless told
    /// otherwise. Systems cut names, Linux to 15 bytes.
    ///
    /// # Panics
    /// If there is a zero byte in it.
    #[track_caller]
    pub fn blocking_thread_name(mut self, name: impl Into<String>) -> Builder {
        let name = name.into();
        assert!(!name.contains('\0'), "a thread's name has no zero bytes");
        self.pool.thread_name = name;
        self
    }

    /// How much stack a thread of the pool has, in bytes; std's default, unless told otherwise.
    pub fn blocking_stack_size(mut self, stack_size: usize) -> Builder {
        self.pool.stack_size = Some(stack_size);
        self
    }

    /// Signals that come to no thread of the pool, but to other threads of the program. A thread begins with what is blocked on
    /// the one that starts it, which is the loop's or another of the pool; unless told otherwise that is all. For code that
    /// cannot stand EINTR, and for [`signal::queue`](crate::signal::queue()). `SignalSet::all()` spares those that tell of a fault.
    ///
    /// ```
    /// use mainspring::{Builder, signal::SignalSet};
    /// let runtime = Builder::new().blocking_mask(SignalSet::all()).build().unwrap();
    /// # drop(runtime);
    /// ```
    pub fn blocking_mask(mut self, set: impl Into<SignalSet>) -> Builder {
        self.pool.mask = set.into();
        self
    }

    /// Lets each thread of the pool run on these processors, though the loop's own may not.
    pub(crate) fn blocking_processors(mut self, processors: Vec<usize>) -> Builder {
        self.pool.processors = processors;
        self
    }

    /// Whether the loop's own thread may ask the kernel for what it has of a file in memory, before it asks a thread of the pool:
    /// a read of what is in the page cache, an open or a `metadata` of a path that is in the directory cache. On, unless told
    /// otherwise; it costs some microseconds, and never waits for a disk, a server or another process. Linux only:
    /// elsewhere no question can be asked so.
    pub fn inline_files(mut self, is_on: bool) -> Builder {
        self.pool.allows_inline_files = is_on;
        self
    }

    /// Called on each thread of the pool before its first job. If it panics, that is reported.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.pool.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread of the pool before it ends. If it panics, that is reported.
    ///
    /// If a job comes meanwhile and there is room for no other thread, this one stays: then the other hook
    /// is called again.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.pool.on_thread_stop = Some(Arc::new(hook));
        self
    }
}
