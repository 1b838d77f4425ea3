//! A client by lines: sends what it is given, prints every line that comes back.
//!
//! ```text
//! cargo run --example line_client                              against a server of its own
//! cargo run --example line_client -- 127.0.0.1:7007            sends what comes on standard input
//! cargo run --example line_client -- 127.0.0.1:7007 one two    sends these two lines
//! ```
//!
//! Look at how standard input comes in: a thread of ours may block on it, and hands it over through a pair of
//! sockets, so that the loop sees one more stream. And at the end: what is to be sent ends first, the answers
//! go on until the server ends them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::thread;

use mainspring::codec::{FramedRead, LinesCodec};
use mainspring::io::{AsyncRead, AsyncWriteExt, copy};
use mainspring::net::{OwnedWriteHalf, TcpStream, UnixStream};
use mainspring::stream::StreamExt;

/// Standard input as a stream. Nobody waits for the thread: it ends with its input, or with the program.
fn stdin() -> io::Result<UnixStream> {
    let (near, mut far) = StdUnixStream::pair()?;
    thread::spawn(move || io::copy(&mut io::stdin().lock(), &mut far));
    UnixStream::from_std(near)
}

/// Sends all of it, and then the end.
async fn send<R: AsyncRead + Unpin>(
    mut input: R,
    mut half: OwnedWriteHalf<TcpStream>,
) -> io::Result<()> {
    copy(&mut input, &mut half).await?;
    half.close().await
}

/// Talks until the server has nothing more to say.
async fn talk(address: SocketAddr, lines: &[String]) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let (read_half, write_half) = stream.into_split();
    // A task of its own, for a server may answer before it has heard everything, or while nobody types.
    let sender = if lines.is_empty() {
        mainspring::spawn(send(stdin()?, write_half))
    } else {
        let text = lines.join("\n") + "\n";
        mainspring::spawn(async move { send(text.as_bytes(), write_half).await })
    };
    let mut answers = FramedRead::new(read_half, LinesCodec::new());
    while let Some(line) = answers.try_next().await? {
        println!("{line}");
    }
    // A server that ends first ends us: what is still being typed has nowhere to go.
    if sender.is_finished() {
        sender.await??;
    }
    Ok(())
}

/// One connection, on a thread of its own: each line comes back in capitals, and at the end their number.
fn serve_one(listener: &std::net::TcpListener) -> io::Result<()> {
    let (mut stream, _peer) = listener.accept()?;
    let mut count = 0;
    for line in BufReader::new(stream.try_clone()?).lines() {
        writeln!(stream, "{}", line?.to_uppercase())?;
        count += 1;
    }
    writeln!(stream, "that makes {count}")
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if let Some(address) = arguments.next() {
        let address = address.parse().map_err(io::Error::other)?;
        let lines: Vec<String> = arguments.collect();
        return mainspring::run(talk(address, &lines))?;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || serve_one(&listener));
    let lines = ["one", "two", "three"].map(String::from);
    mainspring::run(talk(address, &lines))??;
    server.join().expect("the server's thread does not panic")
}
