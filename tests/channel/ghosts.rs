//! Ghosts: waits that a task polled and forgot before it ended. Nobody will poll them again, so what is sent
//! while they stand in the line goes to the next (hz_h02).

use std::future::{Future, poll_fn};
use std::mem::forget;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use mainspring::channel::{self, Receiver, Sender, TryRecvError, TrySendError};
use mainspring::io::BufferPool;
use mainspring::{run, spawn, yield_now};

type Make = fn() -> (Sender<u32>, Receiver<u32>);

const BUFFERED: [(&str, Make); 5] = [
    ("bounded", || channel::bounded(4)),
    ("unbounded", channel::unbounded),
    ("lifo", channel::lifo),
    ("priority", channel::priority),
    ("bounded_priority", || channel::bounded_priority(4)),
];

/// Polls it once, in the task that runs.
async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// A task polls the wait, forgets it, and ends.
async fn haunt(wait: impl Future<Output = ()> + 'static) {
    let task = spawn(async move {
        let mut wait = Box::pin(wait);
        assert!(poll_once(&mut wait).await.is_pending());
        forget(wait);
    });
    task.await.unwrap();
}

async fn haunt_receivers(receiver: &Receiver<u32>, count: usize) {
    for _ in 0..count {
        let receiver = receiver.clone();
        haunt(async move {
            receiver.recv().await;
        })
        .await;
    }
}

/// Runs the others until they wait.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn hz_h02_an_item_is_not_lost_with_a_receive_that_its_task_forgot() {
    for (name, make) in BUFFERED {
        run(async move {
            let (sender, receiver) = make();
            haunt_receivers(&receiver, 3).await;
            sender.try_send(7).unwrap();
            assert_eq!(sender.len(), 1, "{name}: it lies there for whoever comes");
            assert_eq!(receiver.statistics().waiting_receivers, 0, "{name}");
            assert_eq!(receiver.try_recv(), Ok(7), "{name}");

            // A receiver that waits behind them.
            haunt_receivers(&receiver, 2).await;
            let waiting = receiver.clone();
            let task = spawn(async move { waiting.recv().await });
            yield_now().await;
            assert_eq!(receiver.statistics().waiting_receivers, 3, "{name}");
            sender.try_send(8).unwrap();
            yield_now().await;
            assert!(task.is_finished(), "{name}: who waits behind is served");
            assert_eq!(task.await.unwrap(), Some(8), "{name}");
            assert_eq!(receiver.statistics().waiting_receivers, 0, "{name}");
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "{name}");
        })
        .unwrap();
    }
}

/// The items of a cancelled receive go to the front, past ghosts that came meanwhile.
#[test]
fn hz_h02_an_item_that_comes_back_is_not_lost_with_a_ghost() {
    run(async {
        let (sender, receiver) = channel::bounded(4);
        let mut cancelled = Box::pin(receiver.recv());
        assert!(poll_once(&mut cancelled).await.is_pending());
        haunt_receivers(&receiver, 1).await;
        sender.try_send(1).unwrap();
        drop(cancelled);
        sender.try_send(2).unwrap();
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Ok(2));
    })
    .unwrap();
}

#[test]
fn hz_h02_a_ghost_makes_no_room_in_a_rendezvous() {
    run(async {
        let (sender, receiver) = channel::rendezvous();
        haunt_receivers(&receiver, 2).await;
        assert!(matches!(sender.try_send(1), Err(TrySendError::Full(1))));
        assert!(sender.try_reserve().is_err());

        haunt_receivers(&receiver, 2).await;
        let other = sender.clone();
        let sending = spawn(async move { other.send(2).await.unwrap() });
        settle().await;
        assert!(!sending.is_finished(), "nobody is there to take it");
        assert_eq!(receiver.try_recv(), Ok(2));
        sending.await.unwrap();

        haunt_receivers(&receiver, 2).await;
        let other = sender.clone();
        let sending = spawn(async move { other.send(3).await.unwrap() });
        settle().await;
        assert_eq!(receiver.recv().await, Some(3));
        sending.await.unwrap();
    })
    .unwrap();
}

