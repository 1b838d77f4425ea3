//! An echo client: connects, sends a few lines, checks what comes back.
//!
//! ```text
//! cargo run --example echo_client                        against a server of its own
//! cargo run --example echo_client -- 127.0.0.1:7007      against one that is running
//! ```

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use mainspring::net::TcpStream;
use mainspring::time::timeout;

/// A lost byte must not hang the program.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads until `buf` is full. The stream gives what is there, which may be less than a line.
async fn read_full(stream: &TcpStream, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match stream.read(&mut buf[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}

async fn talk(address: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    // Small messages, each of which waits for its answer: gathering them would only delay.
    stream.set_nodelay(true)?;
    for line in ["one", "two", "three"] {
        stream.write_all(line.as_bytes()).await?;
        let mut reply = vec![0; line.len()];
        timeout(PATIENCE, read_full(&stream, &mut reply)).await??;
        println!("sent {line}, received {}", String::from_utf8_lossy(&reply));
    }
    Ok(())
    // The stream closes here, and the server reads its end.
}

/// One connection, served by plain blocking calls on a thread of its own.
fn serve_one(listener: &std::net::TcpListener) -> io::Result<()> {
    let (mut stream, _peer) = listener.accept()?;
    let mut buf = [0; 64];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            count => stream.write_all(&buf[..count])?,
        }
    }
}

fn main() -> io::Result<()> {
    if let Some(address) = std::env::args().nth(1) {
        let address = address.parse().map_err(io::Error::other)?;
        return mainspring::run(talk(address))?;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || serve_one(&listener));
    mainspring::run(talk(address))??;
    server.join().expect("the server's thread does not panic")
}
