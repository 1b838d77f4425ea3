//! What streams do through the poll functions of the traits.

use std::pin::Pin;
use std::task::Poll;

use crate::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use crate::net::UnixStream;
use crate::{Runtime, run, spawn, yield_now};

async fn read_by_trait(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut buf = [0; 64];
    let count = stream.read(&mut buf).await.unwrap();
    buf[..count].to_vec()
}

#[test]
fn a_reader_behind_a_trait_waits_and_wakes() {
    run(async {
        let (left, mut right) = UnixStream::pair().unwrap();
        let reader = spawn(read_by_trait(left));
        yield_now().await;
        assert_eq!(
            (&mut right as &mut dyn Unpinned)
                .write(b"tick")
                .await
                .unwrap(),
            4
        );
        assert_eq!(reader.await.unwrap(), b"tick");
    })
    .unwrap();

    trait Unpinned: crate::io::AsyncWrite + Unpin {}
    impl<T: crate::io::AsyncWrite + Unpin> Unpinned for T {}
}

#[test]
#[cfg(feature = "inspect")]
fn a_wait_through_a_trait_names_the_user_s_line() {
    let runtime = Runtime::new().unwrap();
    let (left, _right) = UnixStream::pair().unwrap();
    let _task = runtime.spawn(read_by_trait(left));
    runtime.tick().unwrap();
    let _entered = runtime.enter();
    let told = crate::context::current()
        .unwrap()
        .core()
        .describe_deadlock();
    let line = told
        .lines()
        .find(|line| line.contains("to become readable"))
        .unwrap();
    assert!(line.contains("src/net/tests.rs:12:"), "{told}");
}

/// The reader goes while its wait stands: its node must leave the queue with it.
#[test]
fn a_stream_dropped_while_its_resident_waits_leaves_nothing() {
    run(async {
        let (mut left, right) = UnixStream::pair().unwrap();
        std::future::poll_fn(|cx| {
            let polled = Pin::new(&mut left).poll_read(cx, &mut [0; 4]);
            assert!(polled.is_pending());
            Poll::Ready(())
        })
        .await;
        drop(left);
        assert_eq!(right.read(&mut [0; 4]).await.unwrap(), 0);
    })
    .unwrap();
}

/// The named future and the resident wait side by side: both wake.
#[test]
fn a_named_read_and_a_polled_read_both_finish() {
    run(async {
        let (left, right) = UnixStream::pair().unwrap();
        let left = std::rc::Rc::new(left);
        let (one, other) = (left.clone(), left);
        let named = spawn(async move { one.read(&mut [0; 1]).await.unwrap() });
        let polled = spawn(async move { read_by_trait(&*other).await.len() });
        yield_now().await;
        right.write_all(b"x").await.unwrap();
        yield_now().await;
        right.write_all(b"y").await.unwrap();
        assert_eq!((named.await.unwrap(), polled.await.unwrap()), (1, 1));
    })
    .unwrap();
}
