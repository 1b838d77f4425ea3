//! What the two ends of a channel share, and the rules by which items, room and waiters meet.
//!
//! *Role.* [`Sender`](super::Sender), [`Receiver`](super::Receiver), permits and all futures are thin: what
//! they do is one call from here.
//!
//! *Model.* Items lie in the buffer, or travel in a sender's node, or in a receiver's. At rest
//!
//! ```text
//!     nobody waits for an item while there is one         (item meets receiver)
//!     nobody waits for room while there is some           (room meets sender)
//! ```
//!
//! and [`Shared::settle`] makes both true again after whatever else happened. The short ways, which do not
//! call it, keep them true. *Room* is what the capacity leaves when items and permits are taken off; in a
//! rendezvous, it is the number of receivers that wait, without those that a permit has claimed.
//!
//! *States.* open ─► draining (what is there comes out; permits may still send) ─► ended. The last sender's
//! drop and `close` drain; the last receiver's drop and `close_now` end at once.
//!
//! *User code.* Wakers, `Drop` and `Ord` of items run when nothing is borrowed and both rules can bear it.

mod end;
mod recv;
mod send;

use std::cell::Cell;
use std::panic::Location;

use super::buffer::{Buffer, Order};
use super::line::Line;
use super::statistics::Statistics;
use crate::task::core::Core;
use crate::task::raw::TaskRef;
#[cfg(feature = "inspect")]
use crate::task::resource::Peer;
use crate::task::resource::Tag;

/// The capacity of a channel that has no bound.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// The number of an item that came out of the buffer: if it comes back, it was the first.
const FOREMOST: u64 = 0;

/// What a receiver is handed.
pub(super) enum Gift<T> {
    /// An item, with its number in the order of all that were sent.
    Item(u64, T),
    /// Nothing will come.
    End,
}

/// What a sender brings into its line, and what it gets for it.
pub(super) enum Bid<T> {
    /// Brings an item.
    Item(T),
    /// Asks for a permit.
    Room,
    /// The item was taken.
    Sent,
    /// The permit is granted.
    Granted,
    /// The channel is closed; an item comes back.
    Closed(Option<T>),
}

/// See the module's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Draining,
    Ended,
}

/// What both ends share.
pub(super) struct Shared<T> {
    buffer: Buffer<T>,
    capacity: usize,
    receivers: Line<Gift<T>>,
    senders: Line<Bid<T>>,
    /// Who waits for the end.
    closed: Line<()>,
    /// Who waits until all is done.
    joins: Line<()>,
    state: Cell<State>,
    sender_count: Cell<usize>,
    receiver_count: Cell<usize>,
    permits: Cell<usize>,
    /// How many items were put in, or handed over, in all.
    sent: Cell<u64>,
    /// How many of them were said to be done, or thrown away.
    done: Cell<u64>,
    peak: Cell<usize>,
    #[cfg(feature = "inspect")]
    last_sender: Cell<u64>,
    #[cfg(feature = "inspect")]
    last_receiver: Cell<u64>,
    tag: Tag,
}

impl<T> Shared<T> {
    pub(super) fn new(
        capacity: usize,
        order: Order<T>,
        made_at: &'static Location<'static>,
    ) -> Shared<T> {
        Shared {
            buffer: Buffer::new(order),
            capacity,
            receivers: Line::new(),
            senders: Line::new(),
            closed: Line::new(),
            joins: Line::new(),
            state: Cell::new(State::Open),
            sender_count: Cell::new(1),
            receiver_count: Cell::new(1),
            permits: Cell::new(0),
            sent: Cell::new(0),
            done: Cell::new(0),
            peak: Cell::new(0),
            #[cfg(feature = "inspect")]
            last_sender: Cell::new(0),
            #[cfg(feature = "inspect")]
            last_receiver: Cell::new(0),
            tag: Tag::new(made_at),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        (self.capacity != UNBOUNDED).then_some(self.capacity)
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.state.get() != State::Open
    }

    /// Whether nothing can be received any more.
    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        match self.state.get() {
            State::Open => false,
            State::Draining => self.len() == 0 && self.permits.get() == 0,
            State::Ended => true,
        }
    }

    /// For how many more items there is room.
    #[inline]
    fn room(&self) -> usize {
        if self.capacity == 0 {
            return self.room_at_rendezvous();
        }
        let taken = self.permits.get();
        self.capacity.saturating_sub(self.len() + taken)
    }

    /// The first of the receivers is no ghost: so there is room only if somebody would have the item.
    #[inline(never)]
    fn room_at_rendezvous(&self) -> usize {
        self.receivers.skip_ghosts(|_| false);
        let taken = self.permits.get();
        self.receivers.count().saturating_sub(self.len() + taken)
    }

    /// Whether an item would be taken at once.
    #[inline]
    fn has_room(&self) -> bool {
        self.room() > 0 && self.senders.is_empty()
    }

    /// As [`Shared::has_room`], at a look: always `false` in a rendezvous.
    #[inline]
    fn has_room_in_buffer(&self) -> bool {
        self.capacity
            .saturating_sub(self.len() + self.permits.get())
            > 0
            && self.senders.is_empty()
    }

