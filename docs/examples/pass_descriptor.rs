//! One process opens, another works: a listening socket and each file go over a Unix socket.
//!
//! ```text
//! cargo run --example pass_descriptor
//! ```
//!
//! Both sides are tasks of one loop here; two processes would do the same, over a `UnixListener`'s connections.
//! Look at who may do what: the worker opens nothing itself, and what it was given is closed when it is dropped.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::TcpListener as StdListener;
use std::os::fd::AsFd;

use mainspring::net::{TcpListener, TcpStream, UnixStream};

/// Has a listener and a log file, and gives duplicates of both away with one byte.
async fn opener(worker: UnixStream, log: &File) -> io::Result<String> {
    let listener = StdListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    worker
        .send_with_fds(b"!", &[listener.as_fd(), log.as_fd()])
        .await?;
    // The worker has its own by now, or they are under way: ours can go.
    drop(listener);
    let client = TcpStream::connect(address).await?;
    client.write_all(b"tick").await?;
    let mut buf = [0; 16];
    let count = client.read(&mut buf).await?;
    Ok(String::from_utf8_lossy(&buf[..count]).into_owned())
}

/// Takes what it is given, checks who gave it, and serves one connection.
async fn worker(opener: UnixStream) -> io::Result<()> {
    let peer = opener.peer_cred()?;
    let is_ours = peer
        .pid
        .is_none_or(|pid| pid.unsigned_abs() == std::process::id());
    println!("worker: given by this process: {is_ours}");
    let mut came = opener.recv_with_fds(&mut [0; 1], 2).await?;
    let (Some(log), Some(listener)) = (came.fds.pop(), came.fds.pop()) else {
        return Err(io::Error::other("two descriptors were to come"));
    };
    let listener = TcpListener::from_std(StdListener::from(listener))?;
    let (connection, _) = listener.accept().await?;
    let mut buf = [0; 16];
    let count = connection.read(&mut buf).await?;
    File::from(log).write_all(&buf[..count])?;
    connection.write_all(b"tock").await
}

fn main() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("mainspring-log-{}", std::process::id()));
    let log = File::create(&path)?;
    let answer = mainspring::run(async {
        let (left, right) = UnixStream::pair()?;
        let worker = mainspring::spawn(worker(right));
        let answer = opener(left, &log).await?;
        worker.await.expect("the worker does not panic")?;
        io::Result::Ok(answer)
    })??;
    println!("opener: the worker answered {answer}");
    println!("log: {}", std::fs::read_to_string(&path)?);
    std::fs::remove_file(&path)
}
