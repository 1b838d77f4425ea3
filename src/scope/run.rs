//! The future of a scope: polls the body, then the children that are ready, until all have ended.
//!
//! *Model.* One poll, whose steps are the body of [`Run::turn`]:
//!
//! ```text
//!   is the end due? ─► body, as the parent task ─► batch of children, each once ─► all ended? ─► deadline
//!        │ yes                                        first in first out              │ yes
//!        └──────────► drop the children in spawn order, then the body ────────────────┴──► result
//! ```
//!
//! The batch is what stood in the queue as the poll began, cut where the loop's turn is due; what is left,
//! and what became ready meanwhile, wakes the parent for a later tick.
//!
//! *Unwinding.* While a poll is under way the children's keeper is on its stack, so whatever unwinds through
//! it drops them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Scope;
use super::error::ScopeError;
use super::shared::{Cause, Shared};
use crate::context;
use crate::pin::{Plain, pinned_mut};
use crate::task::children::{Keeper, Ran};

/// A scope whose body begins with `F` and is `B`.
pub(super) struct Run<'env, T, E, F, B> {
    start: Plain<Option<F>>,
    location: &'static Location<'static>,
    body: Option<B>,
    /// From the first poll to the last.
    group: Plain<Option<Group<'env, E>>>,
    /// What the body returned, while children go on.
    value: Plain<Option<T>>,
}

struct Group<'env, E> {
    keeper: Keeper<'env>,
    shared: Pin<Rc<Shared<'env, E>>>,
    /// Something unfinished was dropped.
    was_cut: bool,
}

impl<'env, T, E, F, B> Run<'env, T, E, F, B>
where
    F: FnOnce(Scope<'env, E>) -> B,
    B: Future,
{
    pub(super) fn new(start: F, location: &'static Location<'static>) -> Run<'env, T, E, F, B> {
        Run {
            start: Plain(Some(start)),
            location,
            body: None,
            group: Plain(None),
            value: Plain(None),
        }
    }

    /// Polls the scope; `judge` tells a body's value from its error.
    pub(super) fn poll_with(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        judge: fn(B::Output) -> Result<T, E>,
    ) -> Poll<Result<T, ScopeError<E>>> {
        if let Some(group) = &self.group.0 {
            assert!(
                group.keeper.is_at_home(),
                "a scope was polled outside of the loop in which it began"
            );
        }
        let mut group = match pinned_mut!(self.as_mut(), group).get().take() {
            Some(group) => group,
            None => self.as_mut().begin(),
        };
        if self.as_mut().turn(&mut group, cx, judge).is_ready() {
            let value = pinned_mut!(self, value).get().take();
            return Poll::Ready(conclude(group, value));
        }
        group.keeper.end_poll(cx);
        *pinned_mut!(self, group).get() = Some(group);
        Poll::Pending
    }

    /// The first poll: the scope belongs to the loop that is entered.
    fn begin(mut self: Pin<&mut Self>) -> Group<'env, E> {
        let Some(start) = pinned_mut!(self.as_mut(), start).get().take() else {
            panic!("a scope was polled again after it had ended");
        };
        let Some(keeper) = Keeper::new(self.location) else {
            *pinned_mut!(self, start).get() = Some(start);
            panic!("a scope must be polled inside a running loop");
        };
        let shared = Shared::new(keeper.entry());
        let body = start(Scope::new(Pin::clone(&shared)));
        pinned_mut!(self, body).set(Some(body));
        Group {
            keeper,
            shared,
            was_cut: false,
        }
    }

    fn turn(
        mut self: Pin<&mut Self>,
        group: &mut Group<'env, E>,
        cx: &mut Context<'_>,
        judge: fn(B::Output) -> Result<T, E>,
    ) -> Poll<()> {
        let batch = group.keeper.begin_poll();
        group.keeper.take_news();
        if group.is_cut_due() {
            return self.cut(group);
        }
        if !self.as_mut().poll_body(group, cx, judge) {
            return self.cut(group);
        }
        if group.is_cut_due() || group.run(batch) {
            return self.cut(group);
        }
        group.keeper.take_news();
        loop {
            if self.body.is_none() && group.keeper.is_empty() {
                return Poll::Ready(());
            }
            if group.is_cut_due() {
                return self.cut(group);
            }
            if !group.shared.as_ref().poll_timer(cx) {
                break;
            }
        }
        group.shared.poll_token(cx);
        Poll::Pending
    }

    /// `false`: it panicked.
    fn poll_body(
        mut self: Pin<&mut Self>,
        group: &Group<'env, E>,
        cx: &mut Context<'_>,
        judge: fn(B::Output) -> Result<T, E>,
    ) -> bool {
        let Some(body) = pinned_mut!(self.as_mut(), body).as_pin_mut() else {
            return true;
        };
        let output = match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
            Ok(Poll::Pending) => return true,
            Ok(Poll::Ready(output)) => output,
            Err(payload) => {
                group.keeper.keep_panic("the body of a scope", payload);
                return false;
            }
        };
        group.shared.body_is_done();
        match judge(output) {
            Ok(value) => *pinned_mut!(self.as_mut(), value).get() = Some(value),
            Err(error) => group.shared.fail(error),
        }
        self.drop_body(group)
    }

    /// `false`: it panicked in that.
    fn drop_body(self: Pin<&mut Self>, group: &Group<'env, E>) -> bool {
        let mut body = pinned_mut!(self, body);
        match catch_unwind(AssertUnwindSafe(|| body.set(None))) {
            Ok(()) => true,
            Err(payload) => {
                group
                    .keeper
                    .keep_panic("the body of a scope, as it was dropped,", payload);
                false
            }
        }
    }

    /// Drops what is left: the children in spawn order, then the body.
    fn cut(self: Pin<&mut Self>, group: &mut Group<'env, E>) -> Poll<()> {
        let had_children = group.keeper.drop_all();
        group.was_cut = had_children || self.body.is_some();
        self.drop_body(group);
        Poll::Ready(())
    }
}

