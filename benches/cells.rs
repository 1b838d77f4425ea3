//! The cells of `docs/performance.md`, one per run: `cells NAME COUNT`.
//!
//! *Role.* `benches/callgrind/run.sh` runs each cell twice under callgrind, with COUNT and twice COUNT,
//! and divides the difference: instructions per operation, start-up cancelled out. They repeat exactly.
//! Run by `cargo bench` without arguments, it runs each cell once, small, to show that they work.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use mainspring::channel::{self, Receiver, Sender};
use mainspring::net::{TcpListener, TcpStream};
use mainspring::sync::Mutex;
use mainspring::task::scope;
use mainspring::time::{sleep, timeout};
use mainspring::{run, spawn, yield_now};

type BoxFuture = Pin<Box<dyn Future<Output = ()>>>;

/// The future of a cell that makes `count` operations.
fn cell(name: &str, count: usize) -> Option<BoxFuture> {
    Some(match name {
        "spawn-batch" => Box::pin(spawn_in_batches(count, 1000)),
        "spawn-all" => Box::pin(spawn_in_batches(count, count)),
        "scope-1000" => Box::pin(scopes(count, 1000)),
        "yield" => Box::pin(yields(count)),
        "yield-wake" => Box::pin(wakes(count)),
        "ping-bounded" => Box::pin(ping(count, || channel::bounded(1))),
        "ping-oneshot" => Box::pin(ping_oneshot(count)),
        "ping-unbounded" => Box::pin(ping(count, channel::unbounded)),
        "lock" => Box::pin(locks(count)),
        "lock-hand-off" => Box::pin(hand_offs(count)),
        "timer-cancel" => Box::pin(timer_cancel(count)),
        "timer-roll" => Box::pin(timer_roll(count)),
        "timeout-ready" => Box::pin(timeout_ready(count)),
        "timeout-pending" => Box::pin(timeout_pending(count)),
        "echo-1" => Box::pin(echo(count, 1)),
        "echo-50" => Box::pin(echo(count, 50)),
        _ => return None,
    })
}

const NAMES: [&str; 16] = [
    "spawn-batch",
    "spawn-all",
    "scope-1000",
    "yield",
    "yield-wake",
    "ping-bounded",
    "ping-oneshot",
    "ping-unbounded",
    "lock",
    "lock-hand-off",
    "timer-cancel",
    "timer-roll",
    "timeout-ready",
    "timeout-pending",
    "echo-1",
    "echo-50",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = match &arguments[..] {
        [name, count] => count.parse().ok().and_then(|count| cell(name, count)),
        _ => None,
    };
    if let Some(future) = named {
        return run(future).expect("the selector works");
    }
    for name in NAMES {
        let future = cell(name, 10_000).expect("every name has its cell");
        run(future).expect("the selector works");
        println!("cell {name}: ok");
    }
}

async fn spawn_in_batches(count: usize, batch: usize) {
    let mut handles = Vec::with_capacity(batch);
    for _ in 0..count / batch {
        for index in 0..batch {
            handles.push(spawn(async move { black_box(index) }));
        }
        for handle in handles.drain(..) {
            black_box(handle.await.expect("it returns"));
        }
    }
}

/// Children of scopes of `size` each, whose handles nobody keeps.
async fn scopes(count: usize, size: usize) {
    for _ in 0..count / size {
        let body = scope(async |s| {
            for index in 0..size {
                s.spawn(async move { black_box(index) });
            }
        });
        body.await.expect("nobody cancels it");
    }
}

