//! tokio on one thread: `tokio::spawn` on its current-thread runtime, and `spawn_local` in a `LocalSet`.

use std::fmt::Debug;
use std::future::Future;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net;
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use super::{
    Blocks, Channels, Children, Datagrams, Expect, Files, Groups, Lines, Locks, Net, Pipes,
    Receiver, Sender, Signals, Tasks, Timers, Workers,
};
use crate::cells::signals::SIGNAL;
use crate::cells::switch::bare_wake;
use crate::load::datagrams::LEN;

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

impl Groups for CurrentThread {
    async fn children(count: u64) {
        let mut set = JoinSet::new();
        for _ in 0..count {
            set.spawn(bare_wake());
        }
        while set.join_next().await.is_some() {}
    }
}

impl Groups for Local {
    async fn children(count: u64) {
        let mut set = JoinSet::new();
        for _ in 0..count {
            set.spawn_local(bare_wake());
        }
        while set.join_next().await.is_some() {}
    }
}

impl Sender for mpsc::Sender<u64> {
    async fn send(&mut self, value: u64) {
        mpsc::Sender::send(self, value).await.expect("it is open");
    }
}

impl Receiver for mpsc::Receiver<u64> {
    async fn recv(&mut self) -> u64 {
        mpsc::Receiver::recv(self).await.expect("it is open")
    }
}

impl Sender for mpsc::UnboundedSender<u64> {
    async fn send(&mut self, value: u64) {
        mpsc::UnboundedSender::send(self, value).expect("it is open");
    }
}

impl Receiver for mpsc::UnboundedReceiver<u64> {
    async fn recv(&mut self) -> u64 {
        mpsc::UnboundedReceiver::recv(self)
            .await
            .expect("it is open")
    }
}

/// All but tasks and groups is the same for both.
macro_rules! the_rest {
    ($peer:ty) => {
        impl Channels for $peer {
            fn bounded(capacity: usize) -> (impl Sender, impl Receiver) {
                mpsc::channel(capacity)
            }

            fn unbounded() -> (impl Sender, impl Receiver) {
                mpsc::unbounded_channel()
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
                let (sender, receiver) = mpsc::unbounded_channel();
                (
                    move |value| sender.send(value).expect("it is open"),
                    receiver,
                )
            }
        }

        impl Blocks for $peer {
            fn spawn_blocking<T: Send + 'static>(
                work: impl FnOnce() -> T + Send + 'static,
            ) -> impl Future<Output = T> {
                Expect(tokio::task::spawn_blocking(work))
            }
        }

        impl Files for $peer {
            async fn read(path: &Path) -> Vec<u8> {
                tokio::fs::read(path).await.expect("it can be read")
            }

            async fn walk(path: &Path) -> u64 {
                let mut bytes = 0;
                let mut folders = vec![path.to_path_buf()];
                while let Some(folder) = folders.pop() {
                    let mut entries = tokio::fs::read_dir(folder).await.expect("it is there");
                    while let Some(entry) = entries.next_entry().await.expect("it can be read") {
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

        impl Children for $peer {
            async fn run_program(program: &Path) {
                let mut child = Command::new(program).spawn().expect("it starts");
                assert!(child.wait().await.expect("it is ours").success());
            }
        }

        impl Pipes for $peer {
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
                assert!(child.wait().await.expect("it is ours").success());
                bytes
            }
        }

        impl Signals for $peer {
            type Listener = Signal;

            fn listen() -> Signal {
                signal(SignalKind::from_raw(SIGNAL)).expect("it can be awaited")
            }

            async fn recv(listener: &mut Signal) {
                listener.recv().await.expect("it comes");
            }
        }

        impl Workers for $peer {
            fn stream(stream: TcpStream) -> net::TcpStream {
                net::TcpStream::from_std(stream).expect("the runtime takes it over")
            }

            async fn call(stream: &mut net::TcpStream, message: &mut [u8]) {
                stream.write_all(message).await.expect("it goes out");
                stream.read_exact(message).await.expect("it comes back");
            }
        }

        impl Locks for $peer {
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

        impl Datagrams for $peer {
            async fn echo(socket: UdpSocket, count: u64) {
                let socket = net::UdpSocket::from_std(socket).expect("the runtime takes it over");
                let mut buffer = [0; LEN + 1];
                for _ in 0..count {
                    let len = socket.recv(&mut buffer).await.expect("a datagram");
                    socket.send(&buffer[..len]).await.expect("it goes back");
                }
            }
        }

        impl Lines for $peer {
            async fn count_lines(stream: net::TcpStream) -> u64 {
                let (mut reader, mut line, mut count) = (BufReader::new(stream), String::new(), 0);
                while reader.read_line(&mut line).await.expect("text comes") > 0 {
                    line.clear();
                    count += 1;
                }
                count
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

the_rest!(CurrentThread);
the_rest!(Local);
