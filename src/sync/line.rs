//! `Line` and `Place`: how every primitive of this module is waited for, written once.
//!
//! *Role.* A primitive says what is to be had at once, and what becomes of what comes back; each of its
//! futures embeds a [`Place`], which does the waiting.
//!
//! *Model.*
//!
//! ```text
//!              has, take                                    ┌──────────────────────────► Done
//!     New ─────────────────────────────────────────────────►│
//!      │ joins the line                                     │ handed over
//!      └──────────► Waiting ────────────────────────────────┘
//!                      │ dropped: leaves the line; what was handed over goes to `put_back`
//! ```
//!
//! *The rule at rest.* Nobody waits for what is to be had. So whoever finds something to be had at once
//! passes nobody by, and `serve` must run wherever something may have become free while somebody joined
//! (a foreign waker's clone may do anything) or while the first of the line left it.
//!
//! *Cost.* A wait by a task of ours is one store of each field of its node, without a branch to user code.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::pin::{pinned, pinned_in_drop};
use crate::task::budget::poll_spend;
use crate::task::core::Core;
use crate::task::join::TaskId;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// What a primitive is to those who wait for it.
pub(super) trait Line {
    /// What is handed over.
    type Handed;
    /// What somebody asks for.
    type Request: Copy;

    fn waiters(&self) -> &WaitQueue<Self::Handed, Self::Request>;

    /// Whether [`Line::take`] would give something: it is there, and nobody is passed by.
    fn has(&self, request: Self::Request) -> bool;

    /// Takes what is to be had at once; called after [`Line::has`] only.
    fn take(&self, request: Self::Request) -> Self::Handed;

    /// Hands out what is to be had to those who wait; says whether anybody was served.
    fn serve(&self) -> bool;

    /// What was handed to somebody who is gone: for the front of the line. Nothing, where it is but the word that
    /// all were told.
    #[inline]
    fn put_back(&self, _handed: Self::Handed, _request: Self::Request) {}

    /// The number of the primitive's tag; its peer is noted on the way.
    fn word(&self) -> u64;

    /// Somebody joined the line; says what it asks for from now on.
    #[inline]
    fn joined(&self, request: Self::Request) -> Self::Request {
        request
    }

    /// Somebody left the line with nothing.
    #[inline]
    fn left(&self, _: Self::Request) {
        self.serve();
    }
}

/// [`Line::serve`] of a condition of which all who wait are told at once.
pub(super) fn serve_all(line: &impl Line<Handed = (), Request = ()>) -> bool {
    let has_waiters = line.has(()) && !line.waiters().is_empty();
    if has_waiters {
        line.waiters().give_all(|| ());
    }
    has_waiters
}

/// How far a future has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// Stands in the line, or stood there and has not fetched what it was handed.
    Waiting,
    Done,
}

/// A place in a primitive's line, to be embedded in a future; `P` borrows the primitive or shares it.
pub(super) struct Place<P>
where
    P: Deref,
    P::Target: Line,
{
    line: P,
    state: Cell<State>,
    node: WaitNode<<P::Target as Line>::Handed, <P::Target as Line>::Request>,
}

type Handed<P> = <<P as Deref>::Target as Line>::Handed;

