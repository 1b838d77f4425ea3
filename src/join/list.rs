//! The futures of a macro, as a list: each beside the rest, all in one value.
//!
//! *Model.* `join!(a, b, c)` writes `both(slot(a), both(slot(b), both(slot(c), End)))`: no allocation, any number,
//! any types. Each use of such a list is a trait, which [`Both`] and [`End`] implement. A walk over the list
//! is a recursion that the compiler unrolls; it counts the place as it goes, for a [`Turn`] may begin anywhere.
//!
//! *Drop order.* That of the fields, so that of the arguments.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::pin::{Plain, pinned_mut};
use crate::task::budget;

/// One of the list, and the rest of it.
#[derive(Debug)]
pub struct Both<S, R> {
    first: S,
    rest: R,
}

/// The end of the list.
#[derive(Debug)]
pub struct End;

/// A list of `first` and `rest`.
pub fn both<S, R>(first: S, rest: R) -> Both<S, R> {
    Both { first, rest }
}

/// One walk over a list: which places it covers, and where the next should begin.
#[derive(Debug)]
pub struct Turn {
    from: usize,
    to: usize,
    next: Option<usize>,
    /// Whether it met a branch that is not disabled.
    is_open: bool,
}

impl Turn {
    /// From `start` to the end; [`Turn::rest`] follows.
    pub(super) fn beginning_at(start: usize) -> Turn {
        Turn {
            from: start,
            to: usize::MAX,
            next: None,
            is_open: false,
        }
    }

    /// The places before `start`. `None` if there are none.
    pub(super) fn rest(mut self) -> Result<Turn, Turn> {
        if self.from == 0 {
            return Err(self);
        }
        self.to = self.from;
        self.from = 0;
        Ok(self)
    }

    /// Where the next poll should begin: behind whoever spent the budget, else at the front.
    pub(super) fn next_start(&self) -> usize {
        self.next.unwrap_or(0)
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    fn covers(&self, place: usize) -> bool {
        self.from <= place && place < self.to
    }

    /// The one at `place` was polled.
    fn note(&mut self, place: usize) {
        if self.next.is_none() && !budget::has_budget_remaining() {
            self.next = Some(place + 1);
        }
    }
}

/// A list whose places are counted.
pub trait Places {
    /// How many there are.
    const COUNT: usize;
}

impl Places for End {
    const COUNT: usize = 0;
}

impl<S, R: Places> Places for Both<S, R> {
    const COUNT: usize = 1 + R::COUNT;
}

/// A future, and what it gave; the future is dropped as soon as it is done.
#[derive(Debug)]
pub struct Slot<F: Future> {
    future: Option<F>,
    output: Plain<Option<F::Output>>,
}

/// A slot for `future`.
pub fn slot<F: IntoFuture>(future: F) -> Slot<F::IntoFuture> {
    Slot::new(future.into_future())
}

impl<F: Future> Slot<F> {
    pub(super) fn new(future: F) -> Slot<F> {
        Slot {
            future: Some(future),
            output: Plain(None),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.future.is_none()
    }

    /// Polls the future, unless it is done. Says whether it is.
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let Some(future) = pinned_mut!(self.as_mut(), future).as_pin_mut() else {
            return true;
        };
        let Poll::Ready(output) = future.poll(cx) else {
            return false;
        };
        *self.as_mut().output() = Some(output);
        pinned_mut!(self, future).set(None);
        true
    }

    pub(super) fn output(self: Pin<&mut Self>) -> &mut Option<F::Output> {
        pinned_mut!(self, output).get()
    }

    pub(super) fn take(self: Pin<&mut Self>) -> F::Output {
        let output = self.output().take();
        output.expect("an output is taken once, when it is there")
    }
}

/// What `join!` does with a list.
pub trait JoinList {
    /// Of all of them, each beside the rest.
    type Outputs;

    /// Polls those that are not done. Says whether all that the turn covers are.
    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>, place: usize, turn: &mut Turn)
    -> bool;

    /// The outputs of a list that is done.
    fn take(self: Pin<&mut Self>) -> Self::Outputs;
}

impl JoinList for End {
    type Outputs = ();

    fn poll_turn(self: Pin<&mut Self>, _: &mut Context<'_>, _: usize, _: &mut Turn) -> bool {
        true
    }

    fn take(self: Pin<&mut Self>) {}
}

impl<F: Future, R: JoinList> JoinList for Both<Slot<F>, R> {
    type Outputs = (F::Output, R::Outputs);

    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> bool {
        let mut is_done = true;
        if turn.covers(place) && !self.first.is_done() {
            is_done = pinned_mut!(self.as_mut(), first).poll(cx);
            turn.note(place);
        }
        pinned_mut!(self, rest).poll_turn(cx, place + 1, turn) && is_done
    }

    fn take(mut self: Pin<&mut Self>) -> Self::Outputs {
        let first = pinned_mut!(self.as_mut(), first).take();
        (first, pinned_mut!(self, rest).take())
    }
}

