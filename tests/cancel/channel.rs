//! Channels: sends, receives and their kin, dropped at each of their waits.

use mainspring::channel::{self, Receiver, Sender};

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_send_that_is_dropped_takes_its_item_along_and_nothing_else,
    a_reservation_that_is_dropped_passes_its_room_on,
    an_owned_reservation_that_is_dropped_passes_its_room_on,
    a_receive_that_is_dropped_loses_no_item,
    a_rendezvous_that_is_dropped_loses_no_item,
    a_receive_of_several_that_is_dropped_loses_no_item,
    a_wait_for_the_end_can_be_made_again,
    a_wait_until_all_is_done_can_be_made_again,
    a_oneshot_keeps_its_value,
    a_wait_for_the_end_of_a_oneshot_can_be_made_again,
    a_broadcast_receive_that_is_dropped_misses_no_message,
    a_watch_that_is_dropped_misses_no_change,
    a_wait_for_the_end_of_a_watch_can_be_made_again,
}

/// A full channel of room for one: the near side sends, the world receives.
fn full() -> (Sender<u32>, Receiver<u32>) {
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(1).unwrap();
    (sender, receiver)
}

// cancels: Sender::send
fn a_send_that_is_dropped_takes_its_item_along_and_nothing_else(on: On) {
    let waits = Case::new(on, full)
        .world(|receiver| assert!(receiver.try_recv().is_ok()))
        .not_safe(
            async |sender| sender.send(2).await.unwrap(),
            async |sender, receiver| {
                // What it sent is there once, or not at all, and there is room again.
                let left = std::iter::from_fn(|| receiver.try_recv().ok());
                let left: Vec<_> = left.collect();
                assert!(left == [1] || left == [2] || left.is_empty(), "{left:?}");
                sender.try_send(3).unwrap();
                assert_eq!(receiver.try_recv(), Ok(3));
            },
        );
    assert_eq!(waits, 1);
}

// cancels: Sender::reserve
fn a_reservation_that_is_dropped_passes_its_room_on(on: On) {
    let waits = Case::new(on, full)
        .world(|receiver| assert!(receiver.try_recv().is_ok()))
        .loses_its_place(
            async |sender| sender.reserve().await.unwrap().send(2).unwrap(),
            async |sender, receiver| {
                assert_eq!(receiver.try_recv(), Ok(2));
                assert_eq!(sender.statistics().permits, 0);
            },
        );
    assert_eq!(waits, 1);
}

// cancels: Sender::reserve_owned
fn an_owned_reservation_that_is_dropped_passes_its_room_on(on: On) {
    let waits = Case::new(on, full)
        .world(|receiver| assert!(receiver.try_recv().is_ok()))
        .loses_its_place(
            async |sender| {
                let permit = sender.clone().reserve_owned().await.unwrap();
                permit.send(2).unwrap();
            },
            async |sender, receiver| {
                assert_eq!(receiver.try_recv(), Ok(2));
                let statistics = sender.statistics();
                assert_eq!((statistics.permits, statistics.senders), (0, 1));
            },
        );
    assert_eq!(waits, 1);
}

/// The near side receives and keeps; the world sends the numbers from 0 on.
struct Reader {
    receiver: Receiver<u32>,
    got: Vec<u32>,
}

struct Writer {
    sender: Sender<u32>,
    sent: u32,
}

fn ends() -> (Reader, Writer) {
    let (sender, receiver) = channel::unbounded();
    let got = Vec::new();
    (Reader { receiver, got }, Writer { sender, sent: 0 })
}

impl Writer {
    fn send(&mut self, count: u32) {
        for _ in 0..count {
            self.sender.try_send(self.sent).unwrap();
            self.sent += 1;
        }
    }
}

// cancels: Receiver::recv
fn a_receive_that_is_dropped_loses_no_item(on: On) {
    let waits = Case::new(on, ends)
        .world(|writer| writer.send(2))
        .loses_its_place(
            async |reader| {
                while reader.got.len() < 6 {
                    reader.got.push(reader.receiver.recv().await.unwrap());
                }
            },
            async |reader, _| assert_eq!(reader.got, [0, 1, 2, 3, 4, 5]),
        );
    assert_eq!(waits, 3);
}

// cancels: Receiver::recv
fn a_rendezvous_that_is_dropped_loses_no_item(on: On) {
    let setup = || {
        let (sender, receiver) = channel::rendezvous();
        let got = Vec::new();
        (Reader { receiver, got }, Writer { sender, sent: 0 })
    };
    let waits = Case::new(on, setup)
        .world(|writer| {
            // Without a receiver that waits it is refused.
            if writer.sender.try_send(writer.sent).is_ok() {
                writer.sent += 1;
            }
        })
        .loses_its_place(
            async |reader| {
                while reader.got.len() < 3 {
                    reader.got.push(reader.receiver.recv().await.unwrap());
                }
            },
            async |reader, _| assert_eq!(reader.got, [0, 1, 2]),
        );
    assert_eq!(waits, 3);
}

