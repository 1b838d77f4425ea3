//! A value that is sent once: every order in which the ends do what they can.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use mainspring::channel::{self, RecvError, TryRecvError, oneshot};
use mainspring::{run, spawn, yield_now};

use crate::rig::{Chance, Counting, Item, Ledger, Log, hooked, poll, steps};

#[test]
fn a_send_wakes_the_receiver_and_does_not_poll_it() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::oneshot();
        let receiving = log.clone();
        let task = spawn(async move {
            receiving.push(format!("got-{}", receiver.await.unwrap()));
        });
        yield_now().await;
        sender.send(1).unwrap();
        log.push("sent");
        task.await.unwrap();
    })
    .unwrap();
    assert_eq!(log.text(), "sent got-1");
}

#[test]
fn each_end_hears_of_the_other_s_end() {
    run(async {
        let (sender, receiver) = channel::oneshot::<u8>();
        let waiting = spawn(receiver);
        yield_now().await;
        drop(sender);
        assert_eq!(waiting.await.unwrap(), Err(RecvError));

        let (sender, mut receiver) = channel::oneshot();
        let working = spawn(async move {
            sender.closed().await;
            sender.send(1).unwrap_err().into_inner()
        });
        yield_now().await;
        receiver.close();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(working.await.unwrap(), 1);

        let (sender, mut receiver) = channel::oneshot();
        sender.send(2).unwrap();
        receiver.close();
        assert!(receiver.is_ready());
        assert_eq!((&mut receiver).await, Ok(2));
        assert_eq!((&mut receiver).await, Err(RecvError));
    })
    .unwrap();
}

#[test]
fn hz_h09_a_oneshot_calls_the_last_waker_and_lets_the_earlier_ones_go() {
    let (sender, mut receiver) = channel::oneshot();
    let (a, waker_a) = Counting::new();
    let (b, waker_b) = Counting::new();
    let held = Arc::strong_count(&a);
    for waker in [&waker_a, &waker_b] {
        let polled = Pin::new(&mut receiver).poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    assert_eq!(Arc::strong_count(&a), held);
    sender.send(1).unwrap();
    assert_eq!((a.count(), b.count()), (0, 1));
    assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Ok(1)));
}

#[test]
fn hz_h02_a_oneshot_forgotten_then_dropped() {
    run(async {
        let ledger = Ledger::default();
        for is_sent in [false, true] {
            let (sender, mut receiver) = channel::oneshot();
            poll_fn(|cx| Poll::Ready(Pin::new(&mut receiver).poll(cx).is_pending())).await;
            let mut closed = Box::pin(sender.closed());
            poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx).is_pending())).await;
            std::mem::forget(closed);
            std::mem::forget(receiver);
            let sender = Box::new(sender);
            if is_sent {
                sender.send(ledger.item(1)).ok().unwrap();
            } else {
                drop(sender);
            }
            yield_now().await;
        }
    })
    .unwrap();
}

/// What a waker's clone does to the other end.
#[test]
fn a_foreign_waker_may_send_or_drop_the_sender_while_it_is_cloned() {
    for is_sent in [false, true] {
        let (sender, mut receiver) = channel::oneshot();
        let sender = std::cell::RefCell::new(Some(sender));
        let waker = hooked::waker(move |what| {
            if let (Some(sender), "clone") = (sender.take(), what) {
                if is_sent {
                    sender.send(7).unwrap();
                }
            }
        });
        let polled = Pin::new(&mut receiver).poll(&mut Context::from_waker(&waker));
        let expected = if is_sent { Ok(7) } else { Err(RecvError) };
        assert_eq!(polled, Poll::Ready(expected));
    }
}

/// Random steps of both ends against what must come of them.
#[test]
fn hz_h01_hz_h07_a_oneshot_does_what_the_oracle_says() {
    let mut chance = Chance::new();
    for _ in 0..steps() / 8 {
        game(&mut chance);
    }
}

