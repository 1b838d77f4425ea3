//! Jobs that last until the test lets them go, drops that tell where they happened, and tests that run
//! alone in their process.

use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mainspring::sim::Clock;
use mainspring::task::blocking::BlockingStatistics;
use mainspring::{Builder, Handle};

/// Says that this process is the child of one of the tests.
const CHILD: &str = "MAINSPRING_TEST_CHILD";

/// A job that waits: it says that it has begun, and ends when this is dropped.
pub(crate) struct Held {
    begun: Receiver<()>,
    _open: Sender<()>,
}

impl Held {
    /// The job, and its holder.
    pub(crate) fn new() -> (impl FnOnce() + Send + 'static, Held) {
        let (begin, begun) = channel();
        let (open, closed) = channel::<()>();
        let work = move || {
            let _ = begin.send(());
            let _ = closed.recv();
        };
        (work, Held { begun, _open: open })
    }

    /// Blocks until the job runs.
    pub(crate) fn wait_until_begun(&self) {
        self.begun.recv().unwrap();
    }
}

/// Where something was dropped.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<Mutex<Vec<ThreadId>>>);

impl Drops {
    pub(crate) fn all(&self) -> Vec<ThreadId> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

/// Tells [`Drops`] on which thread it is dropped.
pub(crate) struct Guard(Drops);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(thread::current().id());
    }
}

/// Spins until the counts of `handle`'s pool say so.
pub(crate) fn wait_until(handle: &Handle, is_so: impl Fn(&BlockingStatistics) -> bool) {
    while !is_so(&handle.blocking_statistics()) {
        thread::yield_now();
    }
}

/// How long it is since it was made, by the system's clock.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let clock = Clock::default();
    let start = clock.now();
    move || clock.now() - start
}

/// Holds this thread up for so long.
pub(crate) fn spin_for(time: Duration) {
    let spent = stopwatch();
    while spent() < time {
        thread::yield_now();
    }
}

/// A builder of pools with so many threads.
pub(crate) fn threads(threads_max: usize) -> Builder {
    Builder::new().blocking_threads_max(threads_max)
}

/// How much, or how often: `usual`, or as `make soak` wants it.
pub(crate) fn soak(usual: usize, long: usize) -> usize {
    match std::env::var_os("MAINSPRING_SOAK") {
        Some(_) => long,
        None => usual,
    }
}

/// Runs the test `name` of this binary alone, as the child; gives its standard error. `None`: this is the
/// child.
pub(crate) fn alone(name: &str) -> Option<String> {
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    Some(text)
}

/// How many threads this process has, where the system tells.
pub(crate) fn thread_count() -> Option<usize> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    Some(tasks.count())
}
