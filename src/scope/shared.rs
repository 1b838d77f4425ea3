//! What a scope's future and its users share: whether and why it ends, its deadline, its grace, its errors.
//!
//! *Model.* The end is asked for once ([`Shared::end`]), by whoever comes first; from then on the scope's
//! future, in its own polls, brings it about.
//!
//! ```text
//!            end: cancel, error, panic, deadline
//!    open ────────────────────────────┬────────────────────► over: what is left was dropped
//!      │                              │ there is a grace          ▲
//!      │                              ▼                           │ the grace is over
//!      │                            grace ────────────────────────┤
//!      │ body and children have ended                             │ body and children have ended
//!      └──────────────────────────────────────────────────────────┘
//! ```
//!
//! Wakers run in `end` and in `token`, while nothing is borrowed.

use std::cell::{Cell, OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cancel::{CancelReason, CancelToken, Cancelled};
use crate::pin::pinned;
use crate::task::children::Entry;
use crate::time::{Instant, Sleep, sleep};

/// Where a scope is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It goes on.
    Open,
    /// It was asked to end, and its children have some time for that.
    Grace,
    /// It has ended.
    Over,
}

/// Why a scope is to end.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    Asked(CancelReason),
    Deadline,
    Failure,
}

impl Cause {
    fn reason(&self) -> CancelReason {
        match self {
            Cause::Asked(reason) => reason.clone(),
            Cause::Deadline => "the deadline of the scope has passed".into(),
            Cause::Failure => "a task of the scope has failed".into(),
        }
    }
}

pub(super) struct Shared<'env, E> {
    pub(super) entry: Entry<'env>,
    phase: Cell<Phase>,
    cause: OnceCell<Cause>,
    is_body_done: Cell<bool>,
    /// The cause came when the body had returned.
    came_late: Cell<bool>,
    errors: RefCell<Vec<E>>,
    grace: Cell<Duration>,
    is_grace_over: Cell<bool>,
    /// Made when somebody asks for it.
    token: OnceCell<CancelToken>,
    /// The scope's own wait for its token.
    watch: OnceCell<Pin<Box<Cancelled>>>,
    /// The deadline, then the end of the grace; it counts only if `is_timed`.
    timer: Sleep,
    is_timed: Cell<bool>,
}

