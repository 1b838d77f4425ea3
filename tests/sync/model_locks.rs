//! Locks, semaphores and limiters against an oracle: random calls, polls, drops and releases.
//!
//! *Model.* The oracle is a line, who was handed something, and the rule of the primitive. After each step the
//! two must agree on everything that shows: what a poll says, who was woken how often, how many wait, what
//! is free. Above all, at rest nobody waits for what is free (hz_h01).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use mainspring::sync::{
    CapacityLimiter, Mutex, OwnedMutexGuard, OwnedPermit, OwnedReadGuard, OwnedWriteGuard, RwLock,
    Semaphore, Token,
};

use crate::rig::{Count, Random, play, poll_with};

const SLOTS: usize = 8;

type Waiting<G> = Pin<Box<dyn Future<Output = G>>>;

/// The primitive that is tested.
trait Subject {
    type Guard;
    fn wait(&self, slot: usize, ask: usize) -> Waiting<Self::Guard>;
    fn try_now(&self, slot: usize, ask: usize) -> Option<Self::Guard>;
    fn waiters(&self) -> usize;
    /// What its figures say is free, and what the oracle's should.
    fn figure(&self) -> usize;
}

/// What the oracle knows of it.
trait Rule {
    /// What may be asked for, from a random number.
    fn ask(&self, random: &mut Random) -> usize;
    fn is_free(&self, ask: usize) -> bool;
    fn take(&mut self, ask: usize);
    fn put(&mut self, ask: usize);
    fn figure(&self) -> usize;
}

enum Slot<G> {
    Empty,
    Waiting(Waiting<G>, usize, Arc<Count>),
    Held(
        #[allow(dead_code, reason = "dropped, which frees it")] G,
        usize,
    ),
}

/// A waiter of the oracle.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Its last poll was with the counting waker.
    is_counted: bool,
    was_handed: bool,
    wakes: usize,
}

struct Game<S: Subject, R: Rule> {
    subject: S,
    rule: R,
    slots: [Slot<S::Guard>; SLOTS],
    places: [Place; SLOTS],
    line: VecDeque<(usize, usize)>,
}

impl<S: Subject, R: Rule> Game<S, R> {
    fn new(subject: S, rule: R) -> Game<S, R> {
        Game {
            subject,
            rule,
            slots: [const { Slot::Empty }; SLOTS],
            places: [Place::default(); SLOTS],
            line: VecDeque::new(),
        }
    }

    /// The oracle hands out what is free.
    fn serve(&mut self) {
        while let Some(&(slot, ask)) = self.line.front() {
            if !self.rule.is_free(ask) {
                break;
            }
            self.rule.take(ask);
            self.line.pop_front();
            let place = &mut self.places[slot];
            place.was_handed = true;
            place.wakes += usize::from(place.is_counted);
        }
    }

    fn step(&mut self, random: &mut Random, task: &Waker) {
        let slot = random.below(SLOTS);
        match std::mem::replace(&mut self.slots[slot], Slot::Empty) {
            Slot::Empty => self.begin(slot, random, task),
            Slot::Waiting(future, ask, count) => match random.below(3) {
                0 => {
                    drop(future);
                    let place = std::mem::take(&mut self.places[slot]);
                    self.line.retain(|(other, _)| *other != slot);
                    if place.was_handed {
                        self.rule.put(ask);
                    }
                    self.serve();
                }
                _ => self.poll(slot, (future, ask, count), random, task),
            },
            Slot::Held(guard, ask) => {
                drop(guard);
                self.rule.put(ask);
                self.serve();
            }
        }
        self.agree();
    }

