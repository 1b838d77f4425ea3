//! `wait` and `gather`: tasks that run already, awaited together.
//!
//! *Model.* A [`Watch`] learns which of the tasks have ended, by their join slots, and takes nothing from them.
//!
//! ```text
//!   for all of them    one slot at a time holds our waker: that of the first task that has not ended
//!   a few, for one     each slot holds our waker, and each poll looks at all
//!   many, for one      each slot holds a waker of its own (`woken.rs`), so a poll looks at those that ended
//! ```
//!
//! In each case the inspector finds the edge from such a task to who waits for it. When the wait ends, or is dropped, the slots are emptied: nobody is woken for nothing.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::woken::{FEW, Woken};
use crate::pin::{Plain, pinned, pinned_mut};
use crate::task::abort::Ended;
use crate::task::budget::poll_spend;
use crate::task::join::{JoinError, JoinHandle};
use crate::task::wait::{Kind, Waiter};

/// Until when [`wait`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// One of the tasks has ended, however.
    First,
    /// One of the tasks panicked or was aborted, or all have ended.
    FirstError,
    /// All of the tasks have ended.
    All,
}

/// Which of the handles of a [`wait`] stand for tasks that have ended: places in the slice, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// Of those that have ended; to await them takes no time.
    pub done: Vec<usize>,
    /// Of those that have not.
    pub pending: Vec<usize>,
}

/// Who of several tasks has ended.
#[derive(Debug)]
struct Watch {
    until: Until,
    /// `None` until the first poll.
    slots: Option<Slots>,
    done_count: usize,
    has_failed: bool,
}

/// Which join slots hold what.
#[derive(Debug)]
enum Slots {
    /// All before this place have ended; its slot holds our waker.
    OneByOne(usize),
    /// Each slot holds our waker.
    Few,
    /// Each slot holds a waker of its own.
    Many(Woken),
}

impl Watch {
    fn new(until: Until) -> Watch {
        Watch {
            until,
            slots: None,
            done_count: 0,
            has_failed: false,
        }
    }

    fn poll<T>(&mut self, handles: &[JoinHandle<T>], cx: &Context<'_>) -> Poll<()> {
        self.look(handles, cx);
        let is_over = match self.until {
            Until::First => self.done_count > 0,
            Until::FirstError => self.has_failed,
            Until::All => false,
        };
        if is_over || self.done_count == handles.len() {
            return Poll::Ready(());
        }
        self.listen(handles, cx);
        Poll::Pending
    }

    /// Counts those that have ended, or have ended since.
    fn look<T>(&mut self, handles: &[JoinHandle<T>], cx: &Context<'_>) {
        match &mut self.slots {
            None | Some(Slots::Few) => {
                self.done_count = handles.iter().filter(|task| task.is_finished()).count();
                self.has_failed = handles.iter().any(has_failed);
            }
            Some(Slots::OneByOne(first)) => {
                while handles.get(*first).is_some_and(JoinHandle::is_finished) {
                    *first += 1;
                }
                self.done_count = *first;
            }
            Some(Slots::Many(woken)) => {
                woken.begin(cx);
                while let Some(place) = woken.next() {
                    if handles[place].is_finished() {
                        self.done_count += 1;
                        self.has_failed |= has_failed(&handles[place]);
                    }
                }
            }
        }
    }

    /// Puts wakers into the slots of those that have not ended.
    fn listen<T>(&mut self, handles: &[JoinHandle<T>], cx: &Context<'_>) {
        let unfinished = || handles.iter().enumerate().filter(|(_, h)| !h.is_finished());
        match &self.slots {
            None if self.until == Until::All => {
                let first = unfinished()
                    .next()
                    .map_or(handles.len(), |(place, _)| place);
                self.slots = Some(Slots::OneByOne(first));
                self.listen(handles, cx);
            }
            None if handles.len() <= FEW => {
                self.slots = Some(Slots::Few);
                self.listen(handles, cx);
            }
            None => {
                let mut woken = Woken::new(handles.len());
                woken.begin(cx);
                while woken.next().is_some() {}
                for (place, handle) in unfinished() {
                    handle.set_joiner(&woken.waker(place));
                }
                self.slots = Some(Slots::Many(woken));
            }
            Some(Slots::OneByOne(first)) => handles[*first].set_joiner(cx.waker()),
            Some(Slots::Few) => unfinished().for_each(|(_, handle)| handle.set_joiner(cx.waker())),
            Some(Slots::Many(_)) => {}
        }
    }

    /// Empties the slots.
    fn stop<T>(&mut self, handles: &[JoinHandle<T>]) {
        let range = match self.slots.take() {
            None => return,
            Some(Slots::OneByOne(first)) => first..handles.len().min(first + 1),
            Some(Slots::Few | Slots::Many(_)) => 0..handles.len(),
        };
        for handle in &handles[range] {
            if !handle.is_finished() {
                handle.clear_joiner();
            }
        }
    }
}

fn has_failed<T>(handle: &JoinHandle<T>) -> bool {
    matches!(handle.outcome(), Some(Ended::Panic | Ended::Aborted))
}

