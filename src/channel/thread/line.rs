//! `Line`: who waits on one side of a channel between threads, in the order in which they came.
//!
//! *Role.* The half of a channel that finds no item, or no room, leaves its waker here; who brings an item
//! or makes room grants it to the first in the line. Everything happens under the channel's lock, so no
//! waker is called, cloned or dropped here: they come in from outside, and go out again.
//!
//! *Model.* A place is known by its ticket, a number that is never used twice. So a future that was
//! forgotten, and a line that was cleared meanwhile, do no harm.
//!
//! ```text
//!     join ──► Waiting(waker) ──grant──► Granted ──take_grant──► gone
//!                   └───────── leave ───────┴──► gone; what was granted goes to the next
//! ```
//!
//! *Cost.* All is O(log n) in the number of places, amortised; no allocation once it has grown.

use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

/// A line with fewer places than this is not worth tidying.
const UNTIDY_MIN: usize = 32;

/// Who waits, first come first.
#[derive(Debug)]
pub(super) struct Line {
    /// By their tickets, which rise.
    places: VecDeque<Place>,
    next: u64,
    /// No place with a smaller ticket is waiting.
    first: u64,
    waiting: usize,
    granted: usize,
}

#[derive(Debug)]
struct Place {
    ticket: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Waker),
    Granted,
    Gone,
}

/// What was left behind with a place in the line.
#[must_use]
#[derive(Debug)]
pub(super) enum Left {
    /// The place was gone already.
    Nothing,
    /// A waker, to be dropped when the lock is free.
    Waker(Waker),
    /// What was granted, for the next in the line.
    Grant,
}

impl Left {
    pub(super) fn waker(self) -> Option<Waker> {
        match self {
            Left::Waker(waker) => Some(waker),
            Left::Nothing | Left::Grant => None,
        }
    }
}

impl Line {
    pub(super) fn new() -> Line {
        Line {
            places: VecDeque::new(),
            next: 0,
            first: 0,
            waiting: 0,
            granted: 0,
        }
    }

    /// How many have been granted something that they have not taken.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// Takes the last place.
    pub(super) fn join(&mut self, waker: Waker) -> u64 {
        let ticket = self.next;
        self.next += 1;
        let state = State::Waiting(waker);
        self.places.push_back(Place { ticket, state });
        self.waiting += 1;
        ticket
    }

    /// Waits with `waker`: in its place, or in the last one. A waker that does not count any more comes
    /// back.
    pub(super) fn wait(&mut self, ticket: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        match *ticket {
            Some(ticket) => Some(self.renew(ticket, waker)),
            None => {
                *ticket = Some(self.join(waker));
                None
            }
        }
    }

    fn renew(&mut self, ticket: u64, waker: Waker) -> Waker {
        match self.find(ticket).map(|index| &mut self.places[index].state) {
            Some(State::Waiting(earlier)) => mem::replace(earlier, waker),
            _ => waker,
        }
    }

    /// Grants what there is to whoever waits longest, who is to be woken.
    pub(super) fn grant(&mut self) -> Option<Waker> {
        if self.waiting == 0 {
            return None;
        }
        let from = self.places.partition_point(|p| p.ticket < self.first);
        for place in self.places.range_mut(from..) {
            if let State::Waiting(_) = place.state {
                let State::Waiting(waker) = mem::replace(&mut place.state, State::Granted) else {
                    return None;
                };
                self.first = place.ticket + 1;
                self.waiting -= 1;
                self.granted += 1;
                return Some(waker);
            }
        }
        None
    }

    /// Takes what was granted, and with it the place.
    pub(super) fn take_grant(&mut self, ticket: u64) -> bool {
        let Some(index) = self.find(ticket) else {
            return false;
        };
        if !matches!(self.places[index].state, State::Granted) {
            return false;
        }
        self.places[index].state = State::Gone;
        self.granted -= 1;
        self.tidy();
        true
    }

    /// Gives the place up.
    pub(super) fn leave(&mut self, ticket: u64) -> Left {
        let Some(index) = self.find(ticket) else {
            return Left::Nothing;
        };
        let left = match mem::replace(&mut self.places[index].state, State::Gone) {
            State::Waiting(waker) => {
                self.waiting -= 1;
                Left::Waker(waker)
            }
            State::Granted => {
                self.granted -= 1;
                Left::Grant
            }
            State::Gone => Left::Nothing,
        };
        self.tidy();
        left
    }

    /// There is nothing to wait for any more: all who wait leave, to be woken. What was granted stays so.
    pub(super) fn end(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::with_capacity(self.waiting);
        for place in &mut self.places {
            if let State::Waiting(_) = place.state {
                if let State::Waiting(waker) = mem::replace(&mut place.state, State::Gone) {
                    wakers.push(waker);
                }
            }
        }
        self.waiting = 0;
        self.tidy();
        wakers
    }

    /// For a line of one: whoever stood here does not any more, and what was granted is void. The waker
    /// that was left is to be dropped when the lock is free.
    pub(super) fn clear(&mut self) -> Option<Waker> {
        if self.places.is_empty() {
            return None;
        }
        self.waiting = 0;
        self.granted = 0;
        let mut left = None;
        while let Some(place) = self.places.pop_front() {
            if let State::Waiting(waker) = place.state {
                left = Some(waker);
            }
        }
        left
    }

    /// How many places are kept, those that are gone among them.
    #[cfg(all(test, not(mainspring_loom)))]
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        let index = self.places.partition_point(|p| p.ticket < ticket);
        let place = self.places.get(index)?;
        (place.ticket == ticket).then_some(index)
    }

    /// Drops places that are gone: those at both ends, and all of them when they are most of the line.
    fn tidy(&mut self) {
        let is_gone =
            |place: Option<&Place>| matches!(place, Some(p) if matches!(p.state, State::Gone));
        while is_gone(self.places.front()) {
            self.places.pop_front();
        }
        while is_gone(self.places.back()) {
            self.places.pop_back();
        }
        if self.places.len() > 2 * (self.waiting + self.granted) + UNTIDY_MIN {
            self.places
                .retain(|place| !matches!(place.state, State::Gone));
        }
    }
}
