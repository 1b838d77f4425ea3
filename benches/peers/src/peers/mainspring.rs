//! mainspring, on the system's own selector or on poll(2).

use std::fmt::Debug;
use std::future::Future;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use mainspring::channel::{self, oneshot};
use mainspring::io::{AsyncReadExt, BufReader};
use mainspring::net::udp::{Ancillary, ReceiveBatch};
use mainspring::process::{Command, Stdio};
use mainspring::signal::{self, Signal};
use mainspring::stream::StreamExt;
use mainspring::sync::Mutex;
use mainspring::workers;
use mainspring::{BackendKind, Builder, net, task};

use super::{
    Blocks, Channels, Children, Datagrams, Expect, Files, Groups, Lines, Locks, Net, Part, Pipes,
    Receiver, Sender, Signals, Tasks, Timers, Workers,
};
use crate::cells::switch::bare_wake;
use crate::cells::{self, Run};
use crate::load::datagrams::{LEN, WINDOW};

pub struct Mainspring<const IS_POLL: bool>;

/// The same with `Builder::inline_files(false)`: every operation on a file is a trip to the pool.
pub struct Pooled;

/// The cells that differ.
pub fn of_the_pool(cell: &str) -> Option<Run> {
    cells::of_files::<Pooled>(cell)
}

impl Tasks for Pooled {
    fn run<F: Future>(future: F) -> F::Output {
        let runtime = Builder::new().inline_files(false).build();
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

impl Files for Pooled {
    fn read(path: &Path) -> impl Future<Output = Vec<u8>> {
        Mainspring::<false>::read(path)
    }

    fn walk(path: &Path) -> impl Future<Output = u64> {
        Mainspring::<false>::walk(path)
    }
}

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

impl<const IS_POLL: bool> Datagrams for Mainspring<IS_POLL> {
    async fn echo(socket: UdpSocket, count: u64) {
        let socket = net::UdpSocket::from_std(socket).expect("the loop takes it over");
        let mut buffer = [0; LEN + 1];
        for _ in 0..count {
            let len = socket.recv(&mut buffer).await.expect("a datagram").len;
            socket.send(&buffer[..len]).await.expect("it goes back");
        }
    }

    async fn echo_in_batches(socket: UdpSocket, count: u64) {
        let socket = net::UdpSocket::from_std(socket).expect("the loop takes it over");
        let mut incoming = ReceiveBatch::new(WINDOW as usize, LEN + 1);
        // All of one length, so one packet holds them, which the kernel cuts.
        let mut outgoing = Vec::with_capacity(WINDOW as usize * LEN);
        let cut = Ancillary::default().with_segment_len(LEN as u16);
        let mut left = count;
        while left > 0 {
            left -= socket.recv_many(&mut incoming).await.expect("datagrams") as u64;
            outgoing.clear();
            incoming
                .iter()
                .for_each(|(_, bytes)| outgoing.extend_from_slice(bytes));
            let sent = socket.send_msg(&outgoing, None, cut).await;
            assert_eq!(sent.expect("they go back"), outgoing.len());
        }
    }
}

impl<const IS_POLL: bool> Lines for Mainspring<IS_POLL> {
    async fn count_lines(stream: net::TcpStream) -> u64 {
        let (mut reader, mut line, mut count) = (BufReader::new(stream), String::new(), 0);
        while reader.read_line(&mut line).await.expect("text comes") > 0 {
            line.clear();
            count += 1;
        }
        count
    }
}

impl Sender for channel::Sender<u64> {
    async fn send(&mut self, value: u64) {
        channel::Sender::send(self, value)
            .await
            .expect("it is open");
    }
}

impl Receiver for channel::Receiver<u64> {
    async fn recv(&mut self) -> u64 {
        channel::Receiver::recv(self).await.expect("it is open")
    }
}

impl Receiver for channel::thread::NearReceiver<u64> {
    async fn recv(&mut self) -> u64 {
        channel::thread::NearReceiver::recv(self)
            .await
            .expect("it is open")
    }
}

impl<const IS_POLL: bool> Channels for Mainspring<IS_POLL> {
    fn bounded(capacity: usize) -> (impl Sender, impl Receiver) {
        channel::bounded(capacity)
    }

    fn unbounded() -> (impl Sender, impl Receiver) {
        channel::unbounded()
    }

    fn oneshot() -> (
        impl FnOnce(u64) + 'static,
        impl Future<Output = u64> + 'static,
    ) {
        let (sender, receiver): (oneshot::Sender<u64>, _) = channel::oneshot();
        let send = |value| sender.send(value).expect("it is awaited");
        (send, Expect(receiver))
    }

    fn from_thread() -> (impl Fn(u64) + Send + 'static, impl Receiver) {
        let (sender, receiver) = channel::thread::unbounded();
        let send = move |value| sender.try_send(value).expect("it is open");
        (send, receiver)
    }
}

impl<const IS_POLL: bool> Blocks for Mainspring<IS_POLL> {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        Expect(mainspring::spawn_blocking(work))
    }
}

impl<const IS_POLL: bool> Files for Mainspring<IS_POLL> {
    async fn read(path: &Path) -> Vec<u8> {
        mainspring::fs::read(path).await.expect("it can be read")
    }