/// What the receiver finds, by a `try_recv` or by a poll; nothing yet, perhaps.
fn look(
    receiver: &mut oneshot::Receiver<Item>,
    is_try: bool,
    cx: &mut Context<'_>,
) -> Option<Result<(), RecvError>> {
    if is_try {
        return match receiver.try_recv() {
            Ok(_) => Some(Ok(())),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        };
    }
    match Pin::new(receiver).poll(cx) {
        Poll::Ready(got) => Some(got.map(drop)),
        Poll::Pending => None,
    }
}

fn game(chance: &mut Chance) {
    let ledger = Ledger::default();
    let (sender, receiver) = channel::oneshot::<Item>();
    let (mut sender, mut receiver) = (Some(sender), Some(receiver));
    let (counting, waker) = Counting::new();
    let (mut is_sent, mut is_gone, mut is_taken, mut is_closed) = (false, false, false, false);
    let mut is_waiting = false;
    for _ in 0..8 {
        match chance.below(6) {
            0 => {
                if let Some(sender) = sender.take() {
                    let was_woken = counting.count();
                    let sent = sender.send(ledger.item(1));
                    assert_eq!(sent.is_ok(), !is_closed);
                    is_sent = sent.is_ok();
                    is_gone = true;
                    let is_woken = counting.count() > was_woken;
                    assert_eq!(is_woken, is_waiting && receiver.is_some());
                    is_waiting = false;
                }
            }
            1 if chance.below(4) == 0 => {
                let was_there = sender.take().is_some();
                is_gone |= was_there;
                is_waiting &= !was_there;
            }
            2 if chance.below(4) == 0 => {
                receiver = None;
                is_closed = true;
            }
            3 if chance.below(3) == 0 => {
                if let Some(receiver) = &mut receiver {
                    receiver.close();
                    is_closed = true;
                }
            }
            dice => {
                if let Some(receiver) = &mut receiver {
                    let cx = &mut Context::from_waker(&waker);
                    match look(receiver, dice == 4, cx) {
                        Some(Ok(())) => {
                            assert!(is_sent && !is_taken);
                            is_taken = true;
                        }
                        // A receiver that is polled waits on, though it is closed; one that asks hears of it.
                        Some(Err(RecvError)) => {
                            let is_over = is_gone || dice == 4 && is_closed;
                            assert!(is_taken || !is_sent && is_over);
                        }
                        None => {
                            assert!(!(is_gone || dice == 4 && is_closed));
                            is_waiting |= dice != 4;
                        }
                    }
                }
            }
        }
        if let Some(sender) = &sender {
            assert_eq!(sender.is_closed(), is_closed);
            let closed = pin!(sender.closed());
            assert_eq!(poll(closed).is_ready(), is_closed);
        }
        let is_there = is_sent && !is_taken && receiver.is_some();
        assert_eq!(ledger.alive(), usize::from(is_there));
    }
    drop((sender, receiver));
    assert_eq!(ledger.alive(), 0);
}

/// Their memory is a block of the loop that they were made in.
#[test]
fn the_ends_of_a_oneshot_outlive_their_loop_and_come_into_another() {
    let ledger = Ledger::default();
    let (sender, mut receiver) = run(async { channel::oneshot() }).unwrap();
    let (other, unanswered) = run(async { channel::oneshot::<Item>() }).unwrap();
    run(async {
        drop(unanswered);
        other.closed().await;
        drop(other);
    })
    .unwrap();
    sender.send(ledger.item(1)).ok().unwrap();
    drop(run(async { (&mut receiver).await }).unwrap().unwrap());
    let (sender, receiver) = run(async { channel::oneshot() }).unwrap();
    sender.send(ledger.item(2)).ok().unwrap();
    assert_eq!(ledger.alive(), 1);
    drop(receiver);
    assert_eq!(ledger.alive(), 0);
}

#[test]
fn the_ends_of_a_oneshot_are_small() {
    assert_eq!(size_of::<oneshot::Sender<[u8; 100]>>(), size_of::<usize>());
    assert_eq!(
        size_of::<oneshot::Receiver<[u8; 100]>>(),
        size_of::<usize>()
    );
}
