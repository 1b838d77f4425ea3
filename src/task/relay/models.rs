//! Models: every interleaving, up to a number of preemptions, of children's wakes with the parent's polls.
//!
//! *Role.* `make loom` runs them, on the shipped [`Relay`]. The parent is a thread that blocks, and does in a poll what
//! `join_all` does: listen, take the notes, clear a child and poll it. A note that is lost leaves it asleep, which loom
//! reports as a deadlock. What a child waits for is in *relaxed* atomics, so that only the wake makes it visible.

use std::mem::drop;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Poll, Wake};

use loom::thread;

use super::*;
use crate::task::thread_waker::block_until;

/// What a child waits for.
type Goal = loom::sync::Arc<AtomicBool>;

fn goals<const N: usize>() -> [Goal; N] {
    [(); N].map(|()| Goal::new(AtomicBool::new(false)))
}

/// A waker of the child at `place` that may go to another thread.
fn waker(relay: &Relay, place: usize) -> Waker {
    Waker::clone(&relay.lend(place))
}

/// A thread that says so, then wakes.
fn reach_and_wake(goal: &Goal, waker: Waker) -> thread::JoinHandle<()> {
    let goal = goal.clone();
    thread::spawn(move || {
        goal.store(true, Relaxed);
        waker.wake();
    })
}

/// Polls the children, each until its goals are reached.
fn run(relay: &Relay, children: &[&[Goal]]) {
    let mut left = children.len();
    let mut places = Vec::new();
    let done = block_until(None, |cx| {
        relay.listen(cx.waker());
        relay.take_noted(&mut places);
        for place in places.drain(..) {
            relay.clear(place);
            let is_done = children[place].iter().all(|goal| goal.load(Relaxed));
            left -= usize::from(is_done);
        }
        if left == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    assert!(done.is_some());
    relay.stop();
}

#[test]
fn loom_hz_a04_two_children_woken_by_two_threads_are_both_polled() {
    loom::model(|| {
        let relay = Relay::new(2);
        let goals = goals::<2>();
        let threads = [0, 1].map(|place: usize| {
            relay.clear(place);
            reach_and_wake(&goals[place], waker(&relay, place))
        });
        run(&relay, &[&goals[..1], &goals[1..]]);
        threads.map(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&relay), 1);
    });
}

/// The second wake may find the child noted already: it shows what was written before it all the same.
#[test]
fn loom_hz_a04_a_child_woken_by_two_threads_sees_what_both_wrote() {
    loom::model(|| {
        let relay = Relay::new(1);
        let goals = goals::<2>();
        relay.clear(0);
        let threads = [0, 1].map(|i: usize| reach_and_wake(&goals[i], waker(&relay, 0)));
        run(&relay, &[&goals]);
        threads.map(|thread| thread.join().unwrap());
    });
}

/// Counts its wakes; std's, so that counting orders nothing.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn loom_hz_a04_a_parent_that_stops_is_woken_once_at_most_and_kept_by_nobody() {
    loom::model(|| {
        let relay = Relay::new(2);
        let goals = goals::<2>();
        let parent = Arc::new(Count::default());
        let threads = [0, 1].map(|place: usize| {
            relay.clear(place);
            reach_and_wake(&goals[place], waker(&relay, place))
        });
        relay.listen(&Waker::from(Arc::clone(&parent)));
        relay.stop();
        threads.map(|thread| thread.join().unwrap());
        assert!(parent.0.load(SeqCst) <= 1);
        assert_eq!(Arc::strong_count(&parent), 1);
        let mut places = Vec::new();
        relay.take_noted(&mut places);
        places.sort_unstable();
        assert_eq!(places, [0, 1]);
        drop(relay);
    });
}
