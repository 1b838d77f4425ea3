//! Events, notifications, conditions, barriers, cells and gates against oracles, as in `model_locks`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use mainspring::sync::{
    Barrier, BarrierBroken, BarrierTurn, Condvar, Event, Gate, Mutex, Notified, Notify, OnceCell,
    OwnedMutexGuard, Pass,
};

use crate::rig::{Count, Random, play, poll_with};

const SLOTS: usize = 6;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// One that waits, and what its oracle knows: it was told, and how often it was woken.
struct One<F, T> {
    future: Pin<Box<F>>,
    told: Option<T>,
    count: Arc<Count>,
    is_counted: bool,
    wakes: usize,
    /// It stands in the line.
    is_in_line: bool,
}

impl<F: Future, T> One<F, T> {
    fn new(future: F) -> One<F, T> {
        One {
            future: Box::pin(future),
            told: None,
            count: Count::new(),
            is_counted: false,
            wakes: 0,
            is_in_line: false,
        }
    }

    /// The oracle tells it.
    fn tell(&mut self, what: T) {
        assert!(self.told.is_none() && self.is_in_line);
        self.told = Some(what);
        self.is_in_line = false;
        self.wakes += usize::from(self.is_counted);
    }

    /// Polled by one of two wakers; it joins the line if it must wait.
    fn poll(&mut self, random: &mut Random, task: &Waker) -> Poll<F::Output> {
        self.is_counted = random.below(2) == 0;
        let counted = self.count.waker();
        let waker = if self.is_counted { &counted } else { task };
        let polled = poll_with(&mut self.future, waker);
        if polled.is_pending() {
            self.is_in_line = self.told.is_none();
        }
        polled
    }
}

/// Those who wait, and in which order.
struct Line<F, T> {
    slots: [Option<One<F, T>>; SLOTS],
    order: VecDeque<usize>,
}

impl<F: Future, T> Line<F, T> {
    fn new() -> Line<F, T> {
        Line {
            slots: [const { None }; SLOTS],
            order: VecDeque::new(),
        }
    }

    fn one(&mut self, slot: usize) -> &mut One<F, T> {
        self.slots[slot].as_mut().expect("it is there")
    }

    /// Polls the one in `slot`, which joins the line if it must wait; takes it out if it is done.
    fn poll(&mut self, slot: usize, random: &mut Random, task: &Waker) -> Option<F::Output> {
        match self.one(slot).poll(random, task) {
            Poll::Ready(output) => {
                self.slots[slot] = None;
                Some(output)
            }
            Poll::Pending => {
                if self.one(slot).is_in_line && !self.order.contains(&slot) {
                    self.order.push_back(slot);
                }
                None
            }
        }
    }

    /// Drops the one in `slot`; what it was told and did not fetch.
    fn cancel(&mut self, slot: usize) -> Option<T> {
        self.order.retain(|other| *other != slot);
        self.slots[slot].take().and_then(|one| one.told)
    }

    fn tell_first(&mut self, what: T) -> bool {
        let first = self.order.pop_front();
        if let Some(slot) = first {
            self.one(slot).tell(what);
        }
        first.is_some()
    }

    fn tell_all(&mut self, mut what: impl FnMut() -> T) {
        while !self.order.is_empty() {
            self.tell_first(what());
        }
    }

    fn agree(&self, waiters: usize) {
        assert_eq!(waiters, self.order.len());
        for one in self.slots.iter().flatten() {
            assert_eq!(one.count.get(), one.wakes, "wakes");
        }
    }
}

fn boxed<T>(future: impl Future<Output = T> + 'static) -> Boxed<T> {
    Box::pin(future)
}

