//! Each kind of channel against an oracle: random sends, receives, permits, drops and closes.
//!
//! *Model.* The oracle holds numbers in plain vectors and states the rules in the plainest way. After every
//! step the two agree on every answer, on all figures, on who was woken, and on how many items are alive.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mainspring::channel::{self, OwnedPermit, Receiver, Sender, TryRecvError, TrySendError};
use mainspring::run;

use crate::rig::{Chance, Counting, Item, Ledger, steps};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    First,
    Last,
    Least,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    Draining,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bid {
    Item(u32),
    Room,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Sent,
    Granted,
    /// With the item, if it brought one.
    Closed(bool),
    Item(u64, u32),
    End,
}

struct Oracle {
    order: Order,
    capacity: usize,
    items: Vec<(u64, u32)>,
    receivers: VecDeque<usize>,
    senders: VecDeque<(usize, Bid)>,
    /// What was handed to a future, and not fetched.
    handed: BTreeMap<usize, Answer>,
    permits: usize,
    state: State,
    sender_count: usize,
    receiver_count: usize,
    sent: u64,
    peak: usize,
}

impl Oracle {
    fn new(order: Order, capacity: usize) -> Oracle {
        Oracle {
            order,
            capacity,
            items: Vec::new(),
            receivers: VecDeque::new(),
            senders: VecDeque::new(),
            handed: BTreeMap::new(),
            permits: 0,
            state: State::Open,
            sender_count: 1,
            receiver_count: 1,
            sent: 0,
            peak: 0,
        }
    }

    fn room(&self) -> usize {
        let taken = self.items.len() + self.permits;
        if self.capacity == 0 {
            self.receivers.len().saturating_sub(taken)
        } else {
            self.capacity.saturating_sub(taken)
        }
    }

    fn has_ended(&self) -> bool {
        let is_dry = self.items.is_empty() && self.permits == 0;
        self.state == State::Ended || self.state == State::Draining && is_dry
    }

    fn put(&mut self, value: u32) {
        let number = self.sent;
        self.sent += 1;
        if let Some(id) = self.receivers.pop_front() {
            self.handed.insert(id, Answer::Item(number, value));
        } else {
            self.items.push((number, value));
            self.peak = self.peak.max(self.items.len());
        }
    }

    fn pop(&mut self) -> Option<u32> {
        let indexes = 0..self.items.len();
        let index = match self.order {
            Order::First => indexes.min_by_key(|index| self.items[*index].0),
            Order::Last => indexes.last(),
            Order::Least => indexes.min_by_key(|index| {
                let (number, value) = self.items[*index];
                (value, number)
            }),
        }?;
        Some(self.items.remove(index).1)
    }

    fn give_back(&mut self, number: u64, value: u32) {
        if let Some(id) = self.receivers.pop_front() {
            self.handed.insert(id, Answer::Item(number, value));
        } else if self.state != State::Ended {
            self.items.push((number, value));
        }
    }

    fn settle(&mut self) {
        while self.room() > 0 {
            let Some((id, bid)) = self.senders.pop_front() else {
                break;
            };
            match bid {
                Bid::Item(value) => {
                    self.put(value);
                    self.handed.insert(id, Answer::Sent);
                }
                Bid::Room => {
                    self.permits += 1;
                    self.handed.insert(id, Answer::Granted);
                }
            }
        }
        if self.has_ended() {
            for id in self.receivers.drain(..) {
                self.handed.insert(id, Answer::End);
            }
        }
    }

    fn bid(&mut self, id: usize, bid: Bid) -> Option<Answer> {
        if self.state != State::Open {
            return Some(Answer::Closed(bid != Bid::Room));
        }
        if self.room() == 0 || !self.senders.is_empty() {
            self.senders.push_back((id, bid));
            return None;
        }
        Some(match bid {
            Bid::Item(value) => {
                self.put(value);
                Answer::Sent
            }
            Bid::Room => {
                self.permits += 1;
                Answer::Granted
            }
        })
    }