/// 1000 tasks yield in turn.
async fn yields(count: usize) {
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            spawn(async move {
                for _ in 0..count / 1000 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it returns");
    }
}

/// As `yields`, with the waker cloned and called.
async fn wakes(count: usize) {
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            spawn(async move {
                for _ in 0..count / 1000 {
                    let mut has_waked = false;
                    poll_fn(|cx| {
                        if has_waked {
                            return Poll::Ready(());
                        }
                        has_waked = true;
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    })
                    .await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it returns");
    }
}

/// A lock that nobody else wants.
async fn locks(count: usize) {
    let mutex = Mutex::new(0);
    for index in 0..count {
        *mutex.lock().await += index;
        if index % 64 == 63 {
            yield_now().await;
        }
    }
    black_box(mutex.into_inner());
}

/// Two tasks hand a lock to each other: each waits while the other has it.
async fn hand_offs(count: usize) {
    let mutex = Rc::new(Mutex::new(0));
    let tasks = [(); 2].map(|()| {
        let mutex = Rc::clone(&mutex);
        spawn(async move {
            for _ in 0..count / 2 {
                let mut value = mutex.lock().await;
                *value += 1;
                // The other one comes, and stands in line.
                yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await.expect("it returns");
    }
    assert_eq!(*mutex.lock().await, count / 2 * 2);
}

/// Sleeps polled once, then dropped.
async fn timer_cancel(count: usize) {
    for index in 0..count {
        let mut sleep = pin!(sleep(Duration::from_millis(1000 + (index % 5000) as u64)));
        poll_once(sleep.as_mut()).await;
    }
}

/// 1000 outstanding: the oldest is dropped and a new one armed, in place.
async fn timer_roll(count: usize) {
    let mut slots: Vec<Pin<Box<mainspring::time::Sleep>>> = Vec::new();
    for _ in 0..1000 {
        slots.push(Box::pin(sleep(Duration::from_secs(30))));
    }
    for index in 0..count {
        let slot = &mut slots[index % 1000];
        slot.set(sleep(Duration::from_millis(30_000 + index as u64 % 1000)));
        poll_once(slot.as_mut()).await;
        if index % 64 == 63 {
            yield_now().await;
        }
    }
}

async fn timeout_ready(count: usize) {
    for index in 0..count {
        let result = timeout(Duration::from_secs(1), ready(index)).await;
        black_box(result).expect("it is ready");
    }
}

/// A body that waits once, under a timeout.
async fn timeout_pending(count: usize) {
    for _ in 0..count {
        timeout(Duration::from_secs(1), yield_now())
            .await
            .expect("it is soon ready");
    }
}

/// Round trips of two tasks over two channels.
async fn ping(count: usize, make: impl Fn() -> (Sender<usize>, Receiver<usize>)) {
    let (there, far) = make();
    let (back, near) = make();
    let echo = spawn(async move {
        while let Some(index) = far.recv().await {
            back.send(index).await.expect("the receiver is there");
        }
    });
    let pinger = spawn(async move {
        for index in 0..count {
            there.send(index).await.expect("the receiver is there");
            assert_eq!(near.recv().await, Some(index));
        }
    });
    pinger.await.expect("it returns");
    echo.await.expect("it returns");
}

/// A request over a channel, with a oneshot for its answer.
async fn ping_oneshot(count: usize) {
    let (there, far) = channel::unbounded::<(usize, channel::oneshot::Sender<usize>)>();
    let echo = spawn(async move {
        while let Some((index, reply)) = far.recv().await {
            reply.send(index).expect("the receiver is there");
        }
    });
    let pinger = spawn(async move {
        for index in 0..count {
            let (reply, answer) = channel::oneshot();
            there
                .try_send((index, reply))
                .expect("the receiver is there");
            assert_eq!(answer.await, Ok(index));
        }
    });
    pinger.await.expect("it returns");
    echo.await.expect("it returns");
}

/// Polls a future that waits.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    let is_pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending);
}

/// `count` round trips of 64 bytes over `connections`, with the client on another thread, so that this
/// thread's instructions are the server's alone.
async fn echo(count: usize, connections: usize) {
    let listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let addr = listener.local_addr().expect("an address");
    let client = std::thread::spawn(move || echo_client(addr, count, connections));
    let open = Rc::new(Cell::new(0));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let open = Rc::clone(&open);
        open.set(open.get() + 1);
        tasks.push(spawn(async move {
            serve(stream).await;
            open.set(open.get() - 1);
        }));
    }
    for task in tasks {
        task.await.expect("it returns");
    }
    assert_eq!(open.get(), 0);
    client.join().expect("the client returns");
}

async fn serve(stream: TcpStream) {
    let mut buf = [0; 512];
    while let Ok(count @ 1..) = stream.read(&mut buf).await {
        if stream.write_all(&buf[..count]).await.is_err() {
            return;
        }
    }
}

/// A blocking client: each connection has one message under way.
fn echo_client(addr: std::net::SocketAddr, count: usize, connections: usize) {
    use std::io::{Read, Write};
    let mut streams: Vec<_> = (0..connections)
        .map(|_| {
            let stream = std::net::TcpStream::connect(addr).expect("a connection");
            stream.set_nodelay(true).expect("an option");
            stream
        })
        .collect();
    let mut buf = [7; 64];
    for _ in 0..count / connections {
        for stream in &mut streams {
            stream.write_all(&buf).expect("a message goes out");
        }
        for stream in &mut streams {
            stream.read_exact(&mut buf).expect("its echo comes back");
        }
    }
}
