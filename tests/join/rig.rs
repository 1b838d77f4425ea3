//! What the tests of joining share: futures that log, wakers that count.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use mainspring::time::sleep;
use mainspring::yield_now;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// A test that is over in no time hangs if it takes as long as this.
const HANGS: Duration = Duration::from_secs(20);

/// What a loop says that can never go on. One that sleeps instead is given up, and the process with it: nobody
/// can wake that thread any more.
pub(crate) fn deadlock_of<F: Future>(future: F) -> String {
    let (over, is_over) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if is_over.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
            let _ =
                stderr().write_all(b"the loop sleeps, and sees no proof that it will for ever\n");
            std::process::abort();
        }
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| mainspring::sim::run(1, future)));
    drop(over);
    watchdog.join().unwrap();
    let payload = panicked.err().expect("it can never go on");
    *payload.downcast::<String>().unwrap()
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, entry: impl Into<String>) {
        self.0.borrow_mut().push(entry.into());
    }

    /// All entries, with spaces between.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.borrow_mut()).join(" ")
    }
}

/// Logs `name` at each poll, is pending for so many polls, and logs its drop.
pub(crate) struct Step {
    name: &'static str,
    pending: usize,
    log: Log,
}

pub(crate) fn step(log: &Log, name: &'static str, pending: usize) -> Step {
    Step {
        name,
        pending,
        log: log.clone(),
    }
}

impl Future for Step {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        self.log.push(self.name);
        if self.pending == 0 {
            return Poll::Ready(self.name);
        }
        self.pending -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.log.push(format!("-{}", self.name));
    }
}

/// Sleeps so many milliseconds, and gives `output`.
pub(crate) async fn after<T>(ms: u32, output: T) -> T {
    sleep(ms * MS).await;
    output
}

/// Yields so often, and gives `output`.
pub(crate) async fn yields<T>(count: usize, output: T) -> T {
    for _ in 0..count {
        yield_now().await;
    }
    output
}

/// Counts the polls of a future.
pub(crate) async fn counted<F: Future>(polls: Rc<Cell<usize>>, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

/// A stranger's waker, which counts.
#[derive(Default)]
pub(crate) struct Counting(AtomicUsize);

impl Counting {
    pub(crate) fn new() -> (Arc<Counting>, Waker) {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        (counting, waker)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A gate that is opened from outside: what a future waits for.
#[derive(Clone, Default)]
pub(crate) struct Gate(Rc<RefCell<(bool, Option<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let waker = {
            let mut gate = self.0.borrow_mut();
            gate.0 = true;
            gate.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Unpin + use<> {
        let gate = self.clone();
        poll_fn(move |cx| {
            let mut gate = gate.0.borrow_mut();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}