#[test]
fn hz_h05_an_event_does_what_its_oracle_says() {
    let event = Rc::new(Event::new());
    let mut is_set = false;
    let mut line: Line<Boxed<()>, ()> = Line::new();
    play(|random, task| {
        let slot = random.below(SLOTS);
        match random.below(12) {
            0 => {
                event.set();
                is_set = true;
                line.tell_all(|| ());
            }
            1 | 2 => {
                event.clear();
                is_set = false;
            }
            3 => drop(line.cancel(slot)),
            _ => {
                if line.slots[slot].is_none() {
                    let event = Rc::clone(&event);
                    line.slots[slot] = Some(One::new(boxed(async move { event.wait().await })));
                }
                let one = line.one(slot);
                let is_new = !one.is_in_line && one.told.is_none();
                let expected = one.told.is_some() || is_new && is_set;
                assert_eq!(line.poll(slot, random, task).is_some(), expected);
            }
        }
        line.agree(event.statistics().waiters);
        assert!(!is_set || line.order.is_empty());
        assert_eq!(event.is_set(), is_set);
    });
}

/// Whom a notification was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    One,
    All,
}

#[test]
fn hz_h01_hz_h05_a_notify_does_what_its_oracle_says() {
    let notify: &'static Notify = Box::leak(Box::new(Notify::new()));
    let mut has_permit = false;
    let mut line: Line<Notified<'static>, Reach> = Line::new();
    // Made and not polled: notified with all.
    let mut was_made_before = [false; SLOTS];
    play(|random, task| {
        let slot = random.below(SLOTS);
        match (random.below(10), line.slots[slot].is_some()) {
            (0, _) => {
                notify.notify_one();
                has_permit |= !line.tell_first(Reach::One);
            }
            (1, _) => {
                notify.notify_all();
                line.tell_all(|| Reach::All);
                for (slot, was_made_before) in was_made_before.iter_mut().enumerate() {
                    let one = line.slots[slot].as_ref();
                    *was_made_before |= one.is_some_and(|one| one.told.is_none());
                }
            }
            (2, true) => {
                let is_passed_on = line.cancel(slot) == Some(Reach::One);
                has_permit |= is_passed_on && !line.tell_first(Reach::One);
            }
            (3, true) => {
                line.one(slot).future.as_mut().enable();
                let one = line.one(slot);
                if !one.is_in_line && one.told.is_none() && !was_made_before[slot] {
                    one.is_in_line = true;
                    line.order.push_back(slot);
                    if has_permit {
                        has_permit = false;
                        line.tell_first(Reach::One);
                    }
                }
            }
            (4, false) => {
                line.slots[slot] = Some(One::new(notify.notified()));
                was_made_before[slot] = false;
            }
            (_, true) => {
                let one = line.one(slot);
                let is_new = !one.is_in_line && one.told.is_none();
                let was_told = one.told.is_some();
                let takes = is_new && has_permit && !was_made_before[slot];
                let expected = was_told || takes || is_new && was_made_before[slot];
                assert_eq!(line.poll(slot, random, task).is_some(), expected);
                has_permit &= !takes;
            }
            _ => {}
        }
        line.agree(notify.statistics().waiters);
        assert_eq!(notify.statistics().has_permit, has_permit);
        assert!(
            !has_permit || line.order.is_empty(),
            "kept, and somebody waits"
        );
    });
}

type Both = Rc<(Rc<Mutex<()>>, Condvar)>;

async fn wait_and_release(both: Both) {
    let guard = both.0.try_lock().expect("the model saw that it is free");
    drop(both.1.wait(guard).await);
}