    fn begin(&mut self, slot: usize, random: &mut Random, task: &Waker) {
        let ask = self.rule.ask(random);
        let is_free = self.line.is_empty() && self.rule.is_free(ask);
        if random.below(4) == 0 {
            let guard = self.subject.try_now(slot, ask);
            assert_eq!(guard.is_some(), is_free, "try, {ask}");
            if let Some(guard) = guard {
                self.rule.take(ask);
                self.slots[slot] = Slot::Held(guard, ask);
            }
            return;
        }
        let future = self.subject.wait(slot, ask);
        self.places[slot] = Place::default();
        if is_free {
            self.rule.take(ask);
            self.places[slot].was_handed = true;
        } else {
            self.line.push_back((slot, ask));
        }
        self.poll(slot, (future, ask, Count::new()), random, task);
    }

    fn poll(
        &mut self,
        slot: usize,
        (mut future, ask, count): (Waiting<S::Guard>, usize, Arc<Count>),
        random: &mut Random,
        task: &Waker,
    ) {
        let is_counted = random.below(2) == 0;
        let waker = if is_counted {
            count.waker()
        } else {
            task.clone()
        };
        let polled = poll_with(&mut future, &waker);
        let place = &mut self.places[slot];
        assert_eq!(polled.is_ready(), place.was_handed, "slot {slot} polled");
        place.is_counted = is_counted;
        self.slots[slot] = match polled {
            std::task::Poll::Ready(guard) => Slot::Held(guard, ask),
            std::task::Poll::Pending => Slot::Waiting(future, ask, count),
        };
    }

    fn agree(&self) {
        assert_eq!(self.subject.waiters(), self.line.len());
        assert_eq!(self.subject.figure(), self.rule.figure());
        for (slot, place) in self.slots.iter().zip(&self.places) {
            if let Slot::Waiting(_, _, count) = slot {
                assert_eq!(count.get(), place.wakes, "wakes");
            }
        }
        if let Some((_, ask)) = self.line.front() {
            assert!(!self.rule.is_free(*ask), "it is free, and somebody waits");
        }
    }
}

impl Subject for Rc<Mutex<u32>> {
    type Guard = OwnedMutexGuard<u32>;
    fn wait(&self, _: usize, _: usize) -> Waiting<Self::Guard> {
        Box::pin(self.lock_owned())
    }
    fn try_now(&self, _: usize, _: usize) -> Option<Self::Guard> {
        self.try_lock_owned()
    }
    fn waiters(&self) -> usize {
        self.statistics().waiters
    }
    fn figure(&self) -> usize {
        usize::from(!self.is_locked())
    }
}

impl Subject for Rc<Semaphore> {
    type Guard = OwnedPermit;
    fn wait(&self, _: usize, ask: usize) -> Waiting<Self::Guard> {
        let acquire = self.acquire_many_owned(ask);
        Box::pin(async move { acquire.await.unwrap() })
    }
    fn try_now(&self, _: usize, ask: usize) -> Option<Self::Guard> {
        self.try_acquire_many_owned(ask).ok()
    }
    fn waiters(&self) -> usize {
        self.statistics().waiters
    }
    fn figure(&self) -> usize {
        self.available_permits()
    }
}

/// So many of one kind.
struct Pile(usize, usize);

impl Rule for Pile {
    fn ask(&self, random: &mut Random) -> usize {
        1 + random.below(self.1)
    }
    fn is_free(&self, ask: usize) -> bool {
        self.0 >= ask
    }
    fn take(&mut self, ask: usize) {
        self.0 -= ask;
    }
    fn put(&mut self, ask: usize) {
        self.0 += ask;
    }
    fn figure(&self) -> usize {
        self.0
    }
}