/// What `try_join!` does with a list.
pub trait TryJoinList<E> {
    /// Of all of them, each beside the rest.
    type Outputs;

    /// Polls those that are not done, until one fails. Says whether all that the turn covers are done.
    fn poll_turn(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Result<bool, E>;

    /// The outputs of a list that is done; none of them failed.
    fn take(self: Pin<&mut Self>) -> Result<Self::Outputs, E>;
}

impl<E> TryJoinList<E> for End {
    type Outputs = ();

    fn poll_turn(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: usize,
        _: &mut Turn,
    ) -> Result<bool, E> {
        Ok(true)
    }

    fn take(self: Pin<&mut Self>) -> Result<(), E> {
        Ok(())
    }
}

impl<F, T, E, R> TryJoinList<E> for Both<Slot<F>, R>
where
    F: Future<Output = Result<T, E>>,
    R: TryJoinList<E>,
{
    type Outputs = (T, R::Outputs);

    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Result<bool, E> {
        let mut is_done = true;
        if turn.covers(place) && !self.first.is_done() {
            is_done = pinned_mut!(self.as_mut(), first).poll(cx);
            turn.note(place);
            take_error(pinned_mut!(self.as_mut(), first).output())?;
        }
        Ok(pinned_mut!(self, rest).poll_turn(cx, place + 1, turn)? && is_done)
    }

    fn take(mut self: Pin<&mut Self>) -> Result<Self::Outputs, E> {
        let first = pinned_mut!(self.as_mut(), first).take()?;
        Ok((first, pinned_mut!(self, rest).take()?))
    }
}

/// Takes an output that is an error; leaves any other.
pub(super) fn take_error<T, E>(output: &mut Option<Result<T, E>>) -> Result<(), E> {
    match output.take() {
        Some(Err(error)) => Err(error),
        other => {
            *output = other;
            Ok(())
        }
    }
}

/// What `race!` does with a list.
pub trait RaceList<T> {
    /// Polls them, until one is done.
    fn poll_turn(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Poll<T>;
}

impl<T> RaceList<T> for End {
    fn poll_turn(self: Pin<&mut Self>, _: &mut Context<'_>, _: usize, _: &mut Turn) -> Poll<T> {
        Poll::Pending
    }
}

impl<F: Future, R: RaceList<F::Output>> RaceList<F::Output> for Both<Slot<F>, R> {
    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Poll<F::Output> {
        if turn.covers(place) {
            if pinned_mut!(self.as_mut(), first).poll(cx) {
                return Poll::Ready(pinned_mut!(self, first).take());
            }
            turn.note(place);
        }
        pinned_mut!(self, rest).poll_turn(cx, place + 1, turn)
    }
}

/// A branch of `select!`: its future, unless it is disabled, and whether an output fits its pattern.
pub struct Branch<F, M> {
    future: Option<F>,
    test: Plain<M>,
}

impl<F: std::fmt::Debug, M> std::fmt::Debug for Branch<F, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branch")
            .field("future", &self.future)
            .finish_non_exhaustive()
    }
}

/// A branch of `future`, or one that is disabled; `test` gives an output back, as `Ok` if it fits.
pub fn branch<F, M>(future: Option<F>, test: M) -> Branch<F::IntoFuture, M>
where
    F: IntoFuture,
    M: Fn(F::Output) -> Result<F::Output, F::Output>,
{
    Branch {
        future: future.map(IntoFuture::into_future),
        test: Plain(test),
    }
}

/// Which branch of `select!` is done, and its output.
#[derive(Debug)]
pub enum Selected<T, R> {
    /// The first of the list.
    First(T),
    /// One of the rest.
    Later(R),
}

/// What `select!` does with a list.
pub trait SelectList: Places {
    /// The output of one of them.
    type Output;

    /// Polls those that are not disabled, until one is done.
    fn poll_turn(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Poll<Self::Output>;
}

impl SelectList for End {
    type Output = std::convert::Infallible;

    fn poll_turn(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: usize,
        _: &mut Turn,
    ) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl<F, M, R> SelectList for Both<Branch<F, M>, R>
where
    F: Future,
    M: Fn(F::Output) -> Result<F::Output, F::Output>,
    R: SelectList,
{
    type Output = Selected<F::Output, R::Output>;

    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: usize,
        turn: &mut Turn,
    ) -> Poll<Self::Output> {
        if turn.covers(place) {
            let mut branch = pinned_mut!(self.as_mut(), first);
            if let Some(future) = pinned_mut!(branch.as_mut(), future).as_pin_mut() {
                match future.poll(cx) {
                    Poll::Pending => turn.is_open = true,
                    Poll::Ready(output) => match (branch.test.0)(output) {
                        Ok(output) => return Poll::Ready(Selected::First(output)),
                        Err(_) => pinned_mut!(branch, future).set(None),
                    },
                }
            }
        }
        let rest = pinned_mut!(self, rest).poll_turn(cx, place + 1, turn);
        rest.map(Selected::Later)
    }
}