impl<E> Group<'_, E> {
    fn is_cut_due(&self) -> bool {
        if self.keeper.has_panicked() {
            self.shared.end(Cause::Failure);
        }
        self.shared.as_ref().is_cut_due()
    }

    /// Runs `batch` children, but no more than the turn allows; one in any case, or a scope that always
    /// comes last in its turn would never go on. `true`: what is left is to be dropped.
    fn run(&self, batch: usize) -> bool {
        let end = self.keeper.polls_end();
        for count in 0..batch {
            if count > 0 && self.keeper.polls() >= end {
                return false;
            }
            let ran = self.keeper.run_next();
            if ran == Ran::Nothing {
                return false;
            }
            if self.keeper.has_news() && self.is_cut_due() {
                return true;
            }
            if ran == Ran::LookDue && has_polled_for_long() {
                return false;
            }
        }
        false
    }
}

fn has_polled_for_long() -> bool {
    context::current().is_some_and(|event_loop| event_loop.has_polled_for_long())
}

/// What a scope that has ended leaves: a panic, or else errors, or else a value, or why there is none.
///
/// A body that was still running when the end was asked for, and returned all the same, has decided: its value
/// counts. Where it had returned before, children that were cut off make it none.
fn conclude<T, E>(group: Group<'_, E>, value: Option<T>) -> Result<T, ScopeError<E>> {
    group.keeper.drop_all();
    group.shared.as_ref().close();
    let panic = group.keeper.take_panic();
    let (errors, cause) = (group.shared.take_errors(), group.shared.cause());
    let was_cut = group.was_cut;
    drop(group);
    if let Some(escaped) = panic {
        drop((value, errors));
        resume_unwind(escaped.payload);
    }
    if !errors.is_empty() {
        return Err(ScopeError::Failed(errors));
    }
    match (value, cause) {
        (Some(value), None) => Ok(value),
        (Some(value), Some((_, came_late))) if !(was_cut && came_late) => Ok(value),
        (_, Some((Cause::Asked(reason), _))) => Err(ScopeError::Cancelled(reason)),
        (_, Some((Cause::Deadline, _))) => Err(ScopeError::TimedOut),
        (_, Some((Cause::Failure, _)) | None) => {
            unreachable!("a failure leaves an error or a panic, a body leaves a value")
        }
    }
}

impl<T, E, F, B> Drop for Run<'_, T, E, F, B> {
    /// The children go before the body.
    fn drop(&mut self) {
        if let Some(group) = &self.group.0 {
            group.keeper.drop_all();
            group.shared.as_ref().close();
        }
    }
}