enum Either {
    Read(#[allow(dead_code, reason = "dropped, which frees it")] OwnedReadGuard<u32>),
    Write(#[allow(dead_code, reason = "dropped, which frees it")] OwnedWriteGuard<u32>),
}

impl Subject for Rc<RwLock<u32>> {
    type Guard = Either;
    fn wait(&self, _: usize, ask: usize) -> Waiting<Either> {
        if ask == 0 {
            let read = self.read_owned();
            return Box::pin(async move { Either::Read(read.await) });
        }
        let write = self.write_owned();
        Box::pin(async move { Either::Write(write.await) })
    }
    fn try_now(&self, _: usize, ask: usize) -> Option<Either> {
        if ask == 0 {
            return self.try_read_owned().map(Either::Read);
        }
        self.try_write_owned().map(Either::Write)
    }
    fn waiters(&self) -> usize {
        self.statistics().waiters
    }
    fn figure(&self) -> usize {
        let statistics = self.statistics();
        statistics.readers + 100 * usize::from(statistics.is_written)
    }
}

/// Readers, and writers as a hundred of them.
struct Phases(usize);

impl Rule for Phases {
    fn ask(&self, random: &mut Random) -> usize {
        usize::from(random.below(3) == 0)
    }
    fn is_free(&self, ask: usize) -> bool {
        if ask == 0 { self.0 < 100 } else { self.0 == 0 }
    }
    fn take(&mut self, ask: usize) {
        self.0 += if ask == 0 { 1 } else { 100 };
    }
    fn put(&mut self, ask: usize) {
        self.0 -= if ask == 0 { 1 } else { 100 };
    }
    fn figure(&self) -> usize {
        self.0
    }
}

impl Subject for &'static CapacityLimiter {
    type Guard = Token<'static>;
    fn wait(&self, slot: usize, _: usize) -> Waiting<Self::Guard> {
        let acquire = self.acquire_on_behalf_of(slot as u64);
        Box::pin(async move { acquire.await.unwrap() })
    }
    fn try_now(&self, slot: usize, _: usize) -> Option<Self::Guard> {
        self.try_acquire_on_behalf_of(slot as u64).ok()
    }
    fn waiters(&self) -> usize {
        self.statistics().waiters
    }
    fn figure(&self) -> usize {
        self.available()
    }
}

/// Tokens: those that are out, and the total, which moves.
struct Tokens {
    out: usize,
    total: usize,
}

impl Rule for Tokens {
    fn ask(&self, _: &mut Random) -> usize {
        1
    }
    fn is_free(&self, _: usize) -> bool {
        self.out < self.total
    }
    fn take(&mut self, _: usize) {
        self.out += 1;
    }
    fn put(&mut self, _: usize) {
        self.out -= 1;
    }
    fn figure(&self) -> usize {
        self.total.saturating_sub(self.out)
    }
}

#[test]
fn hz_h01_a_mutex_does_what_its_oracle_says() {
    let mut game = Game::new(Rc::new(Mutex::new(0)), Pile(1, 1));
    play(|random, task| game.step(random, task));
}

#[test]
fn hz_h01_an_rwlock_does_what_its_oracle_says() {
    let mut game = Game::new(Rc::new(RwLock::new(0)), Phases(0));
    play(|random, task| game.step(random, task));
}

#[test]
fn hz_h01_a_semaphore_does_what_its_oracle_says() {
    let semaphore = Rc::new(Semaphore::new(5));
    let mut game = Game::new(Rc::clone(&semaphore), Pile(5, 4));
    play(|random, task| {
        match random.below(40) {
            // Between 3 and 9 in all, so that every request can be met one day.
            0 if semaphore.statistics().lent_permits + semaphore.available_permits() < 9 => {
                semaphore.add_permits(1);
                game.rule.put(1);
                game.serve();
            }
            1 if semaphore.statistics().lent_permits + semaphore.available_permits() > 4 => {
                let taken = semaphore.forget_permits(1);
                assert_eq!(taken, game.rule.0.min(1));
                game.rule.0 -= taken;
            }
            _ => game.step(random, task),
        }
        game.agree();
    });
}

#[test]
fn hz_h01_a_limiter_does_what_its_oracle_says() {
    let limiter: &'static CapacityLimiter = Box::leak(Box::new(CapacityLimiter::new(2)));
    let mut game = Game::new(limiter, Tokens { out: 0, total: 2 });
    play(|random, task| {
        if random.below(20) == 0 {
            let total = random.below(SLOTS);
            limiter.set_total(total);
            game.rule.total = total;
            game.serve();
        } else {
            game.step(random, task);
        }
        game.agree();
    });
}
