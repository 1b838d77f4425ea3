//! `Shared`: what the halves of a channel between threads have in common, under one lock.
//!
//! *Role.* All four kinds of halves are thin: what they do to the channel is done here.
//!
//! *Model.* Items stand in one queue. Beside it two lines ([`Line`]): who waits for an item, and who waits
//! for room. An item that comes is promised to the first who waits for one, room that is made to the
//! first who waits for that; what is promised is not taken by anybody else.
//!
//! ```text
//!      senders ──push──► items ──pop──► receivers
//!         ▲                                 ▲
//!       room: Line ◄──grant── pop         wanted: Line ◄──grant── push
//! ```
//!
//! *The lock* is held for a few moves. No user code runs under it: wakers are cloned before and called and
//! dropped after, items are dropped after. So it can't be poisoned, and nobody waits for somebody's `Drop`.
//!
//! *One wake per sleep.* Who was granted something has no waker here until it was polled and waits again.
//!
//! *Why a lock and not a lock-free queue.* The loop's receiver takes the whole queue at once, so the lock
//! is taken once per batch there, and senders contend with each other for a push of a few instructions.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::line::{Left, Line};
use super::wakes::{Wakes, drop_waker, wake};
use crate::channel::error::{SendError, TryRecvError, TrySendError};
use crate::shim::{self, Mutex, MutexGuard};
use crate::task::raw::waker_wake;

/// A queue that has grown beyond this gives its memory back when it is empty and somebody waits.
const KEPT_MAX: usize = 1024;

/// The capacity of a channel that has no bound.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// Which kind of half comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Sends,
    Receives,
}

pub(super) struct Shared<T>(Mutex<State<T>>);

struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// Who waits for an item.
    wanted: Line,
    /// Who waits for room.
    room: Line,
    senders: usize,
    receivers: usize,
    is_closed: bool,
}

/// The item of a send that is not done.
fn taken<T>(item: &mut Option<T>) -> T {
    item.take()
        .expect("a send was polled again after it had returned its result")
}

/// The memory of an empty queue that has grown large, to be dropped when the lock is free.
fn give_back<T>(queue: &mut VecDeque<T>) -> VecDeque<T> {
    if queue.capacity() > KEPT_MAX {
        mem::take(queue)
    } else {
        VecDeque::new()
    }
}

impl<T> State<T> {
    /// Whether nothing can be sent any more.
    fn refuses(&self) -> bool {
        self.is_closed || self.receivers == 0
    }

    /// Whether nothing will come any more, beside what is there.
    fn has_ended(&self) -> bool {
        self.is_closed || self.senders == 0
    }

    /// Whether there is room that was not promised to anybody.
    fn has_room(&self) -> bool {
        self.items.len().saturating_add(self.room.granted()) < self.capacity
    }

    /// Whether there is an item that was not promised to anybody.
    fn has_item(&self) -> bool {
        self.items.len() > self.wanted.granted()
    }

    /// Why there is no item.
    fn no_item(&self) -> TryRecvError {
        if self.has_ended() {
            TryRecvError::Closed
        } else {
            TryRecvError::Empty
        }
    }

    /// Says who is to be woken.
    fn push(&mut self, item: T) -> Option<Waker> {
        self.items.push_back(item);
        self.wanted.grant()
    }

    /// Room, as far as there is some, is promised to those who wait for it.
    fn grant_room(&mut self, wakes: &mut Wakes) {
        while self.has_room() {
            match self.room.grant() {
                Some(waker) => wakes.push(waker),
                None => return,
            }
        }
    }

    fn grant_items(&mut self, wakes: &mut Wakes) {
        while self.has_item() {
            match self.wanted.grant() {
                Some(waker) => wakes.push(waker),
                None => return,
            }
        }
    }

    fn line(&mut self, side: Side) -> &mut Line {
        match side {
            Side::Sends => &mut self.room,
            Side::Receives => &mut self.wanted,
        }
    }
}

