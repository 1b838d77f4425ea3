//! The main job, on one thread: three coroutines that wait, then an echo server under load; at the
//! end, what each request cost in system calls.
//!
//! ```text
//! make run
//! cargo run --release --features sim --example main_job
//! ```
//!
//! Feature `sim` is there for its counters: each system call of the loop's thread is counted by kind.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use mainspring::Runtime;
use mainspring::net::{TcpListener, TcpStream};
use mainspring::sim::fault::{Call, count_of};
use mainspring::time::{now, sleep};

/// How many connections are open at a time. Both ends are in this process, and some systems give a
/// process 256 descriptors.
const CONNECTIONS: usize = 100;
/// How often all of them are closed and opened anew: 400 connections in all.
const WAVES: usize = 4;
/// How long the client asks in each wave.
const WAVE_TIME: Duration = Duration::from_millis(450);
/// How often it asks at most on each connection of a wave, whatever the time.
const REQUESTS_MAX: usize = 20_000;
/// What is sent, and sent back.
const MESSAGE: [u8; 64] = [b'm'; 64];
/// The calls that are reported.
const CALLS: [(&str, Call); 6] = [
    ("recv", Call::Recv),
    ("send", Call::Send),
    ("wait", Call::Wait),
    ("control", Call::Control),
    ("accept", Call::Accept),
    ("notify", Call::Notify),
];

/// asyncio's first example.
async fn three_coroutines() {
    let start = now();
    let names = ["a", "b", "c"];
    let handles = names.map(|name| {
        mainspring::spawn(async move {
            println!("start {name}");
            sleep(Duration::from_secs(1)).await;
            println!("done {name}");
        })
    });
    for handle in handles {
        handle.await.expect("no coroutine panics or is aborted");
    }
    println!(
        "three sleeps of one second took {:.2} s",
        (now() - start).as_secs_f64()
    );
}

/// Sends back what comes, and says how often.
async fn echo(stream: TcpStream) -> io::Result<u64> {
    let mut buf = vec![0; 4096];
    let mut requests = 0;
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            return Ok(requests);
        }
        stream.write_all(&buf[..count]).await?;
        requests += 1;
    }
}

/// Serves all waves; the number of requests.
async fn serve(listener: TcpListener) -> io::Result<u64> {
    let mut tasks = Vec::new();
    for _ in 0..WAVES * CONNECTIONS {
        let (stream, _peer) = listener.accept().await?;
        tasks.push(mainspring::spawn(echo(stream)));
    }
    let mut requests = 0;
    for task in tasks {
        requests += task.await??;
    }
    Ok(requests)
}

/// The load: plain blocking sockets, on a thread of its own. Each round asks on every connection, then
/// fetches every answer.
fn ask(address: SocketAddr) -> io::Result<()> {
    for _ in 0..WAVES {
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let start = now();
        let mut reply = [0; MESSAGE.len()];
        for _ in 0..REQUESTS_MAX {
            for stream in &mut streams {
                stream.write_all(&MESSAGE)?;
            }
            for stream in &mut streams {
                stream.read_exact(&mut reply)?;
                assert_eq!(reply, MESSAGE, "an echo server sends back what came");
            }
            if now() - start >= WAVE_TIME {
                break;
            }
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(three_coroutines())?;

    let listener = TcpListener::bind("127.0.0.1:0".parse().map_err(io::Error::other)?)?;
    listener.set_nodelay(true)?;
    let address = listener.local_addr()?;
    let before = CALLS.map(|(_, call)| count_of(call));
    let client = thread::spawn(move || ask(address));
    let start = runtime.now();
    let requests = runtime.block_on(serve(listener))??;
    let seconds = (runtime.now() - start).as_secs_f64();
    client.join().expect("the client does not panic")?;

    println!(
        "echo server on {}, one thread, {CONNECTIONS} connections",
        runtime.backend_name()
    );
    println!(
        "{requests} requests in {seconds:.2} s: {:.0} per second",
        requests as f64 / seconds
    );
    println!("system calls of the loop's thread per request:");
    for ((name, call), before) in CALLS.iter().zip(before) {
        let per_request = (count_of(*call) - before) as f64 / requests as f64;
        println!("  {name:<8} {per_request:.3}");
    }
    Ok(())
}