    fn take(&mut self) -> Option<u32> {
        if let Some(value) = self.pop() {
            self.settle();
            return Some(value);
        }
        if self.capacity == 0 && self.receivers.is_empty() {
            if let Some((id, Bid::Item(value))) = self.senders.front().copied() {
                self.senders.pop_front();
                self.sent += 1;
                self.handed.insert(id, Answer::Sent);
                return Some(value);
            }
        }
        None
    }

    fn receive(&mut self, id: usize) -> Option<Answer> {
        if let Some(value) = self.take() {
            return Some(Answer::Item(0, value));
        }
        if self.has_ended() {
            return Some(Answer::End);
        }
        self.receivers.push_back(id);
        self.settle();
        None
    }

    fn cancel(&mut self, id: usize) {
        self.receivers.retain(|other| *other != id);
        self.senders.retain(|(other, _)| *other != id);
        match self.handed.remove(&id) {
            Some(Answer::Item(number, value)) => self.give_back(number, value),
            Some(Answer::Granted) => {
                self.permits -= 1;
                self.settle();
            }
            _ => {}
        }
    }

    fn close(&mut self, state: State) {
        self.state = state;
        for (id, bid) in self.senders.drain(..) {
            self.handed.insert(id, Answer::Closed(bid != Bid::Room));
        }
        self.settle();
    }

    fn close_now(&mut self) -> Vec<u32> {
        self.close(State::Ended);
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn remove_sender(&mut self) {
        self.sender_count -= 1;
        if self.sender_count == 0 && self.state == State::Open {
            self.close(State::Draining);
        }
    }

    fn remove_receiver(&mut self) {
        self.receiver_count -= 1;
        if self.receiver_count == 0 {
            self.items.clear();
            self.close(State::Ended);
        }
    }
}

/// What a future of the game says, with the permit if it got one.
enum Said {
    Sent,
    Granted(OwnedPermit<Item>),
    Closed,
    Item(Item),
    End,
}

type Call = Pin<Box<dyn Future<Output = Said>>>;

struct Player {
    id: usize,
    call: Call,
    /// A stranger's waker, and its count when it was polled last; else it is polled by the task's own.
    stranger: Option<(Arc<Counting>, Waker, usize)>,
    is_sender: bool,
}

impl Player {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        match &mut self.stranger {
            Some((counting, waker, seen)) => {
                *seen = counting.count();
                self.call.as_mut().poll(&mut Context::from_waker(waker))
            }
            None => self.call.as_mut().poll(cx),
        }
    }
}

struct Game {
    oracle: Oracle,
    ledger: Ledger,
    senders: Vec<Sender<Item>>,
    receivers: Vec<Receiver<Item>>,
    permits: Vec<OwnedPermit<Item>>,
    players: Vec<Player>,
    next_id: usize,
}

impl Game {
    fn new(order: Order, capacity: usize) -> Game {
        let (sender, receiver) = match (order, capacity) {
            (Order::First, 0) => channel::rendezvous(),
            (Order::First, usize::MAX) => channel::unbounded(),
            (Order::First, _) => channel::bounded(capacity),
            (Order::Last, _) => channel::lifo(),
            (Order::Least, usize::MAX) => channel::priority(),
            (Order::Least, _) => channel::bounded_priority(capacity),
        };
        Game {
            oracle: Oracle::new(order, capacity),
            ledger: Ledger::default(),
            senders: vec![sender],
            receivers: vec![receiver],
            permits: Vec::new(),
            players: Vec::new(),
            next_id: 0,
        }
    }

    /// A new call is polled for the first time, and the oracle hears of it: a bid, or a receive.
    fn join(&mut self, chance: &mut Chance, cx: &mut Context<'_>, call: Call, bid: Option<Bid>) {
        let stranger = (chance.below(2) == 0).then(|| {
            let (counting, waker) = Counting::new();
            (counting, waker, 0)
        });
        let id = self.next_id;
        self.next_id += 1;
        let is_sender = bid.is_some();
        let mut player = Player {
            id,
            call,
            stranger,
            is_sender,
        };
        let polled = player.poll(cx);
        let answer = match bid {
            Some(bid) => self.oracle.bid(id, bid),
            None => self.oracle.receive(id),
        };
        self.compare(player, polled, answer);
    }