impl<T> Shared<T> {
    /// A channel with one half of each kind.
    pub(super) fn new(capacity: usize) -> Shared<T> {
        Shared(Mutex::new(State {
            items: VecDeque::new(),
            capacity,
            wanted: Line::new(),
            room: Line::new(),
            senders: 1,
            receivers: 1,
            is_closed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        shim::lock(&self.0)
    }

    pub(super) fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let mut state = self.lock();
        if state.refuses() {
            return Err(TrySendError::Closed(item));
        }
        if !state.has_room() {
            return Err(TrySendError::Full(item));
        }
        let wakeup = state.push(item);
        drop(state);
        wake(wakeup);
        Ok(())
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let state = self.lock();
        if state.has_item() {
            Ok(Self::pop(state))
        } else {
            Err(state.no_item())
        }
    }

    /// Takes the first item, which is there.
    fn pop(mut state: MutexGuard<'_, State<T>>) -> T {
        let item = state.items.pop_front().expect("an item is there");
        let mut wakes = Wakes::default();
        state.grant_room(&mut wakes);
        drop(state);
        wakes.wake();
        item
    }

    fn poll_send(
        &self,
        ticket: &mut Option<u64>,
        item: &mut Option<T>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let mut clone = None;
        loop {
            let mut state = self.lock();
            if state.refuses() {
                let waker = ticket
                    .take()
                    .and_then(|ticket| state.room.leave(ticket).waker());
                drop(state);
                drop_waker(waker);
                return Poll::Ready(Err(SendError(taken(item))));
            }
            let has_room = match *ticket {
                Some(ticket) => state.room.take_grant(ticket),
                None => state.has_room(),
            };
            if has_room {
                *ticket = None;
                let wakeup = state.push(taken(item));
                drop(state);
                wake(wakeup);
                return Poll::Ready(Ok(()));
            }
            let Some(waker) = clone.take() else {
                // User code, so without the lock; then look again.
                drop(state);
                clone = Some(cx.waker().clone());
                continue;
            };
            let earlier = state.room.wait(ticket, waker);
            drop(state);
            drop_waker(earlier);
            return Poll::Pending;
        }
    }

    fn poll_recv(&self, ticket: &mut Option<u64>, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut clone = None;
        loop {
            let mut state = self.lock();
            let has_item = match *ticket {
                Some(ticket) => state.wanted.take_grant(ticket),
                None => state.has_item(),
            };
            if has_item {
                *ticket = None;
                return Poll::Ready(Some(Self::pop(state)));
            }
            if state.has_ended() {
                let waker = ticket
                    .take()
                    .and_then(|ticket| state.wanted.leave(ticket).waker());
                drop(state);
                drop_waker(waker);
                return Poll::Ready(None);
            }
            let Some(waker) = clone.take() else {
                drop(state);
                clone = Some(cx.waker().clone());
                continue;
            };
            let earlier = state.wanted.wait(ticket, waker);
            drop(state);
            drop_waker(earlier);
            return Poll::Pending;
        }
    }

    /// For the one receiver that belongs to a loop: moves items to its `batch`, which is empty. All of them
    /// if the channel has no bound; else `max`, for what is in the batch takes up room no more. `false`:
    /// there will be none.
    pub(super) fn poll_batch(
        &self,
        batch: &mut VecDeque<T>,
        max: usize,
        cx: &Context<'_>,
    ) -> Poll<bool> {
        let mut clone = None;
        loop {
            let mut state = self.lock();
            if !state.items.is_empty() {
                Self::take_batch(state, batch, max);
                return Poll::Ready(true);
            }
            if state.has_ended() {
                let waker = state.wanted.clear();
                drop(state);
                drop_waker(waker);
                return Poll::Ready(false);
            }
            let Some(waker) = clone.take() else {
                drop(state);
                clone = Some(cx.waker().clone());
                continue;
            };
            let earlier = state.wanted.clear();
            state.wanted.join(waker);
            let idle = give_back(&mut state.items);
            drop(state);
            drop_waker(earlier);
            drop((idle, give_back(batch)));
            return Poll::Pending;
        }
    }

    /// As [`Shared::poll_batch`], without a wait.
    pub(super) fn try_batch(&self, batch: &mut VecDeque<T>) -> Result<(), TryRecvError> {
        let state = self.lock();
        if !state.items.is_empty() {
            Self::take_batch(state, batch, 1);
            return Ok(());
        }
        Err(state.no_item())
    }

    fn take_batch(mut state: MutexGuard<'_, State<T>>, batch: &mut VecDeque<T>, max: usize) {
        let waker = state.wanted.clear();
        let mut wakes = Wakes::default();
        if state.capacity == UNBOUNDED {
            mem::swap(&mut state.items, batch);
        } else {
            let count = max.min(state.items.len());
            batch.extend(state.items.drain(..count));
            state.grant_room(&mut wakes);
        }
        drop(state);
        drop_waker(waker);
        wakes.wake();
    }

    /// The loop's receiver waits no more.
    pub(super) fn stop_waiting(&self) {
        let waker = self.lock().wanted.clear();
        drop_waker(waker);
    }

    /// Who had `ticket` waits no more; what was granted to it goes to the next.
    fn leave(&self, side: Side, ticket: u64) {
        let mut state = self.lock();
        let mut wakes = Wakes::default();
        let left = state.line(side).leave(ticket);
        if let Left::Grant = left {
            match side {
                Side::Sends => state.grant_room(&mut wakes),
                Side::Receives => state.grant_items(&mut wakes),
            }
        }
        drop(state);
        drop_waker(left.waker());
        wakes.wake();
    }

    /// Nothing can be sent any more; what is there can be received.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let (senders, receivers) = (state.room.end(), state.wanted.end());
        drop(state);
        senders.into_iter().chain(receivers).for_each(waker_wake);
    }

    /// One more half of this kind.
    pub(super) fn add(&self, side: Side) {
        let mut state = self.lock();
        match side {
            Side::Sends => state.senders += 1,
            Side::Receives => state.receivers += 1,
        }
    }

    /// One half less. The last one that receives takes what is there with it.
    pub(super) fn remove(&self, side: Side) {
        let mut state = self.lock();
        let (mut ended, mut items) = (Vec::new(), VecDeque::new());
        match side {
            Side::Sends => {
                state.senders -= 1;
                if state.senders == 0 {
                    ended = state.wanted.end();
                }
            }
            Side::Receives => {
                state.receivers -= 1;
                if state.receivers == 0 {
                    ended = state.room.end();
                    items = mem::take(&mut state.items);
                }
            }
        }
        drop(state);
        ended.into_iter().for_each(waker_wake);
        drop(items);
    }

    /// How many items are there.
    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// For how many items memory is kept.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn item_room(&self) -> usize {
        self.lock().items.capacity()
    }

