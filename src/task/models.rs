//! Models: every interleaving, up to a number of preemptions, of the shipped types with other threads.
//!
//! *Role.* `make loom` runs them. What they drive is not a copy: [`Owner`], [`super::raw::TaskRef`], the
//! wakers, the inbox and [`JoinHandle`] are those of the loop, over the names of [`crate::shim`].
//!
//! *Model.* [`Loop`] is the tick without timers and selector: collect, run what is ready, and sleep on
//! the bell if the inbox is empty after the sleep flag was set. A lost wake leaves it asleep, which
//! loom reports as a deadlock. A block or a core that is never freed keeps the bell's counted event,
//! which loom reports as a leak. What a thread wrote before its wake is in *relaxed* atomics, so that
//! only the wake's own ordering can make it visible.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::core::{Core, CoreRef, Owner};
use super::join::{self, JoinHandle};
use super::record::SpawnMeta;
use crate::shim::Bell;

/// A loop that is entered until it is dropped.
struct Loop {
    owner: Owner,
    bell: Bell,
    sleeps: Cell<u32>,
    polls: Rc<Cell<u32>>,
}

impl Loop {
    fn new() -> Loop {
        let bell = Bell::new();
        let owner = Owner::new();
        owner.enter();
        Loop {
            owner,
            bell,
            sleeps: Cell::new(0),
            polls: Rc::default(),
        }
    }

    fn spawn(&self, goal: &[Arc<AtomicBool>]) -> Spawned {
        let seen = Rc::new(Seen::default());
        let (goal, polls_of_all) = (goal.to_vec(), Rc::clone(&self.polls));
        let future = Watch {
            goal,
            seen: Rc::clone(&seen),
            polls_of_all,
        };
        let handle = join::spawn_on(&self.owner, future, SpawnMeta::at(Location::caller()));
        Spawned { handle, seen }
    }

    /// One tick without a turn.
    fn tick(&self) {
        self.owner.collect_remote_wakes();
        let batch = self.owner.ready.len();
        for _ in 0..batch {
            if let Some(task) = self.owner.ready.pop() {
                task.run(&self.owner);
            }
        }
    }

    fn sleep(&self) {
        self.sleeps.set(self.sleeps.get() + 1);
        let bell = || Ok(self.bell.clone());
        if self.owner.inbox.prepare_sleep(bell).expect("it is there") {
            self.bell.wait();
            self.owner.inbox.end_sleep();
        }
    }

    fn run_until(&self, is_done: impl Fn() -> bool) {
        loop {
            self.tick();
            if is_done() {
                return;
            }
            if self.owner.ready.is_empty() {
                self.sleep();
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.owner.close();
        Core::leave();
    }
}

/// What became of a [`Watch`].
#[derive(Default)]
struct Seen {
    waker: RefCell<Option<Waker>>,
    polls: Cell<u32>,
    /// The how-manyeth poll of the whole loop the last one was.
    polled_at: Cell<u32>,
    drops: Cell<u32>,
}

/// Done once every flag of its goal is seen; gives its waker out at the first poll.
struct Watch {
    goal: Vec<Arc<AtomicBool>>,
    seen: Rc<Seen>,
    polls_of_all: Rc<Cell<u32>>,
}

impl Future for Watch {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        let polls = self.seen.polls.get() + 1;
        self.seen.polls.set(polls);
        self.polls_of_all.set(self.polls_of_all.get() + 1);
        self.seen.polled_at.set(self.polls_of_all.get());
        if polls == 1 {
            *self.seen.waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let is_reached = self.goal.iter().all(|flag| flag.load(Relaxed));
        if is_reached {
            Poll::Ready(polls)
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.drops.set(self.seen.drops.get() + 1);
    }
}

struct Spawned {
    handle: JoinHandle<u32>,
    seen: Rc<Seen>,
}

impl Spawned {
    fn waker(&self) -> Waker {
        self.seen
            .waker
            .take()
            .expect("it was polled, and nobody asked before")
    }

    /// The number of polls it took, for a task that returned.
    fn output(&mut self) -> u32 {
        match self.handle.take() {
            Some(Ok(polls)) => polls,
            other => panic!("not an output: {other:?}"),
        }
    }
}

fn join_all<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

fn flag() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

/// A thread that says so, then wakes.
fn reach_and_wake(goal: &Arc<AtomicBool>, waker: Waker) -> thread::JoinHandle<()> {
    let goal = Arc::clone(goal);
    thread::spawn(move || {
        goal.store(true, Relaxed);
        waker.wake();
    })
}

#[test]
fn loom_hz_a20_a_wake_is_not_lost_while_the_loop_falls_asleep_and_rings_once() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        let mut task = model.spawn(&[Arc::clone(&goal)]);
        model.tick();
        let thread = reach_and_wake(&goal, task.waker());
        model.run_until(|| task.handle.is_finished());
        assert_eq!(task.output(), 2, "the one wake is the one further poll");
        thread.join().unwrap();
        assert!(
            model.bell.rings() <= model.sleeps.get(),
            "at most one ring per sleep"
        );
    });
}