#[test]
fn hz_h01_hz_h05_a_condvar_does_what_its_oracle_says() {
    let both: Both = Rc::default();
    let mut line: Line<Boxed<()>, Reach> = Line::new();
    // Who was told, was polled, and stands in line for the lock that the model holds.
    let mut lockers = [false; SLOTS];
    let mut held: Option<OwnedMutexGuard<()>> = None;
    play(|random, task| {
        let slot = random.below(SLOTS);
        match (random.below(10), line.slots[slot].is_some()) {
            (0, _) => {
                both.1.notify_one();
                line.tell_first(Reach::One);
            }
            (1, _) => {
                both.1.notify_all();
                line.tell_all(|| Reach::All);
            }
            (2, true) => {
                let told = line.cancel(slot);
                lockers[slot] = false;
                if told == Some(Reach::One) {
                    line.tell_first(Reach::One);
                }
            }
            (3, _) => match held.take() {
                // Whoever stood in line for it has it, one after the other.
                Some(guard) => {
                    drop(guard);
                    let mut left = lockers.iter().filter(|is_locker| **is_locker).count();
                    while left > 0 {
                        for (slot, is_locker) in lockers.iter_mut().enumerate() {
                            if *is_locker && line.one(slot).poll(random, task).is_ready() {
                                (line.slots[slot], *is_locker) = (None, false);
                                left -= 1;
                            }
                        }
                    }
                }
                None => held = both.0.try_lock_owned(),
            },
            (_, false) if held.is_none() && !both.0.is_locked() => {
                let future = boxed(wait_and_release(Rc::clone(&both)));
                line.slots[slot] = Some(One::new(future));
                assert!(line.poll(slot, random, task).is_none());
                assert!(!both.0.is_locked());
            }
            (_, true) if !lockers[slot] => {
                let expected = line.one(slot).told.is_some() && held.is_none();
                let is_done = line.poll(slot, random, task).is_some();
                assert_eq!(is_done, expected);
                lockers[slot] = !is_done && line.one(slot).told.is_some();
            }
            _ => {}
        }
        assert_eq!(both.1.statistics().waiters, line.order.len());
        let lockers = lockers.iter().filter(|is_locker| **is_locker).count();
        assert_eq!(both.0.statistics().waiters, lockers);
        assert_eq!(both.0.is_locked(), held.is_some());
    });
}

#[test]
fn hz_h01_a_barrier_does_what_its_oracle_says() {
    const PARTIES: usize = 4;
    type Turn = Result<BarrierTurn, BarrierBroken>;
    let barrier = Rc::new(Barrier::new(PARTIES));
    let mut is_broken = false;
    let mut line: Line<Boxed<Turn>, Result<usize, ()>> = Line::new();
    play(|random, task| {
        let slot = random.below(SLOTS);
        match random.below(20) {
            0 => {
                barrier.abort();
                is_broken = true;
                line.tell_all(|| Err(()));
            }
            1 | 2 => {
                barrier.reset();
                is_broken = false;
                line.tell_all(|| Err(()));
            }
            // A round that is complete stays so.
            3..6 => drop(line.cancel(slot)),
            _ => {
                if line.slots[slot].is_none() {
                    let barrier = Rc::clone(&barrier);
                    line.slots[slot] = Some(One::new(boxed(async move { barrier.wait().await })));
                }
                let one = line.one(slot);
                let is_new = !one.is_in_line && one.told.is_none();
                let is_last = is_new && line.order.len() + 1 == PARTIES;
                let expected = match line.one(slot).told {
                    Some(told) => Some(told),
                    None if is_new && is_broken => Some(Err(())),
                    None if is_last => Some(Ok(PARTIES - 1)),
                    None => None,
                };
                let turn = line.poll(slot, random, task);
                let index = turn.map(|turn| turn.map(|turn| turn.index()).map_err(|_| ()));
                assert_eq!(index, expected);
                if is_last && !is_broken {
                    let mut index = 0;
                    line.tell_all(|| {
                        index += 1;
                        Ok(index - 1)
                    });
                }
            }
        }
        line.agree(barrier.statistics().waiters);
        assert!(line.order.len() < PARTIES);
    });
}

/// How the value of a cell is being made: the slot whose future has the job, and what it will say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Job,
    Full,
}

/// What the initialiser that is polled next says; nothing: it waits.
type Verdict = Rc<std::cell::Cell<Option<Result<u32, ()>>>>;

/// The value, made by a future that ends when the model says so.
async fn made_or_failed(cell: Rc<OnceCell<u32>>, verdict: Verdict) -> Result<u32, ()> {
    let made = cell.get_or_try_init(|| {
        std::future::poll_fn(move |_| verdict.take().map_or(Poll::Pending, Poll::Ready))
    });
    made.await.copied()
}

