//! mainspring, on the system's own selector or on poll(2).

use std::fmt::Debug;
use std::future::Future;
use std::net::TcpListener;
use std::time::Duration;

use mainspring::net;
use mainspring::{BackendKind, Builder};

use super::{Blocks, Expect, Net, Tasks, Timers};

pub struct Mainspring<const IS_POLL: bool>;

impl<const IS_POLL: bool> Tasks for Mainspring<IS_POLL> {
    fn run<F: Future>(future: F) -> F::Output {
        let backend = if IS_POLL {
            BackendKind::Poll
        } else {
            BackendKind::default()
        };
        let runtime = Builder::new().backend(backend).build();
        let result = runtime.expect("the loop starts").block_on(future);
        result.expect("the selector works")
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Expect(mainspring::spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> {
        mainspring::yield_now()
    }
}

impl<const IS_POLL: bool> Timers for Mainspring<IS_POLL> {
    fn sleep(duration: Duration) -> impl Future {
        mainspring::time::sleep(duration)
    }

    fn timeout<F: Future>(
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, impl Debug>> {
        mainspring::time::timeout(duration, future)
    }
}

impl<const IS_POLL: bool> Net for Mainspring<IS_POLL> {
    type Listener = net::TcpListener;
    type Stream = net::TcpStream;

    fn listener(listener: TcpListener) -> net::TcpListener {
        net::TcpListener::from_std(listener).expect("the loop takes it over")
    }

    async fn accept(listener: &net::TcpListener) -> net::TcpStream {
        listener.accept().await.expect("a connection").0
    }

    async fn serve(stream: net::TcpStream, buffer_len: usize) {
        let mut buffer = vec![0; buffer_len];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..len]).await.is_err() {
                return;
            }
        }
    }
}

impl<const IS_POLL: bool> Blocks for Mainspring<IS_POLL> {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        Expect(mainspring::spawn_blocking(work))
    }
}
