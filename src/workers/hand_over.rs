//! `HandOver`: items from one worker to another.

use std::fmt;

#[cfg(feature = "sim")]
use crate::channel::thread;
use crate::channel::thread::{FarSendItem, FarSender, NearReceiver, NearRecv};
use crate::channel::{TryRecvError, TrySendError};

/// All of them but its own.
pub(super) fn peers_of<M>(own: usize, all: &[FarSender<M>]) -> Vec<Option<FarSender<M>>> {
    let all = all.iter().enumerate();
    all.map(|(index, sender)| (index != own).then(|| sender.clone()))
        .collect()
}

/// One worker's part in the exchange: what the others hand to it, and the way to each of them.
///
/// Items from one worker to another come in the order in which they were handed over. When a worker ends, what waits
/// for it is dropped, and whoever hands over to it gets the item back.
pub struct HandOver<M> {
    pub(super) received: NearReceiver<M>,
    /// By index. Not to itself, so that it learns when the others are gone.
    pub(super) peers: Vec<Option<FarSender<M>>>,
}

impl<M> HandOver<M> {
    /// The hand-overs of `count` workers that are all in one loop: for tests of what is written with them.
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[cfg(feature = "sim")]
    #[must_use]
    #[track_caller]
    pub fn among(count: usize, capacity: usize) -> Vec<HandOver<M>> {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| thread::bounded(capacity)).unzip();
        let own = |(own, received): (usize, _)| HandOver {
            received,
            peers: peers_of(own, &senders),
        };
        receivers.into_iter().enumerate().map(own).collect()
    }

    /// Waits for an item; `None`, once all the others have ended, or [finished](HandOver::finish), and nothing is left.
    ///
    /// # Cancel safety
    /// Safe: an item is taken when the call returns it, and not before.
    #[track_caller]
    pub fn recv(&mut self) -> NearRecv<'_, M> {
        self.received.recv()
    }

    /// Takes an item that is there.
    ///
    /// # Errors
    /// That there is none, or that there will be none any more.
    pub fn try_recv(&mut self) -> Result<M, TryRecvError> {
        self.received.try_recv()
    }

    /// Hands `item` to the worker with this index; waits while too much waits for that one.
    ///
    /// # Cancel safety
    /// Loses its place in line; the item is dropped with the future.
    ///
    /// # Errors
    /// The item, if that worker has ended.
    ///
    /// # Panics
    /// If there is no such worker, or if it is this one (serve it here), or after [`HandOver::finish`].
    #[track_caller]
    pub fn send_to(&self, index: usize, item: M) -> FarSendItem<'_, M> {
        self.peer(index).send(item)
    }

    /// As [`HandOver::send_to`], without a wait.
    ///
    /// # Errors
    /// The item, if there is no room, or if that worker has ended.
    ///
    /// # Panics
    /// As for [`HandOver::send_to`].
    #[track_caller]
    pub fn try_send_to(&self, index: usize, item: M) -> Result<(), TrySendError<M>> {
        self.peer(index).try_send(item)
    }

    /// Hands over nothing more: the others need not wait for this worker. Several that only receive would else wait
    /// for each other.
    pub fn finish(&mut self) {
        self.peers.fill_with(|| None);
    }

    #[track_caller]
    fn peer(&self, index: usize) -> &FarSender<M> {
        let peer = self.peers.get(index).and_then(Option::as_ref);
        peer.expect("the index must be that of another worker, and nothing finished")
    }
}

impl<M> fmt::Debug for HandOver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver")
            .field("waiting", &self.received.len())
            .finish_non_exhaustive()
    }
}
