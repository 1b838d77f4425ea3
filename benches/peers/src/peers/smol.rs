//! smol's parts for one thread: async-executor's `LocalExecutor` over async-io.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::net;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use super::{Net, Tasks, Timers};

pub struct Smol;

thread_local! {
    static EXECUTOR: Cell<Option<&'static LocalExecutor<'static>>> = const { Cell::new(None) };
}

impl Tasks for Smol {
    fn run<F: Future>(future: F) -> F::Output {
        // Leaked: the process ends after one run.
        let executor = Box::leak(Box::new(LocalExecutor::new()));
        EXECUTOR.set(Some(executor));
        async_io::block_on(executor.run(future))
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        EXECUTOR.get().expect("it runs").spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> {
        future::yield_now()
    }
}

impl Timers for Smol {
    fn sleep(duration: Duration) -> impl Future {
        Timer::after(duration)
    }

    fn timeout<F: Future>(
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, impl Debug>> {
        // It has no timeout of its own; this is how its pages make one.
        future::or(async { Ok(future.await) }, async move {
            Timer::after(duration).await;
            Err("too late")
        })
    }
}

impl Net for Smol {
    type Listener = Async<net::TcpListener>;
    type Stream = Async<net::TcpStream>;

    fn listener(listener: net::TcpListener) -> Async<net::TcpListener> {
        Async::new(listener).expect("the reactor takes it over")
    }

    async fn accept(listener: &Async<net::TcpListener>) -> Async<net::TcpStream> {
        listener.accept().await.expect("a connection").0
    }

    async fn serve(mut stream: Async<net::TcpStream>, buffer_len: usize) {
        let mut buffer = vec![0; buffer_len];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..len]).await.is_err() {
                return;
            }
        }
    }
}