impl<'env, E> Shared<'env, E> {
    pub(super) fn new(entry: Entry<'env>) -> Pin<Rc<Shared<'env, E>>> {
        Rc::pin(Shared {
            entry,
            phase: Cell::new(Phase::Open),
            cause: OnceCell::new(),
            is_body_done: Cell::new(false),
            came_late: Cell::new(false),
            errors: RefCell::new(Vec::new()),
            grace: Cell::new(Duration::ZERO),
            is_grace_over: Cell::new(false),
            token: OnceCell::new(),
            watch: OnceCell::new(),
            timer: sleep(Duration::MAX),
            is_timed: Cell::new(false),
        })
    }

    /// Asks the scope to end. The first cause stays.
    pub(super) fn end(&self, cause: Cause) {
        if self.phase.get() == Phase::Over || self.cause.set(cause).is_err() {
            return;
        }
        self.came_late.set(self.is_body_done.get());
        self.entry.notify();
        if let (Some(token), Some(cause)) = (self.token.get(), self.cause.get()) {
            token.cancel_with(cause.reason());
        }
    }

    /// One of its tasks has failed.
    pub(super) fn fail(&self, error: E) {
        self.errors.borrow_mut().push(error);
        self.end(Cause::Failure);
    }

    /// The body has returned: what asked for the end by now, it could know.
    pub(super) fn body_is_done(&self) {
        self.hear_token();
        self.is_body_done.set(true);
    }

    /// Its token, cancelled by whomever, asks for the end.
    fn hear_token(&self) {
        if let Some(reason) = self.token.get().and_then(CancelToken::reason) {
            self.end(Cause::Asked(reason));
        }
    }

    /// Why the scope is to end, if it is.
    pub(super) fn reason(&self) -> Option<CancelReason> {
        match self.cause.get() {
            Some(cause) => Some(cause.reason()),
            None => self.token.get().and_then(CancelToken::reason),
        }
    }

    /// The token, which is watched from now on.
    pub(super) fn token(&self) -> &CancelToken {
        if self.token.get().is_none() {
            let token = CancelToken::new();
            if let Some(cause) = self.cause.get() {
                token.cancel_with(cause.reason());
            }
            let _ = self.token.set(token);
            self.entry.notify();
        }
        self.token.get_or_init(CancelToken::new)
    }

    pub(super) fn set_grace(self: Pin<&Self>, grace: Duration) {
        self.grace.set(grace);
        if self.phase.get() == Phase::Grace {
            self.timer().restart(grace);
            self.entry.notify();
        }
    }

    /// Moves the deadline, if the scope is open, by what `arm` does with the timer.
    pub(super) fn set_deadline(self: Pin<&Self>, arm: impl FnOnce(Pin<&Sleep>)) {
        if self.phase.get() == Phase::Open {
            arm(self.timer());
            self.is_timed.set(true);
            self.entry.notify();
        }
    }

    pub(super) fn clear_deadline(self: Pin<&Self>) {
        if self.phase.get() == Phase::Open {
            self.stop_timer();
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let is_deadline = self.is_timed.get() && self.phase.get() == Phase::Open;
        is_deadline.then(|| self.timer.deadline())
    }

    fn timer(self: Pin<&Self>) -> Pin<&Sleep> {
        pinned!(self, timer)
    }

    fn stop_timer(self: Pin<&Self>) {
        self.is_timed.set(false);
        self.timer().disarm();
    }
}

/// For the scope's future alone.
impl<E> Shared<'_, E> {
    /// Whether what is left is to be dropped now. It is asked after each poll, so the end begins here.
    pub(super) fn is_cut_due(self: Pin<&Self>) -> bool {
        match self.phase.get() {
            Phase::Open => {
                self.hear_token();
                self.cause.get().is_some() && !self.begin_grace()
            }
            Phase::Grace => self.is_grace_over.get() || self.grace.get().is_zero(),
            Phase::Over => true,
        }
    }

    /// `false`: there is none.
    fn begin_grace(self: Pin<&Self>) -> bool {
        let grace = self.grace.get();
        if grace.is_zero() {
            return false;
        }
        self.phase.set(Phase::Grace);
        self.is_timed.set(true);
        self.timer().restart(grace);
        true
    }

    /// Looks at the deadline, or at the end of the grace, and waits for it; `true`: it has come.
    pub(super) fn poll_timer(self: Pin<&Self>, cx: &Context<'_>) -> bool {
        if !self.is_timed.get() || self.timer().poll_elapsed(cx).is_pending() {
            return false;
        }
        self.is_timed.set(false);
        match self.phase.get() {
            Phase::Open => self.end(Cause::Deadline),
            Phase::Grace => self.is_grace_over.set(true),
            Phase::Over => {}
        }
        true
    }

    /// Waits for the token, if there is one and nothing else has begun the end.
    pub(super) fn poll_token(&self, cx: &Context<'_>) {
        let Some(token) = self.token.get() else {
            return;
        };
        if self.cause.get().is_some() {
            return;
        }
        let watch = self.watch.get_or_init(|| Box::pin(token.cancelled()));
        if let Poll::Ready(reason) = watch.as_ref().poll_cancelled(cx) {
            self.end(Cause::Asked(reason));
        }
    }

    /// The scope has ended: nothing of it waits any more.
    pub(super) fn close(self: Pin<&Self>) {
        self.phase.set(Phase::Over);
        self.stop_timer();
    }

    /// The errors, in order.
    pub(super) fn take_errors(&self) -> Vec<E> {
        self.errors.take()
    }

    /// Why the scope was to end, and whether the body had returned by then.
    pub(super) fn cause(&self) -> Option<(Cause, bool)> {
        self.cause
            .get()
            .map(|cause| (cause.clone(), self.came_late.get()))
    }
}
