//! Servers for what one connection's two directions can do, each to its own end: for socat and ncat to try.
//!
//! ```text
//! sockets --gather ADDRESS         reads to the client's end, then answers with all of it, and ends
//! sockets --gather-unix PATH       the same over a Unix socket
//! sockets --greet ADDRESS          greets and ends its side at once, then reads to the client's end
//! sockets --datagrams PATH         sends each Unix datagram back to where it came from
//! sockets --files PATH             takes an open file, and gives it back with a line about it
//! ```
//!
//! The arguments may stand together. Each connection's end is a line on standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;

use mainspring::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use mainspring::net::{TcpListener, TcpStream, UnixDatagram, UnixListener, UnixStream};
use mainspring::task::try_join_all;

/// The client ends first; the answer must come all the same.
async fn gather<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<u64> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    stream.write_all(&bytes).await?;
    stream.close().await?;
    Ok(bytes.len() as u64)
}

/// We end first; what the client goes on to say must come all the same.
async fn greet(mut stream: TcpStream) -> io::Result<u64> {
    stream.write_all(b"go on\n").await?;
    stream.shutdown(Shutdown::Write)?;
    copy(&mut stream, &mut sink()).await
}

/// Each datagram goes back as it came.
async fn mirror(socket: UnixDatagram) -> io::Result<()> {
    let mut buf = vec![0; 64 * 1024];
    loop {
        let (taken, from) = socket.recv_from(&mut buf).await?;
        let len = taken.len;
        println!("datagrams: {len} bytes");
        // A sender without a name cannot be answered, and one that is gone need not.
        let _ = socket.send_to_addr(&buf[..len], &from).await;
    }
}

/// An open file comes with the first byte; it goes back with its first line.
async fn turn_over(stream: UnixStream) -> io::Result<u64> {
    let came = stream.recv_with_fds(&mut [0; 64], 1).await?;
    let fd = came
        .fds
        .into_iter()
        .next()
        .ok_or(io::ErrorKind::InvalidData)?;
    let file = File::from(fd);
    let mut line = String::new();
    BufReader::new(&file).read_line(&mut line)?;
    let count = stream
        .send_with_fds(line.as_bytes(), &[file.as_fd()])
        .await?;
    Ok(count as u64)
}

async fn serve<S, F>(
    name: &'static str,
    accept: impl AsyncFn() -> io::Result<S>,
    each: impl Fn(S) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<u64>> + 'static,
{
    loop {
        let served = each(accept().await?);
        drop(mainspring::spawn(async move {
            match served.await {
                Ok(count) => println!("{name}: {count} bytes, to the end"),
                Err(error) => println!("{name}: {error}"),
            }
        }));
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    mainspring::run(async {
        let mut servers: Vec<Pin<Box<dyn Future<Output = io::Result<()>>>>> = Vec::new();
        for pair in arguments.chunks(2) {
            let [kind, place] = pair else {
                return Err(io::Error::other("an address, or a path, is missing"));
            };
            let tcp = |place: &str| {
                let listener = TcpListener::bind(place.parse().map_err(io::Error::other)?)?;
                println!("{kind} on {}", listener.local_addr()?);
                io::Result::Ok(async move || Ok(listener.accept().await?.0))
            };
            servers.push(match kind.as_str() {
                "--gather" => Box::pin(serve("gather", tcp(place)?, gather)),
                "--greet" => Box::pin(serve("greet", tcp(place)?, greet)),
                "--gather-unix" => {
                    let listener = UnixListener::bind(place)?;
                    println!("{kind} on {place}");
                    let accept = async move || Ok(listener.accept().await?.0);
                    Box::pin(serve("gather-unix", accept, gather))
                }
                "--datagrams" => {
                    let socket = UnixDatagram::bind(place)?;
                    println!("{kind} on {place}");
                    Box::pin(mirror(socket))
                }
                "--files" => {
                    let listener = UnixListener::bind(place)?;
                    println!("{kind} on {place}");
                    let accept = async move || Ok(listener.accept().await?.0);
                    Box::pin(serve("files", accept, turn_over))
                }
                _ => return Err(io::Error::other(format!("what is {kind}?"))),
            });
        }
        try_join_all(servers).await.map(drop)
    })?
}
