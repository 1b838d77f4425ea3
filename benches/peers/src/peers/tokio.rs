//! tokio on one thread: `tokio::spawn` on its current-thread runtime, and `spawn_local` in a `LocalSet`.

use std::fmt::Debug;
use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::{Blocks, Expect, Net, Tasks, Timers};

/// `tokio::spawn`.
pub struct CurrentThread;

/// `tokio::task::spawn_local`.
pub struct Local;

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("the runtime starts")
}

/// Lets the cells, which are written for peers of one thread, pass `tokio::spawn`.
struct StaysHere<T>(T);

// SAFETY: it is only spawned on a runtime of one thread that runs within `block_on`, and is made, polled
// and dropped by that thread; what it returns is fetched there.
unsafe impl<T> Send for StaysHere<T> {}

impl<F: Future> Future for StaysHere<F> {
    type Output = StaysHere<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the only field is pinned with its owner, and never moved out.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        future.poll(cx).map(StaysHere)
    }
}

/// A join handle that unwraps twice.
struct Joined<T>(Expect<tokio::task::JoinHandle<StaysHere<T>>>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|output| output.0)
    }
}

impl Tasks for CurrentThread {
    fn run<F: Future>(future: F) -> F::Output {
        runtime().block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined(Expect(tokio::spawn(StaysHere(future))))
    }

    fn yield_now() -> impl Future<Output = ()> {
        tokio::task::yield_now()
    }
}

impl Tasks for Local {
    fn run<F: Future>(future: F) -> F::Output {
        LocalSet::new().block_on(&runtime(), future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Expect(tokio::task::spawn_local(future))
    }

    fn yield_now() -> impl Future<Output = ()> {
        tokio::task::yield_now()
    }
}

/// Timers and streams are the same for both.
macro_rules! timers_and_net {
    ($peer:ty) => {
        impl Timers for $peer {
            fn sleep(duration: Duration) -> impl Future {
                tokio::time::sleep(duration)
            }

            fn timeout<F: Future>(
                duration: Duration,
                future: F,
            ) -> impl Future<Output = Result<F::Output, impl Debug>> {
                tokio::time::timeout(duration, future)
            }
        }

        impl Blocks for $peer {
            fn spawn_blocking<T: Send + 'static>(
                work: impl FnOnce() -> T + Send + 'static,
            ) -> impl Future<Output = T> {
                Expect(tokio::task::spawn_blocking(work))
            }
        }

        impl Net for $peer {
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
                while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..len]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
}

timers_and_net!(CurrentThread);
timers_and_net!(Local);