// cancels: Receiver::recv_many
fn a_receive_of_several_that_is_dropped_loses_no_item(on: On) {
    let waits = Case::new(on, ends)
        .world(|writer| writer.send(3))
        .loses_its_place(
            async |reader| {
                while reader.got.len() < 6 {
                    let Reader { receiver, got } = reader;
                    assert!(receiver.recv_many(got, 2).await > 0);
                }
            },
            async |reader, _| assert_eq!(reader.got, [0, 1, 2, 3, 4, 5]),
        );
    assert_eq!(waits, 2);
}

// cancels: Sender::closed
fn a_wait_for_the_end_can_be_made_again(on: On) {
    let setup = || {
        let (sender, receiver) = channel::unbounded::<u32>();
        (sender, Some(receiver))
    };
    let waits = Case::new(on, setup)
        .world(|receiver| *receiver = None)
        .safe(
            async |sender| sender.closed().await,
            async |sender, _| assert!(sender.is_closed()),
        );
    assert_eq!(waits, 1);
}

// cancels: Sender::join, Receiver::join
fn a_wait_until_all_is_done_can_be_made_again(on: On) {
    let setup = || {
        let (sender, receiver) = channel::unbounded();
        sender.try_send(1).unwrap();
        ((sender, receiver.clone()), receiver)
    };
    let waits = Case::new(on, setup)
        .world(|receiver| {
            assert_eq!(receiver.try_recv(), Ok(1));
            receiver.task_done();
        })
        .safe(
            async |(sender, _)| sender.join().await.unwrap(),
            async |(_, receiver), _| receiver.join().await.unwrap(),
        );
    assert_eq!(waits, 1);
}

// cancels: Receiver
fn a_oneshot_keeps_its_value(on: On) {
    let setup = || {
        let (sender, receiver) = channel::oneshot();
        ((receiver, None), Some(sender))
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|sender| {
            if let Some(sender) = sender.take() {
                sender.send(7).unwrap();
            }
        })
        .safe(
            async |(receiver, got)| {
                if got.is_none() {
                    *got = Some(receiver.await.unwrap());
                }
            },
            async |(_, got), _| assert_eq!(*got, Some(7)),
        );
    assert_eq!(waits, 1);
}

// cancels: Sender::closed
fn a_wait_for_the_end_of_a_oneshot_can_be_made_again(on: On) {
    let setup = || {
        let (sender, receiver) = channel::oneshot::<u32>();
        (sender, Some(receiver))
    };
    let waits = Case::new(on, setup)
        .world(|receiver| *receiver = None)
        .safe(
            async |sender| sender.closed().await,
            async |sender, _| assert!(sender.is_closed()),
        );
    assert_eq!(waits, 1);
}

/// That of `broadcast::Receiver`, which has the name of the other but its own place.
fn a_broadcast_receive_that_is_dropped_misses_no_message(on: On) {
    let setup = || {
        let (sender, receiver) = channel::broadcast(8);
        ((receiver, Vec::new()), (sender, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(sender, sent)| {
            sender.send(*sent).unwrap();
            *sent += 1;
        })
        .safe(
            async |(receiver, got)| {
                while got.len() < 3 {
                    got.push(receiver.recv().await.unwrap());
                }
            },
            async |(_, got), _| assert_eq!(*got, [0, 1, 2]),
        );
    assert_eq!(waits, 3);
}

// cancels: Receiver::changed, Receiver::wait_for
fn a_watch_that_is_dropped_misses_no_change(on: On) {
    let setup = || {
        let (sender, receiver) = channel::watch(0);
        ((receiver, false), sender)
    };
    let waits = Case::new(on, setup)
        .world(|sender| {
            let value = *sender.borrow();
            sender.send(value + 1).unwrap();
        })
        .safe(
            async |(receiver, has_changed)| {
                if !*has_changed {
                    receiver.changed().await.unwrap();
                    *has_changed = true;
                }
                receiver.wait_for(|value| *value > 1).await.unwrap();
            },
            async |(receiver, has_changed), _| {
                assert!(*has_changed && *receiver.borrow() > 1);
            },
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: Sender::closed
fn a_wait_for_the_end_of_a_watch_can_be_made_again(on: On) {
    let setup = || {
        let (sender, receiver) = channel::watch(0);
        (sender, Some(receiver))
    };
    let waits = Case::new(on, setup)
        .world(|receiver| *receiver = None)
        .safe(
            async |sender| sender.closed().await,
            async |sender, _| assert!(sender.is_closed()),
        );
    assert_eq!(waits, 1);
}
