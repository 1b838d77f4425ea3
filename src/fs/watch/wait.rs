//! `Add` and `Next`: the futures of a watcher.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Watcher;
use super::event::{Event, WatchError};
use super::land::Asked;
use super::work::Work;
use crate::pin::{pinned_beside, pinned_in_drop};
use crate::reactor::Direction;
use crate::stream::Stream;
use crate::task::caller::Caller;
use crate::task::wait::WaitNode;

/// Waits until something is watched. Made by [`Watcher::add`] and [`Watcher::add_recursive`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Add<'a> {
    work: &'a mut Work,
    stage: Stage,
}

enum Stage {
    New(PathBuf, Asked),
    /// It was begun, as this call.
    Begun(u64),
    Done,
}

impl<'a> Add<'a> {
    pub(super) fn new(work: &'a mut Work, path: &Path, asked: Asked) -> Add<'a> {
        Add {
            work,
            stage: Stage::New(path.to_path_buf(), asked),
        }
    }
}

impl Future for Add<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Stage::New(path, asked) = &mut this.stage {
            let call = this.work.begin_add(std::mem::take(path), *asked);
            this.stage = Stage::Begun(call);
        }
        let Stage::Begun(call) = this.stage else {
            panic!("what was added was awaited again");
        };
        let added = this.work.poll_added(call, cx);
        if added.is_ready() {
            this.stage = Stage::Done;
        }
        added
    }
}

impl Drop for Add<'_> {
    fn drop(&mut self) {
        self.work.leave_add();
    }
}

impl fmt::Debug for Add<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::New(..) => "Add(new)",
            Stage::Begun(_) => "Add(begun)",
            Stage::Done => "Add(done)",
        })
    }
}

/// Waits for what happens next. Made by [`Watcher::next`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Next<'a> {
    work: &'a mut Work,
    node: WaitNode<()>,
    made_at: &'static Location<'static>,
}

impl<'a> Next<'a> {
    #[track_caller]
    pub(super) fn new(work: &'a mut Work) -> Next<'a> {
        let made_at = Location::caller();
        Next {
            work,
            node: WaitNode::new(Direction::Read.kind(), made_at),
            made_at,
        }
    }
}

impl Future for Next<'_> {
    type Output = Result<Event, WatchError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let made_at = self.made_at;
        let (node, work) = pinned_beside!(self, node, work);
        work.poll_event(cx, Some(node), made_at)
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        self.work.source().cancel(Direction::Read, node);
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

impl Stream for Watcher {
    type Item = Result<Event, WatchError>;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let here = Caller::current().unwrap_or(Location::caller());
        self.get_mut().work.poll_event(cx, None, here).map(Some)
    }
}
