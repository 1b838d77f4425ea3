//! Children that say when they are ready.

use std::future::pending;

use mainspring::task::scope;
use mainspring::{run, sim, yield_now};

use crate::rig::{Log, nap};

#[test]
fn who_starts_a_child_goes_on_when_it_is_ready_with_its_value() {
    let log = Log::default();
    let result = sim::run(1, async {
        scope(async |s| {
            let log = &log;
            let started = s.start(async move |started| {
                nap(2).await;
                log.say("ready");
                started.ready(80);
                nap(2).await;
                log.say("done");
                "output"
            });
            let (port, handle) = started.await.unwrap();
            log.say(format!("goes on with {port}"));
            handle.await.unwrap()
        })
        .await
    });
    assert_eq!(result, Ok("output"));
    assert_eq!(log.take(), ["ready", "goes on with 80", "done"]);
}

#[test]
fn a_child_that_ends_before_it_is_ready_says_so() {
    run(scope(async |s| {
        let started = s.start(async |started: mainspring::task::Started<()>| {
            yield_now().await;
            drop(started);
            5
        });
        let error = started.await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("before it said that it was ready")
        );
        assert_eq!(error.into_handle().await.unwrap(), 5);

        let aborted =
            s.start(async |_started: mainspring::task::Started<()>| pending::<()>().await);
        let mut aborted = Box::pin(aborted);
        assert!(
            crate::rig::poll_as_task(aborted.as_mut())
                .await
                .is_pending()
        );
        assert_eq!(s.child_count(), 1);
        drop(aborted);
        yield_now().await;
        yield_now().await;
        assert_eq!(
            s.child_count(),
            0,
            "who no longer waits for it takes it along"
        );
    }))
    .unwrap()
    .unwrap();
}

#[test]
fn a_child_that_is_ready_before_anybody_waits_is_not_missed() {
    run(scope(async |s| {
        let started = s.start(async |started| started.ready("early"));
        for _ in 0..3 {
            yield_now().await;
        }
        let (value, handle) = started.await.unwrap();
        assert_eq!(value, "early");
        handle.await.unwrap();
    }))
    .unwrap()
    .unwrap();
}