#[test]
fn loom_hz_a20_two_tasks_woken_by_two_threads_ring_a_sleep_once() {
    loom::model(|| {
        let model = Loop::new();
        let goals = [flag(), flag()];
        let mut tasks = [0, 1].map(|i: usize| model.spawn(&[Arc::clone(&goals[i])]));
        model.tick();
        let threads = [0, 1].map(|i: usize| reach_and_wake(&goals[i], tasks[i].waker()));
        model.run_until(|| tasks.iter().all(|task| task.handle.is_finished()));
        assert_eq!(tasks.each_mut().map(Spawned::output), [2, 2]);
        join_all(threads);
        assert!(
            model.bell.rings() <= model.sleeps.get(),
            "at most one ring per sleep"
        );
    });
}

#[test]
fn loom_hz_a04_two_wakes_of_one_task_show_what_was_written_before_each() {
    loom::model(|| {
        let model = Loop::new();
        let goals = [flag(), flag()];
        let mut task = model.spawn(&goals);
        model.tick();
        let waker = task.waker();
        let first = reach_and_wake(&goals[0], waker.clone());
        let second = reach_and_wake(&goals[1], waker);
        // Lost, or not visible: the loop would sleep for ever.
        model.run_until(|| task.handle.is_finished());
        let polls = task.output();
        assert!(
            polls == 2 || polls == 3,
            "{polls} polls: one per batch of wakes"
        );
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn loom_hz_a19_wakes_on_both_sides_queue_a_task_once_per_batch() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        let mut task = model.spawn(&[Arc::clone(&goal)]);
        model.tick();
        let waker = task.waker();
        waker.wake_by_ref();
        let thread = reach_and_wake(&goal, waker);
        model.run_until(|| task.handle.is_finished());
        let polls = task.output();
        assert!(
            polls == 2 || polls == 3,
            "{polls} polls: together or one after the other"
        );
        thread.join().unwrap();
    });
}

/// Drops the loop while another thread does `what` with the last waker, and the handle lives on.
fn against_the_end_of_the_loop(what: impl Fn(Waker) + Copy + Send + Sync + 'static) {
    loom::model(move || {
        let model = Loop::new();
        let mut task = model.spawn(&[flag()]);
        model.tick();
        let waker = task.waker();
        let thread = thread::spawn(move || what(waker));
        drop(model);
        assert_eq!(
            task.seen.drops.get(),
            1,
            "the loop's end drops the future, here"
        );
        assert!(
            task.handle
                .take()
                .is_some_and(|result| result.is_err_and(|e| e.is_aborted()))
        );
        drop(task.handle);
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_a03_wake_races_the_end_of_the_loop() {
    against_the_end_of_the_loop(Waker::wake);
}

#[test]
fn loom_hz_a03_wake_by_ref_and_clone_race_the_end_of_the_loop() {
    against_the_end_of_the_loop(|waker| {
        waker.wake_by_ref();
        let clone = waker.clone();
        drop(waker);
        drop(clone);
    });
}

#[test]
fn loom_hz_a01_the_last_waker_goes_on_another_thread_after_the_loop() {
    loom::model(|| {
        let model = Loop::new();
        let task = model.spawn(&[flag()]);
        model.tick();
        let waker = task.waker();
        let other = waker.clone();
        let thread = thread::spawn(move || drop(waker));
        drop(task.handle);
        drop(model);
        // No loop is entered here any more, so this thread is as foreign as the other.
        other.wake();
        thread.join().unwrap();
        assert_eq!(task.seen.drops.get(), 1);
    });
}

#[test]
fn loom_hz_a15_an_abort_races_a_wake_and_the_end_is_one_of_two() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        let mut task = model.spawn(&[Arc::clone(&goal)]);
        model.tick();
        let thread = reach_and_wake(&goal, task.waker());
        model.tick();
        task.handle.abort();
        model.run_until(|| task.handle.is_finished());
        assert_eq!(task.seen.drops.get(), 1);
        match task.handle.take() {
            Some(Ok(polls)) => assert_eq!(polls, 2),
            Some(Err(error)) => assert!(error.is_aborted()),
            None => panic!("a finished task has a result"),
        }
        assert!(task.handle.take().is_none(), "and gives it once");
        drop(task.handle);
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_a02_clones_on_two_threads_while_the_task_finishes_are_counted() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        goal.store(true, Relaxed);
        let mut task = model.spawn(&[goal]);
        model.tick();
        let waker = task.waker();
        let others = [waker.clone(), waker.clone()];
        waker.wake();
        let threads = others.map(|waker| {
            thread::spawn(move || {
                let clone = waker.clone();
                drop(waker);
                drop(clone);
            })
        });
        model.tick();
        assert_eq!(task.output(), 2);
        drop(task.handle);
        assert_eq!(task.seen.drops.get(), 1);
        join_all(threads);
    });
}