impl<P> Place<P>
where
    P: Deref,
    P::Target: Line,
{
    #[inline]
    pub(super) fn new(
        line: P,
        request: <P::Target as Line>::Request,
        kind: Kind,
        location: &'static Location<'static>,
    ) -> Place<P> {
        Place {
            line,
            state: Cell::new(State::New),
            node: WaitNode::with(kind, location, request),
        }
    }

    /// The primitive.
    #[inline]
    pub(super) fn line(&self) -> &P {
        &self.line
    }

    #[inline]
    pub(super) fn request(&self) -> <P::Target as Line>::Request {
        self.node.request()
    }

    #[inline]
    pub(super) fn set_request(&self, request: <P::Target as Line>::Request) {
        self.node.set_request(request);
    }

    /// Whether it was not polled yet.
    #[inline]
    pub(super) fn is_new(&self) -> bool {
        self.state.get() == State::New
    }

    /// Whether it waits, or has not fetched what it was handed.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.state.get() == State::Waiting
    }

    /// Waits once more, after it is done.
    pub(super) fn renew(&self) {
        debug_assert_eq!(self.state.get(), State::Done);
        self.state.set(State::New);
    }

    /// Joins the line before anybody polls.
    pub(super) fn join(self: Pin<&Self>) {
        let word = self.line.word();
        self.state.set(State::Waiting);
        self.line.waiters().join(pinned!(self, node), word);
    }

    /// Ready with what was to be had, or was handed over; until then it stands in the line.
    ///
    /// # Panics
    /// When it is polled again after that.
    #[inline]
    pub(super) fn poll(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Handed<P>> {
        match self.state.get() {
            State::New => self.begin(cx),
            State::Waiting => self.again(cx),
            State::Done => polled_when_done(),
        }
    }

    #[inline]
    fn begin(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Handed<P>> {
        let request = self.request();
        if self.line.has(request) {
            // Whose budget is spent does not wait: it stands in no line, and looks again in its next poll.
            ready!(poll_spend(cx));
            self.state.set(State::Done);
            return Poll::Ready(self.line.take(request));
        }
        self.wait_first(request, cx)
    }

    /// Apart, so that what need not wait is short.
    #[inline(never)]
    fn wait_first(
        self: Pin<&Self>,
        request: <P::Target as Line>::Request,
        cx: &Context<'_>,
    ) -> Poll<Handed<P>> {
        self.state.set(State::Waiting);
        let word = self.line.word();
        let node = pinned!(self, node);
        let task = Core::with_current(|core| self.line.waiters().enter(core, node, cx, word));
        if task.is_none() {
            return self.wait(cx);
        }
        self.node.set_request(self.line.joined(request));
        Poll::Pending
    }

    /// It was polled before.
    #[inline]
    fn again(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Handed<P>> {
        if self.node.is_queued() {
            return self.wait(cx);
        }
        match self.node.fetch() {
            Some(handed) => {
                self.state.set(State::Done);
                Poll::Ready(handed)
            }
            // It was taken for a ghost on its way from one task to another.
            None => self.begin(cx),
        }
    }

    /// The way of foreign wakers, and of polls that nobody asked for.
    fn wait(self: Pin<&Self>, cx: &Context<'_>) -> Poll<Handed<P>> {
        let node = pinned!(self, node);
        loop {
            let was_queued = node.is_queued();
            let polled = self.line.waiters().poll(node, cx, self.line.word());
            if let Poll::Ready(handed) = polled {
                self.state.set(State::Done);
                return Poll::Ready(handed);
            }
            if !was_queued {
                self.node.set_request(self.line.joined(self.request()));
            }
            // What became free while a foreign waker was cloned had nobody to be handed to.
            if !self.line.serve() {
                return Poll::Pending;
            }
        }
    }
}

impl<P> Place<P>
where
    P: Deref,
    P::Target: Line,
{
    /// The drop of one that waits, or has what it was handed.
    #[inline(never)]
    fn leave(&mut self) {
        let node = pinned_in_drop!(self, node);
        let was_queued = node.is_queued();
        match self.line.waiters().cancel(node) {
            Some(handed) => self.line.put_back(handed, node.request()),
            None if was_queued => self.line.left(node.request()),
            None => {}
        }
    }
}

impl<P> Drop for Place<P>
where
    P: Deref,
    P::Target: Line,
{
    #[inline]
    fn drop(&mut self) {
        if self.state.get() == State::Waiting {
            self.leave();
        }
    }
}

#[cold]
fn polled_when_done() -> ! {
    panic!("a future of `mainspring::sync` was polled again after it had returned `Ready`");
}

/// The task that is polled now, and its loop: 0 for nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) task: u64,
    pub(super) core: u64,
}

impl Who {
    #[inline]
    pub(super) fn is_polled_now() -> Who {
        Core::with_current(|core| match core {
            Some(core) => Who {
                task: core.current_task().map_or(0, |task| task.id()),
                core: core.id(),
            },
            None => Who::default(),
        })
    }

    /// Its id, if it is one of ours.
    #[inline]
    pub(super) fn id(self) -> Option<TaskId> {
        (self.task != 0).then(|| TaskId::new(self.task))
    }

    /// Whether it is known to have ended: it was a task of the loop that is entered.
    pub(super) fn has_ended(self) -> bool {
        self.task != 0
            && Core::with_current(|core| {
                core.is_some_and(|core| core.id() == self.core && !core.has_task(self.task))
            })
    }
}
