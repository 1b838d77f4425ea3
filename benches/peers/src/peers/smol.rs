//! smol's parts for one thread: async-executor's `LocalExecutor` over async-io.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::net;
use std::path::Path;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded, unbounded};
use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use async_lock::Mutex;
use async_process::{Command, Stdio};
use async_signal::Signals as SignalStream;
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, future};
use futures_util::stream::FuturesUnordered;

use super::{
    Blocks, Channels, Children, Datagrams, Files, Groups, Lines, Locks, Net, Pipes, Signals, Tasks,
    Timers, Workers,
};
use crate::cells::switch::bare_wake;
use crate::load::datagrams::LEN;

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

impl Datagrams for Smol {
    async fn echo(socket: net::UdpSocket, count: u64) {
        let socket = Async::new(socket).expect("the reactor takes it over");
        let mut buffer = [0; LEN + 1];
        for _ in 0..count {
            let len = socket.recv(&mut buffer).await.expect("a datagram");
            socket.send(&buffer[..len]).await.expect("it goes back");
        }
    }
}

impl Lines for Smol {
    async fn count_lines(stream: Async<net::TcpStream>) -> u64 {
        let (mut reader, mut line, mut count) = (BufReader::new(stream), String::new(), 0);
        while reader.read_line(&mut line).await.expect("text comes") > 0 {
            line.clear();
            count += 1;
        }
        count
    }
}

impl super::Sender for Sender<u64> {
    async fn send(&mut self, value: u64) {
        Sender::send(self, value).await.expect("it is open");
    }
}

impl super::Receiver for Receiver<u64> {
    async fn recv(&mut self) -> u64 {
        Receiver::recv(self).await.expect("it is open")
    }
}

impl Channels for Smol {
    fn bounded(capacity: usize) -> (impl super::Sender, impl super::Receiver) {
        bounded(capacity)
    }

    fn unbounded() -> (impl super::Sender, impl super::Receiver) {
        unbounded()
    }

    /// It has none of its own: its pages use a channel with room for one.
    fn oneshot() -> (
        impl FnOnce(u64) + 'static,
        impl Future<Output = u64> + 'static,
    ) {
        let (sender, receiver) = bounded(1);
        let send = move |value| sender.try_send(value).expect("it has room");
        let receive = async move { receiver.recv().await.expect("it is open") };
        (send, receive)
    }

    fn from_thread() -> (impl Fn(u64) + Send + 'static, impl super::Receiver) {
        let (sender, receiver) = unbounded();
        let send = move |value| sender.try_send(value).expect("it is open");
        (send, receiver)
    }
}

impl Blocks for Smol {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        blocking::unblock(work)
    }
}

impl Files for Smol {
    async fn read(path: &Path) -> Vec<u8> {
        async_fs::read(path).await.expect("it can be read")
    }

    async fn walk(path: &Path) -> u64 {
        let mut bytes = 0;
        let mut folders = vec![path.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let mut entries = async_fs::read_dir(folder).await.expect("it is there");
            while let Some(entry) = entries.next().await {
                let entry = entry.expect("it can be read");
                if entry.file_type().await.expect("it has a type").is_dir() {
                    folders.push(entry.path());
                } else {
                    bytes += entry.metadata().await.expect("it is there").len();
                }
            }
        }
        bytes
    }
}

impl Children for Smol {
    async fn run_program(program: &Path) {
        let mut child = Command::new(program).spawn().expect("it starts");
        assert!(child.status().await.expect("it is ours").success());
    }
}

impl Pipes for Smol {
    async fn through_cat(block: Vec<u8>, count: u64) -> u64 {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = cat.spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (mut stdin, mut stdout) = (stdin.expect("a pipe"), stdout.expect("a pipe"));
        let mut buffer = vec![0; block.len()];
        let writer = Self::spawn(async move {
            for _ in 0..count {
                stdin.write_all(&block).await.expect("it reads");
            }
        });
        let mut bytes = 0;
        while let Ok(len @ 1..) = stdout.read(&mut buffer).await {
            bytes += len as u64;
        }
        writer.await;
        assert!(child.status().await.expect("it is ours").success());
        bytes
    }
}

impl Signals for Smol {
    type Listener = SignalStream;

    fn listen() -> SignalStream {
        SignalStream::new([async_signal::Signal::Usr1]).expect("it can be awaited")
    }

    async fn recv(listener: &mut SignalStream) {
        let signal = listener.next().await.expect("it comes");
        signal.expect("it is told");
    }
}

impl Workers for Smol {
    fn stream(stream: net::TcpStream) -> Async<net::TcpStream> {
        Async::new(stream).expect("the reactor takes it over")
    }

    async fn call(stream: &mut Async<net::TcpStream>, message: &mut [u8]) {
        stream.write_all(message).await.expect("it goes out");
        stream.read_exact(message).await.expect("it comes back");
    }
}

impl Locks for Smol {
    type Lock = Mutex<u64>;

    fn lock() -> Mutex<u64> {
        Mutex::new(0)
    }

    async fn hold(lock: &Mutex<u64>) {
        let mut guard = lock.lock().await;
        *guard += 1;
        bare_wake().await;
    }
}

/// What waits for many there is `FuturesUnordered`, within one task.
impl Groups for Smol {
    async fn children(count: u64) {
        let mut children: FuturesUnordered<_> = (0..count).map(|_| bare_wake()).collect();
        while children.next().await.is_some() {}
    }
}
