//! The futures that await a list: what `join!`, `try_join!`, `race!` and `select!` wait in.
//!
//! *Cost.* Nothing is allocated, and no waker is made: each poll polls all that are not done, which for the
//! few futures that a macro is given costs less than to know who was woken.

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::list::{JoinList, RaceList, SelectList, TryJoinList, Turn};
use crate::pin::{Plain, pinned_mut};
use crate::task::core::Core;

thread_local! {
    /// Where no loop runs, somebody else's runtime polls a `select!`: a state for it.
    static ELSEWHERE: Cell<u64> = const { Cell::new(0) };
}

/// Waits for all of a list. Made by [`join!`](crate::join!).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct JoinEach<L> {
    list: L,
    start: Plain<usize>,
}

/// Waits for all of a list.
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
pub fn join_list<L: JoinList>(list: L) -> JoinEach<L> {
    JoinEach {
        list,
        start: Plain(0),
    }
}

impl<L: JoinList> Future for JoinEach<L> {
    type Output = L::Outputs;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L::Outputs> {
        let mut turn = Turn::beginning_at(self.start.0);
        let mut is_done = pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn);
        let turn = match turn.rest() {
            Err(turn) => turn,
            Ok(mut turn) => {
                is_done &= pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn);
                turn
            }
        };
        if is_done {
            return Poll::Ready(pinned_mut!(self, list).take());
        }
        *pinned_mut!(self, start).get() = turn.next_start();
        Poll::Pending
    }
}

/// Waits for all of a list, or for the first error. Made by [`try_join!`](crate::try_join!).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct TryJoinEach<L, E> {
    list: L,
    start: Plain<usize>,
    _error: Plain<PhantomData<fn() -> E>>,
}

/// Waits for all of a list, or for the first error.
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
pub fn try_join_list<L: TryJoinList<E>, E>(list: L) -> TryJoinEach<L, E> {
    TryJoinEach {
        list,
        start: Plain(0),
        _error: Plain(PhantomData),
    }
}

impl<L: TryJoinList<E>, E> Future for TryJoinEach<L, E> {
    type Output = Result<L::Outputs, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut turn = Turn::beginning_at(self.start.0);
        let mut is_done = match pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn) {
            Ok(is_done) => is_done,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let turn = match turn.rest() {
            Err(turn) => turn,
            Ok(mut turn) => {
                match pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn) {
                    Ok(is_rest_done) => is_done &= is_rest_done,
                    Err(error) => return Poll::Ready(Err(error)),
                }
                turn
            }
        };
        if is_done {
            return Poll::Ready(pinned_mut!(self, list).take());
        }
        *pinned_mut!(self, start).get() = turn.next_start();
        Poll::Pending
    }
}

/// Waits for the first of a list. Made by [`race!`](crate::race!).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Race<L, T> {
    list: L,
    start: Plain<usize>,
    _output: Plain<PhantomData<fn() -> T>>,
}

/// Waits for the first of a list.
///
/// # Cancel safety
/// Safe, if each of the futures is: an output is returned in the poll that makes it.
pub fn race_list<L: RaceList<T>, T>(list: L) -> Race<L, T> {
    Race {
        list,
        start: Plain(0),
        _output: Plain(PhantomData),
    }
}

impl<L: RaceList<T>, T> Future for Race<L, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut turn = Turn::beginning_at(self.start.0);
        let mut first = pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn);
        let turn = match turn.rest() {
            Ok(mut turn) if first.is_pending() => {
                first = pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn);
                turn
            }
            Ok(turn) | Err(turn) => turn,
        };
        *pinned_mut!(self, start).get() = turn.next_start();
        first
    }
}

/// Waits for the first branch. Made by [`select!`](crate::select!).
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Select<L> {
    list: L,
    is_biased: bool,
}

/// Waits for the first branch that fits; `None` if all are disabled.
///
/// # Cancel safety
/// Safe, if each of the futures is: an output is returned in the poll that makes it.
pub fn select_list<L: SelectList>(is_biased: bool, list: L) -> Select<L> {
    Select { list, is_biased }
}

impl<L: SelectList> Future for Select<L> {
    type Output = Option<L::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let start = if self.is_biased {
            0
        } else {
            random_below(L::COUNT)
        };
        let mut turn = Turn::beginning_at(start);
        if let Poll::Ready(output) = pinned_mut!(self.as_mut(), list).poll_turn(cx, 0, &mut turn) {
            return Poll::Ready(Some(output));
        }
        let turn = match turn.rest() {
            Err(turn) => turn,
            Ok(mut turn) => {
                let rest = pinned_mut!(self, list).poll_turn(cx, 0, &mut turn);
                if let Poll::Ready(output) = rest {
                    return Poll::Ready(Some(output));
                }
                turn
            }
        };
        if turn.is_open() {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    }
}

/// A number below `count`, or 0: of the loop that runs here, or else of this thread.
fn random_below(count: usize) -> usize {
    if count < 2 {
        return 0;
    }
    let of_loop = Core::with_current(|core| core.map(Core::random));
    let random = of_loop.unwrap_or_else(|| ELSEWHERE.with(|next| next.replace(next.get() + 1)));
    (random % count as u64) as usize
}

/// Every branch of a `select!` is disabled, and it has no `else`.
#[cold]
#[track_caller]
pub fn no_branch() -> ! {
    panic!("every branch of a select! is disabled, and it has no else branch")
}