#[test]
fn hz_h01_a_cell_does_what_its_oracle_says() {
    let new_cell = || Rc::new(OnceCell::<u32>::new());
    let mut cell = new_cell();
    let verdict: Verdict = Rc::default();
    let mut line: Line<Boxed<Result<u32, ()>>, Told> = Line::new();
    let mut worker: Option<usize> = None;
    play(|random, task| {
        let slot = random.below(SLOTS);
        // Whoever has the job, or was handed it.
        let has_worker = |line: &Line<_, Told>, worker: Option<usize>| {
            let is_handed = |one: &One<Boxed<Result<u32, ()>>, Told>| one.told == Some(Told::Job);
            worker.is_some() || line.slots.iter().flatten().any(is_handed)
        };
        match random.below(8) {
            0 if line.slots[slot].is_some() => {
                let had_job = line.cancel(slot) == Some(Told::Job) || worker == Some(slot);
                if had_job {
                    worker = None;
                    line.tell_first(Told::Job);
                }
            }
            1 if cell.is_set() && line.slots.iter().all(Option::is_none) => cell = new_cell(),
            _ => {
                if line.slots[slot].is_none() {
                    let (cell, verdict) = (Rc::clone(&cell), Rc::clone(&verdict));
                    let future = boxed(made_or_failed(cell, verdict));
                    line.slots[slot] = Some(One::new(future));
                }
                let one = line.one(slot);
                let is_new = !one.is_in_line && one.told.is_none() && worker != Some(slot);
                let told = one.told.take();
                let gets_job = told == Some(Told::Job)
                    || is_new && !cell.is_set() && !has_worker(&line, worker);
                if gets_job {
                    worker = Some(slot);
                }
                let is_full = told == Some(Told::Full) || is_new && cell.is_set();
                let decides = worker == Some(slot) && random.below(2) == 0;
                let said = if random.below(3) == 0 { Ok(7) } else { Err(()) };
                verdict.set(decides.then_some(said));
                let expected = match (is_full, decides) {
                    (true, _) => Some(Ok(7)),
                    (_, true) => Some(said),
                    _ => None,
                };
                assert_eq!(line.poll(slot, random, task), expected);
                verdict.set(None);
                if worker == Some(slot) && !decides {
                    // It works, and stands in no line.
                    line.one(slot).is_in_line = false;
                    line.order.retain(|other| *other != slot);
                }
                if decides {
                    worker = None;
                    match said {
                        Ok(_) => line.tell_all(|| Told::Full),
                        Err(()) => drop(line.tell_first(Told::Job)),
                    }
                }
            }
        }
        line.agree(cell.statistics().waiters);
        let is_worked_on = has_worker(&line, worker);
        assert_eq!(cell.statistics().is_being_filled, is_worked_on);
        assert!(
            is_worked_on || line.order.is_empty(),
            "a free job, and somebody waits"
        );
    });
}

#[test]
fn hz_h01_a_gate_does_what_its_oracle_says() {
    let mut gate = Gate::new();
    let mut passes: Vec<Pass> = Vec::new();
    let mut is_closed = false;
    let mut line: Line<Boxed<()>, ()> = Line::new();
    play(|random, task| {
        let slot = random.below(SLOTS);
        match random.below(16) {
            0..5 => {
                let pass = gate.enter();
                assert_eq!(pass.is_ok(), !is_closed);
                passes.extend(pass);
            }
            5..9 if !passes.is_empty() => {
                drop(passes.swap_remove(random.below(passes.len())));
                if passes.is_empty() {
                    line.tell_all(|| ());
                }
            }
            9 => drop(line.cancel(slot)),
            10 if is_closed && passes.is_empty() && line.slots.iter().all(Option::is_none) => {
                (gate, is_closed) = (Gate::new(), false);
            }
            11 if line.slots[slot].is_none() => {
                line.slots[slot] = Some(One::new(boxed(gate.close())));
                is_closed = true;
            }
            _ if line.slots[slot].is_some() => {
                let one = line.one(slot);
                let is_new = !one.is_in_line && one.told.is_none();
                let expected = one.told.is_some() || is_new && passes.is_empty();
                assert_eq!(line.poll(slot, random, task).is_some(), expected);
            }
            _ => {}
        }
        line.agree(gate.statistics().waiters);
        assert_eq!(gate.inside(), passes.len());
    });
}
