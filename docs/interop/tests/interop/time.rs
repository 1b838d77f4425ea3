//! hyper's timers over the loop's.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::Timer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mainspring::time::now;
use mainspring_interop::hyper_rt::{LoopTimer, ToHyper};

use crate::rig::{run, tcp_pair};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_sleep_is_never_early_and_can_be_moved_both_ways() {
    run(async {
        let start = now();
        LoopTimer.sleep(SHORT).await;
        assert!(now() - start >= SHORT);

        let start = now();
        let mut sleep = LoopTimer.sleep(LONG);
        LoopTimer.reset(&mut sleep, Instant::now() + SHORT);
        sleep.await;
        assert!(now() - start >= SHORT);

        // Moved while somebody waits, and away.
        let mut sleep = LoopTimer.sleep_until(Instant::now() + SHORT);
        assert!(
            futures_util::future::poll_immediate(&mut sleep)
                .await
                .is_none()
        );
        LoopTimer.reset(&mut sleep, Instant::now() + LONG);
        LoopTimer.sleep(2 * SHORT).await;
        assert!(
            futures_util::future::poll_immediate(&mut sleep)
                .await
                .is_none()
        );
        // In the past: at once.
        LoopTimer.reset(&mut sleep, Instant::now() - SHORT);
        sleep.await;
    });
}

#[test]
fn a_client_that_never_ends_its_head_is_shown_the_door() {
    run(async {
        let (near, far) = tcp_pair().await;
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
            .await
            .unwrap();
        let service = service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        });
        let start = now();
        let mut builder = http1::Builder::new();
        builder.timer(LoopTimer).header_read_timeout(SHORT);
        let error = builder.serve_connection(ToHyper::new(far), service).await;
        assert!(error.unwrap_err().is_timeout());
        assert!(now() - start >= SHORT);
    });
}
