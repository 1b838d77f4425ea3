//! Waits for a token, dropped at each of their waits.

use std::time::Duration;

use mainspring::task::CancelToken;
use mainspring::time::sleep;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_wait_for_a_token_can_be_made_again,
    what_runs_until_a_token_is_cancelled_is_dropped_with_the_wait,
}

// cancels: CancelToken::cancelled
fn a_wait_for_a_token_can_be_made_again(on: On) {
    let setup = || {
        let root = CancelToken::new();
        ((root.child_token(), None), root)
    };
    let waits = Case::new(on, setup)
        .world(|root| root.cancel_with("the world"))
        .safe(
            async |(token, reason)| *reason = Some(token.cancelled().await),
            async |(_, reason), _| assert_eq!(*reason, Some("the world".into())),
        );
    assert_eq!(waits, 1);
}

// cancels: CancelToken::run_until_cancelled
fn what_runs_until_a_token_is_cancelled_is_dropped_with_the_wait(on: On) {
    let setup = || {
        let root = CancelToken::new();
        ((root.child_token(), 0), (root, 0))
    };
    let waits = Case::new(on, setup)
        .world(|(root, steps)| {
            *steps += 1;
            if *steps == 3 {
                root.cancel_with("the world");
            }
        })
        .safe(
            async |(token, naps)| {
                let napping = async {
                    loop {
                        sleep(Duration::from_millis(1)).await;
                        *naps += 1;
                    }
                };
                let ended: Result<(), _> = token.run_until_cancelled(napping).await;
                assert_eq!(ended, Err("the world".into()));
            },
            async |(_, naps), _| assert!(*naps <= 3),
        );
    assert_eq!(waits, 3);
}
