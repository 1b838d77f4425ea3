//! monoio with its epoll driver, which it calls the legacy one.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::net::TcpListener;
use std::task::Poll;
use std::time::Duration;

use futures_channel::mpsc as thread_channel;
use futures_util::StreamExt;
use local_sync::{mpsc, oneshot};
use monoio::blocking::DefaultThreadPool;
use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net;
use monoio::{LegacyDriver, RuntimeBuilder};

use super::{Blocks, Channels, Expect, Net, Receiver, Sender, Tasks, Timers};

pub struct Monoio;

/// It has no default; libuv's.
const POOL_THREADS: usize = 4;

impl Tasks for Monoio {
    fn run<F: Future>(future: F) -> F::Output {
        let builder = RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .attach_thread_pool(Box::new(DefaultThreadPool::new(POOL_THREADS)));
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

impl Sender for mpsc::bounded::Tx<u64> {
    async fn send(&mut self, value: u64) {
        let sent = mpsc::bounded::Tx::send(self, value).await;
        assert!(sent.is_ok(), "it is open");
    }
}

impl Receiver for mpsc::bounded::Rx<u64> {
    async fn recv(&mut self) -> u64 {
        mpsc::bounded::Rx::recv(self).await.expect("it is open")
    }
}

impl Sender for mpsc::unbounded::Tx<u64> {
    async fn send(&mut self, value: u64) {
        let sent = mpsc::unbounded::Tx::send(self, value);
        assert!(sent.is_ok(), "it is open");
    }
}

impl Receiver for mpsc::unbounded::Rx<u64> {
    async fn recv(&mut self) -> u64 {
        mpsc::unbounded::Rx::recv(self).await.expect("it is open")
    }
}

impl Receiver for thread_channel::UnboundedReceiver<u64> {
    async fn recv(&mut self) -> u64 {
        self.next().await.expect("it is open")
    }
}

impl Channels for Monoio {
    fn bounded(capacity: usize) -> (impl Sender, impl Receiver) {
        mpsc::bounded::channel(capacity)
    }

    fn unbounded() -> (impl Sender, impl Receiver) {
        mpsc::unbounded::channel()
    }

    fn oneshot() -> (
        impl FnOnce(u64) + 'static,
        impl Future<Output = u64> + 'static,
    ) {
        let (sender, receiver) = oneshot::channel();
        let send = |value| sender.send(value).expect("it is awaited");
        (send, Expect(receiver))
    }

    fn from_thread() -> (impl Fn(u64) + Send + 'static, impl Receiver) {
        let (sender, receiver) = thread_channel::unbounded();
        let send = move |value| sender.unbounded_send(value).expect("it is open");
        (send, receiver)
    }
}

impl Blocks for Monoio {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        Expect(monoio::spawn_blocking(work))
    }
}