    /// An item is sent now: its number.
    #[inline]
    fn next_number(&self) -> u64 {
        let number = self.sent.get();
        self.sent.set(number + 1);
        number
    }

    /// The item for whom waits longest, or into the buffer. For it there is room.
    #[inline(always)]
    fn put(&self, item: T) {
        let number = self.next_number();
        if let Err(Gift::Item(number, item)) = self.receivers.give_task(Gift::Item(number, item)) {
            self.put_slowly(number, item);
        }
    }

    /// Nobody waits, or who stands first does so in an unusual way.
    #[inline(never)]
    fn put_slowly(&self, number: u64, item: T) {
        if let Err(Gift::Item(number, item)) = self.receivers.give(Gift::Item(number, item)) {
            self.keep(number, item);
        }
    }

    fn keep(&self, number: u64, item: T) {
        self.buffer.push(number, item);
        if self.len() > self.peak.get() {
            self.peak.set(self.len());
        }
    }

    /// Makes the two rules true again.
    #[cold]
    pub(super) fn settle(&self) {
        loop {
            if self.len() > 0 && !self.receivers.is_empty() {
                // None is there to be had while `Ord` compares them; then who called it comes here again.
                let Some(item) = self.buffer.pop() else {
                    return;
                };
                self.give_back(FOREMOST, item);
            } else if !self.senders.is_empty() && self.room() > 0 {
                self.admit();
            } else if !self.receivers.is_empty() && self.has_ended() {
                self.receivers.give_all(|| Gift::End);
            } else {
                return;
            }
        }
    }

    /// Room for the sender that waits longest.
    fn admit(&self) {
        self.skip_absent_senders();
        let mut met = None;
        self.senders.exchange(|bid| match bid {
            Some(Bid::Item(item)) => {
                let number = self.next_number();
                if self.receivers.is_empty() {
                    self.keep(number, item);
                } else {
                    met = Some((number, item));
                }
                Bid::Sent
            }
            _ => {
                self.permits.set(self.permits.get() + 1);
                Bid::Granted
            }
        });
        // The receiver's waker may be anybody's: it is called when the sender has its answer.
        if let Some((number, item)) = met {
            self.give_back(number, item);
        }
    }

    /// A permit that a ghost asked for would be lost. A ghost's item is not: it is sent in its turn.
    fn skip_absent_senders(&self) {
        self.senders.skip_ghosts(|bid| matches!(bid, Bid::Item(_)));
    }

    pub(super) fn add_sender(&self) {
        self.sender_count.set(self.sender_count.get() + 1);
    }

    pub(super) fn has_senders(&self) -> bool {
        self.sender_count.get() > 0
    }

    #[inline]
    pub(super) fn remove_sender(&self) {
        let left = self.sender_count.get() - 1;
        self.sender_count.set(left);
        if left == 0 {
            self.close();
        }
    }

    pub(super) fn add_receiver(&self) {
        self.receiver_count.set(self.receiver_count.get() + 1);
    }

    #[inline]
    pub(super) fn remove_receiver(&self) {
        let left = self.receiver_count.get() - 1;
        self.receiver_count.set(left);
        if left == 0 {
            self.abandon();
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            len: self.len(),
            peak: self.peak.get(),
            capacity: self.capacity(),
            permits: self.permits.get(),
            senders: self.sender_count.get(),
            receivers: self.receiver_count.get(),
            waiting_senders: self.senders.count(),
            waiting_receivers: self.receivers.count(),
            sent: self.sent.get(),
            unfinished: self.unfinished(),
        }
    }
}

/// Who was seen where, for who asks why a task waits.
impl<T> Shared<T> {
    #[inline]
    fn note_sender(&self, core: Option<&Core>) {
        #[cfg(feature = "inspect")]
        if let Some(task) = core.and_then(Core::current_task) {
            self.last_sender.set(task.id());
        }
        #[cfg(not(feature = "inspect"))]
        let _ = core;
    }

    #[inline]
    fn note_receiver(&self, core: Option<&Core>) {
        if let Some(task) = core.and_then(Core::current_task) {
            self.note_receiving(task);
        }
    }

    /// As [`Shared::note_receiver`], of the task that is being polled.
    #[inline(always)]
    fn note_receiving(&self, task: TaskRef) {
        #[cfg(feature = "inspect")]
        self.last_receiver.set(task.id());
        #[cfg(not(feature = "inspect"))]
        let _ = task;
    }

    /// The number to wait under for an item.
    #[inline(always)]
    fn number_for_receivers(&self) -> u64 {
        #[cfg(feature = "inspect")]
        return self
            .tag
            .number_with(Peer::last_seen(self.last_sender.get()));
        #[cfg(not(feature = "inspect"))]
        self.tag.number()
    }

    /// The number to wait under for room, or for the end.
    #[inline]
    fn number_for_senders(&self) -> u64 {
        #[cfg(feature = "inspect")]
        return self
            .tag
            .number_with(Peer::last_seen(self.last_receiver.get()));
        #[cfg(not(feature = "inspect"))]
        self.tag.number()
    }
}