    fn poll(&mut self, index: usize, cx: &mut Context<'_>) {
        let mut player = self.players.swap_remove(index);
        let answer = self.oracle.handed.remove(&player.id);
        if let Some((counting, _, seen)) = &player.stranger {
            let was_woken = counting.count() > *seen;
            assert_eq!(was_woken, answer.is_some(), "a wake comes with a hand-off");
        }
        let polled = player.poll(cx);
        self.compare(player, polled, answer);
    }

    fn compare(&mut self, player: Player, polled: Poll<Said>, answer: Option<Answer>) {
        let is_sender = player.is_sender;
        match (polled, answer) {
            (Poll::Pending, None) => return self.players.push(player),
            (Poll::Ready(Said::Sent), Some(Answer::Sent))
            | (Poll::Ready(Said::Closed), Some(Answer::Closed(_)))
            | (Poll::Ready(Said::End), Some(Answer::End)) => {}
            (Poll::Ready(Said::Granted(permit)), Some(Answer::Granted)) => {
                // The sender is in the permit.
                return self.permits.push(permit);
            }
            (Poll::Ready(Said::Item(item)), Some(Answer::Item(_, value))) => {
                assert_eq!(item.value, value);
            }
            (polled, answer) => panic!("ready: {}, but {answer:?}", polled.is_ready()),
        }
        self.left(is_sender);
    }

    /// The end that a call owned is gone.
    fn left(&mut self, is_sender: bool) {
        if is_sender {
            self.oracle.remove_sender();
        } else {
            self.oracle.remove_receiver();
        }
    }

    fn cancel(&mut self, index: usize) {
        let player = self.players.swap_remove(index);
        drop(player.call);
        self.oracle.cancel(player.id);
        self.left(player.is_sender);
    }

    fn step(&mut self, chance: &mut Chance, cx: &mut Context<'_>) {
        let players = self.players.len();
        match chance.below(100) {
            0..16 => self.send(chance, cx),
            16..36 => self.recv(chance, cx),
            36..41 => self.reserve(chance, cx),
            41..53 if players > 0 => self.poll(chance.below(players), cx),
            53..63 if players > 0 => self.cancel(chance.below(players)),
            63..73 => self.try_send(chance),
            73..83 => self.try_recv(),
            83..91 => self.use_permit(chance),
            91..94 => self.try_reserve(chance),
            94 => self.more_or_fewer_senders(chance),
            95 => self.more_or_fewer_receivers(chance),
            96 if chance.below(20) == 0 => self.close(),
            97 if chance.below(20) == 0 => self.close_now(),
            _ => {}
        }
        self.agree();
    }

    fn send(&mut self, chance: &mut Chance, cx: &mut Context<'_>) {
        let Some(sender) = self.senders.first().cloned() else {
            return;
        };
        self.oracle.sender_count += 1;
        let value = chance.below(10) as u32;
        let item = self.ledger.item(value);
        let call = async move {
            match sender.send(item).await {
                Ok(()) => Said::Sent,
                Err(error) => {
                    assert_eq!(error.into_inner().value, value);
                    Said::Closed
                }
            }
        };
        self.join(chance, cx, Box::pin(call), Some(Bid::Item(value)));
    }

    fn reserve(&mut self, chance: &mut Chance, cx: &mut Context<'_>) {
        let Some(sender) = self.senders.first().cloned() else {
            return;
        };
        self.oracle.sender_count += 1;
        let call = async move {
            match sender.reserve_owned().await {
                Ok(permit) => Said::Granted(permit),
                Err(_) => Said::Closed,
            }
        };
        self.join(chance, cx, Box::pin(call), Some(Bid::Room));
    }

