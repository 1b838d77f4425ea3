//! Waits of workers for each other, dropped at each of them.

use mainspring::workers::HandOver;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_receive_from_a_worker_takes_no_item_that_it_does_not_return,
    an_item_is_handed_over_once_or_not_at_all,
}

// cancels: HandOver::recv
fn a_receive_from_a_worker_takes_no_item_that_it_does_not_return(on: On) {
    let setup = || {
        let mut both = HandOver::<u32>::among(2, 2);
        let (far, near) = (both.pop().unwrap(), both.pop().unwrap());
        ((near, Vec::new()), (far, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(far, sent)| {
            far.try_send_to(0, *sent).unwrap();
            *sent += 1;
        })
        .safe(
            async |(near, got)| {
                while got.len() < 3 {
                    got.push(near.recv().await.unwrap());
                }
            },
            async |(_, got), _| assert_eq!(got[..], [0, 1, 2]),
        );
    assert_eq!(waits, 3);
}

// cancels: HandOver::send_to
fn an_item_is_handed_over_once_or_not_at_all(on: On) {
    let setup = || {
        let mut both = HandOver::among(2, 1);
        let (far, near) = (both.pop().unwrap(), both.pop().unwrap());
        ((near, 0), (far, Vec::new()))
    };
    let waits = Case::new(on, setup)
        .world(|(far, got)| got.extend(far.try_recv()))
        .loses_its_place(
            async |(near, sent)| {
                while *sent < 4 {
                    near.send_to(1, *sent).await.unwrap();
                    *sent += 1;
                }
            },
            async |_, (far, got)| {
                got.extend(std::iter::from_fn(|| far.try_recv().ok()));
                assert_eq!(got[..], [0, 1, 2, 3]);
            },
        );
    assert_eq!(waits, 3);
}
