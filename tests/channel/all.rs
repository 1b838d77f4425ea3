//! What goes to all: broadcast and watch.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use mainspring::channel::broadcast::{RecvError, TryRecvError};
use mainspring::channel::{self, broadcast, watch};
use mainspring::{run, spawn, yield_now};

use crate::rig::{Chance, Counting, Log, hooked, poll, steps};

#[test]
fn every_receiver_gets_every_message_in_order() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::broadcast(4);
        let tasks: Vec<_> = ["a", "b"]
            .map(|name| {
                let (mut receiver, log) = (receiver.clone(), log.clone());
                spawn(async move {
                    while let Ok(item) = receiver.recv().await {
                        log.push(format!("{name}{item}"));
                    }
                })
            })
            .into();
        drop(receiver);
        for item in 0..3 {
            assert_eq!(sender.send(item).unwrap(), 2);
            yield_now().await;
        }
        drop(sender);
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(log.text(), "a0 b0 a1 b1 a2 b2");
}

/// A message that is counted by its clones.
#[derive(Clone, Debug)]
struct Shared(Rc<u32>);

type Listener = (broadcast::Receiver<Shared>, VecDeque<u32>, u64);

/// Receives in the one of the two ways, or in the other.
fn receive(
    receiver: &mut broadcast::Receiver<Shared>,
    is_try: bool,
) -> Result<Shared, TryRecvError> {
    if is_try {
        return receiver.try_recv();
    }
    match poll(pin!(receiver.recv())) {
        Poll::Ready(Ok(item)) => Ok(item),
        Poll::Ready(Err(RecvError::Lagged(count))) => Err(TryRecvError::Lagged(count)),
        Poll::Ready(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
        Poll::Pending => Err(TryRecvError::Empty),
    }
}

/// A message lives exactly as long as somebody has yet to get it, or an earlier one.
fn lives_as_long_as_wanted(value: &Rc<u32>, receivers: &[Listener]) -> bool {
    let is_alive = Rc::strong_count(value) > 1;
    let is_before = |(_, queue, _): &Listener| queue.front().is_some_and(|old| *old <= **value);
    assert_eq!(is_alive, receivers.iter().any(is_before), "{value}");
    is_alive
}

/// The broadcast against an oracle that keeps a queue for each receiver.
#[test]
fn a_broadcast_does_what_the_oracle_says() {
    const CAPACITY: usize = 3;
    let mut chance = Chance::new();
    let (sender, receiver) = channel::broadcast::<Shared>(CAPACITY);
    let mut receivers: Vec<Listener> = vec![(receiver, VecDeque::new(), 0)];
    let mut history: VecDeque<Rc<u32>> = VecDeque::new();
    for step in 0..steps() / 4 {
        match chance.below(10) {
            0..4 => {
                let value = Rc::new(step as u32);
                let sent = sender.send(Shared(Rc::clone(&value)));
                assert_eq!(
                    sent.ok(),
                    (!receivers.is_empty()).then_some(receivers.len())
                );
                for (_, queue, missed) in &mut receivers {
                    queue.push_back(*value);
                    if queue.len() > CAPACITY {
                        queue.pop_front();
                        *missed += 1;
                    }
                }
                history.push_back(value);
            }
            4 if receivers.len() < 4 => {
                receivers.push((sender.subscribe(), VecDeque::new(), 0));
            }
            5 if !receivers.is_empty() && receivers.len() < 4 => {
                let (receiver, queue, missed) = &receivers[chance.below(receivers.len())];
                let copy = (receiver.clone(), queue.clone(), *missed);
                receivers.push(copy);
            }
            6 if chance.below(2) == 0 && !receivers.is_empty() => {
                let index = chance.below(receivers.len());
                receivers.swap_remove(index);
            }
            _ if !receivers.is_empty() => {
                let index = chance.below(receivers.len());
                let (receiver, queue, missed) = &mut receivers[index];
                let got = receive(receiver, chance.below(2) == 0);
                match got {
                    Err(TryRecvError::Lagged(count)) => {
                        assert_eq!((count, *missed > 0), (*missed, true));
                        *missed = 0;
                    }
                    Err(TryRecvError::Empty) => assert!(queue.is_empty() && *missed == 0),
                    Ok(item) => assert_eq!((Some(*item.0), *missed), (queue.pop_front(), 0)),
                    Err(TryRecvError::Closed) => unreachable!("a sender is there"),
                }
            }
            _ => {}
        }
        let longest = receivers.iter().map(|(_, queue, _)| queue.len()).max();
        assert_eq!(sender.len(), longest.unwrap_or(0));
        for (receiver, queue, _) in &receivers {
            assert_eq!(receiver.len(), queue.len());
        }
        history.retain(|value| lives_as_long_as_wanted(value, &receivers));
    }
}

#[test]
fn a_broadcast_wakes_all_and_counts() {
    let (sender, mut first) = channel::broadcast::<u8>(2);
    let mut second = first.clone();
    let (a, waker_a) = Counting::new();
    let (b, waker_b) = Counting::new();
    {
        let (mut one, mut two) = (pin!(first.recv()), pin!(second.recv()));
        assert!(
            one.as_mut()
                .poll(&mut Context::from_waker(&waker_a))
                .is_pending()
        );
        assert!(
            two.as_mut()
                .poll(&mut Context::from_waker(&waker_b))
                .is_pending()
        );
        assert_eq!(sender.statistics().waiting_receivers, 2);
        sender.send(1).unwrap();
        assert_eq!((a.count(), b.count()), (1, 1));
        assert_eq!(poll(one), Poll::Ready(Ok(1)));
    }
    for item in 2..5 {
        sender.send(item).unwrap();
    }
    let now = sender.statistics();
    assert_eq!(
        (now.sent, now.pushed_out, now.len, now.peak, now.capacity),
        (4, 2, 2, 2, 2)
    );
    assert_eq!((now.senders, now.receivers), (1, 2));
    drop((first, second));
    assert_eq!(sender.send(9).unwrap_err().into_inner(), 9);
    assert!(sender.is_empty());
}

#[test]
fn a_broadcast_that_a_waker_s_clone_sends_is_not_slept_over() {
    let (sender, mut receiver) = channel::broadcast(2);
    let waker = hooked::waker(move |what| {
        if what == "clone" {
            sender.send(5).unwrap();
        }
    });
    let polled = pin!(receiver.recv()).poll(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Ready(Ok(5)));
}

#[test]
fn a_broadcast_that_is_always_ready_yields() {
    run(async {
        let (sender, mut receiver) = channel::broadcast(1000);
        for item in 0..1000 {
            sender.send(item).unwrap();
        }
        let mut polls = 0;
        let mut drain = pin!(async {
            for item in 0..1000 {
                assert_eq!(receiver.recv().await, Ok(item));
            }
        });
        poll_fn(|cx| {
            polls += 1;
            drain.as_mut().poll(cx)
        })
        .await;
        assert!((7..10).contains(&polls), "{polls}");
    })
    .unwrap();
}

#[test]
fn a_watch_shows_the_latest_value_and_says_once_that_it_changed() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::watch(0);
        for name in ["a", "b"] {
            let (mut receiver, log) = (receiver.clone(), log.clone());
            spawn(async move {
                while receiver.changed().await.is_ok() {
                    log.push(format!("{name}{}", *receiver.borrow()));
                }
                log.push(format!("{name}-end"));
            });
        }
        yield_now().await;
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        yield_now().await;
        assert!(receiver.has_changed());
        sender.send(3).unwrap();
        drop(sender);
        yield_now().await;
        yield_now().await;
    })
    .unwrap();
    assert_eq!(log.text(), "a2 b2 a3 a-end b3 b-end");
}