/// A permit in a rendezvous claims a receiver, which ends as a ghost: the item waits for the next.
#[test]
fn hz_h02_a_permit_for_a_receiver_that_became_a_ghost_keeps_its_item() {
    run(async {
        let (sender, receiver) = channel::rendezvous();
        let other = receiver.clone();
        let ghost = spawn(async move {
            let mut recv = Box::pin(other.recv());
            assert!(poll_once(&mut recv).await.is_pending());
            yield_now().await;
            forget(recv);
        });
        yield_now().await;
        let permit = sender.try_reserve().unwrap();
        ghost.await.unwrap();
        permit.send(4).unwrap();
        assert_eq!(receiver.recv().await, Some(4));
    })
    .unwrap();
}

#[test]
fn hz_h02_a_try_recv_in_a_rendezvous_finds_the_sender_past_all_ghosts() {
    run(async {
        let (sender, receiver) = channel::rendezvous();
        let by_ref = sender.clone();
        haunt(async move { forget(by_ref.reserve().await) }).await;
        let other = sender.clone();
        let sending = spawn(async move { other.send(1).await.unwrap() });
        yield_now().await;
        assert_eq!(receiver.try_recv(), Ok(1));
        sending.await.unwrap();

        // A sender waits because the only receiver is claimed; and that one becomes a ghost.
        let other = receiver.clone();
        let ghost = spawn(async move {
            let mut recv = Box::pin(other.recv());
            assert!(poll_once(&mut recv).await.is_pending());
            settle().await;
            forget(recv);
        });
        yield_now().await;
        let permit = sender.try_reserve().unwrap();
        let other = sender.clone();
        let sending = spawn(async move { other.send(2).await.unwrap() });
        ghost.await.unwrap();
        assert_eq!(receiver.try_recv(), Ok(2));
        sending.await.unwrap();
        drop(permit);
    })
    .unwrap();
}

#[test]
fn hz_h02_a_permit_is_not_lost_with_a_reservation_that_its_task_forgot() {
    for make in [|| channel::bounded(1), channel::rendezvous as Make] {
        run(async move {
            let (sender, receiver) = make();
            let is_rendezvous = sender.capacity() == Some(0);
            if !is_rendezvous {
                sender.try_send(0).unwrap();
            }
            for _ in 0..3 {
                let by_ref = sender.clone();
                haunt(async move { forget(by_ref.reserve().await) }).await;
                let owned = sender.clone();
                haunt(async move { forget(owned.reserve_owned().await) }).await;
            }
            assert_eq!(sender.statistics().waiting_senders, 6);
            let other = sender.clone();
            let behind = spawn(async move { other.send(1).await.unwrap() });
            yield_now().await;
            if !is_rendezvous {
                assert_eq!(receiver.recv().await, Some(0));
            }
            assert_eq!(receiver.recv().await, Some(1));
            behind.await.unwrap();
            let statistics = sender.statistics();
            assert_eq!((statistics.permits, statistics.waiting_senders), (0, 0));
        })
        .unwrap();
    }
}

/// It brought its item into the line, so the item is sent, in its turn.
#[test]
fn hz_h02_an_item_is_not_lost_with_a_send_that_its_task_forgot() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        sender.try_send(0).unwrap();
        for item in 1..4 {
            let sender = sender.clone();
            haunt(async move { sender.send(item).await.unwrap() }).await;
        }
        for item in 0..4 {
            assert_eq!(receiver.try_recv(), Ok(item));
        }
        assert_eq!(sender.statistics().waiting_senders, 0);
    })
    .unwrap();
}