#[test]
fn loom_hz_a02_a_clone_from_elsewhere_that_is_dropped_here_balances_at_the_end() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        goal.store(true, Relaxed);
        let mut task = model.spawn(&[goal]);
        model.tick();
        let here = task.waker();
        let there = here.clone();
        let thread = thread::spawn(move || {
            there.wake_by_ref();
            there.clone()
        });
        here.wake();
        model.tick();
        assert_eq!(task.output(), 2);
        drop(task.handle);
        // Made elsewhere, dropped here, after the counts were merged.
        drop(thread.join().unwrap());
    });
}

#[test]
fn loom_hz_a02_the_counts_balance_when_the_clone_comes_home_before_the_end() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        goal.store(true, Relaxed);
        let mut task = model.spawn(&[goal]);
        model.tick();
        let here = task.waker();
        let there = here.clone();
        let (sender, receiver) = loom::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            sender.send(there.clone()).unwrap();
            drop(there);
        });
        drop(receiver.recv().unwrap());
        here.wake();
        model.tick();
        assert_eq!(task.output(), 2);
        drop(task.handle);
        thread.join().unwrap();
    });
}

#[test]
fn loom_tasks_woken_elsewhere_are_polled_once_each_and_in_order() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        let mut tasks = [0, 1].map(|_: usize| model.spawn(&[Arc::clone(&goal)]));
        model.tick();
        let wakers = tasks.each_ref().map(Spawned::waker);
        let thread = thread::spawn(move || {
            goal.store(true, Relaxed);
            wakers.into_iter().for_each(Waker::wake);
        });
        model.run_until(|| tasks[1].handle.is_finished());
        assert_eq!(tasks.each_mut().map(Spawned::output), [2, 2]);
        let polled_at = tasks.each_ref().map(|task| task.seen.polled_at.get());
        assert_eq!(
            polled_at,
            [3, 4],
            "the first that was woken is the first that is polled"
        );
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_task_in_queue_and_inbox_at_once_is_polled_once_for_both() {
    loom::model(|| {
        let model = Loop::new();
        let goal = flag();
        goal.store(true, Relaxed);
        let mut tasks = [0, 1].map(|_: usize| model.spawn(&[Arc::clone(&goal)]));
        model.tick();
        let wakers = tasks.each_ref().map(Spawned::waker);
        let clones = wakers.clone();
        let thread = thread::spawn(move || clones.into_iter().for_each(Waker::wake));
        wakers.into_iter().for_each(Waker::wake);
        model.tick();
        // What finished in the queue may stand in the inbox yet: it is collected, and not polled.
        assert_eq!(tasks.each_mut().map(Spawned::output), [2, 2]);
        thread.join().unwrap();
        model.tick();
        assert_eq!(tasks.each_ref().map(|task| task.seen.polls.get()), [2, 2]);
    });
}

/// Counts its drops, on whichever thread.
struct CountsDrops(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn loom_hz_a13_a_task_sent_to_a_loop_that_ends_is_dropped_once() {
    loom::model(|| {
        let model = Loop::new();
        let handle = CoreRef::new_handle(&model.owner);
        let drops = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let guard = CountsDrops(std::sync::Arc::clone(&drops));
        let thread = thread::spawn(move || {
            let future = async move { drop(guard) };
            join::send(&handle, future, SpawnMeta::at(Location::caller()));
        });
        model.tick();
        drop(model);
        thread.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn loom_a_loop_without_handles_has_all_that_they_sent() {
    loom::model(|| {
        let model = Loop::new();
        let handle = CoreRef::new_handle(&model.owner);
        let thread = thread::spawn(move || {
            join::send(&handle, async {}, SpawnMeta::at(Location::caller()));
        });
        // A loop that takes itself for deadlocked must not have been sent anything.
        if model.owner.nobody_can_wake() {
            panic!("the task that was sent is neither in the inbox nor to come");
        }
        thread.join().unwrap();
        assert!(!model.owner.nobody_can_wake());
        model.tick();
        assert!(model.owner.nobody_can_wake());
    });
}
