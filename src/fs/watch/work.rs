//! `Work`: polls jobs and the kernel for a watcher, one thing at a time.
//!
//! *Model.* One thing at a time, in this order: a job that is under way is awaited; what is to be done by a job is begun; a
//! record is looked at; records are read. What comes of it stands in `told`, and nothing of this happens while something
//! stands there. While a job is under way, records are read all the same, so that the kernel's queue does not overflow.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::watch::{Record, Watch, What};

use super::event::{Event, WatchError};
use super::land::{Asked, Landed, Task, run};
use super::state::State;
use crate::context;
use crate::fs::op::send;
use crate::reactor::{Direction, Source};
use crate::task::budget::poll_spend;
use crate::task::join::AbortOnDrop;
use crate::task::wait::WaitNode;
use crate::time::{Sleep, sleep};

/// How many bytes of records are read at once: some hundred.
const BUFFER: usize = 16 * 1024;
/// No more records are read while so many wait.
const RAW_MAX: usize = 16 * 1024;
/// The second half of a rename is looked for in so many records.
const NEAR: usize = 1024;
/// How long the second half of a rename is waited for. The kernel writes it right behind the first.
const PAIR_MAX: Duration = Duration::from_millis(10);

pub(super) struct Work {
    state: State,
    source: Rc<Source>,
    job: Option<AbortOnDrop<Landed>>,
    /// Runs while the second half of a rename is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    /// How many records at the front stood there when it ran out: whatever belongs to them would have come.
    settled: usize,
    buf: Box<[u8]>,
    /// The number of the last call of `add`.
    calls: u64,
    made_at: &'static Location<'static>,
}

impl Work {
    pub(super) fn new(watch: Watch, made_at: &'static Location<'static>) -> Work {
        Work {
            state: State::new(watch),
            source: Source::new(),
            job: None,
            patience: None,
            settled: 0,
            buf: vec![0; BUFFER].into_boxed_slice(),
            calls: 0,
            made_at,
        }
    }

    pub(super) fn source(&self) -> &Rc<Source> {
        &self.source
    }

    /// The next event. `node` waits for the kernel, or the source's own does.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        node: Option<Pin<&WaitNode<()>>>,
        here: &'static Location<'static>,
    ) -> Poll<Result<Event, WatchError>> {
        ready!(poll_spend(cx));
        loop {
            if let Some(told) = self.state.told.pop_front() {
                return Poll::Ready(told);
            }
            if let Err(error) = ready!(self.poll_step(cx, node, here)) {
                return Poll::Ready(Err(WatchError::new(PathBuf::new(), error)));
            }
        }
    }

    /// Does the next thing; `Ready` when something was done.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        node: Option<Pin<&WaitNode<()>>>,
        here: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        if self.job.is_none() && self.state.todo.is_empty() {
            return match self.state.raw.pop_front() {
                Some(record) => self.poll_record(record, cx, node, here),
                None => self.poll_read(cx, node, here),
            };
        }
        match self.poll_job(cx) {
            Poll::Pending if self.state.raw.len() < RAW_MAX => self.poll_read(cx, node, here),
            answer => answer,
        }
    }

    /// Begins a job, or awaits the one that is under way; `Ready` when it has landed, or there is none.
    fn poll_job(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(job) = &mut self.job {
                let landed = ready!(Pin::new(job).poll(cx));
                self.job = None;
                self.state.land(landed?);
                return Poll::Ready(Ok(()));
            }
            let Some(task) = self.state.todo.pop_front() else {
                return Poll::Ready(Ok(()));
            };
            if let Task::EndRound = task {
                let doomed = self.state.table.end_round();
                self.state.unwatch(doomed);
                continue;
            }
            let watch = Arc::clone(&self.state.watch);
            let job = send(move || run(&watch, task), self.made_at)?;
            self.job = Some(job.abort_on_drop());
        }
    }

    /// Reads records; `Pending` until there are some.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        node: Option<Pin<&WaitNode<()>>>,
        here: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.source.is_ready(Direction::Read) {
                let node = node.unwrap_or_else(|| self.source.resident(Direction::Read, here));
                let fd = self.state.watch.as_fd();
                ready!(
                    self.source
                        .poll_ready(Direction::Read, fd, node, cx, context::reactor)
                )?;
            }
            let raw = &mut self.state.raw;
            match self
                .state
                .watch
                .read(&mut self.buf, |record| raw.push_back(record))
            {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.source.clear(Direction::Read);
                    if self.state.raw.is_empty() && self.job.is_none() {
                        self.state.table.forget_fresh();
                    }
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Looks at a record; of the first half of a rename, when the second is there, or will not come.
    fn poll_record(
        &mut self,
        record: Record,
        cx: &mut Context<'_>,
        node: Option<Pin<&WaitNode<()>>>,
        here: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        let is_settled = self.settled > 0;
        self.settled = self.settled.saturating_sub(1);
        let What::MovedFrom(cookie) = record.what else {
            self.state.look_at(record);
            return Poll::Ready(Ok(()));
        };
        let near = || self.state.raw.iter().take(NEAR);
        if let Some(at) = near().position(|other| other.what == What::MovedTo(cookie)) {
            self.patience = None;
            if let Some(second) = self.state.raw.remove(at) {
                self.settled = self.settled.saturating_sub(usize::from(at < self.settled));
                self.state.renamed(&record, &second);
            }
            return Poll::Ready(Ok(()));
        }
        // The kernel holds the folder until both halves are written.
        let is_next = |other: &Record| other.mark == record.mark && other.what.is_of_names();
        if is_settled || self.state.raw.len() >= NEAR || near().any(is_next) {
            self.patience = None;
            self.state.removed(&record);
            return Poll::Ready(Ok(()));
        }
        self.state.raw.push_front(record);
        if let Poll::Ready(result) = self.poll_read(cx, node, here) {
            return Poll::Ready(result);
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(PAIR_MAX)));
        ready!(patience.as_mut().poll(cx));
        self.patience = None;
        self.settled = self.state.raw.len();
        Poll::Ready(Ok(()))
    }

    /// Begins to add; the answer is what [`Work::poll_added`] is asked with.
    pub(super) fn begin_add(&mut self, path: PathBuf, asked: Asked) -> u64 {
        self.calls += 1;
        self.state.awaited = Some(self.calls);
        // Before folders that are new: what is in those would pile up.
        self.state
            .todo
            .push_front(Task::Add(path, asked, self.calls));
        self.calls
    }

    pub(super) fn poll_added(&mut self, call: u64, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some((_, result)) = self.state.answer.take_if(|(answered, _)| *answered == call)
            {
                self.state.awaited = None;
                return Poll::Ready(result);
            }
            // There is nobody to tell it to, where no loop runs.
            ready!(self.poll_job(cx)).inspect_err(|_| self.state.todo.clear())?;
        }
    }

    /// Nobody waits for it any more; it goes on.
    pub(super) fn leave_add(&mut self) {
        self.state.awaited = None;
        self.state.answer = None;
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let Some(doomed) = self.state.table.remove_root(path) else {
            let text = format!(
                "{} is not watched: name the path by which it was added",
                path.display()
            );
            return Err(io::Error::new(ErrorKind::NotFound, text));
        };
        self.state.unwatch(doomed);
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A job that is under way may keep it open for a moment: it leaves the selector first.
        self.source.close(Some(self.state.watch.as_fd()), false);
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("roots", &self.state.table.roots().len())
            .field("folders", &self.state.table.folder_count())
            .field("told", &self.state.told.len())
            .finish_non_exhaustive()
    }
}