    async fn walk(path: &Path) -> u64 {
        let mut bytes = 0;
        let mut entries = mainspring::fs::walk(path).with_metadata();
        while let Some(entry) = entries.next().await {
            let entry = entry.expect("it can be read");
            if entry.file_type().is_file() {
                bytes += entry.known_metadata().expect("it is there").len();
            }
        }
        bytes
    }
}

impl<const IS_POLL: bool> Children for Mainspring<IS_POLL> {
    async fn run_program(program: &Path) {
        let child = Command::new(program).spawn().expect("it starts");
        assert!(child.wait().await.expect("it is ours").success());
    }
}

impl<const IS_POLL: bool> Pipes for Mainspring<IS_POLL> {
    async fn through_cat(block: Vec<u8>, count: u64) -> u64 {
        let cat = Command::new("cat").stdin(Stdio::Piped).stdout(Stdio::Piped);
        let mut child = cat.spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = (stdin.expect("a pipe"), stdout.expect("a pipe"));
        let mut buffer = vec![0; block.len()];
        let writer = mainspring::spawn(async move {
            for _ in 0..count {
                stdin.write_all(&block).await.expect("it reads");
            }
        });
        let mut bytes = 0;
        while let Ok(len @ 1..) = stdout.read(&mut buffer).await {
            bytes += len as u64;
        }
        writer.await.expect("it returns");
        assert!(child.wait().await.expect("it is ours").success());
        bytes
    }
}

impl<const IS_POLL: bool> Signals for Mainspring<IS_POLL> {
    type Listener = signal::Listener;

    fn listen() -> signal::Listener {
        signal::signal(Signal::USR1).expect("it can be awaited")
    }

    async fn recv(listener: &mut signal::Listener) {
        listener.recv().await.expect("it comes");
    }
}

impl<const IS_POLL: bool> Workers for Mainspring<IS_POLL> {
    fn work(listeners: Vec<TcpListener>, work: impl Fn(TcpListener) -> Part + Send + Sync) {
        let workers = workers::Workers::new(listeners.len()).builder(|_, builder| {
            builder.backend(if IS_POLL {
                BackendKind::Poll
            } else {
                BackendKind::default()
            })
        });
        let listeners = StdMutex::new(listeners);
        let outputs = workers.run(|_| {
            let listener = listeners.lock().expect("nobody panics").pop();
            let part = work(listener.expect("one for each"));
            async move { Ok::<_, std::io::Error>(mainspring::spawn(part).await) }
        });
        outputs.expect("they work");
    }

    fn stream(stream: TcpStream) -> net::TcpStream {
        net::TcpStream::from_std(stream).expect("the loop takes it over")
    }

    async fn call(stream: &mut net::TcpStream, message: &mut [u8]) {
        stream.write_all(message).await.expect("it goes out");
        stream.read_exact(message).await.expect("it comes back");
    }
}

impl<const IS_POLL: bool> Locks for Mainspring<IS_POLL> {
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

impl<const IS_POLL: bool> Groups for Mainspring<IS_POLL> {
    async fn children(count: u64) {
        let ended = task::scope(async |scope| {
            for _ in 0..count {
                drop(scope.spawn(bare_wake()));
            }
        });
        ended.await.expect("nobody cancels it");
    }
}
