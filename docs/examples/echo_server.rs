//! An echo server: one task per connection, one thread for all.
//!
//! ```text
//! cargo run --example echo_server                                  serves itself once, and ends
//! cargo run --example echo_server -- 127.0.0.1:7007                serves until it is killed
//! cargo run --example echo_server -- 127.0.0.1:7007 --once 2       serves two connections, and ends
//! ```

use std::io;
use std::net::SocketAddr;

use mainspring::net::{TcpListener, TcpStream};

/// Sends back what comes, until the peer closes its side.
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..count]).await?;
    }
}

/// Serves `limit` connections, or connections without end.
async fn serve(listener: TcpListener, limit: Option<usize>) -> io::Result<()> {
    let mut tasks = Vec::new();
    let mut served = 0;
    while limit.is_none_or(|limit| served < limit) {
        let (stream, _peer) = listener.accept().await?;
        served += 1;
        let task = mainspring::spawn(echo(stream));
        // A server without end drops the handle: the task goes on by itself.
        if limit.is_some() {
            tasks.push(task);
        }
    }
    for task in tasks {
        task.await??;
    }
    println!("connections served: {served}");
    Ok(())
}

/// Stands in for the rest of the world where no address was given.
async fn visit(address: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(b"hello").await?;
    let mut reply = [0; 5];
    let mut filled = 0;
    while filled < reply.len() {
        match stream.read(&mut reply[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    println!("echoed {}", String::from_utf8_lossy(&reply));
    Ok(())
}

fn main() -> io::Result<()> {
    let mut address = None;
    let mut limit = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--once" {
            let count = arguments.next().and_then(|count| count.parse().ok());
            limit = Some(count.ok_or_else(|| io::Error::other("--once needs a number"))?);
        } else {
            address = Some(argument.parse().map_err(io::Error::other)?);
        }
    }
    mainspring::run(async {
        let local = "127.0.0.1:0".parse().map_err(io::Error::other)?;
        let listener = TcpListener::bind(address.unwrap_or(local))?;
        println!("listening on {}", listener.local_addr()?);
        if address.is_some() || limit.is_some() {
            return serve(listener, limit).await;
        }
        let visitor = mainspring::spawn(visit(listener.local_addr()?));
        serve(listener, Some(1)).await?;
        visitor.await?
    })?
}
