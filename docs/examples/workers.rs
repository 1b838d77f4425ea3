//! One loop per processor behind one port, and connections handed to the worker that is to serve them.
//!
//! ```text
//! cargo run --example workers
//! ```
//!
//! The kernel gives a connection to any of the workers (SO_REUSEPORT). Here each client says with its first byte which one it
//! wants, as one would that has its session there. Whoever accepted it hands it over, if that is another:
//!
//! ```text
//!   one port ──► worker 0 ── accept, read one byte ──► serve it here
//!           ├──► worker 1                    └───────► hand it over ──► worker 2: serve it there
//!           └──► worker 2
//! ```
//!
//! A connection goes as std's `TcpStream`, which may be sent to another thread; ours belongs to its loop.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mainspring::channel;
use mainspring::io::AsyncReadExt;
use mainspring::net::TcpStream;
use mainspring::workers::{HandOver, Worker, Workers};
use mainspring::{select, spawn};

const WORKERS: usize = 3;
const CLIENTS: usize = 24;
/// So many connections wait at most for a worker.
const ROOM: usize = 16;

type Moved = std::net::TcpStream;

/// What a worker has to do next.
enum Next {
    /// Somebody has connected.
    Greet(TcpStream),
    /// Somebody has said whom it wants.
    Place(usize, TcpStream),
    /// Another worker hands a client over.
    Serve(Moved),
    End,
}

/// One worker. `left` counts the clients that are still to be served, by all of them.
async fn work(
    worker: Worker,
    mut others: HandOver<Moved>,
    left: &AtomicUsize,
) -> io::Result<usize> {
    let listener = worker.take_listeners().remove(0);
    let stopping = worker.stopping();
    let (placed, to_place) = channel::bounded(ROOM);
    let mut served = 0;
    loop {
        let next = select! {
            accepted = listener.accept() => Next::Greet(accepted?.0),
            Some((index, stream)) = to_place.recv() => Next::Place(index, stream),
            Some(stream) = others.recv() => Next::Serve(stream),
            _reason = stopping.cancelled() => Next::End,
        };
        match next {
            Next::Greet(mut stream) => {
                let placed = placed.clone();
                // In a task of its own: a client that says nothing holds up nobody.
                drop(spawn(async move {
                    let mut wanted = [0];
                    if stream.read_exact(&mut wanted).await.is_ok() {
                        // Without a receiver the worker has ended.
                        let _ = placed.send((usize::from(wanted[0]), stream)).await;
                    }
                }));
            }
            Next::Place(index, stream) if index != worker.index() => {
                let moved = others.send_to(index % WORKERS, stream.into_std()).await;
                moved.map_err(|_| io::Error::other("that worker has ended"))?;
            }
            Next::Place(_, stream) => served += serve(&worker, stream, left).await?,
            Next::Serve(moved) => {
                served += serve(&worker, TcpStream::from_std(moved)?, left).await?;
            }
            Next::End => return Ok(served),
        }
    }
}

/// Says who serves here. The last client ends all workers.
async fn serve(worker: &Worker, stream: TcpStream, left: &AtomicUsize) -> io::Result<usize> {
    stream.write_all(&[worker.index() as u8]).await?;
    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
        worker.stop_all(Duration::from_secs(1));
    }
    Ok(1)
}

/// Connects and asks for each worker in turn; how many got whom they wanted.
fn clients(address: SocketAddr) -> io::Result<usize> {
    let mut pleased = 0;
    for number in 0..CLIENTS {
        let wanted = [(number % WORKERS) as u8];
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(&wanted)?;
        let mut served_by = [0];
        stream.read_exact(&mut served_by)?;
        pleased += usize::from(served_by == wanted);
    }
    Ok(pleased)
}

fn main() -> io::Result<()> {
    let mut workers = Workers::new(WORKERS).thread_name("example");
    let address = workers.listen("127.0.0.1:0".parse().expect("an address"))?;
    let clients = thread::spawn(move || clients(address));
    let left = AtomicUsize::new(CLIENTS);
    // Blocks until all workers have ended.
    let served = workers.run_with_hand_over(ROOM, |worker, others| work(worker, others, &left));
    let served = served.map_err(|error| io::Error::other(error.to_string()))?;
    for (index, count) in served.iter().enumerate() {
        println!("worker {index} served {count}");
    }
    let pleased = clients.join().expect("they do not panic")?;
    println!("{pleased} of {CLIENTS} clients got the worker they wanted");
    Ok(())
}