    fn recv(&mut self, chance: &mut Chance, cx: &mut Context<'_>) {
        let Some(receiver) = self.receivers.first().cloned() else {
            return;
        };
        self.oracle.receiver_count += 1;
        let call = async move {
            match receiver.recv().await {
                Some(item) => Said::Item(item),
                None => Said::End,
            }
        };
        self.join(chance, cx, Box::pin(call), None);
    }

    fn try_send(&mut self, chance: &mut Chance) {
        let Some(sender) = self.senders.first() else {
            return;
        };
        let value = chance.below(10) as u32;
        let sent = sender.try_send(self.ledger.item(value));
        let oracle = &mut self.oracle;
        if oracle.state != State::Open {
            assert!(matches!(sent, Err(TrySendError::Closed(item)) if item.value == value));
        } else if oracle.room() == 0 || !oracle.senders.is_empty() {
            assert!(matches!(sent, Err(TrySendError::Full(item)) if item.value == value));
        } else {
            assert!(sent.is_ok());
            oracle.put(value);
        }
    }

    fn try_recv(&mut self) {
        let Some(receiver) = self.receivers.first() else {
            return;
        };
        match (receiver.try_recv(), self.oracle.take()) {
            (Ok(item), Some(value)) => assert_eq!(item.value, value),
            (Err(TryRecvError::Closed), None) => assert!(self.oracle.has_ended()),
            (Err(TryRecvError::Empty), None) => assert!(!self.oracle.has_ended()),
            (found, expected) => panic!("found: {}, but {expected:?}", found.is_ok()),
        }
    }

    fn try_reserve(&mut self, chance: &mut Chance) {
        let Some(sender) = self.senders.first() else {
            return;
        };
        let count = 1 + chance.below(3);
        let oracle = &self.oracle;
        let is_free = oracle.room() >= count && oracle.senders.is_empty();
        let expected = match oracle.state {
            State::Open if is_free => None,
            State::Open => Some(TrySendError::Full(())),
            _ => Some(TrySendError::Closed(())),
        };
        assert_eq!(sender.try_reserve_many(count).err(), expected);
        let permit = sender.clone().try_reserve_owned();
        if let Ok(permit) = permit {
            self.oracle.sender_count += 1;
            self.oracle.permits += 1;
            self.permits.push(permit);
        }
    }

    fn use_permit(&mut self, chance: &mut Chance) {
        if self.permits.is_empty() {
            return;
        }
        let index = chance.below(self.permits.len());
        let permit = self.permits.swap_remove(index);
        self.oracle.permits -= 1;
        if chance.below(3) == 0 {
            drop(permit);
            self.oracle.settle();
        } else {
            let value = chance.below(10) as u32;
            match permit.send(self.ledger.item(value)) {
                Ok(_) => {
                    self.oracle.put(value);
                    self.oracle.settle();
                }
                Err(error) => {
                    assert_eq!(error.into_inner().value, value);
                    assert_eq!(self.oracle.state, State::Ended);
                }
            }
        }
        self.left(true);
    }

    fn more_or_fewer_senders(&mut self, chance: &mut Chance) {
        if self.senders.is_empty() {
            return;
        }
        if chance.below(8) == 0 {
            let weak = self.senders[0].downgrade();
            self.senders.pop();
            self.left(true);
            assert_eq!(weak.upgrade().is_some(), self.oracle.sender_count > 0);
        } else if self.senders.len() < 4 {
            self.senders.push(self.senders[0].clone());
            self.oracle.sender_count += 1;
        }
    }

    fn more_or_fewer_receivers(&mut self, chance: &mut Chance) {
        if self.receivers.is_empty() {
            return;
        }
        if chance.below(8) == 0 {
            self.receivers.pop();
            self.left(false);
        } else if self.receivers.len() < 4 {
            self.receivers.push(self.receivers[0].clone());
            self.oracle.receiver_count += 1;
        }
    }

    fn close(&mut self) {
        if let Some(sender) = self.senders.first() {
            sender.close();
            if self.oracle.state == State::Open {
                self.oracle.close(State::Draining);
            }
        }
    }

