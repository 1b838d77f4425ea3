//! monoio with its epoll driver, which it calls the legacy one.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::net::TcpListener;
use std::task::Poll;
use std::time::Duration;

use monoio::blocking::DefaultThreadPool;
use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net;
use monoio::{LegacyDriver, RuntimeBuilder};

use super::{Blocks, Expect, Net, Tasks, Timers};

/// It has no default; libuv's.
const THREADS: usize = 4;

pub struct Monoio;

impl Tasks for Monoio {
    fn run<F: Future>(future: F) -> F::Output {
        // It starts no thread before the first job.
        let threads = Box::new(DefaultThreadPool::new(THREADS));
        let builder = RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .attach_thread_pool(threads);
        builder
            .build()
            .expect("the runtime starts")
            .block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    /// It has none: a bare wake, which it answers by polling the same task again at once.
    fn yield_now() -> impl Future<Output = ()> {
        let mut has_waked = false;
        poll_fn(move |cx| {
            if has_waked {
                return Poll::Ready(());
            }
            has_waked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl Timers for Monoio {
    fn sleep(duration: Duration) -> impl Future {
        monoio::time::sleep(duration)
    }

    fn timeout<F: Future>(
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, impl Debug>> {
        monoio::time::timeout(duration, future)
    }
}

impl Net for Monoio {
    type Listener = net::TcpListener;
    type Stream = net::TcpStream;

    fn listener(listener: TcpListener) -> net::TcpListener {
        net::TcpListener::from_std(listener).expect("the runtime takes it over")
    }

    async fn accept(listener: &net::TcpListener) -> net::TcpStream {
        listener.accept().await.expect("a connection").0
    }

    async fn serve(mut stream: net::TcpStream, buffer_len: usize) {
        let mut buffer = vec![0; buffer_len];
        loop {
            let (result, filled) = stream.read(buffer).await;
            let Ok(len @ 1..) = result else {
                return;
            };
            let (result, sent) = stream.write_all(filled.slice(..len)).await;
            if result.is_err() {
                return;
            }
            buffer = sent.into_inner();
        }
    }
}

impl Blocks for Monoio {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        Expect(monoio::spawn_blocking(work))
    }
}
