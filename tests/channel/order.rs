//! Small programs whose order of events is told in advance.

use mainspring::channel;
use mainspring::stream::StreamExt;
use mainspring::{run, spawn, yield_now};

use crate::rig::Log;

#[test]
fn p39_hz_h04_items_come_out_as_they_went_in_and_each_goes_to_who_waits_longest() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::bounded(2);
        for name in ["a", "b", "c"] {
            let (receiver, log) = (receiver.clone(), log.clone());
            spawn(async move {
                while let Some(item) = receiver.recv().await {
                    log.push(format!("{name}{item}"));
                }
            });
        }
        yield_now().await;
        for item in 0..7 {
            sender.send(item).await.unwrap();
        }
        drop(sender);
        for _ in 0..4 {
            yield_now().await;
        }
        log.push("end");
    })
    .unwrap();
    // Three are handed over, two lie there, and the sender waits. Who comes back takes what lies there.
    assert_eq!(log.text(), "a0 a3 a4 a5 b1 c2 a6 end");
}

#[test]
fn p39_hz_h04_senders_are_served_in_the_order_in_which_they_came() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::bounded(1);
        for name in ["a", "b", "c"] {
            let (sender, log) = (sender.clone(), log.clone());
            spawn(async move {
                for item in 0..2 {
                    sender.send(format!("{name}{item}")).await.unwrap();
                    log.push(format!("sent-{name}{item}"));
                }
            });
        }
        drop(sender);
        yield_now().await;
        while let Some(item) = receiver.recv().await {
            log.push(item);
        }
    })
    .unwrap();
    assert_eq!(
        log.text(),
        "sent-a0 a0 a1 b0 c0 sent-a1 sent-b0 sent-b1 sent-c0 sent-c1 b1 c1",
    );
}

#[test]
fn p39_a_try_takes_nothing_from_who_waits() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        let waiter = receiver.clone();
        let waiting = spawn(async move { waiter.recv().await });
        yield_now().await;
        sender.try_send(1).unwrap();
        // It is handed over, though nobody has fetched it yet.
        assert!(receiver.try_recv().is_err());
        assert_eq!(waiting.await.unwrap(), Some(1));

        sender.try_send(2).unwrap();
        let other = sender.clone();
        let waiting = spawn(async move { other.send(3).await });
        yield_now().await;
        assert_eq!(receiver.try_recv(), Ok(2));
        // The room is taken by the one who waited, though it has not run yet.
        assert!(sender.try_send(4).unwrap_err().is_full());
        assert_eq!(receiver.try_recv(), Ok(3));
        waiting.await.unwrap().unwrap();
    })
    .unwrap();
}

#[test]
fn a_rendezvous_sends_when_a_receiver_has_it() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::rendezvous();
        let sending = log.clone();
        spawn(async move {
            for item in 0..3 {
                sending.push(format!("send{item}"));
                sender.send(item).await.unwrap();
                sending.push(format!("sent{item}"));
            }
        });
        yield_now().await;
        log.push("recv");
        while let Some(item) = receiver.recv().await {
            log.push(format!("got{item}"));
        }
    })
    .unwrap();
    assert_eq!(
        log.text(),
        "send0 recv got0 sent0 send1 sent1 send2 got1 got2 sent2"
    );
}

#[test]
fn the_last_one_in_comes_out_first() {
    let (sender, receiver) = channel::lifo();
    for item in 0..3 {
        sender.try_send(item).unwrap();
    }
    drop(sender);
    let got: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
    assert_eq!(got, [2, 1, 0]);
}

#[test]
fn the_least_comes_out_first_and_of_equals_the_first_in() {
    let (sender, receiver) = channel::priority();
    for (number, priority) in [2, 0, 1, 0, 2, 1].into_iter().enumerate() {
        sender
            .try_send((priority, std::cmp::Reverse(number)))
            .unwrap();
    }
    drop(sender);
    let got = std::iter::from_fn(|| receiver.try_recv().ok());
    let got: Vec<_> = got.map(|(priority, number)| (priority, number.0)).collect();
    // `Reverse` is part of the order here; without it ties are by arrival, as the model test has it.
    assert_eq!(got, [(0, 3), (0, 1), (1, 5), (1, 2), (2, 4), (2, 0)]);
}

#[test]
fn p39_close_drains_and_close_now_does_not() {
    run(async {
        let (sender, receiver) = channel::bounded(2);
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        let other = sender.clone();
        let waiting = spawn(async move { other.send(3).await });
        yield_now().await;
        receiver.close();
        assert_eq!(waiting.await.unwrap().unwrap_err().into_inner(), 3);
        assert!(sender.try_send(4).unwrap_err().is_closed());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(sender.close_now(), [2]);
        assert_eq!(receiver.recv().await, None);
    })
    .unwrap();
}