    fn close_now(&mut self) {
        if let Some(receiver) = self.receivers.first() {
            let items: Vec<_> = receiver.close_now().iter().map(|item| item.value).collect();
            assert_eq!(items, self.oracle.close_now());
        }
    }

    fn agree(&self) {
        let (oracle, ledger) = (&self.oracle, &self.ledger);
        let statistics = match (self.senders.first(), self.receivers.first()) {
            (Some(sender), _) => sender.statistics(),
            (None, Some(receiver)) => receiver.statistics(),
            (None, None) => return,
        };
        assert_eq!(statistics.len, oracle.items.len(), "len");
        assert_eq!(statistics.permits, oracle.permits, "permits");
        assert_eq!(statistics.waiting_senders, oracle.senders.len());
        assert_eq!(statistics.waiting_receivers, oracle.receivers.len());
        assert_eq!(statistics.senders, oracle.sender_count);
        assert_eq!(statistics.receivers, oracle.receiver_count);
        assert_eq!(statistics.sent, oracle.sent);
        // hz_h01: what is free and who waits for it never stand side by side.
        assert!(statistics.len == 0 || statistics.waiting_receivers == 0);
        assert!(oracle.room() == 0 || statistics.waiting_senders == 0);
        let of_senders = oracle.senders.iter();
        let unsent = of_senders.filter(|(_, bid)| *bid != Bid::Room).count();
        let has_item = |answer: &&Answer| matches!(answer, Answer::Item(..) | Answer::Closed(true));
        let in_nodes = oracle.handed.values().filter(has_item).count();
        assert_eq!(ledger.alive(), oracle.items.len() + unsent + in_nodes);
    }

    /// Everything goes, in any order; nothing is left.
    fn end(mut self, chance: &mut Chance) {
        while !self.players.is_empty() {
            self.cancel(chance.below(self.players.len()));
        }
        if chance.below(2) == 0 {
            self.senders.clear();
        }
        self.permits.clear();
        self.receivers.clear();
        self.senders.clear();
        assert_eq!(self.ledger.alive(), 0, "of {} items", self.ledger.made());
    }
}

/// So many steps fit into the budget of one poll.
const STEPS_PER_POLL: usize = 50;

fn play(order: Order, capacity: usize) {
    let mut chance = Chance::new();
    let mut left = steps();
    let mut game = Game::new(order, capacity);
    let play = poll_fn(|cx| {
        for _ in 0..STEPS_PER_POLL {
            game.step(&mut chance, cx);
        }
        left = left.saturating_sub(STEPS_PER_POLL);
        if left > 0 {
            cx.waker().wake_by_ref();
            if chance.below(8) == 0 {
                let ended = std::mem::replace(&mut game, Game::new(order, capacity));
                ended.end(&mut chance);
            }
            return Poll::Pending;
        }
        Poll::Ready(())
    });
    run(play).unwrap();
    game.end(&mut chance);
}

#[test]
fn hz_h01_hz_h04_a_bounded_channel_does_what_the_oracle_says() {
    play(Order::First, 2);
}

#[test]
fn hz_h01_hz_h04_a_channel_with_room_for_one_does_what_the_oracle_says() {
    play(Order::First, 1);
}

#[test]
fn hz_h01_hz_h04_an_unbounded_channel_does_what_the_oracle_says() {
    play(Order::First, usize::MAX);
}

#[test]
fn hz_h01_hz_h04_a_rendezvous_does_what_the_oracle_says() {
    play(Order::First, 0);
}

#[test]
fn hz_h01_a_stack_does_what_the_oracle_says() {
    play(Order::Last, usize::MAX);
}

#[test]
fn hz_h01_a_queue_by_priority_does_what_the_oracle_says() {
    play(Order::Least, usize::MAX);
}

#[test]
fn hz_h01_a_bounded_queue_by_priority_does_what_the_oracle_says() {
    play(Order::Least, 3);
}