#[test]
fn a_value_that_is_looked_at_stays_as_it_was_and_holds_nobody_up() {
    run(async {
        let (sender, mut receiver) = channel::watch(vec![1]);
        let held = receiver.borrow();
        sender.send_modify(|list| list.push(2));
        yield_now().await;
        assert_eq!((held.len(), receiver.borrow_and_update().len()), (1, 2));
        assert!(!sender.send_if_modified(|_| false) && !receiver.has_changed());
        // Nothing has changed if the change panics, and a change within a change is one.
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sender.send_modify(|_| panic!("half way"));
        }));
        assert!(panicked.is_err() && !receiver.has_changed());
        sender.send_modify(|list| {
            sender.set(vec![7]);
            list.push(3);
        });
        assert_eq!(*receiver.borrow_and_update(), [1, 2, 3]);
        assert_eq!(sender.statistics().changes, 3);
    })
    .unwrap();
}

#[test]
fn a_watch_waits_for_a_value_and_each_side_hears_of_the_other_s_end() {
    run(async {
        let (sender, mut receiver) = channel::watch(0);
        assert_eq!(*receiver.wait_for(|value| *value == 0).await.unwrap(), 0);
        let waiting = spawn(async move {
            let value = *receiver.wait_for(|value| *value > 1).await?;
            assert!(!receiver.has_changed());
            receiver.wait_for(|value| *value > 100).await?;
            Ok::<_, channel::RecvError>(value)
        });
        for value in 1..4 {
            yield_now().await;
            sender.send(value).unwrap();
        }
        drop(sender);
        assert!(waiting.await.unwrap().is_err());

        let (sender, receiver) = channel::watch(0);
        let other = receiver.clone();
        let closing = spawn(async move { sender.closed().await });
        drop(receiver);
        yield_now().await;
        assert!(!closing.is_finished());
        drop(other);
        closing.await.unwrap();
    })
    .unwrap();
}

#[test]
fn hz_h02_broadcast_and_watch_forgotten_then_moved_then_dropped() {
    run(async {
        let (sender, mut receiver) = channel::broadcast::<u8>(1);
        let mut recv = Box::pin(receiver.recv());
        poll_fn(|cx| Poll::Ready(recv.as_mut().poll(cx).is_pending())).await;
        std::mem::forget(recv);
        let sender: Box<broadcast::Sender<u8>> = Box::new(sender);
        drop(receiver);
        drop(sender);

        let (sender, mut receiver) = channel::watch(1);
        let mut changed = Box::pin(receiver.changed());
        poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_pending())).await;
        std::mem::forget(changed);
        let sender: Box<watch::Sender<u8>> = Box::new(sender);
        sender.send(2).unwrap();
        drop(sender);
        drop(receiver);
        yield_now().await;
    })
    .unwrap();
}
