//! Models: every interleaving, up to a number of preemptions, of the halves of a channel between threads.
//!
//! *Role.* `make loom` runs them, on the shipped types. Each thread waits by [`block_until`], also in the
//! place of the loop, whose own sleep is modelled in `task/models.rs`. A lost wake leaves a thread asleep,
//! which loom reports as a deadlock.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Wake, Waker};

use loom::thread;

use super::*;
use crate::task::thread_waker::block_until;

fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    block_until(None, |cx| future.as_mut().poll(cx)).expect("it has no limit")
}

/// Counts its drops, and a waker's wakes; std's, so that counting orders nothing.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

struct Item(Count);

impl Drop for Item {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn loom_hz_h10_a_receive_that_registers_meets_a_send_and_then_the_end() {
    loom::model(|| {
        let (sender, mut receiver) = unbounded();
        let thread = thread::spawn(move || sender.try_send(1).unwrap());
        assert_eq!(wait(receiver.recv()), Some(1));
        assert_eq!(wait(receiver.recv()), None);
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_h06_no_room_is_lost_between_two_senders_and_a_receiver() {
    loom::model(|| {
        let (sender, mut receiver) = bounded(1);
        let threads = [sender.clone(), sender]
            .map(|sender| thread::spawn(move || sender.send_blocking(()).unwrap()));
        assert_eq!(wait(receiver.recv()), Some(()));
        assert_eq!(wait(receiver.recv()), Some(()));
        assert_eq!(wait(receiver.recv()), None);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn loom_hz_h06_an_item_is_for_one_of_two_far_receivers_and_the_end_for_both() {
    loom::model(|| {
        let (sender, receiver) = unbounded_to_thread();
        let threads = [receiver.clone(), receiver]
            .map(|receiver| thread::spawn(move || receiver.recv_blocking()));
        sender.try_send(()).unwrap();
        drop(sender);
        let got = threads.map(|thread| thread.join().unwrap());
        assert_eq!(got.into_iter().flatten().count(), 1);
    });
}

#[test]
fn loom_hz_h01_what_a_dropped_receive_was_promised_goes_to_the_next() {
    loom::model(|| {
        let (sender, receiver) = unbounded_to_thread();
        let other = receiver.clone();
        let thread = thread::spawn(move || {
            sender.try_send(()).unwrap();
            // It must not end before the item has come, so nobody may be left waiting for it.
            sender
        });
        let mut dropped = receiver.recv();
        let waker = Waker::from(Arc::new(Count::default()));
        let polled = Pin::new(&mut dropped).poll(&mut Context::from_waker(&waker));
        drop(dropped);
        if polled.is_pending() {
            assert_eq!(other.recv_blocking(), Some(()));
        }
        drop(thread.join().unwrap());
        assert_eq!(other.recv_blocking(), None);
    });
}

#[test]
fn loom_hz_h07_a_receiver_that_goes_fails_a_send_and_every_item_is_dropped_once() {
    loom::model(|| {
        let (sender, mut receiver) = bounded(1);
        let drops = Count::default();
        let items = [Item(drops.clone()), Item(drops.clone())];
        let thread = thread::spawn(move || {
            let results = items.map(|item| sender.send_blocking(item).is_ok());
            assert!(results[0] || !results[1], "once closed it stays closed");
        });
        let first = wait(receiver.recv());
        assert!(first.is_some());
        drop(receiver);
        drop(first);
        thread.join().unwrap();
        assert_eq!(drops.get(), 2);
    });
}

#[test]
fn loom_hz_h07_a_close_races_a_send_and_what_was_accepted_is_received() {
    loom::model(|| {
        let (sender, mut receiver) = bounded(2);
        let thread = thread::spawn(move || {
            let accepted = u32::from(sender.send_blocking(()).is_ok());
            accepted + u32::from(sender.try_send(()).is_ok())
        });
        receiver.close();
        let mut received = 0;
        while wait(receiver.recv()).is_some() {
            received += 1;
        }
        assert_eq!(thread.join().unwrap(), received);
    });
}

#[test]
fn loom_the_receiver_is_woken_once_until_it_has_looked() {
    loom::model(|| {
        let (sender, mut receiver) = unbounded();
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let thread = thread::spawn(move || {
            sender.try_send(1).unwrap();
            sender.try_send(2).unwrap();
        });
        let mut recv = receiver.recv();
        let polled = Pin::new(&mut recv).poll(&mut Context::from_waker(&waker));
        thread.join().unwrap();
        drop(recv);
        assert_eq!(wakes.get(), usize::from(polled.is_pending()));
        let left = std::iter::from_fn(|| receiver.try_recv().ok()).count();
        assert_eq!(left, 1 + usize::from(polled.is_pending()));
    });
}

#[test]
fn loom_hz_h08_a_oneshot_is_sent_while_its_receiver_registers() {
    loom::model(|| {
        let (sender, receiver) = oneshot();
        let thread = thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(wait(receiver), Ok(1));
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_h08_a_oneshot_is_broken_while_its_receiver_registers() {
    loom::model(|| {
        let (sender, receiver) = oneshot_to_thread::<u32>();
        let thread = thread::spawn(move || drop(sender));
        assert!(receiver.recv_blocking().is_err());
        thread.join().unwrap();
    });
}

#[test]
fn loom_hz_h08_a_oneshot_is_sent_while_its_receiver_closes_and_looks_again() {
    loom::model(|| {
        let (sender, mut receiver) = oneshot();
        let drops = Count::default();
        let item = Item(drops.clone());
        let thread = thread::spawn(move || sender.send(item).is_ok());
        let waker = Waker::from(Arc::new(Count::default()));
        let mut cx = Context::from_waker(&waker);
        let early = Pin::new(&mut receiver).poll(&mut cx);
        receiver.close();
        let late = early.is_pending() && receiver.try_recv().is_ok();
        let received = u32::from(early.is_ready()) + u32::from(late);
        drop(early);
        let was_sent = thread.join().unwrap();
        assert_eq!(was_sent, received == 1, "what was accepted was received");
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn loom_hz_h08_a_oneshot_is_sent_while_its_receiver_is_dropped() {
    loom::model(|| {
        let (sender, receiver) = oneshot_to_thread();
        let drops = Count::default();
        let item = Item(drops.clone());
        let thread = thread::spawn(move || drop(sender.send(item)));
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(drops.get(), 1);
    });
}
