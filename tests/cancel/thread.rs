//! Waits at channels between threads, dropped at each of them.

use mainspring::channel::thread::{self, FarReceiver, FarSender, NearReceiver, NearSender};

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_receive_takes_no_item_that_it_does_not_return,
    a_receive_of_many_takes_no_item_that_it_does_not_return,
    a_send_from_the_loop_sends_once_or_not_at_all,
    a_send_from_far_sends_once_or_not_at_all,
    a_far_receive_passes_on_what_it_was_promised,
    a_oneshot_is_received_by_reference_and_once,
    a_oneshot_from_the_loop_is_received_by_reference_and_once,
}

/// A receiver, and what it got.
struct Receives {
    receiver: NearReceiver<u32>,
    got: Vec<u32>,
}

/// A sender that sends the next number each time.
struct Sends {
    sender: FarSender<u32>,
    sent: u32,
}

fn receives() -> (Receives, Sends) {
    let (sender, receiver) = thread::unbounded();
    let got = Vec::new();
    (Receives { receiver, got }, Sends { sender, sent: 0 })
}

fn send_two(far: &mut Sends) {
    for _ in 0..2 {
        far.sender.try_send(far.sent).unwrap();
        far.sent += 1;
    }
}

// cancels: NearReceiver::recv
fn a_receive_takes_no_item_that_it_does_not_return(on: On) {
    let waits = Case::new(on, receives).world(send_two).safe(
        async |near| {
            while near.got.len() < 6 {
                near.got.push(near.receiver.recv().await.unwrap());
            }
        },
        async |near, _| assert_eq!(near.got, [0, 1, 2, 3, 4, 5]),
    );
    assert_eq!(waits, 3);
}

// cancels: NearReceiver::recv_many
fn a_receive_of_many_takes_no_item_that_it_does_not_return(on: On) {
    let waits = Case::new(on, receives).world(send_two).safe(
        async |near| {
            while near.got.len() < 6 {
                near.receiver.recv_many(&mut near.got, 8).await;
            }
        },
        async |near, _| assert_eq!(near.got[..6], [0, 1, 2, 3, 4, 5]),
    );
    assert_eq!(waits, 3);
}

// cancels: NearSender::send
fn a_send_from_the_loop_sends_once_or_not_at_all(on: On) {
    let setup = || {
        let (sender, receiver): (NearSender<u32>, _) = thread::bounded_to_thread(1);
        ((sender, 0), (receiver, Vec::new()))
    };
    let waits = Case::new(on, setup)
        .world(|(receiver, got)| got.extend(receiver.try_recv()))
        .loses_its_place(
            async |(sender, sent)| {
                while *sent < 4 {
                    sender.send(*sent).await.unwrap();
                    *sent += 1;
                }
            },
            async |_, (receiver, got)| {
                got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
                assert_eq!(got[..], [0, 1, 2, 3]);
            },
        );
    assert_eq!(waits, 3);
}

// cancels: FarSender::send
fn a_send_from_far_sends_once_or_not_at_all(on: On) {
    let setup = || {
        let (sender, receiver): (FarSender<u32>, _) = thread::bounded(1);
        ((sender, 0), (receiver, Vec::new()))
    };
    let waits = Case::new(on, setup)
        .world(|(receiver, got)| got.extend(receiver.try_recv()))
        .loses_its_place(
            async |(sender, sent)| {
                while *sent < 4 {
                    sender.send(*sent).await.unwrap();
                    *sent += 1;
                }
            },
            async |_, (receiver, got)| {
                got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
                assert_eq!(got[..], [0, 1, 2, 3]);
            },
        );
    assert_eq!(waits, 3);
}

// cancels: FarReceiver::recv
fn a_far_receive_passes_on_what_it_was_promised(on: On) {
    let setup = || {
        let (sender, receiver): (_, FarReceiver<u32>) = thread::unbounded_to_thread();
        ((receiver, Vec::new()), (sender, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(sender, next)| {
            sender.try_send(*next).unwrap();
            *next += 1;
        })
        .loses_its_place(
            async |(receiver, got)| {
                while got.len() < 3 {
                    got.push(receiver.recv().await.unwrap());
                }
            },
            async |(receiver, got), _| {
                assert_eq!(got[..], [0, 1, 2]);
                assert!(receiver.len() <= 1, "what came while nobody waited");
            },
        );
    assert_eq!(waits, 3);
}

// cancels: NearOneReceiver
fn a_oneshot_is_received_by_reference_and_once(on: On) {
    let setup = || {
        let (sender, receiver) = thread::oneshot();
        ((receiver, Vec::new()), Some(sender))
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|sender| sender.take().unwrap().send(1).unwrap())
        .safe(
            async |(receiver, got)| {
                if got.is_empty() {
                    got.push(receiver.await.unwrap());
                }
            },
            async |(_, got), _| assert_eq!(got[..], [1]),
        );
    assert_eq!(waits, 1);
}

// cancels: FarOneReceiver
fn a_oneshot_from_the_loop_is_received_by_reference_and_once(on: On) {
    let setup = || {
        let (sender, receiver) = thread::oneshot_to_thread();
        ((receiver, Vec::new()), Some(sender))
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|sender| sender.take().unwrap().send(1).unwrap())
        .safe(
            async |(receiver, got)| {
                if got.is_empty() {
                    got.push(receiver.await.unwrap());
                }
            },
            async |(_, got), _| assert_eq!(got[..], [1]),
        );
    assert_eq!(waits, 1);
}
