//! How workers start, all or none, run, and end together.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener as StdListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::ScopedJoinHandle;

use mainspring_sys::{Instant, affinity, thread as threads};

use super::error::{WorkerFailure, WorkersError};
use super::hand_over::{HandOver, peers_of};
use super::listen::SharedListener;
use super::worker::{Inner, Peers, Stop, Worker};
use super::{BuilderHook, Workers};
use crate::cancel::CancelToken;
use crate::channel::thread::{self, FarSender, NearReceiver};
use crate::handle::Handle;
use crate::net::TcpListener;
use crate::runtime::{Builder, Runtime};
use crate::task::join::JoinError;
use crate::time::{sleep_until, timeout_at};

/// What all workers are made by.
struct Plan {
    capacity: usize,
    /// Those that the program may use, if threads are to be held and can be.
    processors: Vec<usize>,
    builder: Option<BuilderHook>,
}

/// A worker is there, and can be reached.
struct Ready<M> {
    handle: Handle,
    control: FarSender<Stop>,
    mail: FarSender<M>,
}

/// All are there.
struct Go<M> {
    peers: Arc<Peers>,
    /// By index; not to itself.
    mail: Vec<Option<FarSender<M>>>,
    listeners: Vec<StdListener>,
}

/// What went wrong, in order.
type Failures<E> = Mutex<Vec<(usize, WorkerFailure<E>)>>;

fn note<E>(failures: &Failures<E>, index: usize, failure: WorkerFailure<E>) {
    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    failures.push((index, failure));
}

/// Those that threads are to be held on; none, if they are not to be, or can't be.
fn processors(is_pinned: bool) -> Vec<usize> {
    let allowed = is_pinned.then(affinity::allowed);
    allowed.and_then(Result::ok).unwrap_or_default()
}

