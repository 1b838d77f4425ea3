//! `Op`: something that is done to a file by a thread of the pool, as a named future.
//!
//! *Role.* What most functions of this module return. Nothing happens before its first poll.
//!
//! *Model.*
//!
//! ```text
//!    new ──── first poll ────► asked here: the kernel has it in memory ──► done
//!                                   │ it may wait
//!                                   ▼
//!                                 away, with a thread ──────────────────► done
//! ```
//!
//! *Cost.* A box for the work; a job of the pool, some 6 microseconds of CPU time on both threads together, unless it
//! is answered here.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::blocking::spawn_in_class_at;
use crate::context;
use crate::pool::Class;
use crate::reactor::no_loop;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;
use crate::task::join::{AbortOnDrop, JoinHandle};

/// What an operation does.
pub(super) trait Work<T>: Send {
    /// The answer, if the kernel has it in memory. On the loop's thread; must not wait.
    fn now(&mut self) -> Option<io::Result<T>> {
        None
    }

    /// The answer, however long it takes. On a thread of the pool.
    fn run(self: Box<Self>) -> io::Result<T>;
}

impl<T, F: FnOnce() -> io::Result<T> + Send> Work<T> for F {
    fn run(self: Box<Self>) -> io::Result<T> {
        self()
    }
}

/// An operation on a file, done by the pool. Made by the functions of [`fs`](crate::fs) and the methods of
/// [`File`](crate::fs::File).
///
/// Nothing happens before it is polled. If it is dropped before a thread has begun, nothing ever does; if a thread has
/// begun, the operation comes to its end all the same, and its result is dropped.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Op<T> {
    stage: Stage<T>,
    made_at: &'static Location<'static>,
}

enum Stage<T> {
    New(Box<dyn Work<T>>),
    Away(AbortOnDrop<io::Result<T>>),
    Done,
}

impl<T> Op<T> {
    #[track_caller]
    pub(super) fn new(work: impl Work<T> + 'static) -> Op<T> {
        Op {
            stage: Stage::New(Box::new(work)),
            made_at: Location::caller(),
        }
    }
}

/// Has `work` done by the pool of the loop that is entered.
pub(super) fn send<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    made_at: &'static Location<'static>,
) -> io::Result<JoinHandle<T>> {
    let line = Caller::current().unwrap_or(made_at);
    spawn_in_class_at(work, Class::Files, line).ok_or_else(no_loop)
}

/// Whether the loop's own thread may ask for what is in memory.
pub(super) fn may_ask_here() -> bool {
    context::current().is_some_and(|event_loop| event_loop.pool().allows_inline_files())
}

impl<T: Send + 'static> Future for Op<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = self.get_mut();
        if let Stage::New(work) = &mut this.stage {
            if may_ask_here() {
                ready!(poll_spend(cx));
                if let Some(answer) = work.now() {
                    this.stage = Stage::Done;
                    return Poll::Ready(answer);
                }
            }
            let Stage::New(work) = mem::replace(&mut this.stage, Stage::Done) else {
                unreachable!("it was new a moment ago");
            };
            let job = send(move || work.run(), this.made_at)?;
            this.stage = Stage::Away(job.abort_on_drop());
        }
        let Stage::Away(job) = &mut this.stage else {
            panic!("an operation on a file was polled after it was done");
        };
        let answer = ready!(Pin::new(job).poll(cx));
        this.stage = Stage::Done;
        Poll::Ready(answer?)
    }
}

impl<T> fmt::Debug for Op<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::New(_) => "Op(new)",
            Stage::Away(_) => "Op(away)",
            Stage::Done => "Op(done)",
        })
    }
}