    /// The bound, if there is one.
    pub(super) fn capacity(&self) -> Option<usize> {
        let capacity = self.lock().capacity;
        (capacity != UNBOUNDED).then_some(capacity)
    }

    /// Whether nothing can be sent, or nothing more will come.
    pub(super) fn is_closed(&self, side: Side) -> bool {
        let state = self.lock();
        match side {
            Side::Sends => state.refuses(),
            Side::Receives => state.has_ended(),
        }
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let (len, senders, receivers) = (state.items.len(), state.senders, state.receivers);
        let is_closed = state.is_closed;
        drop(state);
        f.debug_struct("Channel")
            .field("len", &len)
            .field("capacity", &self.capacity())
            .field("senders", &senders)
            .field("receivers", &receivers)
            .field("is_closed", &is_closed)
            .finish()
    }
}

/// A send that is under way. Its drop gives up its place, and what was granted to it.
pub(super) struct Sending<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<u64>,
    item: Option<T>,
}

/// Nobody pins the item.
impl<T> Unpin for Sending<'_, T> {}

impl<'a, T> Sending<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, item: T) -> Sending<'a, T> {
        Sending {
            shared,
            ticket: None,
            item: Some(item),
        }
    }

    /// Whether it stands in the line.
    pub(super) fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.shared.poll_send(&mut self.ticket, &mut self.item, cx)
    }

    /// Gives up, with the item if it was not sent.
    pub(super) fn into_item(mut self) -> Option<T> {
        self.item.take()
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.leave(Side::Sends, ticket);
        }
    }
}

/// A receive that is under way. Its drop gives up its place, and what was granted to it.
pub(super) struct Receiving<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<u64>,
}

impl<'a, T> Receiving<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Receiving<'a, T> {
        Receiving {
            shared,
            ticket: None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        self.shared.poll_recv(&mut self.ticket, cx)
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.leave(Side::Receives, ticket);
        }
    }
}