/// See [`Workers::run`].
pub(super) fn run<M, F, R, T, E>(
    workers: Workers,
    capacity: usize,
    work: &F,
) -> Result<Vec<T>, WorkersError<T, E>>
where
    M: Send,
    F: Fn(Worker, HandOver<M>) -> R + Sync,
    R: Future<Output = Result<T, E>>,
    T: Send,
    E: Send,
{
    let Workers {
        count,
        is_pinned,
        name,
        stack_size,
        builder,
        mut listeners,
    } = workers;
    let plan = Plan {
        capacity,
        processors: processors(is_pinned),
        builder,
    };
    let failures = Failures::new(Vec::new());
    let mut outputs = std::thread::scope(|scope| {
        let (report, reports) = mpsc::channel();
        let mut starters = Vec::new();
        let mut joins = Vec::new();
        for index in 0..count {
            let (go, is_to_go) = mpsc::channel();
            let (plan, failures, report) = (&plan, &failures, report.clone());
            let one = One {
                index,
                plan,
                failures,
            };
            let body = move || one.run(report, &is_to_go, work);
            match threads::start_scoped(scope, format!("{name}-{index}"), stack_size, body) {
                Ok(join) => joins.push(join),
                Err(error) => {
                    note(failures, index, WorkerFailure::Start(error));
                    break;
                }
            }
            starters.push(go);
        }
        drop(report);
        // If one is missing, the starters are dropped, and the others end.
        if let Some(all) = gather(count, &reports) {
            for (starter, go) in starters.drain(..).zip(introduce(all, &mut listeners)) {
                // Each is waiting for it.
                let _ = starter.send(go);
            }
        }
        drop(starters);
        join_all(joins, &failures)
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if failures.is_empty() {
        return Ok(outputs.into_iter().flatten().collect());
    }
    outputs.resize_with(count, || None);
    Err(WorkersError { failures, outputs })
}

/// Waits until all threads have ended.
fn join_all<T, E>(
    joins: Vec<ScopedJoinHandle<'_, Option<T>>>,
    failures: &Failures<E>,
) -> Vec<Option<T>> {
    let mut outputs = Vec::new();
    for (index, join) in joins.into_iter().enumerate() {
        outputs.push(join.join().unwrap_or_else(|payload| {
            // Before or after its function, whose own panics are caught.
            let error = JoinError::panicked(payload);
            note(failures, index, WorkerFailure::Panicked(error));
            None
        }));
    }
    outputs
}

/// Waits until all have reported; `None` if one can't.
fn gather<M>(
    count: usize,
    reports: &mpsc::Receiver<(usize, Option<Ready<M>>)>,
) -> Option<Vec<Ready<M>>> {
    let mut all: Vec<Option<Ready<M>>> = (0..count).map(|_| None).collect();
    for _ in 0..count {
        // An end of the reports: a thread was not started, or panicked in a hook.
        let (index, ready) = reports.recv().ok()?;
        all[index] = Some(ready?);
    }
    all.into_iter().collect()
}

/// Tells each who the others are.
fn introduce<M>(all: Vec<Ready<M>>, listeners: &mut [SharedListener]) -> Vec<Go<M>> {
    let count = all.len();
    let mut peers = Peers {
        handles: Vec::new(),
        controls: Vec::new(),
    };
    let mut mail = Vec::new();
    for ready in all {
        peers.handles.push(ready.handle);
        peers.controls.push(ready.control);
        mail.push(ready.mail);
    }
    let peers = Arc::new(peers);
    let go = |own: usize| Go {
        peers: Arc::clone(&peers),
        mail: peers_of(own, &mail),
        listeners: listeners
            .iter_mut()
            .filter_map(SharedListener::take)
            .collect(),
    };
    (0..count).map(go).collect()
}

/// One worker, on its own thread.
struct One<'a, E> {
    index: usize,
    plan: &'a Plan,
    failures: &'a Failures<E>,
}

impl<E> One<'_, E> {
    /// From the thread's first step to its last. What it returned, if it did.
    fn run<M, F, R, T>(
        &self,
        report: mpsc::Sender<(usize, Option<Ready<M>>)>,
        is_to_go: &mpsc::Receiver<Go<M>>,
        work: &F,
    ) -> Option<T>
    where
        F: Fn(Worker, HandOver<M>) -> R,
        R: Future<Output = Result<T, E>>,
    {
        let processor = self.pin();
        let runtime = match self.build(processor.is_some()) {
            Ok(runtime) => runtime,
            Err(error) => {
                note(self.failures, self.index, WorkerFailure::Start(error));
                let _ = report.send((self.index, None));
                return None;
            }
        };
        let (control, stops) = thread::unbounded();
        let (mail, received) = thread::bounded(self.plan.capacity);
        let handle = runtime.handle();
        let ready = Ready {
            handle,
            control,
            mail,
        };
        let _ = report.send((self.index, Some(ready)));
        drop(report);
        let go = is_to_go.recv().ok()?;
        let peers = Arc::clone(&go.peers);
        let stopping = CancelToken::new();
        let main = async {
            let listeners = go.listeners.into_iter().map(TcpListener::from_std);
            let worker = Worker(Rc::new(Inner {
                index: self.index,
                peers: go.peers,
                stopping: stopping.clone(),
                processor,
                listeners: RefCell::new(listeners.collect::<io::Result<_>>()?),
            }));
            let hand_over = HandOver {
                received,
                peers: go.mail,
            };
            Ok(until_cut(work(worker, hand_over), stops, stopping.clone()).await)
        };
        let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(main)));
        let failure = match ended {
            Ok(Ok(Ok(Some(Ok(output))))) => return Some(output),
            Ok(Ok(Ok(Some(Err(error))))) => WorkerFailure::Error(error),
            Ok(Ok(Ok(None))) => WorkerFailure::Cut,
            Ok(Ok(Err(error)) | Err(error)) => WorkerFailure::Loop(error),
            Err(payload) => WorkerFailure::Panicked(JoinError::panicked(payload)),
        };
        let is_cause = !matches!(failure, WorkerFailure::Cut);
        note(self.failures, self.index, failure);
        if is_cause {
            peers.stop_all(&Stop {
                limit: std::time::Duration::ZERO,
                reason: format!("worker {} failed", self.index),
            });
        }
        None
    }

    /// Holds the thread on a processor of its own, if that can be.
    fn pin(&self) -> Option<usize> {
        let processors = &self.plan.processors;
        let processor = *processors.get(self.index.checked_rem(processors.len())?)?;
        affinity::allow(&[processor]).ok().map(|()| processor)
    }

    fn build(&self, is_pinned: bool) -> io::Result<Runtime> {
        let mut builder = Builder::new();
        if is_pinned {
            // A thread of the pool would inherit the one processor, on which the loop is busy.
            builder = builder.blocking_processors(self.plan.processors.clone());
        }
        if let Some(hook) = &self.plan.builder {
            builder = hook(self.index, builder);
        }
        builder.build()
    }
}

/// Runs `work` until it ends, or until its time is up after somebody asked it to end; `None`: it was cut.
async fn until_cut<R: Future>(
    work: R,
    mut stops: NearReceiver<Stop>,
    stopping: CancelToken,
) -> Option<R::Output> {
    let mut cut = pin!(async move {
        let mut deadline = Instant::FAR_FUTURE;
        loop {
            match timeout_at(deadline, stops.recv()).await {
                Ok(Some(stop)) => {
                    deadline = deadline.min(crate::time::now() + stop.limit);
                    stopping.cancel_with(stop.reason);
                }
                // Nobody is left to ask.
                Ok(None) => return sleep_until(deadline).await,
                Err(_) => return,
            }
        }
    });
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => cut.as_mut().poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests;