/// A wait that moves from a task that ends to another is a ghost in between, and then it is not.
#[test]
fn hz_h02_a_receive_that_moves_to_another_task_joins_the_line_anew() {
    for (name, make) in BUFFERED {
        run(async move {
            let (sender, receiver) = make();
            let receiver = Rc::new(receiver);
            let polled = Rc::clone(&receiver);
            let task = spawn(async move {
                let mut recv: Pin<Box<dyn Future<Output = _>>> =
                    Box::pin(async move { polled.recv().await });
                assert!(poll_once(&mut recv).await.is_pending());
                [recv]
            });
            let [mut recv] = task.await.unwrap();
            sender.try_send(1).unwrap();
            assert_eq!(receiver.try_recv(), Ok(1), "{name}: it was nobody's");
            assert!(poll_once(&mut recv).await.is_pending(), "{name}");
            assert_eq!(receiver.statistics().waiting_receivers, 1, "{name}");
            sender.try_send(2).unwrap();
            assert_eq!(recv.await, Some(2), "{name}");
            assert_eq!(receiver.statistics().waiting_receivers, 0, "{name}");
        })
        .unwrap();
    }
}

#[test]
fn hz_h02_a_reservation_that_moves_to_another_task_joins_the_line_anew() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        sender.try_send(0).unwrap();
        let owned = sender.clone();
        let task = spawn(async move {
            let mut reserve = Box::pin(owned.reserve_owned());
            assert!(poll_once(&mut reserve).await.is_pending());
            [reserve]
        });
        let [mut reserve] = task.await.unwrap();
        assert_eq!(receiver.try_recv(), Ok(0));
        let permits = sender.statistics().permits;
        assert_eq!(permits, 0, "nobody was there to have it");
        let Poll::Ready(Ok(permit)) = poll_once(&mut reserve).await else {
            panic!("there is room");
        };
        permit.send(1).unwrap();
        assert_eq!(receiver.try_recv(), Ok(1));
    })
    .unwrap();
}

/// What is told to all is handed to nobody, and a oneshot has but one to hand to.
#[test]
fn hz_h02_a_message_to_all_and_a_new_value_and_a_oneshot_outlast_a_ghost() {
    run(async {
        let (sender, receiver) = channel::broadcast(4);
        let receiver = Box::leak(Box::new(receiver));
        let mut again = sender.subscribe();
        haunt(async {
            receiver.recv().await.unwrap();
        })
        .await;
        sender.send(1).unwrap();
        assert_eq!(again.recv().await, Ok(1));

        let (sender, mut receiver) = channel::watch(1);
        let other = Box::leak(Box::new(receiver.clone()));
        haunt(async {
            other.changed().await.unwrap();
        })
        .await;
        sender.send(2).unwrap();
        receiver.changed().await.unwrap();
        assert_eq!(*receiver.borrow(), 2);

        let (sender, receiver) = channel::oneshot();
        let task = spawn(async move {
            let mut receiver = Box::pin(receiver);
            assert!(poll_once(&mut receiver).await.is_pending());
            [receiver]
        });
        let [receiver] = task.await.unwrap();
        sender.send(3).unwrap();
        assert_eq!(receiver.await, Ok(3));
    })
    .unwrap();
}

#[test]
fn hz_h02_a_buffer_is_not_lost_with_a_take_that_its_task_forgot() {
    run(async {
        let pool = BufferPool::new(1, 8);
        let held = pool.take().await;
        for _ in 0..2 {
            let pool = pool.clone();
            haunt(async move { drop(pool.take().await) }).await;
        }
        let other = pool.clone();
        let waiting = spawn(async move { drop(other.take().await) });
        yield_now().await;
        drop(held);
        yield_now().await;
        assert!(waiting.is_finished());
        assert_eq!(pool.available(), 1);
    })
    .unwrap();
}

/// A close reaches whoever waits behind a ghost.
#[test]
fn hz_h02_the_end_passes_a_ghost_by() {
    run(async {
        let (sender, receiver) = channel::bounded::<u32>(1);
        haunt_receivers(&receiver, 2).await;
        let other = receiver.clone();
        let waiting = spawn(async move { other.recv().await });
        yield_now().await;
        sender.close();
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(receiver.statistics().waiting_receivers, 0);
        let mut recv = pin!(receiver.recv());
        let polled = poll_fn(|cx| Poll::Ready(recv.as_mut().poll(cx))).await;
        assert_eq!(polled, Poll::Ready(None));
    })
    .unwrap();
}
