//! Models: every interleaving, up to a number of preemptions, of a result with whoever fetches it.
//!
//! *Role.* `make loom` runs them, on the shipped [`Slot`], [`Sender`] and [`RemoteJoin`]. The thread that puts the result
//! stands for the loop, or for a thread of its pool. A lost wake leaves the fetcher asleep, which loom reports as a
//! deadlock.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::Wake;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;

/// Counts its wakes; std's, so that counting orders nothing.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn slot() -> (Sender<u32>, RemoteJoin<u32>) {
    let slot = Arc::new(Slot::new(Location::caller()));
    (Sender(Arc::clone(&slot)), RemoteJoin(slot))
}

#[test]
fn loom_hz_h08_who_blocks_for_a_result_gets_it_and_sees_what_was_written_before() {
    loom::model(|| {
        let (sender, join) = slot();
        let written = loom::sync::Arc::new(AtomicBool::new(false));
        let thread = {
            let written = loom::sync::Arc::clone(&written);
            thread::spawn(move || {
                written.store(true, Relaxed);
                sender.0.put(Ok(1));
            })
        };
        assert_eq!(join.join().ok(), Some(1));
        assert!(written.load(Relaxed));
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_h10_who_awaits_a_result_is_woken_and_a_sender_that_is_dropped_is_an_abort() {
    loom::model(|| {
        let (sender, mut join) = slot();
        let thread = thread::spawn(move || drop(sender));
        let result = block_until(None, |cx| Pin::new(&mut join).poll(cx));
        assert!(result.expect("it has no limit").unwrap_err().is_aborted());
        assert!(join.is_finished());
        thread.join().unwrap();
    });
}

/// The worker either sees the abort, or is woken by it: never neither.
#[test]
fn loom_hz_a15_an_abort_reaches_a_worker_that_is_about_to_say_how_it_is_woken() {
    loom::model(|| {
        let (sender, join) = slot();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let thread = thread::spawn(move || {
            let goes_on = sender.0.keep_task(&waker);
            (sender, goes_on)
        });
        join.abort();
        let (sender, goes_on) = thread.join().unwrap();
        assert_eq!(count.0.load(SeqCst) == 1, goes_on);
        drop(sender);
        assert_eq!(
            Arc::strong_count(&count),
            1,
            "nobody keeps the worker's waker"
        );
    });
}

#[test]
fn loom_hz_h08_of_two_results_the_first_counts_and_none_is_kept() {
    loom::model(|| {
        let (sender, join) = slot();
        let other = Sender(Arc::clone(&sender.0));
        let thread = thread::spawn(move || other.0.put(Ok(1)));
        sender.0.put(Ok(2));
        thread.join().unwrap();
        let first = join.join().unwrap();
        assert!(first == 1 || first == 2);
        assert!(sender.0.lock().result.is_none());
    });
}