#[test]
fn p39_a_permit_may_still_send_into_a_channel_that_drains() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        let permit = sender.reserve().await.unwrap();
        sender.close();
        let waiting = spawn(async move { (receiver.recv().await, receiver.recv().await) });
        yield_now().await;
        permit.send(1).unwrap();
        assert_eq!(waiting.await.unwrap(), (Some(1), None));
    })
    .unwrap();
}

#[test]
fn l16_join_waits_until_each_item_was_said_to_be_done() {
    let log = Log::default();
    run(async {
        let (sender, receiver) = channel::unbounded();
        let working = log.clone();
        let worker = spawn(async move {
            while let Some(item) = receiver.recv().await {
                yield_now().await;
                working.push(format!("done{item}"));
                receiver.task_done();
            }
        });
        for item in 0..3 {
            sender.send(item).await.unwrap();
        }
        sender.join().await.unwrap();
        log.push("joined");
        sender.join().await.unwrap();
        drop(sender);
        worker.await.unwrap();
    })
    .unwrap();
    assert_eq!(log.text(), "done0 done1 done2 joined");
}

#[test]
fn join_says_so_if_nobody_is_left_to_do_the_rest() {
    run(async {
        let (sender, receiver) = channel::unbounded();
        sender.send(1).await.unwrap();
        sender.send(2).await.unwrap();
        receiver.recv().await.unwrap();
        let other = sender.clone();
        let joining = spawn(async move { other.join().await });
        yield_now().await;
        drop(receiver);
        assert_eq!(joining.await.unwrap(), Err(channel::Unfinished(2)));
        let (sender, _receiver) = channel::unbounded();
        sender.send(1).await.unwrap();
        assert_eq!(sender.close_now(), [1]);
        // What was drained for good counts as done, as in asyncio.
        sender.join().await.unwrap();
    })
    .unwrap();
}

#[test]
#[should_panic = "task_done was called more often than items were received"]
fn task_done_once_too_often_panics() {
    let (sender, receiver) = channel::unbounded();
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    receiver.try_recv().unwrap();
    receiver.task_done();
    receiver.task_done();
}

#[test]
fn a_receiver_is_a_stream_and_what_its_stream_was_handed_is_its_own() {
    run(async {
        let (sender, mut receiver) = channel::unbounded();
        let producer = spawn(async move {
            for item in 0..4 {
                sender.send(item).await.unwrap();
                yield_now().await;
            }
        });
        assert_eq!(receiver.next().await, Some(0));
        // Polled once and dropped: the stream stands in the line.
        std::future::poll_fn(|cx| {
            let mut next = receiver.next();
            assert!(std::pin::Pin::new(&mut next).poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        yield_now().await;
        yield_now().await;
        assert_eq!(receiver.recv().await, Some(1));
        let rest: Vec<_> = receiver.collect().await;
        assert_eq!(rest, [2, 3]);
        producer.await.unwrap();
    })
    .unwrap();
}

#[test]
fn a_clone_gets_what_a_stream_that_is_dropped_was_handed() {
    run(async {
        let (sender, mut receiver) = channel::unbounded();
        let other = receiver.clone();
        std::future::poll_fn(|cx| {
            assert!(
                std::pin::Pin::new(&mut receiver.next())
                    .poll(cx)
                    .is_pending()
            );
            std::task::Poll::Ready(())
        })
        .await;
        sender.send(1).await.unwrap();
        sender.send(2).await.unwrap();
        drop(receiver);
        assert_eq!((other.recv().await, other.recv().await), (Some(1), Some(2)));
    })
    .unwrap();
}

#[test]
fn l19_the_figures_of_a_channel() {
    run(async {
        let (sender, receiver) = channel::bounded(2);
        let waiting = spawn({
            let receiver = receiver.clone();
            async move { receiver.recv().await }
        });
        yield_now().await;
        assert_eq!(sender.statistics().waiting_receivers, 1);
        for item in 0..3 {
            sender.send(item).await.unwrap();
        }
        waiting.await.unwrap();
        let more = spawn({
            let sender = sender.clone();
            async move { sender.send(3).await }
        });
        yield_now().await;
        let now = receiver.statistics();
        assert_eq!((now.len, now.peak, now.capacity), (2, 2, Some(2)));
        assert_eq!((now.senders, now.receivers), (2, 1));
        assert_eq!((now.waiting_senders, now.waiting_receivers), (1, 0));
        assert_eq!((now.sent, now.unfinished, now.permits), (3, 3, 0));
        drop(receiver);
        assert!(more.await.unwrap().is_err());
    })
    .unwrap();
}