/// Waits for tasks without taking their results, and says which have ended.
///
/// The handles stay whose they are: each can be awaited afterwards, or waited for again. Nothing is cancelled, not
/// even when this is dropped. An empty slice is waited for at once.
///
/// asyncio's `wait` returns sets, whose order is arbitrary; here the order is that of the slice. A task that
/// returned an `Err` has not failed in the sense of [`Until::FirstError`]: that `Err` is its output.
///
/// # Cancel safety
/// Safe.
///
/// ```
/// use mainspring::task::{Until, wait};
/// use mainspring::{spawn, yield_now};
/// mainspring::run(async {
///     let steps = |count| {
///         spawn(async move {
///             for _ in 0..count {
///                 yield_now().await;
///             }
///         })
///     };
///     let mut tasks = [steps(30), steps(10), steps(20)];
///     let first = wait(&mut tasks, Until::First).await;
///     assert_eq!((first.done, first.pending), (vec![1], vec![0, 2]));
///     wait(&mut tasks, Until::All).await;
///     for task in tasks {
///         task.await.unwrap();
///     }
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn wait<T>(handles: &mut [JoinHandle<T>], until: Until) -> Wait<'_, T> {
    let watched = Watched {
        handles,
        watch: Watch::new(until),
        is_over: false,
    };
    Wait {
        watched: Plain(watched),
        waiter: Waiter::new(Kind::Tasks, Location::caller()),
    }
}

/// Waits for tasks. Made by [`wait`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Wait<'a, T> {
    watched: Plain<Watched<'a, T>>,
    /// In no queue: it tells the inspector, and what wakes stands in the tasks.
    waiter: Waiter,
}

struct Watched<'a, T> {
    handles: &'a mut [JoinHandle<T>],
    watch: Watch,
    is_over: bool,
}

impl<T> Watched<'_, T> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Waited> {
        assert!(
            !self.is_over,
            "a wait was polled again after it had said which tasks have ended"
        );
        ready!(self.watch.poll(self.handles, cx));
        ready!(poll_spend(cx));
        self.is_over = true;
        self.watch.stop(self.handles);
        let (done, pending) =
            (0..self.handles.len()).partition(|place| self.handles[*place].is_finished());
        Poll::Ready(Waited { done, pending })
    }
}

impl<T> Future for Wait<'_, T> {
    type Output = Waited;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited> {
        let polled = pinned_mut!(self.as_mut(), watched).get().poll(cx);
        let waiter = pinned!(self.as_ref(), waiter);
        match polled {
            Poll::Pending => waiter.arm(cx),
            Poll::Ready(_) => waiter.disarm(),
        }
        polled
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        let watched = &mut self.watched.0;
        watched.watch.stop(watched.handles);
    }
}

impl<T> fmt::Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("until", &self.watched.0.watch.until)
            .field("tasks", &self.watched.0.handles.len())
            .finish_non_exhaustive()
    }
}

/// Waits for all of the tasks, and gives their outputs in the order of the handles; or for the first that
/// panicked or was aborted, and gives that error.
///
/// This is asyncio's `gather`: at the first error *the others go on*, detached. Only when it is dropped before it
/// is done are they aborted. Of several errors that came at once the first in the order of the handles counts.
/// An `Err` that a task returned is its output; [`join_all`](super::join_all) over handles gives every result,
/// as asyncio does with `return_exceptions`.
///
/// # Cancel safety
/// Not safe, because its drop aborts the tasks.
///
/// ```
/// use mainspring::task::{gather, spawn_many};
/// mainspring::run(async {
///     let tasks = spawn_many((1..4).map(|n| async move { n * 10 }));
///     assert_eq!(gather(tasks).await.unwrap(), [10, 20, 30]);
/// })
/// .unwrap();
/// ```
pub fn gather<T>(handles: impl IntoIterator<Item = JoinHandle<T>>) -> Gather<T> {
    Gather {
        handles: Some(handles.into_iter().collect()),
        watch: Watch::new(Until::FirstError),
    }
}

/// Waits for tasks, and takes their outputs. Made by [`gather`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them; dropping it aborts the tasks"]
pub struct Gather<T> {
    /// `None` once it is over.
    handles: Option<Vec<JoinHandle<T>>>,
    watch: Watch,
}

impl<T> Future for Gather<T> {
    type Output = Result<Vec<T>, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(handles) = &this.handles else {
            panic!("a gather was polled again after it had returned");
        };
        ready!(this.watch.poll(handles, cx));
        ready!(poll_spend(cx));
        this.watch.stop(handles);
        let mut handles = this.handles.take().unwrap_or_default();
        if let Some(failed) = handles.iter().position(has_failed) {
            let error = handles.swap_remove(failed).take();
            return Poll::Ready(Err(error.and_then(Result::err).unwrap_or_else(taken)));
        }
        let outputs = handles.iter_mut().map(|handle| handle.take());
        let outputs = outputs.map(|result| result.unwrap_or_else(|| Err(taken())));
        Poll::Ready(outputs.collect())
    }
}

/// A handle was given whose result was taken before.
#[cold]
fn taken() -> JoinError {
    panic!("a gather was given a handle that had returned its task's result")
}

impl<T> Drop for Gather<T> {
    fn drop(&mut self) {
        for handle in self.handles.iter().flatten() {
            handle.abort();
        }
    }
}

impl<T> fmt::Debug for Gather<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("tasks", &self.handles.as_ref().map_or(0, Vec::len))
            .finish_non_exhaustive()
    }
}
