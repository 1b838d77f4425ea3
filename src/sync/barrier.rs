//! `Barrier`: so many tasks wait for each other, and go on together.
//!
//! *Model.*
//!
//! ```text
//!   filling: 2 of 3 ── the third comes ──► all three go on, and the next round fills
//!       │  ▲ │ abort, or reset
//!       │  │ └──► those who wait get an error; after an abort so does everybody, until a reset
//!       └──┘ one is dropped: 1 of 3
//! ```
//!
//! A round that is complete is handed to each of its tasks, so nobody of the next round can be in its
//! way, and one that is dropped afterwards takes nobody along. There is no state of draining.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::line::{Line, Place, Who};
use crate::pin::pinned;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitQueue};

/// So many tasks wait for each other, round after round.
///
/// ```
/// use mainspring::sync::Barrier;
/// use std::rc::Rc;
/// # mainspring::run(async {
/// let barrier = Rc::new(Barrier::new(3));
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let barrier = Rc::clone(&barrier);
///         mainspring::spawn(async move { barrier.wait().await.unwrap().is_leader() })
///     })
///     .collect();
/// let mut leaders = 0;
/// for task in tasks {
///     leaders += u32::from(task.await.unwrap());
/// }
/// assert_eq!(leaders, 1);
/// # }).unwrap();
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>(_: T) {}
/// sync(mainspring::sync::Barrier::new(2));
/// ```
pub struct Barrier {
    parties: usize,
    /// How many of this round wait.
    arrived: Cell<usize>,
    is_broken: Cell<bool>,
    /// The round that is filled now; who stands in the line knows its own.
    round: Cell<u64>,
    /// How the last round ended: the next number to be given, or an error.
    ended: Cell<Result<usize, BarrierBroken>>,
    waiters: WaitQueue<Result<BarrierTurn, BarrierBroken>, u64>,
    tag: Tag,
}

impl Barrier {
    /// A barrier for `parties` tasks.
    ///
    /// # Panics
    /// If that is 0: nobody would ever come to open it.
    #[must_use]
    #[track_caller]
    pub const fn new(parties: usize) -> Barrier {
        assert!(parties > 0, "a barrier of no parties would never open");
        Barrier {
            parties,
            arrived: Cell::new(0),
            is_broken: Cell::new(false),
            round: Cell::new(0),
            ended: Cell::new(Ok(0)),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }
    }

    /// Waits for the others. Whoever comes last is the leader of the round, and does not wait.
    ///
    /// # Cancel safety
    /// Loses its place in line: while the round is not complete, the barrier waits for one more again. A round
    /// that was complete stays so.
    ///
    /// # Errors
    /// The future gives [`BarrierBroken`], if the barrier was aborted, or is reset while this waits.
    #[track_caller]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait {
            place: Place::new(self, 0, Kind::Barrier, Location::caller()),
        }
    }

    /// Breaks the barrier: who waits gets an error, in line, and so does who comes later, until a
    /// [`Barrier::reset`].
    pub fn abort(&self) {
        self.is_broken.set(true);
        self.end_round(Err(BarrierBroken));
    }

    /// A new round, also of a broken barrier: who waits in the one that was begun gets an error.
    pub fn reset(&self) {
        self.is_broken.set(false);
        self.end_round(Err(BarrierBroken));
    }

    /// Whether it was aborted, and not reset since.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    /// For how many it is.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> BarrierStatistics {
        BarrierStatistics {
            parties: self.parties,
            waiters: self.arrived.get(),
            is_broken: self.is_broken.get(),
        }
    }

    /// The round ends so, for all who wait in it.
    fn end_round(&self, ended: Result<usize, BarrierBroken>) {
        // A waker of a stranger may have called us while the round before was being told.
        self.tell_last_round();
        self.arrived.set(0);
        self.round.set(self.round.get() + 1);
        self.ended.set(ended);
        self.tell_last_round();
    }

    /// Hands to each of those in line whose round is over how it ended.
    fn tell_last_round(&self) {
        let parties = self.parties;
        while let Some(round) = self.waiters.first_or(|_| true) {
            if round == self.round.get() {
                return;
            }
            let ended = self.ended.get();
            self.ended.set(ended.map(|index| index + 1));
            let turn = ended.map(|index| BarrierTurn { index, parties });
            // Somebody is there, so nothing comes back.
            let _ = self.waiters.give(turn);
        }
    }
}

impl Line for Barrier {
    type Handed = Result<BarrierTurn, BarrierBroken>;
    type Request = u64;

    fn waiters(&self) -> &WaitQueue<Self::Handed, u64> {
        &self.waiters
    }

    fn has(&self, _: u64) -> bool {
        self.is_broken.get() || self.arrived.get() + 1 == self.parties
    }

    fn take(&self, _: u64) -> Self::Handed {
        if self.is_broken.get() {
            return Err(BarrierBroken);
        }
        self.end_round(Ok(0));
        let parties = self.parties;
        let index = parties - 1;
        Ok(BarrierTurn { index, parties })
    }

    fn serve(&self) -> bool {
        let ended = if self.is_broken.get() {
            Err(BarrierBroken)
        } else {
            Ok(0)
        };
        let is_over =
            self.arrived.get() == self.parties || ended.is_err() && self.arrived.get() > 0;
        if is_over {
            self.end_round(ended);
        }
        is_over
    }

    /// Its round goes on without it.
    fn word(&self) -> u64 {
        self.tag.number()
    }

    fn joined(&self, _: u64) -> u64 {
        self.arrived.set(self.arrived.get() + 1);
        // Who came last may come again.
        self.tag
            .set_peer(Peer::last_seen(Who::is_polled_now().task));
        self.round.get()
    }

    fn left(&self, round: u64) {
        if round == self.round.get() {
            self.arrived.set(self.arrived.get() - 1);
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("arrived", &self.arrived.get())
            .field("is_broken", &self.is_broken.get())
            .finish_non_exhaustive()
    }
}

/// What each task of a complete round gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierTurn {
    index: usize,
    parties: usize,
}

impl BarrierTurn {
    /// Its place in the order in which the tasks of the round came; each number from 0 on is given once.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether it came last: of each round, one did.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.index + 1 == self.parties
    }
}

/// The barrier was aborted, or reset while a task waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierBroken;

impl fmt::Display for BarrierBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted or reset")
    }
}

impl std::error::Error for BarrierBroken {}

/// What [`Barrier::statistics`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierStatistics {
    /// For how many it is.
    pub parties: usize,
    /// How many of this round wait.
    pub waiters: usize,
    /// Whether it was aborted, and not reset since.
    pub is_broken: bool,
}

/// Waits for the others at a barrier. Made by [`Barrier::wait`].
///
/// # Cancel safety
/// Loses its place in line: while the round is not complete, the barrier waits for one more again. A round
/// that was complete stays so.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BarrierWait<'a> {
    place: Place<&'a Barrier>,
}

impl Future for BarrierWait<'_> {
    type Output = Result<BarrierTurn, BarrierBroken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pinned!(self.as_ref(), place).poll(cx)
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait")
            .field("is_waiting", &self.place.is_waiting())
            .finish_non_exhaustive()
    }
}
